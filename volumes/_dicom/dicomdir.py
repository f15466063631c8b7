"""The table of contents of a DICOM disc: which files it names, and which of them are there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from volumes._dicom.headers import quiet_pydicom
from volumes.errors import BrokenFile

__all__ = ["DicomDir", "is_dicomdir", "read_dicomdir"]

_DIRECTORY_CLASS = b"1.2.840.10008.1.3.10"


@dataclass(frozen=True)
class DicomDir:
    """What a DICOMDIR refers to.

    Parameters
    ----------
    files : tuple of Path
        Files that are there, in the order of its records.
    missing : tuple of (str, int)
        For each SeriesInstanceUID (empty where there is none), how many files are not there.
    """

    files: tuple[Path, ...]
    missing: tuple[tuple[str, int], ...]


def is_dicomdir(head: bytes) -> bool:
    """Whether the first bytes of a DICOM file say that it is a DICOMDIR."""
    return head[128:132] == b"DICM" and _DIRECTORY_CLASS in head[:1024]


def read_dicomdir(path: Path) -> DicomDir:
    """Follow the records of a DICOMDIR.

    Files are found whatever the case of their names and with or without the version (``;1``) that some discs
    add. A record that leads out of the DICOMDIR's folder counts as missing.

    Raises
    ------
    BrokenFile
        If pydicom cannot read it.
    """
    import pydicom

    try:
        with quiet_pydicom():
            dataset = pydicom.dcmread(path, force=True)
            records = list(dataset.get("DirectoryRecordSequence") or [])
            references = list(_references(records))
    except Exception as error:  # pydicom raises what its parser met
        raise BrokenFile(f"{path} is a damaged DICOMDIR; pass its folder instead") from error
    listings: dict[Path, dict[str, Path]] = {}
    files: dict[Path, None] = {}
    missing: Counter[str] = Counter()
    for series_uid, parts in references:
        found = _find(path.parent, parts, listings)
        if found is None:
            missing[series_uid] += 1
        else:
            files[found] = None
    return DicomDir(tuple(files), tuple(sorted(missing.items())))


def _references(records: list[Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the series and the path's parts of each file that is named, following the records' own links."""
    by_offset = {record.seq_item_tell: record for record in records}
    seen: set[int] = set()
    linked = {
        record.get("OffsetOfReferencedLowerLevelDirectoryEntity") or 0: str(record.get("SeriesInstanceUID"))
        for record in records
        if record.get("DirectoryRecordType") == "SERIES"
    }
    for start, series_uid in linked.items():
        at = start
        while at in by_offset and at not in seen:
            seen.add(at)
            record = by_offset[at]
            if parts := _parts_of(record):
                yield series_uid, parts
            at = record.get("OffsetOfTheNextDirectoryRecord") or 0
    for offset, record in by_offset.items():
        if offset not in seen and (parts := _parts_of(record)):
            yield "", parts


def _parts_of(record: Any) -> tuple[str, ...]:
    """Return the parts of the path of a record's file; none where it names no file."""
    named = record.get("ReferencedFileID")
    if named in (None, ""):
        return ()
    listed = [named] if isinstance(named, str) else list(named)
    return tuple(part for text in listed for part in str(text).replace("\\", "/").split("/") if part)


def _find(folder: Path, parts: tuple[str, ...], listings: dict[Path, dict[str, Path]]) -> Path | None:
    """Find a file below a folder by the parts of its path, whatever their case."""
    at = folder
    for part in parts:
        if at not in listings:
            listings[at] = {_plain(entry.name): entry for entry in at.iterdir()} if at.is_dir() else {}
        found = listings[at].get(_plain(part))
        if found is None:
            return None
        at = found
    return at if at.is_file() else None


def _plain(name: str) -> str:
    """Return a name without its case and version."""
    return name.lower().partition(";")[0].rstrip(".")
