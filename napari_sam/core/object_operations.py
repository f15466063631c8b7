"""What a person does to whole objects, decided from labels and state: an edit, and the state after it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from numpy.typing import NDArray

from napari_sam.core.edits import Edit
from napari_sam.core.labels import with_mask
from napari_sam.core.masks import BoxedMask
from napari_sam.core.objects import ObjectState, SessionState
from napari_sam.errors import InvalidEdit
from volumes import Box

__all__ = ["Outcome", "reshaped"]

Outcome = tuple[Edit, SessionState]
"""A change of labels, and the state that it leaves."""


def reshaped(
    labels: NDArray[Any], state: SessionState, object_id: int, mask: BoxedMask, cause: str, overwrites: bool
) -> Outcome:
    """Give an object other voxels in a box; see `Session.reshape`."""
    one = state.get(object_id)
    state.unlocked(object_id)
    if mask.box.clip(labels.shape) != mask.box:
        raise InvalidEdit(
            f"the new shape's box from {mask.box.start} to {mask.box.stop} is not inside labels of shape "
            f"{labels.shape}; clip it to the volume"
        )
    before = labels[mask.box.slices()].copy()
    takes = open_neighbours(state, object_id) if overwrites else ()
    edit = Edit(mask.box, before, with_mask(before, mask.box, mask, object_id, takes), cause)
    after = state.with_object(settled_where(one, edit).grown(mask.box))
    return edit, losing(after, edit, takes)


def open_neighbours(state: SessionState, object_id: int) -> tuple[int, ...]:
    """Return the other objects that may lose voxels, as nobody locked them."""
    return tuple(one.id for one in state.objects.values() if one.id != object_id and not one.locked)


def losing(state: SessionState, edit: Edit, losers: Collection[int]) -> SessionState:
    """Return a state in which neighbours know that an edit took some of their voxels."""
    for object_id in losers:
        is_lost = (edit.before == object_id) & (edit.after != object_id)
        box = Box.of_mask(is_lost, offset=edit.box.start)
        if box is not None:
            state = state.with_object(state.objects[object_id].unanswered(box))
    return state


def settled_where(one: ObjectState, edit: Edit) -> ObjectState:
    """Return an object whose anchors, where an edit changed them, hold what no model gave."""
    box = Box.of_mask(edit.before != edit.after, offset=edit.box.start)
    return one if box is None else one.unanswered(box)
