"""Masks as depths below their outlines, looked at on a coarse grid: shapes that can be moved and added up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.depths import signed_depths
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef

__all__ = ["Outline", "Region", "around", "cells", "enlarged"]

Floats = NDArray[np.floating]

Region = tuple[int, int, int, int]
"""Half-open (row0, col0, row1, col1) in cells."""


@dataclass(frozen=True, eq=False)
class Outline:
    """An anchor's mask as depths below its outline.

    Parameters
    ----------
    depth : NDArray[float32], shape (h, w)
        In cells, below 0 outside.
    corner : NDArray[float64], shape (2,)
        Row and column of ``depth[0, 0]`` in the plane, in cells.
    middle : NDArray[float64], shape (2,)
        Mean row and column of the object, in cells.
    radius : float
        Of the disc of its area, in cells; no depth is greater, either way.
    """

    depth: Floats
    corner: NDArray[np.float64]
    middle: NDArray[np.float64]
    radius: float

    @classmethod
    def of(cls, mask: BoxedMask, plane: PlaneRef, step: int, margin: int) -> Outline:
        """Look at every `step`-th pixel of a mask that is not empty, and at `margin` cells around it."""
        row0, col0, row1, col1 = plane.box_hw(mask.box)
        row, col = row0 // step - margin, col0 // step - margin
        part = row * step, col * step, row1 + margin * step, col1 + margin * step
        inside = cells(mask.to_part(plane, part), step)
        if not inside.any():  # too thin to be met by a cell
            inside[margin, margin] = True
        radius = math.sqrt(np.count_nonzero(inside) / math.pi)
        corner = np.array([row, col], np.float64)
        depths = signed_depths(inside[None], radius)[0]
        return cls(depths, corner, corner + np.mean(np.nonzero(inside), axis=1), radius)

    def region_at(self, middle: NDArray[np.float64]) -> Region:
        """Return the half-open part of the plane, in cells, that it fills with its middle elsewhere."""
        row, col = np.floor(self.corner + middle - self.middle).astype(int).tolist()
        return row, col, row + self.depth.shape[0] + 1, col + self.depth.shape[1] + 1

    def depth_at(self, middle: NDArray[np.float64], region: Region) -> Floats:
        """Return its depths in a part of the plane, with its middle elsewhere."""
        first = np.array(region[:2]) - middle + self.middle - self.corner
        shape = region[2] - region[0], region[3] - region[1]
        moved = ndimage.affine_transform(self.depth, (1.0, 1.0), first, shape, order=1, cval=-self.radius)
        return np.asarray(moved)


def around(regions: Sequence[Region]) -> Region:
    """Return the smallest region that holds some others."""
    lows = [min(region[axis] for region in regions) for axis in (0, 1)]
    highs = [max(region[axis] for region in regions) for axis in (2, 3)]
    return lows[0], lows[1], highs[0], highs[1]


def cells(pixels: NDArray[np.bool_], step: int) -> NDArray[np.bool_]:
    """Return the middle pixel of each block of ``step x step``."""
    return pixels[step // 2 :: step, step // 2 :: step]


def enlarged(depth: Floats, step: int) -> Floats:
    """Return depths of cells as depths of their pixels, linearly between the cells' middles."""
    if step == 1:
        return depth
    for axis in (0, 1):
        n_cells = depth.shape[axis]
        places = np.clip((np.arange(n_cells * step) - step // 2) / step, 0, n_cells - 1)
        below = np.minimum(places.astype(np.intp), max(n_cells - 2, 0))
        share = np.expand_dims((places - below).astype(np.float32), 1 - axis)
        above = np.minimum(below + 1, n_cells - 1)
        depth = np.take(depth, below, axis) * (1 - share) + np.take(depth, above, axis) * share
    return depth
