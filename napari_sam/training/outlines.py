"""How much of an object's outline can be seen in a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["View", "outline_share", "view_of"]

_GROW = 3
"""Pixels around an object that are looked at, too."""

_FEWEST = 3
"""An outline runs where more pixels than this, of 25 around, lie within and without."""

_GRAIN = 2
"""Pixels over which noise is not alike any more."""

_OUTLINE_SAMPLES = 256
_NOISE_SAMPLES = 2048
"""Pixels that are enough to judge an outline, and the noise."""


@dataclass(frozen=True)
class View:
    """A picture made ready for being asked about many objects.

    Attributes
    ----------
    grey : ndarray
        ``(C, H, W)`` float32, 0 where there is no picture.
    valid : ndarray or None
        ``(H, W)`` bool, where there is a picture; None for everywhere.
    """

    grey: NDArray[np.float32]
    valid: NDArray[np.bool_] | None


def view_of(image: NDArray[np.float32]) -> View:
    """Make ``(C, H, W)``, NaN where there is no picture, ready."""
    missing = np.isnan(image[0])
    if not missing.any():
        return View(np.ascontiguousarray(image), None)
    return View(np.where(missing, np.float32(0), image), ~missing)


def outline_share(view: View, window: tuple[slice, slice], mask: NDArray[np.bool_], step: float) -> float:
    """Measure how much of an outline can be seen.

    Greys just inside and just outside are compared along the outline, each averaged over a few
    pixels; a difference counts that is above `step` and above the pixels' noise. Of a long outline
    some pixels are looked at.

    Parameters
    ----------
    view : View
        The picture.
    window : tuple of slice
        Rows and columns of the object.
    mask : ndarray
        ``(h, w)`` bool, the object in its window.
    step : float
        Least difference that is seen where there is no noise.

    Returns
    -------
    float
        Part of the outline, 0 to 1.
    """
    rows, columns, inside = _grown(view, window, mask)
    skip = 2 if inside.size > 96 * 96 else 1
    here = slice(rows.start, rows.stop, skip), slice(columns.start, columns.stop, skip)
    inside = inside[::skip, ::skip]
    outside = ~inside if view.valid is None else ~inside & view.valid[here]
    sides = np.zeros((2, inside.shape[0] + 4, inside.shape[1] + 4), dtype=np.uint8)
    sides[0, 2:-2, 2:-2], sides[1, 2:-2, 2:-2] = inside, outside
    n_sides = _sum5(sides)
    edge = (n_sides[0] > _FEWEST) & (n_sides[1] > _FEWEST) & (inside | outside)
    outline = np.flatnonzero(edge)
    if not len(outline):
        return 0.0
    if len(outline) > _OUTLINE_SAMPLES:
        outline = outline[np.arange(_OUTLINE_SAMPLES) * len(outline) // _OUTLINE_SAMPLES]
    row, column = np.divmod(outline, inside.shape[1])
    around = _squares(row * sides.shape[2] + column, sides.shape[2], 1)
    weights = sides.reshape(2, -1)[:, around] / n_sides.reshape(2, 1, -1)[:, :, outline].astype(np.float32)
    width = view.grey.shape[2]
    corner = (rows.start + (row - 2) * skip) * width + (columns.start + (column - 2) * skip)
    places = _squares(corner, width, skip)
    seen = np.zeros(len(outline), dtype=bool)
    for channel in view.grey:
        noise = 1.05 * _median_step(channel[here])
        means = (weights * channel.take(places, mode="clip")).sum(
            axis=1
        )  # what is beside the window weighs 0
        seen |= np.abs(means[0] - means[1]) > max(step, 0.8 * noise)
    return int(np.count_nonzero(seen)) / len(outline)


def _grown(
    view: View, window: tuple[slice, slice], mask: NDArray[np.bool_]
) -> tuple[slice, slice, NDArray[np.bool_]]:
    """Give the window a few pixels larger, and the mask in it."""
    rows, columns = (
        slice(max(w.start - _GROW, 0), min(w.stop + _GROW, size))
        for w, size in zip(window, view.grey.shape[1:], strict=True)
    )
    grown = np.zeros((rows.stop - rows.start, columns.stop - columns.start), dtype=bool)
    top, left = window[0].start - rows.start, window[1].start - columns.start
    grown[top : top + mask.shape[0], left : left + mask.shape[1]] = mask
    return rows, columns, grown


def _sum5(fields: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Add up 5 by 5 values around each but the outer two, ``(n, h + 4, w + 4)`` to ``(n, h, w)``."""
    height, width = fields.shape[1] - 4, fields.shape[2] - 4
    down = fields[:, :height].copy()
    for row in range(1, 5):
        down += fields[:, row : row + height]
    found = down[:, :, :width].copy()
    for column in range(1, 5):
        found += down[:, :, column : column + width]
    return found


def _squares(corners: NDArray[np.intp], width: int, skip: int) -> NDArray[np.intp]:
    """Give where 5 by 5 values below and right of corners lie in a plane, all flat; ``(25, n)``."""
    offsets = skip * (np.arange(5)[:, None] * width + np.arange(5))
    return np.asarray(corners + offsets.reshape(-1, 1))


def _median_step(channel: NDArray[np.float32]) -> float:
    """Give the middle of all differences a few pixels apart in a row; of some rows where there are many.

    Noise has a grain: neighbours are nearly alike in it, as in what was enlarged.
    """
    rows = channel[:: 1 + channel.size // _NOISE_SAMPLES]
    steps = np.abs(rows[:, _GRAIN:] - rows[:, :-_GRAIN]).ravel()
    if not len(steps):
        return 0.0
    return float(np.partition(steps, len(steps) // 2)[len(steps) // 2])
