"""Half-open boxes of voxels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes.errors import InvalidBox

Index3 = tuple[int, int, int]


def _index3(values: Iterable[Any], what: str) -> Index3:
    """Return three plain integers, or say what was passed instead."""
    if (
        type(values) is tuple
        and len(values) == 3
        and type(values[0]) is type(values[1]) is type(values[2]) is int
    ):
        return values
    try:
        plane, row, column = (index(value) for value in values)
    except (TypeError, ValueError):
        raise InvalidBox(f"{what} is {values!r}; pass three integers (plane, row, column)") from None
    return plane, row, column


@dataclass(frozen=True)
class Box:
    """Half-open box of voxels: ``start`` is inside, ``stop`` is the first index outside.

    Parameters
    ----------
    start, stop : tuple of int
        Voxel indices (plane, row, column). ``stop >= start`` on each axis; equal means an empty box.

    Raises
    ------
    InvalidBox
        If an index is no integer, or ``stop`` lies before ``start``.
    """

    start: Index3
    stop: Index3

    def __post_init__(self) -> None:
        start, stop = _index3(self.start, "the box's start"), _index3(self.stop, "the box's stop")
        if start is not self.start or stop is not self.stop:
            object.__setattr__(self, "start", start)
            object.__setattr__(self, "stop", stop)
        if start[0] > stop[0] or start[1] > stop[1] or start[2] > stop[2]:
            raise InvalidBox(
                f"the box's stop {self.stop} lies before its start {self.start}; "
                "boxes are half-open (plane, row, column) indices with start <= stop"
            )

    @classmethod
    def of_mask(cls, mask: NDArray[Any], offset: Iterable[int] = (0, 0, 0)) -> Box | None:
        """Tight box around what is not zero in a mask.

        Parameters
        ----------
        mask : ndarray of shape (P, R, C)
            Any dtype; zero is outside.
        offset : three int
            Voxel index of ``mask[0, 0, 0]`` in the volume.

        Returns
        -------
        Box or None
            None where the mask is all zero.

        Raises
        ------
        InvalidBox
            If the mask does not have three dimensions.
        """
        if mask.ndim != 3:
            raise InvalidBox(f"the mask has shape {mask.shape}; pass one of three dimensions (P, R, C)")
        start, stop = [], []
        lines = np.any(mask, axis=2)
        for along in (np.any(lines, axis=1), np.any(lines, axis=0), np.any(mask, axis=(0, 1))):
            filled = np.flatnonzero(along)
            if filled.size == 0:
                return None
            start.append(int(filled[0]))
            stop.append(int(filled[-1]) + 1)
        return cls(_index3(start, "start"), _index3(stop, "stop")).shift(offset)

    @property
    def shape(self) -> Index3:
        """Number of voxels along (plane, row, column)."""
        start, stop = self.start, self.stop
        return stop[0] - start[0], stop[1] - start[1], stop[2] - start[2]

    @property
    def size(self) -> int:
        """Number of voxels inside."""
        plane, row, column = self.shape
        return plane * row * column

    @property
    def is_empty(self) -> bool:
        """Whether no voxel is inside."""
        return self.size == 0

    def slices(self) -> tuple[slice, slice, slice]:
        """Slices that cut this box out of an array (P, R, C, …).

        Raises
        ------
        InvalidBox
            If the box reaches below zero, where slices would count from the end.
        """
        if min(self.start) < 0:
            raise InvalidBox(f"the box starts at {self.start}, outside the array; clip it to the shape first")
        plane, row, column = (slice(low, high) for low, high in zip(self.start, self.stop, strict=True))
        return plane, row, column

    def union(self, other: Box) -> Box:
        """Smallest box that holds both; an empty box adds nothing."""
        if other.is_empty:
            return self
        if self.is_empty:
            return other
        start = _index3(map(min, self.start, other.start), "start")
        return Box(start, _index3(map(max, self.stop, other.stop), "stop"))

    def intersection(self, other: Box) -> Box | None:
        """Box of the voxels inside both; None where there are none."""
        start = _index3(tuple(map(max, self.start, other.start)), "start")
        stop = _index3(tuple(map(min, self.stop, other.stop)), "stop")
        if start[0] >= stop[0] or start[1] >= stop[1] or start[2] >= stop[2]:
            return None
        return Box(start, stop)

    def clip(self, shape: Iterable[int]) -> Box:
        """Part of the box inside an array of that shape; empty, at the border, where it lies outside."""
        limits = _index3(shape, "the shape")
        start = _index3(
            (min(max(low, 0), limit) for low, limit in zip(self.start, limits, strict=True)), "start"
        )
        stop = _index3(
            (min(max(high, 0), limit) for high, limit in zip(self.stop, limits, strict=True)), "stop"
        )
        return Box(start, stop)

    def grow(self, margin: int | Iterable[int]) -> Box:
        """Box with that many voxels more on both sides of each axis; not clipped.

        Parameters
        ----------
        margin : int or three int
            Voxels for all axes, or for (plane, row, column). Negative shrinks.

        Raises
        ------
        InvalidBox
            If a negative margin turns the box inside out.
        """
        widths = _index3((margin,) * 3 if isinstance(margin, (int, np.integer)) else margin, "the margin")
        start = _index3((low - width for low, width in zip(self.start, widths, strict=True)), "start")
        return Box(
            start, _index3((high + width for high, width in zip(self.stop, widths, strict=True)), "stop")
        )

    def shift(self, offset: Iterable[int]) -> Box:
        """Box moved by that many voxels along (plane, row, column)."""
        down, across, along = _index3(offset, "the offset")
        start, stop = self.start, self.stop
        return Box(
            (start[0] + down, start[1] + across, start[2] + along),
            (stop[0] + down, stop[1] + across, stop[2] + along),
        )

    def contains(self, at: Iterable[float]) -> bool:
        """Whether a voxel index (plane, row, column) lies inside."""
        return all(low <= value < high for low, value, high in zip(self.start, at, self.stop, strict=True))

    def meets(self, other: Box) -> bool:
        """Whether the boxes share a voxel."""
        return self.intersection(other) is not None
