"""What all steps of the window share: view, images under work, model, shown plane, news."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from napari_sam.core.edits import Edit
from napari_sam.core.planes import PlaneRef
from napari_sam.core.session import Session
from napari_sam.plugin._cases import Case, Cases
from napari_sam.plugin._jobs import Background
from napari_sam.plugin._messages import plain_message
from napari_sam.plugin._model_slot import Load, ModelSlot
from napari_sam.plugin.view import View

__all__ = ["Stage"]

SHOW_EVERY_S = 0.15
"""Panels follow a propagation at most so often: drawing them takes the window's time."""


class Stage:
    """Where the steps of the window meet; a step needs nothing of the others but this.

    Parameters
    ----------
    view : View
        The window.
    background, files : Background
        Run the model's jobs, and beside them what reads and writes files.
    load : callable
        (model's name, weights file or None) to `Segmenter`; called on another thread.
    draw : callable
        Draws the panels again.

    Attributes
    ----------
    plane : PlaneRef or None
        The shown plane; None in a 3-D view.
    is_taken : bool
        Whether a job has the session to itself, so that nothing else may change it.
    chosen_ids : tuple of int
        The objects that are chosen in the table, the current one among them or not.
    news, has_warning : str, bool
        What to tell until the next action, and whether it went wrong.
    on_open, on_model, on_view : lists of callables
        Called when the chosen image is ready or its window has changed; when the model is loaded, or could
        not be; and when another plane, object or image is shown. Edits are told by `Session.on_edit`.
    """

    def __init__(
        self, view: View, background: Background, files: Background, load: Load, draw: Callable[[], None]
    ) -> None:
        self.view, self.background, self.files = view, background, files
        self._draw = draw
        self.on_open: list[Callable[[], None]] = []
        self.on_model: list[Callable[[], None]] = []
        self.on_view: list[Callable[[], None]] = []
        self.cases = Cases(background, lambda: _call(self.on_open), self._not_opened)
        self.model = ModelSlot(background, load, lambda: _call(self.on_model), self._model_failed)
        self.plane: PlaneRef | None = None
        self.is_taken = False
        self.news = ""
        self.has_warning = False
        self.chosen_ids: tuple[int, ...] = ()
        self._shown_s = 0.0
        self._is_behind = False

    @property
    def case(self) -> Case | None:
        """The chosen image's work; None before it is read."""
        return self.cases.current

    @property
    def session(self) -> Session | None:
        """The chosen image's session; None before it is read."""
        return self.case.session if self.case is not None else None

    @property
    def free_case(self) -> Case | None:
        """The chosen image's work; None while there is none, or while a job has it to itself."""
        return None if self.is_taken else self.case

    @property
    def current_id(self) -> int:
        """The object that prompts go to."""
        return 1 if self.case is None else self.case.current_id

    def begin(self) -> None:
        """Get ready for prompts: load the model, show the labels."""
        if self.cases.source is None:
            return
        case, is_ready = self.case, self.model.segmenter is not None
        is_shown = case is not None and case.is_shown
        if case is not None and not is_shown:
            case.is_shown = True
            self.view.show_session(case.session)
            self.view.show_object(case.current_id)
        self.model.ensure()
        if not (is_shown and is_ready):
            self.show()

    def turn_to(self, object_id: int) -> None:
        """Send prompts to this object from now on."""
        if self.case is not None:
            self.case.current_id = object_id
            self.view.show_object(object_id)
            self.looked()

    def looked(self) -> None:
        """Show what belongs to the plane, object and image that are shown now."""
        self._is_behind = False
        _call(self.on_view)
        self.show()

    def changed(self, edits: Iterable[Edit] = (), news: str = "") -> None:
        """Show what a step did, and say something of it; "" says what to do next."""
        edits = tuple(edits)
        if edits and self.case is not None and not self.case.is_shown:
            self.begin()
        self.redraw(edits)
        self._is_behind = False
        _call(self.on_view)
        self.say(news)

    def redraw(self, edits: Iterable[Edit]) -> None:
        """Draw the labels again where edits meet the shown plane."""
        session, plane = self.session, self.plane
        if session is None:
            return
        if plane is None or any(edit.box.meets(plane.box(session.volume.shape)) for edit in edits):
            self.view.redraw_labels()

    def say(self, news: str) -> None:
        """Show news until the next action; the next step to take where there is none."""
        self.news, self.has_warning = news, False
        self.show()

    def looked_soon(self) -> None:
        """Show it in a moment, unless that is done before: what is about to change is not drawn twice."""
        self.news, self.has_warning = "", False
        self._is_behind = True
        self.view.in_a_moment(lambda: self.catch_up() if self._is_behind else None)

    def catch_up(self) -> None:
        """Draw the panels again, and what was to be shown in a moment."""
        if self._is_behind:
            self.looked()
        else:
            self.show()

    def fail(self, error: Exception, layer: str = "") -> None:
        """Tell of an error in one plain line, with the name of the layer that it is about."""
        message = f"{layer}: {plain_message(error)}" if layer else plain_message(error)
        self.view.show_error(message)
        self.news, self.has_warning = message, True
        self.show()

    def show(self) -> None:
        """Draw the panels again."""
        self._shown_s = time.monotonic()
        self._draw()

    def show_soon(self) -> None:
        """Draw the panels again, unless that was done a moment ago: for what comes many times a second."""
        if time.monotonic() - self._shown_s > SHOW_EVERY_S:
            self.show()

    def _not_opened(self, error: Exception) -> None:
        self.fail(error, "" if self.cases.source is None else self.cases.source.name)

    def _model_failed(self, error: Exception) -> None:
        _call(self.on_model)
        self.fail(error)


def _call(listeners: Iterable[Callable[[], None]]) -> None:
    for listener in tuple(listeners):
        listener()
