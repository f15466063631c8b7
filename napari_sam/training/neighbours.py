"""Organs that touch: each pixel belongs to the one that it lies deepest in, and all mould to each other.

Lumps are put down in any order. Each grows over what lies free within `reach` of it, and where two meet, the
border runs where both are equally deep. A thin line may stay free between them.
"""

from __future__ import annotations

import torch

from napari_sam.training.canvas import Canvas
from napari_sam.training.shapes import Lump, Patch


class Neighbours:
    """Shares the planes out among organs.

    Parameters
    ----------
    canvas : Canvas
        Whose planes they are.
    reach : float
        How far organs grow beyond their lumps, in the body's lengths.
    """

    def __init__(self, canvas: Canvas, reach: float) -> None:
        self._canvas, self._reach = canvas, reach
        self._best = torch.full_like(canvas.frame.y, -reach)
        self._second = self._best.clone()
        self._owner = torch.zeros(self._best.shape, dtype=torch.uint8, device=self._best.device)
        self._windows: list[tuple[slice, slice]] = []

    def add(self, *lumps: Lump) -> int:
        """Put down an organ of one or several lumps; gives its number."""
        patches = [self._canvas.depth(lump, self._reach) for lump in lumps]
        rows, columns = (
            slice(min(s.start for s in spans), max(s.stop for s in spans))
            for spans in ([p.rows for p in patches], [p.columns for p in patches])
        )
        depth = patches[0].depth
        if len(patches) > 1:
            depth = torch.full_like(self._best[:, rows, columns], -1.0)
            for patch in patches:
                down = slice(patch.rows.start - rows.start, patch.rows.stop - rows.start)
                across = slice(patch.columns.start - columns.start, patch.columns.stop - columns.start)
                here = depth[:, down, across]
                torch.maximum(here, patch.depth, out=here)
        self._hold_back(depth, min(min(lump.ry, lump.rx) for lump in lumps))
        self._windows.append((rows, columns))
        self._share(rows, columns, depth)
        return len(self._windows)

    def _hold_back(self, depth: torch.Tensor, radius: float) -> None:
        """Let what is near its end grow less, and what has ended not at all; changes `depth`."""
        if not depth.numel():
            return
        for plane, deepest in zip(depth, depth.flatten(1).amax(dim=1).tolist(), strict=True):
            if deepest <= 0:
                plane.fill_(-1.0)
            elif deepest < 0.5 * radius:
                plane.sub_(self._reach * (1 - deepest / (0.5 * radius)))

    def _share(self, rows: slice, columns: slice, depth: torch.Tensor) -> None:
        best, second = self._best[:, rows, columns], self._second[:, rows, columns]
        self._owner[:, rows, columns].masked_fill_(depth > best, len(self._windows))
        torch.maximum(second, torch.minimum(best, depth), out=second)
        torch.maximum(best, depth, out=best)

    def patch(self, number: int) -> Patch:
        """Say how far pixels lie within an organ, once all are put down; negative is outside."""
        rows, columns = self._windows[number - 1]
        best, second = self._best[:, rows, columns], self._second[:, rows, columns]
        within = torch.minimum(best + self._reach, (best - second) * 0.5)
        mine = self._owner[:, rows, columns] == number
        return Patch(rows, columns, within.masked_fill_(~mine, -1.0))
