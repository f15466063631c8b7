"""Asking for the next planes of all fronts at once, where a model answers several requests faster together.

The fronts take turns all the same: an answer counts only at its front's turn, and only if the fronts before
it left its plane open. So what is found is what they find one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation_run import Front, PropagationRun
from napari_sam.core.segmenter import BatchSegmenter, MaskPrediction, SegmentRequest
from napari_sam.errors import Cancelled

__all__ = ["Answered", "ask_ahead"]


@dataclass(frozen=True, eq=False)
class Answered:
    """A front's next plane as a model answered it, before the front's turn.

    Parameters
    ----------
    request, answer : SegmentRequest, MaskPrediction
        What was asked, and what came.
    seconds : float
        Its share of the time that the model took.
    """

    request: SegmentRequest
    answer: MaskPrediction
    seconds: float


def ask_ahead(run: PropagationRun) -> Mapping[Front, Answered]:
    """Ask for the next planes of a run's fronts, each plane once.

    Returns
    -------
    mapping of Front to Answered
        Empty where there is nothing to gain: a model that answers one by one, or a single front. Fronts that
        have met an end, or whose plane another one asked for, are not in it; nor is any where somebody asked
        to stop.
    """
    fronts: dict[PlaneRef, Front] = {}
    for front in run.fronts:
        if run.goes_on(front):
            fronts.setdefault(front.next_plane, front)
    model = run.segmenter
    if len(fronts) < 2 or not isinstance(model, BatchSegmenter):
        return {}
    started_s = time.perf_counter()
    try:
        asked = [(front, request) for front in fronts.values() if (request := run.ask(front)) is not None]
        answers = model.segment_many([request for _, request in asked])
    except Cancelled:
        return {}
    seconds = (time.perf_counter() - started_s) / max(len(asked), 1)
    return {
        front: Answered(request, answer, seconds)
        for (front, request), answer in zip(asked, answers, strict=True)
    }
