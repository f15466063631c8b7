"""Where in its plane an object is, as a request says it, or as an answer found it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from napari_sam.core.masks import tight_box
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.engine.frame import Frame
from napari_sam.engine.hint_frames import Region
from napari_sam.engine.upscaling import above_in_plane
from napari_sam.engine.zoom_windows import is_cut

__all__ = ["asked_extent", "clicked_extent", "found_extent", "found_within"]


def asked_extent(request: SegmentRequest) -> Region | None:
    """Give the rows and columns that a request says its object is in; None where it does not say."""
    plane = request.plane
    boxes = [plane.box_hw(p.box) for p in request.prompts if isinstance(p, BoxPrompt)]
    if not boxes:
        masks = [p.mask for p in request.prompts if isinstance(p, MaskPrompt)]
        boxes = [plane.box_hw(mask.box) for mask in masks if not mask.is_empty]
    if not boxes and request.hint is not None and request.hint.ndim == 2:
        frame = Frame(plane.shape_hw(request.volume.shape), max(request.hint.shape))
        hint = torch.from_numpy(np.array(request.hint, dtype=np.float32))
        part, row0, col0 = above_in_plane(frame, hint, 0.0)
        box = tight_box(part > 0)
        boxes = [] if box is None else [(box[0] + row0, box[1] + col0, box[2] + row0, box[3] + col0)]
    return _around(boxes, request) if boxes else None


def clicked_extent(request: SegmentRequest) -> Region | None:
    """Give the rows and columns of the positive clicks; None where there is none, or more than clicks."""
    if not all(isinstance(prompt, PointPrompt) for prompt in request.prompts):
        return None
    return _around((), request) if _has_positive(request) else None


def found_extent(request: SegmentRequest, answer: MaskPrediction) -> Region | None:
    """Give the rows and columns of an answer and of the clicks that led to it; None where none is positive.

    What was found then may lie anywhere, far from all clicks.
    """
    mask = answer.masks[answer.best]
    if mask.is_empty or not _has_positive(request):
        return None
    return _around([request.plane.box_hw(mask.box)], request)


def found_within(request: SegmentRequest, answer: MaskPrediction, window: Region) -> Region | None:
    """Give the rows and columns of the likeliest candidate that no edge of its window cuts off."""
    plane = request.plane
    hw = plane.shape_hw(request.volume.shape)
    for index in np.argsort(-answer.scores, kind="stable"):
        mask = answer.masks[index]
        if not mask.is_empty and not is_cut(plane.box_hw(mask.box), window, hw):
            return _around([plane.box_hw(mask.box)], request)
    return None


def _has_positive(request: SegmentRequest) -> bool:
    return any(isinstance(prompt, PointPrompt) and prompt.positive for prompt in request.prompts)


def _around(boxes: Sequence[Region], request: SegmentRequest) -> Region:
    """Give the rows and columns of boxes and of all positive clicks."""
    places = [request.plane.rc(p.at) for p in request.prompts if isinstance(p, PointPrompt) and p.positive]
    edges = [
        *boxes,
        *((math.floor(r), math.floor(c), math.floor(r) + 1, math.floor(c) + 1) for r, c in places),
    ]
    lows = [min(edge[axis] for edge in edges) for axis in (0, 1)]
    highs = [max(edge[axis] for edge in edges) for axis in (2, 3)]
    return lows[0], lows[1], highs[0], highs[1]
