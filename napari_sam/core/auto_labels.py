"""From overlapping masks to one label a pixel, by a rule that is stated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.auto_masks import AutoMask
from napari_sam.errors import SettingsError

__all__ = ["LabelRules", "OnTop", "draw_labels", "linked_ids"]

OnTop = Literal["better", "smaller"]

_ON_TOP = ("better", "smaller")


@dataclass(frozen=True)
class LabelRules:
    """Which masks become labels, and whose a pixel is that lies in several.

    Parameters
    ----------
    on_top : {"better", "smaller"}
        A pixel belongs to the mask of the higher quality (predicted IoU times stability), or to the smaller
        one, so that parts lie on wholes.
    min_visible_share : float
        A mask of which less is left, once those above it have theirs, gets no pixel at all.
    min_area_px : int
        Masks of fewer pixels get none.
    max_area_share : float
        Masks of more than this share of the plane, mostly its background, get none.

    Raises
    ------
    SettingsError
        A number out of its range, or a rule that is not known.
    """

    on_top: OnTop = "better"
    min_visible_share: float = 0.5
    min_area_px: int = 1
    max_area_share: float = 1.0

    def __post_init__(self) -> None:
        if self.on_top not in _ON_TOP:
            raise SettingsError(f"the rule for overlaps is {self.on_top!r}; choose of {', '.join(_ON_TOP)}")
        for name in ("min_visible_share", "max_area_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise SettingsError(f"{name} is {getattr(self, name):g}; give a share from 0 to 1")
        if self.min_area_px < 0:
            raise SettingsError(f"min_area_px is {self.min_area_px}; give 0 or more")


def draw_labels(
    masks: Sequence[AutoMask], ids: Sequence[int], plane_hw: tuple[int, int], rules: LabelRules
) -> NDArray[np.uint32]:
    """Draw the masks of a plane.

    Parameters
    ----------
    masks : sequence of AutoMask
        All of one plane.
    ids : sequence of int
        The label of each, from 1.
    plane_hw : tuple of int
        Height and width of the plane.
    rules : LabelRules
        Who gets which pixels.

    Returns
    -------
    NDArray[uint32], shape (H, W)
        0 where no mask is.
    """
    labels = np.zeros(plane_hw, dtype=np.uint32)
    areas = [mask.area_px for mask in masks]
    most = rules.max_area_share * plane_hw[0] * plane_hw[1]
    for number in sorted(range(len(masks)), key=lambda i: _rank(masks[i], areas[i], rules)):
        if not rules.min_area_px <= areas[number] <= most:
            continue
        row0, col0, row1, col1 = masks[number].box_hw
        under = labels[row0:row1, col0:col1]
        free = masks[number].mask.bits.reshape(under.shape) & (under == 0)
        if np.count_nonzero(free) >= max(1.0, rules.min_visible_share * areas[number]):
            under[free] = ids[number]
    return labels


def linked_ids(
    before: NDArray[np.integer[Any]], after: NDArray[np.integer[Any]], min_iou: float
) -> dict[int, int]:
    """Find which labels of a plane go on in the next one: pairs of high IoU, the best first, each label once.

    Parameters
    ----------
    before, after : NDArray[int], shape (H, W)
        Labels of two neighbouring planes, 0 for none.
    min_iou : float
        Pairs that overlap less are not the same object.

    Returns
    -------
    dict of int to int
        Labels of `after`, and the label of `before` that each goes on.
    """
    old, old_index, old_areas = _numbered(before)
    new, new_index, new_areas = _numbered(after)
    common = np.zeros((len(old), len(new)), dtype=np.int64)
    np.add.at(common, (old_index, new_index), 1)
    overlap = common / (old_areas[:, None] + new_areas[None] - common)
    overlap[old == 0] = overlap[:, new == 0] = 0
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for place in np.argsort(-overlap, axis=None, kind="stable"):
        row, col = divmod(int(place), len(new))
        if overlap[row, col] < max(min_iou, np.finfo(float).tiny):
            break
        if int(new[col]) not in pairs and int(old[row]) not in taken:
            pairs[int(new[col])] = int(old[row])
            taken.add(int(old[row]))
    return pairs


def _numbered(labels: NDArray[np.integer[Any]]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Give the labels there are, the number of each pixel's label among them, and their areas."""
    there, index, areas = np.unique(labels, return_inverse=True, return_counts=True)
    return there, index.ravel(), areas


def _rank(mask: AutoMask, area: int, rules: LabelRules) -> tuple[float, float]:
    """Give what masks are sorted by: the smallest lies on top."""
    quality = -mask.predicted_iou * mask.stability
    return (quality, float(area)) if rules.on_top == "better" else (float(area), quality)
