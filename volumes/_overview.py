"""A small part of a large image that stands for all of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes.lazy import BoxSource

__all__ = ["sampled"]

_WHOLE_VOXELS = 1 << 23
_SIDE = 1024
_N_PLANES = 4


def sampled(source: BoxSource) -> NDArray[Any]:
    """Read all of a small image; of a large one the middle of some planes, evenly spread.

    Returns
    -------
    ndarray
        With the axes of the source.
    """
    shape = source.shape
    if math.prod(shape) <= _WHOLE_VOXELS:
        return source.read_box((0,) * len(shape), shape)
    start, stop = [0] * len(shape), list(shape)
    for axis in (1, 2):
        start[axis] = max(0, (shape[axis] - _SIDE) // 2)
        stop[axis] = min(shape[axis], start[axis] + _SIDE)
    n_planes = min(_N_PLANES, shape[0])
    planes = [(2 * part + 1) * shape[0] // (2 * n_planes) for part in range(n_planes)]
    parts = [source.read_box((at, *start[1:]), (at + 1, *stop[1:])) for at in planes]
    return np.concatenate(parts)
