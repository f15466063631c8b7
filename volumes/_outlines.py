"""Outlines of a mask along the edges of its pixels, and masks filled from outlines.

An outline runs along the border between pixels inside and outside, a hundredth of a pixel further in. Every
pixel centre is half a pixel away from it, so that whoever fills it by pixel centres gets the very same pixels
back, and rounding does no harm; and whoever rounds it to whole pixels and fills with the border, as OpenCV
does, gets them too. Pixels that touch at a corner only are two objects. A hole is joined to the outline
around it by a narrow channel (the keyhole that DICOM asks for), which runs along pixel edges too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["fill_outlines", "outline_box", "trace_outlines"]

# Steps in the four directions, clockwise: along the columns, down the rows, back, up; inside is on the right.
_STEPS = np.array([(0, 1), (1, 0), (0, -1), (-1, 0)])

_INWARD_PX = 0.01

_Corner = tuple[int, int]


def trace_outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Outlines of a mask, one for each part of it, with keyholes to its holes.

    Parameters
    ----------
    mask : NDArray[bool], shape (R, C)

    Returns
    -------
    list of NDArray[float64], shape (N, 2)
        (row, column) index coordinates of the corners, closed without repeating the first; pixel centres are
        whole numbers, so all values lie close to halves. Filled by the even-odd rule, or by winding,
        together they give the mask back.
    """
    corners, following = _borders(mask)
    walks = _walks(following)
    outer = [walk for walk in walks if _area(corners, walk) > 0]
    holes = [walk for walk in walks if _area(corners, walk) < 0]
    home = {corners[place]: place for walk in outer for place in walk}
    leftmost = [min(walk, key=lambda place: corners[place][::-1]) for walk in holes]
    for place in sorted(leftmost, key=lambda place: corners[place][::-1]):
        _join(place, corners, following, home)
    return [_turns(np.array([corners[at] for at in _walk(walk[0], following)])) - 0.5 for walk in outer]


