"""PNG with 16 bits a channel in colour, which Pillow cuts down to 8: through SimpleITK or by halves."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._quiet import quiet_stderr
from volumes.errors import BrokenFile

__all__ = ["PngHeader", "png_header", "read_wide_png"]

_GREY_ALPHA, _COLOUR_ALPHA = 4, 6


@dataclass(frozen=True)
class PngHeader:
    """Size, bits a channel, and PNG's number of the kind of colour."""

    rows: int
    columns: int
    bits: int
    colour: int


def png_header(path: Path) -> PngHeader:
    """Read the header of a PNG.

    Raises
    ------
    BrokenFile
        If it is cut off.
    """
    with path.open("rb") as stream:
        head = stream.read(26)
    if len(head) < 26:
        raise BrokenFile(f"{path} is cut off in its header; get a complete copy")
    columns, rows, bits, colour = struct.unpack(">IIBB", head[16:26])
    return PngHeader(rows, columns, bits, colour)


def read_wide_png(path: Path) -> NDArray[Any]:
    """Grey (R, C) or colour (R, C, 3) of a PNG with 16 bits a channel, as uint16; alpha is left out.

    Raises
    ------
    BrokenFile
        If ITK cannot read it.
    """
    import SimpleITK as sitk

    if png_header(path).colour == _GREY_ALPHA:
        return _read_wide_grey_alpha(path)
    reader = sitk.ImageFileReader()
    reader.SetImageIO("PNGImageIO")
    reader.SetFileName(str(path))
    try:
        with quiet_stderr():
            pixels: NDArray[Any] = np.asarray(sitk.GetArrayFromImage(reader.Execute()))
    except RuntimeError as error:
        raise BrokenFile(f"{path} cannot be read as PNG with 16 bits; get an undamaged copy") from error
    pixels = np.squeeze(pixels, 0) if pixels.ndim == 4 else pixels
    if pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4):
        raise BrokenFile(f"{path} cannot be read as PNG with 16 bits; save it with 8 bits, or as TIFF")
    return np.ascontiguousarray(pixels[..., :3])


def _read_wide_grey_alpha(path: Path) -> NDArray[Any]:
    """Read grey with alpha, which ITK does not take, as colours of 8 bits with the same bytes."""
    from PIL import Image

    content = bytearray(path.read_bytes())
    content[24:26] = bytes((8, _COLOUR_ALPHA))
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
        halves = np.array(picture)
    return np.asarray(halves[..., 0].astype(np.uint16) << 8 | halves[..., 1])
