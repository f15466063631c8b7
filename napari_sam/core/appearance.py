"""What an object looks like beside its surroundings, learnt from the planes in which a person showed it.

A few local measures of grey and colour are taken at each pixel in and around the object, and a quadratic
logistic regression (fitted by Newton's method, with nothing random in it) tells the two apart. Its answer are
log odds: above 0 where a pixel looks like the object. Large objects are looked at on a coarse grid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.window import Window
from volumes import Volume

__all__ = ["Appearance", "Grid", "stride_for"]

Floats = NDArray[np.floating]

MAX_SIDE = 96
"""Cells along the longer side of what the fit looks at, at most."""

AROUND = 0.3
"""How far the surroundings reach beyond the object's box, as a part of its longer side."""

MIN_AROUND_PX = 4

HALO = 8
"""Cells beyond a grid that its local measures look at, so that they do not depend on where it was cut."""

MAX_SAMPLES = 4000
"""Cells of a plane that the fit sees."""

CLASS_WEIGHT = 500.0
"""What the cells inside, and those outside, count together, however many there are; `RIDGE` is against it."""

RIDGE = 3.0
N_STEPS = 8
MIN_ACCURACY = 0.75
"""An appearance that tells a smaller part of its own cells right is none: noise alone gives about 0.65."""


