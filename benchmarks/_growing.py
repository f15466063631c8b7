"""Classical growing in three dimensions from what a person showed, with usual settings and no model.

None of the settings was fitted to the volumes of the table. Each method sees a part of the volume around
the prompts: half the object's width more on each side, and all planes, since nobody says where it ends.
Lengths are in units of the volume's smallest step, so that settings mean the same in CT and in microscopy: in
mm, steps of a tenth of a micrometre take the walker minutes to solve, and end the level set before it begins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks._shown import BoolVolume, Shown
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt
from napari_sam.core.segmenter import Segmenter

MOST_VOXELS = 250_000
"""A larger part of a volume is made coarser in its planes."""

POINT_SIDE = 0.2
"""Side of the square that stands in for a box around a point, as a part of the plane's shorter side."""

BETA, TOLERANCE, ROUNDING = 130.0, 1e-4, 0.05
DEVIATIONS, CURVATURE, STEPS = 2.0, 1.0, 200


@dataclass(frozen=True, eq=False)
class _Part:
    """The grey values (0..1) around the prompts, coarser where large, with what is object and what is not.

    Its `spacing` is the step along each axis over the smallest one of the volume.
    """

    where: tuple[slice, slice, slice]
    grey: NDArray[np.float32]
    inside: BoolVolume
    outside: BoolVolume
    spacing: tuple[float, float, float]

    def to_volume(self, found: NDArray[np.bool_], shape: tuple[int, int, int]) -> BoolVolume:
        """Lay a mask of the part into a volume."""
        whole = np.zeros(shape, np.bool_)
        size = whole[self.where].shape
        places = [np.minimum(np.arange(n) * m // n, m - 1) for n, m in zip(size, found.shape, strict=True)]
        whole[self.where] = found[np.ix_(*places)]
        return whole


def random_walker(_: Segmenter, shown: Shown) -> BoolVolume:
    """Grady's random walker (2006) as scikit-image has it, with its own beta.

    Seeds: the inner half of each box is object; what lies beyond a box in its plane, and the border of the
    part that is looked at, is not.
    """
    from skimage.segmentation import random_walker as walk

    part = _part_of(shown)
    seeds = np.where(part.outside, 2, 0).astype(np.int32)
    seeds[part.inside] = 1
    smooth = ndimage.gaussian_filter(part.grey, (0, 1, 1))
    found = walk(
        smooth, seeds, beta=BETA, mode="cg_j", tol=TOLERANCE, prob_tol=ROUNDING, spacing=part.spacing
    )
    return part.to_volume(np.asarray(found == 1), shown.volume.shape)


def level_set(_: Segmenter, shown: Shown) -> BoolVolume:
    """SimpleITK's threshold level set, from the inner half of each box, two planes thick.

    Thresholds are mean and two standard deviations of its grey values, smoothed; curvature
    and propagation weigh the same.
    """
    import SimpleITK

    part = _part_of(shown)
    grey = ndimage.gaussian_filter(255.0 * part.grey, (0, 1, 1))
    levels = grey[part.inside]
    reach = max(DEVIATIONS * float(levels.std()), 1.0)
    away = ndimage.distance_transform_edt(~part.inside, sampling=part.spacing)
    start = SimpleITK.GetImageFromArray((2 * max(part.spacing) - away).astype(np.float32))
    image = SimpleITK.GetImageFromArray(grey.astype(np.float32))
    for one in (start, image):
        one.SetSpacing(part.spacing[::-1])
    rule = SimpleITK.ThresholdSegmentationLevelSetImageFilter()
    rule.SetLowerThreshold(float(levels.mean()) - reach)
    rule.SetUpperThreshold(float(levels.mean()) + reach)
    rule.SetMaximumRMSError(0.02)
    rule.SetNumberOfIterations(STEPS)
    rule.SetCurvatureScaling(CURVATURE)
    rule.SetPropagationScaling(1.0)
    rule.SetReverseExpansionDirection(True)  # so that it grows where the object is above 0
    found = SimpleITK.GetArrayFromImage(rule.Execute(start, image)) > 0
    return part.to_volume(found & ~part.outside, shown.volume.shape)


def _part_of(shown: Shown) -> _Part:
    shape, spacing_mm = shown.volume.shape, shown.volume.geometry.spacing_mm
    boxes = {index: _box_of(prompts[0], shape) for index, prompts in shown.prompts.items()}
    low = [min(box[axis] for box in boxes.values()) for axis in (0, 1)]
    high = [max(box[axis + 2] for box in boxes.values()) for axis in (0, 1)]
    margins = [max(2, (high[axis] - low[axis]) // 2) for axis in (0, 1)]
    where = (
        slice(0, shape[0]),
        *(slice(max(0, low[axis] - margins[axis]), high[axis] + margins[axis]) for axis in (0, 1)),
    )
    inside, outside = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_)
    for index, (row0, col0, row1, col1) in boxes.items():
        if isinstance(shown.prompts[index][0], BoxPrompt):
            outside[index] = True
            outside[index, row0:row1, col0:col1] = False
        high_px, wide_px = (row1 - row0) // 4, (col1 - col0) // 4
        inside[index, row0 + high_px : row1 - high_px, col0 + wide_px : col1 - wide_px] = True
    cut = np.asarray(shown.volume.data[where])
    seen = np.stack([shown.window.to_uint8(plane) for plane in cut]).astype(np.float32) / 255
    grey = seen.mean(axis=-1) if shown.volume.is_rgb else seen
    step = int(np.ceil(np.sqrt(max(1.0, grey.size / MOST_VOXELS))))
    thin = (slice(None), slice(None, None, step), slice(None, None, step))
    parts = [array[where][thin].copy() for array in (inside, outside)]
    for axis in range(3):
        for end in (0, -1):
            np.moveaxis(parts[1], axis, 0)[end] |= not _is_edge(where, shape, axis, end)
    plane, row, column = (float(length_mm) / float(min(spacing_mm)) for length_mm in spacing_mm)
    return _Part(
        (where[0], where[1], where[2]), np.ascontiguousarray(grey[thin]), parts[0], parts[1] & ~parts[0],
        (plane, row * step, column * step),
    )  # fmt: skip


def _is_edge(where: tuple[slice, ...], shape: tuple[int, int, int], axis: int, end: int) -> bool:
    """Return whether the part ends where the volume does: the object may go on there."""
    return where[axis].start == 0 if end == 0 else where[axis].stop >= shape[axis]


def _box_of(prompt: Prompt, shape: tuple[int, int, int]) -> tuple[int, int, int, int]:
    if isinstance(prompt, BoxPrompt):
        (_, row0, col0), (_, row1, col1) = prompt.box.start, prompt.box.stop
        return row0, col0, row1, col1
    if not isinstance(prompt, PointPrompt):
        raise TypeError(
            f"growing starts from a box or a point, not {type(prompt).__name__}; show one of these"
        )
    half = max(2, round(POINT_SIDE * min(shape[1:]) / 2))
    row, col = int(prompt.at[1]), int(prompt.at[2])
    return max(0, row - half), max(0, col - half), min(shape[1], row + half), min(shape[2], col + half)
