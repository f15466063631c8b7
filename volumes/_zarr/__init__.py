"""OME-Zarr and plain Zarr: read on demand from a folder, a zip or the network; labels and images written."""
