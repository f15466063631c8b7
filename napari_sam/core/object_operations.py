"""What a person does to whole objects, decided from labels and state: the edits, and the state after them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.edits import Edit
from napari_sam.core.labels import free_voxels, own_mask, with_mask
from napari_sam.core.masks import BoxedMask
from napari_sam.core.objects import Anchor, ObjectState, SessionState
from napari_sam.core.planes import PlaneRef
from napari_sam.errors import InvalidEdit, InvalidPrompt
from volumes import Box

__all__ = [
    "Fill",
    "Outcome",
    "as_found",
    "held_from_strokes",
    "losing",
    "masked",
    "object_split",
    "objects_deleted",
    "objects_merged",
    "objects_renumbered",
    "reshaped",
    "unlocked",
    "voxels_of",
]

Fill = tuple[BoxedMask, int]
"""Voxels, and the value that they get."""

Outcome = tuple[list[Fill], SessionState]
"""What is filled, no voxel twice, and the state that it leaves."""

_WITH_CORNERS = np.ones((3, 3, 3), np.bool_)


def masked(
    labels: NDArray[Any], state: SessionState, box: Box, mask: BoxedMask, object_id: int, overwrites: bool
) -> Edit:
    """Give an object a mask in place of its voxels in a box; without a cause yet."""
    before = labels[box.slices()].copy()
    free = free_voxels(before, box, open_neighbours(state, object_id)) if overwrites else None
    return Edit(box, before, with_mask(before, box, mask, object_id, free), "")


def open_neighbours(state: SessionState, object_id: int) -> dict[int, tuple[PlaneRef, ...]]:
    """Return the other objects that may lose voxels, as nobody locked them, each with its accepted planes."""
    return {
        one.id: tuple(anchor.plane for anchor in one.anchors if anchor.is_accepted)
        for one in state.objects.values()
        if one.id != object_id and not one.locked
    }


def held_from_strokes(
    state: SessionState, box: Box, before: NDArray[Any], after: NDArray[Any]
) -> NDArray[np.bool_]:
    """Return which voxels of a box a brush stroke may not change.

    Those of locked objects, those that it would give to them, and those of accepted planes that it would give
    to another object: there only the object's own brush and the eraser draw.
    """
    locked = [one.id for one in state.objects.values() if one.locked]
    held = np.asarray(np.isin(before, locked) | np.isin(after, locked))
    for one in state.objects.values():
        for plane in (anchor.plane for anchor in one.anchors if anchor.is_accepted):
            if plane.meets(box):
                inside = (slice(None),) * plane.axis + (plane.index - box.start[plane.axis],)
                held[inside] |= (before[inside] == one.id) & (after[inside] != 0)
    return held


def losing(state: SessionState, edit: Edit, object_id: int) -> SessionState:
    """Return a state in which neighbours know that an edit for an object took some of their voxels."""
    is_lost = (edit.after == object_id) & (edit.before != object_id) & (edit.before != 0)
    if not is_lost.any():
        return state
    for loser in np.unique(edit.before[is_lost]).tolist():
        box = Box.of_mask(is_lost & (edit.before == loser), offset=edit.box.start)
        if box is not None and loser in state.objects:
            state = state.with_object(state.objects[loser].unanswered(box))
    return state


def reshaped(
    labels: NDArray[Any], state: SessionState, object_id: int, mask: BoxedMask, overwrites: bool
) -> tuple[Edit, SessionState]:
    """Give an object other voxels in a box; see `Session.reshape`."""
    one = unlocked(state, object_id, "changing its shape")
    if mask.box.clip(labels.shape) != mask.box:
        raise InvalidEdit(
            f"the new shape's box from {mask.box.start} to {mask.box.stop} is not inside labels of shape "
            f"{labels.shape}; clip it to the volume"
        )
    edit = masked(labels, state, mask.box, mask, object_id, overwrites)
    changed = Box.of_mask(edit.before != edit.after, offset=edit.box.start)
    one = one if changed is None else one.unanswered(changed)
    return edit, losing(state.with_object(one.grown(mask.box)), edit, object_id)


def objects_deleted(labels: NDArray[Any], state: SessionState, object_ids: Sequence[int]) -> Outcome:
    """Take objects away; see `Session.delete`."""
    doomed = [unlocked(state, object_id, "deleting it") for object_id in dict.fromkeys(object_ids)]
    if not doomed:
        raise InvalidPrompt("no object is given to delete; give at least one id")
    return [(voxels_of(labels, one), 0) for one in doomed], state.without(*(one.id for one in doomed))


def objects_merged(
    labels: NDArray[Any], state: SessionState, object_ids: Collection[int], into: int
) -> Outcome:
    """Give the voxels of objects to another one; see `Session.merge`."""
    target = unlocked(state, into, "merging into it")
    parts = [unlocked(state, number, "merging it") for number in dict.fromkeys(object_ids) if number != into]
    if not parts:
        raise InvalidPrompt(f"only object {into} is given to merge; give another one to merge into it")
    for one in parts:
        taken_over = {anchor.plane for anchor in one.anchors if anchor.is_settled}
        settled = taken_over | {a.plane for a in target.anchors if _has(labels, one, a.plane)}
        for plane in sorted(settled):
            target = target.with_anchor((target.anchor_on(plane) or Anchor(plane)).settled_by_hand())
        anchored = {anchor.plane for anchor in target.anchors}
        target = replace(target, propagated=(target.propagated | one.propagated) - anchored)
        target = target.grown(one.extent)
    after = replace(state.without(*(one.id for one in parts)).with_object(target), current_id=into)
    return [(voxels_of(labels, one), into) for one in parts], after


def object_split(labels: NDArray[Any], state: SessionState, object_id: int, highest_id: int) -> Outcome:
    """Make objects of an object's pieces, the largest first; see `Session.split`."""
    one = unlocked(state, object_id, "splitting it")
    masks = _pieces(labels, one)
    first_new, n_new = state.free_id, len(masks) - 1
    if first_new + n_new - 1 > highest_id:
        raise InvalidPrompt(
            f"object {object_id} is in {len(masks)} pieces, and ids end at {highest_id}; remove its small "
            "pieces first"
        )
    if n_new < 1:
        return [], state
    fills = []
    for rank, mask in enumerate(masks[1:]):
        state = state.with_object(_piece(one, first_new + rank, f"{one.name} {rank + 2}", mask))
        fills.append((mask, first_new + rank))
    return fills, state.with_object(_largest(one, masks[0], masks[1:]))


