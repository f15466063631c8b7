"""napari's way to our writer: labels in the geometry of the image that they were made on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import volumes
from napari_sam.plugin._images import NAMESPACE, as_planes, plain_volume

__all__ = ["offered_suffixes", "write_labels"]

_USUAL = (".nii.gz", ".seg.dcm", ".rtstruct.dcm")


def offered_suffixes(volume: volumes.Volume | None = None) -> tuple[str, ...]:
    """Return what the labels of an image can be saved as, the usual ones first.

    DICOM objects refer to the image's files, so they are offered where it was read from DICOM.
    """
    is_dicom = volume is not None and bool(volume.provenance.sources)
    known = [one for one in volumes.label_suffixes() if is_dicom or not one.endswith(".dcm")]
    usual = [one for one in _USUAL if one in known]
    return (*usual, *(one for one in known if one not in usual))


def write_labels(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Write one Labels layer.

    Parameters
    ----------
    path : str
        Where to; the suffix chooses the format.
    data : NDArray of integers, shape (R, C) or (P, R, C)
        Object ids.
    attributes : dict
        The layer's attributes; `metadata` holds the source volume and what the labels mean where the plugin
        made the layer, else the layer's `scale` is the spacing in millimetres.

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
    own = attributes.get("metadata", {}).get(NAMESPACE, {})
    volume, segments = own.get("volume"), own.get("segments", ())
    if not isinstance(volume, volumes.Volume):
        volume = plain_volume(labels, attributes.get("scale", (1.0, 1.0, 1.0)))
    volumes.write(Path(path), labels, like=volume, segments=segments() if callable(segments) else segments)
    return [path]
