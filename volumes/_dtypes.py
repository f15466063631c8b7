"""Which number types a volume's voxels have, whatever the file held."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes.errors import InvalidLabels, UnsupportedImage

_LABEL_TYPES = (np.uint8, np.uint16, np.uint32)


def compact(data: NDArray[Any], where: str) -> NDArray[Any]:
    """Return the voxels in the smallest type this package uses, with the same values.

    Integers stay integers: of 8 and 16 bits as they are, wider ones as int16 (uint16 where unsigned) when
    their values fit, else 32 bits. Real numbers become float32; booleans uint8.

    Parameters
    ----------
    data : ndarray
        Voxels of any shape and byte order.
    where : str
        What was read, for the message.

    Raises
    ------
    UnsupportedImage
        If the voxels are complex or no numbers, or integers beyond 32 bits.
    """
    kind = data.dtype.kind
    if kind == "b":
        return data.astype(np.uint8)
    if kind == "f":
        return _single(data)
    if kind not in "iu":
        raise UnsupportedImage(
            f"{where} holds voxels of type {data.dtype}; save its magnitude, or another real-valued image"
        )
    if data.dtype.itemsize <= 2:
        return data.astype(data.dtype.newbyteorder("="), copy=False)
    low, high = (int(data.min()), int(data.max())) if data.size else (0, 0)
    small, wide = (np.int16, np.int32) if kind == "i" else (np.uint16, np.uint32)
    for dtype in (small, wide):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return data.astype(dtype, copy=False)
    raise UnsupportedImage(f"{where} holds integers from {low} to {high}; save it with 32 bits or fewer")


def type_on_demand(dtype: np.dtype[Any], where: str) -> np.dtype[Any]:
    """Return the type that voxels have which are read on demand, known before any of them is.

    Parameters
    ----------
    dtype : numpy.dtype
        Type in the file.
    where : str
        What was read, for the message.

    Raises
    ------
    UnsupportedImage
        If the voxels are complex or no numbers.
    """
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind == "f":
        return np.dtype(np.float32)
    if dtype.kind not in "iu":
        raise UnsupportedImage(
            f"{where} holds voxels of type {dtype}; save its magnitude, or another real-valued image"
        )
    return np.dtype(f"{dtype.kind}{min(dtype.itemsize, 4)}")


def converted_on_demand(data: NDArray[Any], where: str) -> NDArray[Any]:
    """Return a part of the voxels in the type that `type_on_demand` names, with the same values.

    Raises
    ------
    UnsupportedImage
        As `type_on_demand`, and for integers beyond 32 bits.
    """
    dtype = type_on_demand(data.dtype, where)
    if dtype.kind == "f":
        return _single(data)
    if data.dtype.itemsize > dtype.itemsize and data.size:
        low, high = int(data.min()), int(data.max())
        if low < np.iinfo(dtype).min or high > np.iinfo(dtype).max:
            raise UnsupportedImage(
                f"{where} holds integers from {low} to {high}; save it with 32 bits or fewer"
            )
    return data.astype(dtype, copy=False)


def _single(data: NDArray[Any]) -> NDArray[Any]:
    """Return real numbers as float32; what is too large for it becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return data.astype(np.float32, copy=False)


def smallest_label_type(labels: NDArray[Any]) -> NDArray[Any]:
    """Return labels in the smallest of uint8, uint16 and uint32 that holds their ids.

    Raises
    ------
    InvalidLabels
        If the labels are no integers (or booleans), are negative, or do not fit 32 bits.
    """
    if labels.dtype.kind not in "iub":
        raise InvalidLabels(f"the labels are of type {labels.dtype}; pass integers, 0 for background")
    low, high = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    if low < 0:
        raise InvalidLabels(f"the labels hold {low}; ids start at 1, and 0 is background")
    for dtype in _LABEL_TYPES:
        if high <= np.iinfo(dtype).max:
            return labels.astype(dtype, copy=False)
    raise InvalidLabels(f"the labels hold the id {high}; ids need to be at most {np.iinfo(np.uint32).max}")
