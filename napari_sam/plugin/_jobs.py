"""Which background job runs next: plain Python, so that it can be tested without threads or a window."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from napari_sam.core.jobs import Cancel

__all__ = ["Background", "Job", "JobQueue"]

PRIORITY = (
    "open", "load", "segment", "propagate", "clean", "save", "keep", "table", "measure", "meetings",
    "closer", "walk", "prefetch",
)  # fmt: skip
"""Kinds of job, the one that goes first in front. Of each kind only the newest waits."""

ASIDE = frozenset({"closer", "walk", "prefetch"})
"""Kinds that begin only while nothing else runs, and for which nothing else waits: a plane of a large model
takes seconds, and a click on another one, which the model has seen, does not need it."""


def _nothing(*_: object) -> None:
    """Do nothing with what is given."""


@dataclass(frozen=True, eq=False)
class Job:
    """Something to do away from the window's thread.

    Parameters
    ----------
    kind : str
        One of `PRIORITY`.
    work : callable
        Called on another thread with the job's `Cancel`; each thing that it yields is handed to `on_part`.
    on_part, on_done, on_error : callable
        Called on the window's thread: for each part; once at the end, cancelled or not; once with the
        exception that ended the work. Either `on_done` or `on_error` is called, never both.
    """

    kind: str
    work: Callable[[Cancel], Iterable[object]]
    on_part: Callable[[Any], None] = _nothing
    on_done: Callable[[], None] = _nothing
    on_error: Callable[[Exception], None] = _nothing
    cancel: Cancel = field(default_factory=Cancel)

    def __post_init__(self) -> None:
        if self.kind not in PRIORITY:
            raise ValueError(f"a job's kind is {self.kind!r}; give one of {', '.join(PRIORITY)}")


class Background(Protocol):
    """What runs jobs: one at a time, and one of the kinds in `ASIDE` beside it."""

    def submit(self, job: Job) -> None:
        """Run a job as soon as it is its turn; it replaces a waiting job of its kind."""
        ...

    def cancel(self, kind: str) -> None:
        """Stop the running job of a kind and forget the waiting one."""
        ...

    def leave_to(self, kind: str, limit_s: float) -> None:
        """Do nothing until the running job of a kind has a part ready, or so many seconds have passed.

        Python runs one thread at a time, and drawing a window keeps it for long. A job of a few milliseconds
        ends sooner where the window waits for it than beside a drawing that its result makes needless.
        """
        ...

    def close(self) -> None:
        """Stop everything; no callback is called from now on."""
        ...


class JobQueue:
    """The waiting jobs and the running ones.

    One job runs at a time, and beside it one that began while nothing ran (`ASIDE`). A waiting job is
    replaced by a newer one of its kind (the newest click wins), and anything that is submitted stops a
    running prefetch (a click overtakes it).
    """

    def __init__(self) -> None:
        self._running: list[Job] = []
        self._waiting: dict[str, Job] = {}

    def submit(self, job: Job) -> None:
        """Let a job wait for its turn."""
        for running in self._running:
            if running.kind == "prefetch":
                running.cancel.cancel()
        self._waiting[job.kind] = job

    def take(self) -> Job | None:
        """Return a job to start now and count it as running; None where none may start."""
        if any(job.kind not in ASIDE for job in self._running):
            return None
        for kind in PRIORITY:
            if kind in self._waiting and not (kind in ASIDE and self._running):
                self._running.append(self._waiting.pop(kind))
                return self._running[-1]
        return None

    def done(self, job: Job) -> None:
        """Count a running job as ended."""
        self._running.remove(job)

    def cancel(self, kind: str) -> None:
        """Ask the running job of a kind to stop, and forget the waiting one."""
        waiting = self._waiting.pop(kind, None)
        if waiting is not None:
            waiting.cancel.cancel()
        for running in self._running:
            if running.kind == kind:
                running.cancel.cancel()

    def clear(self) -> None:
        """Cancel everything."""
        for kind in PRIORITY:
            self.cancel(kind)