def outline_box(outlines: Sequence[NDArray[np.float64]], shape_hw: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of an array of that shape in which the pixels inside all outlines (N, 2) lie."""
    corners = np.concatenate(list(outlines))
    low = np.clip(np.ceil(corners.min(axis=0)), 0, shape_hw).astype(int)
    high = np.clip(np.floor(corners.max(axis=0)) + 1, low, shape_hw).astype(int)
    return slice(int(low[0]), int(high[0])), slice(int(low[1]), int(high[1]))


def fill_outlines(outlines: Sequence[NDArray[np.float64]], shape_hw: tuple[int, int]) -> NDArray[np.bool_]:
    """Fill closed outlines by the even-odd rule: a pixel is inside when its centre is.

    Parameters
    ----------
    outlines : sequence of NDArray[float64], shape (N, 2)
        (row, column) index coordinates; the last corner is joined to the first.
    shape_hw : tuple of int
        Rows and columns of the mask.

    Returns
    -------
    NDArray[bool], shape (R, C)
        Pixels inside an odd number of outlines.
    """
    n_rows, n_columns = shape_hw
    crossings = np.zeros((n_rows, n_columns + 1), dtype=np.int32)
    for outline in outlines:
        if len(outline) < 3:
            continue
        start, stop = outline, np.roll(outline, -1, axis=0)
        low, high = np.minimum(start[:, 0], stop[:, 0]), np.maximum(start[:, 0], stop[:, 0])
        first = np.clip(np.ceil(low), 0, n_rows).astype(np.intp)
        last = np.clip(np.ceil(high), 0, n_rows).astype(np.intp)  # half-open: a corner counts once
        n_crossed = last - first
        edge = np.repeat(np.arange(len(outline)), n_crossed)
        offset = np.arange(edge.size) - np.repeat(np.cumsum(n_crossed) - n_crossed, n_crossed)
        rows = first[edge] + offset
        slope = (stop[edge, 1] - start[edge, 1]) / (stop[edge, 0] - start[edge, 0])
        columns = start[edge, 1] + (rows - start[edge, 0]) * slope
        np.add.at(crossings, (rows, np.clip(np.ceil(columns), 0, n_columns).astype(np.intp)), 1)
    return np.asarray(np.cumsum(crossings, axis=1)[:, :n_columns] % 2 == 1)


def _borders(mask: NDArray[np.bool_]) -> tuple[list[_Corner], list[int]]:
    """Edges of pixels at the borders of a mask: the corner that each leaves, and which edge follows it."""
    padded = np.pad(mask, 1)
    upper_left, upper_right = padded[:-1, :-1], padded[:-1, 1:]
    lower_left, lower_right = padded[1:, :-1], padded[1:, 1:]
    # Whether a border leaves each corner (R + 1, C + 1) in each direction with the inside to its right.
    leaves = np.stack(
        [
            lower_right & ~upper_right,
            lower_left & ~lower_right,
            upper_left & ~lower_left,
            upper_right & ~upper_left,
        ]
    )
    edges = np.argwhere(leaves)
    number = np.full(leaves.shape, -1, dtype=np.intp)
    number[tuple(edges.T)] = np.arange(len(edges))
    direction = edges[:, 0]
    arrived = edges[:, 1:] + _STEPS[direction]
    following = np.full(len(edges), -1, dtype=np.intp)
    for turn in (3, 0, 1):  # the right turn is written last and wins: it stays at the same pixel
        found = number[(direction + turn) % 4, arrived[:, 0], arrived[:, 1]]
        following = np.where(found >= 0, found, following)
    return [(row, column) for row, column in edges[:, 1:].tolist()], following.tolist()


def _walks(following: list[int]) -> list[list[int]]:
    """Follow all borders until they close."""
    seen, walks = [False] * len(following), []
    for first in range(len(following)):
        if not seen[first]:
            walk = _walk(first, following)
            for place in walk:
                seen[place] = True
            walks.append(walk)
    return walks


def _walk(first: int, following: list[int]) -> list[int]:
    """Follow the edges until the walk closes."""
    walk = [first]
    while (place := following[walk[-1]]) != first:
        walk.append(place)
    return walk


def _area(corners: list[_Corner], walk: list[int]) -> float:
    """Signed area: positive around an object, negative around a hole."""
    rows, columns = np.array([corners[place] for place in walk]).T
    return float(np.sum(columns * np.roll(rows, -1) - np.roll(columns, -1) * rows)) / 2


def _join(begin: int, corners: list[_Corner], following: list[int], home: dict[_Corner, int]) -> None:
    """Join a hole, by its leftmost corner, to the first outline on its left.

    Holes come in order of their leftmost corners, so what lies on the left is an outline, or a hole that has
    been joined to one. The way there and back is put between two edges of that outline.
    """
    row, column = corners[begin]
    walk = _walk(begin, following)
    reached = column - 1
    while (row, reached) not in home:
        reached -= 1
    at = home[row, reached]
    way = [(row, between) for between in range(reached + 1, column)]
    there = _append(way, corners, following)
    back = _append([(row, column), *reversed(way), (row, reached)], corners, following)
    following[back[-1]] = following[at]
    following[walk[-1]] = back[0]
    for place, after in zip([at, *there], [*there, begin], strict=True):
        following[place] = after
    for place in (*there, *walk):
        home.setdefault(corners[place], place)


def _append(way: list[_Corner], corners: list[_Corner], following: list[int]) -> list[int]:
    """Add corners that follow each other; the last one's successor is still open."""
    places = list(range(len(corners), len(corners) + len(way)))
    corners.extend(way)
    following.extend(place + 1 for place in places)
    return places


def _turns(loop: NDArray[np.intp]) -> NDArray[np.float64]:
    """Corners at which a closed walk (N, 2) turns, moved inward, to the right of both edges there."""
    before, after = loop - np.roll(loop, 1, axis=0), np.roll(loop, -1, axis=0) - loop
    is_turn = (before != after).any(axis=1)
    along = (before + after)[is_turn]
    return np.asarray(loop[is_turn] + _INWARD_PX * along[:, ::-1] * (1, -1), dtype=np.float64)
