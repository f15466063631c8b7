"""A simulated user: draws boxes, clicks, corrects, and carries masks to the next plane.

Training follows the Segment Anything paper (appendix A, "Training algorithm"): a first
box or point, then points drawn from where the mask is wrong, with the last logits as
mask prompt. Beside it stands the job of a volume: the mask of one plane, its box and its
innermost point are the prompts of the next plane.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_sam.models.prompt_encoder import POSITIVE, Columns, box_labels
from napari_sam.models.second_look import boxes_of_logits, second_prompts
from napari_sam.training.fields import chance, uniform, whole


@dataclass(frozen=True)
class Prompts:
    """Prompts of ``N`` objects in pixels of the model's input.

    Attributes
    ----------
    points_xy : Tensor
        ``(N, K, 2)``.
    point_labels : Tensor
        ``(N, K)`` int64.
    mask_logits : Tensor or None
        ``(N, 1, h, w)``.
    columns : Columns or None
        What the columns hold, where that is known; clicks stand last.
    """

    points_xy: Tensor
    point_labels: Tensor
    mask_logits: Tensor | None = None
    columns: Columns | None = None

    def add_points(self, xy: Tensor, labels: Tensor, mask_logits: Tensor | None) -> Prompts:
        """Add one point ``xy (N, 2)`` to each object and replace the mask prompt."""
        columns, n_columns = self.columns, self.points_xy.shape[1]
        if columns is not None and isinstance(columns.clicks, slice):
            columns = Columns(columns.has_box, slice(columns.clicks.start, n_columns + 1))
        return Prompts(
            torch.cat([self.points_xy, xy[:, None]], dim=1),
            torch.cat([self.point_labels, labels[:, None]], dim=1),
            mask_logits,
            columns,
        )

    def only(self, which: Tensor) -> Prompts:
        """Keep the prompts of some objects."""
        hint = None if self.mask_logits is None else self.mask_logits[which]
        return Prompts(self.points_xy[which], self.point_labels[which], hint, self.columns)


def tight_boxes(masks: Tensor) -> Tensor:
    """Give the half-open boxes ``(N, 4)``, x0 y0 x1 y1, of ``masks (N, H, W)``; zeros where empty."""
    columns, rows = masks.any(dim=1), masks.any(dim=2)
    x0, y0 = columns.int().argmax(dim=1), rows.int().argmax(dim=1)
    x1 = masks.shape[2] - columns.flip(1).int().argmax(dim=1)
    y1 = masks.shape[1] - rows.flip(1).int().argmax(dim=1)
    boxes = torch.stack([x0, y0, x1, y1], dim=1).float()
    return boxes * rows.any(dim=1, keepdim=True)


def draw_boxes(masks: Tensor, looseness: float, margin: float = 0.0, slack: float = 0.0) -> Prompts:
    """Draw boxes as a hand does: each side off by a few per cent of the size, and at least a pixel.

    Parameters
    ----------
    masks : Tensor
        ``(N, S, S)`` bool.
    looseness : float
        Standard deviation of a side's place over the box's size.
    margin : float
        Grown by this part of the size, at least one pixel where above 0.
    slack : float
        Half of the boxes leave room on all sides, up to this part of the size and a pixel more.
    """
    boxes = tight_boxes(masks)
    size = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    shift = torch.randn_like(boxes) * (looseness * size).clamp(min=0.5 if looseness else 0.0)
    shift = shift.clamp(min=-0.15 * size - 1, max=0.15 * size + 1)
    if margin:
        grow = (margin * size).clamp(min=1.0)
        shift = torch.cat([shift[:, :2] - grow[:, :2], shift[:, 2:] + grow[:, 2:]], dim=1)
    if slack:
        room = (2 * torch.rand_like(boxes[:, :1]) - 1).clamp(min=0.0) * (slack * size + 1)
        shift = torch.cat([shift[:, :2] - room[:, :2], shift[:, 2:] + room[:, 2:]], dim=1)
    boxes = (boxes + shift).clamp(0, masks.shape[-1])
    corners = (boxes - 0.5).reshape(-1, 2, 2)
    return _boxes(corners)


def _boxes(corners: Tensor) -> Prompts:
    """Ask by boxes, ``(N, 2, 2)``."""
    return Prompts(corners, box_labels(corners, len(corners)), None, Columns(True, slice(2, 2)))


def depth_within(masks: Tensor, n_steps: int = 12) -> Tensor:
    """Count how many erosions each pixel of ``masks (N, h, w)`` survives, up to `n_steps`; float."""
    inside = masks.float()[:, None]
    depth = inside.clone()
    for _ in range(n_steps - 1):
        inside = -F.max_pool2d(F.pad(-inside, (1, 1, 1, 1), value=0.0), 3, stride=1)
        depth += inside
    return depth[:, 0]


def pick_points(weights: Tensor, sharpness: float) -> Tensor:
    """Draw one cell of each ``weights (N, h, w)``, deeper ones more often; gives ``(N, 2)`` x, y."""
    flat = weights.flatten(1) ** sharpness
    picked = pick_cells(flat + (flat.sum(dim=1, keepdim=True) <= 0))
    return torch.stack([picked % weights.shape[2], picked // weights.shape[2]], dim=1).float()


def pick_cells(weights: Tensor) -> Tensor:
    """Draw one of each row of ``weights (N, L)``, 0 or more, as often as they say; ``(N,)`` int64.

    Each cell waits for a time that is exponential at its weight's rate, and the first comes: unlike
    `torch.multinomial` this makes no GPU wait.
    """
    return (weights / torch.empty_like(weights).exponential_()).argmax(dim=1)


def draw_clicks(masks: Tensor, cell: int) -> Prompts:
    """Click into each of ``masks (N, S, S)``, more likely in its depth; `cell` pixels are pooled."""
    coarse = F.max_pool2d(masks.float()[:, None], cell)[:, 0]
    inner = F.avg_pool2d(masks.float()[:, None], cell)[:, 0]
    xy = pick_points(depth_within(coarse > 0) * inner, sharpness=2.0)
    points = ((xy + 0.5) * cell - 0.5)[:, None]
    labels = torch.full((len(masks), 1), POSITIVE, device=masks.device)
    return Prompts(points, labels, None, Columns(False, slice(0, 1)))


def correct(prompts: Prompts, logits: Tensor, masks: Tensor) -> Prompts:
    """Click where the mask is wrong, and give the logits back as mask prompt.

    Parameters
    ----------
    prompts : Prompts
        What was given so far.
    logits : Tensor
        ``(N, h, w)`` of the mask that the user sees.
    masks : Tensor
        ``(N, S, S)`` bool, what it should be.
    """
    cell = masks.shape[-1] // logits.shape[-1]
    target = F.avg_pool2d(masks.float()[:, None], cell)[:, 0]
    wrong = (logits > 0) != (target > 0.5)
    xy = pick_points(depth_within(wrong), sharpness=2.0)
    at = xy.long()
    labels = (target[torch.arange(len(at), device=at.device), at[:, 1], at[:, 0]] > 0.5).long()
    return prompts.add_points((xy + 0.5) * cell - 0.5, labels, logits[:, None].detach())


def wear(masks: Tensor, side: int, rng: torch.Generator) -> Tensor:
    """Turn true masks into logits as a worse plane before would have left them.

    Parameters
    ----------
    masks : Tensor
        ``(N, S, S)`` bool.
    side : int
        Side of the logits' grid.
    rng : Generator
        Decides how: grown, shrunk, moved, or cut by a line, and how sure.

    Returns
    -------
    Tensor
        ``(N, side, side)``.
    """
    soft = F.avg_pool2d(masks.float()[:, None], masks.shape[-1] // side)
    if chance(0.5, rng):
        n_steps = whole(1, 2, rng)
        grown = F.max_pool2d(soft, 2 * n_steps + 1, stride=1, padding=n_steps)
        shrunk = -F.max_pool2d(-soft, 2 * n_steps + 1, stride=1, padding=n_steps)
        worn = grown if chance(0.5, rng) else shrunk
        soft = torch.where((worn > 0.5).flatten(1).any(dim=1)[:, None, None, None], worn, soft)
    if chance(0.4, rng):
        soft = soft.roll((whole(-2, 2, rng), whole(-2, 2, rng)), dims=(2, 3))
    if chance(0.2, rng):
        line = torch.randn(len(soft), 1, 1, 1, device=soft.device) * 0.15 * side
        boxes = tight_boxes(soft[:, 0] > 0.5)
        middle = ((boxes[:, 0] + boxes[:, 2]) / 2).view(-1, 1, 1, 1)
        left = torch.arange(side, device=soft.device).view(1, 1, 1, -1) < middle + line
        cut = soft * left
        soft = torch.where((cut > 0.5).flatten(1).any(dim=1)[:, None, None, None], cut, soft)
    return (soft[:, 0] - 0.5) * uniform(8.0, 24.0, rng)


def carry_over(
    logits: Tensor,
    side: int,
    margin: float,
    use_box: bool = True,
    use_point: bool = True,
    use_mask: bool = True,
) -> Prompts:
    """Derive a plane's prompts from its neighbour's mask, as propagation does.

    Parameters
    ----------
    logits : Tensor
        ``(N, h, w)`` of the neighbour's mask.
    side : int
        Side of the model's input in pixels.
    margin : float
        Part of its size by which the neighbour's box is grown.
    use_box, use_point, use_mask : bool
        Which prompts to derive; a point stands in where there is neither box nor point.
    """
    cell = side / logits.shape[-1]
    mask = logits > 0
    mask = mask | (logits >= logits.flatten(1).amax(dim=1)[:, None, None])
    nobody = torch.zeros(len(logits), 0, dtype=torch.long, device=logits.device)
    prompts = Prompts(logits.new_zeros(len(logits), 0, 2), nobody, None, Columns(False, slice(0, 0)))
    if use_box:
        prompts = _boxes(boxes_of_logits(logits, side, margin))
    if use_point or not use_box:
        depth = depth_within(mask) + torch.sigmoid(logits)
        flat = depth.flatten(1).argmax(dim=1)
        xy = torch.stack([flat % mask.shape[2], flat // mask.shape[2]], dim=1).float()
        labels = torch.full((len(logits),), POSITIVE, device=logits.device)
        prompts = prompts.add_points((xy + 0.5) * cell - 0.5, labels, None)
    return replace(prompts, mask_logits=logits[:, None].detach() if use_mask else None)


def look_again(prompts: Prompts, logits: Tensor, side: int, margin: float) -> Prompts:
    """Ask the same again with the first answer, ``logits (N, h, w)``; see `napari_sam.models.second_look`."""
    asked = prompts.points_xy, prompts.point_labels, logits.detach()
    columns = prompts.columns and Columns(True, prompts.columns.clicks)
    return Prompts(*second_prompts(*asked, side, margin, prompts.columns), columns)
