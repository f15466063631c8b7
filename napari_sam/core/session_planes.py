"""The steps of a session that a person takes in one plane: prompts given, moved and taken back."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.edits import Action, Edit, EditGroup
from napari_sam.core.objects import Anchor, ObjectState, merge_prompts, says_where
from napari_sam.core.plane_operations import exchanged, mending, nothing_on
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt, Prompt, check_prompt
from napari_sam.core.segmenter import SegmentRequest
from napari_sam.core.session_objects import ObjectSteps
from napari_sam.core.window import Window
from napari_sam.errors import InvalidPrompt
from volumes import Volume

__all__ = ["PlaneSteps"]


class PlaneSteps(ObjectSteps):
    """What `Session` does in one plane."""

    volume: Volume
    window: Window
    _answer_key: Hashable

    def prompt(
        self,
        plane: PlaneRef,
        *prompts: Prompt,
        object_id: int | None = None,
        hint: NDArray[np.floating] | None = None,
    ) -> SegmentRequest:
        """Add prompts to an object's in one plane, and say what to ask the model.

        Points add up; a box replaces the plane's earlier box. Where only points are new, the model also gets
        its mask as it stands: logits of the last answer, or, where it was propagated or painted before the
        plane's first prompt, a mask prompt and a box around both, so that the points mend what is there.

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
            mends = anchor.hint is None or anchor.mends
            own = self._ledger.mask_on(plane, state) if mends else None
            hint = anchor.hint if own is None else None
            if own is not None:
                asked = mending(merged, own, plane, self.volume.shape)
                anchor = replace(anchor, mends=True)
        if hint is None and not says_where(asked):
            raise InvalidPrompt(
                f"object {state.id} has only negative points in plane {plane.index} of axis {plane.axis}; "
                "give a point in the object or a box first"
            )
        told = {"object_id": state.id, "plane": plane, "prompts": list(prompts)}
        return self._asked(state, anchor.prompted(merged), (asked, hint), ("prompt", told))

    def replace_prompt(
        self,
        plane: PlaneRef,
        prompt: Prompt,
        by: Prompt,
        object_id: int | None = None,
        *,
        group: EditGroup | None = None,
    ) -> SegmentRequest | None:
        """Put one of an object's prompts in a plane elsewhere, as dragging does; one step with its answer.

        The model is asked anew, without the mask that the old prompts gave; a plane that was painted by hand
        keeps its mask as a prompt.

        Parameters
        ----------
        plane : PlaneRef
            Where both lie.
        prompt, by : Prompt
            The one that goes, and the one that comes in its place.
        object_id : int, optional
            The object; the current one when None.
        group : EditGroup, optional
            Replacements of one group in a row, such as those of one drag, are one step to undo.

        Returns
        -------
        SegmentRequest or None
            What to ask the model. None where the prompts say nothing of where the object is; the plane's
            mask, if a model gave it, is erased then.

        Raises
        ------
        InvalidPrompt
            No such prompt there, a new one outside the plane, or a locked object.
        """
        check_prompt(by, plane, self.volume.shape)
        told: dict[str, object] = {"plane": plane, "prompt": prompt, "by": by}
        return self._exchange(plane, (prompt, by), object_id, ("move prompt", told), group)

    def remove_prompt(
        self, plane: PlaneRef, prompt: Prompt, object_id: int | None = None
    ) -> SegmentRequest | None:
        """Take back one of an object's prompts in a plane; one step with the model's answer.

        As `replace_prompt`; a plane that was painted by hand keeps its mask, and there is nothing to ask.
        """
        told: dict[str, object] = {"plane": plane, "prompt": prompt}
        return self._exchange(plane, (prompt, None), object_id, ("remove prompt", told), None)

    def clear_plane(self, plane: PlaneRef, object_id: int | None = None) -> Edit:
        """Erase an object's prompts and mask in one plane, which propagation may fill again.

        No step where there is nothing to erase. Raises InvalidPrompt for a plane outside the volume, an
        object that is not there, or a locked one.
        """
        plane.check(self.volume.shape)
        state = self._ledger.state.get(self._unlocked(object_id).id)
        nothing, cleared = nothing_on(plane), state.without_plane(plane)
        if cleared == state and self._ledger.mask_on(plane, state) is None:
            empty = self._ledger.labels[nothing.box.slices()].copy()
            return Edit(nothing.box, empty, empty, "clear plane")
        self._generations.new()
        action = Action("clear plane", {"object_id": state.id, "plane": plane})
        return self._ledger.replace_mask(cleared, plane, nothing, action)

    def accept_plane(self, plane: PlaneRef, object_id: int | None = None) -> None:
        """Say yes to what propagation found in a plane: it is an anchor from now on, and never overwritten.

        Neither propagation nor other objects, painted or prompted, change it afterwards; the object's own
        prompts and brush do, and the eraser.
        Raises InvalidPrompt for a plane outside the volume, or one in which the object has no voxel.
        """
        plane.check(self.volume.shape)
        state = self._ledger.state
        one = state.get(state.current_id if object_id is None else object_id)
        if self._ledger.mask_on(plane, one) is None:
            raise InvalidPrompt(
                f"object {one.id} has no voxel in plane {plane.index} of axis {plane.axis} to accept; prompt "
                "or paint it there, or propagate"
            )
        anchor = replace(one.anchor_on(plane) or Anchor(plane), is_settled=True, is_accepted=True)
        self._generations.new()
        action = Action("accept plane", {"object_id": one.id, "plane": plane})
        self._ledger.note(state.with_object(one.with_anchor(anchor)), action)

    def _exchange(
        self,
        plane: PlaneRef,
        prompts: tuple[Prompt, Prompt | None],
        object_id: int | None,
        told: tuple[str, dict[str, object]],
        group: EditGroup | None,
    ) -> SegmentRequest | None:
        """Exchange a prompt for another or for none, and ask anew where that makes sense."""
        state = self._ledger.state.get(self._unlocked(object_id).id)
        anchor = exchanged(state, plane, *prompts)
        name, values = told
        told = (name, {"object_id": state.id, **values})
        is_drawn = anchor.is_settled and (anchor.score is None or anchor.mends)
        own = self._ledger.mask_on(plane, state) if is_drawn else None
        if says_where(anchor.prompts) and not (own is not None and prompts[1] is None):
            asked = anchor.prompts
            if own is not None:
                asked = mending(asked, own, plane, self.volume.shape)
            return self._asked(state, anchor, (asked, None), told, group)
        self._generations.new()
        action = Action(*told, key=group)
        after = state.with_anchor(anchor) if anchor.prompts or own is not None else state.without_plane(plane)
        if own is not None:
            self._ledger.note(self._ledger.state.with_object(after), action)
        else:
            self._ledger.replace_mask(after, plane, nothing_on(plane), action)
        return None

    def _asked(
        self,
        state: ObjectState,
        anchor: Anchor,
        question: tuple[tuple[Prompt, ...], NDArray[np.floating] | None],
        told: tuple[str, dict[str, object]],
        group: EditGroup | None = None,
    ) -> SegmentRequest:
        """Enter an object's prompts in a plane, and put the question."""
        asked, hint = question
        name, values = told
        generation = self._generations.new()
        self._answer_key = generation if group is None else group
        after = replace(self._ledger.state.with_object(state.with_anchor(anchor)), current_id=state.id)
        values = {**values, "window": [self.window.low, self.window.high]}
        self._ledger.note(after, Action(name, values, self._answer_key))
        return SegmentRequest(self.volume, anchor.plane, self.window, asked, state.id, hint, generation)

    def _unlocked(self, object_id: int | None) -> ObjectState:
        state = self._ledger.state
        object_id = state.current_id if object_id is None else object_id
        return state.unlocked(self._ledger.check_id(object_id))
