"""Image layers as volumes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.window import Window
from napari_sam.plugin._cases import ImageSource
from volumes import Geometry, Provenance, Volume

__all__ = [
    "NAMESPACE",
    "as_planes",
    "is_usable",
    "patient_geometry",
    "plain_volume",
    "shown_window",
    "source_of",
    "volume_of",
]

NAMESPACE = "napari-sam-volumes"
"""The plugin's key in a layer's metadata: {"volume": Volume, "window": Window or None}."""

_ORIENTED = ("DICOM", "NIfTI", "NRRD", "MetaImage", "phantom")


def is_usable(layer: Any) -> bool:
    """Return whether a layer is an image of one plane or one volume."""
    return type(layer).__name__ == "Image" and layer.ndim in (2, 3)


def source_of(layer: Any) -> ImageSource:
    """Describe an image layer to the controller."""
    own = layer.metadata.get(NAMESPACE, {})
    return ImageSource(layer.unique_id, layer.name, lambda: volume_of(layer), own.get("window"))


def patient_geometry(layer: Any) -> Geometry | None:
    """Return the geometry of a layer that our reader read from a format which knows how the patient lies."""
    volume = layer.metadata.get(NAMESPACE, {}).get("volume")
    if isinstance(volume, Volume) and volume.provenance.format.startswith(_ORIENTED):
        return volume.geometry
    return None


def volume_of(layer: Any) -> Volume:
    """Return the volume behind a layer: our reader's, else one made of the layer's data and scale.

    Parameters
    ----------
    layer : napari.layers.Layer
        Image or labels with 2 or 3 axes; colours may have a fourth channel, which is left out.
    """
    volume = layer.metadata.get(NAMESPACE, {}).get("volume")
    if isinstance(volume, Volume):
        return volume
    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    return plain_volume(np.asarray(data), layer.scale, is_rgb=bool(getattr(layer, "rgb", False)))


def plain_volume(data: NDArray[Any], scale: Any, *, is_rgb: bool = False) -> Volume:
    """Make a volume of an array with nothing known but its spacing in millimetres.

    Parameters
    ----------
    data : NDArray, shape (R, C) or (P, R, C), with a last axis of 3 or 4 where `is_rgb`
    scale : sequence of float
        One number an axis; its size counts.
    is_rgb : bool
        Whether the last axis is colour.
    """
    colour = data[..., :3] if is_rgb else data
    planes = as_planes(colour, 3 + is_rgb)
    spacing = [1.0, *(abs(float(x)) or 1.0 for x in scale)][-3:]
    geometry = Geometry.from_spacing(planes.shape[:3], (spacing[0], spacing[1], spacing[2]))
    return Volume(planes, geometry, Provenance("napari layer"))


def as_planes(data: NDArray[Any], ndim: int = 3) -> NDArray[Any]:
    """Return the array with a leading axis of one plane where it has none; a view."""
    return data[np.newaxis] if data.ndim < ndim else data


def shown_window(layer: Any) -> Window | None:
    """Return the intensities that the layer shows as black and white; None for colour."""
    if getattr(layer, "rgb", False):
        return None
    low, high = layer.contrast_limits
    return Window(low, high)