@dataclass(frozen=True)
class Grid:
    """A part of a plane, looked at once in `stride` pixels.

    Parameters
    ----------
    row0, col0, row1, col1 : int
        Half-open part of the plane in pixels.
    stride : int
        Pixels from cell to cell; a cell is looked at in its middle.
    """

    row0: int
    col0: int
    row1: int
    col1: int
    stride: int = 1

    @classmethod
    def around(
        cls, box_hw: tuple[int, int, int, int], part: float, plane_hw: tuple[int, int], stride: int = 1
    ) -> Grid:
        """Take a box with a margin: a part of its longer side, as far as the plane goes."""
        row0, col0, row1, col1 = box_hw
        pad_px = max(MIN_AROUND_PX, math.ceil(part * max(row1 - row0, col1 - col0)))
        return cls(
            max(0, row0 - pad_px), max(0, col0 - pad_px),
            min(plane_hw[0], row1 + pad_px), min(plane_hw[1], col1 + pad_px), stride,
        )  # fmt: skip

    @property
    def pixels(self) -> tuple[slice, slice]:
        """The part of the plane."""
        return slice(self.row0, self.row1), slice(self.col0, self.col1)

    @property
    def part_hw(self) -> tuple[int, int, int, int]:
        """The same as half-open (row0, col0, row1, col1)."""
        return self.row0, self.col0, self.row1, self.col1

    @property
    def cells_in_part(self) -> tuple[slice, slice]:
        """The pixels of the part that are looked at."""
        rows, cols = self.cells
        return (
            slice(rows.start - self.row0, rows.stop - self.row0, rows.step),
            slice(cols.start - self.col0, cols.stop - self.col0, cols.step),
        )

    @property
    def cells(self) -> tuple[slice, slice]:
        """The pixels of the plane that are looked at."""
        rows, cols = self.pixels
        return _every(rows, self.stride), _every(cols, self.stride)

    def to_pixels(self, cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return cells ``(h, w)`` as pixels of the part, False where no cell covers its far edges."""
        height, width = self.row1 - self.row0, self.col1 - self.col0
        blocks = cells.repeat(self.stride, axis=0).repeat(self.stride, axis=1)[:height, :width]
        return np.pad(blocks, ((0, height - blocks.shape[0]), (0, width - blocks.shape[1])))


@dataclass(frozen=True, eq=False)
class Appearance:
    """What tells an object from its surroundings.

    Parameters
    ----------
    stride : int
        Pixels from cell to cell, where it was learnt and where it is asked.
    centre, scale : NDArray[float32], shape (n_measures,)
        Mean and spread of each local measure.
    offset : float
        With the next two: log odds are ``offset + x @ linear + x @ quadratic @ x`` of scaled measures ``x``.
    linear : NDArray[float32], shape (n_measures,)
    quadratic : NDArray[float32], shape (n_measures, n_measures)
    """

    stride: int
    centre: Floats
    scale: Floats
    offset: float
    linear: Floats
    quadratic: Floats

    @classmethod
    def of(cls, volume: Volume, window: Window, masks: Mapping[PlaneRef, BoxedMask]) -> Appearance | None:
        """Learn from the object's masks in some planes; at least one, none of them empty.

        Returns
        -------
        Appearance or None
            None where the object fills all around it, or looks like what is around it.
        """
        stride = stride_for(volume, masks)
        values, inside = _samples(volume, window, masks, stride)
        if inside.all() or not inside.any():
            return None
        centre, scale = values.mean(axis=0), values.std(axis=0) + 1.0  # a grey level keeps noise small
        terms = _terms((values - centre) / scale)
        weights = _fit(terms, inside)
        told = terms @ weights > 0
        if (np.mean(told[inside]) + np.mean(~told[~inside])) / 2 < MIN_ACCURACY:
            return None
        n = len(centre)
        quadratic = np.zeros((n, n), np.float32)
        quadratic[np.triu_indices(n)] = weights[1 + n :]
        linear = weights[1 : 1 + n].astype(np.float32)
        return cls(stride, centre, scale, float(weights[0]), linear, quadratic)

    def log_odds(self, volume: Volume, window: Window, plane: PlaneRef, grid: Grid) -> NDArray[np.float32]:
        """Say how much each cell of a grid looks like the object.

        Parameters
        ----------
        volume, window : Volume, Window
            Those that it was learnt from.
        plane : PlaneRef
            Any plane of the axis.
        grid : Grid
            With this appearance's stride.

        Returns
        -------
        NDArray[float32], shape (h, w)
            Natural logarithm of the odds, for as many cells inside as outside.
        """
        measures = _measures(volume, window, plane, grid)
        x = (measures.reshape(-1, measures.shape[2]) - self.centre) / self.scale
        odds = self.offset + x @ self.linear + np.einsum("ij,ij->i", x @ self.quadratic, x)
        return np.asarray(odds.reshape(measures.shape[:2]), np.float32)


def stride_for(volume: Volume, masks: Mapping[PlaneRef, BoxedMask]) -> int:
    """Say in every how many-th pixel an object is looked at that has these masks, at least one."""
    shape = volume.shape
    whole = [Grid.around(p.box_hw(m.box), AROUND, p.shape_hw(shape)) for p, m in masks.items()]
    side_px = max(max(grid.row1 - grid.row0, grid.col1 - grid.col0) for grid in whole)
    return math.ceil(side_px / MAX_SIDE)


def _every(pixels: slice, stride: int) -> slice:
    return slice(pixels.start + min(stride // 2, pixels.stop - pixels.start - 1), pixels.stop, stride)


def _samples(
    volume: Volume, window: Window, masks: Mapping[PlaneRef, BoxedMask], stride: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """Take measures ``(n, n_measures)`` in and around the masks, and which are inside."""
    values, inside = [], []
    for plane, mask in masks.items():
        grid = Grid.around(plane.box_hw(mask.box), AROUND, plane.shape_hw(volume.shape), stride)
        measures = _measures(volume, window, plane, grid)
        of_object = mask.to_plane(plane, volume.shape)[grid.cells]
        some = slice(None, None, max(1, of_object.size // MAX_SAMPLES))
        values.append(measures.reshape(-1, measures.shape[2])[some])
        inside.append(of_object.ravel()[some])
    return np.concatenate(values), np.concatenate(inside)


def _measures(volume: Volume, window: Window, plane: PlaneRef, grid: Grid) -> NDArray[np.float32]:
    """Measure the grid's cells: ``(h, w, n_measures)``.

    Means over 3 and 7 cells of each channel; of the mean of the channels the mean over 11, the spread over 5
    and 11, and the steepness.
    """
    step, (height, width) = grid.stride, plane.shape_hw(volume.shape)
    rows, cols = grid.cells
    up, left = min(HALO, rows.start // step), min(HALO, cols.start // step)
    down, right = (min(end + HALO * step, size) for end, size in ((grid.row1, height), (grid.col1, width)))
    part = plane.take(volume.data)[
        rows.start - up * step : down : step, cols.start - left * step : right : step
    ]
    picture = window.to_uint8(np.asarray(part)).astype(np.float32)
    channels = [picture] if picture.ndim == 2 else [picture[..., k] for k in range(picture.shape[2])]
    grey = channels[0] if len(channels) == 1 else picture.mean(axis=2)
    mean = ndimage.uniform_filter
    found = [mean(channel, size) for channel in channels for size in (3, 7)]
    smooth = found[0] if len(channels) == 1 else mean(grey, 3)
    squared, wide = grey * grey, mean(grey, 11)
    found += [np.sqrt(np.maximum(mean(squared, 5) - mean(grey, 5) ** 2, 0.0))]
    found += [wide, np.sqrt(np.maximum(mean(squared, 11) - wide**2, 0.0))]
    found += [np.hypot(_slope(smooth, 0), _slope(smooth, 1))]
    n_rows, n_cols = (len(range(cells.start, cells.stop, step)) for cells in (rows, cols))
    return np.stack([one[up : up + n_rows, left : left + n_cols] for one in found], axis=-1)


def _slope(picture: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    return np.asarray(ndimage.correlate1d(picture, [-0.5, 0.0, 0.5], axis=axis, mode="nearest"), np.float32)


def _terms(x: Floats) -> NDArray[np.float64]:
    """Return 1, each scaled measure, and all products of two, ``(n, n_terms)``."""
    first, second = np.triu_indices(x.shape[1])
    return np.column_stack([np.ones(len(x)), x, x[:, first] * x[:, second]]).astype(np.float64)


def _fit(terms: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Fit a logistic regression with a ridge on all but the constant term by Newton's method."""
    count = np.where(inside, CLASS_WEIGHT / inside.sum(), CLASS_WEIGHT / (~inside).sum())
    ridge = np.full(terms.shape[1], RIDGE)
    ridge[0] = 1e-6
    weights = np.zeros(terms.shape[1])
    for _ in range(N_STEPS):
        chance = 1.0 / (1.0 + np.exp(-np.clip(terms @ weights, -20.0, 20.0)))
        downhill = terms.T @ (count * (chance - inside)) + ridge * weights
        curvature = (terms.T * (count * chance * (1.0 - chance))) @ terms + np.diag(ridge)
        weights -= np.linalg.solve(curvature, downhill)
    return weights
