"""Runs jobs on another thread, one at a time, and brings what they give back to the window's thread."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

from napari.qt.threading import create_worker

from napari_sam.errors import Cancelled
from napari_sam.plugin._jobs import Job, JobQueue

__all__ = ["Worker"]


class Worker:
    """A `Background` on napari's worker threads.

    napari knows of the running job: closing the window asks it to stop and waits for it.
    """

    def __init__(self) -> None:
        self._queue = JobQueue()
        self._running: Any = None
        self._has_part = threading.Event()
        self._closed = False

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs."""
        return self._running is None

    def submit(self, job: Job) -> None:
        """Run a job as soon as it is its turn; it replaces a waiting job of its kind."""
        if not self._closed:
            self._queue.submit(job)
            self._next()

    def cancel(self, kind: str) -> None:
        """Stop the running job of a kind and forget the waiting one."""
        self._queue.cancel(kind)

    def leave_to(self, kind: str, limit_s: float) -> None:
        """Do nothing until the running job of a kind has a part ready, or so many seconds have passed."""
        running = self._queue.running
        if running is not None and running.kind == kind:
            self._has_part.wait(limit_s)

    def close(self) -> None:
        """Stop everything; no callback is called from now on."""
        self._closed = True
        self._queue.clear()
        if self._running is not None:
            self._running.quit()

    def _next(self) -> None:
        job = None if self._closed else self._queue.take()
        if job is None:
            return

        def part(value: object) -> None:
            if not self._closed:
                job.on_part(value)

        def returned(error: tuple[Exception] | None) -> None:
            if self._closed:
                return
            if error is None:
                job.on_done()
            else:
                job.on_error(error[0])

        def finished() -> None:
            self._running = None
            self._queue.done()
            self._next()

        self._has_part = threading.Event()
        self._running = create_worker(
            _run,
            job,
            self._has_part,
            _start_thread=False,
            _connect={"yielded": part, "returned": returned, "finished": finished},
        )
        self._running.start()


def _run(job: Job, has_part: threading.Event) -> Generator[object, None, tuple[Exception] | None]:
    """Run a job's work. No exception leaves it: an error is returned, in a tuple so that it is not raised."""
    try:
        for part in job.work(job.cancel):
            yield part
            has_part.set()  # only now is it on its way to the window
    except Cancelled:
        return None
    except Exception as error:
        return (error,)
    finally:
        has_part.set()
    return None
