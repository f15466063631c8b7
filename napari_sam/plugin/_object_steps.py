"""What a person does with objects: choose, start, accept, reopen, undo, redo."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from napari_sam.core.edits import Edit
from napari_sam.core.objects import SessionState
from napari_sam.core.session import Session
from napari_sam.plugin._cases import Case
from napari_sam.plugin._stage import Stage

__all__ = ["ObjectSteps"]


class ObjectSteps:
    """Steps on the objects of the chosen image.

    Parameters
    ----------
    stage : Stage
        What all steps share.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def select(self, object_id: int) -> None:
        """Send prompts to this object from now on."""
        case = self._stage.free_case
        if case is not None and object_id != case.current_id:
            self._stage.turn_to(object_id)
            self._stage.changed()

    def pick(self, object_id: int) -> None:
        """Turn to the object that a person points at; 0 for none."""
        if object_id:
            self.select(object_id)
        else:
            self._stage.say("There is no object under the mouse.")

    def start(self) -> None:
        """Start another object."""
        case = self._stage.free_case
        if case is not None:
            self.select(max(case.session.objects, default=0) + 1)

    def accept(self) -> None:
        """Finish the object, and all that are chosen with it in the table: they keep their voxels now.

        The next prompt starts another one.
        """
        stage, case = self._stage, self._stage.free_case
        current = None if case is None else case.session.objects.get(case.current_id)
        if case is None or current is None or current.extent is None:
            stage.changed((), "There is nothing to accept yet." if case is not None else "")
            return
        found = (case.session.objects[one] for one in self._with_chosen(case))
        accepted = [one.id for one in found if one.extent is not None and not one.locked] or [current.id]
        for one in accepted:
            case.session.accept(one)
        stage.turn_to(case.session.current_id)
        what = _named(accepted)
        stage.changed((), f"{what} accepted. Click or box the next one, or save the labels.")

    def reopen(self) -> None:
        """Allow changes of an accepted object again, and of all that are chosen with it in the table."""
        stage, case = self._stage, self._stage.free_case
        if case is None or case.current_id not in case.session.objects:
            return
        for one in self._with_chosen(case):
            if case.session.objects[one].locked:
                case.session.lock(one, False)
        stage.changed()

    def undo(self) -> None:
        """Take the last step back: prompt, stroke, whole propagation, acceptance."""
        case = self._stage.free_case
        if case is not None:
            before = case.session.state
            self._stepped(before, case.session, case.session.undo())

    def redo(self) -> None:
        """Do the step again that was taken back last."""
        case = self._stage.free_case
        if case is not None:
            before = case.session.state
            self._stepped(before, case.session, case.session.redo())

    def _stepped(self, before: SessionState, session: Session, edits: Iterable[Edit]) -> None:
        """Show a step that was taken back or done again, and turn to an object that it changed."""
        self._stage.turn_to(_looked_at(before, session.state, self._stage.current_id))
        self._stage.changed(edits)

    def _with_chosen(self, case: Case) -> list[int]:
        """Return the current object, and those that are chosen in the table with it."""
        ids, chosen = {case.current_id}, self._stage.chosen_ids
        if case.current_id in chosen:
            ids.update(chosen)
        return sorted(ids & set(case.session.objects))


def _looked_at(before: SessionState, after: SessionState, current_id: int) -> int:
    """Return the object to turn to after a step: the current one if the step changed it, else one it did."""
    objects = after.objects
    changed = {one.id for one in objects.values() if before.objects.get(one.id) is not one}
    if current_id in changed:
        return current_id
    if not changed or after.current_id in changed:
        return after.current_id
    return min(changed)


def _named(ids: Sequence[int]) -> str:
    if len(ids) == 1:
        return f"Object {ids[0]} is"
    return f"Objects {', '.join(map(str, ids[:-1]))} and {ids[-1]} are"
