"""Read uncompressed planes straight into one array: no second parse, no copy."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.headers import PlaneHeader
from volumes._limits import check_memory

__all__ = ["read_raw_planes"]

_INT16 = np.iinfo(np.int16)
_MOST_THREADS = 4
_SMALL_BYTES = 1 << 26


def read_raw_planes(planes: Sequence[PlaneHeader]) -> NDArray[Any] | None:
    """Read planes that all lie uncompressed in their files, rescaled to their meaning.

    Parameters
    ----------
    planes : sequence of PlaneHeader
        Planes of one size, none of which is to be turned round.

    Returns
    -------
    ndarray of shape (P, R, C) or None
        The same values and type as decoding gives; None where a plane is compressed, of another type than the
        rest, shorter than it says, or holds bits beyond its own range (an overlay).
    """
    first = planes[0].raw
    if first is None or any(plane.raw is None or plane.raw.dtype != first.dtype for plane in planes):
        return None
    shape = (len(planes), *planes[0].shape_hw)
    dtype = np.dtype(first.dtype)
    check_memory(planes[0].path.parent, math.prod(shape) * dtype.itemsize)
    stored = np.empty(shape, dtype)
    ends = _fill_all(stored, planes)
    if ends is None:
        return None
    stored = stored.astype(dtype.newbyteorder("="), copy=False)
    scales = {(plane.slope, plane.intercept) for plane in planes}
    if scales == {(1.0, 0.0)}:
        return stored
    if all(slope.is_integer() and intercept.is_integer() for slope, intercept in scales):
        return _whole(stored, ends, *scales.pop()) if len(scales) == 1 else None
    return _real(stored, planes)


def _fill_all(stored: NDArray[Any], planes: Sequence[PlaneHeader]) -> tuple[int, int] | None:
    """Read all planes into their places, large stacks on a few threads; return the ends of their range.

    Fresh memory is as slow to touch as a cached file is to copy, and both run beside each other.
    """
    n_threads = min(_MOST_THREADS, os.cpu_count() or 1) if stored.nbytes > _SMALL_BYTES else 1
    if n_threads == 1:
        found = [_fill(target, plane) for target, plane in zip(stored, planes, strict=True)]
    else:
        with ThreadPoolExecutor(n_threads) as pool:
            found = list(pool.map(_fill, stored, planes))
    ends = [pair for pair in found if pair is not None]
    if len(ends) < len(found):
        return None
    return min(low for low, _ in ends), max(high for _, high in ends)


def _fill(target: NDArray[Any], plane: PlaneHeader) -> tuple[int, int] | None:
    """Read one plane into its place; return its ends, None where it was not all there or beyond its range."""
    if plane.raw is None:
        return None
    try:
        with plane.path.open("rb", buffering=0) as stream:
            stream.seek(plane.raw.offset_bytes + plane.frame * target.nbytes)
            n_read = stream.readinto(target.data.cast("B"))
    except OSError:
        return None
    low, high = int(target.min()), int(target.max())
    is_sound = n_read == target.nbytes and plane.stored_range[0] <= low and high <= plane.stored_range[1]
    return (low, high) if is_sound else None


def _whole(
    stored: NDArray[Any], ends: tuple[int, int], slope: float, intercept: float
) -> NDArray[Any] | None:
    """Rescale by whole numbers in place where the results fit 16 bits; None where they do not."""
    rescaled = [end * int(slope) + int(intercept) for end in ends]
    if min(rescaled) < _INT16.min or max(rescaled) > _INT16.max:
        return None
    # Unsigned numbers wrap round at 2**16, so the sum is right however far a product went beyond.
    wrapping = (stored.astype(np.int16) if stored.dtype.itemsize == 1 else stored).view(np.uint16)
    if int(slope) != 1:
        wrapping *= np.uint16(int(slope) % 65536)
    wrapping += np.uint16(int(intercept) % 65536)
    return wrapping.view(np.int16)


def _real(stored: NDArray[Any], planes: Sequence[PlaneHeader]) -> NDArray[np.float32]:
    """Rescale by a slope and an intercept a plane, as decoded planes are."""
    values = np.empty(stored.shape, np.float32)
    for place, plane in enumerate(planes):
        values[place] = stored[place] * np.float64(plane.slope) + plane.intercept
    return values
