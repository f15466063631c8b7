"""Round shapes drawn on a grid by formulas: what the samples that ship with the package are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Blob", "Grid", "Shape", "Triple", "Tube", "coverage", "distance_mm"]

Triple = tuple[float, float, float]
Floats = NDArray[np.float64]
_MARGIN_VOXELS = 6


@dataclass(frozen=True)
class Blob:
    """An ellipsoid: centre and half axes in mm as (z, y, x) from the grid's centre, turned about z."""

    centre_mm: Triple
    half_axes_mm: Triple
    turn_deg: float = 0.0


@dataclass(frozen=True)
class Tube:
    """A round tube through points (z, y, x) in mm from the grid's centre."""

    points_mm: tuple[Triple, ...]
    radius_mm: float


Shape = Blob | Tube


@dataclass(frozen=True)
class Grid:
    """Voxels of (planes, rows, columns), and their size in mm in the same order."""

    shape: tuple[int, int, int]
    spacing_mm: Triple

    @property
    def axes_mm(self) -> tuple[Floats, ...]:
        """Coordinates z, y, x of the voxel centres, from the grid's centre, one array an axis."""
        sizes = zip(self.shape, self.spacing_mm, strict=True)
        return tuple(np.asarray((np.arange(n) - (n - 1) / 2) * step, np.float64) for n, step in sizes)

    def voxel_centres_mm(self, region: tuple[slice, ...] | None = None) -> tuple[Floats, ...]:
        """Coordinates z, y, x of the voxel centres of a region, ready to broadcast; of all when None."""
        spans = region or (slice(None),) * 3
        axes = [axis[span] for axis, span in zip(self.axes_mm, spans, strict=True)]
        z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
        return z, y, x


def coverage(parts: Sequence[Shape], grid: Grid) -> Floats:
    """Share of each voxel (0..1) that the union of the parts fills: the partial volume of a scanner.

    Returns
    -------
    NDArray[float64], shape (P, R, C)
    """
    share = np.zeros(grid.shape)
    region = _region(parts, grid)
    if any(span.start >= span.stop for span in region):
        return share
    at_mm = grid.voxel_centres_mm(region)
    distances_mm = distance_mm(parts[0], at_mm)
    for part in parts[1:]:
        np.minimum(distances_mm, distance_mm(part, at_mm), out=distances_mm)
    steps = np.gradient(distances_mm, *grid.spacing_mm)
    length = np.sqrt(sum(step**2 for step in steps)) + 1e-9
    # How far a voxel reaches along the surface's normal.
    reach_mm = sum(abs(step) * size for step, size in zip(steps, grid.spacing_mm, strict=True)) / length
    share[region] = np.clip(0.5 - distances_mm / (reach_mm + 1e-9), 0.0, 1.0)
    return share


def distance_mm(part: Shape, at_mm: tuple[Floats, ...]) -> Floats:
    """Signed distance to a shape, below 0 inside; to an ellipsoid good to first order near its surface."""
    return _blob_distance_mm(part, at_mm) if isinstance(part, Blob) else _tube_distance_mm(part, at_mm)


def _region(parts: Sequence[Shape], grid: Grid) -> tuple[slice, ...]:
    """Return the part of the grid outside which no voxel is covered."""
    ends = [_ends_mm(part) for part in parts]
    spans = []
    for axis, (n, step) in enumerate(zip(grid.shape, grid.spacing_mm, strict=True)):
        low_idx = min(low[axis] for low, _ in ends) / step + (n - 1) / 2 - _MARGIN_VOXELS
        high_idx = max(high[axis] for _, high in ends) / step + (n - 1) / 2 + _MARGIN_VOXELS
        spans.append(slice(int(np.clip(low_idx, 0, n)), int(np.clip(np.ceil(high_idx) + 1, 0, n))))
    return tuple(spans)


def _ends_mm(part: Shape) -> tuple[Floats, Floats]:
    """Return corners (z, y, x) of a box around a shape."""
    if isinstance(part, Blob):
        half_z, half_y, half_x = part.half_axes_mm
        wide = max(half_y, half_x) if part.turn_deg else 0.0
        half = np.array([half_z, max(half_y, wide), max(half_x, wide)])
        return part.centre_mm - half, part.centre_mm + half
    points = np.array(part.points_mm)
    return points.min(axis=0) - part.radius_mm, points.max(axis=0) + part.radius_mm


def _blob_distance_mm(blob: Blob, at_mm: tuple[Floats, ...]) -> Floats:
    z, y, x = (axis - centre for axis, centre in zip(at_mm, blob.centre_mm, strict=True))
    turn = np.deg2rad(blob.turn_deg)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    half_z, half_y, half_x = blob.half_axes_mm
    level = np.sqrt((z / half_z) ** 2 + (across / half_y) ** 2 + (along / half_x) ** 2)
    slope = np.sqrt((z / half_z**2) ** 2 + (across / half_y**2) ** 2 + (along / half_x**2) ** 2) + 1e-9
    return np.asarray(level * (level - 1.0) / slope)


def _tube_distance_mm(tube: Tube, at_mm: tuple[Floats, ...]) -> Floats:
    """Signed distance to a chain of capsules."""
    nearest_mm: Floats = np.full(np.broadcast_shapes(*(axis.shape for axis in at_mm)), np.inf)
    for start, stop in zip(tube.points_mm, tube.points_mm[1:], strict=False):
        way = np.subtract(stop, start)
        offset = [axis - begin for axis, begin in zip(at_mm, start, strict=True)]
        share = sum(o * w for o, w in zip(offset, way, strict=True)) / float(way @ way)
        share = np.clip(share, 0.0, 1.0)
        gap = sum((o - share * w) ** 2 for o, w in zip(offset, way, strict=True))
        np.minimum(nearest_mm, np.sqrt(gap), out=nearest_mm)
    return nearest_mm - tube.radius_mm
