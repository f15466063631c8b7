"""Python's search for garbage, kept short while a job runs.

With napari, Qt and torch loaded a full search takes 150 to 500 ms, during which no thread does anything: the
window does not answer. While a job runs, only what was made since it began is searched; afterwards
everything is again, so that layers that go are not kept alive.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["short_collections"]


class _Freezer:
    """Counts those who asked, over all threads: the search is the whole program's."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a search may end another one that was left, on this very thread
        self._n_inside = 0
        self._is_ours = False

    def enter(self) -> None:
        with self._lock:
            self._n_inside += 1
            if self._n_inside == 1 and gc.get_freeze_count() == 0:
                gc.freeze()
                self._is_ours = True

    def leave(self) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0 and self._is_ours:
                gc.unfreeze()
                self._is_ours = False


_freezer = _Freezer()


@contextmanager
def short_collections() -> Iterator[None]:
    """Leave what is there now out of the search until the last of those who asked for it is done.

    Where another part of the program has frozen objects itself, nothing is changed.
    """
    _freezer.enter()
    try:
        yield
    finally:
        _freezer.leave()
