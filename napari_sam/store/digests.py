"""Digests of files: computed, and remembered for files that have not changed since."""

from __future__ import annotations

import hashlib
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias

from napari_sam.errors import StoreError

__all__ = ["Algorithm", "Digest", "DigestCache", "OnBytes", "file_digest"]

Algorithm: TypeAlias = Literal["sha256", "xxh128"]
Digest: TypeAlias = tuple[Algorithm, str]
"""Which algorithm, and the value in lower-case hex."""

OnBytes: TypeAlias = Callable[[int, int], None]
"""Called with how many bytes are done, and how many there are; 0 where that is not known."""

_logger = logging.getLogger(__name__)
_FORMS = {"sha256": re.compile(r"[0-9a-f]{64}"), "xxh128": re.compile(r"[0-9a-f]{32}")}
_CHUNK_BYTES = 1 << 20
_SETTLED_NS = 2_000_000_000
"""Age from which on a change of a file also changes its times: those of FAT are counted in 2 s."""


def _untold(n_done: int, n_total: int) -> None:
    """Tell nobody."""


def file_digest(path: Path, algorithm: Algorithm = "sha256", on_bytes: OnBytes = _untold) -> str:
    """Return the digest of a file, in lower-case hex; always reads the whole file.

    Raises
    ------
    StoreError
        The file cannot be read.
    """
    digest = _new_digest(algorithm)
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    try:
        with path.open("rb", buffering=0) as file:
            n_total, n_done = os.fstat(file.fileno()).st_size, 0
            while n_read := file.readinto(buffer):
                digest.update(buffer[:n_read])
                n_done += n_read
                on_bytes(n_done, n_total)
    except OSError as error:
        raise StoreError(f"cannot read {path} ({error.strerror or error}); check its permissions") from error
    return str(digest.hexdigest())


class DigestCache:
    """Digests of files that were digested before and have not changed since.

    A file counts as unchanged while its place, size, inode, and times of change to the nanosecond are the
    same; a file that changed in the last two seconds is not remembered, as a further change might not show.
    Losing the folder costs a computation and no more. A remembered digest says what the file was when it was
    read; a disk that decays is seen by `file_digest` alone.

    Parameters
    ----------
    cache_dir : Path
        Root of the cache; one small file a digest lies in ``digests`` below it, which names no file.
    now_ns : callable
        The time in nanoseconds since the epoch.
    """

    def __init__(self, cache_dir: Path, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._root = Path(cache_dir) / "digests"
        self._now_ns = now_ns

    def get(self, path: Path, algorithm: Algorithm = "sha256") -> str:
        """Return a file's digest in lower-case hex, computed where it is not remembered.

        Raises
        ------
        StoreError
            The file cannot be read.
        """
        known = self._entry(path, algorithm)
        if known is not None:
            try:
                value = known.read_text(encoding="ascii")
                if _FORMS[algorithm].fullmatch(value):
                    return value
            except (OSError, UnicodeDecodeError) as error:
                _logger.debug("no digest of %s is remembered: %s", path, error)
        value = file_digest(path, algorithm)
        if known is not None and known == self._entry(path, algorithm):  # unchanged while it was read
            self._remember(known, value)
        return value

    def _entry(self, path: Path, algorithm: Algorithm) -> Path | None:
        """Return where the digest of the file as it is now would be kept; None for one that just changed."""
        try:
            status = path.stat()
        except OSError:
            return None
        if self._now_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < _SETTLED_NS:
            return None
        identity = (path.resolve(), status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        key = hashlib.sha256("\n".join(map(str, identity)).encode(errors="surrogateescape")).hexdigest()
        return self._root / f"{key}.{algorithm}"

    def _remember(self, entry: Path, value: str) -> None:
        try:
            entry.parent.mkdir(parents=True, exist_ok=True)
            entry.write_text(value, encoding="ascii")  # cut short, it is no digest and is computed again
        except OSError as error:
            _logger.debug("cannot remember a digest: %s", error)


def _new_digest(algorithm: Algorithm) -> Any:
    if algorithm == "sha256":
        return hashlib.sha256()
    import xxhash

    return xxhash.xxh128()
