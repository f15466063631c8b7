"""Which candidate of a plane's answer is taken, and whether it is the object: named rules and judges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.ending import ending_numbers, expected_precision, weighed
from napari_sam.core.evidence import Evidence, gather_evidence
from napari_sam.core.intensity import grey_levels
from napari_sam.core.masks import BoxedMask, iou
from napari_sam.core.propagation_front import Choice, Front
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.propagation_reach import LEAST_ANCHORS, reach_of
from napari_sam.core.propagation_rules import NEAR_BEST, choose_candidate, preferred_candidate, reason_to_stop
from napari_sam.core.segmenter import MaskPrediction
from napari_sam.core.trust import FITTED

__all__ = [
    "Choose", "Judge", "choose_by_agreement", "choose_by_rules", "choose_by_score", "choose_by_trust",
    "evidence_of", "judge_by_ending", "judge_by_limits", "judge_by_trust", "trust_of",
]  # fmt: skip

Choose: TypeAlias = Callable[[PropagationPlan, Front, MaskPrediction, Sequence[BoxedMask]], Choice]
Judge: TypeAlias = Callable[[PropagationPlan, Front, MaskPrediction, Choice, BoxedMask], str]

DENIED = 0.02
"""A presence or predicted IoU below this ends a front, however much else speaks for the mask."""

MOST_GROWTH = 2.0
"""How much wider than `max_growth` the limit on area is where trust judges."""


def choose_by_rules(
    plan: PropagationPlan, front: Front, answer: MaskPrediction, _: Sequence[BoxedMask]
) -> Choice:
    """Take the preferred candidate, or the best by score and overlap of those that break no rule."""
    previous = front.mask.moved_to(answer.plane)
    overlaps = [iou(previous, mask) for mask in answer.masks]
    scores = answer.scores.tolist()
    reasons = [
        reason_to_stop(plan.limits, score, overlap, previous.area, mask.area)
        for score, overlap, mask in zip(scores, overlaps, answer.masks, strict=True)
    ]
    chosen = choose_candidate(scores, overlaps, reasons, preferred_candidate(answer, front.candidate))
    return Choice(chosen, reasons[chosen])


def choose_by_score(
    plan: PropagationPlan, front: Front, answer: MaskPrediction, kept: Sequence[BoxedMask]
) -> Choice:
    """Take what the model itself would take."""
    return _with_trust(answer.best, trust_of(plan, front, answer, kept))


def choose_by_agreement(
    plan: PropagationPlan, front: Front, answer: MaskPrediction, kept: Sequence[BoxedMask]
) -> Choice:
    """Take the candidate most like the others and the plane before, its score counting, too."""
    previous = front.mask.moved_to(answer.plane)
    worth = [
        float(np.mean([iou(mask, other) for other in kept])) + 0.5 * iou(previous, mask) + score
        for mask, score in zip(kept, answer.scores.tolist(), strict=True)
    ]
    return _with_trust(int(np.argmax(worth)), trust_of(plan, front, answer, kept))


def choose_by_trust(
    plan: PropagationPlan, front: Front, answer: MaskPrediction, kept: Sequence[BoxedMask]
) -> Choice:
    """Take the candidate that is trusted most; the level that a person chose, where it is trusted at all.

    A candidate that the model itself holds for much worse than its best is never taken.
    """
    trust = trust_of(plan, front, answer, kept)
    chosen = None if front.candidate is None else preferred_candidate(answer, front.candidate)
    if chosen is not None and trust[chosen] >= plan.limits.min_trust:
        return _with_trust(chosen, trust)
    best = float(answer.scores.max())
    least = min(NEAR_BEST * best, best)  # a predicted IoU may be below 0
    credible = [k for k, score in enumerate(answer.scores.tolist()) if score >= least]
    return _with_trust(max(credible, key=lambda k: (not kept[k].is_empty, trust[k])), trust)


def judge_by_limits(
    plan: PropagationPlan, front: Front, answer: MaskPrediction, choice: Choice, mask: BoxedMask
) -> str:
    """Return which single limit the mask that would be kept breaks, or nothing."""
    if answer.presence < plan.limits.min_presence:
        return "absent"
    if choice.reason:
        return choice.reason
    if mask.is_empty:
        return "empty"
    if mask.area > plan.limits.max_growth * front.anchor_px:
        return "area"
    familiar = front.greys.share_of(grey_levels(plan.volume, plan.window, answer.plane, mask))
    return "intensity" if familiar < plan.limits.min_familiar else ""


def judge_by_trust(
    plan: PropagationPlan, front: Front, answer: MaskPrediction, choice: Choice, mask: BoxedMask
) -> str:
    """Return why the mask that would be kept is not the object, or nothing.

    Trust decides, but for what the model denies itself, for leaks, and for planes so far beyond the outermost
    anchors that the anchors' own sizes speak against them.
    """
    return _denied(plan, front, answer, choice, mask) or _distrusted(plan, choice)


def judge_by_ending(
    plan: PropagationPlan, front: Front, answer: MaskPrediction, choice: Choice, mask: BoxedMask
) -> str:
    """Return why the mask that would be kept is not the object, or nothing.

    As `judge_by_trust` says, but beyond one anchor or two, which do not tell where an object ends, it goes on
    with a mask that is not trusted well for as long as enough of it is expected to be the object; see
    `napari_sam.core.ending`.
    """
    denied = _denied(plan, front, answer, choice, mask)
    if denied or choice.trust >= plan.limits.sure_trust:
        return denied
    is_between = min(plan.seeds) < answer.plane.index < max(plan.seeds)
    if choice.evidence is None or is_between or len(plan.seeds) >= LEAST_ANCHORS:
        return _distrusted(plan, choice)
    numbers = ending_numbers(front, choice.evidence, answer.presence, mask)
    told, seen = float(expected_precision(numbers)), choice.eye(numbers) if choice.eye else None
    precision = told if seen is None else weighed(told, seen)
    return "trust" if precision < plan.limits.min_precision else ""


def _denied(
    plan: PropagationPlan, front: Front, answer: MaskPrediction, choice: Choice, mask: BoxedMask
) -> str:
    if answer.presence < DENIED:
        return "absent"
    if float(answer.scores[choice.candidate]) < DENIED:
        return "score"
    if mask.is_empty:
        return "empty"
    if mask.area > MOST_GROWTH * plan.limits.max_growth * front.anchor_px:
        return "area"
    first, last = reach_of({index: seed.mask.area for index, seed in plan.seeds.items()})
    return "" if min(first, *plan.seeds) <= answer.plane.index <= max(last, *plan.seeds) else "reach"


def _distrusted(plan: PropagationPlan, choice: Choice) -> str:
    return "trust" if choice.trust < plan.limits.min_trust else ""


def evidence_of(
    plan: PropagationPlan,
    front: Front,
    answer: MaskPrediction,
    kept: Sequence[BoxedMask],
    only: int | None = None,
) -> tuple[Evidence, ...]:
    """Return what speaks for each candidate, of which something is kept, or for one of them."""

    def levels_of(mask: BoxedMask) -> NDArray[np.floating]:
        return grey_levels(plan.volume, plan.window, answer.plane, mask)

    before = front.mask.moved_to(answer.plane)
    return gather_evidence(levels_of, front.look, before, answer.scores.tolist(), kept, only)


def trust_of(
    plan: PropagationPlan, front: Front, answer: MaskPrediction, kept: Sequence[BoxedMask]
) -> list[float]:
    """Return how well each candidate is expected to agree with the object."""
    return [FITTED.of(one) for one in evidence_of(plan, front, answer, kept)]


def _with_trust(candidate: int, trust: Sequence[float]) -> Choice:
    return Choice(candidate, trust=trust[candidate])
