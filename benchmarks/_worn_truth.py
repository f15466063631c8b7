"""Segmenters that know the truth and answer with worn masks: the engine's own part, without any model.

What they answer hangs on plane, object and prompts alone, so every run is the same. Masks are shrunk, grown
and shifted, now and then leak into a neighbour, and are cut to the box that was asked for, so that a bad
prompt gives a bad mask. Scores follow the true overlap, presence the truth, both with noise.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.core.scores import mask_iou
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from volumes import Box, Volume

BoolPlane = NDArray[np.bool_]
HINT_SIDE = 64
BOX_SLACK = 0.15
"""A mask may reach so far beyond the box that was asked for, as a part of the box's side."""


LEAK_OF_POINTS = 4.0
"""How much more often a mask leaks where nothing but points was given."""


@dataclass(frozen=True)
class Wear:
    """How bad the answers are.

    Parameters
    ----------
    most_px : int
        Outlines move in or out by up to this, and masks aside by up to half of it.
    leak : float
        How often a mask runs into its neighbour.
    score_noise, presence_noise : float
        Standard deviation of what is added to scores, and taken from presence.
    """

    most_px: int
    leak: float
    score_noise: float
    presence_noise: float


WEAR = {"stub-mild": Wear(1, 0.03, 0.05, 0.1), "stub-rough": Wear(3, 0.12, 0.12, 0.25)}


