"""The networks: torch only, tensors in and tensors out."""
