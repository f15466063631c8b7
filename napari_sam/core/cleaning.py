"""What cleans an object's shape without moving its outline: holes, islands, gaps, grey values.

All functions are pure: a mask in its box in, a new mask out. None looks beyond the mask's box, so that their
work depends on the object and not on the volume. Sizes are millimetres, on sheared axes too. Planes named as
frozen keep what they hold, which is how anchors survive a clean-up.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.shape_between import shape_between
from napari_sam.errors import InvalidEdit
from volumes import Box, Geometry

__all__ = [
    "check_size",
    "close_gaps",
    "drop_islands",
    "fill_holes",
    "keep_largest",
    "keep_range",
    "laid_into",
    "limit_to_range",
    "pixel_mm2",
    "voxel_mm3",
    "with_frozen",
]

_CORNERS = np.ones((3, 3, 3), dtype=np.bool_)


def fill_holes(
    mask: BoxedMask,
    geometry: Geometry,
    up_to: float | None = None,
    *,
    axis: int | None = None,
    frozen: Collection[PlaneRef] = (),
) -> BoxedMask:
    """Fill what an object encloses.

    A hole is a piece of background, connected by sides, that the object encloses on all sides. One that is
    open to the volume's border is no hole.

    Parameters
    ----------
    mask : BoxedMask
        The object, in three dimensions.
    geometry : Geometry
        Of the volume.
    up_to : float, optional
        The largest hole to fill, in mm³, or in mm² where an axis is given; all where None.
    axis : int, optional
        Look at each plane across this array axis by itself: what is enclosed in its plane is a hole.
    frozen : collection of PlaneRef
        Planes that keep what they hold.

    Returns
    -------
    BoxedMask
        In the same box.

    Raises
    ------
    InvalidEdit
        A size that is not above 0.
    """
    check_size(up_to, "the largest hole to fill")
    if mask.box.is_empty:
        return mask
    structure = ndimage.generate_binary_structure(3, 1)
    unit = voxel_mm3(geometry)
    if axis is not None:
        structure[tuple(np.arange(3) if one == axis else 1 for one in range(3))] = (False, True, False)
        unit = pixel_mm2(geometry, axis)
    pieces, n_pieces = ndimage.label(~mask.bits, structure=structure)
    is_hole = np.ones(n_pieces + 1, dtype=np.bool_)
    if up_to is not None:
        is_hole = np.bincount(pieces.ravel(), minlength=n_pieces + 1) * unit <= up_to * (1.0 + 1e-9)
    for side in (one for one in range(3) if one != axis):
        for end in (0, -1):
            is_hole[np.take(pieces, end, axis=side).ravel()] = False
    is_hole[0] = False
    return with_frozen(BoxedMask(mask.box, mask.bits | is_hole[pieces]), mask, frozen)


def drop_islands(
    mask: BoxedMask, geometry: Geometry, below_mm3: float, *, frozen: Collection[PlaneRef] = ()
) -> BoxedMask:
    """Drop the pieces of an object that are smaller than so many mm³; pieces touch by corners, too.

    Raises
    ------
    InvalidEdit
        A size that is not above 0.
    """
    check_size(below_mm3, "the size of islands")
    pieces, sizes = _pieces(mask)
    stays = sizes * voxel_mm3(geometry) >= below_mm3 * (1.0 - 1e-9)
    stays[0] = False
    return with_frozen(BoxedMask(mask.box, np.asarray(stays[pieces])), mask, frozen)


def keep_largest(mask: BoxedMask, *, frozen: Collection[PlaneRef] = ()) -> BoxedMask:
    """Keep the largest piece of an object; of equals the one that comes first in the order of the array."""
    pieces, sizes = _pieces(mask)
    if sizes.size < 2:
        return mask
    return with_frozen(BoxedMask(mask.box, pieces == 1 + int(np.argmax(sizes[1:]))), mask, frozen)


def keep_range(
    mask: BoxedMask, values: NDArray[Any], low: float, high: float, *, frozen: Collection[PlaneRef] = ()
) -> BoxedMask:
    """Keep the voxels whose grey value lies from low to high, both included.

    Parameters
    ----------
    mask : BoxedMask
        The object.
    values : NDArray, shape `mask.box.shape`
        The image in the mask's box, such as HU. A value that is no number lies in no range.
    low, high : float
        The range; infinities leave an end open.
    frozen : collection of PlaneRef
        Planes that keep what they hold.

    Raises
    ------
    InvalidEdit
        A range without values, or values of another shape.
    """
    inside = _in_range(values, mask.box.shape, low, high)
    return with_frozen(BoxedMask(mask.box, mask.bits & inside), mask, frozen)


def limit_to_range(
    before: NDArray[Any], after: NDArray[Any], values: NDArray[Any], low: float, high: float
) -> NDArray[Any]:
    """Limit a brush stroke to a range of grey values: elsewhere the labels stay what they were.

    Parameters
    ----------
    before, after : NDArray of integers, one shape
        The labels where the stroke is, without and with it.
    values : NDArray, the same shape
        The image there.
    low, high : float
        The range, both included.

    Returns
    -------
    NDArray
        New labels, of `after`'s dtype.

    Raises
    ------
    InvalidEdit
        A range without values, or arrays of different shapes.
    """
    if before.shape != after.shape:
        raise InvalidEdit(
            f"the labels have shape {before.shape} before the stroke and {after.shape} after it; give one box"
        )
    return np.where(_in_range(values, before.shape, low, high), after, before).astype(after.dtype)


def close_gaps(
    mask: BoxedMask,
    geometry: Geometry,
    up_to_mm: float | None = None,
    *,
    axis: int = 0,
    frozen: Collection[PlaneRef] = (),
) -> BoxedMask:
    """Fill planes in which an object is missing though it is there before and after them.

    A filled plane gets the shape between its two neighbours; see `napari_sam.core.shape_between`.

    Parameters
    ----------
    mask, geometry : BoxedMask, Geometry
        The object, in three dimensions, and where it lies.
    up_to_mm : float, optional
        The widest gap to close, from the plane before to the plane after it along the axis; all where None.
    axis : int
        The array axis that the planes cut across.
    frozen : collection of PlaneRef
        Planes that stay empty.

    Raises
    ------
    InvalidEdit
        A size that is not above 0.
    """
    check_size(up_to_mm, "the widest gap to close")
    filled = np.flatnonzero(mask.bits.any(axis=tuple(one for one in range(3) if one != axis)))
    step_mm = geometry.spacing_mm[axis]
    row_mm, col_mm = (mm for one, mm in enumerate(geometry.spacing_mm) if one != axis)
    bits = mask.bits.copy()
    for first, last in zip(filled[:-1].tolist(), filled[1:].tolist(), strict=True):
        if up_to_mm is not None and (last - first) * step_mm > up_to_mm * (1.0 + 1e-9):
            continue
        before, after = (
            BoxedMask.of_plane(bits.take(i, axis), PlaneRef(axis, i), bits.shape) for i in (first, last)
        )
        for index in range(first + 1, last):
            plane = PlaneRef(axis, index)
            between = shape_between(before, after, plane, bits.shape, (row_mm, col_mm))
            bits[plane.box(bits.shape).slices()] = np.expand_dims(between.to_plane(plane, bits.shape), axis)
    return with_frozen(BoxedMask(mask.box, bits), mask, frozen)


def with_frozen(after: BoxedMask, before: BoxedMask, frozen: Collection[PlaneRef]) -> BoxedMask:
    """Return a mask that holds in frozen planes what it held before; its box holds both."""
    planes = [plane for plane in frozen if plane.meets(after.box) or plane.meets(before.box)]
    if not planes:
        return after
    box = after.box.union(before.box)
    bits, old = laid_into(after, box).copy(), laid_into(before, box)
    for plane in planes:
        at = plane.index - box.start[plane.axis]
        part = tuple(slice(at, at + 1) if axis == plane.axis else slice(None) for axis in range(3))
        bits[part] = old[part]
    return BoxedMask(box, bits)


def laid_into(mask: BoxedMask, box: Box) -> NDArray[np.bool_]:
    """Return what a mask has in a box: bool, `box.shape`; do not write to it, it may be the mask's own."""
    if box == mask.box:
        return mask.bits
    bits = np.zeros(box.shape, dtype=np.bool_)
    common = mask.box.intersection(box)
    if common is not None:
        there, here = ([-at for at in one.start] for one in (box, mask.box))
        bits[common.shift(there).slices()] = mask.bits[common.shift(here).slices()]
    return bits


