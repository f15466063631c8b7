"""napari's way to our writer: labels in the geometry of the image that they were made on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import volumes
from napari_sam.plugin._images import NAMESPACE, as_planes, plain_volume

__all__ = ["LABEL_FILES", "write_labels"]

LABEL_FILES = (".nii.gz", ".nii", ".nrrd", ".mha", ".tif", ".png")
"""What labels can be saved as, the usual one first."""


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one Labels layer.

    Parameters
    ----------
    path : str
        Where to; the suffix chooses the format.
    data : NDArray of integers, shape (R, C) or (P, R, C)
        Object ids.
    attributes : dict
        The layer's attributes; `metadata` holds the source volume where the plugin made the layer, else the
        layer's `scale` is the spacing in millimetres.

    Returns
    -------
    list of str
        The file written.

    Raises
    ------
    volumes.VolumeError
        An unknown format, a place that cannot be written to, or labels of another shape than the image.
    """
    labels = as_planes(np.asarray(data))
    volume = attributes.get("metadata", {}).get(NAMESPACE, {}).get("volume")
    if not isinstance(volume, volumes.Volume):
        volume = plain_volume(labels, attributes.get("scale", (1.0, 1.0, 1.0)))
    volumes.write(Path(path), labels, like=volume)
    return [path]
