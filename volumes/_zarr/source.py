"""Boxes of a Zarr array, decoded chunk by chunk and kept for a while."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._block_cache import BlockCache
from volumes._limits import check_memory
from volumes._stored import Ranges
from volumes._zarr.store import speaking

if TYPE_CHECKING:
    import zarr

__all__ = ["ChunkedArray"]


@dataclass(frozen=True)
class ChunkedArray:
    """A Zarr array of which the chunks just decoded are kept.

    Parameters
    ----------
    array : zarr.Array
        Opened for reading.
    name : str
        What to call it in messages.
    fixed : tuple of (int, int)
        (axis, index) where only one index of an axis is ever asked for, so that no others need be kept.
    """

    array: zarr.Array[Any]
    name: str
    fixed: tuple[tuple[int, int], ...] = ()
    cache: BlockCache = field(default_factory=BlockCache)
    _filling: threading.Lock = field(default_factory=threading.Lock)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of all axes."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type in the store."""
        return np.dtype(self.array.dtype)

    def read(self, ranges: Ranges) -> NDArray[Any]:
        """Read a half-open box, through the cache where the chunks that meet it fit in there.

        Raises
        ------
        BrokenFile, UnreadableFile
            If a chunk is damaged or cannot be had. One that is missing holds the fill value.
        UnsupportedImage
            If a chunk does not fit in memory.
        """
        grid = [
            range(low // chunk, -(-high // chunk))
            for (low, high), chunk in zip(ranges, self.array.chunks, strict=True)
        ]
        kept = [self._reach(axis, steps) for axis, steps in enumerate(grid)]
        kept_bytes = math.prod(high - low for low, high in kept) * self.dtype.itemsize
        check_memory(self.name, math.prod(self.array.chunks) * self.dtype.itemsize)
        with speaking(self.name):
            if kept_bytes > self.cache.budget_bytes:
                return np.asarray(self.array[tuple(slice(*one) for one in ranges)])
            return self._through_cache(ranges, grid)

    def _reach(self, axis: int, steps: range) -> tuple[int, int]:
        """Return which indices of an axis a run of chunks holds; one where the axis is fixed."""
        for fixed, index in self.fixed:
            if axis == fixed:
                return index, index + 1
        chunk, length = self.array.chunks[axis], self.array.shape[axis]
        return steps[0] * chunk, min(length, (steps[-1] + 1) * chunk)

    def _through_cache(self, ranges: Ranges, grid: Sequence[range]) -> NDArray[Any]:
        out = np.empty([high - low for low, high in ranges], dtype=self.dtype)
        for at in itertools.product(*grid[:-1]):
            for last, block in self._row(at, grid[-1]).items():
                low = [self._reach(axis, range(step, step + 1))[0] for axis, step in enumerate((*at, last))]
                _copy(out, [one[0] for one in ranges], block, low)
        return out

    def _row(self, at: tuple[int, ...], steps: range) -> dict[int, NDArray[Any]]:
        """Chunks of a row along the last axis, decoded where they are not kept."""
        blocks = self._kept(at, steps)
        if len(blocks) == len(steps):
            return blocks
        with self._filling:
            blocks = self._kept(at, steps)
            missing = [step for step in steps if step not in blocks]
            for _, group in itertools.groupby(enumerate(missing), lambda pair: pair[1] - pair[0]):
                blocks |= self._decoded(at, [step for _, step in group])
        return blocks

    def _kept(self, at: tuple[int, ...], steps: range) -> dict[int, NDArray[Any]]:
        blocks = {step: self.cache.get((*at, step)) for step in steps}
        return {step: block for step, block in blocks.items() if block is not None}

    def _decoded(self, at: tuple[int, ...], run: Sequence[int]) -> dict[int, NDArray[Any]]:
        """Decode neighbours of a row together, and keep them."""
        reach = [self._reach(axis, range(step, step + 1)) for axis, step in enumerate(at)]
        low, high = self._reach(len(at), range(run[0], run[-1] + 1))
        read = np.asarray(self.array[tuple(slice(*one) for one in (*reach, (low, high)))])
        blocks = {}
        for step in run:
            first, last = self._reach(len(at), range(step, step + 1))
            blocks[step] = read[..., first - low : last - low].copy()
            self.cache.put((*at, step), blocks[step])
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
