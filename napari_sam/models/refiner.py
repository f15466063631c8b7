"""An object seen at its own scale: a second, small network that draws the model's answer anew.

The model's encoder sees a plane once, for all prompts, and each of its cells sees little of what lies
around it: of an object that is large in its plane no cell sees all. Here the picture around the object is
brought to 64 cells a side, whatever its size, and goes down to 4 cells and back (as in U-Net, Ronneberger et
al., 2015; crops around extreme points are segmented so by Maninis et al., "Deep Extreme Cut", 2018), with the
model's candidates beside it (as refiners of masks take them: Cheng et al., "CascadePSP", 2020), and the box
and the clicks that were answered, drawn as maps (Xu et al., "Deep Interactive Object Selection", 2016).
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_sam.models.residual import Residual, convolution

__all__ = [
    "CROP_SIDE",
    "MOST_CLICKS",
    "NOWHERE",
    "N_CANDIDATES",
    "ROOM",
    "SURE",
    "Refined",
    "Refiner",
    "Seen",
]

CROP_SIDE = 64
"""Cells along a side of what is looked at."""

ROOM = 1.6
"""Side of what is looked at, in longer sides of what was found or asked for."""

N_CANDIDATES = 3
SURE = 15.0
"""Logits of candidates are cut off here; outside the plane they are as low."""

MOST_CLICKS = 8
"""The newest so many are seen."""

NOWHERE = -9.0
"""All edges of a box that was not drawn."""

WIDTHS = 32, 64, 96, 128
N_RESIDUALS = 1, 2, 3, 2
HELD = 6.0
"""What the candidates say at most in the new drawing: a network can overrule them."""

CLICK_CELLS, NEWEST_CELLS = 1.5, 5.0
"""How wide a click is drawn, and the newest one, as the spread of a bell curve."""

LEAST_SPREAD = 2.0
"""Added to the spread of the grey levels, 0 to 255: an even picture is no noise."""


class Seen(NamedTuple):
    """What is looked at, of ``N`` objects; lengths are in sides of the picture, from its middle.

    Attributes
    ----------
    picture : Tensor
        ``(N, 3, 64, 64)``, 0 to 255.
    box : Tensor
        ``(N, 4)`` left, top, right and bottom edge; all `NOWHERE` without one.
    clicks : Tensor
        ``(N, 8, 3)`` x, y, and 1 where the object is said to be, -1 where it is not, in the order in which
        they were made; 0 from the last one on.
    candidates : Tensor
        ``(N, 3, 64, 64)`` logits, within `SURE` of 0; the answer so far comes first.
    before : Tensor
        ``(N, 1, 64, 64)`` logits of the mask that the model was given; 0 without one.
    scores : Tensor
        ``(N, 3)`` predicted IoU of each candidate.
    """

    picture: Tensor
    box: Tensor
    clicks: Tensor
    candidates: Tensor
    before: Tensor
    scores: Tensor


class Refined(NamedTuple):
    """What is found.

    Attributes
    ----------
    scores : Tensor
        ``(N, 4)`` logits of the IoU with the object: of the mask drawn here, and of each candidate.
    mask_logits : Tensor
        ``(N, 64, 64)``.
    """

    scores: Tensor
    mask_logits: Tensor


class Refiner(nn.Module):
    """Draws the mask of an object from its picture, what was asked, and three candidates.

    Parameters
    ----------
    sees_clicks : bool
        Whether it looks at clicks, and at the mask that the model was given, as well.
    """

    first: Tensor

    def __init__(self, sees_clicks: bool = True) -> None:
        super().__init__()
        self.sees_clicks = sees_clicks
        finest, coarsest = WIDTHS[0], WIDTHS[-1]
        n_seen = 3 + 1 + N_CANDIDATES + 1 + (1 + 4 + 1) * sees_clicks
        self.enter = _level(n_seen, finest, N_RESIDUALS[0])
        steps = list(zip(WIDTHS[:-1], WIDTHS[1:], N_RESIDUALS[1:], strict=True))
        self.down = nn.ModuleList(_level(fine, coarse, n) for fine, coarse, n in steps)
        self.up = nn.ModuleList(convolution(coarse, fine, side=1) for fine, coarse, _ in steps)
        self.meet = nn.ModuleList(Residual(fine) for fine, _, _ in steps)
        self.drawing = nn.Conv2d(finest, 4 * (N_CANDIDATES + 1), 1)
        nn.init.zeros_(self.drawing.weight)
        nn.init.zeros_(cast("Tensor", self.drawing.bias))
        n_told = coarsest + sum(WIDTHS[:-1]) + N_CANDIDATES
        self.judging = nn.Sequential(nn.Linear(n_told, 128), nn.ReLU(), nn.Linear(128, 1 + N_CANDIDATES))
        self.register_buffer("first", torch.tensor([1.0, 0.0, 0.0])[None, :, None, None], persistent=False)

    def forward(self, seen: Seen) -> Refined:
        """Look at objects."""
        held = seen.candidates.clamp(-HELD, HELD)
        parts = [*_drawn(seen, held), *(_drawn_clicks(seen) if self.sees_clicks else ())]
        levels = [self.enter(torch.cat(parts, dim=1).contiguous(memory_format=torch.channels_last))]
        for down in self.down:
            levels.append(down(levels[-1]))
        met = [levels[-1]]
        for up, meet, level in zip(self.up[::-1], self.meet[::-1], levels[-2::-1], strict=True):
            met.append(meet(level + F.interpolate(up(met[-1]), scale_factor=2.0, mode="bilinear")))
        drawn = F.pixel_shuffle(self.drawing(met[-1]), 2)
        shares = torch.softmax(drawn[:, :N_CANDIDATES] + self.first, dim=1)
        logits = (shares * held).sum(dim=1) + 4 * drawn[:, N_CANDIDATES]
        inside = logits.detach().sigmoid()[:, None]
        told = [
            met[0].mean(dim=(2, 3)),
            *(_mean_in(level, inside) for level in met[1:-1]),
            _mean_in(met[-1], 4 * inside * (1 - inside)),
            torch.logit(seen.scores.clamp(0.02, 0.98)),
        ]
        return Refined(self.judging(torch.cat(told, dim=1)), logits)


class Refiners(nn.Module):
    """Two refiners, one for boxes alone and one for clicks, with or without a box.

    Parameters
    ----------
    of_boxes, of_clicks : Refiner
        Each trained for its own kind of prompt.
    """

    def __init__(self, of_boxes: Refiner, of_clicks: Refiner) -> None:
        super().__init__()
        self.of_boxes, self.of_clicks = of_boxes, of_clicks

    def forward(self, seen: Seen) -> Refined:
        """Look at objects that were all asked for with clicks, or all without."""
        found: Refined = (self.of_clicks if seen.clicks.any() else self.of_boxes)(seen)
        return found


def _drawn(seen: Seen, held: Tensor) -> tuple[Tensor, ...]:
    """Draw picture, box and candidates into channels: 8 of ``(N, ., 64, 64)`` in all."""
    mean = seen.picture.mean(dim=(1, 2, 3), keepdim=True)
    spread = seen.picture.std(dim=(1, 2, 3), keepdim=True) + LEAST_SPREAD
    return (seen.picture - mean) / spread, _in_box(seen.box), seen.candidates.sigmoid(), held[:, :1] / HELD


def _drawn_clicks(seen: Seen) -> tuple[Tensor, ...]:
    """Draw the mask before, the clicks and their number into channels: 6 in all."""
    n_clicks = (seen.clicks[..., 2] != 0).sum(dim=1)
    share = (n_clicks / MOST_CLICKS)[:, None, None, None].expand(-1, 1, CROP_SIDE, CROP_SIDE)
    return seen.before.clamp(-HELD, HELD) / HELD, _at_clicks(seen.clicks), share


def _at_clicks(clicks: Tensor) -> Tensor:
    """Draw clicks ``(N, K, 3)`` as bell curves: those in, those out, and the newest, wide, in or out."""
    x, y, meant = clicks.unbind(dim=-1)
    middles = _middles(clicks.device)
    across, down = ((middles - at[..., None]) ** 2 for at in (x, y))
    cells2 = (across[:, :, None, :] + down[:, :, :, None]) * CROP_SIDE**2
    near = torch.exp(-cells2 / (2 * CLICK_CELLS**2))
    is_in, is_out = ((meant == sign).float()[..., None, None] for sign in (1, -1))
    newest = ((meant != 0).sum(dim=1) - 1).clamp(min=0)
    rows = torch.arange(len(clicks), device=clicks.device)
    wide = torch.exp(-cells2[rows, newest] / (2 * NEWEST_CELLS**2))
    newest_in, newest_out = is_in[rows, newest] * wide, is_out[rows, newest] * wide
    return torch.stack([(near * is_in).amax(1), (near * is_out).amax(1), newest_in, newest_out], dim=1)


def _level(n_in: int, n_out: int, n_residuals: int) -> nn.Sequential:
    """Halve the grid, and stay on it for some residual blocks."""
    return nn.Sequential(convolution(n_in, n_out, stride=2), *(Residual(n_out) for _ in range(n_residuals)))


def _in_box(box: Tensor) -> Tensor:
    """Say how far cells lie within a box, from 0 outside to 1 a cell inside; ``(N, 1, 64, 64)``."""
    middles = _middles(box.device)
    across, down = (
        ((middles - low) * CROP_SIDE).clamp(0, 1) * ((high - middles) * CROP_SIDE).clamp(0, 1)
        for low, high in ((box[:, 0:1], box[:, 2:3]), (box[:, 1:2], box[:, 3:4]))
    )
    return (down[:, :, None] * across[:, None, :])[:, None]


def _middles(device: torch.device) -> Tensor:
    """Give the middles of the cells in a row, in sides of the picture."""
    return (torch.arange(CROP_SIDE, device=device) + 0.5) / CROP_SIDE - 0.5


def _mean_in(level: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of a level ``(N, C, h, w)`` in a mask ``(N, 1, H, W)``: ``(N, C)``."""
    mask = F.adaptive_avg_pool2d(mask, (level.shape[-2], level.shape[-1]))
    return (level * mask).sum(dim=(2, 3)) / (mask.sum(dim=(2, 3)) + 1e-3)
