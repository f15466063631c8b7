"""NIfTI-1 and NIfTI-2 in and out, Analyze 7.5 in; the headers through nibabel."""