class WornTruth:
    """A segmenter that answers from labels.

    Parameters
    ----------
    labels : NDArray of integers, shape (P, R, C)
        The truth of the one volume that it is asked about.
    wear : Wear
        How bad the answers are.
    """

    prompts = frozenset({"point", "box", "mask"})

    def __init__(self, labels: NDArray[np.integer], wear: Wear) -> None:
        self._labels, self._wear = labels, wear
        self.name = f"worn_truth.{wear.most_px}px"

    def prefetch(
        self,
        volume: Volume,
        planes: Sequence[PlaneRef],
        window: Window,
        cancel: Cancel | None = None,
        around: Box | None = None,
    ) -> None:
        """Do nothing: there is nothing to prepare."""

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        """Answer with three worn masks of what the prompts mean; where that is nothing, with a speck."""
        plane, shape = request.plane, request.volume.shape
        labels = plane.take(self._labels)
        pointed = _where(request, labels.shape)
        value = _meant(request, labels, pointed)
        rng = np.random.default_rng([plane.axis, plane.index, value, _digest(request)])
        truth = labels == value if value else np.zeros(labels.shape, np.bool_)
        leak = self._wear.leak if _says_how_large(request) else LEAK_OF_POINTS * self._wear.leak
        target = truth if value else _speck(pointed)
        masks = [self._worn(target, labels, leak, rng) & _allowed(request, labels.shape) for _ in range(3)]
        for mask in masks:
            for prompt in request.prompts:
                _obey(mask, prompt, plane, truth)
        noise = self._wear.score_noise * rng.standard_normal(3)
        quality = [mask_iou(mask, truth) if value else 0.2 for mask in masks]
        absent = abs(self._wear.presence_noise * rng.standard_normal())
        return MaskPrediction(
            plane,
            tuple(BoxedMask.of_plane(mask, plane, shape) for mask in masks),
            np.clip(np.add(quality, noise), 0.0, 1.0).astype(np.float32),
            np.stack([_hint(mask) for mask in masks]),
            presence=float(np.clip(1.0 - absent if value else absent, 0.0, 1.0)),
        )

    def _worn(
        self, mask: BoolPlane, labels: NDArray[np.integer], leak: float, rng: np.random.Generator
    ) -> BoolPlane:
        most_px = self._wear.most_px
        if rng.random() < leak:
            near = ndimage.binary_dilation(mask, iterations=4 * most_px)
            mask = mask | (near & (labels > 0))
        box = tight_box(mask)
        if box is None:
            return mask
        depth_px = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
        rough = ndimage.gaussian_filter(rng.standard_normal(mask.shape), 4.0)
        offset = rng.uniform(-most_px, most_px) * min(1.0, (box[2] - box[0]) / 16)
        worn = depth_px + offset + most_px * rough / max(float(rough.std()), 1e-9) / 2 > 0
        steps = rng.integers(-(most_px // 2), most_px // 2 + 1, 2)
        return np.asarray(ndimage.shift(worn, steps, order=0, prefilter=False))


def _says_how_large(request: SegmentRequest) -> bool:
    return request.hint is not None or any(not isinstance(one, PointPrompt) for one in request.prompts)


def _digest(request: SegmentRequest) -> int:
    """Return a number of what was asked, masks and logits included."""
    number = 0
    for prompt in request.prompts:
        seen = prompt.mask.bits.tobytes() if isinstance(prompt, MaskPrompt) else repr(prompt).encode()
        number = zlib.crc32(seen, number)
    return zlib.crc32(b"" if request.hint is None else np.ascontiguousarray(request.hint).tobytes(), number)


def _where(request: SegmentRequest, shape_hw: tuple[int, ...]) -> BoolPlane:
    """Return the pixels that the prompts point at: points first, else the mask, else the box's middle."""
    plane, pointed = request.plane, np.zeros(shape_hw, np.bool_)
    for prompt in request.prompts:
        if isinstance(prompt, PointPrompt) and prompt.positive:
            row, col = plane.rc(prompt.at)
            pointed[int(row + 0.5), int(col + 0.5)] = True
    if pointed.any():
        return pointed
    for prompt in request.prompts:
        if isinstance(prompt, MaskPrompt):
            return prompt.mask.to_plane(plane, request.volume.shape)
    for prompt in request.prompts:
        if isinstance(prompt, BoxPrompt):
            row0, col0, row1, col1 = plane.box_hw(prompt.box)
            high, wide = (row1 - row0) // 4, (col1 - col0) // 4
            pointed[
                row0 + high : max(row1 - high, row0 + high + 1),
                col0 + wide : max(col1 - wide, col0 + wide + 1),
            ] = True
    if not request.prompts and request.hint is not None:
        rows, cols = (np.arange(n) * HINT_SIDE // n for n in shape_hw)
        pointed = np.asarray(request.hint[np.ix_(rows, cols)] > 0)
    return pointed


def _meant(request: SegmentRequest, labels: NDArray[np.integer], pointed: BoolPlane) -> int:
    """Return the label that prompts mean: the one that fits a given box best, else the commonest."""
    counts = np.bincount(labels[pointed].astype(np.int64), minlength=1)
    counts[0] = 0
    boxes = [request.plane.box_hw(p.box) for p in request.prompts if isinstance(p, BoxPrompt)]
    if boxes and np.count_nonzero(counts) > 1:
        inside = _filled(labels.shape, boxes[0])
        fits = [mask_iou(labels == v, inside) if n else -1.0 for v, n in enumerate(counts.tolist())]
        return int(np.argmax(fits))
    return int(np.argmax(counts))


def _speck(pointed: BoolPlane) -> BoolPlane:
    return np.asarray(ndimage.binary_dilation(pointed, iterations=2))


def _allowed(request: SegmentRequest, shape_hw: tuple[int, ...]) -> BoolPlane:
    boxes = [request.plane.box_hw(p.box) for p in request.prompts if isinstance(p, BoxPrompt)]
    if not boxes:
        return np.ones(shape_hw, np.bool_)
    row0, col0, row1, col1 = boxes[0]
    high, wide = (int(np.ceil(BOX_SLACK * side)) for side in (row1 - row0, col1 - col0))
    return _filled(shape_hw, (max(0, row0 - high), max(0, col0 - wide), row1 + high, col1 + wide))


def _filled(shape_hw: tuple[int, ...], box: tuple[int, int, int, int]) -> BoolPlane:
    inside = np.zeros(shape_hw, np.bool_)
    inside[box[0] : box[2], box[1] : box[3]] = True
    return inside


def _obey(mask: BoolPlane, prompt: object, plane: PlaneRef, truth: BoolPlane) -> None:
    """Make a mask right around a point, as models do."""
    if isinstance(prompt, PointPrompt):
        row, col = (int(at + 0.5) for at in plane.rc(prompt.at))
        around = (slice(max(0, row - 4), row + 5), slice(max(0, col - 4), col + 5))
        mask[around] = truth[around]


def _hint(mask: BoolPlane) -> NDArray[np.float16]:
    small = ndimage.zoom(mask.astype(np.float32), [HINT_SIDE / n for n in mask.shape], order=1)
    return np.asarray(8.0 * small - 4.0, np.float16)
