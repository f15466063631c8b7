"""Outlines moved to where the object's appearance ends, as far as the model leaves it open."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.appearance import Appearance, Grid
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.segmenter import MaskPrediction

__all__ = ["Sharpen", "depth_of", "keep_masks", "sharpen_by_appearance", "sharpened"]

Sharpen = Callable[[MaskPrediction, Sequence[BoxedMask], int, BoxedMask], BoxedMask]
"""(answer, its masks as they would be kept, the one that is taken, the mask of the plane before, in the
answer's plane) to the mask to take."""

AROUND = 0.15
"""How far beyond the masks an outline may be moved at most, as a part of the longer side of their box."""

REACH = 0.1
"""How far a log odds of 1 moves the outline, in radii of the disc of the object's area."""

MAX_LOG_ODDS = 3.0
CANDIDATES = 0.5
"""What all candidates count together for where the outline is; the one that is taken counts the rest."""

LEAST_SAME = 0.8
"""IoU of each anchor's mask with itself, sharpened, below which the appearance is held for wrong."""


def keep_masks(plan: PropagationPlan) -> Sharpen:
    """Take masks as the model gives them."""
    del plan
    return lambda answer, masks, chosen, previous: masks[chosen]


def sharpen_by_appearance(plan: PropagationPlan) -> Sharpen:
    """Learn what the object looks like in a plan's anchors, and move outlines by it.

    Where it does not look different from what is around it, masks stay as the model gives them.
    """
    anchors = {PlaneRef(plan.axis, index): seed.mask for index, seed in plan.seeds.items()}
    appearance = Appearance.of(plan.volume, plan.window, anchors)
    if appearance is None or not _gives_back(plan, appearance):
        return keep_masks(plan)
    is_chosen = any(seed.candidate is not None for seed in plan.seeds.values())

    def sharpen(
        answer: MaskPrediction, masks: Sequence[BoxedMask], chosen: int, previous: BoxedMask
    ) -> BoxedMask:
        mask = masks[chosen]
        if mask.is_empty:
            return mask
        plane, shape = answer.plane, plan.volume.shape
        box_hw = plane.box_hw(mask.box.union(previous.box))
        grid = Grid.around(box_hw, AROUND, plane.shape_hw(shape), appearance.stride)
        odds = appearance.log_odds(plan.volume, plan.window, plane, grid)
        parts = [one.to_part(plane, grid.part_hw) for one in masks]
        cells = [part[grid.cells_in_part] for part in parts]
        scores = [0.0 if is_chosen and k != chosen else x for k, x in enumerate(answer.scores.tolist())]
        changed = cells[chosen] ^ sharpened(cells, scores, chosen, odds)
        found = BoxedMask.of_part(parts[chosen] ^ grid.to_pixels(changed), plane, grid.part_hw[:2])
        return mask if found.is_empty else found

    return sharpen


def _gives_back(plan: PropagationPlan, appearance: Appearance) -> bool:
    """Return whether outlines in the anchors, which a person accepted, would stay about where they are."""
    for index, seed in plan.seeds.items():
        plane, shape = PlaneRef(plan.axis, index), plan.volume.shape
        box_hw = plane.box_hw(seed.mask.box)
        grid = Grid.around(box_hw, AROUND, plane.shape_hw(shape), appearance.stride)
        odds = appearance.log_odds(plan.volume, plan.window, plane, grid)
        mask = seed.mask.to_plane(plane, shape)[grid.cells]
        found = sharpened([mask], [1.0], 0, odds)
        if np.count_nonzero(mask & found) < LEAST_SAME * np.count_nonzero(mask | found):
            return False
    return True


def sharpened(
    masks: Sequence[NDArray[np.bool_]], scores: Sequence[float], chosen: int, log_odds: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Move the outline of one of a model's candidates.

    Parameters
    ----------
    masks : sequence of NDArray[bool], shape (h, w)
        The candidates; the signed distances to their outlines say how sure the model is.
    scores : sequence of float
        Each candidate's predicted IoU: how much it counts.
    chosen : int
        The candidate that is taken, not empty.
    log_odds : NDArray, shape (h, w)
        How much each cell looks like the object.

    Returns
    -------
    NDArray[bool], shape (h, w)
        As the candidate where nothing would be left. Specks are taken off: what is new has to be two cells
        wide.
    """
    mask = masks[chosen]
    radius = float(np.sqrt(np.count_nonzero(mask) / np.pi))
    counts = np.array([max(x, 0.0) * one.any() for x, one in zip(scores, masks, strict=True)])
    shares = CANDIDATES * counts / max(counts.sum(), 1e-6)
    shares[chosen] += 1.0 - shares.sum()
    depth = sum(share * depth_of(one, radius) for share, one in zip(shares, masks, strict=True) if share)
    odds = ndimage.uniform_filter(np.clip(log_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS), 3)
    found = depth + REACH * radius * odds > 0
    thin = mask & ~ndimage.binary_opening(mask)
    found = ndimage.binary_opening(found) | (found & thin)
    return found if found.any() else mask


def depth_of(mask: NDArray[np.bool_], most: float) -> NDArray[np.float32]:
    """Return the cells' distance to the outline, positive inside, no more than `most` either way."""
    inside, outside = (_distance(part) for part in (mask, ~mask))
    return np.asarray(np.clip(inside - outside, -most, most), np.float32)


def _distance(part: NDArray[np.bool_]) -> NDArray[np.float32]:
    found = ndimage.distance_transform_edt(part) if not part.all() else np.full(part.shape, np.inf)
    return np.asarray(found, np.float32)
