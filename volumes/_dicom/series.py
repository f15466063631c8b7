"""DICOM files, folders and discs: find the volumes, choose one, read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from volumes._dicom.dicomdir import is_dicomdir
from volumes._dicom.files import FoundPlanes, damaged_note, find_in_dicomdir, find_in_folder, holds_dicom
from volumes._dicom.grouping import PlaneGroup, group_planes
from volumes._dicom.headers import PlaneHeader, looks_like_dicom, read_headers
from volumes._dicom.pixels import header_notes, in_one_unit, is_turned, mirrored_window, read_planes
from volumes._dicom.stack import Stack, spread, stack_planes
from volumes._dicom.tilt import straightened
from volumes.errors import BrokenFile, MissingSlices, UnsupportedImage
from volumes.series import ReadOptions, SeriesInfo, choose_series
from volumes.volume import PlaneSource, Provenance, Volume


@dataclass(frozen=True)
class DicomReader:
    """One DICOM file, or the DICOMDIR of a disc; a folder goes through `DicomFolderReader`."""

    name: str = "DICOM"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the first bytes are a DICOM file's."""
        return looks_like_dicom(head)

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """List the volumes of the file."""
        return tuple(group.info for group in group_planes(_planes_of(path, head).planes))

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read the file's one plane, one volume of a multi-frame file, or one series of a DICOMDIR.

        Raises
        ------
        UnsupportedImage
            If the file is no image (a structure set, a report, a segmentation …).
        """
        return _read_chosen(_planes_of(path, head), path, options)


@dataclass(frozen=True)
class DicomFolderReader:
    """A folder with DICOM files in it or below it."""

    name: str = "DICOM folder"

    def claims(self, folder: Path) -> bool:
        """Whether the folder holds a DICOM file, whatever it is."""
        return holds_dicom(folder)

    def list_series(self, folder: Path) -> tuple[SeriesInfo, ...]:
        """List the volumes of the folder."""
        return tuple(group.info for group in group_planes(find_in_folder(folder).planes))

    def read(self, folder: Path, options: ReadOptions) -> Volume:
        """Read one volume of the folder; files that are no images are left out, with a note.

        Raises
        ------
        NoDicomFound
            If there is no DICOM image.
        MixedSeries
            If there are several volumes and none was chosen.
        UnknownSeries
            If the chosen one is not there.
        BrokenFile
            If a damaged file belongs to it.
        MissingSlices, UnevenSpacing, DuplicateSlices, TiltedGantry
            If its planes make no regular volume.
        """
        return _read_chosen(find_in_folder(folder), folder, options)


def _planes_of(path: Path, head: bytes) -> FoundPlanes:
    """Find the planes of one file."""
    if is_dicomdir(head):
        return find_in_dicomdir(path)
    headers = read_headers(path)
    if not headers.planes:
        holds_labels = headers.instead.endswith(("(DICOM SEG)", "(RTSTRUCT)"))
        remedy = "read it as labels (read_labels), or pass" if holds_labels else "pass"
        raise UnsupportedImage(
            f"{path} is {headers.instead}; {remedy} the file or folder of the images it belongs to"
        )
    return FoundPlanes(headers.planes)


def _read_chosen(found: FoundPlanes, path: Path, options: ReadOptions) -> Volume:
    """Read the volume asked for, or the only one."""
    groups = group_planes(found.planes)
    group = groups[choose_series([group.info for group in groups], options.series, path)]
    notes = [*found.notes, *_without_damaged(group, found), *_without_missing(group, found, path, options)]
    return _read_group(group, notes, options)


def _without_damaged(group: PlaneGroup, found: FoundPlanes) -> list[str]:
    """Raise BrokenFile where a damaged file belongs to the series; note the others.

    A file whose series cannot be read belongs to the one that all sound files of its folder belong to.
    """
    uid, others = group.info.series_uid, []
    for file in found.damaged:
        beside = {plane.series_uid for plane in found.planes if plane.path.parent == file.path.parent}
        if file.series_uid == uid or (file.series_uid is None and beside == {uid}):
            raise BrokenFile(file.message)
        others.append(file)
    return [damaged_note(others)] if others else []


def _without_missing(group: PlaneGroup, found: FoundPlanes, path: Path, options: ReadOptions) -> list[str]:
    """Raise MissingSlices where files of the series that a DICOMDIR names are not there; note the others."""
    own = sum(count for uid, count in found.missing if uid == group.info.series_uid)
    if own and not options.allow_gaps:
        raise MissingSlices(
            f"{path} names {own} files of this series that are not there; copy the whole disc, "
            "or pass allow_gaps=True (--allow-gaps) to read what is there"
        )
    total = sum(count for _, count in found.missing)
    return [f"the DICOMDIR names {total} files that are not there, {own} of this series"] if total else []


def _read_group(group: PlaneGroup, notes: Sequence[str], options: ReadOptions) -> Volume:
    """Read the pixels of a group as a volume."""
    stack = stack_planes(_without_mosaic(group.planes), options)
    first = stack.planes[0]
    every_note = [
        *notes,
        *group.notes,
        *stack.notes,
        *header_notes(stack.planes, stack.geometry.spacing_mm[0]),
    ]
    if first.photometric == "MONOCHROME1":
        done = (
            "was turned round" if is_turned(first) else "was not turned round, its values are measured ones"
        )
        every_note.append(f"MONOCHROME1 {done}")
    windows = {found for plane in in_one_unit(stack.planes) if (found := mirrored_window(plane)) is not None}
    if len(windows) > 1:
        every_note.append("the planes suggest different windows; the middle one was taken for all")
    window: tuple[float, float] | None = None
    if windows and not first.is_colour:
        low, high = np.median(sorted(windows), axis=0)
        window = float(low), float(high)
    data, geometry = spread(read_planes(stack.planes), stack.grid), stack.geometry
    if options.straighten and stack.is_tilted:
        data, geometry = straightened(data, geometry)
    provenance = Provenance(
        "DICOM", first.modality or None, first.series_uid or None, tuple(every_note), _sources(stack)
    )
    return Volume(data, geometry, provenance, window)


def _without_mosaic(planes: tuple[PlaneHeader, ...]) -> tuple[PlaneHeader, ...]:
    """Raise UnsupportedImage where each plane is a sheet with all planes of a volume on it."""
    if any("MOSAIC" in plane.tags.image_type for plane in planes):
        raise UnsupportedImage(
            f"{planes[0].path} is a mosaic: a sheet with all planes of a volume; "
            "convert it, for example with dcm2niix, and read the NIfTI"
        )
    return planes


def _sources(stack: Stack) -> tuple[PlaneSource | None, ...]:
    """Say where each plane of the volume came from; None for those that are filled in."""
    sources: list[PlaneSource | None] = [None] * stack.grid.n_places
    for place, plane in zip(stack.grid.places_idx, stack.planes, strict=True):
        sources[place] = PlaneSource(plane.path, plane.frame)
    return tuple(sources)
