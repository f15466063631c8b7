"""Squares in the middle plane of a small volume, as the answers of a model."""

from __future__ import annotations

import numpy as np

from napari_sam.core.edits import Edit
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session import Session

SHAPE = (7, 32, 48)
PLANE = PlaneRef(0, 3)


def square(row: int, col: int, side: int = 4, plane: PlaneRef = PLANE) -> BoxedMask:
    """A filled square in a plane."""
    box = plane.box_of((row, col, row + side, col + side))
    return BoxedMask(box, np.ones(box.shape, bool))


def answer(request: SegmentRequest, *masks: BoxedMask) -> MaskPrediction:
    """Masks as a model's candidates, with scores from 0.9 down to 0.7 and their number as the logits."""
    scores = np.linspace(0.9, 0.7, len(masks)).astype(np.float32)
    hints = np.stack([np.full((4, 4), k, np.float16) for k in range(len(masks))])
    return MaskPrediction(request.plane, masks, scores, hints)


def click(session: Session, mask: BoxedMask, object_id: int = 1) -> Edit | None:
    """Prompt somewhere, and let the model answer with a mask."""
    request = session.prompt(
        PLANE, PointPrompt(PLANE.at(mask.box.start[1], mask.box.start[2])), object_id=object_id
    )
    return session.apply(answer(request, mask), request)
