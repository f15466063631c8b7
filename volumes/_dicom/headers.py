"""What the headers of DICOM files say about each image plane."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from volumes._dicom.compression import note_stream
from volumes._dicom.dataset import quiet_pydicom, read_dataset, read_header
from volumes._dicom.elements import Elements
from volumes._dicom.functional_groups import FrameElements, counts_of, frames_of
from volumes._dicom.header_warnings import HeaderNotes, SenselessElement, tag_name
from volumes._dicom.not_images import name_of_class, name_without_pixels
from volumes._dicom.pixel_checks import check_length, room_bytes, settle_high_bit
from volumes._dicom.pixel_layout import PixelElement, PixelLayout, find_pixels, read_layout
from volumes._dicom.places import places_of
from volumes._dicom.plane_tags import PlaneTags, read_tags
from volumes._dicom.raw_pixels import RawPixels, find_raw_pixels
from volumes._dicom.suv import uptake_of
from volumes._dicom.value_transforms import Scale, note_padding, scale_of
from volumes._dicom.voi import window_of
from volumes._limits import DEFLATE, PICTURE_CODEC, check_claim
from volumes.errors import BrokenFile, UnreadableFile, VolumeError

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

__all__ = ["FileHeaders", "PlaneHeader", "looks_like_dicom", "quiet_pydicom", "read_dataset", "read_headers"]

_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08")
_COLOURS = ("RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420")
_GREYS = ("MONOCHROME1", "MONOCHROME2")
_SAME_DISTANCE_MM, _SAME_DISTANCE = 0.06, 0.02
# Bytes that one byte of a frame can stand for at most, where that is less than in pictures' codecs.
_RATIOS = {"1.2.840.10008.1.2.5": 64.0, "1.2.840.10008.1.2.8.1": DEFLATE}
_LEAST_FRAGMENT = 10  # bytes of the shortest fragment, its item's head included


@dataclass(frozen=True)
class PlaneHeader:
    """One plane of pixels: one file, or one frame of a multi-frame file.

    ``orientation`` holds the row direction (along which columns count up) and the column direction, six
    numbers; ``spacing_hw_mm`` the distance of rows and of columns; ``thickness_mm`` that of planes for a
    single one, ``between_mm`` what the file says of neighbouring ones; ``window`` (low, high) in rescaled
    values; ``table_range`` the lowest and highest value of the modality's table, if there is one;
    ``suv_factor`` makes rescaled PET values SUVbw. ``pixels`` and ``layout`` say where the pixels are and how
    they lie; ``notes`` are what was odd in the header and what was assumed; ``tags`` tell repeats of a plane
    from each other.
    """

    path: Path
    frame: int
    series_uid: str
    modality: str
    description: str
    frame_uid: str | None
    shape_hw: tuple[int, int]
    is_colour: bool
    photometric: str
    stored_range: tuple[int, int]
    position_mm: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing_hw_mm: tuple[float, float] | None
    thickness_mm: float | None
    between_mm: float | None
    slope: float
    intercept: float
    table_range: tuple[float, float] | None
    suv_factor: float | None
    window: tuple[float, float] | None
    number: int | None
    pixels: PixelElement
    layout: PixelLayout
    notes: tuple[str, ...] = ()
    tags: PlaneTags = field(default_factory=PlaneTags)
    raw: RawPixels | None = None


@dataclass(frozen=True)
class FileHeaders:
    """What one file holds: its planes, or, where there are none, what it is instead."""

    planes: tuple[PlaneHeader, ...]
    instead: str = ""


def looks_like_dicom(head: bytes) -> bool:
    """Whether the first bytes are a DICOM file's, with its preamble or, as old files have it, without."""
    if head[128:132] == b"DICM":
        return True
    # Without a preamble a file begins with an element of group 2 or 8: two letters (explicit) or a length.
    has_vr = head[4:6].isalpha() and head[4:6].isupper()
    has_length = len(head) >= 8 and int.from_bytes(head[4:8], "little") < 256
    return head[:2] in _GROUPS and (has_vr or has_length)


