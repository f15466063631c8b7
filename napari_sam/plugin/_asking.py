"""Questions to the model about one plane: the newest wins, and idle time prepares the planes around."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from napari_sam.core.edits import Edit
from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef, planes_outward
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.plugin._jobs import Background, Job
from napari_sam.plugin._model_slot import ModelSlot

__all__ = ["Asking"]

N_PREFETCHED = 3
"""How many planes on either side of the shown one are encoded while nothing else is asked."""


class Asking:
    """Sends requests to the model and puts its answers into their session.

    Parameters
    ----------
    background : Background
        Runs the model.
    model : ModelSlot
        The model; a request made before it is loaded waits in `request`.
    on_answer : callable
        Called with the session and the edit that the answer made; None where it came too late.
    on_error : callable
        Called with the error where the model could not answer.
    """

    def __init__(
        self,
        background: Background,
        model: ModelSlot,
        on_answer: Callable[[Session, Edit | None], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._background = background
        self._model = model
        self._on_answer = on_answer
        self._on_error = on_error
        self._session: Session | None = None
        self.request: SegmentRequest | None = None

    def ask(self, session: Session, request: SegmentRequest) -> None:
        """Ask the model as soon as it is free; older questions are forgotten."""
        self._session, self.request = session, request
        self.resume()

    def resume(self) -> None:
        """Ask what is still open, now that the model may be loaded."""
        session, request, segmenter = self._session, self.request, self._model.segmenter
        if session is None or request is None or segmenter is None:
            return

        def answered(prediction: MaskPrediction) -> None:
            self._settle(request)
            self._on_answer(session, session.apply(prediction, request))

        def failed(error: Exception) -> None:
            self._settle(request)
            self._on_error(error)

        self._background.submit(
            Job("segment", lambda _: [segmenter.segment(request)], answered, on_error=failed)
        )

    def forget(self) -> None:
        """Drop the open question."""
        self._background.cancel("segment")
        self._session = self.request = None

    def prefetch(self, session: Session, plane: PlaneRef) -> None:
        """Encode the planes around one, nearest first, until something else is asked."""
        self._background.cancel("prefetch")
        segmenter = self._model.segmenter
        if segmenter is None or self.request is not None:
            return
        reach = (plane.index - N_PREFETCHED, plane.index + N_PREFETCHED + 1)
        planes = planes_outward(plane, session.volume.shape[plane.axis], reach)

        def work(cancel: Cancel) -> Iterable[object]:
            segmenter.prefetch(session.volume, planes, session.window, cancel)
            return ()

        self._background.submit(Job("prefetch", work, on_error=self._on_error))

    def _settle(self, request: SegmentRequest) -> None:
        if self.request is request:
            self._session = self.request = None
