"""The labels, the objects' state and the history, changed together: nothing else writes to the labels."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.edits import Edit, EditGroup, History
from napari_sam.core.labels import fit_labels, object_extents, own_mask, with_mask
from napari_sam.core.masks import BoxedMask
from napari_sam.core.objects import Anchor, ObjectState, SessionState
from napari_sam.core.planes import PlaneRef
from napari_sam.errors import InvalidEdit, InvalidPrompt
from volumes import Box

__all__ = ["Ledger"]


class Ledger:
    """Labels and objects, and how they came about.

    Parameters
    ----------
    labels : NDArray of uint16 or uint32, shape (P, R, C)
        Edited in place.
    state : SessionState
        The objects to begin with.

    Attributes
    ----------
    on_edit : list of callables
        Each is called with every `Edit`, once it is in the labels and the state is up to date.
    """

    def __init__(self, labels: NDArray[Any], state: SessionState) -> None:
        self.labels = labels
        self.state = state
        self.on_edit: list[Callable[[Edit], None]] = []
        self.history: History[SessionState] = History()

    @classmethod
    def opened(
        cls, labels: NDArray[Any] | None, shape: tuple[int, int, int], objects: Mapping[int, ObjectState]
    ) -> Ledger:
        """Begin with labels as in `fit_labels`, their objects, and what is known of them."""
        array = fit_labels(labels, shape)
        extents = {} if labels is None else object_extents(array)
        state = SessionState(objects)
        for object_id in sorted({*objects, *extents}):
            found = replace(state.object_or_new(object_id), extent=extents.get(object_id))
            state = state.with_object(found)
        return cls(array, replace(state, current_id=state.free_id))

    def note(self, after: SessionState, cause: str, key: Hashable) -> None:
        """Enter a change of the objects' state alone."""
        self.history.push(None, self.state, after, cause=cause, key=key)
        self.state = after

    def change(self, edit: Edit, after: SessionState, key: Hashable) -> Edit:
        """Enter a change of labels and of the objects' state."""
        self.labels[edit.box.slices()] = edit.after
        self.history.push(edit, self.state, after, cause=edit.cause, key=key)
        self.state = after
        self._tell(edit)
        return edit

    def replace_mask(
        self, state: ObjectState, plane: PlaneRef, mask: BoxedMask, cause: str, key: Hashable
    ) -> Edit:
        """Replace an object's mask in one plane; costs no more than the box of the old and the new mask."""
        old = self.mask_on(plane, state)
        box = mask.box if old is None else old.box.union(mask.box)
        before = self.labels[box.slices()].copy()
        edit = Edit(box, before, with_mask(before, box, mask, state.id), cause)
        return self.change(edit, self.state.with_object(state.grown(mask.box)), key)

    def take_candidate(self, state: ObjectState, anchor: Anchor, cause: str, key: Hashable) -> Edit:
        """Enter an anchor whose answer has a candidate taken, and that candidate's mask."""
        if anchor.answer is None or anchor.taken is None:
            raise ValueError(f"the anchor on {anchor.plane} has no answer; use Anchor.answered")
        mask = anchor.answer.masks[anchor.taken]
        return self.replace_mask(state.with_anchor(anchor), anchor.plane, mask, cause, key)

    def adopt(self, labels: NDArray[Any], names: Mapping[int, str]) -> dict[int, int]:
        """Enter the objects of other labels (P, R, C) where no voxel is taken, locked, as one step.

        Returns the id that each value got; one of which no voxel is left has none.
        """
        group, ids = EditGroup("adopt"), {}
        extents = {self.check_id(value): box for value, box in object_extents(labels).items()}
        for value in sorted(extents, key=lambda value: (value in self.state.objects, value)):
            box = extents[value]
            before = self.labels[box.slices()].copy()
            is_new = (labels[box.slices()] == value) & (before == 0)
            extent = Box.of_mask(is_new, offset=box.start)
            if extent is None:
                continue
            free_id = self.state.free_id if value in self.state.objects else value
            ids[value] = self.check_id(free_id)
            name = names.get(value) or f"object {free_id}"
            after = self.state.with_object(ObjectState(free_id, name, locked=True, extent=extent))
            edit = Edit(box, before, np.where(is_new, before.dtype.type(free_id), before), group.cause)
            self.change(edit, replace(after, current_id=after.free_id), group)
        return ids

    def paint(self, box: Box, before: NDArray[Any], after: NDArray[Any], key: Hashable) -> Edit:
        """Enter a brush stroke, less what it would take from locked objects or give to them."""
        before, after = (self._checked_stroke(box, part) for part in (before, after))
        locked = [state.id for state in self.state.objects.values() if state.locked]
        kept = (before == after) | np.isin(before, locked) | np.isin(after, locked)
        edit = Edit(box, before, np.where(kept, before, after), "paint")
        if kept.all():
            self.labels[box.slices()] = edit.after
            self._tell(edit)
            return edit
        state = self.state
        for object_id in np.union1d(before[~kept], after[~kept]).tolist():
            if object_id != 0:
                drawn = Box.of_mask(~kept & (after == object_id), offset=box.start)
                state = state.with_object(state.object_or_new(object_id).grown(drawn).painted(box))
        return self.change(edit, state, key)

    def mask_on(self, plane: PlaneRef, state: ObjectState) -> BoxedMask | None:
        """Return an object's mask in a plane, as the labels hold it; None where it has no voxel there."""
        return own_mask(self.labels, state.id, plane, state.extent)

    def undo(self) -> tuple[Edit, ...]:
        """Take the newest step back; returns the edits that did it."""
        return self._follow(self.history.undo())

    def redo(self) -> tuple[Edit, ...]:
        """Do the step undone last again; returns the edits that did it."""
        return self._follow(self.history.redo())

    def check_id(self, object_id: int) -> int:
        """Return an id that the labels can hold, or raise InvalidPrompt."""
        if not 1 <= object_id <= self._highest_id:
            raise InvalidPrompt(
                f"object id {object_id} does not fit labels of {self.labels.dtype}; "
                f"give an id from 1 to {self._highest_id}"
            )
        return int(object_id)

    def _checked_stroke(self, box: Box, part: NDArray[Any]) -> NDArray[Any]:
        shape = self.labels.shape
        if box.clip(shape) != box or part.shape != box.shape:
            raise InvalidEdit(
                f"a stroke of shape {part.shape} in the box from {box.start} to {box.stop} does not fit "
                f"labels of shape {shape}; give the box's own shape, inside the volume"
            )
        if part.size and not 0 <= int(part.min()) <= int(part.max()) <= self._highest_id:
            raise InvalidEdit(
                f"a stroke holds ids from {part.min()} to {part.max()}, {self.labels.dtype} labels go from "
                f"0 to {self._highest_id}; paint with an id among these"
            )
        return part.astype(self.labels.dtype)

    @property
    def _highest_id(self) -> int:
        return int(np.iinfo(self.labels.dtype).max)

    def _follow(self, step: tuple[tuple[Edit, ...], SessionState] | None) -> tuple[Edit, ...]:
        if step is None:
            return ()
        edits, self.state = step
        for edit in edits:
            self.labels[edit.box.slices()] = edit.after
        for edit in edits:
            self._tell(edit)
        return edits

    def _tell(self, edit: Edit) -> None:
        for callback in tuple(self.on_edit):
            callback(edit)
