"""How a DICOM file lays out its pixels, and where in the file they are."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from volumes._dicom.elements import Elements
from volumes._dicom.header_warnings import SenselessElement, tag_name

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

_KEYWORDS = {0x0008: "FloatPixelData", 0x0009: "DoubleFloatPixelData", 0x0010: "PixelData"}
_REAL_BITS = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}
_UNDEFINED = 0xFFFFFFFF
_ITEM = b"\xfe\xff\x00\xe0"
_ENCAPSULATED = ("1.2.840.10008.1.2.4.", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.8.")
# MPEG-2, MPEG-4 (H.264) and HEVC, in all their profiles and levels.
_FILMS = tuple(f"1.2.840.10008.1.2.4.{number}" for number in range(100, 109))
_BITS = (1, 8, 12, 16, 32, 64)
_LONG_HEAD = (b"OB", b"OW", b"OF", b"OD", b"UN", b"OL", b"OV")
_RGB = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420")
_GREY = ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")


@dataclass(frozen=True)
class PixelElement:
    """The element that holds the pixels.

    ``offset_bytes`` is where its value begins in the file, None where the file is deflated as a whole;
    ``n_bytes`` its stated length, None where that is undefined, as for compressed frames. ``syntax`` is the
    transfer syntax; ``is_compressed`` says that the value is made of fragments; ``is_swapped`` that bytes lie
    swapped in words of 16 bits.
    """

    keyword: str
    offset_bytes: int | None
    n_bytes: int | None
    syntax: str
    is_compressed: bool = False
    is_little: bool = True
    is_swapped: bool = False

    @property
    def is_film(self) -> bool:
        """Whether all frames are one stream of a film's codec."""
        return self.is_compressed and self.syntax.startswith(_FILMS)


