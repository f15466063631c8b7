"""The node pack: each operation as one typed function, called by the command line, napari and clusters."""
