"""The napari plugin: it translates between a window and the package, and computes nothing itself."""
