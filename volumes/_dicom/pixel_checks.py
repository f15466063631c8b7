"""What a header claims of its pixels, held against the bytes that are there."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import BinaryIO

import numpy as np

from volumes._dicom.elements import Elements
from volumes._dicom.header_warnings import SenselessElement, tag_name
from volumes._dicom.pixel_layout import PixelElement, PixelLayout


def check_length(layout: PixelLayout, pixels: PixelElement, header: Elements, room_bytes: int) -> None:
    """Compare the size that a header claims with the bytes there are; a few too many get a note.

    Parameters
    ----------
    layout : PixelLayout
        The claim.
    pixels : PixelElement
        Where the pixels are.
    header : Elements
        Takes the note.
    room_bytes : int
        Bytes of the file from the pixels on.

    Raises
    ------
    SenselessElement
        If there are too few, or so many that the header must be wrong.
    """
    if pixels.n_bytes is None or pixels.is_compressed:
        return
    needed, there = layout.n_bytes, pixels.n_bytes
    claim = f"the header claims {layout.n_frames}x{layout.rows}x{layout.columns} pixels, {needed} bytes"
    if there < needed:
        raise SenselessElement(f"{claim}, and PixelData (7FE0,0010) is {there} bytes long")
    if there - needed >= max(layout.frame_bits // 8, 2):
        raise SenselessElement(f"{claim}, and PixelData (7FE0,0010) holds {there} bytes, whole frames more")
    if there > needed + needed % 2:
        header.notes.add(
            f"PixelData (7FE0,0010) is {there - needed} bytes longer than its image; they were left out"
        )
    if pixels.offset_bytes is not None and room_bytes < needed:
        raise SenselessElement(f"{claim}, and the file ends after {room_bytes} of them")


def settle_high_bit(
    layout: PixelLayout, pixels: PixelElement, header: Elements, stream: BinaryIO
) -> PixelLayout:
    """Decide where the bits lie that count, where HighBit is not BitsStored - 1 as the standard has it.

    Either the values were written into the upper bits, or HighBit is wrong. If it is right, then all bits
    below are 0; the first frame tells.

    Parameters
    ----------
    layout : PixelLayout
        As the header has it.
    pixels : PixelElement
        Where the pixels are.
    header : Elements
        Takes the note.
    stream : BinaryIO
        The file.
    """
    usual = layout.bits_stored - 1
    if layout.high_bit == usual or pixels.keyword != "PixelData":
        return layout
    is_upper = False
    if layout.bits_allocated in (8, 16, 32) and not pixels.is_compressed and pixels.offset_bytes is not None:
        stream.seek(pixels.offset_bytes)
        kind = f"{'<' if pixels.is_little else '>'}u{layout.bits_allocated // 8}"
        data = stream.read(layout.frame_bits // 8)
        first = np.frombuffer(
            data[: len(data) * 8 // layout.bits_allocated * layout.bits_allocated // 8], kind
        )
        is_upper = not np.any(first & ((1 << layout.high_bit - usual) - 1))
    if is_upper:
        header.notes.add(f"{tag_name('HighBit')} is {layout.high_bit}; the bits below were dropped")
        return layout
    header.notes.add(f"{tag_name('HighBit')} is {layout.high_bit}; {usual} was assumed, as the values show")
    return replace(layout, high_bit=usual)


def room_bytes(stream: BinaryIO, pixels: PixelElement) -> int:
    """Bytes of the file from the pixels on."""
    return os.fstat(stream.fileno()).st_size - (pixels.offset_bytes or 0)
