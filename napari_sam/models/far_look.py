"""A look from afar: the same picture at half its size, for objects that are large in it.

A small encoder sees little of the picture around each of its cells. From afar more of an object lies within
what a cell sees, up close its outline is finer: so an answer goes from the picture to its half and back,
each time as the mask prompt of the next, from coarse to fine (as in pyramids: Lin et al., "Feature Pyramid
Networks", 2017; Cheng et al., "CascadePSP", 2020, refines masks so).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_sam.models.mask_decoder import Decoded
from napari_sam.models.sam import PlaneFeatures
from napari_sam.models.second_look import boxes_of_logits

__all__ = ["FAR", "farther", "farther_points", "far_of", "joined", "nearer_mask", "with_far_candidate"]

FAR = "far_"
"""What the names of a picture's features begin with that were seen from afar."""

LARGE = 0.25
"""A click is answered from afar only by objects whose longer side is at least this part of the picture's."""

LIKELY = 0.5
"""Least predicted IoU of such an answer: from afar a nucleus is a dot, and what is seen is something else."""

MAX_CLICKS = 3
"""Prompts with more clicks are answered from near alone: those mend outlines."""


def farther(pixels: Tensor) -> Tensor:
    """Halve a picture ``(B, C, S, S)``: each pixel is the mean of four."""
    return F.avg_pool2d(pixels, 2)


def joined(near: Mapping[str, Tensor], far: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Keep features of both looks under one set of names."""
    return {**near, **{FAR + name: level for name, level in far.items()}}


def far_of(features: Mapping[str, Tensor]) -> PlaneFeatures | None:
    """Give the features that were seen from afar; None where there are none.

    `PlaneFeatures` keep them, and with them what a decoder makes of them before any prompt.
    """
    if isinstance(features, PlaneFeatures) and features.far is not None:
        return features.far
    far = PlaneFeatures((name[len(FAR) :], level) for name, level in features.items() if name.startswith(FAR))
    if not far:
        return None
    if isinstance(features, PlaneFeatures):
        features.far = far
    return far


def farther_points(points_xy: Tensor) -> Tensor:
    """Turn pixels ``(N, K, 2)`` into those of the halved picture; whole numbers are pixels' centres."""
    return (points_xy + 0.5) / 2 - 0.5


def nearer_mask(logits: Tensor) -> Tensor:
    """Double the grid of logits ``(N, M, h, w)`` bilinearly."""
    return F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)


def with_far_candidate(near: Decoded, far: Decoded) -> Decoded:
    """Let the best candidate from afar take the place of the worst one from near, if it is large and likely.

    Parameters
    ----------
    near, far : Decoded
        Answers of all four masks to the same ambiguous prompts; those from afar on half the grid.

    Returns
    -------
    Decoded
        Mask 0 and the presence as from near.
    """
    rows = torch.arange(len(near.iou_scores), device=near.iou_scores.device)
    best = far.iou_scores[:, 1:].argmax(dim=1) + 1
    worst = near.iou_scores[:, 1:].argmin(dim=1) + 1
    shown = far.mask_logits[rows, best]
    corners = boxes_of_logits(shown.float(), 1.0, 0.0)
    is_large = (corners[:, 1] - corners[:, 0]).amax(dim=1) >= LARGE
    rows = rows[is_large & (far.iou_scores[rows, best] > LIKELY)]
    masks, scores = near.mask_logits.clone(), near.iou_scores.clone()
    masks[rows, worst[rows]] = nearer_mask(shown[rows][:, None])[:, 0].to(masks.dtype)
    scores[rows, worst[rows]] = far.iou_scores[rows, best[rows]]
    return Decoded(masks, scores, near.presence)


def the_likelier(first: Decoded, again: Decoded) -> Decoded:
    """Take, prompt by prompt, the answer whose mask 0 has the higher predicted IoU; the first if they are alike."""
    better = again.iou_scores[:, 0] > first.iou_scores[:, 0]
    presence = None
    if first.presence is not None and again.presence is not None:
        presence = torch.where(better, again.presence, first.presence)
    return Decoded(
        torch.where(better[:, None, None, None], again.mask_logits, first.mask_logits),
        torch.where(better[:, None], again.iou_scores, first.iou_scores),
        presence,
    )
