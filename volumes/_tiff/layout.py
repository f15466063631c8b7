"""How the pages of a TIFF are stored, and how the bytes of a strip become numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._tiff.codecs import DECODED, PICTURES, Strip

if TYPE_CHECKING:
    from tifffile import TiffPage

__all__ = ["Layout", "Page", "describe_page", "numbers"]

_YCBCR, _JPEG = 6, 7
_HORIZONTAL, _FLOATING = 2, 3


@dataclass(frozen=True)
class Layout:
    """How all pages of a series are stored.

    ``bits`` a value; ``plane_wise`` where each sample has strips of its own; ``chunk`` rows and columns of a
    strip or tile; ``strip`` as `Strip`, of a whole strip.
    """

    rows: int
    columns: int
    samples: int
    bits: int
    dtype: np.dtype[Any]
    plane_wise: bool
    is_tiled: bool
    chunk: tuple[int, int]
    predictor: int
    strip: Strip

    @property
    def grid(self) -> tuple[int, int]:
        """Number of strips or tiles down and across."""
        return -(-self.rows // self.chunk[0]), -(-self.columns // self.chunk[1])


@dataclass(frozen=True)
class Page:
    """Where the strips or tiles of a page are."""

    path: Path
    offsets: tuple[int, ...]
    counts: tuple[int, ...]


def describe_page(page: TiffPage) -> Layout | None:
    """Describe how a page is stored; None where that is not read here."""
    samples, bits = page.samplesperpixel, page.bitspersample
    plane_wise = samples > 1 and int(page.planarconfig or 1) == 2
    expected = (samples, page.imagelength, page.imagewidth) if plane_wise else (
        page.imagelength, page.imagewidth, samples)  # fmt: skip
    shape = tuple(page.shape) if samples > 1 else (*page.shape, 1)
    is_packed = bits < 16 and bits != 8
    if (
        page.dtype is None
        or shape != expected
        or page.imagedepth != 1
        or page.compression not in DECODED
        or page.fillorder != 1
        or not isinstance(bits, int)
        or (is_packed and page.dtype.kind not in "bu")
        or (not is_packed and bits != page.dtype.itemsize * 8)
        or page.predictor not in (1, _HORIZONTAL, _FLOATING)
        or (int(page.photometric) == _YCBCR and (page.compression != _JPEG or plane_wise))
        or (page.compression == _JPEG and (bits != 8 or page.jpegheader is not None))
    ):
        return None
    chunk = (page.tilelength, page.tilewidth) if page.is_tiled else (
        min(page.rowsperstrip or page.imagelength, page.imagelength), page.imagewidth)  # fmt: skip
    strip = Strip(
        int(page.compression),
        chunk[0],
        chunk[1],
        1 if plane_wise else samples,
        bits,
        int(page.photometric),
        tuple(page.subsampling or (1, 1)),  # type: ignore[arg-type]
        bytes(page.jpegtables or b""),
    )
    dtype = (
        page.dtype.newbyteorder(page.parent.byteorder) if strip.compression not in PICTURES else page.dtype
    )
    return Layout(
        page.imagelength, page.imagewidth, samples, bits, dtype, plane_wise, bool(page.is_tiled), chunk,
        int(page.predictor), strip,
    )  # fmt: skip


def numbers(decoded: bytes, strip: Strip, layout: Layout) -> NDArray[Any]:
    """Turn the bytes of a strip into numbers (S, R, C), and take back its predictor."""
    shape = (strip.rows, strip.columns, strip.samples)
    native = layout.dtype.newbyteorder("=")
    if layout.bits not in (8, 16, 32, 64):
        values = _unpacked(decoded, strip)
    elif layout.predictor == _FLOATING:
        values = _from_byte_planes(decoded, strip, native)
    else:
        values = np.frombuffer(decoded, layout.dtype).reshape(shape).astype(native)
        if layout.predictor == _HORIZONTAL and native.kind in "iu":
            unsigned = values.view(f"u{native.itemsize}")
            values = np.cumsum(unsigned, axis=1, dtype=unsigned.dtype).view(native)
    return np.ascontiguousarray(np.moveaxis(values.reshape(shape), -1, 0).astype(native, copy=False))


def _unpacked(decoded: bytes, strip: Strip) -> NDArray[Any]:
    """Numbers of any few bits, most significant bit first, each row starting on a byte."""
    rows = np.frombuffer(decoded, np.uint8).reshape(strip.rows, strip.row_bytes)
    bits = np.unpackbits(rows, axis=1)[:, : strip.columns * strip.samples * strip.bits]
    weights = (1 << np.arange(strip.bits - 1, -1, -1)).astype(np.uint16)
    return np.asarray(bits.reshape(strip.rows, -1, strip.bits) @ weights)


def _from_byte_planes(decoded: bytes, strip: Strip, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Real numbers of which each row holds all first bytes, then all second ones …, as differences."""
    rows = np.frombuffer(decoded, np.uint8).reshape(strip.rows, -1, strip.samples)
    summed = np.cumsum(rows, axis=1, dtype=np.uint8).reshape(strip.rows, dtype.itemsize, -1)
    return np.ascontiguousarray(np.moveaxis(summed, 1, -1)).view(dtype.newbyteorder(">"))[..., 0]