@dataclass(frozen=True)
class PixelLayout:
    """Size, depth and colour of the frames of a file.

    ``high_bit`` is the place of the highest bit that counts; ``is_planar`` says that each colour has a plane
    of its own; ``photometric`` is PhotometricInterpretation.
    """

    rows: int
    columns: int
    samples: int
    n_frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool
    is_planar: bool
    photometric: str

    @property
    def frame_bits(self) -> int:
        """Bits of one frame that is not compressed."""
        samples = 2 if self.photometric == "YBR_FULL_422" else self.samples
        return self.rows * self.columns * samples * self.bits_allocated

    @property
    def n_bytes(self) -> int:
        """Bytes of all frames that are not compressed."""
        return -(-self.frame_bits * self.n_frames // 8)

    @property
    def stored_range(self) -> tuple[int, int]:
        """Lowest and highest value that a pixel can have."""
        half = 1 << self.bits_stored - 1
        return (-half, half - 1) if self.is_signed else (0, 2 * half - 1)


def find_pixels(stream: BinaryIO, dataset: FileDataset) -> PixelElement | None:
    """Find the element with the pixels; None where the file ends before it.

    Parameters
    ----------
    stream : BinaryIO
        The file, standing where reading its header has stopped.
    dataset : pydicom.dataset.FileDataset
        The header, with its transfer syntax.
    """
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    is_implicit, is_little = (bool(flag) for flag in dataset.original_encoding)
    at, order = stream.tell(), "<" if is_little else ">"
    head = stream.read(12)
    if len(head) < 8:
        return None
    group, element = struct.unpack_from(f"{order}HH", head)
    keyword = _KEYWORDS.get(element) if group == 0x7FE0 else None
    if keyword is None:
        return None
    is_long = not is_implicit and head[4:6] in _LONG_HEAD
    if is_long and len(head) < 12:
        return None
    if is_implicit or is_long:
        (length,) = struct.unpack_from(f"{order}I", head, 8 if is_long else 4)
    else:
        (length,) = struct.unpack_from(f"{order}H", head, 6)
    offset = at + (12 if is_long else 8)
    stream.seek(offset)
    starts_with_item = stream.read(4) == _ITEM
    return PixelElement(
        keyword,
        offset,
        None if length == _UNDEFINED else length,
        syntax,
        length == _UNDEFINED or bool(starts_with_item and syntax.startswith(_ENCAPSULATED)),
        is_little,
        is_swapped=not is_little and head[4:6] != b"OB",
    )


def read_layout(header: Elements, pixels: PixelElement) -> PixelLayout:
    """Read the layout of the frames, and mend what is wrong in a usual way, with a note.

    Raises
    ------
    SenselessElement
        If a value that is needed makes no sense.
    """
    rows, columns = header.whole("Rows") or 0, header.whole("Columns") or 0
    if min(rows, columns) < 1:
        raise SenselessElement(f"{tag_name('Rows')} or {tag_name('Columns')} is 0")
    photometric = header.text("PhotometricInterpretation").upper()
    samples = _samples(header, photometric)
    photometric = _photometric(header, photometric, samples, is_compressed=pixels.is_compressed)
    if photometric == "YBR_FULL_422" and columns % 2 and not pixels.is_compressed:
        raise SenselessElement(f"{tag_name('Columns')} is odd, and colours are one for two columns")
    n_frames, is_sure = _n_frames(header)
    bits = _bits(header, pixels, rows * columns * samples * n_frames)
    layout = PixelLayout(
        rows, columns, samples, n_frames, *bits,
        is_signed=header.whole("PixelRepresentation") == 1,
        is_planar=samples == 3 and header.spare_number("PlanarConfiguration") == 1,
        photometric=photometric,
    )  # fmt: skip
    return layout if is_sure else _with_frames_counted(layout, pixels)


def _samples(header: Elements, photometric: str) -> int:
    """Return the number of samples a pixel; guessed from the colours where it is missing."""
    samples = header.whole("SamplesPerPixel")
    if samples is None:
        samples = 3 if photometric in _RGB else 1
        header.notes.add(f"{tag_name('SamplesPerPixel')} is missing; {samples} was assumed")
    return samples


def _photometric(header: Elements, photometric: str, samples: int, *, is_compressed: bool) -> str:
    """Return PhotometricInterpretation; what fits the samples where it is missing or cannot be."""
    usual = _GREY if samples == 1 else _RGB
    if photometric in ("YBR_ICT", "YBR_RCT") and samples == 3 and not is_compressed:
        header.notes.add(
            f"{tag_name('PhotometricInterpretation')} is {photometric}, of JPEG 2000 only; RGB was assumed"
        )
        return "RGB"
    if photometric in usual or (photometric and photometric not in (*_GREY, *_RGB)):
        return photometric
    assumed = "MONOCHROME2" if samples == 1 else "RGB"
    wrong = f"does not fit {samples} samples a pixel" if photometric else "is missing"
    header.notes.add(f"{tag_name('PhotometricInterpretation')} {wrong}; {assumed} was assumed")
    return assumed


def _n_frames(header: Elements) -> tuple[int, bool]:
    """Return the number of frames, and whether that is more than a guess."""
    try:
        n_frames = header.whole("NumberOfFrames")
    except SenselessElement:
        header.notes.add(f"{tag_name('NumberOfFrames')} holds no number; the frames were counted")
        return 1, False
    if n_frames is not None and n_frames < 1:
        header.notes.add(f"{tag_name('NumberOfFrames')} is {n_frames}; 1 was assumed")
    return max(n_frames or 1, 1), True


def _with_frames_counted(layout: PixelLayout, pixels: PixelElement) -> PixelLayout:
    """Count the frames by the length of the pixels, where that is known."""
    n_bits = (pixels.n_bytes or 0) * 8
    n_frames = n_bits // layout.frame_bits if n_bits else 1
    return replace(layout, n_frames=max(n_frames, 1))


def _bits(header: Elements, pixels: PixelElement, n_values: int) -> tuple[int, int, int]:
    """Return BitsAllocated, BitsStored and HighBit."""
    if pixels.keyword in _REAL_BITS:
        bits = _REAL_BITS[pixels.keyword]
        return bits, bits, bits - 1
    allocated = header.whole("BitsAllocated")
    if allocated is None:
        allocated = min(max(8 * math.ceil((pixels.n_bytes or 2 * n_values) // n_values), 8), 64)
        header.notes.add(f"{tag_name('BitsAllocated')} is missing; {allocated} was assumed")
    if allocated not in _BITS:
        raise SenselessElement(f"{tag_name('BitsAllocated')} is {allocated}, which is not read")
    stored, high = header.whole("BitsStored"), header.whole("HighBit")
    if stored is None or not 0 < stored <= allocated:
        if stored is not None or allocated != 1:
            header.notes.add(f"{tag_name('BitsStored')} is {stored}; {allocated} was assumed")
        stored = allocated
    if high is None or not stored - 1 <= high < allocated:
        if high is not None:
            header.notes.add(f"{tag_name('HighBit')} is {high}; {stored - 1} was assumed")
        high = stored - 1
    return allocated, stored, high
