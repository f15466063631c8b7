"""A box with room around its object, drawn closer.

People leave room around what they mean, and a model that was taught with boxes drawn close takes the room
for a part of it. Where the answer to a box stays away from three of its sides, the model is asked once more
with a box nearer to that answer; the new answer is kept where the model holds it for better.
"""

from __future__ import annotations

from dataclasses import replace

from napari_sam.core.prompts import BoxPrompt
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest

__all__ = ["better_of", "drawn_closer"]

LEAST_ROOM = 0.03
"""Room between an answer and a side of its box, as a part of the box: less is none."""

N_SIDES = 3
"""Sides with room from which on a box is loose; an answer that lacks a part is away from one or two."""

ROOM_LEFT = 0.3
"""Part of the room that the new box leaves."""

LEAST_GAIN = 0.01
"""By how much the predicted IoU of the new answer must be higher."""


def drawn_closer(request: SegmentRequest, answer: MaskPrediction) -> SegmentRequest | None:
    """Ask the same with a closer box.

    Parameters
    ----------
    request : SegmentRequest
        What was asked.
    answer : MaskPrediction
        What came of it.

    Returns
    -------
    SegmentRequest or None
        None where something else than a box was shown, or the answer reaches two of its sides.
    """
    shown, mask = request.prompts, answer.masks[answer.best]
    if len(shown) != 1 or not isinstance(shown[0], BoxPrompt) or request.hint is not None or mask.is_empty:
        return None
    box, found = (request.plane.box_hw(one) for one in (shown[0].box, mask.box))
    height, width = box[2] - box[0], box[3] - box[1]
    room = (
        (found[0] - box[0]) / height, (found[1] - box[1]) / width,
        (box[2] - found[2]) / height, (box[3] - found[3]) / width,
    )  # fmt: skip
    n_loose = sum(one > LEAST_ROOM for one in room)
    if n_loose < N_SIDES:
        return None
    top, left, bottom, right = (
        round(reached + ROOM_LEFT * (drawn - reached)) for drawn, reached in zip(box, found, strict=True)
    )
    closer = BoxPrompt(request.plane.box_of((top, left, bottom, right)))
    return replace(request, prompts=(closer,))


def better_of(answer: MaskPrediction, closer: MaskPrediction) -> MaskPrediction:
    """Keep the answer to the closer box where its predicted IoU is clearly higher."""
    gain = closer.scores[closer.best] - answer.scores[answer.best]
    return closer if gain > LEAST_GAIN else answer
