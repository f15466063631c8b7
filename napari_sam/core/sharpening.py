"""Outlines moved by how an object looks and by errors in the anchors, as far as the model is unsure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.anchor_errors import AnchorErrors
from napari_sam.core.appearance import Appearance, Grid, stride_for
from napari_sam.core.depths import opened, signed_depths
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.segmenter import MaskPrediction

__all__ = ["Learning", "Sharpen", "keep_masks", "sharpen_by_anchors", "sharpen_by_appearance", "sharpened"]

Sharpen = Callable[[MaskPrediction, Sequence[BoxedMask], int, BoxedMask], BoxedMask]
"""(answer, its masks as they would be kept, the one that is taken, the mask of the plane before, in the
answer's plane) to the mask to take."""


@runtime_checkable
class Learning(Protocol):
    """A `Sharpen` that learns from what a model answers in the anchors' own planes, before it is called."""

    def learn(
        self, answer: MaskPrediction, masks: Sequence[BoxedMask], chosen: int, shown: BoxedMask
    ) -> None:
        """Take in what a model answers in an anchor's plane, asked as if the anchor were followed.

        Parameters
        ----------
        answer, masks, chosen : MaskPrediction, sequence of BoxedMask, int
            As where outlines are moved.
        shown : BoxedMask
            The anchor's mask, in the answer's plane.
        """


AROUND = 0.15
"""How far beyond the masks an outline may be moved at most, as a part of the longer side of their box."""

REACH = 0.1
"""How far a log odds of 1 moves the outline, in radii of the disc of the object's area."""

REACH_OF_ONE = 0.07
"""The same in a volume with a single anchor: one plane alone does not tell what is the object's own look."""

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
    return _Sharpener(plan)


def sharpen_by_anchors(plan: PropagationPlan) -> Sharpen:
    """Move outlines by appearance, and by what the model gets wrong in the anchors' own planes.

    Returns
    -------
    Learning
        Without what it learns, the same as from `sharpen_by_appearance`.
    """
    return _LearningSharpener(plan)


@dataclass(frozen=True, eq=False)
class _Look:
    """A model's mask, and how far it lies inside by all that is known.

    Parameters
    ----------
    grid : Grid
        The cells that are looked at.
    part : NDArray[bool], shape (H, W)
        The mask in the grid's part of the plane.
    cells, field : NDArray, shape (h, w)
        The mask in cells, and how far each lies inside, in cells.
    """

    grid: Grid
    part: NDArray[np.bool_]
    cells: NDArray[np.bool_]
    field: NDArray[np.float32]


class _Sharpener:
    """Moves the outlines of one propagation by what its anchors look like."""

    def __init__(self, plan: PropagationPlan) -> None:
        self._plan = plan
        anchors = {PlaneRef(plan.axis, index): seed.mask for index, seed in plan.seeds.items()}
        appearance = Appearance.of(plan.volume, plan.window, anchors)
        if appearance is not None and not _gives_back(plan, appearance):
            appearance = None
        self._appearance, self._stride = appearance, stride_for(plan.volume, anchors)
        self._reach = REACH
        self._is_chosen = any(seed.candidate is not None for seed in plan.seeds.values())

    @property
    def is_silent(self) -> bool:
        """Whether masks stay as they are."""
        return self._appearance is None

    def __call__(
        self, answer: MaskPrediction, masks: Sequence[BoxedMask], chosen: int, previous: BoxedMask
    ) -> BoxedMask:
        """Move one outline; the mask as it is where nothing would be left."""
        stays = self.is_silent or masks[chosen].is_empty
        look = None if stays else self._look(answer, masks, chosen, previous)
        if look is None:
            return masks[chosen]
        bits = _drawn(look.grid, look.part, look.cells, look.field + self._expected(answer.plane, look.cells))
        found = BoxedMask.of_part(bits, answer.plane, look.grid.part_hw[:2])
        return masks[chosen] if found.is_empty else found

    def _expected(self, plane: PlaneRef, cells: NDArray[np.bool_]) -> NDArray[np.float32] | float:
        """Say how much deeper the cells of a plane lie than is seen."""
        del plane, cells
        return 0.0

    def _look(
        self, answer: MaskPrediction, masks: Sequence[BoxedMask], chosen: int, beside: BoxedMask
    ) -> _Look | None:
        """Look at a mask and what is around it and another; None where no cell meets it."""
        plane, plan = answer.plane, self._plan
        box_hw = plane.box_hw(masks[chosen].box.union(beside.box))
        grid = Grid.around(box_hw, AROUND, plane.shape_hw(plan.volume.shape), self._stride)
        parts = [one.to_part(plane, grid.part_hw) for one in masks]
        cells = [part[grid.cells_in_part] for part in parts]
        if not cells[chosen].any():
            return None
        counts_alone = self._is_chosen or self._appearance is None
        scores = [0.0 if counts_alone and k != chosen else x for k, x in enumerate(answer.scores.tolist())]
        odds = np.zeros(cells[chosen].shape, np.float32)
        if self._appearance is not None:
            odds = self._appearance.log_odds(plan.volume, plan.window, plane, grid)
        return _Look(grid, parts[chosen], cells[chosen], _field(cells, scores, chosen, odds, self._reach))


class _LearningSharpener(_Sharpener):
    """Moves outlines by what the model gets wrong in the anchors as well."""

    def __init__(self, plan: PropagationPlan) -> None:
        super().__init__(plan)
        self._reach = REACH if len(plan.seeds) > 1 else REACH_OF_ONE
        self._errors = AnchorErrors()

    @property
    def is_silent(self) -> bool:
        return super().is_silent and not self._errors

    def learn(
        self, answer: MaskPrediction, masks: Sequence[BoxedMask], chosen: int, shown: BoxedMask
    ) -> None:
        """Take in what a model answers in an anchor's plane; see `Learning`."""
        look = self._look(answer, masks, chosen, shown)
        if look is not None:
            there = shown.to_part(answer.plane, look.grid.part_hw)[look.grid.cells_in_part]
            self._errors.learn(answer.plane.index, look.cells, _inside(look.field, look.cells), there)

    def _expected(self, plane: PlaneRef, cells: NDArray[np.bool_]) -> NDArray[np.float32] | float:
        return self._errors.carried(plane.index, cells)


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
    return _inside(_field(masks, scores, chosen, log_odds, REACH), masks[chosen])


def _field(
    masks: Sequence[NDArray[np.bool_]],
    scores: Sequence[float],
    chosen: int,
    log_odds: NDArray[np.floating],
    reach: float,
) -> NDArray[np.float32]:
    """Return how far cells lie inside, in cells: by the model, and `reach` radii for a log odds of 1."""
    radius = float(np.sqrt(np.count_nonzero(masks[chosen]) / np.pi))
    counts = np.array([max(x, 0.0) * one.any() for x, one in zip(scores, masks, strict=True)])
    shares = CANDIDATES * counts / max(counts.sum(), 1e-6)
    shares[chosen] += 1.0 - shares.sum()
    counted = np.flatnonzero(shares).tolist()
    depths = signed_depths(np.stack([masks[k] for k in counted]), radius)
    depth = sum(share * one for share, one in zip(shares[counted], depths, strict=True))
    odds = ndimage.uniform_filter(np.clip(log_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS), 3)
    return np.asarray(depth + reach * radius * odds, np.float32)


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
