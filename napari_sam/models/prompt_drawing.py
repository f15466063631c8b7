"""Prompts as a picture on the grid of the mask logits, as click-based segmentation networks take them.

After Sofiiuk et al., "Reviving Iterative Training with Mask Guidance" (2022): a small network need not
learn from scratch where a token's Fourier features lie. Beside the prompts stand the groups of cells that
they lie in.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_sam.models.grouping import mask_of_share, masks_of_cells
from napari_sam.models.prompt_encoder import BOX_FIRST, BOX_SECOND, NEGATIVE, POSITIVE

CLICK_SIGMA_CELLS = 1.5
"""Spread of a click's spot, in cells of the logits' grid."""

LOGIT_SCALE = 5.0
"""Mask logits of this size are drawn at about three quarters of full strength."""


def draw_prompts(
    points_xy: Tensor, point_labels: Tensor, mask_inputs: Tensor | None, grid_hw: tuple[int, int], cell: float
) -> Tensor:
    """Draw prompts as a picture.

    Parameters
    ----------
    points_xy : Tensor
        ``(N, K, 2)`` in pixels of the model's input, whole numbers at pixel centres.
    point_labels : Tensor
        ``(N, K)``; see `napari_sam.models.prompt_encoder`.
    mask_inputs : Tensor or None
        ``(N, 1, H, W)`` logits of a mask prompt.
    grid_hw : tuple of int
        ``(H, W)`` of the picture.
    cell : float
        Pixels of the model's input along a side of a cell of the picture.

    Returns
    -------
    Tensor
        ``(N, 4, H, W)``: spots of positive clicks, of negative clicks (0 to 1), the box
        (1 inside, -1 outside, 0 without a box), the mask (-1 to 1, 0 without one).
    """
    height, width = grid_hw
    y = torch.arange(height, device=points_xy.device) + 0.5
    x = torch.arange(width, device=points_xy.device) + 0.5
    placed = (points_xy + 0.5) / cell
    down = torch.exp(-((y - placed[..., 1:]) ** 2) / (2 * CLICK_SIGMA_CELLS**2))
    across = torch.exp(-((x - placed[..., :1]) ** 2) / (2 * CLICK_SIGMA_CELLS**2))
    spots = down[..., :, None] * across[..., None, :]
    layers = [
        (spots * (point_labels == sign)[..., None, None]).sum(dim=1).clamp(max=1)
        for sign in (POSITIVE, NEGATIVE)
    ]
    layers.append(_draw_box(placed, point_labels, y, x))
    layers.append(
        torch.zeros_like(layers[0]) if mask_inputs is None else torch.tanh(mask_inputs[:, 0] / LOGIT_SCALE)
    )
    return torch.stack(layers, dim=1)


def _draw_box(placed: Tensor, point_labels: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Draw the boxes whose corners ``placed (N, K, 2)`` holds, in cells; ``(N, H, W)``."""
    first = (placed * (point_labels == BOX_FIRST)[..., None]).sum(dim=1)
    second = (placed * (point_labels == BOX_SECOND)[..., None]).sum(dim=1)
    rows = _between(y, first[:, 1:], second[:, 1:])
    columns = _between(x, first[:, :1], second[:, :1])
    has_box = (point_labels == BOX_SECOND).any(dim=1)[:, None, None]
    return (2 * rows[:, :, None] * columns[:, None, :] - 1) * has_box


def _between(position: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Give how much of each cell ``position (L,)`` lies from `low` to `high` ``(N, 1)``; ``(N, L)``."""
    return (torch.minimum(position + 0.5, high) - torch.maximum(position - 0.5, low)).clamp(0, 1)


def draw_groups(
    grouping: Tensor, points_xy: Tensor, point_labels: Tensor, mask_inputs: Tensor | None, cell: float
) -> Tensor:
    """Draw the objects that the prompts lie in, as the encoder's grouping has them.

    Parameters
    ----------
    grouping : Tensor
        ``(N or 1, 17, H, W)``; see `napari_sam.models.grouping`.
    points_xy, point_labels, mask_inputs, cell
        As `draw_prompts` takes them.

    Returns
    -------
    Tensor
        ``(N, 4, H, W)`` from 0 to 1: objects of positive clicks, of negative clicks, of what lies
        around the middle of the box, of most of the mask; 0 where there is no such prompt.
    """
    height, width = grouping.shape[-2:]
    placed = (points_xy + 0.5) / cell
    column = placed[..., 0].floor().long().clamp(0, width - 1)
    row = placed[..., 1].floor().long().clamp(0, height - 1)
    clicked = masks_of_cells(grouping, row * width + column).sigmoid()
    nothing = clicked.new_zeros(len(points_xy), 1, height, width)
    layers = [
        torch.cat([clicked * (point_labels == sign)[..., None, None], nothing], dim=1).amax(dim=1)
        for sign in (POSITIVE, NEGATIVE)
    ]
    middle, has_box = _middle_of_box(placed, point_labels, (height, width))
    layers.append(mask_of_share(grouping, middle)[:, 0].sigmoid() * has_box[:, None, None])
    if mask_inputs is None:
        layers.append(torch.zeros_like(layers[0]))
    else:
        share = mask_inputs[:, 0].sigmoid()
        covered = share.amax(dim=(1, 2)) > 0.5
        layers.append(mask_of_share(grouping, share)[:, 0].sigmoid() * covered[:, None, None])
    return torch.stack(layers, dim=1)


def _middle_of_box(placed: Tensor, point_labels: Tensor, grid_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Weight the cells around the middle of each box ``(N, H, W)``; and say who has one ``(N,)``."""
    first = (placed * (point_labels == BOX_FIRST)[..., None]).sum(dim=1)
    second = (placed * (point_labels == BOX_SECOND)[..., None]).sum(dim=1)
    centre, size = (first + second) / 2, (second - first).abs().clamp(min=1.0)
    y = torch.arange(grid_hw[0], device=placed.device) + 0.5
    x = torch.arange(grid_hw[1], device=placed.device) + 0.5
    down = torch.exp(-(((y - centre[:, 1:]) / (0.2 * size[:, 1:] + 0.5)) ** 2) / 2)
    across = torch.exp(-(((x - centre[:, :1]) / (0.2 * size[:, :1] + 0.5)) ** 2) / 2)
    return down[:, :, None] * across[:, None, :], (point_labels == BOX_SECOND).any(dim=1)
