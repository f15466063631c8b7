"""Propagation: following an object from the planes where a person showed it through the planes beside them.

Each next plane is asked for with what the plane before it gave: its low-resolution logits, the box of its
mask with a margin, and its innermost point; what the model gives is kept to that box. Fronts leave every
anchor in both directions and take turns, so two anchors meet in the middle. A front stops where the rules
say that it has lost the object. Between two anchors it has to be somewhere all the same: planes there that
no front could fill get the shape between their neighbours, and say so.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.intensity import GreyRange, grey_levels
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask, innermost_point, iou
from napari_sam.core.plane_prediction import PlanePrediction, fill_between, no_mask, told_without_model
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.propagation_plan import PropagationPlan, Seed, plan_propagation, propagation_group
from napari_sam.core.propagation_rules import (
    PropagationLimits,
    choose_candidate,
    preferred_candidate,
    reason_to_stop,
)
from napari_sam.core.segmenter import MaskPrediction, Segmenter, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.errors import Cancelled

__all__ = [
    "PlanePrediction",
    "PropagationLimits",
    "PropagationPlan",
    "follow",
    "plan_propagation",
    "propagate",
]


def propagate(  # noqa: PLR0913 - one argument for each thing that a person can choose
    session: Session,
    segmenter: Segmenter,
    object_id: int,
    *,
    axis: int | None = None,
    planes: tuple[int, int] | None = None,
    limits: PropagationLimits | None = None,
    cancel: Cancel | None = None,
) -> Iterator[PlanePrediction]:
    """Follow an object through the planes of a volume, writing each plane as it comes.

    Anchors (prompted and painted planes of the axis) are never changed. All writing is one step to undo.
    At the end, planes that an earlier propagation filled in the range and this one did not reach are erased.
    A cancelled propagation, or one that is not exhausted, keeps what is done and erases nothing.

    Parameters
    ----------
    session : Session
        Where the object is, and where the masks go.
    segmenter : Segmenter
        Kinds of prompt that it lacks are left out.
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
    return _write_all(session, plan, follow(plan, segmenter, cancel))


def follow(
    plan: PropagationPlan, segmenter: Segmenter, cancel: Cancel | None = None
) -> Iterator[PlanePrediction]:
    """Yield the anchors, then plane by plane what the model says; touches no session.

    A plane at which a front stopped may come again, from the other side, or at the end as ``"interpolated"``.
    """
    for index, seed in sorted(plan.seeds.items()):
        yield told_without_model(PlaneRef(plan.axis, index), seed.mask, seed.score, "anchor")
    run = _Run(plan, segmenter, cancel or Cancel())
    found = {index: seed.mask for index, seed in plan.seeds.items()}
    was_cancelled = False
    while run.fronts:
        for front in tuple(run.fronts):
            prediction = run.advance(front)
            if prediction is not None:
                if prediction.is_new:
                    found[prediction.plane.index] = prediction.mask
                was_cancelled |= prediction.reason == "cancelled"
                yield prediction
    if plan.limits.fills_between and not was_cancelled:
        yield from fill_between(plan, found)


def _write_all(
    session: Session, plan: PropagationPlan, predictions: Iterator[PlanePrediction]
) -> Iterator[PlanePrediction]:
    group = propagation_group(plan)
    stale = set(plan.stale)
    was_cancelled = False
    for prediction in predictions:
        if prediction.is_new:
            session.write(prediction.plane, prediction.mask, plan.object_id, group=group, propagated=True)
            stale.discard(prediction.plane.index)
        was_cancelled |= prediction.reason == "cancelled"
        yield prediction
    for index in () if was_cancelled else sorted(stale):
        plane = PlaneRef(plan.axis, index)
        session.write(plane, no_mask(plane), plan.object_id, group=group, propagated=True)


@dataclass(eq=False)
class _Front:
    """Where one direction of a propagation stands."""

    plane: PlaneRef
    step: int
    mask: BoxedMask
    hint: NDArray[np.floating] | None
    greys: GreyRange
    anchor_px: int
    candidate: int | None
    prefetched: set[int] = field(default_factory=set)


