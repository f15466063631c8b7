"""The surface area of voxels, after Cauchy and Crofton: how often straight lines cross the surface.

The mean over all directions of how often lines cross a surface, times the area each line stands for, is half
of the surface's area. Lines run through the centres of voxels, in the directions from a voxel to its
neighbours. Each direction's weight is fitted to the grid (least squares, none negative), so that planes of
all orientations get their area as nearly as so few directions allow, and their mean exactly: a smooth, round
surface gets its area whatever the spacing. Counting the faces of voxels would be up to a half too much,
meshing them a tenth.
"""

from __future__ import annotations

import itertools
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from volumes import Geometry

__all__ = ["surface_area_mm2"]

_N_NORMALS = 600
_FARTHEST = 3

_Direction = tuple[tuple[int, ...], float]


def surface_area_mm2(bits: NDArray[np.bool_], geometry: Geometry) -> float:
    """Return the area of an object's surface in mm².

    Parameters
    ----------
    bits : NDArray[bool], shape (P, R, C)
        The object in a box that holds all of it; what lies beyond the box is outside.
    geometry : Geometry
        Of the volume; only the axes count.

    Returns
    -------
    float
        Balls with a radius of five times the largest spacing or more: within 2 %; of three: within 4 %. Flat
        faces along the grid are up to a tenth too little.
    """
    axes_mm = geometry.affine[:3, :3]
    padded = np.pad(bits, _FARTHEST)
    area_mm2 = 0.0
    for offset, per_crossing_mm2 in _directions(tuple(map(float, axes_mm.ravel()))):
        first = tuple(slice(max(0, step), step if step < 0 else None) for step in offset)
        other = tuple(slice(max(0, -step), -step if step > 0 else None) for step in offset)
        area_mm2 += per_crossing_mm2 * np.count_nonzero(padded[first] ^ padded[other])
    return float(area_mm2)


@lru_cache(maxsize=16)
def _directions(axes: tuple[float, ...]) -> tuple[_Direction, ...]:
    """Return the steps between voxels that count, and what a crossing on each stands for, in mm²."""
    axes_mm = np.asarray(axes).reshape(3, 3)
    spacing_mm = np.linalg.norm(axes_mm, axis=0)
    reach = np.clip(np.rint(spacing_mm.max() / spacing_mm), 1, _FARTHEST).astype(int)
    steps = itertools.product(*(range(-n, n + 1) for n in reach.tolist()))
    offsets = [one for one in steps if one > (0, 0, 0) and np.gcd.reduce(one) == 1]
    vectors_mm = np.asarray(offsets) @ axes_mm.T
    lengths_mm = np.linalg.norm(vectors_mm, axis=1)
    seen = 2.0 * np.abs(_normals() @ (vectors_mm / lengths_mm[:, None]).T)
    weights, _ = nnls(seen, np.ones(len(seen)))
    weights = weights / (seen @ weights).mean()
    cell_mm3 = abs(float(np.linalg.det(axes_mm)))
    per_crossing_mm2 = 2.0 * weights * cell_mm3 / lengths_mm
    return tuple(
        (offset, float(mm2)) for offset, mm2 in zip(offsets, per_crossing_mm2, strict=True) if mm2 > 0
    )


def _normals() -> NDArray[np.float64]:
    """Return directions spread evenly over the sphere, along a spiral: (N, 3), unit length."""
    at = np.arange(_N_NORMALS) + 0.5
    down = 1.0 - 2.0 * at / _N_NORMALS
    around = np.pi * (1.0 + np.sqrt(5.0)) * at
    flat = np.sqrt(1.0 - down**2)
    return np.stack([flat * np.cos(around), flat * np.sin(around), down], axis=1)
