"""Generated data, simulated interaction and training of the small default model."""
