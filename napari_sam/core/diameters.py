"""Diameters of an object: the longest in space and in a plane, and the one across it.

An outline runs half-way between a voxel inside and its neighbour outside. So a diameter goes from such a
place to another, and a single voxel is as long as its longest side. From centre to centre, as some do it,
everything would be about a voxel too short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from scipy.spatial.distance import cdist

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from volumes import Geometry

__all__ = ["Diameter", "PlaneDiameters", "across", "longest_diameter", "longest_in_plane", "plane_diameters"]

_ROWS_AT_ONCE = 512
_SAMPLES_A_VOXEL = 4
_N_WIDTHS = 12
_Points = NDArray[np.float64]


@dataclass(frozen=True)
class Diameter:
    """A straight line across an object.

    Attributes
    ----------
    mm : float
        Its length.
    ends_idx : tuple of two (plane, row, column)
        Its ends, in voxels of the volume, with fractions.
    ends_lps_mm : tuple of two (x, y, z)
        The same in LPS mm.
    """

    mm: float
    ends_idx: tuple[tuple[float, ...], tuple[float, ...]]
    ends_lps_mm: tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class PlaneDiameters:
    """The two diameters of a tumour's size: the longest in any plane, and the longest at right angles to it.

    Attributes
    ----------
    axis, plane : int
        The plane in which the longest diameter is the longest of all planes; the first of equals.
    longest, perpendicular : Diameter
        Both in that plane. The perpendicular one runs wholly inside the object.
    """

    axis: int
    plane: int
    longest: Diameter
    perpendicular: Diameter

    @property
    def sum_mm(self) -> float:
        """Sum of the two."""
        return self.longest.mm + self.perpendicular.mm

    @property
    def product_mm2(self) -> float:
        """Product of the two, as WHO's criteria have it."""
        return self.longest.mm * self.perpendicular.mm


def longest_diameter(mask: BoxedMask, geometry: Geometry) -> Diameter | None:
    """Return the longest straight line between two places of an object's outline; None where it is empty."""
    return None if mask.is_empty else _farthest(_outline(mask, (0, 1, 2)), geometry)


def longest_in_plane(mask: BoxedMask, geometry: Geometry, axis: int, index: int) -> Diameter | None:
    """Return the longest line in one plane; None where the object is not in it.

    Parameters
    ----------
    mask, geometry : BoxedMask, Geometry
        The object.
    axis, index : int
        The plane: the array axis that it cuts across, and its index in the volume.
    """
    points_idx = _plane_outline(mask, axis, index)
    return None if points_idx is None else _farthest(points_idx, geometry)


def _plane_outline(mask: BoxedMask, axis: int, index: int) -> _Points | None:
    """Return places of an object's outline in a plane, as `_outline`; None where it is not in it."""
    at = index - mask.box.start[axis]
    if not 0 <= at < mask.box.shape[axis]:
        return None
    part = tuple(slice(at, at + 1) if one == axis else slice(None) for one in range(3))
    flat = mask.bits[part]
    if not flat.any():
        return None
    in_plane = tuple(one for one in range(3) if one != axis)
    return _outline(BoxedMask(PlaneRef(axis, index).box_of(_in_plane(mask, axis)), flat), in_plane)


def plane_diameters(mask: BoxedMask, geometry: Geometry, axis: int = 0) -> PlaneDiameters | None:
    """Measure an object as RECIST does: longest diameter in a plane, and the longest across it.

    Planes that cannot hold a longer line than one already found are not looked at.
    """
    filled = np.flatnonzero(mask.bits.any(axis=tuple(one for one in range(3) if one != axis)))
    bounds = [(_span_mm(mask, geometry, axis, int(at)), int(at)) for at in filled]
    best: tuple[int, Diameter] | None = None
    for bound_mm, at in sorted(bounds, key=lambda one: (-one[0], one[1])):
        if best is not None and bound_mm < best[1].mm:
            break
        index = at + mask.box.start[axis]
        points_idx = _plane_outline(mask, axis, index)
        if points_idx is None or (best is not None and _width_mm(points_idx, geometry, axis) < best[1].mm):
            continue
        found = _farthest(points_idx, geometry)
        if best is None or (-found.mm, index) < (-best[1].mm, best[0]):
            best = index, found
    if best is None:
        return None
    return PlaneDiameters(axis, best[0], best[1], across(mask, geometry, axis, best[0], best[1]))


def across(mask: BoxedMask, geometry: Geometry, axis: int, index: int, longest: Diameter) -> Diameter:
    """Return the longest line inside an object at right angles to another one, in its plane.

    It is looked for in steps of a quarter of the smaller pixel side, which is how exact it is.
    """
    first, last = (np.asarray(end) for end in longest.ends_lps_mm)
    along = (last - first) / np.linalg.norm(last - first)
    sides = np.delete(geometry.affine[:3, :3], axis, axis=1)
    normal = np.cross(sides[:, 0], sides[:, 1])
    aside = np.cross(normal / np.linalg.norm(normal), along)
    step_mm = float(np.linalg.norm(sides, axis=0).min()) / _SAMPLES_A_VOXEL
    points_idx = _plane_outline(mask, axis, index)
    reach = (geometry.index_to_mm(points_idx) - first) @ aside / step_mm if points_idx is not None else [0.0]
    lowest, highest = int(np.floor(np.min(reach))) - 1, int(np.ceil(np.max(reach))) + 1
    n_along = int(np.ceil(longest.mm / step_mm))
    at_mm = (
        first
        + (np.arange(n_along) + 0.5)[:, None, None] * step_mm * along
        + (np.arange(lowest, highest) + 0.5)[None, :, None] * step_mm * aside
    )
    places = np.rint(geometry.mm_to_index(at_mm)).astype(np.int64) - np.asarray(mask.box.start)
    places[..., axis] = index - mask.box.start[axis]
    is_there = np.all((places >= 0) & (places < mask.box.shape), axis=-1)
    inside = np.zeros(is_there.shape, dtype=np.bool_)
    inside[is_there] = mask.bits[tuple(places[is_there].T)]
    line, start, n = _longest_run(inside)
    ends_mm = np.stack([at_mm[line, start] - 0.5 * step_mm * aside] * 2)
    ends_mm[1] += n * step_mm * aside
    return _diameter(ends_mm, geometry)


