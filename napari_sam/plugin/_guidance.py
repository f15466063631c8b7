"""What the panels show: which buttons work, and one plain sentence on what goes on or what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from napari_sam.core.objects import ObjectState
from napari_sam.plugin._clean_steps import CleanSteps
from napari_sam.plugin._giving_way import GivingWay
from napari_sam.plugin._keeping import Keeping
from napari_sam.plugin._label_files import LabelFiles
from napari_sam.plugin._measure_steps import MeasureSteps
from napari_sam.plugin._prompt_steps import PromptSteps
from napari_sam.plugin._stage import Stage
from napari_sam.plugin._strip_steps import StripSteps
from napari_sam.plugin._table_steps import TableSteps
from napari_sam.plugin._volume_jobs import Following
from napari_sam.plugin._volume_steps import VolumeSteps
from napari_sam.plugin.view import PanelState

__all__ = ["Steps", "panel_state"]


@dataclass(frozen=True)
class Steps:
    """The steps of the window whose state the panels show."""

    stage: Stage
    prompts: PromptSteps
    volume: VolumeSteps
    strip: StripSteps
    clean: CleanSteps
    measure: MeasureSteps
    table: TableSteps
    keeping: Keeping
    label_files: LabelFiles
    giving_way: GivingWay


def panel_state(steps: Steps) -> PanelState:
    """Say what the panels show now."""
    stage, following = steps.stage, steps.volume.following
    session, current_id = stage.session, stage.current_id
    current = session.objects.get(current_id) if session is not None else None
    taken, asked = stage.is_taken, steps.prompts.asking.request is not None
    free = session is not None and not taken
    n_planes, window = 0, None
    if session is not None and not session.volume.is_rgb:
        window = (session.window.low, session.window.high)
    if session is not None and steps.stage.plane is not None:
        n_planes = session.volume.shape[steps.stage.plane.axis]
    candidate = _candidate(steps)
    may_change = free and current is not None and not current.locked
    held = "" if asked else steps.giving_way.sentence
    going_on = _going_on(steps)
    return PanelState(
        status=going_on or steps.stage.news or held or _to_do(steps, current, n_planes),
        warning=steps.stage.has_warning or (bool(held) and not going_on and not steps.stage.news),
        busy=bool(going_on) or steps.stage.model.is_loading,
        progress=following.progress,
        window=window,
        window_request=steps.stage.cases.window_request,
        model_note=steps.stage.model.note,
        objects=steps.table.rows,
        classes=tuple(one.name for one in steps.table.classes),
        current_id=current_id,
        candidate=candidate,
        n_planes=n_planes,
        can_prompt=steps.stage.cases.source is not None and steps.stage.plane is not None and not taken,
        can_accept=may_change and not asked,
        can_reopen=free and current is not None and current.locked,
        can_cycle=free and not asked and candidate is not None,
        can_take_over=may_change and not asked and steps.giving_way.can_take_over,
        can_remove=may_change and bool(steps.prompts.shown),
        can_clear=may_change and not asked and n_planes > 0,
        can_undo=free and session is not None and session.can_undo,
        can_redo=free and session is not None and session.can_redo,
        can_propagate=may_change and not asked and n_planes > 1 and steps.stage.model.segmenter is not None,
        can_cancel=following.is_running,
        can_load=free and not steps.label_files.doing,
        clean=steps.clean.state,
        measure=steps.measure.state,
        restore=steps.keeping.state,
        strip=steps.strip.state,
        can_save=free and not steps.label_files.doing and session is not None and bool(session.objects),
    )


def _candidate(steps: Steps) -> tuple[int, tuple[float, ...]] | None:
    """Say which candidate is shown, and the scores of all; None where no other one can be taken."""
    stage = steps.stage
    state = None if stage.session is None else stage.session.objects.get(stage.current_id)
    anchor = None if state is None or stage.plane is None else state.open_choice_on(stage.plane)
    if anchor is None or anchor.kept is None or anchor.taken is None:
        return None
    return anchor.taken, tuple(anchor.kept.scores.tolist())


def _going_on(steps: Steps) -> str:
    asked = steps.prompts.asking.request
    if steps.volume.following.is_running:
        return _following(steps.volume.following)
    if steps.stage.cases.opening:
        return "Reading the image…"
    if asked is not None and steps.stage.model.is_loading:
        return "Loading the model; your prompt is answered as soon as it is ready."
    if asked is not None:
        return f"Segmenting object {asked.object_id} in plane {asked.plane.index}…"
    if steps.clean.state.doing:
        return f"Cleaning up: {steps.clean.state.doing}…"
    return steps.label_files.doing


def _following(following: Following) -> str:
    done, total = following.progress or (0, 0)
    left_s = following.seconds_left
    left = "" if left_s is None or left_s < 2 else f", about {left_s:.0f} s left"
    ids = following.object_ids
    what = f"object {ids[0]}" if len(ids) == 1 else f"{len(ids)} objects"
    return f"Following {what}: {done} of {total} planes{left}. Cancel (Esc) keeps the planes that are done."


def _to_do(steps: Steps, current: ObjectState | None, n_planes: int) -> str:
    if steps.stage.cases.source is None:
        return "Open an image with File… or Folder… below, drag it onto the window, or try the Sample."
    if steps.stage.plane is None:
        return "Switch to the 2-D view to place points and boxes (the cube below the list of layers)."
    if steps.stage.model.has_failed:
        return "The model could not be loaded; choose another one in step 2."
    if current is None:
        return "Choose + Point (A) and click inside the object, or Box (D) and drag around it."
    if current.locked:
        return f"Object {current.id} is accepted. Start the next one, or press Reopen to change this one."
    if _candidate(steps) is not None:
        follow = "propagate (W) or " if n_planes > 1 else ""
        return f"Not what you meant? Take another candidate (R), or add points; then {follow}accept (Q)."
    if n_planes > 1:
        return "Correct it with more points, propagate it through the planes (W), or accept it (Q)."
    return "Correct it with more points, or accept it (Q)."
