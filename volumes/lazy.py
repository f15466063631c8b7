"""Voxels that are read from their file when somebody looks at them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

__all__ = ["BoxSource", "LazyArray"]


class BoxSource(Protocol):
    """Where the voxels of a `LazyArray` come from."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes: (P, R, C) or (P, R, C, 3)."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""

    def read_box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> NDArray[Any]:
        """Read the voxels of a half-open box over all axes, which lies inside the shape.

        Called from several threads at once. Raises a VolumeError where the file is damaged.
        """

    def overview(self) -> NDArray[Any]:
        """Read voxels that stand for all of them, cheaply: a coarser level, or some planes.

        The array has as many axes as the whole, and the same scale of values.
        """


class LazyArray:
    """An array whose voxels are read on demand.

    Integers, slices, ``...`` and lists of numbers index it as they do a numpy array, and give a numpy array;
    only what was asked for is read. `numpy.asarray` reads all of it.

    Parameters
    ----------
    source : BoxSource
        Reads boxes of voxels.
    """

    def __init__(self, source: BoxSource) -> None:
        self._source = source

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(self._source.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return self._source.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of values."""
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def nbytes(self) -> int:
        """Bytes that all of it would take."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> NDArray[Any]:
        keys = _expanded(key if isinstance(key, tuple) else (key,), self.ndim)
        spans = [_span(one, length) for one, length in zip(keys, self.shape, strict=True)]
        start, stop = tuple(low for low, _, _ in spans), tuple(high for _, high, _ in spans)
        if any(low >= high for low, high, _ in spans):
            box = np.empty([max(0, high - low) for low, high, _ in spans], dtype=self.dtype)
        else:
            box = self._source.read_box(start, stop)
        return np.asarray(box[tuple(inner for _, _, inner in spans)])

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            raise ValueError("the voxels are in a file, so an array of them is always a copy; pass copy=None")
        return self[...].astype(self.dtype if dtype is None else dtype, copy=False)

    def __repr__(self) -> str:
        return f"LazyArray(shape={self.shape}, dtype={self.dtype})"

    def overview(self) -> NDArray[Any]:
        """Read voxels that stand for all of them: a coarser level, or some planes."""
        return self._source.overview()


def _expanded(keys: tuple[Any, ...], ndim: int) -> list[Any]:
    """Write out ``...`` and the axes that were left out."""
    dots = [place for place, key in enumerate(keys) if key is Ellipsis]
    n_given = len(keys) - len(dots)
    if len(dots) > 1 or n_given > ndim:
        raise IndexError(f"{n_given} indices for an array of {ndim} axes")
    at = dots[0] if dots else len(keys)
    return [*keys[:at], *[slice(None)] * (ndim - n_given), *keys[at + len(dots) :]]


def _span(key: Any, length: int) -> tuple[int, int, Any]:
    """Return the half-open range of an axis that a key needs, and the key inside that range."""
    if isinstance(key, slice):
        chosen = range(*key.indices(length))
        if not chosen:
            return 0, 0, slice(None)
        return min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1]) + 1, slice(None, None, chosen.step)
    if np.ndim(key) == 0:
        index = int(key) + (length if int(key) < 0 else 0)
        if not 0 <= index < length:
            raise IndexError(f"index {int(key)} is outside an axis of length {length}")
        return index, index + 1, 0
    indices = np.arange(length)[np.asarray(key)]
    if not indices.size:
        return 0, 0, indices
    return int(indices.min()), int(indices.max()) + 1, indices - int(indices.min())
