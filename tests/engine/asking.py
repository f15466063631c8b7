"""What segmenters are asked about the middle one of three planes, and whether two of them say the same."""

from __future__ import annotations

import numpy as np

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import Prompt
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from volumes import Volume

PLANE, WINDOW = PlaneRef(0, 1), Window(0, 255)


def ask(volume: Volume, *prompts: Prompt, hint: np.ndarray | None = None) -> SegmentRequest:
    """Ask about the plane."""
    return SegmentRequest(volume, PLANE, WINDOW, prompts, hint=hint)


def same(one: MaskPrediction, other: MaskPrediction) -> bool:
    """Compare masks, scores, hints and which candidate is preferred, bit for bit."""
    return (
        one.masks == other.masks
        and np.array_equal(one.scores, other.scores)
        and np.array_equal(one.hints, other.hints)
        and one.preferred == other.preferred
    )
