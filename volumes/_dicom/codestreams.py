"""What a compressed frame says of itself: its marker segments, read before any decoder sees it.

The decoders are C libraries; one that is handed a size that does not fit, or a damaged header, may take all
memory, hang or crash, and none of that can be caught. The layouts are those of ITU-T T.81 (JPEG), T.87
(JPEG-LS) and T.800 (JPEG 2000).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_ALONE = (0x01, *range(0xD0, 0xD8))  # markers without a length
_FRAMES = {0xC0: "JPEG", 0xC1: "JPEG", 0xC2: "JPEG", 0xC3: "JPEG lossless", 0xF7: "JPEG-LS"}
_OTHER_FRAMES = (0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)  # hierarchical, arithmetic coding
_APP0, _APP14 = 0xE0, 0xEE
_J2K_START = b"\xff\x4f\xff\x51"
_JP2_START = b"\x00\x00\x00\x0cjP  "
_COD = b"\xff\x52"
_MOST_TILES = 65_535
_MOST_BITS = {"JPEG": 12, "JPEG lossless": 16, "JPEG-LS": 16, "JPEG 2000": 32}


class DamagedStream(ValueError):
    """A compressed frame whose header cannot be so."""


@dataclass(frozen=True)
class StreamHeader:
    """Header of a compressed frame.

    ``kind`` is JPEG, JPEG lossless, JPEG-LS or JPEG 2000; ``precision`` the bits of a sample. ``is_signed``
    is None where the compression cannot say. ``is_ybr`` is whether the stream says that its colours are
    luminance and chrominance (of JPEG 2000: that its decoder turns them back), None where it is silent.
    """

    kind: str
    rows: int
    columns: int
    samples: int
    precision: int
    is_signed: bool | None = None
    is_ybr: bool | None = None


def starts_a_stream(data: bytes) -> bool:
    """Whether bytes begin a compressed frame."""
    return data[:3] == b"\xff\xd8\xff" or data[:4] == _J2K_START or data[:8] == _JP2_START


def read_stream_header(stream: bytes, *, is_whole: bool = True) -> StreamHeader:
    """Read the header of a JPEG, JPEG-LS or JPEG 2000 frame.

    Parameters
    ----------
    stream : bytes
        The frame, or its beginning.
    is_whole : bool
        Whether it is the whole frame.

    Raises
    ------
    DamagedStream
        If it is none of them, or says what cannot be.
    """
    try:
        if stream[:2] == b"\xff\xd8":
            header = _read_jpeg(stream)
        elif stream[:4] == _J2K_START or stream[:8] == _JP2_START:
            header = _read_j2k(stream)
        else:
            raise DamagedStream("begins like no compression that is known")
    except (struct.error, IndexError):
        raise DamagedStream("ends within its header") from None
    if min(header.rows, header.columns, header.samples) < 1:
        raise DamagedStream("has no size")
    if header.kind == "JPEG-LS" and is_whole and not stream.rstrip(b"\0\xff").endswith(b"\xff\xd9"):
        raise DamagedStream("has no end")  # CharLS searches for it far beyond
    if not 1 <= header.precision <= _MOST_BITS[header.kind]:
        raise DamagedStream(f"claims {header.precision} bits a sample")
    return header


def _read_jpeg(stream: bytes) -> StreamHeader:
    """Walk the marker segments of a JPEG or JPEG-LS stream to its frame header."""
    at, is_ybr = 2, None
    while True:
        if stream[at] != 0xFF:
            raise DamagedStream("has a damaged marker")
        marker = stream[at + 1]
        if marker == 0xFF:  # fill bytes
            at += 1
            continue
        if marker in _ALONE:
            at += 2
            continue
        if marker in (_SOI, _EOI, _SOS) or marker in _OTHER_FRAMES:
            raise DamagedStream("has no frame header of a kind that is read")
        (length,) = struct.unpack_from(">H", stream, at + 2)
        body = stream[at + 4 : at + 2 + length]
        if marker in _FRAMES:
            return _jpeg_frame(_FRAMES[marker], body, is_ybr)
        if marker == _APP0 and body[:4] == b"JFIF" and is_ybr is None:
            is_ybr = True
        if marker == _APP14 and body[:5] == b"Adobe" and len(body) > 11:
            is_ybr = body[11] != 0
        at += 2 + max(length, 2)


def _jpeg_frame(kind: str, body: bytes, is_ybr: bool | None) -> StreamHeader:
    """Read a frame header: precision, lines, samples a line, then each component's name and sampling."""
    precision, rows, columns, samples = struct.unpack_from(">BHHB", body)
    names = bytes(body[6 + 3 * index] for index in range(samples))
    if names in (b"RGB", b"rgb"):
        is_ybr = False
    return StreamHeader(kind, rows, columns, samples, precision, None, is_ybr)


def _read_j2k(stream: bytes) -> StreamHeader:
    """Read the size segment, which comes first, and whether the colours are transformed."""
    start = stream.find(_J2K_START)
    if start < 0:
        raise DamagedStream("holds no JPEG 2000 codestream")
    length, _, right, bottom, left, top = struct.unpack_from(">HHIIII", stream, start + 4)
    tile_w, tile_h, tile_left, tile_top, samples = struct.unpack_from(">IIIIH", stream, start + 24)
    if not 0 < samples <= 4 or length < 38 + 3 * samples or right <= left or bottom <= top:
        raise DamagedStream("has no size")
    if not tile_w or not tile_h or tile_left > left or tile_top > top:
        raise DamagedStream("has tiles without a size")
    if -(-(right - tile_left) // tile_w) * -(-(bottom - tile_top) // tile_h) > _MOST_TILES:
        raise DamagedStream("has too many tiles")
    depths = {stream[start + 42 + 3 * index] for index in range(samples)}
    steps = {stream[start + 43 + 3 * index : start + 45 + 3 * index] for index in range(samples)}
    if len(depths) != 1 or steps != {b"\x01\x01"}:
        raise DamagedStream("has components of different depths or sizes, which are not read")
    depth = depths.pop()
    style = stream.find(_COD, start)
    turns_back = samples == 3 and style > 0 and stream[style + 8] == 1
    return StreamHeader(
        "JPEG 2000", bottom - top, right - left, samples, (depth & 0x7F) + 1, depth > 127, turns_back
    )
