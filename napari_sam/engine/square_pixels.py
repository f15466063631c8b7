"""Planes whose pixels are far from square are shown to the model as they look: with square pixels.

A volume of thick slices is squashed where it is cut across them: of a round kidney a few rows are left. The
model has learned from pictures as people see them. So each row (or column) is drawn as often as its pixels
are longer than wide, an odd number of times, so that masks come back by counting.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.engine.model_prompts import check_request, without_unused_mask
from napari_sam.engine.outlining import OutliningSegmenter
from volumes import Box, Geometry, Volume

__all__ = ["DrawnPlane", "SquarePixelSegmenter", "times_drawn"]

OBLONG = 2.1
"""Pixels longer than this many times their width are drawn square."""

MOST_TIMES = 15
"""A row is drawn at most so often: beyond that there is nothing to be seen between two of them."""

_AT = PlaneRef(0, 0)
"""The one plane of a drawn volume."""


def times_drawn(volume: Volume, plane: PlaneRef) -> tuple[int, int]:
    """Say how often each row and each column of a plane is drawn: (1, 1) up to pixels of about two by one.

    Parameters
    ----------
    volume : Volume
        Its geometry says how long voxels are.
    plane : PlaneRef
        Across any axis.
    """
    spacing = volume.geometry.spacing_mm
    down, across = (spacing[axis] for axis in range(3) if axis != plane.axis)
    return _odd(down / across), _odd(across / down)


def _odd(ratio: float) -> int:
    """Choose the odd number of times nearest to a ratio: of odd numbers more than half is never a tie."""
    return 1 if ratio <= OBLONG else min(2 * int(ratio // 2) + 1, MOST_TIMES)


@dataclass(frozen=True, eq=False)
class DrawnPlane:
    """A plane with about square pixels, and the way from it and back.

    Attributes
    ----------
    volume, plane : Volume, PlaneRef
        A volume of the drawn plane alone, and that plane; those that were given where nothing is to be drawn.
    times : tuple of int
        How often each row and each column of the plane is drawn.
    """

    volume: Volume
    plane: PlaneRef
    times: tuple[int, int]

    @classmethod
    def of(cls, volume: Volume, plane: PlaneRef) -> DrawnPlane:
        """Draw a plane; one with square pixels stays as it is."""
        times = times_drawn(volume, plane)
        if times == (1, 1):
            return cls(volume, plane, times)
        picture = np.asarray(plane.take(volume.data))
        for axis in (0, 1):
            picture = _drawn_along(picture, axis, times[axis])
        geometry = Geometry.from_spacing((1, *picture.shape[:2]))
        return cls(Volume(picture[None], geometry, volume.provenance), _AT, times)

    @property
    def is_same(self) -> bool:
        """Whether the plane is as it was."""
        return self.times == (1, 1)

    def asked(self, request: SegmentRequest) -> SegmentRequest:
        """Ask the same of the drawn plane; hints are of the drawn plane always."""
        if self.is_same:
            return request
        prompts = tuple(self._prompt(prompt, request) for prompt in request.prompts)
        return replace(request, volume=self.volume, plane=self.plane, prompts=prompts)

    def _prompt(self, prompt: Prompt, request: SegmentRequest) -> Prompt:
        down, across = self.times
        if isinstance(prompt, PointPrompt):
            row, col = request.plane.rc(prompt.at)
            at = self.plane.at((row + 0.5) * down - 0.5, (col + 0.5) * across - 0.5)
            return replace(prompt, at=at)
        if isinstance(prompt, BoxPrompt):
            return replace(prompt, box=self.box(request.plane, prompt.box))
        mask = prompt.mask.to_plane(request.plane, request.volume.shape)
        mask = mask.repeat(down, axis=0).repeat(across, axis=1)
        return replace(prompt, mask=BoxedMask.of_plane(mask, self.plane, self.volume.shape))

    def box(self, plane: PlaneRef, box: Box) -> Box:
        """Bring a box of the plane to the drawn one."""
        down, across = self.times
        row0, col0, row1, col1 = plane.box_hw(box)
        return self.plane.box_of((row0 * down, col0 * across, row1 * down, col1 * across))

    def back(self, answer: MaskPrediction, plane: PlaneRef) -> MaskPrediction:
        """Bring an answer back: a pixel is in a mask where more than half of what was drawn of it is."""
        if self.is_same:
            return answer
        masks = tuple(self.mask_back(mask, plane) for mask in answer.masks)
        return replace(answer, plane=plane, masks=masks)

    def mask_back(self, mask: BoxedMask, plane: PlaneRef) -> BoxedMask:
        """Bring a mask back to the plane; empty where it has less than half of every pixel."""
        down, across = self.times
        row0, col0, row1, col1 = self.plane.box_hw(mask.box)
        top, left, bottom, right = row0 // down, col0 // across, -(-row1 // down), -(-col1 // across)
        part = mask.to_part(self.plane, (top * down, left * across, bottom * down, right * across))
        share = part.reshape(bottom - top, down, right - left, across).mean(axis=(1, 3))
        return BoxedMask.of_part(share > 0.5, plane, (top, left))


def _drawn_along(picture: NDArray[Any], axis: int, times: int) -> NDArray[Any]:
    """Draw each row or column so many times, linearly from the middle of one to that of the next."""
    if times == 1:
        return picture
    n = picture.shape[axis]
    at = ((np.arange(n * times) + 0.5) / times - 0.5).clip(0, n - 1)
    low = np.minimum(at.astype(int), max(n - 2, 0))
    high = np.minimum(low + 1, n - 1)
    share = (at - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(picture.ndim)])
    drawn: NDArray[Any] = picture.take(low, axis) * (1 - share) + picture.take(high, axis) * share
    is_whole = np.issubdtype(picture.dtype, np.integer)
    if is_whole:
        drawn = np.rint(drawn)
    return drawn.astype(picture.dtype)


class SquarePixelSegmenter(OutliningSegmenter):
    """Answers as `OutliningSegmenter` does, of planes drawn with square pixels.

    Hints of such a plane are of the drawn plane, which has the same frame at every request.
    """

    def segment_batch(self, requests: Sequence[SegmentRequest]) -> list[MaskPrediction]:
        """Answer several requests, in their order.

        Raises
        ------
        InvalidPrompt, UnsupportedPrompt
            As `SamSegmenter.segment`; the requests' prompts are checked before anything is encoded.
        """
        requests = [self._checked(request) for request in requests]
        places = [(id(request.volume), request.plane) for request in requests]
        known = {
            place: DrawnPlane.of(request.volume, request.plane)
            for place, request in dict(zip(places, requests, strict=True)).items()
        }
        drawn = [known[place] for place in places]
        answers = super().segment_batch([d.asked(r) for d, r in zip(drawn, requests, strict=True)])
        return [d.back(a, r.plane) for d, a, r in zip(drawn, answers, requests, strict=True)]

    def glance(self, request: SegmentRequest) -> MaskPrediction:
        """Answer from the whole plane, without a closer look.

        Raises
        ------
        InvalidPrompt, UnsupportedPrompt
            As `SamSegmenter.segment`.
        """
        request = self._checked(request)
        drawn = DrawnPlane.of(request.volume, request.plane)
        return drawn.back(super().glance(drawn.asked(request)), request.plane)

    def answers(self, request: SegmentRequest) -> Iterator[MaskPrediction]:
        """Yield what `OutliningSegmenter.answers` does.

        Raises
        ------
        InvalidPrompt, UnsupportedPrompt
            As `SamSegmenter.segment`, when the first is taken.
        """
        request = self._checked(request)
        drawn = DrawnPlane.of(request.volume, request.plane)
        for answer in super().answers(drawn.asked(request)):
            yield drawn.back(answer, request.plane)

    def prefetch(
        self,
        volume: Volume,
        planes: Sequence[PlaneRef],
        window: Window,
        cancel: Cancel | None = None,
        around: Box | None = None,
    ) -> None:
        """Encode planes, or the windows around an object in them, as `ZoomingSegmenter.prefetch` does."""
        if all(times_drawn(volume, plane) == (1, 1) for plane in planes):
            super().prefetch(volume, planes, window, cancel, around)
            return
        for plane in planes:
            drawn = DrawnPlane.of(volume, plane)
            box = None if around is None else drawn.box(plane, around)
            super().prefetch(drawn.volume, [drawn.plane], window, cancel, box)

    def is_encoded(self, volume: Volume, plane: PlaneRef, window: Window) -> bool:
        """Say whether a cache holds a plane, so that it need not be encoded before it is asked about."""
        drawn = DrawnPlane.of(volume, plane)
        return super().is_encoded(drawn.volume, drawn.plane, window)

    def _checked(self, request: SegmentRequest) -> SegmentRequest:
        """Check a request as it was made, so that what is wrong is said of the plane that was asked about."""
        request = without_unused_mask(request, self.prompts)
        check_request(request, self.name, self.prompts)
        return request
