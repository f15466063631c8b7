"""Pixels that are not compressed: packed bits, byte orders, colour planes, unused bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.pixel_layout import PixelLayout


def native_frames(
    data: bytes, layout: PixelLayout, frames: Sequence[int], *, is_little: bool = True, is_real: bool = False
) -> NDArray[Any]:
    """Return stored values of some frames.

    Parameters
    ----------
    data : bytes
        All frames of the file, as they lie, in an order of bytes that puts single bytes right.
    layout : PixelLayout
        What they are.
    frames : sequence of int
        Which frames are wanted.
    is_little : bool
        Whether the low byte of a value comes first.
    is_real : bool
        Whether values are floating-point numbers.

    Returns
    -------
    ndarray of shape (F, R, C) or (F, R, C, 3)
        Colours as they are stored, those of YBR_FULL_422 repeated for each pixel.

    Raises
    ------
    ValueError
        If there are fewer bytes than frames.
    """
    if layout.bits_allocated in (1, 12):
        stored = _unpacked(data, layout)[list(frames)]
    else:
        n_bytes = layout.frame_bits // 8
        whole = np.frombuffer(data, np.uint8, count=n_bytes * (max(frames) + 1)).reshape(-1, n_bytes)
        kind = "f" if is_real else "i" if layout.is_signed else "u"
        order = "<" if is_little else ">"
        chosen = whole[list(frames)].reshape(-1).view(f"{order}{kind}{layout.bits_allocated // 8}")
        stored = chosen.reshape(len(frames), -1).astype(chosen.dtype.newbyteorder("="), copy=False)
    if not is_real:
        stored = _used_bits(stored, layout)
    return _shaped(stored, layout)


def swapped(data: bytes) -> bytes:
    """Return bytes that lie swapped in words of 16 bits in their order."""
    return np.frombuffer(data[: len(data) // 2 * 2], np.uint16).byteswap().tobytes()


def _unpacked(data: bytes, layout: PixelLayout) -> NDArray[Any]:
    """Return values of 1 or 12 bits, which lie one behind the other without gaps, as (F, values)."""
    per_frame = layout.frame_bits // layout.bits_allocated
    n_values = per_frame * layout.n_frames
    found = np.frombuffer(data, np.uint8, count=layout.n_bytes)
    if layout.bits_allocated == 1:
        values = np.unpackbits(found, bitorder="little", count=n_values)
    else:
        padded = np.concatenate([found, np.zeros(-len(found) % 3, np.uint8)]).astype(np.uint16).reshape(-1, 3)
        even = padded[:, 0] | (padded[:, 1] & 0x0F) << 8
        odd = padded[:, 1] >> 4 | padded[:, 2] << 4
        values = np.stack([even, odd], axis=1).reshape(-1)[:n_values]
        values = values.view(np.int16) if layout.is_signed else values
    return values.reshape(layout.n_frames, per_frame)


def _used_bits(stored: NDArray[Any], layout: PixelLayout) -> NDArray[Any]:
    """Return values without the bits that do not count: overlays, left-over signs."""
    n_bits = 8 * stored.dtype.itemsize
    if layout.bits_stored == n_bits or layout.bits_allocated == 1:
        return stored
    up = n_bits - 1 - layout.high_bit
    return (stored << up) >> (n_bits - layout.bits_stored)


def _shaped(stored: NDArray[Any], layout: PixelLayout) -> NDArray[Any]:
    """Return values (F, …) as (F, R, C) or (F, R, C, 3)."""
    size = (-1, layout.rows, layout.columns)
    if layout.samples == 1:
        return stored.reshape(size)
    if layout.photometric == "YBR_FULL_422":  # Y Y Cb Cr for two pixels
        pairs = stored.reshape(-1, layout.rows, layout.columns // 2, 4)
        full = np.stack([pairs[..., [0, 2, 3]], pairs[..., [1, 2, 3]]], axis=3)
        return full.reshape(*size, 3)
    if layout.is_planar:
        return np.moveaxis(stored.reshape(-1, 3, layout.rows, layout.columns), 1, -1)
    return stored.reshape(*size, 3)
