"""Sharp outlines in large planes: what was found is asked for again on parts of its plane, along the outline.

Each part is asked with the mask so far, a box around what lies in the part, and the clicks in it. Only the
candidate that would be taken is drawn anew, and only near its outline, where the part shows about the same;
scores and hints stay as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from napari_sam.core.masks import tight_box
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.core.scores import mask_iou
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.engine.fine_outlines import BLURRED, BLURRED_FOLLOWED, outline_parts, redrawn, seen_at
from napari_sam.engine.frame import Frame
from napari_sam.engine.hint_frames import Region
from napari_sam.engine.zoom import Look, ZoomingSegmenter

__all__ = ["OutliningSegmenter"]

ROOM = 0.05
"""Room around what lies in a part, on all sides of its box, in sides of the part."""

AGREES = 0.7
"""Least overlap (IoU) of what is found in a part with what was found before; else it is another thing."""

CELL_PX = 4
"""Pixels of the model's input along a cell of the decoder: outlines are off by one."""


class OutliningSegmenter(ZoomingSegmenter):
    """Answers as `ZoomingSegmenter` does, with outlines as sharp as the plane is."""

    def segment_batch(self, requests: Sequence[SegmentRequest]) -> list[MaskPrediction]:
        """Answer several requests, in their order.

        Raises
        ------
        InvalidPrompt, UnsupportedPrompt
            As `SamSegmenter.segment`; the requests' prompts are checked before anything is encoded.
        """
        answers = super().segment_batch(requests)
        looks = [self._along(*pair) for pair in zip(requests, answers, strict=True)]
        found = iter(self._answers_to([look.part for some in looks for look in some], True, draws=False))
        return [
            self._outlined(request, answer, [(look, next(found)) for look in some])
            for request, answer, some in zip(requests, answers, looks, strict=True)
        ]

    def answers(self, request: SegmentRequest) -> Iterator[MaskPrediction]:
        """Yield a glance where a closer look or a part has to be encoded first, then the answer of `segment`.

        Raises
        ------
        InvalidPrompt, UnsupportedPrompt
            As `SamSegmenter.segment`, when the first is taken.
        """
        has_glanced = False
        for answer in super().answers(request):
            if answer.is_glance:
                has_glanced = True
                yield answer
                continue
            looks = self._along(request, answer)
            parts = [look.part for look in looks]
            is_ready = has_glanced or all(self.is_encoded(p.volume, p.plane, p.window) for p in parts)
            if not is_ready and self._is_seen(request):
                yield self.glance(request)
            found = self._answers_to(parts, True, draws=False)
            yield self._outlined(request, answer, list(zip(looks, found, strict=True)))

    def _along(self, request: SegmentRequest, answer: MaskPrediction) -> list[Look]:
        """Ask for what was found on the parts along its outline; nothing where that is sharp already."""
        mask, plane = answer.masks[answer.best], request.plane
        sharp_side = (BLURRED_FOLLOWED if request.is_followed else BLURRED) * self._spec.side
        parts = outline_parts(mask, plane, plane.shape_hw(request.volume.shape), sharp_side)
        clicks = tuple(prompt for prompt in request.prompts if isinstance(prompt, PointPrompt))
        asked = []
        for part in parts:
            box = BoxPrompt(plane.box_of(_around(mask.to_part(plane, part), part)))
            shown = replace(request, prompts=(*clicks, box), hint=answer.hints[answer.best])
            asked.append((shown, part))
        return self._looks(asked)

    def _outlined(
        self, request: SegmentRequest, answer: MaskPrediction, found: Sequence[tuple[Look, MaskPrediction]]
    ) -> MaskPrediction:
        """Draw the outline anew where its parts were asked."""
        plane, mask = request.plane, answer.masks[answer.best]
        parts = [
            (look.region, logits)
            for look, of_part in found
            if (logits := _logits(look, of_part, self._spec.side)) is not None
        ]
        if not parts:
            return answer
        plane_hw = plane.shape_hw(request.volume.shape)
        reach = round(CELL_PX * seen_at(mask, plane, plane_hw) / self._spec.side)
        outlined = redrawn(mask, plane, plane_hw, parts, reach)
        clicked = [prompt.at for prompt in request.prompts if isinstance(prompt, PointPrompt)]
        masks = list(answer.masks)
        masks[answer.best] = outlined.without_specks(self._spec.tidy, clicked)
        return replace(answer, masks=tuple(masks))


def _around(inside: NDArray[np.bool_], part: Region) -> Region:
    """Give a box with some room around what lies in a part, in the plane's rows and columns."""
    top, left, bottom, right = tight_box(inside) or (0, 0, *inside.shape)
    room = math.ceil(ROOM * max(inside.shape))
    return (
        part[0] + max(0, top - room), part[1] + max(0, left - room),
        part[0] + min(inside.shape[0], bottom + room), part[1] + min(inside.shape[1], right + room),
    )  # fmt: skip


def _logits(look: Look, answer: MaskPrediction, side: int) -> NDArray[np.float32] | None:
    """Give the logits of a part's pixels; None where it shows another thing.

    Those from before and those of the part are added: where there is nothing but noise from near, its logits
    are small, and the outline stays.
    """
    before, now = (np.asarray(logits, np.float32) for logits in (look.part.hint, answer.hints[answer.best]))
    if mask_iou(before > 0, now > 0) < AGREES:
        return None
    top, left, bottom, right = look.region
    both = torch.from_numpy(now + before)[None]
    logits: NDArray[np.float32] = Frame((bottom - top, right - left), side).plane_logits(both)[0].numpy()
    return logits
