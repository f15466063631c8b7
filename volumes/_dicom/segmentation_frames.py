"""The stored frames of a DICOM segmentation, in every encoding that they come in."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._limits import DEFLATE, PICTURE_CODEC, check_claim
from volumes.errors import BrokenFile, UnsupportedImage

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["read_frames"]

_DEFLATED_FRAMES = "1.2.840.10008.1.2.8.1"
_RLE = "1.2.840.10008.1.2.5"
_RLE_HEADER_BYTES = 64
_BITS_ALLOCATED = (1, 8, 16)


def read_frames(dataset: Dataset, n_frames: int, path: Path) -> Iterator[NDArray[Any]]:
    """Frames in their order in the file, one at a time.

    Parameters
    ----------
    dataset : pydicom Dataset
        The segmentation with its pixel data.
    n_frames : int
        How many there are by the header.
    path : Path
        For messages.

    Yields
    ------
    NDArray[uint8 or uint16], shape (R, C)
        Stored values.

    Raises
    ------
    BrokenFile
        If there are fewer bytes than the header says.
    UnsupportedImage
        If the values have a size that segmentations never have.
    """
    shape_hw, bits = (int(dataset.Rows), int(dataset.Columns)), int(dataset.BitsAllocated)
    if bits not in _BITS_ALLOCATED:
        raise UnsupportedImage(f"{path} stores {bits} bits a pixel; a segmentation has 1, 8 or 16")
    if min(shape_hw) < 1:
        raise BrokenFile(f"{path} says it has {shape_hw} rows and columns; get an undamaged copy")
    stored = dataset.get("PixelData")
    if not isinstance(stored, bytes) or not stored:
        raise BrokenFile(f"{path} holds no pixels; get a complete copy")
    syntax = dataset.file_meta.TransferSyntaxUID
    is_deflated = str(syntax) == _DEFLATED_FRAMES
    if not is_deflated and not syntax.is_transfer_syntax:
        raise UnsupportedImage(
            f"{path} is in an encoding that is not known; convert it to an uncompressed one"
        )
    if not is_deflated and not syntax.is_encapsulated:
        big = not dataset.original_encoding[1] if dataset.original_encoding[1] is not None else False
        yield from _native(stored, (n_frames, *shape_hw), bits, path, is_big_endian=big)
        return
    ratio = DEFLATE if is_deflated else PICTURE_CODEC
    check_claim(path, (n_frames, *shape_hw), 1, len(stored), ratio)
    yield from _encapsulated(dataset, n_frames, shape_hw, bits, path)


def _native(
    stored: bytes, shape: tuple[int, int, int], bits: int, path: Path, *, is_big_endian: bool
) -> Iterator[NDArray[Any]]:
    """Frames that are not compressed; of single bits, one frame goes on where the last one ends."""
    n_frames, n_rows, n_columns = shape
    n_pixels = n_rows * n_columns
    if (n_frames * n_pixels * bits + 7) // 8 > len(stored):
        raise BrokenFile(
            f"{path} says it has {n_frames} frames of {n_rows}x{n_columns}, and has {len(stored)} bytes for "
            "them; get a complete copy"
        )
    values = np.frombuffer(stored, dtype=np.uint8)
    for frame in range(n_frames):
        if bits == 1:
            start, stop = frame * n_pixels, (frame + 1) * n_pixels
            block = np.unpackbits(values[start // 8 : (stop + 7) // 8], bitorder="little")
            pixels = block[start % 8 : start % 8 + n_pixels]
        elif bits == 8:
            pixels = values[frame * n_pixels : (frame + 1) * n_pixels]
        else:
            words = values[frame * n_pixels * 2 : (frame + 1) * n_pixels * 2]
            pixels = words.view(">u2" if is_big_endian else "<u2").astype(np.uint16)
        yield pixels.reshape(n_rows, n_columns)


def _encapsulated(
    dataset: Dataset, n_frames: int, shape_hw: tuple[int, int], bits: int, path: Path
) -> Iterator[NDArray[Any]]:
    """Frames that are compressed one by one."""
    from pydicom.encaps import generate_frames
    from pydicom.pixels.decoders.base import get_decoder

    syntax = str(dataset.file_meta.TransferSyntaxUID)
    if syntax != _DEFLATED_FRAMES and (syntax, bits) != (_RLE, 1):
        decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
        for at, (pixels, _) in enumerate(decoder.iter_array(dataset, raw=True)):
            if at < n_frames:
                yield np.asarray(pixels).reshape(shape_hw)
        return
    n_pixels = shape_hw[0] * shape_hw[1]
    needed = (n_pixels * bits + 7) // 8
    for frame in generate_frames(dataset.PixelData, number_of_frames=n_frames):
        if syntax == _DEFLATED_FRAMES:
            unpacked = zlib.decompressobj(wbits=-zlib.MAX_WBITS).decompress(frame, needed + 1)
        else:
            unpacked = _unpack_rle(frame, n_pixels)
        if len(unpacked) < needed:
            raise BrokenFile(
                f"{path} has a frame of {len(unpacked)} bytes in place of {needed}; get a complete copy"
            )
        yield _pixels(unpacked, n_pixels, bits).reshape(shape_hw)


def _pixels(unpacked: bytes, n_pixels: int, bits: int) -> NDArray[Any]:
    """Values of one frame's bytes; a byte a pixel is taken for what it is where bits were announced."""
    values = np.frombuffer(unpacked, dtype=np.uint8)
    if bits == 16:
        return values[: 2 * n_pixels].view("<u2").astype(np.uint16)
    if bits == 8 or values.size >= n_pixels:
        return values[:n_pixels]
    return np.unpackbits(values, bitorder="little")[:n_pixels]


def _unpack_rle(frame: bytes, most_bytes: int) -> bytes:
    """Expand the one segment of an RLE frame (PS3.5 annex G), at most so many bytes of it."""
    start = int.from_bytes(frame[4:8], "little") if len(frame) >= _RLE_HEADER_BYTES else 0
    at, result = max(start, _RLE_HEADER_BYTES), bytearray()
    while at < len(frame) and len(result) < most_bytes:
        control, at = frame[at], at + 1
        if control < 128:
            result += frame[at : at + control + 1]
            at += control + 1
        elif control > 128:
            result += frame[at : at + 1] * (257 - control)
            at += 1
    return bytes(result)