def _longest_run(inside: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Return the line, the start and the length of the longest run of True along axis 1."""
    padded = np.pad(inside, ((0, 0), (1, 1))).astype(np.int8).ravel()
    steps = np.diff(padded)
    starts, stops = np.flatnonzero(steps == 1) + 1, np.flatnonzero(steps == -1) + 1
    if not len(starts):
        return 0, inside.shape[1] // 2, 0
    longest = int(np.argmax(stops - starts))
    line, start = divmod(int(starts[longest]), inside.shape[1] + 2)
    return line, start - 1, int(stops[longest] - starts[longest])


def _span_mm(mask: BoxedMask, geometry: Geometry, axis: int, at: int) -> float:
    """Return a length that no line in one plane of a mask exceeds: its box, corner to corner."""
    flat = np.take(mask.bits, at, axis=axis)
    lengths = []
    for other in (0, 1):
        filled = np.flatnonzero(flat.any(axis=1 - other))
        lengths.append(float(filled[-1] - filled[0] + 1))
    sides = np.delete(geometry.affine[:3, :3], axis, axis=1) * lengths
    return float(max(np.linalg.norm(sides[:, 0] + sides[:, 1]), np.linalg.norm(sides[:, 0] - sides[:, 1])))


def _width_mm(points_idx: _Points, geometry: Geometry, axis: int) -> float:
    """Return a length that no line between points of a plane exceeds: their widths in some directions.

    A line's own direction is at most half a step from one of these, so it is not much longer than seen there.
    """
    first, second = np.delete(geometry.directions, axis, axis=1).T
    second = second - (second @ first) * first
    angles = np.pi * np.arange(_N_WIDTHS) / _N_WIDTHS
    towards = np.outer(np.cos(angles), first) + np.outer(np.sin(angles), second / np.linalg.norm(second))
    seen = points_idx @ (towards @ geometry.affine[:3, :3]).T
    return float(np.ptp(seen, axis=0).max() / np.cos(np.pi / (2 * _N_WIDTHS))) * (1.0 + 1e-9)


def _outline(mask: BoxedMask, axes: tuple[int, ...]) -> _Points:
    """Return places of the outline, (N, 3) voxel indices, among which are all corners of its convex hull."""
    bits = mask.bits
    is_end = bits.copy()
    for axis in axes:  # a corner is the first or the last of its line along every axis
        n = bits.shape[axis]
        first = np.expand_dims(bits.argmax(axis=axis), axis)
        last = n - 1 - np.expand_dims(np.flip(bits, axis).argmax(axis=axis), axis)
        at = np.arange(n).reshape([-1 if one == axis else 1 for one in range(3)])
        is_end &= (at == first) | (at == last)
    centres = np.argwhere(is_end).astype(np.float64) + mask.box.start
    halves = 0.5 * np.eye(3)[list(axes)]
    return np.concatenate([centres + sign * half for half in halves for sign in (-1.0, 1.0)])


def _farthest(points_idx: _Points, geometry: Geometry) -> Diameter:
    """Return the line between the two points that lie farthest apart in mm; the first two of equals."""
    spread = np.flatnonzero(np.ptp(points_idx, axis=0) > 0)
    corners = points_idx[np.sort(ConvexHull(points_idx[:, spread]).vertices)]
    corners_mm = geometry.index_to_mm(corners)
    best, pair = -1.0, (0, 0)
    for start in range(0, len(corners), _ROWS_AT_ONCE):
        apart_mm = cdist(corners_mm[start : start + _ROWS_AT_ONCE], corners_mm[start:])
        row, column = np.unravel_index(int(np.argmax(apart_mm)), apart_mm.shape)
        if apart_mm[row, column] > best:
            best, pair = float(apart_mm[row, column]), (start + int(row), start + int(column))
    return _diameter(corners_mm[list(pair)], geometry)


def _diameter(ends_mm: _Points, geometry: Geometry) -> Diameter:
    ends_idx = geometry.mm_to_index(ends_mm)
    idx, mm = ((tuple(map(float, ends[0])), tuple(map(float, ends[1]))) for ends in (ends_idx, ends_mm))
    return Diameter(float(np.linalg.norm(ends_mm[1] - ends_mm[0])), idx, mm)


def _in_plane(mask: BoxedMask, axis: int) -> tuple[int, int, int, int]:
    """Return a mask's box as rows and columns of a plane across an axis."""
    return PlaneRef(axis, mask.box.start[axis]).box_hw(mask.box)
