"""An object that was prompted where others are already: it is told, and may take the voxels over."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from napari_sam.core.holders import Holders, holders_of
from napari_sam.core.objects import ObjectState
from napari_sam.core.planes import PlaneRef
from napari_sam.core.session import Session
from napari_sam.errors import SamError
from napari_sam.plugin._bindings import KEYS
from napari_sam.plugin._shortcuts import key_text
from napari_sam.plugin._stage import Stage

__all__ = ["GivingWay", "held_by"]

_Known = tuple[int, dict[tuple[int, PlaneRef], Holders | None]]

TOLD_BELOW = 0.5
"""A person is told where an object has less than this share of its mask; borders that touch are no news."""


class GivingWay:
    """What a prompt could not give to the current object in the shown plane, as others have it.

    Parameters
    ----------
    stage : Stage
        What all steps share.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._known: WeakKeyDictionary[Session, _Known] = WeakKeyDictionary()

    @property
    def here(self) -> Holders | None:
        """Who has most of the current object's mask in the shown plane; None where it has it itself."""
        session, plane = self._stage.session, self._stage.plane
        current = None if session is None else session.objects.get(self._stage.current_id)
        if session is None or plane is None or current is None or current.locked:
            return None
        found = self._holders(session, current, plane)
        if found is None or not found.others or found.n_own >= TOLD_BELOW * found.n_voxels:
            return None
        return found

    @property
    def can_take_over(self) -> bool:
        """Whether others would give way."""
        found = self.here if self._stage.free_case is not None else None
        return found is not None and found.n_open > 0

    @property
    def sentence(self) -> str:
        """Say in one line who has the voxels, and what to do; "" where there is nothing to tell."""
        return "" if (found := self.here) is None else _sentence(found)

    def take_over(self) -> None:
        """Take the voxels of the current object's mask in the shown plane from those that may give them."""
        stage, case, found = self._stage, self._stage.free_case, self.here
        if case is None:
            return
        if found is None or not found.n_open:
            stage.say(self.sentence or "There is nothing to take over in this plane.")
            return
        anchor = case.session.objects[found.object_id].anchor_on(found.plane)
        if anchor is None or anchor.taken is None:
            return
        try:
            edit = case.session.choose(found.plane, anchor.taken, found.object_id, overwrites=True)
        except SamError as error:
            stage.fail(error)
            return
        news = f"Object {found.object_id} took {found.n_open:,} voxels over. Undo gives them back."
        stage.changed((edit,), news)

    def left_out(self, session: Session, state: ObjectState) -> dict[PlaneRef, Holders]:
        """Return the planes in which an object was prompted and got nothing, as others have all of it."""
        found = (self._holders(session, state, anchor.plane) for anchor in state.anchors)
        return {one.plane: one for one in found if one is not None and one.is_left_out}

    def _holders(self, session: Session, state: ObjectState, plane: PlaneRef) -> Holders | None:
        """Look once between two changes of the session: panels are drawn far more often."""
        n_entries, found = self._known.get(session, (-1, {}))
        if n_entries != session.n_entries:
            found = {}
            self._known[session] = (session.n_entries, found)
        key = (state.id, plane)
        if key not in found:
            found[key] = holders_of(session.labels, session.state, state.id, plane)
        return found[key]


def held_by(found: Holders) -> str:
    """Name who has the voxels: ``"object 1"``, ``"objects 1 and 4"``."""
    ids = [f"{number}" for number, _ in found.others]
    if len(ids) == 1:
        return f"object {ids[0]}"
    return f"objects {', '.join(ids[:-1])} and {ids[-1]}"


def _sentence(found: Holders) -> str:
    who, index = held_by(found), found.plane.index
    have, them = ("has", "it") if len(found.others) == 1 else ("have", "them")
    if found.is_left_out:
        what = f"Object {found.object_id} got nothing in plane {index}: {who} {have} its voxels."
    else:
        n_lost = found.n_voxels - found.n_own
        part = f"{n_lost:,} of {found.n_voxels:,} voxels"
        what = f"Object {found.object_id} lacks {part} in plane {index}: {who} {have} them."
    if not found.n_open:
        return f"{what} Reopen {them} in the table to take them over, or undo."
    key = key_text(KEYS["take over"])
    return f"{what} Take over ({key}) if {who} shall give way; else undo, and lock {them} to be safe."
