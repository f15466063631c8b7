"""Where to look closer: square windows of a plane, of a fixed set, so that prompts nearby share one."""

from __future__ import annotations

import math

from napari_sam.engine.hint_frames import Region

__all__ = ["click_windows", "hint_side", "is_cut", "zoom_window"]

CONTEXT = 4.0
"""Side of the window over the longer side of the object, at least."""

MIN_SIDE_PX = 48
"""Side of the smallest window, in voxels of the plane."""

WORTH_IT = 0.8
"""A window of more than this share of the plane's longer side is not worth a second embedding."""

LARGE = 1.5
"""A plane is large for a model whose input is this many times smaller: what is small in it is lost."""

STEP = 4
"""Side of a plane, or of a window, over that of the next smaller window around a click."""

HINT_SIDE = 192
"""Side of the hints of a closer look, which are kept in the frame of the whole plane, unless it is large."""

MOST_HINT_SIDES = 4
"""How many times longer the hints' side is at most, in large planes."""


def zoom_window(extent: Region, plane_hw: tuple[int, int]) -> Region:
    """Choose the window in which to ask for an object.

    Sides are the plane's longer side over powers of the square root of 2, and places are multiples of a
    quarter of the side, so that there are few windows, and the object lies within an eighth of a side from
    the middle.

    Parameters
    ----------
    extent : tuple of int
        Half-open ``(row0, col0, row1, col1)`` of the object, in voxels of the plane.
    plane_hw : tuple of int
        Height and width of the plane.

    Returns
    -------
    tuple of int
        Half-open ``(row0, col0, row1, col1)``; the whole plane where a closer look is not worth it.
    """
    longest = max(plane_hw)
    wanted = max(CONTEXT * max(extent[2] - extent[0], extent[3] - extent[1]), MIN_SIDE_PX)
    if wanted > WORTH_IT * longest:
        return 0, 0, *plane_hw
    n_steps = math.floor(2 * math.log2(longest / wanted) + 1e-6)
    side = max(math.ceil(longest / 2 ** (n_steps / 2)), MIN_SIDE_PX)
    if side > WORTH_IT * longest:
        return 0, 0, *plane_hw
    return _window((extent[0] + extent[2]) / 2, (extent[1] + extent[3]) / 2, side, plane_hw)


def click_windows(clicked: Region, plane_hw: tuple[int, int], model_side: int) -> list[Region]:
    """Choose the windows in which to ask for what was clicked on, where nothing says how large it is.

    A quarter of the plane's longer side where the plane is large for the model, a quarter of that where
    this window still is, and so on: one of them shows any object at a size that the model sees well.

    Parameters
    ----------
    clicked : tuple of int
        Half-open ``(row0, col0, row1, col1)`` of the pixels that were clicked on: windows less than twice as
        wide are left out.
    plane_hw : tuple of int
        Height and width of the plane.
    model_side : int
        Side of the model's input in pixels.

    Returns
    -------
    list of tuple of int
        Half-open ``(row0, col0, row1, col1)``, the largest first; none for a plane that is not large.
    """
    top, left, bottom, right = clicked
    windows, side = [], max(plane_hw)
    while side > LARGE * model_side:
        side = math.ceil(side / STEP)
        if 2 * max(bottom - top, right - left) > side:
            break
        windows.append(_window((top + bottom) / 2, (left + right) / 2, side, plane_hw))
    return windows


def hint_side(plane_hw: tuple[int, int], model_side: int) -> int:
    """Choose the side of the hints of a closer look: in a large plane a small object still fills some cells.

    Parameters
    ----------
    plane_hw : tuple of int
        Height and width of the plane.
    model_side : int
        Side of the model's input in pixels.
    """
    return HINT_SIDE * min(math.ceil(max(plane_hw) / (LARGE * model_side)), MOST_HINT_SIDES)


def is_cut(extent: Region, window: Region, plane_hw: tuple[int, int]) -> bool:
    """Say whether what was found in a window reaches an edge of it that is no edge of the plane."""
    at_start = any(extent[i] <= window[i] and window[i] > 0 for i in (0, 1))
    at_end = any(extent[i + 2] >= window[i + 2] and window[i + 2] < plane_hw[i] for i in (0, 1))
    return at_start or at_end


def _window(row: float, col: float, side: int, plane_hw: tuple[int, int]) -> Region:
    starts = [_start(middle, side, size) for middle, size in zip((row, col), plane_hw, strict=True)]
    ends = [min(start + side, size) for start, size in zip(starts, plane_hw, strict=True)]
    return starts[0], starts[1], ends[0], ends[1]


def _start(middle: float, side: int, size: int) -> int:
    """Place a window along one axis so that it lies in the plane."""
    step = max(1, side // 4)
    return max(0, min(round((middle - side / 2) / step) * step, size - side))
