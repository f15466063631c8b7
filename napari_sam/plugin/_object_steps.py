"""What a person does with objects: choose, start, accept, reopen, undo, redo."""

from __future__ import annotations

from collections.abc import Iterable

from napari_sam.core.edits import Edit
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
        """Finish the object: it keeps its voxels from now on, and the next prompt starts another one."""
        stage, case = self._stage, self._stage.free_case
        current = None if case is None else case.session.objects.get(case.current_id)
        if case is None or current is None or current.extent is None:
            stage.changed((), "There is nothing to accept yet." if case is not None else "")
            return
        accepted = case.current_id
        case.session.accept(accepted)
        stage.turn_to(case.session.current_id)
        stage.changed((), f"Object {accepted} is accepted. Click or box the next one, or save the labels.")

    def reopen(self) -> None:
        """Allow changes of an accepted object again, and of all that are chosen with it in the table."""
        stage, case = self._stage, self._stage.free_case
        if case is None or case.current_id not in case.session.objects:
            return
        ids = {case.current_id}
        if case.current_id in stage.chosen_ids:
            ids.update(stage.chosen_ids)
        for one in sorted(ids & set(case.session.objects)):
            if case.session.objects[one].locked:
                case.session.lock(one, False)
        stage.changed()

    def undo(self) -> None:
        """Take the last step back: prompt, stroke, whole propagation, acceptance."""
        case = self._stage.free_case
        if case is not None:
            self._stepped(case.session.undo())

    def redo(self) -> None:
        """Do the step again that was taken back last."""
        case = self._stage.free_case
        if case is not None:
            self._stepped(case.session.redo())

    def _stepped(self, edits: Iterable[Edit]) -> None:
        if self._stage.session is not None:
            self._stage.turn_to(self._stage.session.current_id)
        self._stage.changed(edits)
