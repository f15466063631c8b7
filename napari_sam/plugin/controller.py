"""The plugin's logic: what a click, a drag or a button does, and what the window then shows.

All of it runs on the window's thread, but for the `work` of jobs, and knows neither Qt, napari nor torch.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.edits import Edit
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt
from napari_sam.core.propagation import PlanePrediction, plan_propagation
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.errors import SamError
from napari_sam.plugin._asking import Asking
from napari_sam.plugin._cases import Case, Cases, ImageSource
from napari_sam.plugin._guidance import panel_state, plain_message
from napari_sam.plugin._jobs import Background
from napari_sam.plugin._label_files import LabelFiles, Save, write_labels
from napari_sam.plugin._model_slot import Load, ModelSlot
from napari_sam.plugin._object_steps import ObjectSteps
from napari_sam.plugin._volume_jobs import Following, plane_meets
from napari_sam.plugin.view import View
from volumes import Box, VolumeError

__all__ = ["Controller", "ImageSource", "Save"]


class Controller:
    """Turns what a person does into sessions, jobs and what the view shows.

    Parameters
    ----------
    view : View
        The window.
    background : Background
        Runs the model's jobs one after the other.
    files : Background
        Runs what writes files, beside the model.
    load : callable
        (model's name, weights file or None) to `Segmenter`; called on another thread.
    save : callable, optional
        (path, labels, source volume, segments); called on another thread. `volumes.write` when None.
    """

    def __init__(
        self, view: View, background: Background, files: Background, load: Load, save: Save | None = None
    ) -> None:
        self._view = view
        self._background = background
        self._files = files
        self.cases = Cases(background, self._opened, self._failed)
        self.model = ModelSlot(background, load, self._model_ready, self._model_failed)
        self.asking = Asking(background, self.model, self._answered, self._failed)
        self.objects = ObjectSteps(view, self._free_case, self._objects_changed)
        self.following = Following(background, self._followed, self._propagated, self._broke_off)
        self.label_files = LabelFiles(
            files, save or write_labels, self.model, self._free_case, self._objects_changed, self._failed
        )
        self.plane: PlaneRef | None = None
        self.news = ""
        self.has_warning = False
        self._early: list[tuple[PlaneRef, Prompt]] = []

    @property
    def case(self) -> Case | None:
        """The chosen image's work; None before it is read."""
        return self.cases.current

    @property
    def session(self) -> Session | None:
        """The chosen image's session; None before it is read."""
        return self.case.session if self.case is not None else None

    @property
    def _may_edit(self) -> bool:
        """Whether the session is ours: a propagation that runs has it to itself."""
        return not self.following.is_running

    # Steps 1 and 2: image, window, model

    def choose_image(self, source: ImageSource | None) -> None:
        """Work on this image from now on; labels made on another one stay as they are."""
        if self.cases.is_chosen(source):
            return
        self.cancel()
        self.asking.forget()
        self._early = []
        self.cases.choose(source)
        if self.case is not None and self.case.is_shown:
            self._view.show_session(self.case.session)
        self._show_prompts()
        self.say("")

    def drop_image(self, key: Hashable) -> None:
        """Forget an image that has gone."""
        if self.cases.source is not None and self.cases.source.key == key:
            self.choose_image(None)
        self.cases.drop(key)

    def choose_window(self, request: Window | str | None) -> None:
        """Choose the intensity window: explicit, text as in `parse_window`, or None for the volume's own."""
        self.cases.set_window(request)
        self.say("")

    def _opened(self) -> None:
        early, self._early = self._early, []
        for plane, prompt in early:
            self._prompt(plane, prompt)
        self._prefetch()
        self.show()

    def choose_model(self, name: str, weights: Path | None = None) -> None:
        """Use this model from the next prompt on."""
        self.model.choose(name, weights)
        if self.case is not None and self.case.is_shown:
            self.model.ensure()
        self.say("")

    def _model_ready(self) -> None:
        self.asking.resume()
        self._prefetch()
        self.show()

    def _model_failed(self, error: Exception) -> None:
        self.asking.forget()
        self._failed(error)

    def begin(self) -> None:
        """Get ready for prompts: load the model, show the labels."""
        if self.cases.source is None:
            return
        case = self.case
        if case is not None and not case.is_shown:
            case.is_shown = True
            self._view.show_session(case.session)
            self._view.show_object(case.current_id)
        self.model.ensure()
        self.show()

    # Steps 3 and 4: objects and prompts

    def show_plane(self, plane: PlaneRef | None) -> None:
        """Note which plane is shown now; None in a 3-D view."""
        if plane != self.plane:
            self.plane = plane
            self._show_prompts()
            self._prefetch()
            self.show()

    def labels_gone(self) -> None:
        """Note that the layer with the labels was removed; the next prompt shows it again."""
        if self.case is not None:
            self.case.is_shown = False

    def add_point(self, at: tuple[float, float, float], positive: bool) -> None:
        """Put a point, in voxels, on the shown plane: in the object, or beside it."""
        if self.plane is not None:
            self._prompt(self.plane, PointPrompt(at, positive))

    def add_box(self, box: Box) -> None:
        """Put a box of the shown plane around the object; what lies outside the image is cut off."""
        if self.plane is None:
            return
        inside = box if self.session is None else box.clip(self.session.volume.shape)
        if not inside.is_empty:
            self._prompt(self.plane, BoxPrompt(inside))

    def _prompt(self, plane: PlaneRef, prompt: Prompt) -> None:
        if self.cases.source is None or not self._may_edit:
            return
        self.begin()
        if self.case is None:
            self._early.append((plane, prompt))
            self.show()
            return
        try:
            request = self.case.session.prompt(plane, prompt, object_id=self.case.current_id)
        except (SamError, VolumeError) as error:
            self._failed(error)
            return
        self.asking.ask(self.case.session, request)
        self._show_prompts()
        self.say("")

    def _answered(self, session: Session, edit: Edit | None) -> None:
        if edit is not None and session is self.session:
            self._redraw([edit])
        self._prefetch()
        self.show()

    def _prefetch(self) -> None:
        if self.session is not None and self.plane is not None and self._may_edit:
            self.asking.prefetch(self.session, self.plane)

    def painted(self, box: Box, before: NDArray[Any], after: NDArray[Any]) -> None:
        """Take a brush stroke that is in the labels already into the session's history."""
        if self.session is None or not self._may_edit:
            return
        try:
            edit = self.session.paint(box, before, after)
        except SamError as error:
            self._failed(error)
            return
        if not np.array_equal(edit.after, after):
            self._redraw([edit])
        self.say("")

    def next_candidate(self) -> None:
        """Take the next candidate of the model's answer on the shown plane."""
        if self.plane is not None and self.asking.request is None:
            self.objects.next_candidate(self.plane)

    def _free_case(self) -> Case | None:
        return self.case if self._may_edit else None

    def _objects_changed(self, edits: Iterable[Edit], news: str) -> None:
        if edits and self.case is not None and not self.case.is_shown:
            self.begin()
        self._redraw(edits)
        self._show_prompts()
        self.say(news)

    # Steps 5 and 6: the volume

    def propagate(self, first: int | None = None, last: int | None = None) -> None:
        """Follow the object through the planes from `first` to `last`, both included; all when None."""
        case, plane, segmenter = self.case, self.plane, self.model.segmenter
        if case is None or plane is None or segmenter is None or not self._may_edit:
            return
        n_planes = case.session.volume.shape[plane.axis]
        reach = (0 if first is None else first, n_planes if last is None else last + 1)
        try:
            plan = plan_propagation(case.session, case.current_id, axis=plane.axis, planes=reach)
        except SamError as error:
            self._failed(error)
            return
        self.asking.forget()
        self._view.lock_labels(True)
        self.following.start(case.session, segmenter, plan)
        self.say("")

    def _followed(self, session: Session, prediction: PlanePrediction) -> None:
        if session is self.session and self.plane is not None and plane_meets(self.plane, prediction.plane):
            self._view.redraw_labels()
        self.show()

    def _propagated(self, summary: str) -> None:
        self._view.lock_labels(False)
        self._prefetch()
        self.say(summary)

    def _broke_off(self, error: Exception) -> None:
        self._view.lock_labels(False)
        self._failed(error)

    def cancel(self) -> None:
        """Stop propagating; the planes that are done stay."""
        self.following.cancel()

    def close(self) -> None:
        """Stop all work; the labels stay."""
        self._background.close()
        self._files.close()

    def say(self, news: str) -> None:
        """Show news until the next action; the next step to take where there is none."""
        self.news, self.has_warning = news, False
        self.show()

    def show(self) -> None:
        """Draw the panels again."""
        self._view.show_state(panel_state(self))

    def _failed(self, error: Exception) -> None:
        message = plain_message(error)
        self._view.show_error(message)
        self.news, self.has_warning = message, True
        self.show()

    def _redraw(self, edits: Iterable[Edit]) -> None:
        session, plane = self.session, self.plane
        if session is None:
            return
        if plane is None or any(edit.box.meets(plane.box(session.volume.shape)) for edit in edits):
            self._view.redraw_labels()

    def _show_prompts(self) -> None:
        case, plane = self.case, self.plane
        state = case.session.objects.get(case.current_id) if case is not None else None
        anchor = None if state is None or plane is None else state.anchor_on(plane)
        self._view.show_prompts(plane, () if anchor is None else anchor.prompts)
