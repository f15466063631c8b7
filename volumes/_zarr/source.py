"""Boxes of a Zarr array, decoded chunk by chunk and kept for a while."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._axes import AxisPlan, Choice
from volumes._block_cache import BlockCache
from volumes._dtypes import converted_on_demand, type_on_demand
from volumes._limits import check_memory
from volumes._overview import sampled
from volumes._zarr.store import speaking
from volumes.errors import VolumeError

if TYPE_CHECKING:
    import zarr

__all__ = ["ZarrSource"]

_OVERVIEW_VOXELS = 1 << 18
Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class ZarrSource:
    """The voxels of one channel and time of a Zarr array.

    Parameters
    ----------
    array : zarr.Array
        Opened for reading.
    plan : AxisPlan
        Which of its axes are the volume's.
    choice : Choice
        Where on its other axes.
    name : str
        What to call it in messages.
    coarser : callable, optional
        Opens the same image with fewer voxels, finest first.
    """

    array: zarr.Array[Any]
    plan: AxisPlan
    choice: Choice
    name: str
    coarser: Callable[[], Sequence[ZarrSource]] = tuple
    cache: BlockCache = field(default_factory=BlockCache)
    _filling: threading.Lock = field(default_factory=threading.Lock)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the volume's axes."""
        return tuple(self.array.shape[axis] for axis in self.plan.volume_axes)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return type_on_demand(self.array.dtype, self.name)

    def read_box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> NDArray[Any]:
        """Read a half-open box of the volume's axes; only chunks that meet it are read.

        Raises
        ------
        BrokenFile, UnreadableFile
            If a chunk is damaged or cannot be had.
        UnsupportedImage
            If the box does not fit in memory, or holds integers beyond 32 bits.
        """
        ranges = [(0, 1)] * self.array.ndim
        for axis, index in self.choice.fixed:
            ranges[axis] = (index, index + 1)
        for axis, low, high in zip(self.plan.volume_axes, start, stop, strict=True):
            ranges[axis] = (low, high)
        box = self._read(tuple(ranges))
        others = [axis for axis in range(self.array.ndim) if axis not in self.plan.volume_axes]
        box = box.transpose([*others, *self.plan.volume_axes])
        box = box.reshape(box.shape[len(others) :])
        box = box if self.plan.planes is not None else box[np.newaxis]
        return np.ascontiguousarray(converted_on_demand(box, self.name))

    def overview(self) -> NDArray[Any]:
        """Read the coarsest level that has enough voxels, or a part of it."""
        if math.prod(self.shape) > _OVERVIEW_VOXELS:
            try:
                levels = [one for one in self.coarser() if math.prod(one.shape) >= _OVERVIEW_VOXELS]
                return sampled(levels[-1] if levels else self)
            except VolumeError:  # a coarser level is a convenience; the full one decides
                pass
        return sampled(self)

    def _read(self, ranges: Ranges) -> NDArray[Any]:
        """Read a half-open box of all axes of the array, through the cache where its chunks fit in there."""
        itemsize = self.array.dtype.itemsize
        wanted_bytes = math.prod(high - low for low, high in ranges) * itemsize
        grid = [
            range(low // chunk, -(-high // chunk))
            for (low, high), chunk in zip(ranges, self.array.chunks, strict=True)
        ]
        decoded_bytes = math.prod(
            high - low for low, high in (self._reach(axis, steps) for axis, steps in enumerate(grid))
        ) * itemsize  # fmt: skip
        chunk_bytes = math.prod(self.array.chunks) * itemsize
        check_memory(self.name, max(wanted_bytes, chunk_bytes))
        with speaking(self.name):
            if decoded_bytes > self.cache.budget_bytes:
                return np.asarray(self.array[tuple(slice(*one) for one in ranges)])
            return self._through_cache(ranges, grid)

    def _reach(self, axis: int, steps: range) -> tuple[int, int]:
        """Return the indices of an axis that a run of chunks holds; one only where the axis is fixed."""
        for fixed, index in self.choice.fixed:
            if axis == fixed:
                return index, index + 1
        chunk, length = self.array.chunks[axis], self.array.shape[axis]
        return steps[0] * chunk, min(length, (steps[-1] + 1) * chunk)

    def _through_cache(self, ranges: Ranges, grid: Sequence[range]) -> NDArray[Any]:
        out = np.empty([high - low for low, high in ranges], dtype=self.array.dtype)
        for at in itertools.product(*grid[:-1]):
            blocks = {last: self.cache.get((*at, last)) for last in grid[-1]}
            if any(block is None for block in blocks.values()):
                with self._filling:
                    blocks = self._filled(at, grid[-1])
            for last, block in blocks.items():
                low = [self._reach(axis, range(step, step + 1))[0] for axis, step in enumerate((*at, last))]
                _copy(out, [one[0] for one in ranges], block, low)  # type: ignore[arg-type]
        return out

    def _filled(self, at: tuple[int, ...], steps: range) -> dict[int, NDArray[Any] | None]:
        """Chunks of a row along the last axis; neighbours that are not kept are decoded together."""
        blocks = {step: self.cache.get((*at, step)) for step in steps}
        missing = [step for step, block in blocks.items() if block is None]
        for _, group in itertools.groupby(enumerate(missing), lambda pair: pair[1] - pair[0]):
            run = [step for _, step in group]
            reach = [self._reach(axis, range(step, step + 1)) for axis, step in enumerate(at)]
            low, high = self._reach(len(at), range(run[0], run[-1] + 1))
            read = np.asarray(self.array[tuple(slice(*one) for one in (*reach, (low, high)))])
            for step in run:
                first, last = self._reach(len(at), range(step, step + 1))
                blocks[step] = read[..., first - low : last - low].copy()
                self.cache.put((*at, step), blocks[step])  # type: ignore[arg-type]
        return blocks


def _copy(out: NDArray[Any], out_low: Sequence[int], block: NDArray[Any], block_low: Sequence[int]) -> None:
    """Copy what a block and a box have in common; both are given by their first indices."""
    into, of = [], []
    for axis, (one, other) in enumerate(zip(out_low, block_low, strict=True)):
        low = max(one, other)
        high = min(one + out.shape[axis], other + block.shape[axis])
        into.append(slice(low - one, high - one))
        of.append(slice(low - other, high - other))
    out[tuple(into)] = block[tuple(of)]
