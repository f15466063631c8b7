"""Connected pieces and holes of a plane's mask, found by its runs rather than by its pixels.

A run is a stretch of equal pixels in one row. A mask of a hundred thousand pixels has a few hundred of them,
so joining runs of neighbouring rows is far less work than labelling pixels; what most masks are, one piece
with one run a row, is seen without joining anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["Runs", "without_small_holes"]

Ints = NDArray[np.intp]

_FEW_LINKS = 500
"""Up to so many links between runs are followed here; scipy needs longer to begin."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs of a mask, row after row, from left to right.

    Parameters
    ----------
    shape : tuple of int
        (H, W) of the mask.
    rows, starts, stops : NDArray[intp], shape (n,)
        Each run's row, and its half-open columns.
    """

    shape: tuple[int, int]
    rows: Ints
    starts: Ints
    stops: Ints

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> Runs:
        """Find the runs of what is True in a mask ``(H, W)``."""
        height, width = mask.shape
        framed = np.zeros((height, width + 2), dtype=np.bool_)
        framed[:, 1:-1] = mask
        edges = np.flatnonzero(framed[:, 1:] != framed[:, :-1])
        rows, columns = np.divmod(edges, width + 1)
        return cls((height, width), rows[::2], columns[::2], columns[1::2])

    @property
    def areas(self) -> Ints:
        """Pixels in each run."""
        return self.stops - self.starts

    @property
    def is_tight(self) -> bool:
        """Whether the mask reaches all four borders."""
        return (
            len(self.rows) > 0
            and self.rows[0] == 0
            and self.rows[-1] == self.shape[0] - 1
            and self.starts.min() == 0
            and self.stops.max() == self.shape[1]
        )

    @property
    def is_simple(self) -> bool:
        """Whether no row has two runs, so that there are no holes."""
        return bool(np.all(self.rows[1:] > self.rows[:-1]))

    def pieces(self, corners: bool = True) -> tuple[int, Ints]:
        """Join the runs that touch.

        Parameters
        ----------
        corners : bool
            Whether runs that meet in a corner only touch.

        Returns
        -------
        n_pieces : int
            How many connected pieces there are.
        piece : NDArray[intp], shape (n,)
            Which of them each run belongs to.
        """
        return self._pieces_with_corners if corners else self._pieces(corners=False)

    @cached_property
    def _pieces_with_corners(self) -> tuple[int, Ints]:
        return self._pieces(corners=True)

    def _pieces(self, corners: bool) -> tuple[int, Ints]:
        n_runs = len(self.rows)
        if n_runs == 0 or (self.is_simple and self._is_chain(corners)):
            return min(n_runs, 1), np.zeros(n_runs, dtype=np.intp)
        above, below = self._touching(corners)
        if len(above) <= _FEW_LINKS:
            return _joined(n_runs, above.tolist(), below.tolist())
        above, below = above.astype(np.int32), below.astype(np.int32)  # what older scipy takes
        links = coo_array((np.ones(len(above), dtype=np.bool_), (above, below)), shape=(n_runs, n_runs))
        n_pieces, piece = connected_components(links, directed=False)
        return int(n_pieces), piece.astype(np.intp)

    def at(self, row: int, column: int) -> int | None:
        """Return the number of the run that holds a pixel, None where the mask is False."""
        first, last = np.searchsorted(self.rows, (row, row + 1))
        number = int(first + np.searchsorted(self.stops[first:last], column, side="right"))
        return number if number < last and self.starts[number] <= column else None

    def counts_of(self, mask: NDArray[np.bool_]) -> Ints:
        """Count in each run the pixels of another mask of the same shape."""
        so_far = np.zeros(mask.size + 1, dtype=np.intp)
        np.cumsum(mask, out=so_far[1:])
        first = self.rows * self.shape[1]
        return np.asarray(so_far[first + self.stops] - so_far[first + self.starts], dtype=np.intp)

    def set_in(self, mask: NDArray[np.bool_], chosen: NDArray[np.bool_], value: bool) -> None:
        """Set the pixels of chosen runs ``(n,)`` in a mask of their shape, in place."""
        for row, start, stop in zip(self.rows[chosen], self.starts[chosen], self.stops[chosen], strict=True):
            mask[row, start:stop] = value

    def _is_chain(self, corners: bool) -> bool:
        """Say whether each run, one a row, touches the next one, and no row between is empty."""
        reach = int(corners)
        follow = self.rows[1:] == self.rows[:-1] + 1
        meet = (self.starts[1:] < self.stops[:-1] + reach) & (self.starts[:-1] < self.stops[1:] + reach)
        return bool(np.all(follow & meet))

    def _touching(self, corners: bool) -> tuple[Ints, Ints]:
        """Pair runs with those of the next row that they touch."""
        width, reach = self.shape[1] + 2, int(corners)  # apart by so much that no row reaches the next
        starts, stops = self.rows * width + self.starts, self.rows * width + self.stops
        first = np.searchsorted(stops, starts + width - reach, side="right")
        last = np.searchsorted(starts, stops + width + reach, side="left")
        counts = np.maximum(last - first, 0)
        above = np.repeat(np.arange(len(starts)), counts)
        offsets = np.arange(len(above)) - np.repeat(np.cumsum(counts) - counts, counts)
        return above, np.repeat(first, counts) + offsets


def _joined(n_runs: int, above: list[int], below: list[int]) -> tuple[int, Ints]:
    """Join runs that are linked in pairs; pieces are numbered by their first runs, as scipy does."""
    before = list(range(n_runs))  # of each run an earlier one of its piece, or itself
    for upper, lower in zip(above, below, strict=True):
        one, other = before[upper], before[lower]
        while before[one] != one:
            one = before[one]
        while before[other] != other:
            other = before[other]
        before[max(one, other)] = min(one, other)
    n_pieces, piece = 0, [0] * n_runs
    for run, earlier in enumerate(before):
        if earlier == run:
            piece[run], n_pieces = n_pieces, n_pieces + 1
        else:
            piece[run] = piece[earlier]
    return n_pieces, np.array(piece, dtype=np.intp)


def without_small_holes(
    mask: NDArray[np.bool_], smallest: float, kept: Sequence[tuple[int, int]]
) -> NDArray[np.bool_]:
    """Fill the holes of a mask that have fewer pixels than `smallest`.

    Parameters
    ----------
    mask : NDArray[bool], shape (H, W)
        Holes are connected by sides.
    smallest : float
        In pixels.
    kept : sequence of (row, column)
        Pixels whose hole stays.

    Returns
    -------
    NDArray[bool], shape (H, W)
        The same array where nothing is filled.
    """
    if Runs.of(mask).is_simple:
        return mask
    gaps = Runs.of(~np.pad(mask, 1))
    n_gaps, gap = gaps.pieces(corners=False)
    is_hole = np.bincount(gap, weights=gaps.areas, minlength=n_gaps) < smallest
    is_hole[gap[0]] = False
    for row, column in kept:
        number = gaps.at(row + 1, column + 1)
        if number is not None:
            is_hole[gap[number]] = False
    if not is_hole.any():
        return mask
    filled = np.pad(mask, 1)
    gaps.set_in(filled, is_hole[gap], True)
    return filled[1:-1, 1:-1]
