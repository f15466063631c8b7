"""A look from afar: the same picture at half its size, for objects that are large in it.

A small encoder sees little of the picture around each of its cells. From afar more of an object lies within
what a cell sees, up close its outline is finer: so an answer goes from the picture to its half and back,
each time as the mask prompt of the next, from coarse to fine (as in pyramids: Lin et al., "Feature Pyramid
Networks", 2017; Cheng et al., "CascadePSP", 2020, refines masks so).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_sam.models.mask_decoder import Decoded

__all__ = [
    "farther",
    "farther_points",
    "nearer_mask",
    "the_likelier",
    "with_far_candidate",
]

LIKELY = 0.5
"""Least predicted IoU of what a click finds from afar: a nucleus is a dot there, and not what is found."""


def farther(pixels: Tensor) -> Tensor:
    """Halve a picture or its logits ``(B, C, S, S)``: each cell is the mean of four."""
    return F.avg_pool2d(pixels, 2)


def farther_points(points_xy: Tensor) -> Tensor:
    """Turn pixels ``(N, K, 2)`` into those of the halved picture; whole numbers are pixels' centres."""
    return (points_xy + 0.5) / 2 - 0.5


def nearer_mask(logits: Tensor) -> Tensor:
    """Double the grid of logits ``(N, M, h, w)`` bilinearly."""
    return F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)


def with_far_candidate(near: Decoded, far: Decoded) -> Decoded:
    """Let the best candidate from afar take the place of the worst one from near, if it is likely.

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
    score = far.iou_scores[rows, best]
    shown = nearer_mask(far.mask_logits[rows, best][:, None])[:, 0]
    is_likely = score > LIKELY
    masks, scores = near.mask_logits.clone(), near.iou_scores.clone()
    masks[rows, worst] = torch.where(is_likely[:, None, None], shown, masks[rows, worst])
    scores[rows, worst] = torch.where(is_likely, score, scores[rows, worst])
    return Decoded(masks, scores, near.presence)


def the_likelier(first: Decoded, again: Decoded) -> Decoded:
    """Take, prompt by prompt, the answer whose mask 0 has the higher predicted IoU; of equals the first."""
    better = again.iou_scores[:, 0] > first.iou_scores[:, 0]
    presence = None
    if first.presence is not None and again.presence is not None:
        presence = torch.where(better, again.presence, first.presence)
    return Decoded(
        torch.where(better[:, None, None, None], again.mask_logits, first.mask_logits),
        torch.where(better[:, None], again.iou_scores, first.iou_scores),
        presence,
    )
