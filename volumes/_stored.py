"""One volume of an array in a file: its channel, its time, its axes in order, its colours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from volumes._axes import AxisPlan, Choice
from volumes._dtypes import converted_on_demand, type_on_demand
from volumes._limits import check_memory
from volumes._overview import sampled
from volumes.errors import VolumeError

__all__ = ["IN_MEMORY_BYTES", "Ranges", "StoredArray", "StoredSource"]

IN_MEMORY_BYTES = 1 << 28
"""Files of pages, pictures and frames are read at once up to here, and on demand beyond."""

_OVERVIEW_VOXELS = 1 << 18
Ranges = tuple[tuple[int, int], ...]


class StoredArray(Protocol):
    """An array in a file."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of all its axes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type in the file."""

    def read(self, ranges: Ranges) -> NDArray[Any]:
        """Read a half-open box of all axes. Called from several threads; raises a VolumeError."""


@dataclass(frozen=True)
class StoredSource:
    """The voxels of one volume in an array, for a `LazyArray`.

    Parameters
    ----------
    array : StoredArray
        Where they are.
    plan : AxisPlan
        Which of its axes are the volume's.
    choice : Choice
        Where on its other axes.
    name : str
        What to call it in messages.
    coarser : callable, optional
        Opens the same volume with fewer voxels, finest first.
    """

    array: StoredArray
    plan: AxisPlan
    choice: Choice
    name: str
    coarser: Callable[[], Sequence[StoredSource]] = tuple

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of (planes, rows, columns), and 3 for colour."""
        return (*self.plan.shape, 3) if self.plan.colour is not None else self.plan.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return type_on_demand(self.array.dtype, self.name)

    def read_box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> NDArray[Any]:
        """Read a half-open box of the volume's axes; only what is needed of the file is read.

        Raises
        ------
        BrokenFile, UnreadableFile
            If the part is damaged or cannot be had.
        UnsupportedImage
            If the box does not fit in memory, or holds integers beyond 32 bits.
        """
        ranges = self._ranges(start, stop)
        n_bytes = math.prod(high - low for low, high in ranges) * self.array.dtype.itemsize
        check_memory(self.name, n_bytes)
        return np.ascontiguousarray(converted_on_demand(self._ordered(ranges), self.name))

    def _ranges(self, start: tuple[int, ...], stop: tuple[int, ...]) -> Ranges:
        """Return the box of all axes of the array that a box of the volume is."""
        bounds = list(zip(start, stop, strict=True))
        if self.plan.planes is None:
            bounds = bounds[1:]
        ranges = [(0, 1)] * len(self.array.shape)
        for axis, index in self.choice.fixed:
            ranges[axis] = (index, index + 1)
        for axis, bound in zip(self.plan.volume_axes, bounds, strict=True):
            ranges[axis] = bound
        return tuple(ranges)

    def _ordered(self, ranges: Ranges) -> NDArray[Any]:
        """Read a box of all axes of the array, and bring those of the volume into order."""
        box = self.array.read(ranges)
        others = [axis for axis in range(box.ndim) if axis not in self.plan.volume_axes]
        box = box.transpose([*others, *self.plan.volume_axes])
        box = box.reshape(box.shape[len(others) :])
        return box if self.plan.planes is not None else box[np.newaxis]

    def read_stored(self) -> NDArray[Any]:
        """Read everything, in the type that the file has."""
        return np.ascontiguousarray(self._ordered(self._ranges((0,) * len(self.shape), self.shape)))

    def overview(self) -> NDArray[Any]:
        """Read the coarsest level that has enough voxels, or a part of it."""
        if math.prod(self.shape) > _OVERVIEW_VOXELS:
            try:
                levels = [one for one in self.coarser() if math.prod(one.shape) >= _OVERVIEW_VOXELS]
                return sampled(levels[-1] if levels else self)
            except VolumeError:  # a coarser level is a convenience; the full one decides
                pass
        return sampled(self)
