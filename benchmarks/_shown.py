"""What a person shows of an object, in the one form that every way to follow it takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.masks import BoxedMask, innermost_point, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt
from napari_sam.core.segmenter import Segmenter, SegmentRequest
from napari_sam.core.window import Window, resolve_window
from volumes import Volume

BoolVolume: TypeAlias = NDArray[np.bool_]

SHOWN = {
    "box": "one box on the middle plane",
    "point": "one point on the middle plane",
    "three": "three boxes",
}


@dataclass(frozen=True, eq=False)
class Shown:
    """What a person showed.

    Attributes
    ----------
    volume, window
        The image.
    prompts : dict of int to tuple of Prompt
        By plane along axis 0.
    ends : tuple of int
        The object's true first and last plane, for methods that are given them.
    is_film : bool
        Whether planes are moments; a person knows, and says so.
    """

    volume: Volume
    window: Window
    prompts: dict[int, tuple[Prompt, ...]]
    ends: tuple[int, int]
    is_film: bool = False


Method: TypeAlias = Callable[[Segmenter, Shown], BoolVolume]


def show(volume: Volume, truth: BoolVolume, way: str, is_film: bool = False) -> Shown:
    """Make the prompts: tight boxes, or the innermost point, from the true mask (P, R, C)."""
    planes = np.flatnonzero(truth.any(axis=(1, 2)))
    n_planes = len(planes)
    middle = int(planes[n_planes // 2])
    indices = (
        {middle} if way != "three" else {int(planes[n_planes // 6]), middle, int(planes[-1 - n_planes // 6])}
    )
    prompts = {}
    for index in sorted(indices):
        plane = PlaneRef(0, index)
        if way == "point":
            prompts[index] = (PointPrompt(plane.at(*innermost_point(truth[index]))),)
        else:
            prompts[index] = (BoxPrompt(plane.box_of(tight_box(truth[index]) or (0, 0, 1, 1))),)
    return Shown(volume, resolve_window(volume), prompts, (int(planes[0]), int(planes[-1])), is_film)


def anchor_masks(segmenter: Segmenter, shown: Shown) -> dict[int, BoxedMask]:
    """Ask for the mask of each plane in which something was shown."""
    masks = {}
    for index, prompts in shown.prompts.items():
        request = SegmentRequest(shown.volume, PlaneRef(0, index), shown.window, prompts)
        answer = segmenter.segment(request)
        masks[index] = answer.masks[answer.best]
    return masks


def planes_together(masks: dict[int, BoxedMask], volume: Volume) -> BoolVolume:
    """Put masks of planes into one volume."""
    whole = np.zeros(volume.shape, dtype=np.bool_)
    for index, mask in masks.items():
        whole[index] = mask.to_plane(PlaneRef(0, index), volume.shape)
    return whole
