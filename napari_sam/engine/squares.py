"""Squares around objects, which a refiner looks at: from the plane and its logits to 64 cells, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from napari_sam.engine.frame import Frame, by_channel
from napari_sam.models.refiner import CROP_SIDE, ROOM, SURE

__all__ = ["Square", "looked_up"]

LEAST_SIDE_PX = 12.0
"""Side of the smallest square that is looked at, in pixels of the model's input."""


@dataclass(frozen=True)
class Square:
    """What is looked at: a square around an object, in pixels of the model's input.

    Attributes
    ----------
    frame : Frame
        How the plane lies in the input.
    middle_xy : tuple of float
        Whole numbers are pixels' centres.
    side : float
        Of the square, in the same pixels.
    """

    frame: Frame
    middle_xy: tuple[float, float]
    side: float

    @classmethod
    def around(cls, frame: Frame, corners_xy: Sequence[tuple[float, float]]) -> Square:
        """Lay it around a box, given by two corners."""
        (left, top), (right, bottom) = corners_xy
        side = max(LEAST_SIDE_PX, ROOM * max(right - left, bottom - top))
        return cls(frame, ((left + right) / 2, (top + bottom) / 2), side)

    def seen_from(self, xy: tuple[float, float]) -> tuple[float, float]:
        """Give a place in sides of the square, from its middle."""
        return (xy[0] - self.middle_xy[0]) / self.side, (xy[1] - self.middle_xy[1]) / self.side

    def picture(self, plane: NDArray[np.uint8]) -> Tensor:
        """Look at a plane ``(H, W)`` or ``(H, W, 3)``; ``(3, 64, 64)`` float32, whole grey levels.

        Outside the plane its edge goes on.
        """
        edges = []
        for middle, scale in zip(self.middle_xy, reversed(self.frame.scale), strict=True):
            edges.append([(middle + 0.5 + part * self.side) / scale for part in (-0.5, 0.5)])
        (left, right), (top, bottom) = edges
        height, width = plane.shape[:2]
        rows = slice(max(0, int(np.floor(top))), min(height, int(np.ceil(bottom))))
        cols = slice(max(0, int(np.floor(left))), min(width, int(np.ceil(right))))
        beyond = [
            (max(0, -int(np.floor(low))), max(0, int(np.ceil(high)) - size))
            for low, high, size in ((top, bottom, height), (left, right, width))
        ]
        cut = np.pad(plane[rows, cols], [*beyond, *[(0, 0)] * (plane.ndim - 2)], mode="edge")
        row0, col0 = rows.start - beyond[0][0], cols.start - beyond[1][0]
        seen = Image.fromarray(np.ascontiguousarray(cut)).resize(
            (CROP_SIDE, CROP_SIDE), Image.Resampling.BILINEAR,
            box=(left - col0, top - row0, right - col0, bottom - row0), reducing_gap=2.0,
        )  # fmt: skip
        return by_channel(np.asarray(seen)).expand(3, -1, -1)

    def cells(self) -> Tensor:
        """Give the places of the 64 x 64 cells in the padded input, as `F.grid_sample` takes them."""
        steps = (torch.arange(CROP_SIDE) + 0.5) / CROP_SIDE - 0.5
        x, y = ((middle + 0.5 + steps * self.side) / self.frame.side * 2 - 1 for middle in self.middle_xy)
        return torch.stack([x[None].expand(CROP_SIDE, -1), y[:, None].expand(-1, CROP_SIDE)], dim=2)

    def is_outside(self) -> Tensor:
        """Say which of the 64 x 64 cells lie outside the plane."""
        steps = (torch.arange(CROP_SIDE) + 0.5) / CROP_SIDE - 0.5
        x, y = (middle + 0.5 + steps * self.side for middle in self.middle_xy)
        height, width = self.frame.resized_hw
        return ((x < 0) | (x > width))[None] | ((y < 0) | (y > height))[:, None]

    def places(self, low_hw: tuple[int, int]) -> Tensor:
        """Give the places of low-resolution cells in the square, as `F.grid_sample` takes them."""
        x, y = (
            ((torch.arange(n) + 0.5) * (self.frame.side / n) - 0.5 - middle) / self.side * 2
            for n, middle in zip(reversed(low_hw), self.middle_xy, strict=True)
        )
        return torch.stack([x[None].expand(low_hw[0], -1), y[:, None].expand(-1, low_hw[1])], dim=2)


def looked_up(squares: Sequence[Square], logits: Tensor) -> Tensor:
    """Look up what candidates say in each square, as the refiner sees them.

    Parameters
    ----------
    squares : sequence of Square
        One for each of the ``N`` answers.
    logits : Tensor
        ``(N, M, h, w)`` low-resolution logits of the model's padded input.

    Returns
    -------
    Tensor
        ``(N, M, 64, 64)``, within `SURE` of 0, and as low as that outside the plane.
    """
    height, width = logits.shape[-2:]
    cells = torch.stack([square.cells() for square in squares])
    last = 1 - 1 / torch.tensor([width, height])
    cells = torch.minimum(torch.maximum(cells, -last), last).to(logits.device)  # their edge goes on outside
    outside = torch.stack([square.is_outside() for square in squares]).to(logits.device)
    seen = F.grid_sample(logits, cells, mode="bilinear", align_corners=False)
    return seen.clamp(-SURE, SURE).masked_fill(outside[:, None], -SURE)
