"""Planes that follow one another are compared: what is found in one with what was seen in the last.

See `napari_sam.models.plane_comparer` for the network. It and the decoder have two opinions, of the outline
and of whether the object is there at all, and what lies midway between them is better than either.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_sam.core.depths import signed_depths
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.engine.hint_frames import Region
from napari_sam.engine.square_pixels import SquarePixelSegmenter
from napari_sam.models.plane_comparer import CROP_SIDE, Compared, PlaneComparer
from napari_sam.zoo.comparer import load_comparer

__all__ = ["ComparingSegmenter"]

ROOM = 1.6
"""Side of what is looked at, in longer sides of the object's box in the plane before."""

LEAST_SIDE_PX = 6.0

BROUGHT_TOGETHER = 0.1
"""Distances from either outline count up to this, in longer sides of the object's box: a pixel farther
from both belongs to the object only where both say so."""

LEAST_TOGETHER_PX = 2.0
"""As many pixels more: small objects have outlines of whole pixels."""

LEAST_PRESENCE = 5e-4
"""Presence is held to be between this and 1 minus this."""

Floats = NDArray[np.float32]


class ComparingSegmenter(SquarePixelSegmenter):
    """Answers as `SquarePixelSegmenter` does, and compares with the plane before where one is given."""

    _comparer: PlaneComparer | None = None

    def segment_batch(self, requests: Sequence[SegmentRequest]) -> list[MaskPrediction]:
        """Answer several requests, in their order.

        Raises
        ------
        InvalidPrompt, UnsupportedPrompt
            As `SamSegmenter.segment`; the requests' prompts are checked before anything is encoded.
        """
        answers = super().segment_batch(requests)
        followed = {
            i: _Square.around(request.neighbour, request)
            for i, request in enumerate(requests)
            if request.neighbour is not None and not request.neighbour.is_empty
        }
        if followed:
            compared = self._compare([square.seen(answers[i]) for i, square in followed.items()])
            for k, (i, square) in enumerate(followed.items()):
                answers[i] = square.told(answers[i], compared.presence[k], compared.mask_logits[k])
        return answers

    def _compare(self, seen: Sequence[tuple[Tensor, ...]]) -> Compared:
        if self._comparer is None:
            self._comparer = load_comparer().to(self.device)
        with torch.inference_mode():
            together = (torch.stack(some).to(self.device) for some in zip(*seen, strict=True))
            return Compared(*(found.cpu() for found in self._comparer(*together)))


