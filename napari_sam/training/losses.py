"""What training minimises: mask overlap, pixel error, and the errors of predicted IoU and presence."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_sam.models.grouping import masks_of_cells
from napari_sam.models.mask_decoder import Decoded
from napari_sam.training.interaction import pick_cells

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


def interaction_loss(decoded: Decoded, masks: Tensor) -> Tensor:
    """Give the loss of one round: best of three candidates, the single mask, all scores, and presence.

    Parameters
    ----------
    decoded : Decoded
        Of ``N`` objects, with logits ``(N, 4, h, w)``.
    masks : Tensor
        ``(N, S, S)`` bool, empty where the object has ended: such objects teach scores and presence
        alone, since an empty mask is no shape to learn.

    Returns
    -------
    Tensor
        Scalar mean over the objects.
    """
    logits = decoded.mask_logits.float()
    targets = F.avg_pool2d(masks.float()[:, None], masks.shape[-1] // logits.shape[-1])[:, 0]
    here = masks.flatten(1).any(dim=1).float()
    each = mask_losses(logits, targets)
    best = each[:, 1:].min(dim=1).values + 0.05 * each[:, 1:].mean(dim=1)
    loss = ((best + each[:, 0]) * here).sum() / here.sum().clamp(min=1)
    with torch.no_grad():
        truth = fine_iou(logits, masks)
    loss = loss + 2 * F.mse_loss(decoded.iou_scores.float(), truth, reduction="none").sum(dim=1).mean()
    if decoded.presence is not None:
        loss = loss + 0.5 * F.binary_cross_entropy_with_logits(decoded.presence.float(), here)
    return loss


def fine_iou(logits: Tensor, masks: Tensor) -> Tensor:
    """Give the IoU ``(N, M)`` of ``logits (N, M, h, w)`` with ``masks (N, S, S)``, on half of their grid."""
    half = masks.shape[-1] // 2
    fine = F.interpolate(logits, size=(half, half), mode="bilinear", align_corners=False)
    return true_iou(fine, F.avg_pool2d(masks.float()[:, None], 2)[:, 0])


def grouping_loss(grouping: Tensor, targets: Tensor, n_cells: int, weights: Tensor | None = None) -> Tensor:
    """Give the loss of what single cells say about their objects, without the decoder.

    Parameters
    ----------
    grouping : Tensor
        ``(N, 17, h, w)`` of the encoder, each object's own plane.
    targets : Tensor
        ``(N, h, w)`` from 0 to 1, none of them empty.
    n_cells : int
        Cells to ask in each object, drawn by how much of them the object covers.
    weights : Tensor, optional
        ``(N,)`` how much each object counts; alike where it is left out.

    Returns
    -------
    Tensor
        Scalar mean.
    """
    cover = targets.flatten(1) + 1e-8
    cells = torch.stack([pick_cells(cover) for _ in range(n_cells)], dim=1)
    logits = masks_of_cells(grouping, cells)
    target = targets[:, None]
    probability = logits.sigmoid()
    overlap = (probability * target).sum(dim=(-2, -1))
    dice = 1 - (2 * overlap + 1) / (probability.sum(dim=(-2, -1)) + target.sum(dim=(-2, -1)) + 1)
    entropy = F.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none")
    each = (dice + entropy.mean(dim=(-2, -1))).mean(dim=1)
    return each.mean() if weights is None else (each * weights).sum() / weights.sum().clamp(min=1)
