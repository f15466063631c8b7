"""Films through PyAV: frames as planes, any of them on demand."""
