"""Asking for the next planes of all fronts at once, where a model answers several requests faster together.

The fronts take turns all the same: an answer counts only at its front's turn, and only if the fronts before
it left its plane open. So what is found is what they find one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from napari_sam.core.plane_prediction import PlanePrediction
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation_run import Front, PropagationRun
from napari_sam.core.segmenter import BatchSegmenter, MaskPrediction
from napari_sam.errors import Cancelled

__all__ = ["Answered", "ask_ahead", "ask_in_turn"]

_AT_ONCE = 64
"""Requests that a model is given at a time: it may hold what it knows of all their planes."""


@dataclass(frozen=True, eq=False)
class Answered:
    """A front's next plane as a model answered it, before the front's turn.

    Parameters
    ----------
    answer : MaskPrediction
        What came.
    seconds : float
        Its share of the time that the model took.
    """

    answer: MaskPrediction
    seconds: float


def ask_ahead(fronts: Sequence[tuple[PropagationRun, Front]]) -> Mapping[Front, Answered]:
    """Ask for the next planes of fronts, each plane of a run once.

    Parameters
    ----------
    fronts : sequence of (PropagationRun, Front)
        Of one run or several, which share a model.

    Returns
    -------
    mapping of Front to Answered
        Empty where there is nothing to gain: a model that answers one by one, or a single front. Fronts that
        have met an end, or whose plane another one of their run asked for, are not in it; nor is any where
        somebody asked to stop.
    """
    in_turn: dict[tuple[PropagationRun, PlaneRef], Front] = {}
    for run, front in fronts:
        if run.goes_on(front):
            in_turn.setdefault((run, front.next_plane), front)
    if len(in_turn) < 2:
        return {}
    model = next(iter(in_turn))[0].segmenter
    if not isinstance(model, BatchSegmenter):
        return {}
    started_s = time.perf_counter()
    try:
        asked = [
            (front, request) for (run, _), front in in_turn.items() if (request := run.ask(front)) is not None
        ]
        answers = [
            answer
            for start in range(0, len(asked), _AT_ONCE)
            for answer in model.segment_many([request for _, request in asked[start : start + _AT_ONCE]])
        ]
    except Cancelled:
        return {}
    seconds = (time.perf_counter() - started_s) / max(len(asked), 1)
    return {front: Answered(answer, seconds) for (front, _), answer in zip(asked, answers, strict=True)}


def ask_in_turn(run: PropagationRun, front: Front, ahead: Answered | None = None) -> PlanePrediction | None:
    """Take in what was answered ahead for a front; ask now where there is nothing, or its plane was taken.

    Returns
    -------
    PlanePrediction or None
        None where the front has met an end; ``"stopped"`` by ``"cancelled"`` where somebody asked to stop.
    """
    if ahead is not None and run.goes_on(front):
        return run.take(front, ahead.answer, ahead.seconds)
    try:
        request = run.ask(front)
        if request is None:
            return None
        started_s = time.perf_counter()
        answer = run.segmenter.segment(request)
    except Cancelled:
        return run.break_off(front)
    return run.take(front, answer, time.perf_counter() - started_s)