class _Run:
    """One propagation under way: its fronts, and the planes that nobody has filled yet."""

    def __init__(self, plan: PropagationPlan, segmenter: Segmenter, cancel: Cancel) -> None:
        self._plan, self._segmenter, self._cancel = plan, segmenter, cancel
        self._open = set(range(plan.first, plan.last)) - set(plan.seeds) - plan.walls
        self.fronts = [
            self._front(plane, step, seed)
            for plane, seed in ((PlaneRef(plan.axis, i), seed) for i, seed in sorted(plan.seeds.items()))
            for step in (1, -1)
        ]

    def _front(self, plane: PlaneRef, step: int, seed: Seed) -> _Front:
        greys = GreyRange.of_levels(self._levels(plane, seed.mask))
        return _Front(plane, step, seed.mask, seed.hint, greys, seed.mask.area, seed.candidate)

    def _levels(self, plane: PlaneRef, mask: BoxedMask) -> NDArray[np.floating]:
        return grey_levels(self._plan.volume, self._plan.window, plane, mask)

    def advance(self, front: _Front) -> PlanePrediction | None:
        """Ask for a front's next plane; None where the front has met an end."""
        index = front.plane.index + front.step
        if index not in self._open:
            self.fronts.remove(front)
            return None
        plane = front.plane.neighbour(front.step)
        try:
            self._cancel.check()
            self._prefetch(front)
            started_s = time.perf_counter()
            request = self._request(front, plane)
            answer = self._segmenter.segment(request)
        except Cancelled:
            self.fronts.remove(front)
            return told_without_model(plane, no_mask(plane), 0.0, "stopped", "cancelled")
        return self._judge(front, request, answer, time.perf_counter() - started_s)

    def _judge(
        self, front: _Front, request: SegmentRequest, answer: MaskPrediction, seconds: float
    ) -> PlanePrediction:
        previous = front.mask.moved_to(answer.plane)
        overlaps = [iou(previous, mask) for mask in answer.masks]
        scores, areas_px = answer.scores.tolist(), [mask.area for mask in answer.masks]
        reasons = [
            reason_to_stop(self._plan.limits, score, overlap, previous.area, area_px)
            for score, overlap, area_px in zip(scores, overlaps, areas_px, strict=True)
        ]
        chosen = choose_candidate(scores, overlaps, reasons, preferred_candidate(answer, front.candidate))
        least = self._plan.limits.min_piece_overlap
        kept = tuple(mask.pieces_over(previous, least) for mask in _kept_to_box(answer.masks, request))
        mask, reason = kept[chosen], reasons[chosen] or self._lost(front, answer.plane, kept[chosen])
        if answer.presence < self._plan.limits.min_presence:
            reason = "absent"
        state = "stopped" if reason else "propagated"
        if reason:
            self.fronts.remove(front)
        else:
            self._open.discard(answer.plane.index)
            front.plane, front.mask, front.hint = answer.plane, mask, answer.hints[chosen]
            if not self._plan.first <= answer.plane.index + front.step < self._plan.last:
                reason = "end of range"
        return PlanePrediction(
            answer.plane, kept, answer.scores, answer.hints,
            chosen, scores[chosen], mask.area, overlaps[chosen], state, reason, seconds,
            presence=answer.presence,
        )  # fmt: skip

    def _lost(self, front: _Front, plane: PlaneRef, mask: BoxedMask) -> str:
        """Return why the mask that would be kept is not the object, or nothing."""
        if mask.is_empty:
            return "empty"
        if mask.area > self._plan.limits.max_growth * front.anchor_px:
            return "area"
        familiar = front.greys.share_of(self._levels(plane, mask))
        return "intensity" if familiar < self._plan.limits.min_familiar else ""

    def _request(self, front: _Front, plane: PlaneRef) -> SegmentRequest:
        """Ask for a plane with what the plane before it gave, as far as the model can use it."""
        plan, usable = self._plan, self._segmenter.prompts
        shape = plan.volume.shape
        prompts: list[Prompt] = []
        if "box" in usable:
            prompts.append(BoxPrompt(plan.limits.grown_box(front.mask.moved_to(plane).box, plane, shape)))
        if "point" in usable:
            row, col = innermost_point(front.mask.to_plane(plane, shape))
            prompts.append(PointPrompt(plane.at(row, col)))
        hint = front.hint if "mask" in usable else None
        if "mask" in usable and hint is None:
            prompts.append(MaskPrompt(front.mask.moved_to(plane)))
        return SegmentRequest(plan.volume, plane, plan.window, tuple(prompts), plan.object_id, hint)

    def _prefetch(self, front: _Front) -> None:
        """Name the next planes, some at a time, so that they can be encoded together or meanwhile."""
        start, step = front.plane.index + front.step, front.step
        if start in front.prefetched:
            return
        ahead = range(start, start + step * self._plan.limits.n_prefetched, step)
        planes = [PlaneRef(front.plane.axis, index) for index in ahead if index in self._open]
        front.prefetched.update(plane.index for plane in planes)
        self._segmenter.prefetch(
            self._plan.volume, planes, self._plan.window, self._cancel, around=front.mask.box
        )


def _kept_to_box(masks: tuple[BoxedMask, ...], request: SegmentRequest) -> tuple[BoxedMask, ...]:
    """Cut masks to the box that was asked for: beyond the last mask and its margin is another object."""
    boxes = [prompt.box for prompt in request.prompts if isinstance(prompt, BoxPrompt)]
    return tuple(mask.within(boxes[0]) for mask in masks) if boxes else masks
