"""Where an uncompressed file keeps its pixels."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

__all__ = ["RawPixels", "find_raw_pixels"]

# Implicit little, explicit little and big endian: whether a value says its kind, and the byte order.
_PLAIN = {
    "1.2.840.10008.1.2": (False, "<"),
    "1.2.840.10008.1.2.1": (True, "<"),
    "1.2.840.10008.1.2.2": (True, ">"),
}
_PIXEL_DATA = (0x7FE0, 0x0010)


@dataclass(frozen=True)
class RawPixels:
    """Where a file keeps its first plane, and as which numbers (a numpy type with its byte order)."""

    offset_bytes: int
    dtype: str


def find_raw_pixels(dataset: FileDataset, stream: BinaryIO) -> RawPixels | None:
    """Find the pixels of an uncompressed grey file of 8 or 16 bits without a table; None for all others.

    Parameters
    ----------
    dataset : FileDataset
        The file's header, with its transfer syntax.
    stream : BinaryIO
        Its bytes, standing where the header's reading has stopped: at the pixels.
    """
    plain = _PLAIN.get(str(dataset.file_meta.TransferSyntaxUID))
    bits = dataset.get("BitsAllocated")
    is_grey = str(dataset.get("PhotometricInterpretation", "")).startswith("MONOCHROME")
    if plain is None or bits not in (8, 16) or not is_grey or dataset.get("ModalityLUTSequence"):
        return None
    if int(dataset.get("SamplesPerPixel") or 1) != 1:
        return None
    is_explicit, order = plain
    start, n_head = stream.tell(), 12 if is_explicit else 8
    head = stream.read(n_head)
    if len(head) < n_head or tuple(np.frombuffer(head[:4], f"{order}u2")) != _PIXEL_DATA:
        return None
    stated = int(np.frombuffer(head[-4:], f"{order}u4")[0])
    n_frames = int(dataset.get("NumberOfFrames") or 1)
    needed = int(dataset.Rows) * int(dataset.Columns) * n_frames * bits // 8
    there = os.fstat(stream.fileno()).st_size - start - n_head
    if stated == 0xFFFFFFFF or needed > min(stated, there):
        return None
    kind = "i" if dataset.get("PixelRepresentation") == 1 else "u"
    return RawPixels(start + n_head, f"{order if bits == 16 else '|'}{kind}{bits // 8}")
