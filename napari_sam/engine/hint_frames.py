"""Hints from the frame of a whole plane to that of a window in it, and back, without drawing the plane.

Each way is a chain of resizings along the rows and another along the columns: linear maps, which are one
small matrix an axis. What lies outside counts as `MASK_LOGIT` below zero, in the padding of a frame and
around a window. The numbers differ from those of the chain by the rounding of float32.
"""

from __future__ import annotations

import functools

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_sam.engine.frame import MASK_LOGIT, Frame, smoothly_resized

__all__ = ["to_plane_hint", "to_window_hint"]

Region = tuple[int, int, int, int]


def to_window_hint(hint: Tensor, plane_hw: tuple[int, int], region: Region, side: int) -> Tensor:
    """Cut a hint of a plane to a window.

    Parameters
    ----------
    hint : Tensor
        ``(h, w)`` float32 logits of a square that is padded below and right.
    plane_hw : tuple of int
        Height and width of the plane.
    region : tuple of int
        Half-open ``(row0, col0, row1, col1)`` of the window.
    side : int
        Side of the hint to make.

    Returns
    -------
    Tensor
        ``(side, side)`` float32, padded below and right.
    """
    whole = Frame(plane_hw, max(hint.shape))
    part = Frame((region[2] - region[0], region[3] - region[1]), side)
    rows, columns = (
        _to_window(
            (hint.shape[axis], whole.side, whole.resized_hw[axis], plane_hw[axis]),
            (region[axis], region[axis + 2]),
            part.resized_hw[axis],
        )
        for axis in (0, 1)
    )
    return _padded(rows @ hint @ columns.T, side)


def to_plane_hint(
    hints: Tensor, window_side: int, plane_hw: tuple[int, int], region: Region, side: int
) -> Tensor:
    """Put hints of a window into the frame of its plane.

    Parameters
    ----------
    hints : Tensor
        ``(M, h, w)`` float32 low-resolution logits of the window.
    window_side : int
        Side of the model's input in which they were made, in pixels.
    plane_hw : tuple of int
        Height and width of the plane.
    region : tuple of int
        Half-open ``(row0, col0, row1, col1)`` of the window.
    side : int
        Side of the hints to make.

    Returns
    -------
    Tensor
        ``(M, side, side)`` float32.
    """
    part = Frame((region[2] - region[0], region[3] - region[1]), window_side)
    whole = Frame(plane_hw, side)
    rows, columns = (
        _to_plane(
            (hints.shape[axis + 1], window_side, part.resized_hw[axis], part.plane_hw[axis]),
            (region[axis], region[axis + 2], plane_hw[axis]),
            whole.resized_hw[axis],
        )
        for axis in (0, 1)
    )
    return _padded(rows @ (hints + MASK_LOGIT) @ columns.T - MASK_LOGIT, side)


def _padded(logits: Tensor, side: int) -> Tensor:
    height, width = logits.shape[-2:]
    return F.pad(logits, (0, side - width, 0, side - height), value=-MASK_LOGIT)


@functools.lru_cache(maxsize=64)
def _to_window(chain: tuple[int, int, int, int], ends: tuple[int, int], n_out: int) -> Tensor:
    """Give the weights ``(n_out, cells)`` of a plane's cells in those of a window, along one axis."""
    return _reduced(_drawn(*chain)[ends[0] : ends[1]], n_out)


@functools.lru_cache(maxsize=64)
def _to_plane(chain: tuple[int, int, int, int], ends: tuple[int, int, int], n_out: int) -> Tensor:
    """Give the weights ``(n_out, cells)`` of a window's cells in those of its plane, along one axis."""
    start, stop, n_pixels = ends
    drawn = _drawn(*chain)
    return _reduced(F.pad(drawn, (0, 0, start, n_pixels - stop)), n_out)


def _drawn(n_cells: int, side: int, resized: int, n_pixels: int) -> Tensor:
    """Give the weights ``(n_pixels, n_cells)`` by which `Frame.plane_logits` draws along one axis."""
    square = F.interpolate(torch.eye(n_cells)[None], size=side, mode="linear", align_corners=False)
    return F.interpolate(square[..., :resized], size=n_pixels, mode="linear", align_corners=False)[0].T


def _reduced(weights: Tensor, n_out: int) -> Tensor:
    """Bring pixels along the first axis of ``weights (n_pixels, n_cells)`` to fewer, smoothed."""
    return smoothly_resized(weights[None, None], (n_out, weights.shape[1]))[0, 0]
