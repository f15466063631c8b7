"""How an operation tells how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

__all__ = ["Progress", "Stopwatch", "silent"]

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called with what is being done (a few words), how many parts are done, and how many there are at most."""


def silent(stage: str, n_done: int, n_total: int) -> None:
    """Tell nobody."""


class Stopwatch:
    """Seconds spent by stage, and since the watch was made."""

    def __init__(self) -> None:
        self._started_s = time.perf_counter()
        self.stages_s: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time that the body takes to a stage."""
        started_s = time.perf_counter()
        try:
            yield
        finally:
            self.stages_s[name] = self.stages_s.get(name, 0.0) + time.perf_counter() - started_s

    @property
    def total_s(self) -> float:
        """Seconds since the watch was made."""
        return time.perf_counter() - self._started_s
