"""Following an object with a model that has a memory of its own: it says where, the engine judges it.

Each direction from each anchor is one question to the model. Its answers come plane by plane and are chosen,
judged and ended by the same rules as those of a model that is asked anew for each plane.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.plane_prediction import PlanePrediction, no_mask, told_without_model
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import MaskPrompt
from napari_sam.core.propagation_parts import Front, PropagationParts
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.propagation_run import PropagationRun
from napari_sam.core.segmenter import MaskPrediction, Propagator, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.errors import Cancelled, InvalidPrompt
from volumes import Box, Volume

__all__ = ["MemoryRun"]


class MemoryRun(PropagationRun):
    """One propagation under way, answered by a `Propagator`.

    Parameters
    ----------
    plan, cancel, parts :
        As in `PropagationRun`; how `parts` derives prompts is not used.
    model : Propagator
        Asked once for each direction from each anchor with a mask.
    """

    def __init__(
        self, plan: PropagationPlan, model: Propagator, cancel: Cancel, parts: PropagationParts
    ) -> None:
        super().__init__(plan, _Unasked(), cancel, replace(parts, derive=_bare_request))
        self._answers = {front: _answers(plan, model, front, cancel) for front in self.fronts}

    def advance(self, front: Front) -> PlanePrediction | None:
        """Take a front's next answer in; None where the front has met an end."""
        started_s = time.perf_counter()
        try:
            request = self.ask(front)
            if request is None:
                return None
            answer = next(self._answers[front], None)
        except Cancelled:
            return self.break_off(front)
        if answer is None:
            self.fronts.remove(front)
            plane = request.plane
            return told_without_model(plane, no_mask(plane), 0.0, "stopped", "empty")
        return self.take(front, answer, time.perf_counter() - started_s)

    def _learn(self) -> None:
        """Learn nothing in the anchors' planes: a memory that saw them gives their own masks back."""

    def _keep(self, front: Front, answer: MaskPrediction) -> tuple[BoxedMask, ...]:
        """Leave off pieces that lie elsewhere; how far the object may have moved, the model knows."""
        before, least = front.mask.moved_to(answer.plane), self.plan.limits.min_piece_overlap
        return tuple(mask.pieces_over(before, least) for mask in answer.masks)


def _answers(
    plan: PropagationPlan, model: Propagator, front: Front, cancel: Cancel
) -> Generator[MaskPrediction, None, None]:
    """Yield a direction's answers from the plane after the anchor on; the first asks the model."""
    index, end = front.plane.index, plan.last if front.step > 0 else plan.first - 1
    planes = [PlaneRef(plan.axis, i) for i in range(index, end, front.step)]
    request = SegmentRequest(
        plan.volume, front.plane, plan.window, (MaskPrompt(front.mask),), plan.object_id, front.hint
    )
    answers = model.propagate(request, planes, cancel)
    for plane, answer in zip(planes, answers, strict=False):
        if answer.plane != plane:
            raise InvalidPrompt(
                f"the model answered plane {answer.plane.index} of axis {answer.plane.axis} where plane "
                f"{plane.index} of axis {plane.axis} was asked; let propagate yield the planes in their order"
            )
        if plane.index != index:
            yield answer


def _bare_request(plan: PropagationPlan, front: Front, usable: frozenset[str]) -> SegmentRequest:
    """Name the next plane, without prompts: the model has its memory."""
    return SegmentRequest(plan.volume, front.plane.neighbour(front.step), plan.window, (), plan.object_id)


class _Unasked:
    """Stands where a run expects a segmenter; nothing is asked of it."""

    name = "memory.none"
    prompts: frozenset[str] = frozenset()

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        raise NotImplementedError(f"a Propagator answers plane {request.plane.index}; ask that instead")

    def prefetch(
        self,
        volume: Volume,
        planes: Sequence[PlaneRef],
        window: Window,
        cancel: Cancel | None = None,
        around: Box | None = None,
    ) -> None:
        pass
