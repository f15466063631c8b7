"""What a person does with objects: choose, start, accept, reopen, undo, redo, take another candidate."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from napari_sam.core.edits import Edit
from napari_sam.core.objects import Anchor
from napari_sam.core.planes import PlaneRef
from napari_sam.core.session import Session
from napari_sam.plugin._cases import Case
from napari_sam.plugin.view import View

__all__ = ["ObjectSteps", "anchor_with_candidates"]


class ObjectSteps:
    """Steps on the objects of the chosen image.

    Parameters
    ----------
    view : View
        The window.
    free_case : callable
        Gives the chosen image's work, None while there is none or something else has it.
    on_change : callable
        Called after a step with the edits that it made and what to say of it; "" says what to do next.
    """

    def __init__(
        self,
        view: View,
        free_case: Callable[[], Case | None],
        on_change: Callable[[Iterable[Edit], str], None],
    ) -> None:
        self._view = view
        self._free_case = free_case
        self._on_change = on_change

    def select(self, object_id: int) -> None:
        """Send prompts to this object from now on."""
        case = self._free_case()
        if case is not None and object_id != case.current_id:
            self._turn_to(case, object_id)
            self._on_change((), "")

    def start(self) -> None:
        """Start another object."""
        case = self._free_case()
        if case is not None:
            self.select(max(case.session.objects, default=0) + 1)

    def accept(self) -> None:
        """Finish the object: it keeps its voxels from now on, and the next prompt starts another one."""
        case = self._free_case()
        current = None if case is None else case.session.objects.get(case.current_id)
        if case is None or current is None or current.extent is None:
            self._on_change((), "There is nothing to accept yet." if case is not None else "")
            return
        accepted = case.current_id
        case.session.accept(accepted)
        self._turn_to(case, case.session.current_id)
        self._on_change((), f"Object {accepted} is accepted. Click inside the next one, or save the labels.")

    def next_candidate(self, plane: PlaneRef) -> None:
        """Take the model's next candidate for the object in a plane."""
        case = self._free_case()
        anchor = None if case is None else anchor_with_candidates(case.session, case.current_id, plane)
        if case is None or anchor is None or anchor.next_candidate is None:
            self._on_change(
                (), "There are no other candidates here; click on the object or draw a box first."
            )
            return
        self._on_change((case.session.choose(plane, anchor.next_candidate, case.current_id),), "")

    def reopen(self) -> None:
        """Allow changes of an accepted object again."""
        case = self._free_case()
        if case is not None and case.current_id in case.session.objects:
            case.session.lock(case.current_id, False)
            self._on_change((), "")

    def undo(self) -> None:
        """Take the last step back: prompt, stroke, whole propagation, acceptance."""
        case = self._free_case()
        if case is not None:
            self._stepped(case, case.session.undo())

    def redo(self) -> None:
        """Do the step again that was taken back last."""
        case = self._free_case()
        if case is not None:
            self._stepped(case, case.session.redo())

    def _stepped(self, case: Case, edits: Iterable[Edit]) -> None:
        self._turn_to(case, case.session.current_id)
        self._on_change(edits, "")

    def _turn_to(self, case: Case, object_id: int) -> None:
        case.current_id = object_id
        self._view.show_object(object_id)


def anchor_with_candidates(session: Session, object_id: int, plane: PlaneRef) -> Anchor | None:
    """Return an object's anchor in a plane where another of its candidates can be taken, else None."""
    state = session.objects.get(object_id)
    anchor = None if state is None or state.locked else state.anchor_on(plane)
    return anchor if anchor is not None and anchor.next_candidate is not None else None
