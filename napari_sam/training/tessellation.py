"""Cells that fill the plane or touch each other: who owns a pixel, and how far the next owner is."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_sam.training.fields import chance, looked_up, uniform
from napari_sam.training.shapes import Frame

MARGIN = 3
"""Rows and columns of cells beyond the picture."""


@dataclass(frozen=True)
class Tessellation:
    """Which cell is nearest to each pixel of two planes.

    Attributes
    ----------
    owner : Tensor
        ``(2, H, W)`` int64, from 0.
    first, second : Tensor
        ``(2, H, W)`` distance to the nearest and the next cell's centre, in cells, less their sizes.
    n_owners : int
        One more than the largest owner.
    """

    owner: Tensor
    first: Tensor
    second: Tensor
    n_owners: int

    @property
    def depth(self) -> Tensor:
        """How far a pixel lies from the border with the next cell, in cells."""
        return (self.second - self.first) / 2


SHRINKING = 0.7
"""How often some cells shrink or end between the planes."""


def tessellate(
    frame: Frame, n_cells: float, rng: torch.Generator, spread: float = 0.3, shrinking: float = SHRINKING
) -> Tessellation:
    """Scatter cells, one in each square of a lattice, and find the nearest two of each pixel.

    Parameters
    ----------
    frame : Frame
        The planes; the lattice follows its bent coordinates.
    n_cells : float
        Cells over two of the frame's lengths.
    rng : torch.Generator
        Where chance comes from.
    spread : float
        How much cells differ in size.
    shrinking : float
        How often some cells shrink or end between the planes.
    """
    pose = frame.pose
    reach = 1.5 / pose.scale
    y = (frame.y - pose.centre[0] + reach) * (n_cells / 2) + MARGIN
    x = (frame.x - pose.centre[1] + reach) * (n_cells / 2) + MARGIN
    side = int(reach * n_cells) + 2 * MARGIN + 2
    row, column = (c.floor().clamp_(1, side - 2) for c in (y, x))
    centres = _centres(side, spread, chance(shrinking, rng), rng)
    corner = (row * side).add_(column).long()
    corner[1] += side * side  # the second plane's centres stand behind the first's
    y, x = y.sub_(row), x.sub_(column)
    found = [_nearest(centres, side, *plane) for plane in zip(corner, y, x, strict=True)]
    owner, first, second = (torch.stack(fields) for fields in zip(*found, strict=True))
    owner[1] -= side * side
    return Tessellation(owner, first, second, side * side)


def _nearest(
    centres: Tensor, side: int, corner: Tensor, y: Tensor, x: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Find the nearest two centres of each pixel ``(H, W)``, which lies at y and x within a lattice's square.

    Gives the nearest one's number and the distances of both, less their sizes.
    """
    offsets = [(down, across) for down in (-1, 0, 1) for across in (-1, 0, 1)]
    best = torch.full_like(y, 1e3)
    second, which = best.clone(), torch.zeros_like(y, dtype=torch.uint8)
    index = corner.clone()
    for number, (down, across) in enumerate(offsets):
        torch.add(corner, down * side + across, out=index)
        away = looked_up(centres[0] + down, index).sub_(y).square_()
        off_x = looked_up(centres[1] + across, index).sub_(x)
        away.addcmul_(off_x, off_x).sqrt_().sub_(looked_up(centres[2], index))
        which.masked_fill_(away < best, number)
        second = torch.minimum(second, torch.maximum(best, away, out=off_x), out=second)
        best = torch.minimum(best, away, out=best)
    steps = torch.tensor([down * side + across for down, across in offsets], device=y.device)
    return corner.add_(looked_up(steps, which.long())), best, second


def _centres(side: int, spread: float, shrinks: bool, rng: torch.Generator) -> Tensor:
    """Draw centres within their squares and sizes, first plane then second; ``(3, 2 * side * side)``."""
    draw = torch.rand(6, side * side, generator=rng, device=rng.device)
    jitter = uniform(0.5, 1.0, rng)
    first = torch.stack([0.5 + (draw[0] - 0.5) * jitter, 0.5 + (draw[1] - 0.5) * jitter, draw[2] * spread])
    second = first.clone()
    second[:2] += (draw[3:5] - 0.5) * 0.2
    second[2] += (draw[5] - 0.5) * uniform(0.0, 0.3, rng)
    if shrinks:
        share = uniform(0.0, 0.5, rng)  # of the cells: they shrink, some to nothing
        less = (1 - draw[5] / (share + 1e-6)) * uniform(0.4, 1.6, rng)
        second[2] = second[2] - less.clamp(min=0)
    return torch.cat([first, second], dim=1)
