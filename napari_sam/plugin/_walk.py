"""Long work plane by plane that lets a click in between: every plane is a job of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from napari_sam.core.jobs import Cancel
from napari_sam.plugin._jobs import Background, Job

__all__ = ["PlaneWalk"]


class PlaneWalk:
    """Takes one part after the other of an iterator in the background.

    Parameters
    ----------
    background : Background
        Runs the parts; what a person asks for in the meantime goes first.
    clock : callable
        Seconds, as `time.monotonic`.
    """

    def __init__(self, background: Background, clock: Callable[[], float] = time.monotonic) -> None:
        self._background, self._clock = background, clock
        self._cancel = Cancel()
        self._began_s = 0.0
        self.is_running = False
        self.progress = (0, 0)

    @property
    def was_cancelled(self) -> bool:
        """Whether the newest walk was asked to stop."""
        return self._cancel.requested

    @property
    def left_s(self) -> float | None:
        """How many seconds it will take still, by the planes so far; None before the first one."""
        done, total = self.progress
        if not self.is_running or not done:
            return None
        return (self._clock() - self._began_s) / done * (total - done)

    def start(
        self,
        parts: Callable[[Cancel], Iterator[Any]],
        n_parts: int,
        on_part: Callable[[Any], None],
        on_end: Callable[[Exception | None], None],
    ) -> None:
        """Begin.

        Parameters
        ----------
        parts : callable
            Gives the iterator; it and the iterator are used on another thread, one part a job.
        n_parts : int
            How many there will be.
        on_part : callable
            Called with each part, on the window's thread.
        on_end : callable
            Called once, with the error that ended it or None; also where it was cancelled.
        """
        cancel = self._cancel = Cancel()
        self.is_running, self.progress, self._began_s = True, (0, n_parts), self._clock()
        made: list[Iterator[Any]] = []
        state = {"n": 0, "over": False}

        def work(_: Cancel) -> Iterable[Any]:
            cancel.check()
            if not made:
                made.append(parts(cancel))
            for part in made[0]:
                yield part
                return
            state["over"] = True

        def one(part: Any) -> None:
            state["n"] += 1
            self.progress = (state["n"], n_parts)
            on_part(part)

        def done() -> None:
            if state["over"] or cancel.requested or state["n"] >= n_parts:
                self._end(on_end, None)
            else:
                self._background.submit(Job("walk", work, one, done, failed))

        def failed(error: Exception) -> None:
            self._end(on_end, error)

        self._background.submit(Job("walk", work, one, done, failed))

    def cancel(self) -> None:
        """Stop; the planes that are done stay."""
        self._cancel.cancel()

    def _end(self, on_end: Callable[[Exception | None], None], error: Exception | None) -> None:
        self.is_running = False
        on_end(error)
