"""Propagation: following an object from the planes where a person showed it through the planes beside them.

Each next plane is asked for with what the plane before it gave: its low-resolution logits, the box of its
mask with a margin, and its innermost point. What the model gives is kept to that box, and its outline moved
to where the appearance learnt from the anchors ends, and against what the model gets wrong in the anchors
themselves; see `napari_sam.core.sharpening` and `napari_sam.core.anchor_errors`. What is trusted
little is weighed against the shapes of the anchors around it; see `napari_sam.core.anchor_shapes`. Fronts
leave every anchor in both directions and take turns, so two anchors meet in the middle. A front stops where
too little speaks for the mask that would be kept; see `napari_sam.core.trust`. Between two anchors it has
to be somewhere all the same: planes there that no front could fill get the shape between their neighbours,
and say so. A front that ended looks a plane further, and a plane that agrees with neither side is asked for
again from both.
"""

from __future__ import annotations

from collections.abc import Iterator

from napari_sam.core.anchors_across import with_anchors_across
from napari_sam.core.edits import EditGroup
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.plane_prediction import PlanePrediction, fill_between, no_mask, told_without_model
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation_ahead import Answered, ask_ahead, ask_in_turn
from napari_sam.core.propagation_film import for_film, is_film
from napari_sam.core.propagation_memory import MemoryRun
from napari_sam.core.propagation_parts import PropagationParts
from napari_sam.core.propagation_plan import PropagationPlan, plan_propagation, propagation_group
from napari_sam.core.propagation_repair import repair
from napari_sam.core.propagation_rules import PropagationLimits
from napari_sam.core.propagation_run import Front, PropagationRun
from napari_sam.core.propagation_search import look_past
from napari_sam.core.segmenter import Propagator, Segmenter
from napari_sam.core.session import Session

__all__ = [
    "PlanePrediction",
    "PropagationLimits",
    "PropagationParts",
    "PropagationPlan",
    "follow",
    "plan_propagation",
    "propagate",
    "write_all",
]


def propagate(  # noqa: PLR0913 - one argument for each thing that a person can choose
    session: Session,
    segmenter: Segmenter | Propagator,
    object_id: int,
    *,
    axis: int | None = None,
    planes: tuple[int, int] | None = None,
    limits: PropagationLimits | None = None,
    cancel: Cancel | None = None,
    parts: PropagationParts | None = None,
    film: bool | None = None,
) -> Iterator[PlanePrediction]:
    """Follow an object through the planes of a volume, writing each plane as it comes.

    Anchors (prompted and painted planes of the axis) are never changed. All writing is one step to undo.
    At the end, planes that an earlier propagation filled in the range and this one did not reach are erased.
    A cancelled propagation, or one that is not exhausted, keeps what is done and erases nothing.

    Parameters
    ----------
    session : Session
        Where the object is, and where the masks go.
    segmenter : Segmenter or Propagator
        Kinds of prompt that it lacks are left out. A model with a memory of its own follows by that.
    object_id : int
        Which object.
    axis : int, optional
        The axis to move along; the one of the object's newest anchor when None.
    planes : tuple[int, int], optional
        Half-open range of plane indices to stay in; all when None.
    limits : PropagationLimits, optional
        When to stop.
    cancel : Cancel, optional
        Looked at before each plane.
    parts : PropagationParts, optional
        How it asks and decides; this package's own when None.
    film : bool, optional
        Whether the planes are frames, in which things move, leave and come back; what the volume's reader
        noted of its planes when None, unless there are `parts`. See `napari_sam.core.propagation_film`.

    Returns
    -------
    Iterator[PlanePrediction]
        Anchors first, then planes outward in the order in which they were done.

    Raises
    ------
    InvalidPrompt
        An unknown or locked object, no anchor with a mask in the range, or a range outside the volume.
    """
    plan = plan_propagation(session, object_id, axis=axis, planes=planes, limits=limits)
    if film if film is not None else parts is None and plan.axis == 0 and is_film(session.volume):
        plan, parts = for_film(plan, parts)
    return write_all(session, plan, follow(plan, segmenter, cancel, parts))


