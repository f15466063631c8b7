"""A closer look at small objects: the model is given the part of the plane around them, enlarged.

A model with a small input sees a nucleus in a plane of two thousand pixels as a dot. Here each request is
asked on a square window around its object, about four times as large as the object itself; of a fixed set of
windows, so that prompts near each other share an embedding. Objects that are large in their plane are asked
on the whole plane, as without this module. Clicks say nothing of the object's size: they are asked on the
whole plane first, and again on the window around the answer. Where that leaves doubt in a plane much larger
than the model's input, a click is asked at smaller scales, too, and the likeliest answer counts. What the
whole plane says is given at once where a window has to be encoded first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.engine.hint_frames import Region, to_plane_hint, to_window_hint
from napari_sam.engine.model_prompts import check_request, without_unused_mask
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.engine.zoom_extents import asked_extent, clicked_extent, found_extent, found_within
from napari_sam.engine.zoom_windows import click_windows, hint_side, zoom_window
from volumes import Box, Geometry, Volume

__all__ = ["Look", "ZoomingSegmenter"]

LIKELY, FAIRLY_LIKELY = 0.7, 0.5
"""Predicted IoU from which on a click's answer is not doubted, and from which on it stays a candidate."""


@dataclass(frozen=True, eq=False)
class Look:
    """A request, and the same request on a window of its plane.

    Attributes
    ----------
    whole : SegmentRequest
        What is asked of the plane.
    region : Region
        The window.
    part : SegmentRequest
        What is asked of the window, as a volume of one plane.
    """

    whole: SegmentRequest
    region: Region
    part: SegmentRequest


