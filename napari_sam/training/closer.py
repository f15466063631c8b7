"""Windows around single objects, as small objects are asked for (decision 8)."""

from __future__ import annotations

import math

import torch
from scipy import ndimage
from torch import Tensor

from napari_sam.training.fields import uniform, whole

CLOSER_SHARE = 0.35
"""Part of the pairs that are seen through such a window."""

TIMES_AS_LARGE = (3.0, 6.5)
"""How many times as large as the object the window is: `napari_sam.engine.zoom` takes 4 to 5.7."""

LARGEST_PART = 0.8
"""Windows that would be a larger part of the picture than this show the whole picture."""

_LEAST_SIDE = 40


def look_closer(image: Tensor, labels: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cut a square window around a small object out of both planes.

    Parameters
    ----------
    image : Tensor
        ``(2, 3, H, W)``.
    labels : Tensor
        ``(2, H, W)`` int64.
    rng : torch.Generator
        Where chance comes from.

    Returns
    -------
    tuple of Tensor
        Image and labels of the window; as they came where no object is small enough.
    """
    boxes = [box for box in ndimage.find_objects(labels[0].cpu().numpy()) if box is not None]
    if not boxes:
        return image, labels
    rows, columns = boxes[whole(0, len(boxes) - 1, rng)]
    size = max(rows.stop - rows.start, columns.stop - columns.start)
    least, most = (math.log(times * size) for times in TIMES_AS_LARGE)
    side = max(_LEAST_SIDE, math.ceil(math.exp(uniform(least, most, rng))))
    if side > LARGEST_PART * max(labels.shape[1:]):
        return image, labels
    down, across = (
        _place(span, side, length, rng)
        for span, length in zip((rows, columns), labels.shape[1:], strict=True)
    )
    return image[:, :, down, across], labels[:, down, across]


def _place(span: slice, side: int, length: int, rng: torch.Generator) -> slice:
    """Put a window over a span, up to a quarter of its side off, inside of ``length`` pixels."""
    if side >= length:
        return slice(0, length)
    middle = (span.start + span.stop) / 2 + uniform(-0.25, 0.25, rng) * side
    first = min(max(0, round(middle - side / 2)), length - side)
    return slice(first, first + side)