def read_headers(path: Path) -> FileHeaders:
    """Read the planes' headers of one DICOM file.

    Raises
    ------
    BrokenFile
        If the file is damaged, or a value that is needed makes no sense.
    UnreadableFile
        If the system refuses it.
    """
    try:
        with path.open("rb") as stream, quiet_pydicom():
            dataset, names_syntax = read_header(path, stream)
            header = Elements(dataset, HeaderNotes())
            _note_file(dataset, header, names_syntax=names_syntax)
            return _headers_of(dataset, header, path, stream)
    except VolumeError:
        raise
    except SenselessElement as reason:
        raise _senseless(path, str(reason)) from None
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}; check its permissions") from error
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError):
        raise _senseless(path, "it contradicts itself") from None  # damage that nothing foresaw


def _senseless(path: Path, reason: str) -> BrokenFile:
    """Return the error for a header that makes no sense."""
    return BrokenFile(f"{path} has a DICOM header that makes no sense: {reason}; mend or leave it out")


def _headers_of(dataset: FileDataset, header: Elements, path: Path, stream: BinaryIO) -> FileHeaders:
    """Make plane headers of a file's header; `stream` stands at the pixels."""
    meta = Elements(dataset.file_meta, header.notes)
    sop_class = header.text("SOPClassUID") or meta.text("MediaStorageSOPClassUID")
    instead = name_of_class(sop_class) or _without_size(header, sop_class) or _not_read(header)
    if instead:
        return FileHeaders((), instead)
    pixels = _pixels_of(dataset, path, stream)
    if pixels is None:
        raise BrokenFile(f"{path} has no pixels, or ends before them; get a complete copy")
    layout = read_layout(header, pixels)
    is_film_only = layout.photometric == "YBR_PARTIAL_420" and not pixels.is_film
    if layout.photometric not in (*_COLOURS, *_GREYS) or layout.samples not in (1, 3) or is_film_only:
        return FileHeaders((), f"an image of {layout.samples} samples a pixel in colours that are not read")
    _check_claim(layout, pixels, header, path, stream)
    layout = settle_high_bit(layout, pixels, header, stream)
    note_stream(pixels, layout, header, stream)
    planes = _planes(header, path, pixels, layout)
    notes = header.notes.as_tuple()
    return FileHeaders(tuple(replace(plane, notes=notes) for plane in planes))


def _without_size(header: Elements, sop_class: str) -> str:
    """Say what a file without rows and columns is."""
    missing = [tag_name(keyword) for keyword in ("Rows", "Columns") if not header.has(keyword)]
    return name_without_pixels(sop_class, " and ".join(missing)) if missing else ""


def _not_read(header: Elements) -> str:
    """Say what kind of image, sound as it is, is not read."""
    whole = [header.spare_number(f"TotalPixelMatrix{name}") or 0.0 for name in ("Rows", "Columns")]
    own = [header.number(name) or 0.0 for name in ("Rows", "Columns")]
    if header.text("DimensionOrganizationType").startswith("TILED") or any(
        total > tile for total, tile in zip(whole, own, strict=True)
    ):
        return f"a slide of {whole[0]:g} rows and {whole[1]:g} columns in tiles" if whole != own else ""
    return ""


def _pixels_of(dataset: FileDataset, path: Path, stream: BinaryIO) -> PixelElement | None:
    """Find the pixels; of a file that is deflated as a whole by inflating it."""
    if dataset.file_meta.TransferSyntaxUID != "1.2.840.10008.1.2.1.99":
        return find_pixels(stream, dataset)
    found = read_dataset(path, with_pixels=True).get("PixelData")
    if not isinstance(found, bytes):
        return None
    return PixelElement("PixelData", None, len(found), str(dataset.file_meta.TransferSyntaxUID))