def objects_renumbered(labels: NDArray[Any], state: SessionState, mapping: Mapping[int, int]) -> Outcome:
    """Give objects other ids; see `Session.renumber`."""
    mapping = {state.get(old).id: new for old, new in mapping.items() if old != new}
    ids = [mapping.get(number, number) for number in state.objects]
    twice = sorted({number for number in ids if ids.count(number) > 1})
    if twice:
        raise InvalidPrompt(
            f"two objects would get the id {twice[0]}; renumber the one that has it too, or merge them"
        )
    fills = [(voxels_of(labels, state.objects[old]), new) for old, new in mapping.items()]
    objects = {}
    for old, one in state.objects.items():
        new = mapping.get(old, old)
        objects[new] = replace(one, id=new, name=f"object {new}" if one.name == f"object {old}" else one.name)
    return fills, SessionState(objects, mapping.get(state.current_id, state.current_id))


def as_found(one: ObjectState, bits: NDArray[np.bool_], box: Box, axis: int) -> ObjectState:
    """Return an object as a model found it in planes across an axis, without a prompt: not locked.

    Parameters
    ----------
    one : ObjectState
        The object.
    bits : NDArray[bool], shape `box.shape`
        Its voxels; there is at least one.
    box : Box
        Where they lie.
    axis : int
        0, 1 or 2.
    """
    others = tuple(other for other in (0, 1, 2) if other != axis)
    indices = (box.start[axis] + np.flatnonzero(bits.any(axis=others))).tolist()
    planes = [PlaneRef(axis, index) for index in indices]
    one = replace(one, locked=False)
    if len(planes) == 1:
        return one.with_anchor(Anchor(planes[0]).settled_by_hand())
    return replace(one, propagated=frozenset(planes))


def unlocked(state: SessionState, object_id: int, before_what: str) -> ObjectState:
    """Return an object that exists and may be changed.

    Raises
    ------
    InvalidPrompt
        There is none of that id, or it is locked.
    """
    one = state.get(object_id)
    if one.locked:
        raise InvalidPrompt(f"object {object_id} is locked; unlock it before {before_what}")
    return one


def voxels_of(labels: NDArray[Any], one: ObjectState) -> BoxedMask:
    """Return all of an object's voxels."""
    box = one.extent or Box((0, 0, 0), (0, 0, 0))
    return BoxedMask(box, labels[box.slices()] == one.id)


def _pieces(labels: NDArray[Any], one: ObjectState) -> list[BoxedMask]:
    """Return an object's pieces, connected with corners, the largest first."""
    whole = voxels_of(labels, one)
    if whole.is_empty:
        return []
    numbers, n_pieces = ndimage.label(whole.bits, structure=_WITH_CORNERS)
    sizes = np.bincount(numbers.ravel(), minlength=n_pieces + 1)[1:]
    places = ndimage.find_objects(numbers)
    masks = []
    for index in np.argsort(-sizes, kind="stable").tolist():
        place = places[index]
        box = Box(tuple(part.start for part in place), tuple(part.stop for part in place))
        masks.append(BoxedMask(box.shift(whole.box.start), numbers[place] == index + 1))
    return masks


def _has(labels: NDArray[Any], one: ObjectState, plane: PlaneRef) -> bool:
    return own_mask(labels, one.id, plane, one.extent) is not None


def _meets(mask: BoxedMask, plane: PlaneRef) -> bool:
    """Return whether a mask of three dimensions has a voxel in a plane."""
    if not plane.meets(mask.box):
        return False
    return bool(np.take(mask.bits, plane.index - mask.box.start[plane.axis], axis=plane.axis).any())


def _piece(one: ObjectState, number: int, name: str, mask: BoxedMask) -> ObjectState:
    """Return a piece as an object: its planes are anchors where the whole one's were."""
    anchors = tuple(
        Anchor(anchor.plane, is_settled=True, is_accepted=anchor.is_accepted)
        for anchor in one.anchors
        if anchor.is_settled and _meets(mask, anchor.plane)
    )
    propagated = frozenset(plane for plane in one.propagated if _meets(mask, plane))
    return replace(
        one, id=number, name=name, anchors=anchors, propagated=propagated, extent=mask.box, locked=False
    )


def _largest(one: ObjectState, mask: BoxedMask, others: Sequence[BoxedMask]) -> ObjectState:
    """Return what is left of an object; an anchor of which others took a part holds what no model gave."""
    anchors = []
    for anchor in one.anchors:
        if not any(_meets(other, anchor.plane) for other in others):
            anchors.append(anchor)
        elif _meets(mask, anchor.plane):
            anchors.append(Anchor(anchor.plane, is_settled=True, is_accepted=anchor.is_accepted))
    propagated = frozenset(plane for plane in one.propagated if _meets(mask, plane))
    return replace(one, anchors=tuple(anchors), propagated=propagated, extent=mask.box)
