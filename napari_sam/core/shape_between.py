"""The shape of an object in a plane between two others: distances to both outlines, blended.

Blending signed distances is the classical way to interpolate outlines between slices (Raya and Udupa,
"Shape-based interpolation of multidimensional objects", 1990). Before they are blended, both shapes are moved
to where the middle of the object should be by then, so that one that wanders does not vanish half-way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.masks import BoxedMask, tight_box
from napari_sam.core.planes import PlaneRef

__all__ = ["shape_between"]


def shape_between(
    first: BoxedMask,
    last: BoxedMask,
    plane: PlaneRef,
    volume_shape: Sequence[int],
    pixel_mm: tuple[float, float] = (1.0, 1.0),
) -> BoxedMask:
    """Interpolate a mask between two planes.

    Parameters
    ----------
    first, last : BoxedMask
        Masks of two planes of one axis, neither empty, on either side of the plane asked for.
    plane : PlaneRef
        Where the shape is wanted; the nearer of the two masks counts more.
    volume_shape : sequence of int
        (P, R, C).
    pixel_mm : tuple of float
        Distance of the plane's rows and of its columns.

    Returns
    -------
    BoxedMask
        May be empty, where two shapes of another form share nothing.
    """
    axis = plane.axis
    ends = first.box.start[axis], last.box.start[axis]
    share = (plane.index - ends[0]) / (ends[1] - ends[0])
    masks = [mask.to_plane(plane, volume_shape) for mask in (first, last)]
    middles = [np.mean(np.nonzero(mask), axis=1) for mask in masks]
    wanted = (1.0 - share) * middles[0] + share * middles[1]
    moved = [_moved(mask, wanted - middle) for mask, middle in zip(masks, middles, strict=True)]
    either = tight_box(moved[0] | moved[1])
    if either is None:  # both were moved out of the picture
        return BoxedMask.of_plane(moved[0], plane, volume_shape)
    part = (slice(either[0], either[2]), slice(either[1], either[3]))
    depth = (1.0 - share) * _depth(moved[0][part], pixel_mm) + share * _depth(moved[1][part], pixel_mm)
    whole = np.zeros_like(moved[0])
    whole[part] = depth > 0
    return BoxedMask.of_plane(whole, plane, volume_shape)


def _moved(mask: NDArray[np.bool_], by: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return a mask (H, W) shifted by whole pixels; what leaves the picture is gone."""
    row, column = (int(step) for step in np.rint(by))
    height, width = mask.shape
    moved = np.zeros_like(mask)
    moved[max(0, row) : height + min(0, row), max(0, column) : width + min(0, column)] = mask[
        max(0, -row) : height + min(0, -row), max(0, -column) : width + min(0, -column)
    ]
    return moved


def _depth(mask: NDArray[np.bool_], pixel_mm: tuple[float, float]) -> NDArray[np.float64]:
    """Return how far inside the outline each pixel lies, in mm, and below 0 how far outside."""
    if not mask.any():
        return np.full(mask.shape, -np.inf)
    padded = np.pad(mask, 1)
    inside = ndimage.distance_transform_edt(padded, sampling=pixel_mm)
    outside = ndimage.distance_transform_edt(~padded, sampling=pixel_mm)
    return np.asarray((inside - outside)[1:-1, 1:-1])
