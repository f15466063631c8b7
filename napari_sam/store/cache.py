"""The embedding cache: RAM in front of disk, both with a budget, safe to delete at any time."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from napari_sam.errors import StoreError

Features = dict[str, NDArray[np.float16]]

_logger = logging.getLogger(__name__)
_KEY = re.compile(r"[0-9a-f]{16,128}")
_SUFFIX = ".safetensors"
_TEMPORARY = ".part"
_STALE_TEMPORARY_S = 3600.0
_PRUNE_TO = 0.9
"""A full disk cache is cut to this share of its budget, so that not every new entry scans the folder."""


@dataclass(frozen=True)
class StoreStats:
    """How often an embedding was asked for, by where it was found."""

    ram_hits: int = 0
    disk_hits: int = 0
    misses: int = 0


class EmbeddingStore:
    """Embeddings by key: least recently used kept in RAM, one safetensors file a key on disk.

    Losing the folder loses no work. An entry that cannot be read is dropped and counted as a miss. A disk
    that cannot be written to (full, read-only) turns the disk half off with a warning: the work goes on from
    RAM. All methods may be called from any thread, and several processes may share the folder. What is got
    from RAM does not wait while something is written.

    Parameters
    ----------
    cache_dir
        Root of the cache; entries lie at ``embeddings/ab/abcdef….safetensors`` below it.
    ram_budget_bytes, disk_budget_bytes
        Upper limits on the arrays kept; 0 turns that half off.
    """

    def __init__(self, cache_dir: Path, ram_budget_bytes: int, disk_budget_bytes: int) -> None:
        if ram_budget_bytes < 0 or disk_budget_bytes < 0:
            raise StoreError(
                f"a cache's budget is negative (RAM {ram_budget_bytes}, disk {disk_budget_bytes} bytes); "
                "use 0 to turn a cache off"
            )
        self._root = Path(cache_dir) / "embeddings"
        self._ram_budget_bytes = ram_budget_bytes
        self._disk_budget_bytes = disk_budget_bytes
        self._ram: OrderedDict[str, Features] = OrderedDict()
        self._ram_bytes = 0
        self._disk_bytes: int | None = None
        self._stats = StoreStats()
        self._lock = threading.RLock()
        self._writing = threading.Lock()

    @property
    def stats(self) -> StoreStats:
        """Counts since this store was made."""
        with self._lock:
            return self._stats

    def path(self, key: str) -> Path:
        """Return where the entry of ``key`` lies, whether or not it exists.

        Raises
        ------
        StoreError
            The key is not lower-case hex (so that a key can never name another folder).
        """
        if _KEY.fullmatch(key) is None:
            raise StoreError(f"an embedding's key is lower-case hex, not {key!r}; use store.embedding_key")
        return self._root / key[:2] / (key + _SUFFIX)

    def get(self, key: str, counts: bool = True) -> Features | None:
        """Return the features kept under ``key``, or None.

        Parameters
        ----------
        key : str
            As they were put in under.
        counts : bool
            Whether `stats` counts this.

        Returns
        -------
        dict of NDArray[float16] or None
            Read-only arrays, in the shapes they were put in.
        """
        path = self.path(key)
        with self._lock:
            features = self._ram.get(key)
            if features is not None:
                self._ram.move_to_end(key)
                self._stats = replace(self._stats, ram_hits=self._stats.ram_hits + counts)
                return dict(features)
        features = self._read(path)
        with self._lock:
            if features is None:
                self._stats = replace(self._stats, misses=self._stats.misses + counts)
                return None
            self._stats = replace(self._stats, disk_hits=self._stats.disk_hits + counts)
            self._keep_in_ram(key, features)
            return dict(features)

    def __contains__(self, key: str) -> bool:
        """Return whether an entry is kept under ``key``, without reading or counting it."""
        path = self.path(key)
        with self._lock:
            is_in_ram = key in self._ram
        return is_in_ram or (self._disk_budget_bytes > 0 and path.is_file())

    def put(self, key: str, features: Mapping[str, NDArray[np.floating]]) -> None:
        """Keep ``features`` under ``key``, as float16, in RAM and on disk as the budgets allow."""
        path = self.path(key)
        halved: Features = {}
        for name, array in features.items():
            half = np.array(array, dtype=np.float16, order="C")
            half.flags.writeable = False
            halved[name] = half
        with self._lock:
            self._keep_in_ram(key, halved)
        with self._writing:
            self._write(path, halved)

    def _keep_in_ram(self, key: str, features: Features) -> None:
        old = self._ram.pop(key, None)
        if old is not None:
            self._ram_bytes -= _n_bytes(old)
        size = _n_bytes(features)
        if size > self._ram_budget_bytes:
            return
        self._ram[key] = features
        self._ram_bytes += size
        while self._ram_bytes > self._ram_budget_bytes:
            _, dropped = self._ram.popitem(last=False)
            self._ram_bytes -= _n_bytes(dropped)

    def _read(self, path: Path) -> Features | None:
        if self._disk_budget_bytes == 0:
            return None
        try:
            features = load(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            self._drop(path, str(error))
            return None
        if not features or any(array.dtype != np.float16 for array in features.values()):
            self._drop(path, "it does not hold float16 arrays")
            return None
        for array in features.values():
            array.flags.writeable = False
        _touch(path)
        return features

    def _drop(self, path: Path, reason: str) -> None:
        _logger.warning(
            "dropping the cached embedding %s, which will be computed again: %s", path.name, reason
        )
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            _logger.warning("cannot delete %s: %s", path.name, error)

    def _write(self, path: Path, features: Features) -> None:
        if self._disk_budget_bytes == 0:
            return
        payload = save(features)
        if len(payload) > self._disk_budget_bytes:
            return
        try:
            if self._disk_bytes is None:
                self._disk_bytes = sum(size for _, size, _ in self._entries())
            replaced = path.stat().st_size if path.exists() else 0
            _write_atomically(path, payload)
            self._disk_bytes += len(payload) - replaced
            if self._disk_bytes > self._disk_budget_bytes:
                self._prune(keep=path)
        except OSError as error:
            self._disk_budget_bytes = 0
            _logger.warning("embeddings are kept in RAM only from here on: %s", error)

    def _prune(self, keep: Path) -> None:
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        target = min(self._disk_budget_bytes, int(self._disk_budget_bytes * _PRUNE_TO))
        for _, size, path in entries:
            if total <= target:
                break
            if path == keep:
                continue
            path.unlink(missing_ok=True)
            total -= size
        self._disk_bytes = total

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Return (time of last use, bytes, path) of each entry; clear away what crashed writers left."""
        entries = []
        for path in self._root.glob("*/*"):
            try:
                status = path.stat()
                if path.suffix == _SUFFIX:
                    entries.append((status.st_mtime, status.st_size, path))
                elif path.suffix == _TEMPORARY and time.time() - status.st_mtime > _STALE_TEMPORARY_S:
                    path.unlink(missing_ok=True)
            except FileNotFoundError:
                continue
        return entries


def _n_bytes(features: Features) -> int:
    return sum(array.nbytes for array in features.values())


def _touch(path: Path) -> None:
    """Mark an entry as used now; a read-only cache simply keeps its old order."""
    try:
        os.utime(path)
    except OSError as error:
        _logger.debug("cannot touch %s: %s", path.name, error)


def _write_atomically(path: Path, payload: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem[:16], suffix=_TEMPORARY)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
