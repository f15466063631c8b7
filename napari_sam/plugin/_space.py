"""Where voxels lie in napari's world, and how to find them again.

A volume's layer gets its true spacing in millimetres as scale. Its direction in the patient is not shown: an
oblique volume stands upright on the screen, and its real affine stays with the `volumes.Volume` in the
metadata. Rows and columns that run against the radiologist's view (posterior down, left to the right,
inferior down) are mirrored by the layer's affine, so that voxel indices stay those of the file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.planes import PlaneRef
from volumes import Geometry

__all__ = [
    "flipped_axes",
    "index_at",
    "is_head_down",
    "plane_shown",
    "runs_to_head",
    "space_of_geometry",
    "space_of_layer",
    "step_to",
]

_WANTED = (1.0, 1.0, -1.0)
"""Which way a row or column should run along patient left, posterior, superior."""


def flipped_axes(geometry: Geometry) -> tuple[int, ...]:
    """Return which of the in-plane axes (1, rows; 2, columns) are to be mirrored to stand upright."""
    directions = geometry.affine[:3, 1:3] / np.linalg.norm(geometry.affine[:3, 1:3], axis=0)
    rows, columns = int(np.argmax(np.abs(directions[:, 0]))), int(np.argmax(np.abs(directions[:, 1])))
    flipped = []
    if rows in (1, 2) and directions[rows, 0] * _WANTED[rows] < 0:
        flipped.append(1)
    if columns in (0, 1) and directions[columns, 1] * _WANTED[columns] < 0:
        flipped.append(2)
    return tuple(flipped)


def space_of_geometry(geometry: Geometry, ndim: int) -> dict[str, Any]:
    """Give the layer arguments that put a volume into napari's world.

    Parameters
    ----------
    geometry : Geometry
        Of the volume.
    ndim : int
        3, or 2 for the only plane of a picture.

    Returns
    -------
    dict
        scale (mm a voxel), affine (mirrors only), units and axis_labels, each for `ndim` axes.
    """
    spacing_mm = np.asarray(geometry.spacing_mm, dtype=np.float64)
    affine = np.eye(4)
    for axis in flipped_axes(geometry):
        affine[axis, axis] = -1.0
        affine[axis, 3] = (geometry.shape[axis] - 1) * spacing_mm[axis]
    first = 3 - ndim
    return {
        "scale": tuple(spacing_mm[first:].tolist()),
        "affine": affine[first:, first:],
        "units": ("mm",) * ndim,
        "axis_labels": ("plane", "row", "column")[first:],
    }


def space_of_layer(layer: Any) -> dict[str, Any]:
    """Give the layer arguments that put another layer exactly onto this one."""
    return {
        "scale": layer.scale,
        "translate": layer.translate,
        "rotate": layer.rotate,
        "shear": layer.shear,
        "affine": np.asarray(layer.affine.affine_matrix),
        "units": layer.units,
        "axis_labels": layer.axis_labels,
    }


def index_at(layer: Any, position: Sequence[float]) -> tuple[float, float, float]:
    """Turn a world position into (plane, row, column) voxels of a 2-D or 3-D layer."""
    index: NDArray[np.float64] = np.asarray(layer.world_to_data(position), dtype=np.float64)
    plane, row, column = (0.0, *index.tolist())[-3:]
    return plane, row, column


def plane_shown(dims: Any, layer: Any) -> PlaneRef | None:
    """Return which plane of a layer a viewer shows.

    Parameters
    ----------
    dims : napari.components.Dims
        Of the viewer; any axis may be the sliced one.
    layer : napari.layers.Layer
        With 2 or 3 axes, which are the last ones of the viewer.

    Returns
    -------
    PlaneRef or None
        None in a 3-D view, for a plane outside the layer, or where the layer is shown edge-on.
    """
    offset = dims.ndim - layer.ndim
    shown = [axis - offset for axis in dims.displayed]
    if dims.ndisplay != 2 or offset < 0 or min(shown) < 0:
        return None
    if layer.ndim == 2:
        return PlaneRef(0, 0)
    axis = next(axis for axis in range(3) if axis not in shown)
    index = math.floor(index_at(layer, dims.point)[axis] + 0.5)
    return PlaneRef(axis, index) if 0 <= index < layer.data.shape[axis] else None


def is_head_down(dims: Any, geometry: Geometry) -> bool:
    """Return whether a viewer shows a stack that runs from feet to head from the side, feet on top.

    The stack's planes are not mirrored as rows and columns are, so that the slider counts them as the file
    does; a coronal or sagittal cut is put upright by turning the camera's vertical axis instead.
    """
    vertical = dims.displayed[-2] - (dims.ndim - 3)
    return dims.ndisplay == 2 and vertical == 0 and runs_to_head(geometry)


def runs_to_head(geometry: Geometry) -> bool:
    """Return whether the planes of a stack follow each other from feet to head."""
    direction = geometry.affine[:3, 0]
    return bool(int(np.argmax(np.abs(direction))) == 2 and direction[2] > 0)


def step_to(dims: Any, image: Any, plane: PlaneRef) -> None:
    """Show a plane of an image layer, where its axis is the one that the viewer's sliders step through."""
    shown = plane_shown(dims, image)
    if shown is None or shown.axis != plane.axis:
        return
    index = np.asarray(index_at(image, dims.point))
    index[plane.axis] = plane.index
    axis = plane.axis + dims.ndim - image.ndim
    dims.set_point(axis, image.data_to_world(index)[axis])
