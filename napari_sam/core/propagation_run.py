"""One propagation under way: its fronts, and the planes that nobody has filled yet."""

from __future__ import annotations

from napari_sam.core.intensity import GreyRange, grey_levels
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import iou
from napari_sam.core.plane_prediction import PlanePrediction, no_mask, told_without_model
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation_parts import Front, PropagationParts, kept_to_box
from napari_sam.core.propagation_plan import PropagationPlan, Seed
from napari_sam.core.segmenter import MaskPrediction, Segmenter, SegmentRequest

__all__ = ["Front", "PropagationRun"]


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
        self._open = set(range(plan.first, plan.last)) - set(plan.seeds) - plan.walls
        self.fronts = [
            self._front(plane, step, seed)
            for plane, seed in ((PlaneRef(plan.axis, i), seed) for i, seed in sorted(plan.seeds.items()))
            for step in (1, -1)
        ]

    def _front(self, plane: PlaneRef, step: int, seed: Seed) -> Front:
        greys = GreyRange.of_levels(grey_levels(self.plan.volume, self.plan.window, plane, seed.mask))
        return Front(plane, step, seed.mask, seed.hint, greys, seed.mask.area, seed.candidate)

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
        self._prefetch(front)
        return self._parts.derive(self.plan, front, self.segmenter.prompts)

    def break_off(self, front: Front) -> PlanePrediction:
        """End a front because the propagation was cancelled."""
        self.fronts.remove(front)
        plane = front.plane.neighbour(front.step)
        return told_without_model(plane, no_mask(plane), 0.0, "stopped", "cancelled")

    def take(
        self, front: Front, request: SegmentRequest, answer: MaskPrediction, seconds: float
    ) -> PlanePrediction:
        """Take an answer in: the front moves on, or stops.

        Parameters
        ----------
        front, request : Front, SegmentRequest
            Who asked, and what.
        answer : MaskPrediction
            The model's answer.
        seconds : float
            Time that it took.
        """
        plan, previous = self.plan, front.mask.moved_to(answer.plane)
        choice = self._parts.choose(plan, front, answer)
        least = plan.limits.min_piece_overlap
        kept = [mask.pieces_over(previous, least) for mask in kept_to_box(answer.masks, request)]
        sharp = self._sharpen(answer, kept, choice.candidate, previous)
        kept[choice.candidate] = sharp.pieces_over(previous, least)
        reason = self._parts.judge(plan, front, answer, choice, kept[choice.candidate])
        state = "stopped" if reason else "propagated"
        if reason:
            self.fronts.remove(front)
        else:
            self._open.discard(answer.plane.index)
            front.plane, front.mask = answer.plane, kept[choice.candidate]
            front.hint = answer.hints[choice.candidate]
            if not plan.first <= answer.plane.index + front.step < plan.last:
                reason = "end of range"
        return PlanePrediction(
            answer.plane, tuple(kept), answer.scores, answer.hints,
            choice.candidate, float(answer.scores[choice.candidate]), kept[choice.candidate].area,
            iou(previous, answer.masks[choice.candidate]), state, reason, seconds,
            presence=answer.presence,
        )  # fmt: skip

    def _prefetch(self, front: Front) -> None:
        """Name the next planes, some at a time, so that they can be encoded together or meanwhile."""
        start, step = front.plane.index + front.step, front.step
        if start in front.prefetched:
            return
        ahead = range(start, start + step * self.plan.limits.n_prefetched, step)
        planes = [PlaneRef(front.plane.axis, index) for index in ahead if index in self._open]
        front.prefetched.update(plane.index for plane in planes)
        self.segmenter.prefetch(
            self.plan.volume, planes, self.plan.window, self._cancel, around=front.mask.box
        )
