"""A small network that looks at where an object may have ended, beside the numbers that tell.

Whether a plane still shows an object is seen by comparing it with the planes on either side and with the
object in its anchor; numbers alone say less (`napari_sam.core.ending`). The network looks at a square around
the mask in this plane and in the one before, on 48 cells, and at the anchor at its own scale; greys are
counted from the object's own in the anchor. It has learned from made volumes alone, so what it says is taken
together with the numbers, and how large the object is it does not see: made ones are all of about one size.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.residual import Residual, convolution

__all__ = ["CELLS", "N_NUMBERS", "EndingEye", "EyeSees"]

CELLS = 48
"""Cells along a side of what is looked at."""

N_NUMBERS = 13
"""Numbers that it is told beside the pictures; see `napari_sam.core.ending.NAMES`."""

WIDTHS = 16, 32, 64
N_TOLD = 96
N_HIDDEN = 24
N_SEEN = 8
LEFT_OUT = 0.2
INNER_CELLS = CELLS // 8


class EyeSees(NamedTuple):
    """What is looked at, of ``N`` masks.

    Attributes
    ----------
    pictures : Tensor
        ``(N, 8, 48, 48)``: greys of this plane, of the one before and of the next, the masks of this plane
        and of the one before, what changed of the greys, this plane's greys by their own mean and spread,
        what changed of the masks.
    anchor : Tensor
        ``(N, 2, 48, 48)``: greys and mask of the anchor.
    numbers : Tensor
        ``(N, 13)``, by their own means and spreads.
    """

    pictures: Tensor
    anchor: Tensor
    numbers: Tensor


class EndingEye(nn.Module):
    """Says what part of a mask is the object: log odds ``(N,)``."""

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.here = nn.Sequential(
            convolution(N_SEEN, fine, stride=2), Residual(fine),
            convolution(fine, middle, stride=2), Residual(middle),
            convolution(middle, coarse, stride=2), Residual(coarse), Residual(coarse),
        )  # fmt: skip
        self.anchor = nn.Sequential(
            convolution(2, fine, stride=2), convolution(fine, middle, stride=2), Residual(middle),
            convolution(middle, coarse, stride=2),
        )  # fmt: skip
        self.telling = nn.Sequential(
            nn.Linear(3 * coarse + N_NUMBERS, N_TOLD), nn.ReLU(), nn.Dropout(LEFT_OUT), nn.Linear(N_TOLD, 1)
        )
        self.by_numbers = nn.Sequential(nn.Linear(N_NUMBERS, N_HIDDEN), nn.Tanh(), nn.Linear(N_HIDDEN, 1))

    def forward(self, seen: EyeSees) -> Tensor:
        """Look at masks."""
        here, anchor = self.here(seen.pictures), self.anchor(seen.anchor).mean(dim=(2, 3))
        inside = F.adaptive_avg_pool2d(seen.pictures[:, 3:4], INNER_CELLS)
        in_mask = (here * inside).sum(dim=(2, 3)) / (inside.sum(dim=(2, 3)) + 0.1)
        told = torch.cat([here.mean(dim=(2, 3)), in_mask, anchor, seen.numbers], dim=1)
        found: Tensor = self.by_numbers(seen.numbers)[:, 0] + self.telling(told)[:, 0]
        return found
