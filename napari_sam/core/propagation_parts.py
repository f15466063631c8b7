"""What propagation asks, which candidate it takes and what ends it: the parts that can be replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.intensity import GreyRange, grey_levels
from napari_sam.core.masks import BoxedMask, innermost_point, iou
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.propagation_rules import choose_candidate, preferred_candidate, reason_to_stop
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.sharpening import Sharpen, sharpen_by_appearance

__all__ = [
    "Choice",
    "Front",
    "PropagationParts",
    "choose_by_rules",
    "derive_all",
    "judge_by_limits",
    "kept_to_box",
]


@dataclass(eq=False)
class Front:
    """Where one direction of a propagation stands.

    Parameters
    ----------
    plane : PlaneRef
        The plane done last.
    step : int
        1 or -1: which way it goes.
    mask : BoxedMask
        The object in that plane.
    hint : NDArray or None, shape (h, w)
        The logits that gave the mask.
    greys : GreyRange
        The grey levels of the anchor's mask.
    anchor_px : int
        Area of the anchor's mask.
    candidate : int or None
        The candidate that a person chose in the anchor.
    prefetched : set of int
        The planes that the segmenter was told of.
    """

    plane: PlaneRef
    step: int
    mask: BoxedMask
    hint: NDArray[np.floating] | None
    greys: GreyRange
    anchor_px: int
    candidate: int | None
    prefetched: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Choice:
    """Which candidate of an answer is taken, and which rule it breaks; "" for none."""

    candidate: int
    reason: str = ""


def derive_all(plan: PropagationPlan, front: Front, usable: frozenset[str]) -> SegmentRequest:
    """Ask for the next plane with all that the plane before it gave, as far as the model can use it."""
    plane, shape = front.plane.neighbour(front.step), plan.volume.shape
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


def choose_by_rules(plan: PropagationPlan, front: Front, answer: MaskPrediction) -> Choice:
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


def judge_by_limits(
    plan: PropagationPlan, front: Front, answer: MaskPrediction, choice: Choice, mask: BoxedMask
) -> str:
    """Return why the mask that would be kept is not the object, or nothing."""
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


@dataclass(frozen=True)
class PropagationParts:
    """How a propagation asks and decides; each part can be replaced by another function.

    Parameters
    ----------
    derive : callable
        (plan, front, usable kinds of prompt) to the `SegmentRequest` for the front's next plane.
    choose : callable
        (plan, front, answer) to the `Choice` among the answer's candidates.
    judge : callable
        (plan, front, answer, choice, mask that would be kept) to why the front ends here; "" lets it go on.
    sharpen : callable
        (plan) to the function that moves outlines in this propagation; see `napari_sam.core.sharpening`.
    """

    derive: Callable[[PropagationPlan, Front, frozenset[str]], SegmentRequest] = derive_all
    choose: Callable[[PropagationPlan, Front, MaskPrediction], Choice] = choose_by_rules
    judge: Callable[[PropagationPlan, Front, MaskPrediction, Choice, BoxedMask], str] = judge_by_limits
    sharpen: Callable[[PropagationPlan], Sharpen] = sharpen_by_appearance


def kept_to_box(masks: tuple[BoxedMask, ...], request: SegmentRequest) -> tuple[BoxedMask, ...]:
    """Cut masks to the box that was asked for: beyond the last mask and its margin is another object."""
    boxes = [prompt.box for prompt in request.prompts if isinstance(prompt, BoxPrompt)]
    return tuple(mask.within(boxes[0]) for mask in masks) if boxes else masks
