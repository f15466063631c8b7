"""Streams, headers of streams and fragments that are damaged or of no known kind."""

from __future__ import annotations

import struct

import pytest
from pydicom.uid import JPEGLSLossless

from tests.volumes.dicom_streams import SMOOTH, jpeg
from volumes._dicom.codestreams import DamagedStream, StreamHeader, read_stream_header
from volumes._dicom.compression import Undecodable, check_fit, decode_frame
from volumes._dicom.encapsulated import DamagedFragments, find_fragments, split_frames
from volumes._dicom.pixel_layout import PixelElement, PixelLayout


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8\xff\xe0\x00\x10JFIF",
        b"\xff\xd8\x00\x00\x00\x00",
        b"\xff\xd8\xff\xda\x00\x08" + bytes(20),
        b"\xff\xd8\xff\xc9\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00",  # arithmetic coding
        b"\xff\xd8\xff\xc0\x00\x0b\x08\x00\x00\x00\x10\x01\x01\x11\x00",  # no rows
        b"\xff\xd8\xff\xc3\x00\x0b\x20\x00\x10\x00\x10\x01\x01\x11\x00",  # 32 bits
        b"\xff\xd8\xff\xf7\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00" + bytes(20),  # no end
        b"\x00\x00\x00\x0cjP  \r\n\x87\n",
        b"\xff\x4f\xff\x51",
    ],
)
def test_streams_that_cannot_be(data: bytes) -> None:
    with pytest.raises(DamagedStream):
        read_stream_header(data)


def j2k(
    width: int = 40, height: int = 24, tile: tuple[int, int] = (40, 24), parts: bytes = b"\7\1\1"
) -> bytes:
    size = struct.pack(">HIIIIIIIIH", 0, width, height, 0, 0, *tile, 0, 0, len(parts) // 3) + parts
    return b"\xff\x4f\xff\x51" + struct.pack(">H", len(size) + 2) + size


def test_jpeg_2000_headers() -> None:
    assert read_stream_header(j2k()) == StreamHeader("JPEG 2000", 24, 40, 1, 8, False, False)
    assert read_stream_header(j2k(parts=b"\x8b\1\1")).is_signed
    for bad in (
        j2k(width=0),
        j2k(tile=(0, 24)),
        j2k(60000, 60000, (1, 1)),
        j2k(parts=b"\7\1\1\7\2\2\7\2\2"),
        j2k(parts=b"\7\1\1" * 9),
    ):
        with pytest.raises(DamagedStream):
            read_stream_header(bad)


def test_fragments_that_cannot_be() -> None:
    for data in (
        b"",
        b"\xfe\xff\x00\xe0\x05\x00\x00\x00" + bytes(9),
        b"\xfe\xff\x00\xe0\xff\xff\xff\x7f",
        bytes(99),
    ):
        with pytest.raises(DamagedFragments):
            find_fragments(data)
    none = find_fragments(b"\xfe\xff\x00\xe0\x00\x00\x00\x00")
    with pytest.raises(DamagedFragments, match="has 0 fragments for 1 frames"):
        split_frames(b"", none, 1)


def test_damaged_and_unknown_frames_are_named() -> None:
    layout = PixelLayout(64, 80, 1, 1, 8, 8, 7, False, False, "MONOCHROME2")
    known = PixelElement("PixelData", 0, None, JPEGLSLossless, True)
    unknown = PixelElement("PixelData", 0, None, "1.2.840.10008.1.2.4.110", True)
    with pytest.raises(Undecodable, match="of a compression that is not known"):
        decode_frame(b"\1\2\3\4", unknown, layout)
    with pytest.raises(Undecodable, match="begins like no compression"):
        decode_frame(b"\1\2\3\4", known, layout)
    damaged = jpeg(SMOOTH)
    with pytest.raises(Undecodable, match="a frame of JPEG is damaged"):
        decode_frame(damaged[: len(damaged) // 2], known, layout)
    with pytest.raises(Undecodable, match="is 3x4x1"):
        check_fit(StreamHeader("JPEG", 3, 4, 1, 8), layout)
