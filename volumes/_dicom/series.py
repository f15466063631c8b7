"""DICOM files and folders: find the series, choose one, read it as a volume."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from volumes._dicom.headers import PlaneHeader, looks_like_dicom, read_headers
from volumes._dicom.pixels import header_notes, in_one_unit, is_turned, mirrored_window, read_planes
from volumes._dicom.stack import stack_planes
from volumes.errors import NoDicomFound, UnreadableFile, UnsupportedImage
from volumes.series import ReadOptions, SeriesInfo, choose_series
from volumes.volume import PlaneSource, Provenance, Volume

_HEAD_BYTES = 132
_SAME_DIRECTION = 0.01
_SAME_SPACING = 0.01


@dataclass(frozen=True)
class _Group:
    """Planes that may make one volume."""

    info: SeriesInfo
    planes: tuple[PlaneHeader, ...]


@dataclass(frozen=True)
class DicomReader:
    """One DICOM file; a folder goes through `read_dicom_folder`."""

    name: str = "DICOM"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the first bytes are a DICOM file's."""
        return looks_like_dicom(head)

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """List the volumes of the file."""
        return tuple(group.info for group in _grouped(_planes_of(path)))

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read the file's one plane, or all frames of a multi-frame file.

        Raises
        ------
        UnsupportedImage
            If the file is no image (a structure set, a report, a segmentation …).
        """
        return _read_chosen(_grouped(_planes_of(path)), path, options)


@dataclass(frozen=True)
class DicomFolderReader:
    """A folder of DICOM files, or of folders with them."""

    name: str = "DICOM folder"

    def claims(self, folder: Path) -> bool:
        """Whether the folder holds a DICOM file, whatever it is."""
        return bool(dicom_files(folder))

    def list_series(self, folder: Path) -> tuple[SeriesInfo, ...]:
        """List the volumes of the folder."""
        return tuple(group.info for group in _groups_of(folder))

    def read(self, folder: Path, options: ReadOptions) -> Volume:
        """Read one series of the folder; files that are no images are left out.

        Raises
        ------
        NoDicomFound
            If there is no DICOM image.
        MixedSeries
            If there are several series and none was chosen.
        UnknownSeries
            If the chosen one is not there.
        MissingSlices, UnevenSpacing, DuplicateSlices, TiltedGantry
            If its planes make no regular volume.
        """
        return _read_chosen(_groups_of(folder), folder, options)


def _planes_of(path: Path) -> tuple[PlaneHeader, ...]:
    """Planes of one file."""
    headers = read_headers(path)
    if not headers.planes:
        raise UnsupportedImage(
            f"{path} is {headers.instead}; pass the file or folder of the images it belongs to"
        )
    return headers.planes


def dicom_files(folder: Path) -> tuple[Path, ...]:
    """DICOM files of a folder, by content, in order of names; of its subfolders where it has none itself."""
    own = tuple(path for path in sorted(_entries(folder)) if path.is_file() and _is_dicom(path))
    if any(path.name.upper() != "DICOMDIR" for path in own):
        return own
    below = sorted(
        Path(root, name) for root, _, names in os.walk(folder) for name in names if Path(root) != folder
    )
    return tuple(path for path in below if path.is_file() and _is_dicom(path))


def _entries(folder: Path) -> list[Path]:
    """List a folder."""
    try:
        return list(folder.iterdir())
    except OSError as error:
        raise UnreadableFile(f"{folder} cannot be read: {error.strerror}; check its permissions") from error


def _is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its first bytes."""
    try:
        with path.open("rb") as stream:
            return looks_like_dicom(stream.read(_HEAD_BYTES))
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}; check its permissions") from error


def _groups_of(path: Path) -> tuple[_Group, ...]:
    """Find the groups of planes in a folder."""
    files = dicom_files(path)
    headers = [read_headers(file) for file in files]
    planes = [plane for header in headers for plane in header.planes]
    if not planes:
        seen = sorted({header.instead for header in headers if header.instead})
        found = f"only {', '.join(seen)}" if seen else "no DICOM file"
        raise NoDicomFound(f"{path} holds no DICOM image, {found}; pass the folder with the image files")
    return _grouped(planes)


def _grouped(planes: Sequence[PlaneHeader]) -> tuple[_Group, ...]:
    """Group planes by series and by what one volume must share, in order of their keys."""
    groups: dict[str, list[list[PlaneHeader]]] = {}
    for plane in planes:
        siblings = groups.setdefault(plane.series_uid, [])
        home = next((group for group in siblings if _fits(plane, group[0])), None)
        if home is None:
            siblings.append([plane])
        else:
            home.append(plane)
    result = []
    for uid, siblings in sorted(groups.items()):
        for number, group in enumerate(sorted(siblings, key=len, reverse=True), start=1):
            key = uid if len(siblings) == 1 else f"{uid}/{number}"
            first = group[0]
            info = SeriesInfo(key, first.modality, first.description, (len(group), *first.shape_hw), uid)
            result.append(_Group(info, tuple(group)))
    return tuple(result)


def _fits(plane: PlaneHeader, other: PlaneHeader) -> bool:
    """Whether two planes of a series may lie in one volume: size, colour, orientation, pixel spacing."""
    if (plane.shape_hw, plane.is_colour) != (other.shape_hw, other.is_colour):
        return False
    if (plane.orientation is None) != (other.orientation is None):
        return False
    if plane.orientation is not None and other.orientation is not None:
        apart = np.abs(np.subtract(plane.orientation, other.orientation)).max()
        if apart > _SAME_DIRECTION:
            return False
    if plane.spacing_hw_mm is None or other.spacing_hw_mm is None:
        return plane.spacing_hw_mm is other.spacing_hw_mm
    return bool(np.allclose(plane.spacing_hw_mm, other.spacing_hw_mm, rtol=_SAME_SPACING, atol=0.0))


def _read_chosen(groups: Sequence[_Group], path: Path, options: ReadOptions) -> Volume:
    """Read the group asked for, or the only one."""
    return _read_group(groups[choose_series([group.info for group in groups], options.series, path)])


def _read_group(group: _Group) -> Volume:
    """Read the pixels of a group as a volume."""
    stack = stack_planes(group.planes)
    first = stack.planes[0]
    notes = [*stack.notes, *header_notes(stack.planes, stack.geometry.spacing_mm[0])]
    if first.photometric == "MONOCHROME1":
        done = (
            "was turned round" if is_turned(first) else "was not turned round, its values are measured ones"
        )
        notes.append(f"MONOCHROME1 {done}")
    windows = {found for plane in in_one_unit(stack.planes) if (found := mirrored_window(plane)) is not None}
    if len(windows) > 1:
        notes.append("the planes suggest different windows; the middle one was taken for all")
    window: tuple[float, float] | None = None
    if windows and not first.is_colour:
        low, high = np.median(sorted(windows), axis=0)
        window = float(low), float(high)
    sources = tuple(PlaneSource(plane.path, plane.frame) for plane in stack.planes)
    provenance = Provenance("DICOM", first.modality or None, first.series_uid or None, tuple(notes), sources)
    return Volume(read_planes(stack.planes), stack.geometry, provenance, window)
