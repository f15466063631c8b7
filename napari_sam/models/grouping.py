"""Which pixels belong together: what a click already says before the decoder runs.

The encoder gives each cell of the finest grid a place in a small space, in which the cells of one
object lie close together and those of others apart: two of its axes are the cell's own position
moved by a learnt offset, towards the object's middle, as in Neven et al., "Instance segmentation by
jointly optimizing spatial embeddings and clustering bandwidth" (2019); the others are free. Each
cell also says how close is close, for the object it belongs to. From one cell follows a mask of its
object by a distance alone. A plane with thousands of labelled cells thus teaches the encoder far
more per second than prompts that are decoded one by one, and the decoder gets the masks of the
clicked cells as part of the drawing of its prompts.
"""

from __future__ import annotations

import torch
from torch import Tensor

GROUPING = "grouping_4"
"""Name of the encoder's output."""

N_AXES = 8
"""Axes of the space; the first two are x and y."""

N_CHANNELS = 2 * N_AXES + 1
"""Place, log weights of the axes, and the logit at distance 0."""

UNIT_CELLS = 4.0
"""Cells of the finest grid in one unit of x and y."""

_LARGEST_LOG_WEIGHT = 6.0


def placed(grouping: Tensor) -> Tensor:
    """Give each cell's place, and how close is close for it: the one form that groups are made from.

    Parameters
    ----------
    grouping : Tensor
        ``(B, 17, H, W)`` of the encoder.

    Returns
    -------
    Tensor
        ``(B, 17, H * W)`` float32, row after row.
    """
    height, width = grouping.shape[-2:]
    cells = grouping.to(torch.float32, copy=True)
    cells[:, 0] += torch.arange(width, device=cells.device) / UNIT_CELLS
    cells[:, 1] += (torch.arange(height, device=cells.device) / UNIT_CELLS)[:, None]
    return cells.flatten(2)


def of_cells(cells: Tensor, numbers: Tensor) -> Tensor:
    """Take some cells.

    Parameters
    ----------
    cells : Tensor
        ``(N or 1, 17, L)``; see `placed`.
    numbers : Tensor
        ``(N, K)`` int64, numbers of cells, row after row.

    Returns
    -------
    Tensor
        ``(N, 17, K)``.
    """
    own = numbers[:, None].expand(-1, cells.shape[1], -1)
    return cells.expand(len(numbers), -1, -1).gather(2, own)


def of_shares(cells: Tensor, shares: Tensor) -> Tensor:
    """Take means of weighted cells, in full precision.

    Parameters
    ----------
    cells : Tensor
        ``(N or 1, 17, L)``; see `placed`.
    shares : Tensor
        ``(N, K, L)`` weights of the cells, 0 or more.

    Returns
    -------
    Tensor
        ``(N, 17, K)``.
    """
    shares = shares.float()
    whole = shares.sum(dim=2, keepdim=True).clamp(min=1e-6)
    with torch.autocast(cells.device.type, enabled=False):
        means = (shares / whole) @ cells.transpose(1, 2)
    return means.transpose(1, 2)


def masks_of_cells(grouping: Tensor, cells: Tensor) -> Tensor:
    """Give the mask of the object that each of some cells belongs to.

    Parameters
    ----------
    grouping : Tensor
        ``(N, 17, H, W)`` of the encoder, or ``(1, 17, H, W)`` shared by all.
    cells : Tensor
        ``(N, K)`` int64, numbers of cells, row after row.

    Returns
    -------
    Tensor
        ``(N, K, H, W)`` logits, float32.
    """
    of_all = placed(grouping)
    logits = group_logits(of_all, of_cells(of_all, cells))
    return logits.reshape(*logits.shape[:2], *grouping.shape[-2:])


def group_logits(cells: Tensor, own: Tensor) -> Tensor:
    """Say of all cells how surely they belong to the object of some of them.

    The distance is multiplied out into a matrix product, in full precision.

    Parameters
    ----------
    cells : Tensor
        ``(N or 1, 17, L)``; see `placed`.
    own : Tensor
        ``(N, 17, K)``: cells of the objects, or means of such cells.

    Returns
    -------
    Tensor
        ``(N, K, L)`` logits.
    """
    with torch.autocast(cells.device.type, enabled=False):
        flat, centre = cells[:, :N_AXES], own[:, :N_AXES]
        weight = own[:, N_AXES : 2 * N_AXES].clamp(max=_LARGEST_LOG_WEIGHT).exp()
        weighted = weight * centre
        cross = (weight.transpose(1, 2) @ (flat * flat)) - 2 * (weighted.transpose(1, 2) @ flat)
        distance = cross + (weighted * centre).sum(dim=1)[..., None]
        return 2.0 + own[:, 2 * N_AXES, :, None] - 3.0 * distance.clamp(min=0).log1p()
