"""Prompts as a picture on the grid of the mask logits, as click-based segmentation networks take them.

After Sofiiuk et al., "Reviving Iterative Training with Mask Guidance" (2022): a small network need not
learn from scratch where a token's Fourier features lie. Beside the prompts stand the groups of cells that
they lie in.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_sam.models.grouping import group_logits, of_cells, of_shares, placed
from napari_sam.models.prompt_encoder import BOX_FIRST, BOX_SECOND, NEGATIVE, POSITIVE, Columns

CLICK_SIGMA_CELLS = 1.5
"""Spread of a click's spot, in cells of the logits' grid."""

LOGIT_SCALE = 5.0
"""Mask logits of this size are drawn at about three quarters of full strength."""


def draw_prompts(
    points_xy: Tensor,
    point_labels: Tensor,
    mask_inputs: Tensor | None,
    grid_hw: tuple[int, int],
    cell: float,
    columns: Columns | None = None,
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
    columns : Columns, optional
        What the columns hold, where that is known.

    Returns
    -------
    Tensor
        ``(N, 4, H, W)``: spots of positive clicks, of negative clicks (0 to 1), the box
        (1 inside, -1 outside, 0 without a box), the mask (-1 to 1, 0 without one).
    """
    at = (points_xy + 0.5) / cell
    y, x = (torch.arange(n, device=at.device) + 0.5 for n in grid_hw)
    signs = torch.stack([point_labels == sign for sign in (POSITIVE, NEGATIVE)], dim=1)
    down = torch.exp(-((y - at[..., 1:]) ** 2) / (2 * CLICK_SIGMA_CELLS**2))
    across = torch.exp(-((x - at[..., :1]) ** 2) / (2 * CLICK_SIGMA_CELLS**2))
    with torch.autocast(at.device.type, enabled=False):
        spots = (down[:, None] * signs[..., None]).transpose(2, 3) @ across[:, None]
    nothing = spots.new_zeros(len(at), 1, *grid_hw)
    has_box = (columns or Columns.of(point_labels)).has_box
    box = _draw_box(at, point_labels, y, x)[:, None] if has_box else nothing
    mask = nothing if mask_inputs is None else torch.tanh(mask_inputs / LOGIT_SCALE)
    return torch.cat([spots.clamp(max=1), box, mask], dim=1)


def _has_box(point_labels: Tensor) -> Tensor:
    """Say who has a box: ``(N,)``."""
    return (point_labels == BOX_SECOND).any(dim=1)


def _corners(at: Tensor, point_labels: Tensor) -> tuple[Tensor, Tensor]:
    """Give the first and second corners ``(N, 2)`` of the boxes in ``at (N, K, 2)``, x then y."""
    first, second = ((at * (point_labels == kind)[..., None]).sum(dim=1) for kind in (BOX_FIRST, BOX_SECOND))
    return first, second


def _draw_box(at: Tensor, point_labels: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Draw the boxes whose corners ``at (N, K, 2)`` holds, in cells; ``(N, H, W)``."""
    first, second = _corners(at, point_labels)
    rows = _between(y, first[:, 1:], second[:, 1:])
    columns = _between(x, first[:, :1], second[:, :1])
    return (2 * rows[:, :, None] * columns[:, None, :] - 1) * _has_box(point_labels)[:, None, None]


def _between(position: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Give how much of each cell ``position (L,)`` lies from `low` to `high` ``(N, 1)``; ``(N, L)``."""
    return (torch.minimum(position + 0.5, high) - torch.maximum(position - 0.5, low)).clamp(0, 1)


def draw_groups(
    grouping: Tensor,
    points_xy: Tensor,
    point_labels: Tensor,
    mask_inputs: Tensor | None,
    cell: float,
    columns: Columns | None = None,
) -> Tensor:
    """Draw the objects that the prompts lie in, as the encoder's grouping has them.

    Parameters
    ----------
    grouping : Tensor
        ``(N or 1, 17, H, W)``; see `napari_sam.models.grouping`.
    points_xy, point_labels, mask_inputs, cell, columns
        As `draw_prompts` takes them.

    Returns
    -------
    Tensor
        ``(N, 4, H, W)`` from 0 to 1: objects of positive clicks, of negative clicks, of what lies
        around the middle of the box, of most of the mask; 0 where there is no such prompt.
    """
    grid_hw = (grouping.shape[-2], grouping.shape[-1])
    at, cells, n_prompts = (points_xy + 0.5) / cell, placed(grouping), len(points_xy)
    columns = columns or Columns.of(point_labels)
    own = [of_cells(cells, _numbers(at[:, columns.clicks], grid_hw))]
    has_box, has_mask = _has_box(point_labels), mask_inputs is not None
    shares = [_middle_of_box(at, point_labels, grid_hw).flatten(1)] if columns.has_box else []
    if mask_inputs is not None:
        shares.append(mask_inputs[:, 0].sigmoid().flatten(1))
    if shares:
        own.append(of_shares(cells, torch.stack(shares, dim=1)))
    groups = group_logits(cells, torch.cat(own, dim=2)).sigmoid()
    nothing = groups.new_zeros(n_prompts, 1, groups.shape[2])
    labels = point_labels[:, columns.clicks]
    n_clicks = labels.shape[1]
    of_clicks, rest = groups[:, :n_clicks], groups[:, n_clicks:]
    layers = [
        torch.cat([of_clicks * (labels == sign)[..., None], nothing], dim=1).amax(dim=1, keepdim=True)
        for sign in (POSITIVE, NEGATIVE)
    ]
    layers.append(rest[:, :1] * has_box[:, None, None] if len(shares) > has_mask else nothing)
    covered = shares[-1].amax(dim=1) > 0.5 if has_mask else has_box
    layers.append(rest[:, -1:] * covered[:, None, None] if has_mask else nothing)
    return torch.cat(layers, dim=1).reshape(n_prompts, 4, *grid_hw)


def _numbers(at: Tensor, grid_hw: tuple[int, int]) -> Tensor:
    """Give the numbers ``(N, K)`` of the cells that places ``(N, K, 2)`` lie in, or are nearest to."""
    height, width = grid_hw
    column = at[..., 0].floor().long().clamp(0, width - 1)
    return at[..., 1].floor().long().clamp(0, height - 1) * width + column


def _middle_of_box(at: Tensor, point_labels: Tensor, grid_hw: tuple[int, int]) -> Tensor:
    """Weight the cells around the middle of each box: ``(N, H, W)``."""
    first, second = _corners(at, point_labels)
    centre, size = (first + second) / 2, (second - first).abs().clamp(min=1.0)
    y, x = (torch.arange(n, device=at.device) + 0.5 for n in grid_hw)
    down = torch.exp(-(((y - centre[:, 1:]) / (0.2 * size[:, 1:] + 0.5)) ** 2) / 2)
    across = torch.exp(-(((x - centre[:, :1]) / (0.2 * size[:, :1] + 0.5)) ** 2) / 2)
    return down[:, :, None] * across[:, None, :]
