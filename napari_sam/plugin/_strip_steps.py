"""What a person does along the planes: look where propagation is unsure, say yes, run a part again."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from napari_sam.core.objects import ObjectState
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation import PlanePrediction
from napari_sam.core.session import Session
from napari_sam.errors import SamError
from napari_sam.plugin._asking import Asking
from napari_sam.plugin._giving_way import GivingWay, held_by
from napari_sam.plugin._plane_marks import SURE, PlaneMark, StripState, mark_of, marks_of, next_doubtful
from napari_sam.plugin._stage import Stage
from napari_sam.plugin._volume_steps import VolumeSteps

__all__ = ["StripSteps"]

_Known = dict[tuple[int, int], dict[int, PlaneMark]]


class StripSteps:
    """The strip along the planes of the current object.

    Parameters
    ----------
    stage : Stage
        What all steps share.
    volume : VolumeSteps
        Runs propagations.
    asking : Asking
        Knows which planes are prepared.
    giving_way : GivingWay
        Knows in which planes others have all of the object.
    """

    def __init__(self, stage: Stage, volume: VolumeSteps, asking: Asking, giving_way: GivingWay) -> None:
        self._giving_way = giving_way
        self._asking = asking
        self._stage = stage
        self._volume = volume
        self._known: WeakKeyDictionary[Session, _Known] = WeakKeyDictionary()
        self._least = SURE
        self._reach: tuple[int, int] | None = None
        self._reach_of: tuple[Session, int] | None = None
        volume.on_prediction.append(self._predicted)

    @property
    def state(self) -> StripState:
        """What the strip shows."""
        stage = self._stage
        session, plane = stage.session, stage.plane
        if session is None or plane is None or session.volume.shape[plane.axis] < 2:
            return StripState()
        current = session.objects.get(stage.current_id)
        n_planes = session.volume.shape[plane.axis]
        can_change = stage.free_case is not None and current is not None and not current.locked
        marks = self._marks(session, current, plane.axis)
        ready = frozenset(one.index for one in self._asking.ready(session) if one.axis == plane.axis)
        return StripState(n_planes, plane.index, marks, self.reach, self._least, can_change, ready)

    @property
    def reach(self) -> tuple[int, int]:
        """First and last plane that a propagation goes to; all, until a person says otherwise."""
        session, plane = self._stage.session, self._stage.plane
        if session is None or plane is None:
            return 0, 0
        whole = (0, session.volume.shape[plane.axis] - 1)
        return self._reach if self._reach and self._reach_of == (session, plane.axis) else whole

    def set_reach(self, first: int, last: int) -> None:
        """Let propagations go from one plane to another, both included, in either order."""
        session, plane = self._stage.session, self._stage.plane
        if session is None or plane is None:
            return
        highest = session.volume.shape[plane.axis] - 1
        low, high = sorted(min(max(index, 0), highest) for index in (first, last))
        self._reach, self._reach_of = (low, high), (session, plane.axis)
        self._stage.show()

    def set_least(self, least: float) -> None:
        """Call planes doubtful below this surety, 0 to 1."""
        self._least = min(max(least, 0.0), 1.0)
        self._stage.show()

    def jump(self, index: int) -> None:
        """Show a plane."""
        plane = self._stage.plane
        if plane is not None and index != plane.index:
            self._stage.view.go_to_plane(PlaneRef(plane.axis, index))

    def next_doubtful(self, step: int = 1) -> None:
        """Show the next plane that propagation is unsure of."""
        state = self.state
        index = next_doubtful(state.marks, state.shown, state.least, step)
        if index is None:
            self._stage.say("No plane is in doubt." if state.marks else "")
        elif index == state.shown:
            self._stage.say(f"Plane {index} is the only one in doubt.")
        else:
            self.jump(index)

    def confirm(self) -> None:
        """Say yes to the shown plane: it is never changed by propagation from now on; then show the next."""
        stage, case, plane = self._stage, self._stage.free_case, self._stage.plane
        current = None if case is None else case.session.objects.get(case.current_id)
        if case is None or plane is None or current is None or current.locked:
            return
        try:
            case.session.accept_plane(plane, current.id)
        except SamError as error:
            stage.fail(error)
            return
        stage.changed((), f"Plane {plane.index} is confirmed.")
        state = self.state
        if next_doubtful(state.marks, state.shown, state.least) is not None:
            self.next_doubtful()

    def propagate(self) -> None:
        """Follow the object through all planes within reach."""
        self._volume.propagate(*self.reach)

    def propagate_here(self) -> None:
        """Run again the stretch around the shown plane only: up to the nearest planes drawn by hand."""
        stage = self._stage
        session, plane = stage.session, stage.plane
        current = None if session is None else session.objects.get(stage.current_id)
        if session is None or plane is None or current is None:
            return
        first, last = self.reach
        settled = [anchor.plane for anchor in current.anchors if anchor.is_settled]
        by_hand = [one.index for one in settled if one.axis == plane.axis]
        low = max((index for index in by_hand if index < plane.index), default=first)
        high = min((index for index in by_hand if index > plane.index), default=last)
        self._volume.propagate(max(low, first), min(high, last))

    def _marks(self, session: Session, state: ObjectState | None, axis: int) -> tuple[PlaneMark, ...]:
        if state is None:
            return ()
        held = {plane: held_by(one) for plane, one in self._giving_way.left_out(session, state).items()}
        return marks_of(state, axis, self._known.get(session, {}).get((state.id, axis), {}), held)

    def _predicted(self, session: Session, object_id: int, prediction: PlanePrediction) -> None:
        known = self._known.setdefault(session, {}).setdefault((object_id, prediction.plane.axis), {})
        known[prediction.plane.index] = mark_of(prediction)
