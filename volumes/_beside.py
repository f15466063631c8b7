"""Files that a header names: beside it or below, never elsewhere."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath, PureWindowsPath

from volumes.errors import BrokenFile

__all__ = ["file_beside", "files_of_pattern"]

_MOST_FILES = 1 << 16
_NUMBER = re.compile(r"%0?\d{0,3}[du]")


def file_beside(header: Path, name: str) -> Path:
    """Return the file that a header names, which lies in its folder or below.

    Parameters
    ----------
    header : Path
        The file with the name in it.
    name : str
        As it stands there.

    Raises
    ------
    BrokenFile
        If the name leads out of the folder: a header from elsewhere shall not make us read other files.
    """
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    leads_out = posix.is_absolute() or windows.is_absolute() or windows.drive or windows.root
    if not name or "\0" in name or leads_out or ".." in (*posix.parts, *windows.parts):
        raise BrokenFile(
            f"{header} keeps its voxels in {name[:200]!r}, which is outside its folder; "
            "put both files in one folder, and only its name into the header"
        )
    return header.parent / name


def files_of_pattern(header: Path, pattern: str, numbers: list[str]) -> tuple[Path, ...]:
    """Return the files that a pattern such as ``plane%03d.raw`` names for first, last and step.

    Raises
    ------
    BrokenFile
        If it is no pattern with one number, or names none or too many files.
    """
    try:
        first, last, step = (int(number) for number in (*numbers, "1")[:3])
        indices = range(first, last + (1 if step > 0 else -1), step)
    except ValueError:
        indices = range(0)
    if (
        not indices
        or len(indices) > _MOST_FILES
        or len(_NUMBER.findall(pattern)) != 1
        or pattern.count("%") != 1
    ):
        raise BrokenFile(
            f"{header} names its files by {pattern[:200]!r} "
            f"from {' '.join(numbers)[:60]!r}, which gives none; mend it"
        )
    return tuple(file_beside(header, pattern % index) for index in indices)
