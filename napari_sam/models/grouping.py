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


def places(grouping: Tensor) -> Tensor:
    """Give the place of each cell of ``grouping (B, 17, H, W)``; ``(B, 8, H, W)`` float32."""
    place = grouping[:, :N_AXES].float()
    height, width = grouping.shape[-2:]
    y = torch.arange(height, device=place.device) / UNIT_CELLS
    x = torch.arange(width, device=place.device) / UNIT_CELLS
    grid = torch.stack([x.expand(height, -1), y[:, None].expand(-1, width)])
    return torch.cat([place[:, :2] + grid, place[:, 2:]], dim=1)


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
    flat = grouping.flatten(2).float()
    place = places(grouping)
    n_prompts = len(cells)
    own = cells[:, None].expand(-1, flat.shape[1], -1)
    chosen = flat.expand(n_prompts, -1, -1).gather(2, own)
    centre = place.flatten(2).expand(n_prompts, -1, -1).gather(2, own[:, :N_AXES])
    return _logits(place, centre, chosen[:, N_AXES:])


def mask_of_share(grouping: Tensor, share: Tensor) -> Tensor:
    """Give the mask of the object that most of some weighted cells belong to.

    Parameters
    ----------
    grouping : Tensor
        ``(N, 17, H, W)`` or ``(1, 17, H, W)``.
    share : Tensor
        ``(N, H, W)`` weights of the cells, 0 or more.

    Returns
    -------
    Tensor
        ``(N, 1, H, W)`` logits, float32.
    """
    n_prompts = len(share)
    place = places(grouping)
    share = share.flatten(1).float()
    share = share / share.sum(dim=1, keepdim=True).clamp(min=1e-6)
    values = torch.cat([place, grouping[:, N_AXES:].float()], dim=1).flatten(2)
    mean = (values.expand(n_prompts, -1, -1) * share[:, None]).sum(dim=2)[..., None]
    return _logits(place, mean[:, :N_AXES], mean[:, N_AXES:])


def _logits(place: Tensor, centre: Tensor, closeness: Tensor) -> Tensor:
    """Turn distances to ``centre (N, 8, K)`` into logits; ``closeness (N, 9, K)`` says how near is near.

    The distance is multiplied out into a matrix product, in full precision.
    """
    with torch.autocast(place.device.type, enabled=False):
        weight = closeness[:, :N_AXES].clamp(max=_LARGEST_LOG_WEIGHT).exp()
        flat = place.flatten(2)
        cross = (weight.transpose(1, 2) @ (flat * flat)) - 2 * ((weight * centre).transpose(1, 2) @ flat)
        distance = cross + (weight * centre * centre).sum(dim=1)[..., None]
        logits = 2.0 + closeness[:, N_AXES, :, None] - 3.0 * distance.clamp(min=0).log1p()
    return logits.reshape(*logits.shape[:2], *place.shape[-2:])
