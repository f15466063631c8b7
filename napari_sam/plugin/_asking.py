"""Questions to the model about one plane: the newest wins, and idle time prepares the planes around."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from napari_sam.core.edits import Edit
from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef, planes_outward
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest, answers_of
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.plugin._jobs import Background, Job
from napari_sam.plugin._model_slot import ModelSlot
from volumes import LazyArray

__all__ = ["Asking"]

N_PREFETCHED = 40
"""At most so many planes on either side of the shown one are prepared while nothing else is asked."""

N_PREFETCHED_LAZY = 3
"""As many where planes are read from a file, or a network, as they are looked at."""

PREFETCH_S = 20.0
"""Preparing ends after so many seconds, so that a slow model does not keep a laptop busy for an hour."""

N_TIMED = 3
"""Of so many of the last answers the fastest says how fast the model is."""

N_TOGETHER = 4
"""So many planes are prepared between two looks at whether somebody asked for something else."""


class Asking:
    """Sends requests to the model and puts its answers into their session.

    A glance goes in at once, and the full answer in its place; the request is open until then. What is asked
    meanwhile does not wait for the full answer, which then comes too late and is dropped.

    Parameters
    ----------
    background : Background
        Runs the model.
    model : ModelSlot
        The model; a request made before it is loaded waits in `request`.
    on_answer : callable
        Called with the session, the edit that the answer made, None where it came too late, and whether
        another answer follows.
    on_error : callable
        Called with the error where the model could not answer.
    on_ready, on_idle : callable
        Called when more planes are prepared, and when no more will be.
    """

    def __init__(
        self,
        background: Background,
        model: ModelSlot,
        on_answer: Callable[[Session, Edit | None, bool], None],
        on_error: Callable[[Exception], None],
        on_ready: Callable[[], None] = lambda: None,
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_ready, self._on_idle = on_ready, on_idle
        self._background = background
        self._model = model
        self._on_answer = on_answer
        self._on_error = on_error
        self._session: Session | None = None
        self._ready: set[PlaneRef] = set()
        self._ready_of: tuple[int, int, Window] | None = None
        self._seconds: deque[float] = deque(maxlen=N_TIMED)
        self.request: SegmentRequest | None = None

    def ask(self, session: Session, request: SegmentRequest) -> None:
        """Ask the model as soon as it is free; older questions are forgotten."""
        self._background.cancel("closer")
        self._session, self.request = session, request
        self.resume()

    def resume(self) -> None:
        """Ask what is still open, now that the model may be loaded."""
        session, request, segmenter = self._session, self.request, self._model.segmenter
        if session is None or request is None or segmenter is None:
            return
        answers = answers_of(segmenter, request)
        seen = self._seconds if request.plane in self.ready(session) else None

        def look(_: Cancel) -> Iterable[MaskPrediction]:
            started_s = time.monotonic()
            first = next(answers)
            if seen is not None:
                seen.append(time.monotonic() - started_s)
            yield first

        def answered(prediction: MaskPrediction) -> None:
            if prediction.is_glance:
                self._on_answer(session, session.apply(prediction, request), True)
                if self.request is request:
                    work = Job("closer", lambda _: [next(answers)], looked_closer, on_error=failed)
                    self._background.submit(work)
                return
            self._settle(request)
            self.ready(session)
            self._ready.add(request.plane)
            self._on_answer(session, session.apply(prediction, request), False)

        def looked_closer(prediction: MaskPrediction) -> None:
            if self.request is request:
                answered(prediction)

        def failed(error: Exception) -> None:
            self._settle(request)
            self._on_error(error)

        self._background.submit(Job("segment", look, answered, on_error=failed))

    def forget(self) -> None:
        """Drop the open question; a glance at it that is there already stays."""
        self._background.cancel("segment")
        self._background.cancel("closer")
        self._session = self.request = None

    def prefetch(self, session: Session, plane: PlaneRef) -> None:
        """Encode the planes around one, nearest first, until something else is asked."""
        self._background.cancel("prefetch")
        segmenter = self._model.segmenter
        if segmenter is None or self.request is not None:
            return
        n_ahead = N_PREFETCHED_LAZY if isinstance(session.volume.data, LazyArray) else N_PREFETCHED
        reach = (plane.index - n_ahead, plane.index + n_ahead + 1)
        ready = self.ready(session)
        outward = planes_outward(plane, session.volume.shape[plane.axis], reach)
        planes = [one for one in outward if one not in ready]
        window = session.window

        def work(cancel: Cancel) -> Iterable[Sequence[PlaneRef]]:
            until_s = time.monotonic() + PREFETCH_S
            for start in range(0, len(planes), N_TOGETHER):
                if cancel.requested or time.monotonic() > until_s:
                    return
                some = planes[start : start + N_TOGETHER]
                segmenter.prefetch(session.volume, some, window, cancel)
                if not cancel.requested:
                    yield some

        def prepared(some: Sequence[PlaneRef]) -> None:
            if self._ready_of == self._state_of(session) and window == session.window:
                self._ready.update(some)
                self._on_ready()

        if planes:
            self._background.submit(Job("prefetch", work, prepared, self._on_idle, self._on_error))

    def ready(self, session: Session) -> frozenset[PlaneRef]:
        """Return the planes of which the model's work is done, so that a prompt is answered at once."""
        now = self._state_of(session)
        if now != self._ready_of:
            self._ready, self._ready_of = set(), now
            self._seconds = deque(maxlen=N_TIMED)
        return frozenset(self._ready)

    def is_soon(self, limit_s: float) -> bool:
        """Say whether a plane that the model has seen is likely answered within so many seconds."""
        return min(self._seconds, default=0.0) <= limit_s

    def _state_of(self, session: Session) -> tuple[int, int, Window]:
        return id(session), id(self._model.segmenter), session.window

    def _settle(self, request: SegmentRequest) -> None:
        if self.request is request:
            self._session = self.request = None
