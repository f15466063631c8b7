"""The images that labels were drawn on, as DICOM objects made from them refer to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.headers import quiet_pydicom
from volumes._dicom.study import SHARED, study_of
from volumes.errors import (
    BrokenFile,
    ForeignLabels,
    MissingFile,
    UnreadableFile,
    UnsupportedImage,
    UnwritableOutput,
    VolumeError,
)
from volumes.geometry import Geometry
from volumes.volume import Volume

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "ImageReference",
    "ImageReferences",
    "check_frame",
    "check_written",
    "damage_as_error",
    "referenced_images",
]

_PLACE = (
    "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "NumberOfFrames", "Rows",
    "Columns", "ImagePositionPatient", "ImageOrientationPatient", "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence", "SpecificCharacterSet", "Modality", "LossyImageCompression",
    "LossyImageCompressionRatio", "LossyImageCompressionMethod",
)  # fmt: skip
_SAME_DIRECTION = 1e-3


@dataclass(frozen=True)
class ImageReference:
    """One image plane of a file: its class, its instance, its frame (from 1; None for a single-frame file).

    ``position_mm`` is (x, y, z) of the first pixel's centre, ``directions`` the row and the column direction
    (2, 3); None where the file does not say.
    """

    sop_class: str
    sop_instance: str
    frame: int | None
    shape_hw: tuple[int, int]
    position_mm: NDArray[np.float64] | None
    directions: NDArray[np.float64] | None

    def is_at(self, geometry: Geometry, plane: int, tolerance_mm: float) -> bool:
        """Whether it lies where a geometry has that plane, with the same rows and columns."""
        if self.position_mm is None or self.directions is None or self.shape_hw != geometry.shape[1:]:
            return False
        expected = geometry.index_to_mm((plane, 0, 0))
        turned = np.abs(self.directions - geometry.directions[:, [2, 1]].T).max()
        return bool(np.linalg.norm(self.position_mm - expected) <= tolerance_mm and turned <= _SAME_DIRECTION)


@dataclass(frozen=True)
class ImageReferences:
    """The images of a volume: what they say of patient and study, their series, one reference a plane.

    ``study`` holds values of the patient and study modules that conform to the standard, text decoded;
    ``planes`` None for planes that were filled in.
    """

    study: Dataset
    series_uid: str
    frame_uid: str | None
    planes: tuple[ImageReference | None, ...]

    @property
    def instances(self) -> tuple[ImageReference, ...]:
        """One plane of each file, in order."""
        first: dict[str, ImageReference] = {}
        for plane in self.planes:
            if plane is not None:
                first.setdefault(plane.sop_instance, plane)
        return tuple(first.values())

    @property
    def are_placed(self) -> bool:
        """Whether all images say where they lie."""
        return all(plane is None or plane.position_mm is not None for plane in self.planes)

    def positions_mm(self, geometry: Geometry, tolerance_mm: float) -> NDArray[np.float64]:
        """First pixel's centre of each plane, (P, 3): the file's own where it is as near as that."""
        n_planes = geometry.shape[0]
        indices = np.zeros((n_planes, 3))
        indices[:, 0] = np.arange(n_planes)
        positions = geometry.index_to_mm(indices)
        for index, plane in enumerate(self.planes):
            if plane is not None and plane.is_at(geometry, index, tolerance_mm):
                positions[index] = plane.position_mm
        return positions


@contextmanager
def damage_as_error(path: Path, what: str) -> Iterator[None]:
    """Turn whatever pydicom, or code on its values, raises on a damaged file into one line without values."""
    try:
        with quiet_pydicom():
            yield
    except VolumeError:
        raise
    except FileNotFoundError as error:
        raise MissingFile(f"{path} is no longer there; put it back, or read the images again") from error
    except OSError as error:
        if error.strerror is None:
            raise BrokenFile(f"{path} is damaged as {what}; get an undamaged copy") from error
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}; check its permissions") from error
    except Exception as error:
        raise BrokenFile(
            f"{path} is damaged as {what} ({type(error).__name__}); get an undamaged copy"
        ) from error


def referenced_images(like: Volume, path: Path, what: str) -> ImageReferences:
    """Look up the files of a volume for an object that refers to them.

    Parameters
    ----------
    like : Volume
        The image, read from DICOM files that are still there.
    path : Path
        The output, for the message.
    what : str
        The kind of output, for the message.

    Raises
    ------
    UnsupportedImage
        If the volume was not read from DICOM, or its files lack the identifiers that are needed.
    MissingFile, BrokenFile
        If a file has gone or changed.
    """
    sources = like.provenance.sources
    if len(sources) != like.shape[0] or not any(sources):
        raise UnsupportedImage(
            f"cannot write {path}: {what} refers to DICOM images, and the image was read from "
            f"{like.provenance.format}; "
            "write to .nii.gz, or give the DICOM series that they were drawn on (like, --like)"
        )
    headers: dict[Path, Dataset] = {}
    planes: list[ImageReference | None] = []
    for source in sources:
        if source is None:
            planes.append(None)
            continue
        if source.path not in headers:
            headers[source.path] = _header(source.path)
        with damage_as_error(source.path, "a DICOM image"):
            planes.append(_reference(headers[source.path], source.frame, path, what))
    first = next(iter(headers.values()))
    with damage_as_error(next(iter(headers)), "a DICOM image"):
        series_uid = str(first.get("SeriesInstanceUID") or "")
        frame_uid = like.geometry.frame_uid or first.get("FrameOfReferenceUID")
        if not series_uid:
            raise UnsupportedImage(_lacking(path, "series", what))
        return ImageReferences(
            study_of(first), series_uid, str(frame_uid) if frame_uid else None, tuple(planes)
        )


def check_frame(frame_uids: Set[str], series_uids: Set[str], like: Volume, path: Path) -> None:
    """Raise ForeignLabels where a file says that it lies in another frame of reference than the image.

    One that names the image's series belongs to it in any case; where either is silent, nothing is known.
    """
    frame_uid, series_uid = like.geometry.frame_uid, like.provenance.series_uid
    stated = frame_uids - {""}
    if frame_uid and stated and frame_uid not in stated and series_uid not in series_uids:
        raise ForeignLabels(
            f"{path} lies in another frame of reference than the image; give the series that it was drawn on"
        )


def check_written(path: Path, labels: NDArray[Any], read_back: Callable[[], NDArray[Any]]) -> None:
    """Raise UnwritableOutput unless what was written reads back as the labels."""
    try:
        is_same = np.array_equal(read_back(), labels)
    except VolumeError as error:
        raise UnwritableOutput(
            f"cannot write {path}: it does not read back ({type(error).__name__}); write to .nii.gz"
        ) from error
    if not is_same:
        raise UnwritableOutput(
            f"cannot write {path}: it does not read back as what was written; write to .nii.gz"
        )


def _header(path: Path) -> Dataset:
    """Read of a file what is shared with, and referred to by, objects made from it."""
    import pydicom

    tags: list[Any] = [*SHARED, *_PLACE]
    with damage_as_error(path, "a DICOM image"):
        return pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=tags)


def _lacking(path: Path, identifier: str, what: str) -> str:
    return (
        f"cannot write {path}: the image files hold no {identifier} identifier, which {what} needs to refer "
        "to them; write to .nii.gz"
    )


def _reference(header: Dataset, frame: int, path: Path, what: str) -> ImageReference:
    """Refer to one frame of a file."""
    if not header.get("SOPClassUID") or not header.get("SOPInstanceUID"):
        raise UnsupportedImage(_lacking(path, "instance", what))
    is_multi = "NumberOfFrames" in header and int(header.NumberOfFrames or 1) > 1
    is_multi = is_multi or "PerFrameFunctionalGroupsSequence" in header
    position = _numbers(header, frame, "PlanePositionSequence", "ImagePositionPatient")
    directions = _numbers(header, frame, "PlaneOrientationSequence", "ImageOrientationPatient")
    return ImageReference(
        str(header.SOPClassUID),
        str(header.SOPInstanceUID),
        frame + 1 if is_multi else None,
        (int(header.Rows), int(header.Columns)),
        position if directions is not None else None,
        None if directions is None else directions.reshape(2, 3),
    )


def _numbers(header: Dataset, frame: int, macro: str, keyword: str) -> NDArray[np.float64] | None:
    """Numbers of a frame's own functional group, the shared one, or the file."""
    places = [header]
    for keyword_of_groups, item in (
        ("SharedFunctionalGroupsSequence", 0),
        ("PerFrameFunctionalGroupsSequence", frame),
    ):
        groups = header.get(keyword_of_groups)
        if groups and item < len(groups) and groups[item].get(macro):
            places.append(groups[item][macro][0])
    for place in reversed(places):
        value = place.get(keyword)
        if value:
            return np.array([float(number) for number in value], dtype=np.float64)
    return None
