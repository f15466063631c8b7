"""The labels, the objects' state and the history, changed together: nothing else writes to the labels."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.classes import class_of_segment
from napari_sam.core.edits import Action, Edit
from napari_sam.core.history import Entry, History
from napari_sam.core.labels import fit_labels, object_extents, own_mask
from napari_sam.core.masks import BoxedMask
from napari_sam.core.object_operations import Fill, as_found, held_from_strokes, losing, masked
from napari_sam.core.objects import Anchor, ObjectState, SessionState
from napari_sam.core.planes import PlaneRef
from napari_sam.errors import InvalidEdit, InvalidPrompt
from volumes import Box, Segment

__all__ = ["Ledger"]


class Ledger:
    """Labels and objects, and how they came about.

    Parameters
    ----------
    labels : NDArray of uint16 or uint32, shape (P, R, C)
        Edited in place.
    state : SessionState
        The objects to begin with.
    history : History, optional
        How they came about; nothing when None.

    Attributes
    ----------
    on_entry : list of callables
        Each is called with every `Entry` of the history, before `on_edit`: what keeps a session on disk.
    on_edit : list of callables
        Each is called with every `Edit`, once it is in the labels and the state is up to date.
    n_entries : int
        How many entries there were since this began.
    """

    def __init__(
        self, labels: NDArray[Any], state: SessionState, history: History[SessionState] | None = None
    ) -> None:
        self.labels = labels
        self.state = state
        self.on_entry: list[Callable[[Entry[SessionState]], None]] = []
        self.on_edit: list[Callable[[Edit], None]] = []
        self.history: History[SessionState] = History() if history is None else history
        self.n_entries = 0

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

    def joins(self, key: Hashable) -> bool:
        """Return whether an action with that key would be part of the newest step."""
        return self.history.joins(Action("", key=key))

    def note(self, after: SessionState, action: Action) -> None:
        """Enter a change of the objects' state alone."""
        self._enter((), after, action)

    def change(self, edit: Edit, after: SessionState, action: Action) -> Edit:
        """Enter a change of labels and of the objects' state; returns it with the action's cause."""
        edit = replace(edit, cause=action.cause)
        self.labels[edit.box.slices()] = edit.after
        self._enter((edit,), after, action)
        return edit

    def fill(self, fills: Sequence[Fill], after: SessionState, action: Action) -> tuple[Edit, ...]:
        """Enter several changes of labels at once: each gives the voxels of a mask a value."""
        edits = []
        for mask, value in fills:
            before = self.labels[mask.box.slices()].copy()
            filled = np.where(mask.bits, before.dtype.type(value), before)
            self.labels[mask.box.slices()] = filled
            edits.append(Edit(mask.box, before, filled, action.cause))
        self._enter(edits, after, action)
        return tuple(edits)

    def replace_mask(
        self, state: ObjectState, plane: PlaneRef, mask: BoxedMask, action: Action, overwrites: bool = False
    ) -> Edit:
        """Replace an object's mask in one plane; costs no more than the box of the old and the new mask."""
        old = self.mask_on(plane, state)
        box = mask.box if old is None else old.box.union(mask.box)
        edit = masked(self.labels, self.state, box, mask, state.id, overwrites)
        after = self.state.with_object(state.grown(mask.box))
        return self.change(edit, losing(after, edit, state.id) if overwrites else after, action)

    def take_candidate(
        self, state: ObjectState, anchor: Anchor, action: Action, overwrites: bool = False
    ) -> Edit:
        """Enter an anchor whose answer has a candidate taken, and that candidate's mask."""
        mask = anchor.mask
        if mask is None:
            raise ValueError(f"the anchor on {anchor.plane} has no answer; use Anchor.answered")
        return self.replace_mask(state.with_anchor(anchor), anchor.plane, mask, action, overwrites)

    def adopt(
        self,
        labels: NDArray[Any],
        known: Mapping[int, Segment],
        action: Action,
        found_across: int | None = None,
    ) -> dict[int, int]:
        """Enter the objects of other labels (P, R, C) where no voxel is taken, as one step.

        Returns the id that each value got; one of which no voxel is left has none. They are locked unless a
        model found them across an axis; see `Session.adopt`.
        """
        fills: list[Fill] = []
        ids, after = {}, self.state
        extents = {self.check_id(value): box for value, box in object_extents(labels).items()}
        for value in sorted(extents, key=lambda value: (value in self.state.objects, value)):
            box = extents[value]
            is_new = (labels[box.slices()] == value) & (self.labels[box.slices()] == 0)
            extent = Box.of_mask(is_new, offset=box.start)
            if extent is None:
                continue
            free_id = after.free_id if value in self.state.objects else value
            ids[value] = self.check_id(free_id)
            fills.append((BoxedMask(box, is_new), free_id))
            one = _adopted(free_id, extent, known.get(value))
            after = after.with_object(
                one if found_across is None else as_found(one, is_new, box, found_across)
            )
        if fills:
            self.fill(fills, replace(after, current_id=after.free_id), action)
        return ids

    def paint(
        self, box: Box, before: NDArray[Any], after: NDArray[Any], action: Action, overwrites: bool
    ) -> Edit:
        """Enter a brush stroke, less what it may not change: see `held_from_strokes`."""
        before, after = (self._checked_stroke(box, part) for part in (before, after))
        kept = (before == after) | held_from_strokes(self.state, box, before, after)
        if not overwrites:
            kept |= (before != 0) & (after != 0)
        edit = Edit(box, before, np.where(kept, before, after), action.cause)
        if kept.all():
            self.labels[box.slices()] = edit.after
            self._tell(edit)
            return edit
        state = self.state
        for object_id in np.union1d(before[~kept], after[~kept]).tolist():
            if object_id != 0:
                drawn = Box.of_mask(~kept & (after == object_id), offset=box.start)
                state = state.with_object(state.object_or_new(object_id).grown(drawn).painted(box))
        return self.change(edit, state, action)

    def mask_on(self, plane: PlaneRef, state: ObjectState) -> BoxedMask | None:
        """Return an object's mask in a plane, as the labels hold it; None where it has no voxel there."""
        return own_mask(self.labels, state.id, plane, state.extent)

    def undo(self) -> tuple[Edit, ...]:
        """Take the newest step back; returns the edits that did it."""
        return self._follow("undo", self.history.undo())

    def redo(self) -> tuple[Edit, ...]:
        """Do the step undone last again; returns the edits that did it."""
        return self._follow("redo", self.history.redo())

    def check_id(self, object_id: int) -> int:
        """Return an id that the labels can hold, or raise InvalidPrompt."""
        if not 1 <= object_id <= self.highest_id:
            raise InvalidPrompt(
                f"object id {object_id} does not fit labels of {self.labels.dtype}; "
                f"give an id from 1 to {self.highest_id}"
            )
        return int(object_id)

    @property
    def highest_id(self) -> int:
        """The highest id that the labels can hold."""
        return int(np.iinfo(self.labels.dtype).max)

    def _checked_stroke(self, box: Box, part: NDArray[Any]) -> NDArray[Any]:
        shape = self.labels.shape
        if box.clip(shape) != box or part.shape != box.shape:
            raise InvalidEdit(
                f"a stroke of shape {part.shape} in the box from {box.start} to {box.stop} does not fit "
                f"labels of shape {shape}; give the box's own shape, inside the volume"
            )
        if part.size and not 0 <= int(part.min()) <= int(part.max()) <= self.highest_id:
            raise InvalidEdit(
                f"a stroke holds ids from {part.min()} to {part.max()}, {self.labels.dtype} labels go from "
                f"0 to {self.highest_id}; paint with an id among these"
            )
        return part.astype(self.labels.dtype)

    def _enter(self, edits: Sequence[Edit], after: SessionState, action: Action) -> None:
        """Take edits that are in the labels into the history, and tell of them."""
        entry = self.history.push(edits, self.state, after, action)
        self.state = after
        self._write_down(entry)
        for edit in edits:
            self._tell(edit)

    def _follow(
        self, kind: Literal["undo", "redo"], step: tuple[tuple[Edit, ...], SessionState] | None
    ) -> tuple[Edit, ...]:
        if step is None:
            return ()
        before, (edits, self.state) = self.state, step
        for edit in edits:
            self.labels[edit.box.slices()] = edit.after
        self._write_down(Entry(kind, None, False, (), before, self.state))
        for edit in edits:
            self._tell(edit)
        return edits

    def _write_down(self, entry: Entry[SessionState]) -> None:
        self.n_entries += 1
        for callback in tuple(self.on_entry):
            callback(entry)

    def _tell(self, edit: Edit) -> None:
        for callback in tuple(self.on_edit):
            callback(edit)


def _adopted(object_id: int, extent: Box, segment: Segment | None) -> ObjectState:
    """Return an object as a file describes it."""
    segment = segment or Segment(object_id)
    return ObjectState(
        object_id,
        segment.name or f"object {object_id}",
        locked=True,
        extent=extent,
        object_class=class_of_segment(segment),
        colour=segment.colour,
        drawn_by=segment.algorithm,
    )
