"""DICOM: files and folders, headers, pixels, and how planes make a volume."""
