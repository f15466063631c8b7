"""What the panels show: which buttons work, and one plain sentence on what goes on or what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_sam.core.objects import ObjectState
from napari_sam.core.propagation import PlanePrediction
from napari_sam.core.session import Session
from napari_sam.errors import SamError
from napari_sam.plugin._object_steps import anchor_with_candidates
from napari_sam.plugin.view import ObjectRow, PanelState
from volumes import VolumeError

if TYPE_CHECKING:
    from napari_sam.plugin.controller import Controller

__all__ = ["panel_state", "plain_message", "propagation_summary"]

_REASONS = {
    "absent": "the object ends",
    "score": "the model is unsure",
    "overlap": "the shape jumps",
    "intensity": "the brightness differs",
    "area": "the size jumps",
    "empty": "nothing found",
    "cancelled": "cancelled",
}


def panel_state(controller: Controller) -> PanelState:
    """Say what the panels show now."""
    case, session = controller.case, controller.session
    current_id = case.current_id if case is not None else 1
    current = session.objects.get(current_id) if session is not None else None
    running, asked = controller.following.is_running, controller.asking.request is not None
    free = session is not None and not running
    n_planes, window = 0, None
    if session is not None and not session.volume.is_rgb:
        window = (session.window.low, session.window.high)
    if session is not None and controller.plane is not None:
        n_planes = session.volume.shape[controller.plane.axis]
    candidate = _candidate(controller)
    may_change = free and current is not None and not current.locked
    return PanelState(
        status=_going_on(controller) or controller.news or _to_do(controller, current, n_planes),
        warning=controller.has_warning,
        busy=bool(_going_on(controller)) or controller.model.is_loading,
        progress=controller.following.progress,
        window=window,
        window_request=controller.cases.window_request,
        model_note=controller.model.note,
        objects=_rows(session, current_id),
        current_id=current_id,
        candidate=candidate,
        n_planes=n_planes,
        can_prompt=controller.cases.source is not None and controller.plane is not None and not running,
        can_accept=may_change and not asked,
        can_reopen=free and current is not None and current.locked,
        can_cycle=free and not asked and candidate is not None,
        can_undo=free and session is not None and session.can_undo,
        can_redo=free and session is not None and session.can_redo,
        can_propagate=may_change and not asked and n_planes > 1 and controller.model.segmenter is not None,
        can_cancel=running,
        can_load=free and not controller.label_files.doing,
        can_save=free and not controller.label_files.doing and session is not None and bool(session.objects),
    )


def _rows(session: Session | None, current_id: int) -> tuple[ObjectRow, ...]:
    objects = session.objects if session is not None else {}
    rows = [ObjectRow(state.id, state.name, state.locked) for state in objects.values()]
    if current_id not in objects:
        rows.append(ObjectRow(current_id, "", False))
    return tuple(sorted(rows, key=lambda row: row.id))


def _candidate(controller: Controller) -> tuple[int, int, float] | None:
    """Say which candidate is shown, from 1, of how many, with its score; None where there is no other."""
    case, plane = controller.case, controller.plane
    if case is None or plane is None:
        return None
    anchor = anchor_with_candidates(case.session, case.current_id, plane)
    if anchor is None or anchor.answer is None or anchor.taken is None:
        return None
    return anchor.taken + 1, len(anchor.answer.masks), float(anchor.answer.scores[anchor.taken])


def _going_on(controller: Controller) -> str:
    asked = controller.asking.request
    if controller.following.is_running:
        followed = controller.following.object_id
        return f"Following object {followed} through the planes. Cancel keeps the planes that are done."
    if controller.cases.opening:
        return "Reading the image…"
    if asked is not None and controller.model.is_loading:
        return "Loading the model; your prompt is answered as soon as it is ready."
    if asked is not None:
        return f"Segmenting object {asked.object_id} in plane {asked.plane.index}…"
    return controller.label_files.doing


def _to_do(controller: Controller, current: ObjectState | None, n_planes: int) -> str:
    if controller.cases.source is None:
        return "Open an image (File ▸ Open, or File ▸ Open Sample), then choose it in step 1."
    if controller.plane is None:
        return "Switch to the 2-D view to place points and boxes (the cube below the list of layers)."
    if controller.model.has_failed:
        return "The model could not be loaded; choose another one in step 2."
    if current is None:
        return "Click inside the object, or choose Box and drag around it."
    if current.locked:
        return f"Object {current.id} is accepted. Start the next one, or press Reopen to change this one."
    if _candidate(controller) is not None:
        follow = "propagate (W) " if n_planes > 1 else ""
        return f"Not what you meant? Take another candidate (R), or add points; then {follow}or accept (Q)."
    if n_planes > 1:
        return "Correct it with more points, propagate it through the planes (W), or accept it (Q)."
    return "Correct it with more points, or accept it (Q)."


def plain_message(error: Exception) -> str:
    """Give an error as one plain line, fit for somebody who does not program."""
    text = " ".join(str(error).split())
    if isinstance(error, SamError | VolumeError | OSError) and text:
        return text[0].upper() + text[1:]
    return f"Something went wrong that should not have: {type(error).__name__}: {text}"


def propagation_summary(predictions: Sequence[PlanePrediction]) -> str:
    """Say which planes were done and why it ended on either side.

    Parameters
    ----------
    predictions : sequence of PlanePrediction
        In the order in which they came.
    """
    done = sorted(p.plane.index for p in predictions if p.state != "stopped")
    drawn = sorted(p.plane.index for p in predictions if p.state == "interpolated")
    stops = {
        f"{prediction.plane.index} ({_REASONS[prediction.reason]})": None
        for prediction in sorted(predictions, key=lambda prediction: prediction.plane.index)
        if prediction.state == "stopped"
        and prediction.reason in _REASONS
        and prediction.plane.index not in drawn
    }
    where = f"Planes {done[0]} to {done[-1]} are done" if done else "No plane was done"
    ends = f"; it ended at {' and '.join(stops)}." if stops else "."
    lost = (
        f" {len(drawn)} planes from {drawn[0]} on, where the model lost it, are drawn in between."
        if drawn
        else ""
    )
    return f"{where}{ends}{lost} Check and correct, then accept (Q)."
