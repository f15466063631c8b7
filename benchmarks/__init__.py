"""Measured claims: each module prints a table beside a peer or a limit (``python -m benchmarks.NAME``)."""
