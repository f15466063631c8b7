"""Outlines moved to where the object's appearance ends, as far as the model leaves it open."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.appearance import Appearance, Grid
from napari_sam.core.depths import opened, signed_depths
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.segmenter import MaskPrediction

__all__ = ["Sharpen", "keep_masks", "sharpen_by_appearance", "sharpened"]

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
        bits = _drawn(grid, parts[chosen], cells[chosen], _field(cells, scores, chosen, odds))
        found = BoxedMask.of_part(bits, plane, grid.part_hw[:2])
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
    return _inside(_field(masks, scores, chosen, log_odds), masks[chosen])


def _field(
    masks: Sequence[NDArray[np.bool_]], scores: Sequence[float], chosen: int, log_odds: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Return how far cells lie inside, in cells: what the model says and the appearance, added up."""
    radius = float(np.sqrt(np.count_nonzero(masks[chosen]) / np.pi))
    counts = np.array([max(x, 0.0) * one.any() for x, one in zip(scores, masks, strict=True)])
    shares = CANDIDATES * counts / max(counts.sum(), 1e-6)
    shares[chosen] += 1.0 - shares.sum()
    counted = np.flatnonzero(shares).tolist()
    depths = signed_depths(np.stack([masks[k] for k in counted]), radius)
    depth = sum(share * one for share, one in zip(shares[counted], depths, strict=True))
    odds = ndimage.uniform_filter(np.clip(log_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS), 3)
    return np.asarray(depth + REACH * radius * odds, np.float32)


def _inside(field: NDArray[np.float32], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the cells inside, without new specks; the mask as it was where nothing would be left."""
    found = field > 0
    found = opened(found) | (found & _thin(mask))
    return found if found.any() else mask


def _thin(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the part of a mask that an opening would take off."""
    return np.asarray(mask & ~opened(mask))


def _drawn(
    grid: Grid, part: NDArray[np.bool_], mask: NDArray[np.bool_], field: NDArray[np.float32]
) -> NDArray[np.bool_]:
    """Draw a moved outline into a part of the plane, and leave the rest of it as the model gave it.

    On a coarse grid the outline runs between the cells, and pixels follow most of those around them: whole
    cells would leave steps, and specks where the mask's own outline runs through a cell.

    Parameters
    ----------
    grid : Grid
        The cells.
    part : NDArray[bool], shape (H, W)
        The model's mask in the grid's part of the plane.
    mask, field : NDArray, shape (h, w)
        The same in cells, and how far each lies inside.
    """
    found = _inside(field, mask)
    changed = mask ^ found
    if grid.stride == 1 or not changed.any():
        return np.asarray(part ^ grid.to_pixels(changed))
    near = ndimage.binary_dilation(changed)
    field = np.where((field > 0) & ~found, np.float32(-0.5), field)
    drawn = np.where(grid.to_pixels(near), _between(field, grid, part.shape) > 0, part)
    return np.where(grid.to_pixels(near & ~_thin(mask)), _as_most(drawn), drawn)


def _as_most(bits: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return at each pixel what most of the three by three around it are; edges go on beyond the part."""
    n = np.pad(bits, 1, mode="edge").view(np.uint8)
    n = n[:-2] + n[1:-1] + n[2:]
    return np.asarray(n[:, :-2] + n[:, 1:-1] + n[:, 2:] > 4)


def _between(field: NDArray[np.float32], grid: Grid, part_hw: tuple[int, ...]) -> NDArray[np.float32]:
    """Return a field of cells at each pixel of the grid's part, straight between neighbouring cells."""
    for axis, (cells, n) in enumerate(zip(grid.cells_in_part, part_hw, strict=True)):
        at = np.clip((np.arange(n) - cells.start) / grid.stride, 0, field.shape[axis] - 1)
        low = at.astype(np.intp)
        share = (at - low).astype(np.float32)
        high = np.minimum(low + 1, field.shape[axis] - 1)
        share = share[:, None] if axis == 0 else share
        field = field.take(low, axis) * (1 - share) + field.take(high, axis) * share
    return field
