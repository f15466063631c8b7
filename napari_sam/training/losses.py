"""What training minimises: mask overlap, pixel error and the error of the predicted IoU."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

PIXEL_WEIGHT, FOCUS_WEIGHT = 10.0, 5.0
"""Weights of the focal loss over the whole plane and around the object, beside a Dice loss of 1."""


def mask_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Give each mask's loss.

    Parameters
    ----------
    logits : Tensor
        ``(N, M, h, w)``.
    targets : Tensor
        ``(N, h, w)`` from 0 to 1.

    Returns
    -------
    Tensor
        ``(N, M)``: soft Dice loss plus weighted focal losses (gamma 2).
    """
    target = targets[:, None].expand_as(logits)
    probability = logits.sigmoid()
    overlap = (probability * target).sum(dim=(-2, -1))
    total = probability.sum(dim=(-2, -1)) + target.sum(dim=(-2, -1))
    dice = 1 - (2 * overlap + 1) / (total + 1)
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    error = (probability - target).abs()
    focal = entropy * error * error
    near = _neighbourhood(targets)[:, None]
    focused = (focal * near).sum(dim=(-2, -1)) / near.sum(dim=(-2, -1)).clamp(min=1)
    return dice + PIXEL_WEIGHT * focal.mean(dim=(-2, -1)) + FOCUS_WEIGHT * focused


def _neighbourhood(targets: Tensor) -> Tensor:
    """Mark the boxes around ``targets (N, h, w)``, a few cells wider; float 0 or 1."""
    present = targets > 0.5
    rows, columns = present.any(dim=2).float()[:, None], present.any(dim=1).float()[:, None]
    rows, columns = _between(rows), _between(columns)
    rows = F.max_pool1d(rows, 9, stride=1, padding=4)[:, 0]
    columns = F.max_pool1d(columns, 9, stride=1, padding=4)[:, 0]
    return rows[:, :, None] * columns[:, None, :]


def _between(marks: Tensor) -> Tensor:
    """Fill ``marks (N, 1, L)`` between the first and the last mark."""
    return marks.cummax(dim=-1).values * marks.flip(-1).cummax(dim=-1).values.flip(-1)


def true_iou(logits: Tensor, targets: Tensor) -> Tensor:
    """Give the IoU ``(N, M)`` of ``logits (N, M, h, w)`` at threshold 0; 0 where the object has ended."""
    predicted, target = logits > 0, (targets > 0.5)[:, None]
    shared = (predicted & target).sum(dim=(-2, -1)).float()
    either = (predicted | target).sum(dim=(-2, -1)).float()
    return shared / either.clamp(min=1)


def interaction_loss(logits: Tensor, iou_scores: Tensor, masks: Tensor) -> Tensor:
    """Give the loss of one round: best of three candidates, the single mask, and all scores.

    Parameters
    ----------
    logits : Tensor
        ``(N, 4, h, w)``; index 0 is the single mask.
    iou_scores : Tensor
        ``(N, 4)`` predicted IoU.
    masks : Tensor
        ``(N, S, S)`` bool.

    Returns
    -------
    Tensor
        Scalar mean over the objects.
    """
    half = masks.shape[-1] // 2
    targets = F.avg_pool2d(masks.float()[:, None], 2)[:, 0]
    fine = F.interpolate(logits.float(), size=(half, half), mode="bilinear", align_corners=False)
    each = mask_losses(fine, targets)
    best = each[:, 1:].min(dim=1).values + 0.05 * each[:, 1:].mean(dim=1)
    with torch.no_grad():
        truth = true_iou(fine, targets)
    score_error = F.mse_loss(iou_scores.float(), truth, reduction="none").sum(dim=1)
    return (best + each[:, 0] + score_error).mean()