def voxel_mm3(geometry: Geometry) -> float:
    """Return a voxel's volume in mm³; that of a sheared cell, too."""
    return abs(float(np.linalg.det(geometry.affine[:3, :3])))


def pixel_mm2(geometry: Geometry, axis: int) -> float:
    """Return a pixel's area in mm² in the planes across an array axis."""
    sides = np.delete(geometry.affine[:3, :3], axis, axis=1)
    return float(np.linalg.norm(np.cross(sides[:, 0], sides[:, 1])))


def check_size(size: float | None, what: str) -> None:
    """Raise InvalidEdit unless a size is None, or a number above 0."""
    if size is not None and not (math.isfinite(size) and size > 0):
        raise InvalidEdit(f"{what} is {size:g}; give a number above 0")


def _pieces(mask: BoxedMask) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the connected pieces, numbered from 1, and how many voxels have each number, 0 included."""
    pieces, n_pieces = ndimage.label(mask.bits, structure=_CORNERS)
    return pieces, np.bincount(pieces.ravel(), minlength=n_pieces + 1)


def _in_range(values: NDArray[Any], shape: tuple[int, ...], low: float, high: float) -> NDArray[np.bool_]:
    if not low <= high:
        raise InvalidEdit(f"the range from {low:g} to {high:g} holds no value; give the lower number first")
    if values.shape != shape:
        raise InvalidEdit(
            f"the grey values have shape {values.shape}, the labels {shape}; "
            "give one value a voxel (an RGB image has no range)"
        )
    return np.asarray((values >= low) & (values <= high))
