"""Image layers as volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.window import Window
from napari_sam.nodes.info import is_placed
from napari_sam.plugin._cases import ImageSource
from volumes import Geometry, LazyArray, Provenance, Volume

__all__ = [
    "NAMESPACE",
    "LayerSource",
    "as_planes",
    "is_usable",
    "patient_geometry",
    "plain_volume",
    "shown_window",
    "source_of",
    "volume_of",
]

NAMESPACE = "napari-sam-volumes"
"""The plugin's key in a layer's metadata.

{"volume": Volume, "window": Window or None}, and for labels "segments": what is known of their values, a
tuple of Segment or a callable that gives it.
"""

_N_LOOKED_AT = 8


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
    if isinstance(volume, Volume) and is_placed(volume.provenance.format, volume.geometry):
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
    is_rgb = bool(getattr(layer, "rgb", False))
    levels = layer.data if getattr(layer, "multiscale", False) else [layer.data]
    if isinstance(levels[0], np.ndarray):
        return plain_volume(levels[0], layer.scale, is_rgb=is_rgb)
    return plain_volume(LazyArray(LayerSource(levels, is_rgb=is_rgb)), layer.scale, is_rgb=is_rgb)


class LayerSource:
    """The voxels of a layer whose data is not in memory (dask, Zarr …), read when they are looked at.

    Parameters
    ----------
    levels : sequence of array_like, shape (P, R, C) or (R, C), or with a last axis of 3 or 4
        The layer's data, the finest first; one where it is not multiscale.
    is_rgb : bool
        Whether the last axis is colour; a fourth channel is left out.
    """

    def __init__(self, levels: Sequence[Any], *, is_rgb: bool = False) -> None:
        self._levels = levels
        self._is_flat = len(levels[0].shape) < 3 + is_rgb
        shape = (1, *levels[0].shape) if self._is_flat else tuple(levels[0].shape)
        self.shape: tuple[int, ...] = (*shape[:3], 3) if is_rgb else shape
        self.dtype: np.dtype[Any] = np.dtype(levels[0].dtype)

    def read_box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> NDArray[Any]:
        """Read the voxels of a half-open box."""
        spans = tuple(slice(low, high) for low, high in zip(start, stop, strict=True))
        box = np.asarray(self._levels[0][spans[1:] if self._is_flat else spans])
        return box[np.newaxis] if self._is_flat else box

    def overview(self) -> NDArray[Any]:
        """Read the coarsest level, or where there is one alone, planes spread over it."""
        if len(self._levels) > 1:
            coarse = np.asarray(self._levels[-1])[..., : self.shape[3] if len(self.shape) == 4 else None]
            return coarse[np.newaxis] if self._is_flat else coarse
        step = max(1, self.shape[0] // _N_LOOKED_AT)
        planes = range(step // 2, self.shape[0], step)
        ends = self.shape[1:]
        return np.concatenate([self.read_box((at, *(0 for _ in ends)), (at + 1, *ends)) for at in planes])


def plain_volume(data: NDArray[Any] | LazyArray, scale: Any, *, is_rgb: bool = False) -> Volume:
    """Make a volume of an array with nothing known but its spacing in millimetres.

    Parameters
    ----------
    data : NDArray, shape (R, C) or (P, R, C), with a last axis of 3 or 4 where `is_rgb`
        Or a lazy array of (P, R, C), or (P, R, C, 3).
    scale : sequence of float
        One number an axis; its size counts.
    is_rgb : bool
        Whether the last axis is colour.
    """
    planes = data
    if not isinstance(data, LazyArray):
        planes = as_planes(data[..., :3] if is_rgb else data, 3 + is_rgb)
    n_planes, n_rows, n_columns = planes.shape[:3]
    spacing = [1.0, *(abs(float(x)) or 1.0 for x in scale)][-3:]
    geometry = Geometry.from_spacing((n_planes, n_rows, n_columns), (spacing[0], spacing[1], spacing[2]))
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
