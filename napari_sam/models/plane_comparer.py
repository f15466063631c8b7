"""Two planes of one object side by side: what the mask decoder is not shown when a mask is carried on.

The decoder sees the plane that is asked about and the mask that was carried to it; whether what it finds
*looks* like what that mask lay on in its own plane, it cannot say. Video models keep features of past frames
for this (a memory, as in SAM 2, Ravi et al., 2024). Here a small network looks at both pictures around the
object, with the mask before and the decoder's candidates, and gives the object's presence, what each
candidate is worth, and a mask of its own.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["CROP_SIDE", "Compared", "PlaneComparer"]

CROP_SIDE = 64
"""Cells along a side of what is looked at."""

N_MASKS = 3
WIDTHS = 32, 64, 96
LEAST_SPREAD = 2.0
"""Added to the spread of the grey levels, 0 to 255: an even plane is no noise."""


class Compared(NamedTuple):
    """What comes of a comparison.

    Parameters
    ----------
    presence : Tensor
        ``(N,)`` logits: whether the object is in the plane that is asked about.
    scores : Tensor
        ``(N, 3)`` logits of each candidate's IoU with it.
    mask_logits : Tensor
        ``(N, 64, 64)`` logits of its mask.
    """

    presence: Tensor
    scores: Tensor
    mask_logits: Tensor


class PlaneComparer(nn.Module):
    """Compares the plane before with the plane that is asked about."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.enter = nn.Sequential(_convolution(4 + N_MASKS, fine, stride=2), _Residual(fine))
        self.down_middle = nn.Sequential(
            _convolution(fine, middle, stride=2), _Residual(middle), _Residual(middle)
        )
        self.down_coarse = nn.Sequential(
            _convolution(middle, coarse, stride=2), _Residual(coarse), _Residual(coarse)
        )
        self.up_middle, self.meet_middle = _convolution(coarse, middle, side=1), _Residual(middle)
        self.up_fine, self.meet_fine = _convolution(middle, fine, side=1), _Residual(fine)
        self.drawing = nn.Conv2d(fine, 4 * (N_MASKS + 1), 1)
        nn.init.zeros_(self.drawing.weight)
        nn.init.zeros_(cast("Tensor", self.drawing.bias))
        n_seen = 3 * coarse + 2 * middle + N_MASKS + 2
        self.judging = nn.Sequential(nn.Linear(n_seen, 128), nn.ReLU(), nn.Linear(128, 1 + N_MASKS))

    def forward(
        self,
        before: Tensor,
        now: Tensor,
        mask_before: Tensor,
        masks: Tensor,
        scores: Tensor,
        presence: Tensor,
    ) -> Compared:
        """Compare.

        Parameters
        ----------
        before, now : Tensor
            ``(N, 1, 64, 64)`` grey levels, 0 to 255, around the object in either plane.
        mask_before : Tensor
            ``(N, 1, 64, 64)``, 0 to 1: the object in the plane before.
        masks : Tensor
            ``(N, 3, 64, 64)``, 0 to 1: the candidates in the plane that is asked about.
        scores : Tensor
            ``(N, 3)`` predicted IoU of each.
        presence : Tensor
            ``(N,)`` logits of the object's presence, as the decoder has it.
        """
        mean = before.mean(dim=(2, 3), keepdim=True)
        spread = before.std(dim=(2, 3), keepdim=True) + LEAST_SPREAD
        then, here = (before - mean) / spread, (now - mean) / spread
        mask_before, masks = (F.avg_pool2d(mask, 3, 1, 1) for mask in (mask_before, masks))
        seen = torch.cat([here, then, here - then, mask_before, masks], dim=1)
        fine = self.enter(seen.contiguous(memory_format=torch.channels_last))
        middle = self.down_middle(fine)
        coarse = self.down_coarse(middle)
        met_middle = self.meet_middle(middle + _twice(self.up_middle(coarse)))
        met_fine = self.meet_fine(fine + _twice(self.up_fine(met_middle)))
        drawn = F.pixel_shuffle(self.drawing(met_fine), 2)
        shares = torch.softmax(drawn[:, :N_MASKS], dim=1)
        logits = (shares * (6 * masks - 3)).sum(dim=1) + 4 * drawn[:, N_MASKS]
        likeliest = masks[torch.arange(len(masks), device=masks.device), scores.argmax(dim=1)][:, None]
        given = torch.logit(scores.clamp(0.02, 0.98))
        told = [
            coarse.mean(dim=(2, 3)), _mean_in(coarse, mask_before), _mean_in(coarse, likeliest),
            _mean_in(met_middle, mask_before), _mean_in(met_middle, likeliest),
            given, torch.log(spread[:, :, 0, 0] / 30), presence[:, None] / 4,
        ]  # fmt: skip
        judged = self.judging(torch.cat(told, dim=1))
        return Compared(judged[:, 0] + presence, judged[:, 1:] + given, logits)


class _Residual(nn.Module):
    """Two convolutions beside the way past them."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.first = _convolution(n_channels, n_channels)
        self.second = _convolution(n_channels, n_channels)[:2]

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


def _convolution(n_in: int, n_out: int, *, side: int = 3, stride: int = 1) -> nn.Sequential:
    plain = nn.Conv2d(n_in, n_out, side, stride, side // 2, bias=False)
    return nn.Sequential(plain, nn.BatchNorm2d(n_out), nn.ReLU(inplace=True))


def _twice(level: Tensor) -> Tensor:
    return F.interpolate(level, scale_factor=2.0, mode="bilinear")


def _mean_in(level: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of a level ``(N, C, h, w)`` in a mask ``(N, 1, H, W)``: ``(N, C)``."""
    mask = F.adaptive_avg_pool2d(mask, (level.shape[-2], level.shape[-1]))
    return (level * mask).sum(dim=(2, 3)) / (mask.sum(dim=(2, 3)) + 1e-3)
