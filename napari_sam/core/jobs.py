"""Stopping work that is under way, and dropping answers that came too late."""

from __future__ import annotations

import threading

from napari_sam.errors import Cancelled

__all__ = ["Cancel", "LatestOnly"]


class Cancel:
    """A wish to stop, set on one thread and looked at on another."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        """Ask to stop; may be called from any thread, more than once."""
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether somebody asked to stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise Cancelled where somebody asked to stop."""
        if self.requested:
            raise Cancelled("stopped on request; what was done before is kept")


class LatestOnly:
    """A counter of generations: an answer counts only while nothing newer was asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest = 0

    @property
    def latest(self) -> int:
        """The newest generation; 0 before the first."""
        return self._latest

    def new(self) -> int:
        """Start a generation, which makes all older ones stale, and return its number."""
        with self._lock:
            self._latest += 1
            return self._latest

    def is_latest(self, generation: int) -> bool:
        """Return whether nothing newer than `generation` was started."""
        return generation == self._latest