def _check_claim(
    layout: PixelLayout, pixels: PixelElement, header: Elements, path: Path, stream: BinaryIO
) -> None:
    """Raise where the file cannot hold what its header claims."""
    if pixels.offset_bytes is None:
        room, ratio = path.stat().st_size, DEFLATE
    else:
        room = room_bytes(stream, pixels)
        ratio = _RATIOS.get(pixels.syntax, PICTURE_CODEC) if pixels.is_compressed else 1.0
    if pixels.is_compressed and not pixels.is_film and layout.n_frames * _LEAST_FRAGMENT > room:
        raise SenselessElement(
            f"{tag_name('NumberOfFrames')} is {layout.n_frames}, more than the file can hold"
        )
    if pixels.is_compressed or pixels.offset_bytes is None:
        shape = (layout.n_frames, layout.rows, layout.columns, layout.samples)
        check_claim(path, shape, -(-layout.bits_allocated // 8), room, ratio)
    check_length(layout, pixels, header, room)


def _note_file(dataset: FileDataset, header: Elements, *, names_syntax: bool) -> None:
    """Note what the file lacks around its elements."""
    if getattr(dataset, "preamble", None) is None:
        header.notes.add("the file lacks the DICOM preamble")
    if not names_syntax:
        name = dataset.file_meta.TransferSyntaxUID.name
        header.notes.add(f"{tag_name('TransferSyntaxUID')} is missing; {name} was assumed")


def _planes(header: Elements, path: Path, pixels: PixelElement, layout: PixelLayout) -> Sequence[PlaneHeader]:
    """Make the headers of all frames."""
    frames = frames_of(header, layout.n_frames)
    places = places_of(frames)
    uptake = uptake_of(header)
    if uptake is not None:
        header.notes.add(uptake.note)
    number = header.spare_number("InstanceNumber")
    is_colour = layout.samples == 3 or layout.photometric == "PALETTE COLOR"
    planes = []
    for at, (frame, place) in enumerate(zip(frames, places, strict=True)):
        scale = scale_of(frame)
        if not is_colour:
            note_padding(frame, scale, layout.stored_range[1])
        planes.append(
            PlaneHeader(
                path=path,
                frame=at,
                series_uid=header.text("SeriesInstanceUID"),
                modality=header.text("Modality"),
                description=_text(header, "SeriesDescription"),
                frame_uid=header.text("FrameOfReferenceUID") or None,
                shape_hw=(layout.rows, layout.columns),
                is_colour=is_colour,
                photometric=layout.photometric,
                stored_range=layout.stored_range,
                position_mm=place.position_mm,
                orientation=place.orientation,
                spacing_hw_mm=place.spacing_hw_mm,
                thickness_mm=place.thickness_mm,
                between_mm=place.between_mm,
                slope=scale.slope,
                intercept=scale.intercept,
                table_range=scale.table_range,
                suv_factor=None if uptake is None else uptake.factor,
                window=None if is_colour else _window(frame, pixels, layout, scale),
                number=None if number is None else int(number),
                pixels=pixels,
                layout=layout,
                tags=_tags_of(frame, at),
                raw=find_raw_pixels(pixels, layout, has_table=scale.table_range is not None),
            )
        )
    return planes


def _window(
    frame: FrameElements, pixels: PixelElement, layout: PixelLayout, scale: Scale
) -> tuple[float, float] | None:
    """Return the frame's window, held against the values that its pixels can have."""
    is_real = pixels.keyword != "PixelData"
    stored = (-math.inf, math.inf) if is_real else layout.stored_range
    return window_of(frame, scale.of_range(*stored))


def _tags_of(frame: FrameElements, at: int) -> PlaneTags:
    """Return what tells the frame from others at its position."""
    tags = read_tags(frame.file, frame.own, frame.shared)
    counts = () if tags.dimensions else counts_of(frame.file, at)
    return replace(tags, dimensions=counts) if counts else tags


def _text(header: Elements, keyword: str) -> str:
    """Return a text in its own character set."""
    try:
        return str(header.dataset.get(keyword) or "")
    except Exception:  # pydicom raises whatever it meets in the text
        return header.text(keyword)


def note_distances(planes: Sequence[PlaneHeader], distance_mm: float) -> tuple[str, ...]:
    """Note where the headers state another distance of planes than their positions have.

    Parameters
    ----------
    planes : sequence of PlaneHeader
        Planes of one volume.
    distance_mm : float
        Distance of neighbouring planes by their positions.
    """
    stated = {abs(plane.between_mm) for plane in planes if plane.between_mm and plane.position_mm}
    off = [
        mm for mm in stated if abs(mm - distance_mm) > max(_SAME_DISTANCE_MM, _SAME_DISTANCE * distance_mm)
    ]
    if len(planes) < 2 or not off:
        return ()
    stated_mm = f"{tag_name('SpacingBetweenSlices')} says {off[0]:.4g} mm"
    return (f"{stated_mm}, the positions {distance_mm:.4g} mm; the positions were taken",)
