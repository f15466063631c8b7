"""Believe no header that asks for more than its file can hold, or than this machine has."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path

from volumes.errors import BrokenFile, UnsupportedImage

__all__ = ["DEFLATE", "PICTURE_CODEC", "check_claim", "check_memory"]

DEFLATE = 1032.0
"""Bytes that one byte of gzip, zlib or PNG can stand for at most."""

PICTURE_CODEC = 50_000.0
"""The same for JPEG, JPEG 2000, JPEG-LS, RLE and films, generously: a blank picture is almost nothing."""

_SMALL_BYTES = 1 << 26
"""So much is never refused: a small blank picture may be a handful of bytes."""

_SHARE_OF_MEMORY = 0.8


def check_claim(
    path: Path | str, shape: Sequence[int], itemsize: int, stored_bytes: int, ratio: float = 1.0
) -> None:
    """Raise BrokenFile where a file of that size cannot hold what its header says.

    Parameters
    ----------
    path : Path or str
        For the message.
    shape : sequence of int
        What the header claims.
    itemsize : int
        Bytes a value.
    stored_bytes : int
        What there is in the file for it, compressed or not.
    ratio : float
        How far the compression can go: 1 for none, `DEFLATE`, `PICTURE_CODEC`.
    """
    needed = math.prod(shape) * itemsize
    room = stored_bytes * ratio if ratio == 1.0 else max(stored_bytes * ratio, _SMALL_BYTES)
    if needed > room:
        raise BrokenFile(
            f"{path} says it holds {'x'.join(map(str, shape))} values, {needed} bytes, "
            f"and has {stored_bytes} bytes for them; get a complete copy"
        )


def check_memory(path: Path | str, n_bytes: int) -> None:
    """Raise UnsupportedImage where an image of so many bytes cannot be held in this machine's memory."""
    memory = _memory_bytes()
    if memory is not None and n_bytes > memory * _SHARE_OF_MEMORY:
        raise UnsupportedImage(
            f"{path} takes {n_bytes / 2**30:.3g} GiB in memory, and this machine has {memory / 2**30:.3g}; "
            "crop it, or convert it to OME-Zarr, of which planes are read on demand"
        )


def _memory_bytes() -> int | None:
    """Physical memory; None where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
