"""How a propagation asks and decides: its parts, each of which can be replaced, and sets of them by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from napari_sam.core.anchor_shapes import Settle, settle_by_anchors, take_as_found
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt
from napari_sam.core.propagation_choices import (
    Choose,
    Judge,
    choose_by_agreement,
    choose_by_rules,
    choose_by_score,
    choose_by_trust,
    judge_by_ending,
    judge_by_limits,
    judge_by_trust,
)
from napari_sam.core.propagation_front import Choice, Front
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.propagation_prompts import Derive, deriving
from napari_sam.core.segmenter import SegmentRequest
from napari_sam.core.sharpening import Sharpen, keep_masks, sharpen_by_anchors
from napari_sam.errors import InvalidPrompt

__all__ = ["PARTS", "Choice", "Front", "PropagationParts", "keep", "kept_to_box", "parts_named"]


DEFAULT_DERIVE = deriving("logits", "box", "point")
"""The logits, the box of the mask with a margin, and its innermost point."""


@dataclass(frozen=True)
class PropagationParts:
    """How a propagation asks and decides.

    Parameters
    ----------
    derive : callable
        (plan, front, usable kinds of prompt) to the `SegmentRequest` for the front's next plane.
    choose : callable
        (plan, front, answer, of each mask what would be kept) to the `Choice` among the answer's candidates.
    judge : callable
        (plan, front, answer, choice, mask that would be kept) to why the front ends here; "" lets it go on.
    sharpen : callable
        (plan) to the function that moves outlines in this propagation; see `napari_sam.core.sharpening`.
    settle : callable
        (plan) to the function that weighs masks against the shapes of the anchors around them; see
        `napari_sam.core.anchor_shapes`.
    """

    derive: Derive = DEFAULT_DERIVE
    choose: Choose = choose_by_trust
    judge: Judge = judge_by_ending
    sharpen: Callable[[PropagationPlan], Sharpen] = sharpen_by_anchors
    settle: Callable[[PropagationPlan], Settle] = settle_by_anchors


PARTS: dict[str, PropagationParts] = {
    "ending": PropagationParts(),
    "trust": PropagationParts(judge=judge_by_trust),
    "agreement": PropagationParts(choose=choose_by_agreement),
    "score": PropagationParts(choose=choose_by_score),
    "components": PropagationParts(deriving("logits", "box", "component points")),
    "neighbours": PropagationParts(deriving("logits", "box", "point", "neighbour points")),
    "mask box point": PropagationParts(deriving("mask", "box", "point")),
    "mask point": PropagationParts(deriving("mask", "point", without_mask=("box", "point"))),
    "logits of two": PropagationParts(deriving("logits of two", "box", "point")),
    "mask": PropagationParts(deriving("mask")),
    "logits": PropagationParts(deriving("logits")),
    "box": PropagationParts(deriving("box")),
    "point": PropagationParts(deriving("point")),
    "as given": PropagationParts(sharpen=keep_masks, settle=take_as_found),
    "limits": PropagationParts(choose=choose_by_rules, judge=judge_by_limits),
}
"""Sets of parts by name; the first is the default, the last are single limits in place of trust."""


def parts_named(name: str) -> PropagationParts:
    """Return a set of parts by its name.

    Raises
    ------
    InvalidPrompt
        There is none of that name.
    """
    if name not in PARTS:
        raise InvalidPrompt(f"there are no parts called {name!r}; use one of: {', '.join(PARTS)}")
    return PARTS[name]


def kept_to_box(masks: tuple[BoxedMask, ...], request: SegmentRequest) -> tuple[BoxedMask, ...]:
    """Cut masks to the box that was asked for: beyond the last mask and its margin is another object."""
    boxes = [prompt.box for prompt in request.prompts if isinstance(prompt, BoxPrompt)]
    return tuple(mask.within(boxes[0]) for mask in masks) if boxes else masks


def keep(
    plan: PropagationPlan, front: Front, masks: tuple[BoxedMask, ...], plane: PlaneRef
) -> tuple[BoxedMask, ...]:
    """Cut masks to what can be the object that a front follows.

    Beyond the box of the last mask and its margin is something else, and so is a piece that lies mostly
    outside the last mask.
    """
    before = front.mask.moved_to(plane)
    box = plan.limits.grown_box(before.box, plane, plan.volume.shape)
    return tuple(mask.within(box).pieces_over(before, plan.limits.min_piece_overlap) for mask in masks)
