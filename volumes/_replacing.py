"""Write a file as a whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from volumes.errors import UnwritableOutput, VolumeError


@contextmanager
def replacing(path: Path, suffix: str) -> Iterator[Path]:
    """Give a temporary file in the output's folder, which takes the output's place at the end.

    Parameters
    ----------
    path : Path
        Where the output shall lie; an older file there stays whole until the new one is complete.
    suffix : str
        Suffix of the temporary file, since some writers choose the format by it.

    Yields
    ------
    Path
        The temporary file; removed when the body fails.

    Raises
    ------
    UnwritableOutput
        If the folder is missing or refuses the file, or the body's writer fails.
    """
    if path.is_dir():
        raise UnwritableOutput(f"cannot write {path}: it is a folder; name a file")
    temporary = path.with_name(f".{uuid4().hex[:12]}{suffix}")
    try:
        temporary.touch(exist_ok=False)
    except OSError as error:
        raise UnwritableOutput(
            f"cannot write {path}: {error.strerror}; choose an existing, writable folder"
        ) from error
    try:
        yield temporary
        temporary.replace(path)
    except VolumeError:
        raise
    except (OSError, RuntimeError) as error:  # SimpleITK's writers raise RuntimeError
        reason = " ".join(str(error).split()).rpartition("ERROR: ")[2]
        raise UnwritableOutput(f"cannot write {path}: {reason}; check the disk and the folder") from error
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder beside the output, which takes the output's place at the end.

    Parameters
    ----------
    path : Path
        Where the output shall lie; an older folder there stays whole until the new one is complete, and the
        caller has made sure that it may go.

    Yields
    ------
    Path
        The temporary folder, empty; removed when the body fails.

    Raises
    ------
    UnwritableOutput
        If the folder around it is missing or refuses it, or the body's writer fails.
    """
    if path.is_file():
        raise UnwritableOutput(f"cannot write {path}: it is a file; name a new folder")
    temporary = path.with_name(f".{uuid4().hex[:12]}.writing")
    older = temporary.with_suffix(".older")
    try:
        temporary.mkdir()
    except OSError as error:
        raise UnwritableOutput(
            f"cannot write {path}: {error.strerror}; choose an existing, writable folder"
        ) from error
    try:
        yield temporary
        if path.exists():
            path.rename(older)
        temporary.rename(path)
    except VolumeError:
        raise
    except OSError as error:
        if older.exists() and not path.exists():
            older.rename(path)
        raise UnwritableOutput(
            f"cannot write {path}: {error.strerror or error}; check the disk and the folder"
        ) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(older, ignore_errors=True)
