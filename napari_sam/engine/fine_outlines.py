"""Where to draw outlines anew at a finer scale, and how: square parts of a plane along an outline.

A model that sees a plane of two thousand pixels as 384 draws outlines as coarse as its cells, of five of its
own pixels each. Whether a pixel far from the outline is in the object is not asked again; on either side of
it, as far as a cell reaches, what was found on the parts decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.engine.hint_frames import Region
from napari_sam.engine.zoom_windows import zoom_window

__all__ = ["BLURRED", "BLURRED_FOLLOWED", "outline_parts", "redrawn", "seen_at"]

BLURRED = 1.2
"""An outline is drawn anew where it was seen with so many times fewer pixels than its plane has."""

BLURRED_FOLLOWED = 1.5
"""The same where nobody showed the object in the plane: there are many such planes."""

PARTS = 3
"""Side of the window that an object was asked in, over that of the parts in which its outline is drawn."""

STEP = 0.625
"""Most that the next part lies farther along, in sides."""

PLACES = 8
"""Places of parts are multiples of their side over this, so that prompts on one object share them."""

EDGE = 0.05
"""An outline so near to the edge of a part, in sides, is drawn by the next one."""


def seen_at(mask: BoxedMask, plane: PlaneRef, plane_hw: tuple[int, int]) -> int:
    """Say how much of its plane an object was seen with: the side of its window, in pixels of the plane."""
    top, left, bottom, right = zoom_window(plane.box_hw(mask.box), plane_hw)
    return max(bottom - top, right - left)


def outline_parts(
    mask: BoxedMask, plane: PlaneRef, plane_hw: tuple[int, int], sharp_side: float
) -> list[Region]:
    """Choose the parts in which the outline of an object is drawn anew.

    Parameters
    ----------
    mask : BoxedMask
        What was found.
    plane : PlaneRef
        Where.
    plane_hw : tuple of int
        Height and width of the plane.
    sharp_side : float
        Side of the largest window in which outlines are sharp enough as they are, in pixels of the plane.

    Returns
    -------
    list of tuple of int
        Half-open ``(row0, col0, row1, col1)``, row after row; none where the outline is sharp enough.
    """
    side = seen_at(mask, plane, plane_hw)
    if mask.is_empty or side <= sharp_side:
        return []
    side = math.ceil(side / PARTS)
    top, left, bottom, right = plane.box_hw(mask.box)
    rows, columns = _starts(top, bottom, side, plane_hw[0]), _starts(left, right, side, plane_hw[1])
    height, width = (min(side, size) for size in plane_hw)
    parts = [(row, col, row + height, col + width) for row in rows for col in columns]
    return [part for part in parts if _has_outline(mask.to_part(plane, part), part, plane_hw)]


def _starts(low: int, high: int, side: int, size: int) -> list[int]:
    """Place parts along one axis so that they cover what lies from `low` to `high`, and a bit more."""
    if size <= side:
        return [0]
    margin, step = side // PLACES, max(1, side // PLACES)
    low, high = max(0, low - margin), min(size, high + margin)
    n = 1 + math.ceil(max(0, high - low - side) / (STEP * side))
    first, last = (low, high - side) if n > 1 else ((low + high - side) / 2,) * 2
    wanted = (first + (last - first) * i / max(n - 1, 1) for i in range(n))
    return sorted({_placed(at, step, size - side) for at in wanted})


def _placed(at: float, step: int, last: int) -> int:
    """Bring a start to a multiple of a step, or to the last one that there is."""
    return last if at > last - step / 2 else max(0, round(at / step) * step)


def _has_outline(inside: NDArray[np.bool_], part: Region, plane_hw: tuple[int, int]) -> bool:
    """Say whether a part shows some of an outline that is not left to the next part."""
    edge = round(EDGE * max(inside.shape))
    middle = inside[
        edge if part[0] > 0 else 0 : inside.shape[0] - (edge if part[2] < plane_hw[0] else 0),
        edge if part[1] > 0 else 0 : inside.shape[1] - (edge if part[3] < plane_hw[1] else 0),
    ]
    return bool(middle.any() and not middle.all())


_SURE = 12.0
"""No logit says more than this, so that no part outvotes another by far."""


def redrawn(
    mask: BoxedMask,
    plane: PlaneRef,
    plane_hw: tuple[int, int],
    found: Sequence[tuple[Region, NDArray[np.float32]]],
    reach: int,
) -> BoxedMask:
    """Draw an outline anew where parts of the plane say where it is.

    Parts that overlap count by how far a pixel lies from their edges along rows and columns.

    Parameters
    ----------
    mask : BoxedMask
        What was found.
    plane : PlaneRef
        Where.
    plane_hw : tuple of int
        Height and width of the plane.
    found : sequence of (Region, NDArray[float32])
        Parts, and the logits ``(h, w)`` of their pixels.
    reach : int
        How far from the outline pixels may change, in pixels along rows and columns.
    """
    top, left, bottom, right = plane.box_hw(mask.box)
    height, width = plane_hw
    area = max(0, top - reach), max(0, left - reach), min(height, bottom + reach), min(width, right + reach)
    inside = mask.to_part(plane, area)
    total, weight = np.zeros(inside.shape, np.float32), np.zeros(inside.shape, np.float32)
    for part, logits in found:
        rows, columns = (slice(max(part[i], area[i]), min(part[i + 2], area[i + 2])) for i in (0, 1))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            continue
        of_part = _moved(rows, part[0]), _moved(columns, part[1])
        of_area = _moved(rows, area[0]), _moved(columns, area[1])
        down, across = (
            _from_edges(part[i + 2] - part[i], part[i] > 0, part[i + 2] < plane_hw[i]) for i in (0, 1)
        )
        down, across = down[of_part[0], None], across[None, of_part[1]]
        total[of_area] += logits[of_part].clip(-_SURE, _SURE) * down * across
        weight[of_area] += down * across
    size = 2 * reach + 1
    grown = ndimage.maximum_filter(inside, size, mode="constant")
    core = ndimage.minimum_filter(inside, size, mode="nearest")
    told = grown & ~core & (weight > 0)
    return BoxedMask.of_part(np.where(told, total > 0, inside), plane, area[:2])


def _moved(along: slice, start: int) -> slice:
    return slice(along.start - start, along.stop - start)


def _from_edges(n: int, is_cut_before: bool, is_cut_after: bool) -> NDArray[np.float32]:
    """Give the squares of how far pixels lie from those edges of a part that are inside the plane."""
    at = np.arange(n, dtype=np.float32)
    before = at + 1 if is_cut_before else np.full(n, n, np.float32)
    after = n - at if is_cut_after else np.full(n, n, np.float32)
    nearest: NDArray[np.float32] = np.minimum(before, after)
    return nearest * nearest