class ZoomingSegmenter(SamSegmenter):
    """Answers as `SamSegmenter` does, but looks closer at objects that are small in their plane."""

    def segment_batch(self, requests: Sequence[SegmentRequest]) -> list[MaskPrediction]:
        """Answer several requests, in their order.

        Raises
        ------
        InvalidPrompt, UnsupportedPrompt
            As `SamSegmenter.segment`; the requests' prompts are checked before anything is encoded.
        """
        requests = [without_unused_mask(request, self.prompts) for request in requests]
        for request in requests:
            check_request(request, self.name, self.prompts)
        extents = [asked_extent(request) for request in requests]
        answers: dict[int, MaskPrediction] = {}
        regions = {
            i: _region(request, extent)
            for i, (request, extent) in enumerate(zip(requests, extents, strict=True))
            if extent is not None
        }
        far = [i for i in range(len(requests)) if regions.get(i) is None]
        answers |= zip(far, super().segment_batch([requests[i] for i in far]), strict=True)
        for i in far:
            if extents[i] is None:
                regions[i] = _region(requests[i], found_extent(requests[i], answers[i]))
        near = [i for i in range(len(requests)) if regions.get(i) is not None]
        answers |= zip(near, self._look_closer([(requests[i], regions[i]) for i in near]), strict=True)
        for i in far:
            if extents[i] is None:
                windows = self._windows_in_doubt(requests[i], answers[i])
                answers[i] = self._likeliest(requests[i], answers[i], regions[i], windows)
        return [answers[i] for i in range(len(requests))]

    def glance(self, request: SegmentRequest) -> MaskPrediction:
        """Answer from the whole plane, without a closer look.

        Raises
        ------
        InvalidPrompt, UnsupportedPrompt
            As `SamSegmenter.segment`.
        """
        return replace(super().segment_batch([request])[0], is_glance=True)

    def answers(self, request: SegmentRequest) -> Iterator[MaskPrediction]:
        """Yield a glance where a closer look has to encode its window first, then the answer of `segment`.

        Where the whole plane would have to be encoded as well, a glance at it would only be in the way.

        Raises
        ------
        InvalidPrompt, UnsupportedPrompt
            As `SamSegmenter.segment`, when the first is taken.
        """
        request = without_unused_mask(request, self.prompts)
        check_request(request, self.name, self.prompts)
        extent = asked_extent(request)
        if extent is not None:
            region = _region(request, extent)
            if region is not None and not self._is_seen(request, region) and self._is_seen(request):
                yield self.glance(request)
            yield ZoomingSegmenter.segment_batch(self, [request])[0]
            return
        plain = super().segment_batch([request])[0]
        region = _region(request, found_extent(request, plain))
        glances = region is not None and not self._is_seen(request, region)
        if glances:
            yield replace(plain, is_glance=True)
        first = plain if region is None else self._look_closer([(request, region)])[0]
        windows = self._windows_in_doubt(request, first)
        if not glances and not all(self._is_seen(request, window) for window in windows):
            yield replace(plain, is_glance=True)
        yield self._likeliest(request, first, region, windows)

    def prefetch(
        self,
        volume: Volume,
        planes: Sequence[PlaneRef],
        window: Window,
        cancel: Cancel | None = None,
        around: Box | None = None,
    ) -> None:
        """Encode planes, or the windows around an object in them, as `SamSegmenter.prefetch` does."""
        if around is None:
            super().prefetch(volume, planes, window, cancel)
            return
        for plane in planes:
            region = zoom_window(plane.box_hw(around), plane.shape_hw(volume.shape))
            super().prefetch(_crop(volume, plane, region), [_AT], window, cancel, around)

    def _is_seen(self, request: SegmentRequest, region: Region | None = None) -> bool:
        """Say whether the embedding of a plane, or of a window in it, is kept."""
        volume, plane = request.volume, request.plane
        if region is not None:
            volume, plane = _crop(volume, plane, region), _AT
        return self.is_encoded(volume, plane, request.window)

    def _windows_in_doubt(self, request: SegmentRequest, answer: MaskPrediction) -> list[Region]:
        """Give the windows in which clicks on a large plane are asked as well; none where all is clear."""
        if answer.scores[answer.best] >= LIKELY or request.hint is not None:
            return []
        extent = clicked_extent(request)
        if extent is None:
            return []
        return click_windows(extent, request.plane.shape_hw(request.volume.shape), self._spec.side)

    def _likeliest(
        self, request: SegmentRequest, first: MaskPrediction, region: Region | None, windows: Sequence[Region]
    ) -> MaskPrediction:
        """Ask a click in windows, look closer at what is found there, and take the likeliest of all answers.

        `first` is the answer so far, on `region` or on the whole plane. What an edge of its window cuts off
        is not looked at.
        """
        regions: list[Region] = []
        for window, answer in zip(windows, self._look([(request, w) for w in windows], False), strict=True):
            found = _region(request, found_within(request, answer, window))
            if found is not None and found not in (region, *regions):
                regions.append(found)
        answers = [first, *self._look_closer([(request, found) for found in regions])]
        likeliest = max(answers, key=lambda answer: float(answer.scores[answer.best]))
        return first if likeliest is first else _beside(likeliest, first)

    def _look_closer(self, asked: Sequence[tuple[SegmentRequest, Region | None]]) -> list[MaskPrediction]:
        """Ask on the windows around objects."""
        return self._look(asked, True)

    def _look(
        self, asked: Sequence[tuple[SegmentRequest, Region | None]], closer: bool
    ) -> list[MaskPrediction]:
        """Ask on windows; `closer` says that they are around objects, whose size is known by that."""
        looks = self._looks([(request, region) for request, region in asked if region is not None])
        found = self._answers_to([look.part for look in looks], closer)
        return [_back(look, answer, self._spec.side) for look, answer in zip(looks, found, strict=True)]

    def _looks(self, asked: Sequence[tuple[SegmentRequest, Region]]) -> list[Look]:
        """Ask the same on windows of planes."""
        crops: dict[tuple[int, PlaneRef, Region], Volume] = {}
        looks = []
        for request, region in asked:
            place = (id(request.volume), request.plane, region)
            if place not in crops:  # objects that share a window share its greys and its key, too
                crops[place] = _crop(request.volume, request.plane, region)
            looks.append(_closer(request, region, crops[place], self._spec.side))
        return looks


def _region(request: SegmentRequest, extent: Region | None) -> Region | None:
    """Give the window for an object, or None for the whole plane."""
    if extent is None:
        return None
    plane_hw = request.plane.shape_hw(request.volume.shape)
    region = zoom_window(extent, plane_hw)
    return None if region == (0, 0, *plane_hw) else region


