"""What the headers of DICOM files say about each image plane."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from volumes._dicom.plane_tags import TAGS, PlaneTags, read_tags
from volumes._dicom.raw_pixels import RawPixels, find_raw_pixels
from volumes.errors import BrokenFile, UnreadableFile

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

_TAGS = [
    "SOPClassUID", "Modality", "SeriesInstanceUID", "SeriesDescription", "InstanceNumber",
    "FrameOfReferenceUID", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation",
    "NumberOfFrames", "BitsStored", "PixelRepresentation", "ImagePositionPatient", "ImageOrientationPatient",
    "PixelSpacing",
    "ImagerPixelSpacing", "SliceThickness", "SpacingBetweenSlices", "RescaleSlope", "RescaleIntercept",
    "WindowCenter", "WindowWidth", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
    *TAGS, "BitsAllocated", "ModalityLUTSequence",
]  # fmt: skip
# Images only by their file format: segmentations, doses.
_NOT_AN_IMAGE = {
    "1.2.840.10008.5.1.4.1.1.66.4": "a segmentation (DICOM SEG)",
    "1.2.840.10008.5.1.4.1.1.66.7": "a label map (DICOM SEG)",
    "1.2.840.10008.5.1.4.1.1.481.2": "a radiotherapy dose",
}
_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x02", b"\x00\x08")


@dataclass(frozen=True)
class PlaneHeader:
    """One plane of pixels: one file, or one frame of a multi-frame file.

    ``orientation`` holds the row direction (along which columns count up) and the column direction, six
    numbers; ``spacing_hw_mm`` the distance of rows and of columns; ``window`` (low, high) in rescaled values.
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
    slope: float
    intercept: float
    window: tuple[float, float] | None
    number: int | None
    tags: PlaneTags = field(default_factory=PlaneTags)
    raw: RawPixels | None = None


@dataclass(frozen=True)
class FileHeaders:
    """What one file holds: its planes, or, where there are none, what it is instead."""

    planes: tuple[PlaneHeader, ...]
    instead: str = ""


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Keep pydicom's warnings about odd values off stderr."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def looks_like_dicom(head: bytes) -> bool:
    """Whether the first bytes are a DICOM file's, with its preamble or, as old files have it, without."""
    if head[128:132] == b"DICM":
        return True
    # Without a preamble a file begins with an element of group 2 or 8: two letters (explicit) or a length.
    has_vr = head[4:6].isalpha() and head[4:6].isupper()
    has_length = len(head) >= 8 and int.from_bytes(head[4:8], "little") < 256
    return head[:2] in _GROUPS and (has_vr or has_length)


@cache
def _tag_numbers() -> list[Any]:
    """Return the tags that are read, as numbers: looking up names for each file would take as long."""
    from pydicom.tag import Tag

    return [Tag(keyword) for keyword in _TAGS]


def read_dataset(path: Path, *, with_pixels: bool, stream: BinaryIO | None = None) -> FileDataset:
    """Read a DICOM file, with or without its pixels; give it a transfer syntax where it lacks one.

    A `stream` of the file, where given, is left standing at the pixels.

    Raises
    ------
    BrokenFile
        If pydicom cannot read it.
    """
    import pydicom
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    try:
        with quiet_pydicom():
            if with_pixels:
                dataset = pydicom.dcmread(path, force=True)
            else:
                dataset = pydicom.dcmread(
                    stream or path, stop_before_pixels=True, force=True, specific_tags=_tag_numbers()
                )
    except (
        Exception
    ) as error:  # pydicom raises what its parser met: OSError, EOFError, struct.error, AttributeError …
        raise BrokenFile(f"{path} cannot be read as DICOM: {error}; get an undamaged copy") from error
    if "TransferSyntaxUID" not in dataset.file_meta:
        is_implicit, is_little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else explicit
    return dataset


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
        with path.open("rb") as stream:
            dataset = read_dataset(path, with_pixels=False, stream=stream)
            return _headers_of(dataset, path, stream)
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}; check its permissions") from error


def _headers_of(dataset: FileDataset, path: Path, stream: BinaryIO) -> FileHeaders:
    """Make plane headers of a file's header; `stream` stands at the pixels."""
    sop_class = str(dataset.get("SOPClassUID", ""))
    instead = _NOT_AN_IMAGE.get(sop_class)
    if instead is not None or "Rows" not in dataset or "Columns" not in dataset:
        return FileHeaders((), instead or f"not an image ({_name_of(sop_class)})")
    try:
        with quiet_pydicom():
            n_frames = int(dataset.get("NumberOfFrames") or 1)
            raw = find_raw_pixels(dataset, stream)
            planes = tuple(_plane(dataset, path, frame, n_frames) for frame in range(n_frames))
            planes = tuple(replace(plane, raw=raw) for plane in planes) if raw is not None else planes
    except (TypeError, ValueError, OverflowError, AttributeError, IndexError) as error:
        raise BrokenFile(
            f"{path} has a DICOM header with a value that makes no sense: {error}; mend or leave it out"
        ) from error
    if min(planes[0].shape_hw, default=0) < 1:
        raise BrokenFile(f"{path} says it has {planes[0].shape_hw} rows and columns; mend or leave it out")
    return FileHeaders(planes)


