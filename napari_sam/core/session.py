"""A session: one volume, its labels, its objects, and everything that was done, so that it can be undone."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any

from numpy.typing import NDArray

from napari_sam.core.edits import Action, Edit, EditGroup
from napari_sam.core.history import Entry, History
from napari_sam.core.jobs import LatestOnly
from napari_sam.core.labels import fit_labels
from napari_sam.core.ledger import Ledger
from napari_sam.core.masks import BoxedMask
from napari_sam.core.objects import Anchor, ObjectState, SessionSnapshot, SessionState
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import MaskPrompt, check_prompt
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session_planes import PlaneSteps
from napari_sam.core.window import Window, resolve_window
from volumes import Box, Volume

__all__ = ["Session"]


class Session(PlaneSteps):
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
        self._answer_key: Hashable = None

    @classmethod
    def resumed(
        cls,
        volume: Volume,
        labels: NDArray[Any],
        state: SessionState,
        history: History[SessionState],
        window: Window | None = None,
    ) -> Session:
        """Go on with a session as it was, its history included; see `SavedSession.resume`."""
        session = cls(volume, window=window)
        session._ledger = Ledger(fit_labels(labels, volume.shape), state, history)
        return session

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
    def on_entry(self) -> list[Callable[[Entry[SessionState]], None]]:
        """Callables that get every `Entry` of the history, before `on_edit`: what keeps a session on disk."""
        return self._ledger.on_entry

    @property
    def history(self) -> History[SessionState]:
        """What was done, for looking at: what undo and redo would do is said by its steps' causes."""
        return self._ledger.history

    @property
    def n_entries(self) -> int:
        """How often something was done, undone or redone since this object was made."""
        return self._ledger.n_entries

    @property
    def state(self) -> SessionState:
        """The objects and the current id, frozen."""
        return self._ledger.state

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self._ledger.history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is something to redo."""
        return self._ledger.history.can_redo

    def apply(
        self,
        prediction: MaskPrediction,
        request: SegmentRequest,
        *,
        candidate: int | None = None,
        overwrites: bool = False,
    ) -> Edit | None:
        """Put a model's answer into the labels, in place of the object's mask in that plane.

        Other objects keep their voxels, unless told otherwise. It may be called again, with another candidate
        or with the answer that follows a glance; undo takes the prompt and its answers back as one step.

        Parameters
        ----------
        prediction, request : MaskPrediction, SegmentRequest
            The answer, and what it answers.
        candidate : int, optional
            Which mask to take; the one with the best score when None.
        overwrites : bool
            Take voxels from neighbours that are not locked, too, but for their accepted planes.

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
        told = {
            "object_id": state.id,
            "plane": request.plane,
            "candidate": candidate,
            "overwrites": overwrites,
        }
        told |= {"is_glance": True} if prediction.is_glance else {}
        action = Action("answer", told, self._answer_key, "prompt")
        return self._ledger.take_candidate(state, anchor, action, overwrites)

    def choose(
        self, plane: PlaneRef, candidate: int, object_id: int | None = None, *, overwrites: bool = False
    ) -> Edit:
        """Take another candidate of the model's last answer in a plane, its logits included.

        Propagation starts from it. Choices in a row in one plane are one step to undo, beside the prompt's.
        Raises InvalidPrompt: no such candidate, no answer in that plane that still stands, a locked object.
        """
        state = self._unlocked(object_id)
        anchor = state.chosen_on(plane, candidate)
        self._generations.new()
        told = {"object_id": state.id, "plane": plane, "candidate": candidate, "overwrites": overwrites}
        action = Action("candidate", told, ("candidate", state.id, plane))
        return self._ledger.take_candidate(state, anchor, action, overwrites)

    def write(
        self,
        plane: PlaneRef,
        mask: BoxedMask,
        object_id: int,
        *,
        group: EditGroup | None = None,
        propagated: bool = False,
        overwrites: bool = False,
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
        overwrites : bool
            Take voxels from neighbours that are not locked, too, but for their accepted planes.

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
        told = {"object_id": state.id, "plane": plane, "propagated": propagated, "overwrites": overwrites}
        told |= {"group": dict(group.values)} if group.values and not self._ledger.joins(group) else {}
        action = Action("write", told, group, group.cause)
        return self._ledger.replace_mask(state, plane, mask, action, overwrites)

    def paint(self, box: Box, before: NDArray[Any], after: NDArray[Any], *, overwrites: bool = True) -> Edit:
        """Take a brush stroke into the labels and the history.

        The screen may have written `after` into `labels` already. Locked objects neither lose nor gain
        voxels, and accepted planes give none to another object: there the labels are put back. A stroke in
        one plane makes it an anchor of what it changed.

        Parameters
        ----------
        box : Box
            Where the stroke is.
        before, after : NDArray of integers, shape `box.shape`
            What the labels held, and what they should hold.
        overwrites : bool
            False takes no voxel from one object to another; the stroke then fills what is free, or erases.

        Raises
        ------
        InvalidEdit
            A box outside the volume, arrays of another shape, or ids that the labels cannot hold.
        """
        self._generations.new()
        return self._ledger.paint(box, before, after, Action("paint"), overwrites)

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