_AT = PlaneRef(0, 0)
"""The one plane of a window's volume."""


def _crop(volume: Volume, plane: PlaneRef, region: Region) -> Volume:
    """Cut a window out of a plane, as a volume of one plane."""
    row0, col0, row1, col1 = region
    part = np.asarray(plane.take(volume.data))[row0:row1, col0:col1]
    geometry = Geometry.from_spacing((1, row1 - row0, col1 - col0))
    return Volume(part[None], geometry, volume.provenance)


def _closer(request: SegmentRequest, region: Region, volume: Volume, side: int) -> Look:
    """Ask the same of a window and the volume cut out by it; clicks outside it are left out."""
    row0, col0, row1, col1 = region
    prompts: list[Prompt] = []
    for prompt in request.prompts:
        if isinstance(prompt, PointPrompt):
            row, col = request.plane.rc(prompt.at)
            if row0 <= row < row1 and col0 <= col < col1:
                prompts.append(PointPrompt((0.0, row - row0, col - col0), prompt.positive))
        elif isinstance(prompt, BoxPrompt):
            top, left, bottom, right = request.plane.box_hw(prompt.box)
            prompts.append(BoxPrompt(_AT.box_of((top - row0, left - col0, bottom - row0, right - col0))))
        else:
            mask = prompt.mask.to_plane(request.plane, request.volume.shape)[row0:row1, col0:col1]
            prompts.append(MaskPrompt(BoxedMask.of_plane(mask, _AT, volume.shape)))
    hint = None if request.hint is None else _hint_closer(request, region, side)
    part = replace(request, volume=volume, plane=_AT, prompts=tuple(prompts), hint=hint)
    return Look(request, region, part)


def _hint_closer(request: SegmentRequest, region: Region, side: int) -> NDArray[np.floating]:
    """Cut a hint of the whole plane to a window."""
    hint = request.hint
    if hint is None or hint.ndim != 2:
        return np.zeros((0, 0, 0))  # the model's own check says what is wrong with it
    plane_hw = request.plane.shape_hw(request.volume.shape)
    closer: NDArray[np.float32] = to_window_hint(_tensor(hint), plane_hw, region, side // 4).numpy()
    return closer


def _back(look: Look, answer: MaskPrediction, side: int) -> MaskPrediction:
    """Bring an answer of a window back to its plane."""
    plane, shape = look.whole.plane, look.whole.volume.shape
    plane_hw, hints = plane.shape_hw(shape), _tensor(answer.hints)
    masks = tuple(_moved(mask, answer.plane, plane, look.region) for mask in answer.masks)
    whole = to_plane_hint(hints, side, plane_hw, look.region, hint_side(plane_hw, side)).half().numpy()
    return replace(answer, plane=plane, masks=masks, hints=whole)


def _moved(mask: BoxedMask, at: PlaneRef, plane: PlaneRef, region: Region) -> BoxedMask:
    """Bring a mask of a window back to its plane."""
    row0, col0, _, _ = at.box_hw(mask.box)
    bits: NDArray[np.bool_] = np.asarray(mask.bits.any(axis=at.axis))
    return BoxedMask.of_part(bits, plane, (row0 + region[0], col0 + region[1]))


def _beside(answer: MaskPrediction, other: MaskPrediction) -> MaskPrediction:
    """Let the best mask of another answer take the place of the worst one, if it is fairly likely.

    So a person who meant the whole, and got a part of it, finds it among the candidates.
    """
    chosen, worst = other.best, int(answer.scores.argmin())
    if other.scores[chosen] < FAIRLY_LIKELY:
        return answer
    masks, scores, hints = list(answer.masks), answer.scores.copy(), answer.hints.copy()
    masks[worst], scores[worst] = other.masks[chosen], other.scores[chosen]
    hint = _tensor(other.hints[chosen])[None, None]
    hints[worst] = (
        F.interpolate(hint, hints.shape[1:], mode="bilinear", align_corners=False)[0, 0].half().numpy()
    )
    return replace(answer, masks=tuple(masks), scores=scores, hints=hints)


def _tensor(logits: NDArray[np.floating]) -> Tensor:
    return torch.from_numpy(np.array(logits, dtype=np.float32))