def _name_of(sop_class: str) -> str:
    """Readable name of a SOP class."""
    from pydicom.uid import UID

    return UID(sop_class).name if sop_class else "no SOP class, no rows and columns"


def _plane(dataset: Dataset, path: Path, frame: int, n_frames: int) -> PlaneHeader:
    """Header of one frame, with the functional groups of enhanced images where they are."""
    shared = _groups(dataset, "SharedFunctionalGroupsSequence", 0)
    own = _groups(dataset, "PerFrameFunctionalGroupsSequence", frame)

    def value(keyword: str, macro: str) -> Any:
        for group in (own, shared):
            if group is not None and group.get(macro) and group[macro][0].get(keyword) is not None:
                return group[macro][0].get(keyword)
        return dataset.get(keyword)

    position = _numbers(value("ImagePositionPatient", "PlanePositionSequence"), 3)
    if n_frames > 1 and own is None:
        position = None  # the file gives one position for all its frames
    bits, is_signed = int(dataset.get("BitsStored") or 16), int(dataset.get("PixelRepresentation") or 0) == 1
    number = dataset.get("InstanceNumber")
    return PlaneHeader(
        path=path,
        frame=frame,
        series_uid=str(dataset.get("SeriesInstanceUID", "")),
        modality=str(dataset.get("Modality", "")),
        description=str(dataset.get("SeriesDescription", "")),
        frame_uid=str(dataset.FrameOfReferenceUID) if dataset.get("FrameOfReferenceUID") else None,
        shape_hw=(int(dataset.Rows), int(dataset.Columns)),
        is_colour=int(dataset.get("SamplesPerPixel") or 1) == 3
        or dataset.get("PhotometricInterpretation") == "PALETTE COLOR",
        photometric=str(dataset.get("PhotometricInterpretation", "MONOCHROME2")),
        stored_range=(-(1 << bits - 1), (1 << bits - 1) - 1) if is_signed else (0, (1 << bits) - 1),
        position_mm=position,
        orientation=_numbers(value("ImageOrientationPatient", "PlaneOrientationSequence"), 6)
        if position
        else None,
        spacing_hw_mm=_pixel_spacing(
            value("PixelSpacing", "PixelMeasuresSequence"), dataset.get("ImagerPixelSpacing")
        ),
        thickness_mm=_thickness(value, dataset),
        slope=float(_first(value("RescaleSlope", "PixelValueTransformationSequence"), 1.0)),
        intercept=float(_first(value("RescaleIntercept", "PixelValueTransformationSequence"), 0.0)),
        window=_window(
            value("WindowCenter", "FrameVOILUTSequence"), value("WindowWidth", "FrameVOILUTSequence")
        ),
        number=None if number in (None, "") else int(number),
        tags=read_tags(dataset, own, shared),
    )


def _groups(dataset: Dataset, keyword: str, item: int) -> Dataset | None:
    """Functional groups of one frame; None where the file has none."""
    sequence = dataset.get(keyword)
    return sequence[item] if sequence else None


def _numbers(value: Any, n_values: int) -> tuple[float, ...] | None:
    """Return that many finite numbers, or None where the element is absent or empty."""
    if value is None or value == "":
        return None
    numbers = tuple(float(number) for number in value)
    if len(numbers) != n_values or not all(math.isfinite(number) for number in numbers):
        raise ValueError(f"{numbers} in place of {n_values} finite numbers")
    return numbers


def _first(value: Any, otherwise: float | None) -> Any:
    """First of one or several values; `otherwise` where there is none."""
    if value is None or value == "":
        return otherwise
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value[0] if len(value) else otherwise
    return value


def _pixel_spacing(value: Any, at_detector: Any) -> tuple[float, float] | None:
    """Distance of rows and columns in mm, at the patient or else at the detector; None where unusable."""
    for candidate in (value, at_detector):
        if candidate is None or candidate == "":
            continue
        try:
            row_mm, column_mm = (float(number) for number in candidate)
        except (TypeError, ValueError):
            continue
        if min(row_mm, column_mm) > 0 and math.isfinite(row_mm + column_mm):
            return row_mm, column_mm
    return None


def _thickness(value: Any, dataset: Dataset) -> float | None:
    """Distance of planes for a single plane: between slices, or else the slice's thickness."""
    for candidate in (dataset.get("SpacingBetweenSlices"), value("SliceThickness", "PixelMeasuresSequence")):
        number = abs(float(_first(candidate, None) or 0.0))
        if number > 0 and math.isfinite(number):
            return number
    return None


def _window(centre: Any, width: Any) -> tuple[float, float] | None:
    """First display window as (low, high); None where there is none or it is empty."""
    middle, full = _first(centre, None), _first(width, None)
    if middle is None or full is None or not math.isfinite(float(middle) + float(full)) or float(full) <= 0:
        return None
    return float(middle) - float(full) / 2, float(middle) + float(full) / 2
