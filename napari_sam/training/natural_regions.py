"""Regions of photographs as objects: what stands out by colour, beside what a person labelled.

A photograph with one labelled object shows dozens of other things with real edges. They are found by merging
pixels (Felzenszwalb and Huttenlocher, "Efficient graph-based image segmentation", 2004); ragged ones are left
out. After Wong et al., "ScribblePrompt" (2024), who train on superpixels of real pictures.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import regionprops
from skimage.segmentation import felzenszwalb, watershed

from napari_sam.training.fields import whole
from napari_sam.training.real_images import LabelledFrames

SCALES = (200.0, 500.0, 1200.0)
"""How readily regions merge; larger makes larger regions."""

MIN_SHARE, MAX_SHARE = 1e-3, 0.3
"""Part of the picture that a region may take."""

OUTLINE_PX = 2
"""How far off the merging leaves outlines."""

MIN_SOLIDITY = 0.7
"""Least part of its convex hull that a region fills: ragged ones are texture, not objects."""


class NaturalRegions:
    """Finds the regions of pictures, each picture and scale once.

    Pictures are told apart by `LabelledFrames.name`.
    """

    def __init__(self) -> None:
        self._found: dict[tuple[str, int, float], NDArray[np.int32]] = {}

    def draw(self, item: LabelledFrames, rng: torch.Generator) -> LabelledFrames:
        """Draw one of the frames with its regions at one of the scales as a picture of its own."""
        frame = whole(0, len(item.images) - 1, rng)
        scale = SCALES[whole(0, len(SCALES) - 1, rng)]
        key = (item.name, frame, scale)
        if key not in self._found:
            self._found[key] = find_regions(item.images[frame], scale)
        return LabelledFrames((item.images[frame],), (self._found[key],), item.kind, item.name)


def find_regions(image: NDArray[np.uint8], scale: float) -> NDArray[np.int32]:
    """Find regions of an ``(H, W, 3)`` picture; their numbers ``(H, W)`` int32, 0 where none is of use."""
    pieces = _on_edges(image, _merged(image, scale))
    labels = np.zeros(pieces.shape, dtype=np.int32)
    for region in regionprops(pieces):
        share = region.area / pieces.size
        if MIN_SHARE <= share <= MAX_SHARE and region.solidity >= MIN_SOLIDITY:
            labels[pieces == region.label] = region.label
    return labels


def _merged(image: NDArray[np.uint8], scale: float) -> NDArray[np.int64]:
    """Merge pixels of the picture at half its size, which takes a fifth of the time; ``(H, W)`` from 1."""
    height, width = (max(2, size // 2 * 2) for size in image.shape[:2])
    squares = image[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
    half = squares.mean(axis=(1, 3)).astype(np.uint8)
    pieces = felzenszwalb(half, scale=scale, sigma=0.6, min_size=25) + 1
    rows, columns = (
        np.minimum(np.arange(size) // 2, few - 1)
        for size, few in zip(image.shape[:2], pieces.shape, strict=True)
    )
    return np.asarray(pieces[rows][:, columns])


def _on_edges(image: NDArray[np.uint8], pieces: NDArray[np.int64]) -> NDArray[np.int64]:
    """Move outlines, which the merging leaves a pixel or two off, to the steepest place nearby."""
    size = 2 * OUTLINE_PX + 1
    inner = ndimage.minimum_filter(pieces, size) == ndimage.maximum_filter(pieces, size)
    steepness = sum(ndimage.gaussian_gradient_magnitude(image[..., c].astype(float), 0.7) for c in range(3))
    return np.asarray(watershed(steepness, np.where(inner, pieces, 0)))
