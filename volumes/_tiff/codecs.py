"""Decode one strip or tile of a TIFF.

What Python and this package's libraries decode is decoded by them. For LZW, PackBits, JPEG and the fax codes
the strip is put into a TIFF of its own in memory, for Pillow's libtiff, so that numbers of every width are
decoded.
"""

from __future__ import annotations

import io
import lzma
import struct
import threading
import warnings
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from volumes._quiet import quiet_stderr

__all__ = ["DECODED", "MOST_RATIO", "PICTURES", "Strip", "decode_strip"]

_opening = threading.Lock()
"""Filters of warnings are the process's, and strips are decoded by several threads."""

_NONE, _FAX, _LZW, _JPEG, _PACKBITS, _LZMA = 1, (2, 3, 4), 5, 7, 32773, 34925
_DEFLATE = (8, 32946)
_ZSTD = (50000, 34926)
_WEBP = (50001, 34927)
_JPEG2000 = (33003, 33004, 33005, 34712)
_YCBCR_JPEG2000 = 33003
_YCBCR, _RGB, _GREY = 6, 2, 1
DECODED = frozenset({_NONE, *_FAX, _LZW, _JPEG, _PACKBITS, _LZMA, *_DEFLATE, *_ZSTD, *_WEBP, *_JPEG2000})
"""Numbers of the compressions that are decoded here."""

PICTURES = frozenset({_JPEG, *_WEBP, *_JPEG2000})
"""Those whose numbers have no byte order of the file."""

MOST_RATIO = 50_000.0
"""How far the compressions go."""


