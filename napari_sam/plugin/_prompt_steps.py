"""What a person shows on the plane: points, boxes, brush strokes, and which of the model's masks is meant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.edits import Edit
from napari_sam.core.masks import BoxedMask
from napari_sam.core.outlines import filled_outline
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.segmenter import SegmentRequest
from napari_sam.core.session import Session
from napari_sam.errors import SamError
from napari_sam.plugin._asking import Asking
from napari_sam.plugin._stage import Stage
from volumes import Box, VolumeError

__all__ = ["PromptSteps"]

Labels = NDArray[Any]

WAIT_S = 0.05
"""The window waits at most so long for an answer about a plane that the model has seen, and not at all for a
model that takes longer: drawing meanwhile would hold up what is there in a moment."""


class PromptSteps:
    """Prompts on the shown plane of the chosen image.

    Parameters
    ----------
    stage : Stage
        What all steps share.

    Attributes
    ----------
    limit_stroke : callable or None
        (session, box, before, after) of a brush stroke to what it may do.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.limit_stroke: Callable[[Session, Box, Labels, Labels], Labels] | None = None
        self._early: list[tuple[PlaneRef, Prompt]] = []
        self.asking = Asking(
            stage.background, stage.model, self._answered, stage.fail, stage.show_soon, stage.show
        )
        stage.on_open.append(self._opened)
        stage.on_model.append(self._model_changed)
        stage.on_view.append(self.show)

    def add_point(self, at: tuple[float, float, float], positive: bool) -> None:
        """Put a point, in voxels, on the shown plane: in the object, or beside it."""
        self.add_stroke([at], positive)

    def add_box(self, box: Box) -> None:
        """Put a box of the shown plane around the object; what lies outside the image is cut off."""
        stage = self._stage
        if stage.plane is None:
            return
        inside = box if stage.session is None else box.clip(stage.session.volume.shape)
        if not inside.is_empty:
            self._prompt(stage.plane, BoxPrompt(inside))

    def add_outline(self, rc: NDArray[np.float64]) -> None:
        """Take an outline, (row, column) voxels of shape (n, 2), for a rough mask of the object."""
        stage = self._stage
        if stage.plane is None or stage.session is None:
            return
        mask = filled_outline(rc, stage.plane, stage.session.volume.shape)
        if not mask.is_empty:
            self.use_mask(mask)

    def add_stroke(self, points: Sequence[tuple[float, float, float]], positive: bool) -> None:
        """Put several points, in voxels, on the shown plane: along a stroke in the object, or beside it.

        What lies outside the image is left out.
        """
        plane, session = self._stage.plane, self._stage.session
        if plane is None:
            return
        inside = [at for at in points if session is None or _is_inside(at, session.volume.shape)]
        if inside:
            self._prompt(plane, *(PointPrompt(at, positive) for at in inside))
        else:
            self._stage.say("That is outside the image; click inside it.")

    def use_mask(self, mask: BoxedMask) -> None:
        """Ask with a rough mask of the object in the shown plane, and its box."""
        if self._stage.plane is not None and not mask.is_empty:
            self._prompt(self._stage.plane, MaskPrompt(mask), BoxPrompt(mask.box))

    def refine(self) -> None:
        """Ask the model again with the mask as it stands, drawn by hand or not."""
        case, plane = self._stage.free_case, self._stage.plane
        if case is None or plane is None:
            return
        known = case.current_id in case.session.objects
        mask = case.session.mask_on(plane, case.current_id) if known else None
        if mask is None:
            self._stage.say("There is nothing to refine in this plane; draw something first.")
            return
        self.use_mask(mask)

    def move(self, old: Prompt, new: Prompt, done: bool) -> None:
        """Move a prompt of the shown plane; before it is let go, it is only shown."""
        stage, case = self._stage, self._stage.free_case
        if case is None or stage.plane is None or old not in self.shown:
            return
        if not done or old == new:
            stage.view.show_prompts(stage.plane, tuple(new if one == old else one for one in self.shown))
            return
        plane = stage.plane
        self._ask(lambda: case.session.replace_prompt(plane, old, new, case.current_id))

    def remove(self, prompt: Prompt | None = None) -> None:
        """Take a prompt of the shown plane back; the newest one when None."""
        case, plane = self._stage.free_case, self._stage.plane
        if case is None or plane is None or not self.shown:
            return
        gone = self.shown[-1] if prompt is None else prompt
        self._ask(lambda: case.session.remove_prompt(plane, gone, case.current_id))

    def clear_plane(self) -> None:
        """Take away the object's prompts and mask in the shown plane."""
        case, plane = self._stage.free_case, self._stage.plane
        if case is None or plane is None or case.current_id not in case.session.objects:
            return
        try:
            edit = case.session.clear_plane(plane, case.current_id)
        except SamError as error:
            self._stage.fail(error)
            return
        self.asking.forget()
        self._stage.changed((edit,), f"Plane {plane.index} is cleared of object {case.current_id}.")

    def painted(self, box: Box, before: NDArray[Any], after: NDArray[Any]) -> None:
        """Take a brush stroke that is in the labels already into the session's history."""
        case = self._stage.free_case
        if case is None:
            return
        wanted = after if self.limit_stroke is None else self.limit_stroke(case.session, box, before, after)
        try:
            edit = case.session.paint(box, before, wanted)
        except SamError as error:
            self._stage.fail(error)
            return
        if not np.array_equal(edit.after, after):
            self._stage.redraw([edit])
        self._stage.say("")

    def next_candidate(self) -> None:
        """Take the model's next candidate for the object in the shown plane."""
        stage, case = self._stage, self._stage.free_case
        if stage.plane is None or self.asking.request is not None:
            return
        state = None if case is None else case.session.objects.get(case.current_id)
        anchor = None if state is None else state.open_choice_on(stage.plane)
        if case is None or anchor is None or anchor.next_candidate is None:
            stage.changed((), "There are no other candidates here; click on the object or draw a box first.")
            return
        stage.changed((case.session.choose(stage.plane, anchor.next_candidate, case.current_id),))

    def forget(self) -> None:
        """Drop what is not answered yet."""
        self.asking.forget()
        self._early = []

    def prefetch(self) -> None:
        """Prepare the planes around the shown one while nothing else is asked."""
        stage = self._stage
        if stage.free_case is not None and stage.plane is not None:
            self.asking.prefetch(stage.free_case.session, stage.plane)

    @property
    def shown(self) -> tuple[Prompt, ...]:
        """The current object's prompts on the shown plane."""
        case, plane = self._stage.case, self._stage.plane
        state = case.session.objects.get(case.current_id) if case is not None else None
        anchor = None if state is None or plane is None else state.anchor_on(plane)
        return () if anchor is None else anchor.prompts

    def show(self) -> None:
        """Show the current object's prompts on the shown plane."""
        self._stage.view.show_prompts(self._stage.plane, self.shown)

    def _prompt(self, plane: PlaneRef, *prompts: Prompt) -> None:
        stage = self._stage
        if stage.cases.source is None or stage.is_taken:
            return
        stage.begin()
        case = stage.case
        if case is None:
            self._early += [(plane, prompt) for prompt in prompts]
            stage.show()
            return
        self._ask(lambda: case.session.prompt(plane, *prompts, object_id=case.current_id))

    def _ask(self, make_request: Callable[[], SegmentRequest | None]) -> None:
        """Put what a step on the session's prompts asks to the model; it may ask nothing."""
        stage = self._stage
        edits: list[Edit] = []
        session = stage.session
        if session is None:
            return
        session.on_edit.append(edits.append)
        try:
            request = make_request()
        except (SamError, VolumeError) as error:
            stage.fail(error)
            return
        finally:
            session.on_edit.remove(edits.append)
        if request is None:
            self.asking.forget()
        elif request.plane in self.asking.ready(session) and self.asking.is_soon(WAIT_S):
            self.asking.ask(session, request)
            stage.looked_soon()  # with the answer, as a rule
            stage.background.leave_to("segment", WAIT_S)
            return
        else:
            self.asking.ask(session, request)
        stage.changed(edits)

    def _answered(self, session: Session, edit: Edit | None, is_glance: bool) -> None:
        if edit is not None and session is self._stage.session:
            self._stage.redraw([edit])
        if is_glance:
            self.show()
            self._stage.view.in_a_moment(_nothing)  # the panels follow with the full answer, not before it
            return
        self.prefetch()
        self._stage.catch_up()

    def _opened(self) -> None:
        early, self._early = self._early, []
        for plane, prompt in early:
            self._prompt(plane, prompt)
        self.prefetch()
        self._stage.show()

    def _model_changed(self) -> None:
        if self._stage.model.has_failed:
            self.asking.forget()
            return
        self.asking.resume()
        self.prefetch()
        self._stage.show()


def _nothing() -> None:
    """Do nothing."""


def _is_inside(at: Sequence[float], shape: Sequence[int]) -> bool:
    """Return whether a point, in voxels, is in one of a volume's."""
    return all(-0.5 <= x < n - 0.5 for x, n in zip(at, shape, strict=False))