def follow(
    plan: PropagationPlan,
    segmenter: Segmenter | Propagator,
    cancel: Cancel | None = None,
    parts: PropagationParts | None = None,
) -> Iterator[PlanePrediction]:
    """Yield the anchors, then plane by plane what the model says; touches no session.

    A plane at which a front stopped may come again, from the other side, or at the end as ``"interpolated"``;
    any plane that is no anchor may come again as ``"repaired"``.
    `parts` says how it asks and decides, as this package does when None.
    """
    for index, seed in sorted(plan.seeds.items()):
        yield told_without_model(PlaneRef(plan.axis, index), seed.mask, seed.score, "anchor")
    cancel = cancel or Cancel()
    run = _started(plan, segmenter, cancel, parts or PropagationParts())
    found: dict[int, BoxedMask | None] = {index: seed.mask for index, seed in plan.seeds.items()}
    was_cancelled = False
    for prediction in _front_by_front(run):
        if prediction.is_new:
            found[prediction.plane.index] = prediction.mask
        elif prediction.reason != "cancelled":
            found.setdefault(prediction.plane.index, None)
        was_cancelled |= prediction.reason == "cancelled"
        yield prediction
    if plan.limits.repairs and not was_cancelled and not isinstance(segmenter, Propagator):
        for prediction in repair(plan, found, segmenter, cancel):
            found[prediction.plane.index] = prediction.mask
            yield prediction
    if plan.limits.fills_between and not (was_cancelled or cancel.requested):
        yield from fill_between(plan, {index: mask for index, mask in found.items() if mask is not None})


def _front_by_front(run: PropagationRun) -> Iterator[PlanePrediction]:
    """Let the fronts take turns; one that ended looks further, while the others wait."""
    n_passed = run.plan.limits.n_passed_over
    while run.fronts:
        answered = {} if isinstance(run, MemoryRun) else ask_ahead([(run, front) for front in run.fronts])
        for front in tuple(run.fronts):
            prediction = _advance(run, front, answered.get(front))
            if prediction is not None:
                yield prediction
            if prediction is not None and _looks_past(run, prediction):
                yield from look_past(run, front, n_passed, _advance)


def _looks_past(run: PropagationRun, prediction: PlanePrediction) -> bool:
    """Return whether a front that ended may look further; a model's own memory knows better."""
    is_over = prediction.state == "stopped" and prediction.reason != "cancelled"
    return is_over and not isinstance(run, MemoryRun)


def write_all(
    session: Session,
    plan: PropagationPlan,
    predictions: Iterator[PlanePrediction],
    group: EditGroup | None = None,
) -> Iterator[PlanePrediction]:
    """Write what is new, pass it on, and erase at the end what an earlier run filled and this did not.

    Anchors of every axis stay as they are. All of it is one step to undo, with others of the same group.
    """
    group = group or propagation_group(plan)
    stale = set(plan.stale)
    was_cancelled = False
    for prediction in predictions:
        if prediction.is_new:
            mask = with_anchors_across(session, prediction.plane, prediction.mask, plan.object_id)
            session.write(prediction.plane, mask, plan.object_id, group=group, propagated=True)
            stale.discard(prediction.plane.index)
        was_cancelled |= prediction.reason == "cancelled"
        yield prediction
    for index in () if was_cancelled else sorted(stale):
        plane = PlaneRef(plan.axis, index)
        mask = with_anchors_across(session, plane, no_mask(plane), plan.object_id)
        session.write(plane, mask, plan.object_id, group=group, propagated=True)


def _started(
    plan: PropagationPlan, model: Segmenter | Propagator, cancel: Cancel, parts: PropagationParts
) -> PropagationRun:
    if isinstance(model, Propagator):
        return MemoryRun(plan, model, cancel, parts)
    return PropagationRun(plan, model, cancel, parts)


def _advance(run: PropagationRun, front: Front, ahead: Answered | None = None) -> PlanePrediction | None:
    return run.advance(front) if isinstance(run, MemoryRun) else ask_in_turn(run, front, ahead)