@dataclass(frozen=True, eq=False)
class _Square:
    """What is looked at in both planes: rows and columns of the middles of its cells."""

    request: SegmentRequest
    before: BoxedMask
    rows: NDArray[np.float64]
    cols: NDArray[np.float64]

    @classmethod
    def around(cls, before: BoxedMask, request: SegmentRequest) -> _Square:
        """Lay a square around the object in the plane before; it is one in millimetres."""
        plane, spacing_mm = request.plane, request.volume.geometry.spacing_mm
        down_mm, across_mm = (spacing_mm[axis] for axis in range(3) if axis != plane.axis)
        row0, col0, row1, col1 = plane.box_hw(before.box)
        longest_mm = max((row1 - row0) * down_mm, (col1 - col0) * across_mm)
        side_mm = max(LEAST_SIDE_PX * min(down_mm, across_mm), ROOM * longest_mm)
        cells = (np.arange(CROP_SIDE) + 0.5) / CROP_SIDE - 0.5
        rows = (row0 + row1 - 1) / 2 + cells * (side_mm / down_mm)
        cols = (col0 + col1 - 1) / 2 + cells * (side_mm / across_mm)
        return cls(request, before, rows, cols)

    def seen(self, answer: MaskPrediction) -> tuple[Tensor, ...]:
        """Look at both planes; as `PlaneComparer.forward` takes them, of one object."""
        now = self.request.plane
        then = PlaneRef(now.axis, self.before.box.start[now.axis])
        pictures = (
            self._grey(then)[None], self._grey(now)[None], self._bits(self.before, then)[None],
            np.stack([self._bits(mask, now) for mask in answer.masks]),
            answer.scores.astype(np.float32), np.float32(_log_odds(answer.presence)),
        )  # fmt: skip
        return tuple(torch.from_numpy(np.asarray(one)) for one in pictures)

    def told(self, answer: MaskPrediction, presence: Tensor, logits: Tensor) -> MaskPrediction:
        """Put presence and the outline midway into an answer; an empty candidate stays so."""
        drawn = logits.numpy()
        now = self.request.plane
        cells = np.stack([self._bits(mask, now) > 0.5 for mask in answer.masks])
        cell_px = min(float(self.rows[1] - self.rows[0]), float(self.cols[1] - self.cols[0]))
        most = BROUGHT_TOGETHER * CROP_SIDE / ROOM + LEAST_TOGETHER_PX / cell_px
        depths = signed_depths(np.concatenate([drawn[None] > 0, cells]), most)
        part = self._part(now)
        rows, cols = (
            (np.arange(first, last) - at[0]) / (at[1] - at[0])
            for at, first, last in ((self.rows, part[0], part[2]), (self.cols, part[1], part[3]))
        )
        in_part = _sampled(drawn, rows, cols) > 0
        masks = tuple(
            mask if mask.is_empty else _brought(mask, now, part, in_part, (depth + depths[0], rows, cols))
            for mask, depth in zip(answer.masks, depths[1:], strict=True)
        )
        midway = (_log_odds(answer.presence) + float(presence)) / 2
        return replace(answer, masks=masks, presence=1.0 / (1.0 + math.exp(-midway)))

    def _part(self, plane: PlaneRef) -> Region:
        """Give the part of a plane that the square and one pixel around it cover."""
        height, width = plane.shape_hw(self.request.volume.shape)
        top, left = (max(0, math.floor(float(at[0])) - 1) for at in (self.rows, self.cols))
        bottom = min(height, math.ceil(float(self.rows[-1])) + 2)
        right = min(width, math.ceil(float(self.cols[-1])) + 2)
        return top, left, bottom, right

    def _grey(self, plane: PlaneRef) -> Floats:
        """Look at a plane, in whole grey levels of 0 to 255: ``(64, 64)``."""
        top, left, bottom, right = self._part(plane)
        cut = np.asarray(plane.take(self.request.volume.data)[top:bottom, left:right])
        grey = self.request.window.to_uint8(cut)
        levels = grey if grey.ndim == 2 else grey.mean(axis=2)
        return np.rint(_sampled(levels, self.rows - top, self.cols - left))

    def _bits(self, mask: BoxedMask, plane: PlaneRef) -> Floats:
        """Look at a mask of a plane, 0 to 1: ``(64, 64)``."""
        part = self._part(plane)
        return _sampled(mask.to_part(plane, part), self.rows - part[0], self.cols - part[1])


def _brought(
    mask: BoxedMask,
    plane: PlaneRef,
    part: Region,
    drawn: NDArray[np.bool_],
    midway: tuple[Floats, NDArray[np.float64], NDArray[np.float64]],
) -> BoxedMask:
    """Decide anew where a mask and what was drawn in a part differ; as it was, if nothing is left.

    `midway` is above 0 inside, in cells, with the places of the part's rows and columns among the cells.
    """
    row0, col0, row1, col1 = plane.box_hw(mask.box)
    whole = min(part[0], row0), min(part[1], col0), max(part[2], row1), max(part[3], col1)
    bits = mask.to_part(plane, whole)
    inner = bits[part[0] - whole[0] : part[2] - whole[0], part[1] - whole[1] : part[3] - whole[1]]
    field, rows, cols = midway
    row, col = np.nonzero(inner != drawn)
    inner[row, col] = ndimage.map_coordinates(field, [rows[row], cols[col]], order=1, mode="nearest") > 0
    return BoxedMask.of_part(bits, plane, whole[:2]) if bits.any() else mask


def _log_odds(presence: float) -> float:
    held = min(max(presence, LEAST_PRESENCE), 1.0 - LEAST_PRESENCE)
    return math.log(held / (1.0 - held))


def _sampled(picture: NDArray[np.generic], rows: NDArray[np.float64], cols: NDArray[np.float64]) -> Floats:
    """Sample a picture ``(H, W)`` linearly at rows ``(h,)`` by columns ``(w,)``; its edge goes on outside."""
    found = np.asarray(picture, np.float32)
    for axis, at in enumerate((rows, cols)):
        last = found.shape[axis] - 1
        inside = np.clip(at, 0, last)
        low = np.minimum(inside.astype(np.intp), max(last - 1, 0))
        share = (inside - low).astype(np.float32)
        share = share[:, None] if axis == 0 else share
        found = found.take(low, axis) * (1 - share) + found.take(np.minimum(low + 1, last), axis) * share
    return found
