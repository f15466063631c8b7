"""One propagation under way: its fronts, and the planes that nobody has filled yet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.ending_view import EndTeller, EndView, Eye
from napari_sam.core.evidence import AnchorLook
from napari_sam.core.intensity import GreyRange, grey_levels
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask, iou
from napari_sam.core.plane_prediction import PlanePrediction, no_mask, told_without_model
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation_choices import evidence_of
from napari_sam.core.propagation_parts import Front, PropagationParts, keep
from napari_sam.core.propagation_plan import PropagationPlan, Seed
from napari_sam.core.segmenter import MaskPrediction, Segmenter, SegmentRequest, segment_all
from napari_sam.core.sharpening import Learning
from napari_sam.core.trust import FITTED
from volumes import Box

__all__ = ["Front", "PropagationRun"]

_ANCHORS_AT_ONCE = 8
"""Anchors that a model is asked about together; between them it can be cancelled."""


class PropagationRun:
    """One propagation under way.

    A front is asked for its next request, the caller gets it answered, and the front takes the answer in.
    Asking and taking stand apart, so that the requests of several objects can be answered together.

    Parameters
    ----------
    plan : PropagationPlan
        Where the object is, and which planes are open.
    segmenter : Segmenter
        Whose kinds of prompts are used; it is told which planes come next.
    cancel : Cancel
        Looked at before each request.
    parts : PropagationParts
        How it asks and decides.
    """

    def __init__(
        self, plan: PropagationPlan, segmenter: Segmenter, cancel: Cancel, parts: PropagationParts
    ) -> None:
        self.plan, self.segmenter = plan, segmenter
        self._cancel, self._parts = cancel, parts
        self._sharpen = parts.sharpen(plan)
        self._settle = parts.settle(plan)
        self._has_learnt = False
        self._open = set(range(plan.first, plan.last)) - set(plan.seeds) - plan.walls
        self.fronts = [
            front
            for index, seed in sorted(plan.seeds.items())
            for front in self._fronts(PlaneRef(plan.axis, index), seed)
        ]

    def _fronts(self, plane: PlaneRef, seed: Seed) -> list[Front]:
        """Let a front leave an anchor in either direction; what the anchor looks like is measured once."""
        levels = grey_levels(self.plan.volume, self.plan.window, plane, seed.mask)
        greys, look = GreyRange.of_levels(levels), AnchorLook.of_levels(levels)
        return [
            Front(plane, step, seed.mask, seed.hint, greys, seed.mask.area, seed.candidate, look)
            for step in (1, -1)
        ]

    def goes_on(self, front: Front) -> bool:
        """Return whether a front's next plane is open still, and nobody asked to stop."""
        return front.plane.index + front.step in self._open and not self._cancel.requested

    def ask(self, front: Front) -> SegmentRequest | None:
        """Say what to ask for a front's next plane; None where it has met an end, which is its last.

        Raises
        ------
        Cancelled
            Somebody asked to stop; call `break_off` then.
        """
        if front.plane.index + front.step not in self._open:
            self.fronts.remove(front)
            return None
        self._cancel.check()
        if not self._has_learnt:
            self._learn()
            self._has_learnt = True
        self._prefetch(front)
        return self._parts.derive(self.plan, front, self.segmenter.prompts)

    def _learn(self) -> None:
        """Ask for anchors that have open planes beside them as if they were followed, where that teaches."""
        learning: object = self._sharpen
        if not isinstance(learning, Learning):
            return
        left = {
            front.plane.index: front for front in self.fronts if front.plane.index + front.step in self._open
        }
        before = [left[index].before_anchor() for index in sorted(left)]
        for start in range(0, len(before), _ANCHORS_AT_ONCE):
            self._cancel.check()
            some = before[start : start + _ANCHORS_AT_ONCE]
            requests = [self._parts.derive(self.plan, front, self.segmenter.prompts) for front in some]
            for front, answer in zip(some, segment_all(self.segmenter, requests), strict=True):
                kept = list(self._keep(front, answer))
                choice = self._parts.choose(self.plan, front, answer, kept)
                learning.learn(answer, kept, choice.candidate, self.plan.seeds[answer.plane.index].mask)

    def break_off(self, front: Front) -> PlanePrediction:
        """End a front because the propagation was cancelled."""
        self.fronts.remove(front)
        plane = front.plane.neighbour(front.step)
        return told_without_model(plane, no_mask(plane), 0.0, "stopped", "cancelled")

    def _keep(self, front: Front, answer: MaskPrediction) -> tuple[BoxedMask, ...]:
        """Cut an answer's masks to what can be the object that a front follows."""
        return keep(self.plan, front, answer.masks, answer.plane)

    def take(self, front: Front, answer: MaskPrediction, seconds: float) -> PlanePrediction:
        """Take an answer in: the front moves on, or stops.

        Parameters
        ----------
        front : Front
            Who asked.
        answer : MaskPrediction
            The model's answer.
        seconds : float
            Time that it took.
        """
        plan, previous = self.plan, front.mask.moved_to(answer.plane)
        kept = list(self._keep(front, answer))
        choice = self._parts.choose(plan, front, answer, kept)
        k, overlap = choice.candidate, iou(previous, answer.masks[choice.candidate])
        sharp = self._sharpen(answer, kept, k, previous)
        kept[k] = sharp.pieces_over(previous, plan.limits.min_piece_overlap)
        evidence = evidence_of(plan, front, answer, kept, only=k)[0]
        settled = self._settle(answer.plane, kept[k], FITTED.of(evidence))
        kept[k], eye = settled.mask, self._eye(front, settled.mask)
        choice = replace(choice, trust=settled.trust, evidence=evidence, eye=eye)
        reason = self._parts.judge(plan, front, answer, choice, kept[k])
        state = "stopped" if reason else "propagated"
        if reason:
            self.fronts.remove(front)
        else:
            self._open.discard(answer.plane.index)
            hint = None if settled.share > 0.5 else answer.hints[k]
            front.move(answer.plane, kept[k], hint, evidence)
            if not plan.first <= answer.plane.index + front.step < plan.last:
                reason = "end of range"
        return PlanePrediction(
            answer.plane, tuple(kept), answer.scores, answer.hints,
            k, float(answer.scores[k]), kept[k].area, overlap, state, reason, seconds,
            presence=answer.presence, trust=choice.trust, doubtful=choice.trust < plan.limits.sure_trust,
        )  # fmt: skip

    def _eye(self, front: Front, mask: BoxedMask) -> Eye | None:
        """Let whoever judges a front's next mask have it looked at, where the model can."""
        teller, plan, plane = self.segmenter, self.plan, front.next_plane
        if not isinstance(teller, EndTeller):
            return None
        nearest = min(plan.seeds, key=lambda index: (abs(index - plane.index), index))

        def eye(numbers: NDArray[np.floating]) -> float | None:
            anchor = plan.seeds[nearest].mask, PlaneRef(plan.axis, nearest)
            view = EndView(plan.volume, plan.window, plane, front.step, mask, front.mask, *anchor, numbers)
            return teller.still_there(view)

        return eye

    def _prefetch(self, front: Front) -> None:
        """Name the next planes, as many as the limits say: to be encoded together or meanwhile."""
        start, step, n_named = front.plane.index + front.step, front.step, self.plan.limits.n_prefetched
        if not n_named or start in front.prefetched:
            return
        ahead = range(start, start + step * n_named, step)
        planes = [PlaneRef(front.plane.axis, index) for index in ahead if index in self._open]
        front.prefetched.update(plane.index for plane in planes)
        self.segmenter.prefetch(
            self.plan.volume, planes, self.plan.window, self._cancel, around=self._expected(front)
        )

    def _expected(self, front: Front) -> Box:
        """Say where the next plane's prompts will be, so that what is prepared is what is asked for."""
        plane = front.next_plane
        return self.plan.limits.grown_box(front.mask.moved_to(plane).box, plane, self.plan.volume.shape)
