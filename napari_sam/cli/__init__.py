"""The command line: one module a command, each a thin layer over a function of `napari_sam.nodes`."""
