"""Runs jobs on other threads, and brings what they give back to the window's thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ClassVar

from qtpy.QtCore import QCoreApplication, QObject, Qt, Signal

from napari_sam.errors import Cancelled
from napari_sam.plugin._collecting import short_collections
from napari_sam.plugin._jobs import Job, JobQueue

__all__ = ["Worker"]

N_THREADS = 2
"""One job, and one beside it."""


class Worker(QObject):
    """A `Background` on threads of its own, which start a job at once.

    napari's workers start when the window's thread is free again, so that it could not wait for them, and
    share Qt's threads, of which there are as many as processors. When the program ends, jobs are asked to
    stop.
    """

    _told = Signal(object)
    _ended = Signal(object)
    _at_work: ClassVar[set[Worker]] = set()
    """Those with a job: Qt must find them when it brings what a job said."""

    def __init__(self) -> None:
        super().__init__()
        self._queue = JobQueue()
        self._threads = ThreadPoolExecutor(N_THREADS, "napari-sam")
        self._running: dict[Job, threading.Event] = {}
        self._closed = False
        self._told.connect(self._hear, Qt.ConnectionType.QueuedConnection)
        self._ended.connect(self._over, Qt.ConnectionType.QueuedConnection)
        program = QCoreApplication.instance()
        if program is not None:
            program.aboutToQuit.connect(self.close)

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs."""
        return not self._running

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
        for job, has_part in self._running.items():
            if job.kind == kind:
                has_part.wait(limit_s)

    def close(self) -> None:
        """Stop everything; no callback is called from now on."""
        self._closed = True
        self._queue.clear()
        self._threads.shutdown(wait=False)

    def _next(self) -> None:
        while not self._closed and (job := self._queue.take()) is not None:
            self._running[job] = threading.Event()
            self._at_work.add(self)
            self._threads.submit(self._work, job, self._running[job])

    def _work(self, job: Job, has_part: threading.Event) -> None:
        """Run a job, on another thread. No exception leaves it: an error is told."""
        last: Callable[[], None] = job.on_done
        try:
            with short_collections():
                for part in job.work(job.cancel):
                    self._told.emit(partial(job.on_part, part))
                    has_part.set()  # only now is it on its way to the window
                    if self._closed:
                        break
        except Cancelled:
            pass
        except Exception as error:
            last = partial(job.on_error, error)
        finally:
            has_part.set()
        self._told.emit(last)
        self._ended.emit(job)

    def _hear(self, call: Callable[[], None]) -> None:
        if not self._closed:
            call()

    def _over(self, job: Job) -> None:
        del self._running[job]
        self._queue.done(job)
        if not self._running:
            self._at_work.discard(self)
        self._next()
