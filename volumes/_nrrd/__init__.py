"""NRRD in and out, with the segments of 3D Slicer."""
