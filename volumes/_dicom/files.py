"""Find the DICOM files of a folder or a DICOMDIR, and read their headers once."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from volumes._dicom.dicomdir import read_dicomdir
from volumes._dicom.grouping import without_copies
from volumes._dicom.headers import FileHeaders, PlaneHeader, looks_like_dicom, quiet_pydicom, read_headers
from volumes.errors import BrokenFile, NoDicomFound, UnreadableFile

__all__ = ["DamagedFile", "FoundPlanes", "damaged_note", "find_in_dicomdir", "find_in_folder", "holds_dicom"]

_HEAD_BYTES = 132
_DICOM_SUFFIXES = (".dcm", ".dicom", ".ima")
_DIRECTORY = "1.2.840.10008.1.3.10"
_SERIES_UID = 0x0020000E
_N_NAMED = 3


@dataclass(frozen=True)
class DamagedFile:
    """A DICOM file whose header cannot be read: its series where that much could be, and what is wrong."""

    path: Path
    series_uid: str | None
    message: str


@dataclass(frozen=True)
class FoundPlanes:
    """All planes of a folder, and what else there was.

    Parameters
    ----------
    planes : tuple of PlaneHeader
        Without copies.
    damaged : tuple of DamagedFile
        Files that should be images.
    missing : dict of str to int
        How many files of a series a DICOMDIR names that are not there.
    notes : tuple of str
        What was left out.
    """

    planes: tuple[PlaneHeader, ...]
    damaged: tuple[DamagedFile, ...] = ()
    missing: tuple[tuple[str, int], ...] = ()
    notes: tuple[str, ...] = ()


def holds_dicom(folder: Path) -> bool:
    """Whether a DICOM file, of whatever kind, lies in a folder or below it."""
    return next(_dicom_files(folder), None) is not None


def find_in_folder(folder: Path) -> FoundPlanes:
    """Read the headers of all DICOM files in a folder and below it.

    Raises
    ------
    NoDicomFound
        If none of them is an image.
    BrokenFile
        If all that could be images are damaged.
    UnreadableFile
        If the system refuses a folder or a file.
    """
    return _read_all(_dicom_files(folder), folder)


def find_in_dicomdir(path: Path) -> FoundPlanes:
    """Read the headers of the files that a DICOMDIR refers to.

    Raises
    ------
    NoDicomFound
        If none of them is there, or none is an image.
    BrokenFile, UnreadableFile
        As `find_in_folder`, or if the DICOMDIR itself is damaged.
    """
    directory = read_dicomdir(path)
    if directory.missing and not directory.files:
        raise NoDicomFound(
            f"{path} names {sum(count for _, count in directory.missing)} files and none of them is there; "
            "copy the whole disc, with the folders beside its DICOMDIR"
        )
    found = _read_all(directory.files, path)
    return FoundPlanes(found.planes, found.damaged, directory.missing, found.notes)


def _dicom_files(folder: Path) -> Iterator[Path]:
    """Yield the DICOM files in a folder and below it, by content, in order of their names."""

    def refuse(error: OSError) -> None:
        raise UnreadableFile(
            f"{error.filename or folder} cannot be read: {error.strerror}; check its permissions"
        ) from error

    for root, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        for name in sorted(names):
            path = Path(root, name)
            if _is_dicom(path):
                yield path


def _is_dicom(path: Path) -> bool:
    """Whether a file is DICOM by its first bytes, or empty and DICOM by its name."""
    try:
        if not path.is_file():
            return False
        with path.open("rb", buffering=0) as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}; check its permissions") from error
    return looks_like_dicom(head) if head else path.suffix.lower() in _DICOM_SUFFIXES


def _read_all(files: Iterable[Path], where: Path) -> FoundPlanes:
    """Read headers; sort images from damaged files and from what is no image."""
    planes: list[PlaneHeader] = []
    damaged: list[DamagedFile] = []
    others: Counter[str] = Counter()
    for path in files:
        try:
            headers = read_headers(path)
        except BrokenFile as error:
            damaged.append(DamagedFile(path, _series_of(path), str(error)))
            continue
        planes += headers.planes
        if lost := _lost_image(headers, path):
            damaged.append(DamagedFile(path, _series_of(path), lost))
        elif headers.instead and not _is_directory(path):
            others[headers.instead] += 1
    if not planes:
        raise _nothing(damaged, others, where)
    kept, n_copies = without_copies(planes)
    return FoundPlanes(kept, tuple(damaged), notes=tuple(_notes(others, n_copies)))


def _lost_image(headers: FileHeaders, path: Path) -> str:
    """Say how a file without planes shows that it was an image; empty where it does not."""
    if " Image" in headers.instead or "(Image" in headers.instead:
        return f"{path} is an image without rows and columns; get an undamaged copy"
    return "" if headers.planes or path.stat().st_size else f"{path} is empty; get a complete copy"


def _nothing(damaged: list[DamagedFile], others: Counter[str], where: Path) -> BrokenFile | NoDicomFound:
    """Say why there is no image."""
    if damaged:
        return BrokenFile(damaged[0].message)
    found = f"only {', '.join(sorted(others))}" if others else "no DICOM file"
    return NoDicomFound(f"{where} holds no DICOM image, {found}; pass the folder with the image files")


def _notes(others: Counter[str], n_copies: int) -> Iterator[str]:
    """Say what was left out."""
    if others:
        listed = "; ".join(f"{what}: {count}" for what, count in sorted(others.items()))
        yield f"files that are no images were left out ({listed})"
    if n_copies:
        yield f"copies of other files were left out: {n_copies}"


def damaged_note(damaged: Iterable[DamagedFile]) -> str:
    """Say which damaged files were left out."""
    names = [file.path.name for file in damaged]
    more = f" and {len(names) - _N_NAMED} more" if len(names) > _N_NAMED else ""
    return f"damaged files of other series were left out: {', '.join(names[:_N_NAMED])}{more}"


def _is_directory(path: Path) -> bool:
    """Whether a file that is no image is a DICOMDIR, which says nothing that its folder does not."""
    with path.open("rb") as stream:
        return _DIRECTORY.encode() in stream.read(4096)


def _series_of(path: Path) -> str | None:
    """Return the series of a damaged file, where its header is sound up to there."""
    from pydicom.filereader import read_partial

    try:
        with quiet_pydicom(), path.open("rb") as stream:
            dataset = read_partial(
                stream, stop_when=lambda tag, *_: tag > _SERIES_UID, force=True, specific_tags=[_SERIES_UID]
            )
            return str(dataset.SeriesInstanceUID) or None
    except Exception:  # a damaged file: whatever pydicom meets
        return None
