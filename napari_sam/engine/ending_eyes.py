"""What a network that tells ends is shown of a mask: squares of the planes around it, on cells."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_sam.core.ending import scaled
from napari_sam.core.ending_view import EndView
from napari_sam.core.masks import tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.models.ending_eye import CELLS, EndingEye, EyeSees

__all__ = ["EyeCrops", "crops_of", "seen_of", "still_there"]

ROOM = 1.6
"""Side of what is looked at, in longer sides of the masks in it."""

LEAST_SIDE_PX = 16.0
MOST_GREY, MOST_OWN_GREY = 4.0, 3.0
"""Greys are held to be within so many spreads of the object's own in its anchor, and of this plane's mean."""

LEAST_SPREAD, LEAST_OWN_SPREAD = 4.0, 3.0
"""Added to a spread, in grey levels of 0 to 255."""

CONTRAST_SHARE = 0.3
"""How much of the contrast between the object and what lies around it counts as spread."""

Cells = NDArray[np.uint8]
"""Greys, or parts of cells that lie in a mask, 0 to 255."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class EyeCrops:
    """Squares around a mask and around the anchor, on 48 x 48 cells.

    Attributes
    ----------
    greys : NDArray[uint8], shape (3, 48, 48)
        This plane, the one before, the next.
    masks : NDArray[uint8], shape (2, 48, 48)
        In this plane, in the one before.
    anchor_grey, anchor_mask : NDArray[uint8], shape (48, 48)
        The object where a person showed it.
    """

    greys: Cells
    masks: Cells
    anchor_grey: Cells
    anchor_mask: Cells

    def channels(self) -> tuple[Floats, Floats]:
        """Draw them as the network sees them: ``(8, 48, 48)`` and ``(2, 48, 48)``; see `EyeSees`."""
        anchor, inside = self.anchor_grey.astype(np.float32), self.anchor_mask.astype(np.float32) / 255
        mean = _mean(anchor, inside)
        spread = math.sqrt(_mean((anchor - mean) ** 2, inside)) + LEAST_SPREAD
        unit = spread + CONTRAST_SHARE * abs(mean - _mean(anchor, 1 - inside))
        here = self.greys.astype(np.float32)
        by_anchor = np.clip((here - mean) / unit, -MOST_GREY, MOST_GREY)
        own = (here[0] - here.mean()) / (here.std() + LEAST_OWN_SPREAD)
        masks = self.masks.astype(np.float32) / 255
        changes = by_anchor[0] - by_anchor[1], masks[1] - masks[0]
        own = np.clip(own, -MOST_OWN_GREY, MOST_OWN_GREY)
        pictures = np.stack([*by_anchor, *masks, changes[0], own, changes[1]])
        look = np.clip((anchor - mean) / unit, -MOST_GREY, MOST_GREY)
        return pictures.astype(np.float32), np.stack([look, inside]).astype(np.float32)


def still_there(network: EndingEye, view: EndView) -> float:
    """Return what part of a mask is expected to be the object, 0 to 1."""
    pictures, anchor = crops_of(view).channels()
    seen = EyeSees(*(torch.from_numpy(one)[None] for one in (pictures, anchor, seen_of(view.numbers))))
    device = next(network.parameters()).device
    with torch.inference_mode():
        return float(network(EyeSees(*(one.to(device) for one in seen))).sigmoid()[0])


def seen_of(numbers: NDArray[np.floating]) -> Floats:
    """Bring numbers ``(..., 13)`` to what the network is told."""
    return scaled(numbers).astype(np.float32)


def crops_of(view: EndView) -> EyeCrops:
    """Cut out what is looked at."""
    shape, plane = view.volume.shape, view.plane
    mask = view.mask.to_plane(plane, shape)
    before = view.before.moved_to(plane).to_plane(plane, shape)
    last = shape[plane.axis] - 1
    steps = (0, -view.step, view.step)
    planes = [PlaneRef(plane.axis, min(max(plane.index + step, 0), last)) for step in steps]
    square = _Square.around(mask | before)
    anchor = view.anchor.to_plane(view.anchor_plane, shape)
    around = _Square.around(anchor)
    return EyeCrops(
        square.greys([_grey(view, one) for one in planes]),
        square.shares([mask, before]),
        around.greys([_grey(view, view.anchor_plane)])[0],
        around.shares([anchor])[0],
    )


@dataclass(frozen=True)
class _Square:
    """A square around masks, in pixels of a plane, from the outer edge of the first one."""

    middle_rc: tuple[float, float]
    side_px: float

    @classmethod
    def around(cls, mask: NDArray[np.bool_]) -> _Square:
        """Lay it around a mask that is not empty."""
        top, left, bottom, right = tight_box(mask) or (0, 0, 1, 1)
        longest = max(bottom - top, right - left)
        return cls(((top + bottom) / 2, (left + right) / 2), max(LEAST_SIDE_PX, ROOM * longest))

    def greys(self, planes: Sequence[NDArray[np.floating]]) -> Cells:
        """Look at planes; outside them their edges go on."""
        return _rounded(self._cells(np.stack(planes), "border"))

    def shares(self, masks: Sequence[NDArray[np.bool_]]) -> Cells:
        """Say what part of each cell lies in masks; outside the plane is nothing."""
        return _rounded(255 * self._cells(np.stack(masks), "zeros"))

    def _cells(self, planes: NDArray[np.generic], outside: str) -> Tensor:
        """Sample planes ``(N, H, W)``, as densely as they have pixels, and average: ``(N, 48, 48)``."""
        n_each = max(1, math.ceil(self.side_px / CELLS))
        steps = (np.arange(CELLS * n_each) + 0.5) / (CELLS * n_each) - 0.5
        y, x = (
            torch.from_numpy((middle + steps * self.side_px) / size * 2 - 1).float()
            for middle, size in zip(self.middle_rc, planes.shape[1:], strict=True)
        )
        places = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)
        given = torch.from_numpy(planes.astype(np.float32))[None]
        seen = F.grid_sample(given, places[None], mode="bilinear", padding_mode=outside, align_corners=False)
        return F.avg_pool2d(seen, n_each)[0]


def _rounded(cells: Tensor) -> Cells:
    return np.asarray(cells.round().clamp(0, 255).to(torch.uint8).numpy())


def _grey(view: EndView, plane: PlaneRef) -> NDArray[np.floating]:
    """Return a plane's grey levels ``(H, W)``; the mean of its colours."""
    levels = view.window.to_uint8(np.asarray(plane.take(view.volume.data))).astype(np.float32)
    return levels if levels.ndim == 2 else np.asarray(levels.mean(axis=-1))


def _mean(values: NDArray[np.floating], weights: NDArray[np.floating]) -> float:
    return float((values * weights).sum() / (weights.sum() + 1e-3))
