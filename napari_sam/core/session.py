"""A session: one volume, its labels, its objects, and everything that was done, so that it can be undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.edits import Edit, EditGroup
from napari_sam.core.jobs import LatestOnly
from napari_sam.core.labels import fit_labels
from napari_sam.core.ledger import Ledger
from napari_sam.core.masks import BoxedMask
from napari_sam.core.objects import Anchor, ObjectState, SessionSnapshot, merge_prompts, says_where
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import MaskPrompt, PointPrompt, Prompt, check_prompt
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session_objects import ObjectSteps
from napari_sam.core.window import Window, resolve_window
from napari_sam.errors import InvalidPrompt
from volumes import Box, Volume

__all__ = ["Session"]


class Session(ObjectSteps):
    """The tool without model, files or screen; one thread at a time may use it.

    Parameters
    ----------
    volume : Volume
        What is segmented.
    labels : NDArray or None, shape (P, R, C)
        Labels to go on from; a writable array of uint16 or uint32 is used itself and edited in place. None
        starts with zeros of uint16. The dtype never changes later.
    window : Window, str or None
        The intensity window of all requests, chosen from the volume where None; see `resolve_window`.
    objects : mapping of int to ObjectState, optional
        What an earlier session knew of the objects.

    Raises
    ------
    InvalidEdit
        Labels of another shape or without whole numbers.
    InvalidWindow
        An unknown window.
    """

    def __init__(
        self,
        volume: Volume,
        labels: NDArray[Any] | None = None,
        *,
        window: Window | str | None = None,
        objects: Mapping[int, ObjectState] | None = None,
    ) -> None:
        self.volume = volume
        self.window = resolve_window(volume, window)
        self._ledger = Ledger.opened(labels, volume.shape, objects or {})
        self._generations = LatestOnly()

    @property
    def labels(self) -> NDArray[Any]:
        """The label volume (P, R, C) of uint16 or uint32, 0 for background: always the same array."""
        return self._ledger.labels

    @property
    def objects(self) -> Mapping[int, ObjectState]:
        """The objects by id, as they are at this moment."""
        return MappingProxyType(dict(self._ledger.state.objects))

    @property
    def current_id(self) -> int:
        """The object that a prompt without an id belongs to."""
        return self._ledger.state.current_id

    @property
    def on_edit(self) -> list[Callable[[Edit], None]]:
        """Callables that get every `Edit`, undo and redo included, once it is in the labels."""
        return self._ledger.on_edit

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self._ledger.history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return self._ledger.history.can_redo

    def prompt(
        self,
        plane: PlaneRef,
        *prompts: Prompt,
        object_id: int | None = None,
        hint: NDArray[np.floating] | None = None,
    ) -> SegmentRequest:
        """Add prompts to an object's in one plane, and say what to ask the model.

        Points add up; a box replaces the plane's earlier box. Where only points are new, the model also gets
        its mask as it stands: logits of the last answer, or a mask prompt where it was propagated or painted.

        Parameters
        ----------
        plane : PlaneRef
            Where all the prompts lie.
        *prompts : Prompt
            At least one, unless the object has some in this plane.
        object_id : int, optional
            The object, new or not; the current one when None. It becomes the current one.
        hint : NDArray, shape (h, w), optional
            Low-resolution logits to use instead of the object's own.

        Returns
        -------
        SegmentRequest
            Of a new generation; answers to earlier requests are stale from now on.

        Raises
        ------
        InvalidPrompt
            A prompt outside the plane, two boxes, only negative points, a locked object, or an unusable id.
        """
        state = self._unlocked(object_id)
        plane.check(self.volume.shape)
        for prompt in prompts:
            check_prompt(prompt, plane, self.volume.shape)
        anchor = state.anchor_on(plane) or Anchor(plane)
        asked = merged = merge_prompts(anchor.prompts, prompts)
        if hint is None and all(isinstance(prompt, PointPrompt) for prompt in prompts):
            hint = anchor.hint
            own = self._ledger.mask_on(plane, state) if hint is None else None
            asked = merged if own is None else merge_prompts(merged, (MaskPrompt(own),))
        if hint is None and not says_where(asked):
            raise InvalidPrompt(
                f"object {state.id} has only negative points in plane {plane.index} of axis {plane.axis}; "
                "give a point in the object or a box first"
            )
        generation = self._generations.new()
        after = self._ledger.state.with_object(state.with_anchor(anchor.prompted(merged)))
        self._ledger.note(replace(after, current_id=state.id), "prompt", generation)
        return SegmentRequest(self.volume, plane, self.window, asked, state.id, hint, generation)

    def apply(
        self, prediction: MaskPrediction, request: SegmentRequest, *, candidate: int | None = None
    ) -> Edit | None:
        """Put a model's answer into the labels, in place of the object's mask in that plane.

        Other objects keep their voxels. It may be called again with another candidate; undo takes the prompt
        and its answers back as one step.

        Parameters
        ----------
        prediction, request : MaskPrediction, SegmentRequest
            The answer, and what it answers.
        candidate : int, optional
            Which mask to take; the one with the best score when None.

        Returns
        -------
        Edit or None
            Over the box of the old and the new mask. None, without a change, for a request not the newest.

        Raises
        ------
        InvalidPrompt
            No such candidate, or an answer for another plane.
        """
        if not self._generations.is_latest(request.generation):
            return None
        state = self._ledger.state.get(request.object_id)
        anchor = (state.anchor_on(request.plane) or Anchor(request.plane)).answered(prediction, candidate)
        return self._ledger.take_candidate(state, anchor, "prompt", request.generation)

    def choose(self, plane: PlaneRef, candidate: int, object_id: int | None = None) -> Edit:
        """Take another candidate of the model's last answer in a plane, its logits included.

        Propagation starts from it. Choices in a row in one plane are one step to undo, beside the prompt's.
        Raises InvalidPrompt: no such candidate, no answer in that plane that still stands, a locked object.
        """
        state = self._unlocked(object_id)
        anchor = state.chosen_on(plane, candidate)
        self._generations.new()
        return self._ledger.take_candidate(state, anchor, "candidate", ("candidate", state.id, plane))

    def write(
        self,
        plane: PlaneRef,
        mask: BoxedMask,
        object_id: int,
        *,
        group: EditGroup | None = None,
        propagated: bool = False,
    ) -> Edit | None:
        """Write a mask that no prompt of this session asked for; it replaces the object's mask in that plane.

        Parameters
        ----------
        plane, mask : PlaneRef, BoxedMask
            The object's new mask there; an empty one erases it.
        object_id : int
            The object, new or not.
        group : EditGroup, optional
            Writes of one group in a row are one step to undo.
        propagated : bool
            False makes the plane an anchor. True leaves anchors alone, and notes the plane as propagated.

        Returns
        -------
        Edit or None
            None where the object is locked, or a propagated mask meets an anchor: nothing changes.

        Raises
        ------
        InvalidPrompt
            A mask outside the plane, or an id that the labels cannot hold.
        """
        plane.check(self.volume.shape)
        if not mask.is_empty:
            check_prompt(MaskPrompt(mask), plane, self.volume.shape)
        state = self._ledger.state.object_or_new(self._ledger.check_id(object_id))
        anchor = state.anchor_on(plane)
        if state.locked or (propagated and anchor is not None and anchor.is_settled):
            return None
        if propagated:
            state = state.with_propagated(plane, not mask.is_empty)
        else:
            state = state.with_anchor((anchor or Anchor(plane)).settled_by_hand())
        group = group or EditGroup("mask")
        return self._ledger.replace_mask(state, plane, mask, group.cause, group)

    def paint(self, box: Box, before: NDArray[Any], after: NDArray[Any]) -> Edit:
        """Take a brush stroke into the labels and the history.

        The screen may have written `after` into `labels` already. Locked objects neither lose nor gain
        voxels: there the labels are put back. A stroke in one plane makes it an anchor of what it changed.

        Parameters
        ----------
        box : Box
            Where the stroke is.
        before, after : NDArray of integers, shape `box.shape`
            What the labels held, and what they should hold.

        Raises
        ------
        InvalidEdit
            A box outside the volume, arrays of another shape, or ids that the labels cannot hold.
        """
        return self._ledger.paint(box, before, after, self._generations.new())

    def adopt(self, labels: NDArray[Any], names: Mapping[int, str] | None = None) -> dict[int, int]:
        """Take in the objects of other labels (P, R, C), such as an older file's, and lock them: one step.

        They get voxels that no object has, under their id or the next free one: it is returned for each value
        that found a place. Raises InvalidEdit as the class, InvalidPrompt for ids that are too large.
        """
        return self._ledger.adopt(fit_labels(labels, self.volume.shape), names or {})

    def accept(self, object_id: int | None = None) -> None:
        """Lock an object (the current one when None); the next prompt without an id starts a new one."""
        state = self._ledger.state.get(self.current_id if object_id is None else object_id)
        after = self._ledger.state.with_object(replace(state, locked=True))
        self._ledger.note(replace(after, current_id=after.free_id), "accept", self._generations.new())

    def lock(self, object_id: int, locked: bool = True) -> None:
        """Lock or unlock an object; nothing but undo changes a locked object's voxels."""
        after = self._ledger.state.with_object(replace(self._ledger.state.get(object_id), locked=locked))
        self._ledger.note(after, "lock" if locked else "unlock", self._generations.new())

    def rename(self, object_id: int, name: str) -> None:
        """Give an object a name for people."""
        after = self._ledger.state.with_object(replace(self._ledger.state.get(object_id), name=name))
        self._ledger.note(after, "rename", EditGroup("rename"))

    def undo(self) -> tuple[Edit, ...]:
        """Take the last step back, labels and prompts; returns the edits that did it, often none or one."""
        self._generations.new()
        return self._ledger.undo()

    def redo(self) -> tuple[Edit, ...]:
        """Do the step undone last again; returns the edits that did it."""
        self._generations.new()
        return self._ledger.redo()

    def mask_on(self, plane: PlaneRef, object_id: int) -> BoxedMask | None:
        """Return an object's mask in a plane, as the labels hold it; None where it has no voxel there."""
        return self._ledger.mask_on(plane, self._ledger.state.get(object_id))

    def snapshot(self) -> SessionSnapshot:
        """Copy everything as it is now; takes as long as the volume is large."""
        return SessionSnapshot(self.labels.copy(), self.objects, self.current_id, self.window)

    def _unlocked(self, object_id: int | None) -> ObjectState:
        object_id = self.current_id if object_id is None else object_id
        return self._ledger.state.unlocked(self._ledger.check_id(object_id))
