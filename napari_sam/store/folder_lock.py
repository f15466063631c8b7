"""A lock that one process holds on a file and that the system takes back when the process ends, however."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from napari_sam.errors import StoreError

__all__ = ["FolderLock"]


class FolderLock:
    """A lock on a file, which is made where it is not there.

    Parameters
    ----------
    path : Path
        The file; it stays empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __del__(self) -> None:
        self.release()

    def take(self) -> bool:
        """Take the lock; returns whether it is ours, False where another process has it.

        Raises
        ------
        StoreError
            The file cannot be made.
        """
        if self._file is not None:
            return True
        try:
            file = self._path.open("ab")
        except OSError as error:
            raise StoreError(
                f"cannot write {self._path} ({error.strerror or error}); choose a folder that can be "
                "written to"
            ) from error
        if not _lock(file):
            file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _lock(file: IO[bytes]) -> bool:
    """Lock an open file without waiting; the system lets go when it is closed."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