@dataclass(frozen=True)
class Strip:
    """What is known of a strip or tile before it is decoded.

    Parameters
    ----------
    compression : int
        TIFF's number of it.
    rows, columns, samples : int
        Its size in pixels and values a pixel.
    bits : int
        Bits a value.
    photometric : int
        TIFF's number of the colours' meaning.
    subsampling : tuple of int
        Of the colours in JPEG.
    tables : bytes
        JPEG tables that the strips of a page share.
    """

    compression: int
    rows: int
    columns: int
    samples: int
    bits: int
    photometric: int = _GREY
    subsampling: tuple[int, int] = (1, 1)
    tables: bytes = b""

    @property
    def row_bytes(self) -> int:
        """Bytes of a row, decoded."""
        return -(-self.columns * self.samples * self.bits // 8)

    @property
    def n_bytes(self) -> int:
        """Bytes of all rows, decoded."""
        return self.rows * self.row_bytes


def decode_strip(data: bytes, strip: Strip) -> bytes:
    """Decode a strip into `Strip.n_bytes` bytes, still with its predictor.

    Raises
    ------
    Exception
        Whatever the library raises on damaged data; ValueError where too few bytes come out.
    """
    decoded = _decoded(data, strip)
    if len(decoded) < strip.n_bytes:
        raise ValueError(f"a strip of {strip.n_bytes} bytes holds {len(decoded)}")
    return decoded[: strip.n_bytes]


def _decoded(data: bytes, strip: Strip) -> bytes:
    code = strip.compression
    if code == _NONE:
        return data
    if code in _DEFLATE:
        return zlib.decompressobj().decompress(data, strip.n_bytes)
    if code == _LZMA:
        return lzma.LZMADecompressor().decompress(data, strip.n_bytes)
    if code in _ZSTD:
        from numcodecs.zstd import Zstd

        return bytes(Zstd().decode(data))
    if code in (*_WEBP, *_JPEG2000):
        return _picture(data, strip).tobytes()
    return _through_libtiff(data, strip)


def _picture(data: bytes, strip: Strip) -> NDArray[np.generic]:
    """Decode a strip that is a picture of its own."""
    from PIL import Image

    if strip.compression in _JPEG2000 and strip.bits != 8:
        return _wide_jpeg2000(data, strip)
    with _open(data) as picture:
        _check_size(picture.size, strip)
        if strip.compression == _YCBCR_JPEG2000:
            channels = Image.merge("YCbCr", picture.convert("RGB").split())
            return np.array(channels.convert("RGB"))
        pixels = np.array(picture)
    if pixels.size != strip.rows * strip.columns * strip.samples or pixels.dtype.itemsize * 8 != strip.bits:
        raise ValueError(f"a tile holds a picture of another kind, {pixels.shape} {pixels.dtype}")
    return pixels


def _wide_jpeg2000(data: bytes, strip: Strip) -> NDArray[np.generic]:
    """Decode numbers of more than 8 bits, which Pillow would cut down in colours."""
    import openjpeg

    pixels = np.asarray(openjpeg.decode(data))  # type: ignore[attr-defined]
    if pixels.size != strip.rows * strip.columns * strip.samples or pixels.dtype.itemsize * 8 != strip.bits:
        raise ValueError(f"a tile holds a picture of another kind, {pixels.shape} {pixels.dtype}")
    return pixels


def _through_libtiff(data: bytes, strip: Strip) -> bytes:
    """Decode a strip inside a TIFF that is made for it."""
    code = strip.compression
    if code == _JPEG:
        size = (strip.columns, strip.rows)
        bits, samples = [8] * strip.samples, strip.samples
        photometric = _GREY if samples == 1 else strip.photometric
    elif code in _FAX:
        size, bits, samples, photometric = (strip.columns, strip.rows), [1], 1, _GREY
    else:
        size, bits, samples, photometric = (strip.row_bytes, strip.rows), [8], 1, _GREY
    tags: list[tuple[int, int, Sequence[int] | bytes]] = [
        (256, 4, [size[0]]), (257, 4, [size[1]]), (258, 3, bits), (259, 3, [code]), (262, 3, [photometric]),
        (273, 4, [0]), (277, 3, [samples]), (278, 4, [size[1]]), (279, 4, [len(data)]), (284, 3, [1]),
    ]  # fmt: skip
    if code == _JPEG and strip.tables:
        tags.append((347, 7, strip.tables))
    if code == _JPEG and photometric == _YCBCR:
        tags.append((530, 3, strip.subsampling))
    with _open(_tiff(data, tags)) as picture:
        _check_size(picture.size, strip, size)
        with quiet_stderr():  # libtiff says there what is damaged
            picture.load()
        if code in _FAX:
            return np.packbits(np.array(picture), axis=1).tobytes()
        return np.array(picture).tobytes()


def _tiff(data: bytes, tags: Sequence[tuple[int, int, Sequence[int] | bytes]]) -> bytes:
    """Put a strip behind the directory of a little-endian TIFF."""
    directory_bytes = 2 + 12 * len(tags) + 4
    at = 8 + directory_bytes
    entries, extra = b"", b""
    places = []
    for tag, kind, values in tags:
        packed = (
            values if isinstance(values, bytes) else struct.pack(f"<{len(values)}{'HI'[kind == 4]}", *values)
        )
        places.append((tag, kind, len(values), packed))
    total_extra = sum(len(packed) + len(packed) % 2 for *_, packed in places if len(packed) > 4)
    for tag, kind, count, packed in places:
        stored = struct.pack("<I", at + total_extra) if tag == 273 else packed
        if len(stored) > 4:
            value = struct.pack("<I", at + len(extra))
            extra += stored + b"\0" * (len(stored) % 2)
        else:
            value = stored.ljust(4, b"\0")
        entries += struct.pack("<HHI", tag, kind, count) + value
    head = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags))
    return head + entries + b"\0\0\0\0" + extra + data


def _open(data: bytes):  # type: ignore[no-untyped-def]
    """Open a picture in memory, without Pillow's warnings."""
    from PIL import Image

    with _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Image.open(io.BytesIO(data))


def _check_size(found: tuple[int, int], strip: Strip, wanted: tuple[int, int] | None = None) -> None:
    wanted = wanted or (strip.columns, strip.rows)
    if found != wanted:
        raise ValueError(f"a tile of {wanted[0]}x{wanted[1]} holds a picture of {found[0]}x{found[1]}")
