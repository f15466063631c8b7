"""From low-resolution logits to a plane, only where a mask can be.

Resizing with bilinear weights is a linear map along the rows and another along the columns, and so are two
resizings with a cut between them: both become one small matrix an axis, computed once a plane. A pixel is a
weighted mean of the cells around it, so where all cells lie below a level, all pixels do: what lies outside
the rows and columns that some cell above the level reaches need not be computed at all.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_sam.engine.frame import Frame

__all__ = ["Upscaler", "above_in_plane"]

_PIXELS_AT_ONCE = 64


@dataclass(frozen=True)
class _Axis:
    """Resizing along one axis.

    Attributes
    ----------
    weights : Tensor
        ``(L, l)`` float32: how much each of ``l`` cells counts in each of ``L`` pixels; in a pixel they
        sum to 1.
    first_cell, last_cell : NDArray[intp], shape (L,)
        The cells that count in a pixel.
    first_pixel, last_pixel : NDArray[intp], shape (l,)
        The pixels in which a cell counts; first above last for one that counts in none.
    """

    weights: Tensor
    first_cell: NDArray[np.intp]
    last_cell: NDArray[np.intp]
    first_pixel: NDArray[np.intp]
    last_pixel: NDArray[np.intp]

    @classmethod
    def of(cls, n_cells: int, side: int, resized: int, n_pixels: int) -> _Axis:
        """Compose cells to the model's input, the cut, and the input to pixels."""
        square = F.interpolate(torch.eye(n_cells)[None], size=side, mode="linear", align_corners=False)
        weights = F.interpolate(square[..., :resized], size=n_pixels, mode="linear", align_corners=False)[0].T
        counts = weights.numpy() > 0
        return cls(
            weights.contiguous(),
            counts.argmax(axis=1),
            n_cells - 1 - counts[:, ::-1].argmax(axis=1),
            np.where(counts.any(axis=0), counts.argmax(axis=0), n_pixels),
            np.where(counts.any(axis=0), n_pixels - 1 - counts[::-1].argmax(axis=0), -1),
        )

    def reach(self, is_above: NDArray[np.bool_]) -> tuple[slice, slice]:
        """Give the pixels that the marked cells count in, and all cells that count in those pixels."""
        marked = np.flatnonzero(is_above)
        if marked.size == 0:
            return slice(0), slice(0)
        start, stop = int(self.first_pixel[marked].min()), int(self.last_pixel[marked].max()) + 1
        if start >= stop:
            return slice(0), slice(0)
        return slice(start, stop), slice(int(self.first_cell[start]), int(self.last_cell[stop - 1]) + 1)

    def resize(self, cells: Tensor, pixels: slice, first_cell: int) -> Tensor:
        """Resize ``cells (n, C)``, which start at a cell, to the pixels ``(R, C)`` that they reach.

        A few pixels at a time, for which only a few cells count.
        """
        start, stop = pixels.start or 0, pixels.stop
        resized = cells.new_empty(stop - start, cells.shape[1])
        for row in range(start, stop, _PIXELS_AT_ONCE):
            end = min(row + _PIXELS_AT_ONCE, stop)
            low = slice(int(self.first_cell[row]), int(self.last_cell[end - 1]) + 1)
            counted = cells[low.start - first_cell : low.stop - first_cell]
            torch.mm(self.weights[row:end, low], counted, out=resized[row - start : end - start])
        return resized


class Upscaler:
    """Brings logits of one size to planes of one frame, as `Frame.plane_logits` does.

    Parameters
    ----------
    frame : Frame
        How the plane lies in the model's input.
    low_hw : tuple of int
        Size (h, w) of the low-resolution logits.
    """

    def __init__(self, frame: Frame, low_hw: tuple[int, int]) -> None:
        self._rows, self._cols = (
            _Axis.of(low_hw[axis], frame.side, frame.resized_hw[axis], frame.plane_hw[axis])
            for axis in (0, 1)
        )

    def above(self, low_logits: Tensor, level: float) -> tuple[NDArray[np.float32], int, int]:
        """Resize the part of a plane in which logits can lie above a level.

        Parameters
        ----------
        low_logits : Tensor
            ``(h, w)`` float32 on the CPU.
        level : float
            In the unit of the logits.

        Returns
        -------
        logits : NDArray[float32], shape (R, C)
            Of the rows and columns from `row0` and `col0` on; empty where nothing lies above the level.
        row0, col0 : int
            Where it lies in the plane.
        """
        is_above = low_logits.numpy() > level
        rows, low_rows = self._rows.reach(np.asarray(is_above.any(axis=1)))
        cols, low_cols = self._cols.reach(np.asarray(is_above.any(axis=0)))
        wide = low_logits[low_rows, low_cols] @ self._cols.weights[cols, low_cols].T
        logits = self._rows.resize(wide, rows, low_rows.start or 0)
        return logits.numpy(), rows.start or 0, cols.start or 0


def above_in_plane(frame: Frame, low_logits: Tensor, level: float) -> tuple[NDArray[np.float32], int, int]:
    """Bring logits to a plane, as `Frame.plane_logits` does, where they can lie above a level.

    Against `Frame.plane_logits` they differ by the rounding of float32 alone. Frames of other kinds, which
    resize in another way, give the whole plane.

    Parameters
    ----------
    frame : Frame
        How the plane lies in the model's input.
    low_logits : Tensor
        ``(h, w)`` float32 on the CPU.
    level : float
        In the unit of the logits.

    Returns
    -------
    tuple
        As `Upscaler.above`.
    """
    if type(frame) is not Frame:
        whole: NDArray[np.float32] = frame.plane_logits(low_logits[None])[0].numpy()
        return whole, 0, 0
    return _upscaler(frame, (low_logits.shape[0], low_logits.shape[1])).above(low_logits, level)


@functools.lru_cache(maxsize=8)
def _upscaler(frame: Frame, low_hw: tuple[int, int]) -> Upscaler:
    """Keep the last few frames' weights: planes of a volume, and windows in them, come in few sizes."""
    return Upscaler(frame, low_hw)
