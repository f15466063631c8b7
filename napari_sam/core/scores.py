"""How well a mask agrees with the truth, and a number with what it predicts: plain measures on arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, stats

from napari_sam.core.masks import tight_box

__all__ = [
    "BOUNDARY_TOLERANCE_PX",
    "SurfaceDistance",
    "auc",
    "boundary_f",
    "clicks_needed",
    "correlation",
    "dice",
    "mask_iou",
    "surface_distance",
]

BOUNDARY_TOLERANCE_PX = 2.0
"""How far two outlines may lie apart and still agree, in pixels of the image."""


@dataclass(frozen=True)
class SurfaceDistance:
    """How far two surfaces lie apart, in mm.

    Attributes
    ----------
    mean_mm : float
        Mean distance of every voxel of either surface to the other surface.
    p95_mm : float
        95th percentile of these distances.
    """

    mean_mm: float
    p95_mm: float


def mask_iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks of one shape; 1 where both are empty."""
    either = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / either if either else 1.0


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Dice coefficient of two masks of one shape; 1 where both are empty."""
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2 * int(np.count_nonzero(a & b)) / total if total else 1.0


def boundary_f(
    found: NDArray[np.bool_], truth: NDArray[np.bool_], tolerance_px: float = BOUNDARY_TOLERANCE_PX
) -> float:
    """Harmonic mean of how much of each mask's outline has the other's nearby.

    The measure of Martin et al. (Learning to detect natural image boundaries, 2004) as Perazzi et al. (DAVIS,
    2016) use it on masks, but with a tolerance in pixels instead of a share of the image's diagonal, so that
    it asks the same of a small object in a large image. The outline is the mask's own pixels that have one
    outside it, or the image's border, as a neighbour by a side.

    Parameters
    ----------
    found, truth : NDArray[bool], shape (H, W)
        The masks.
    tolerance_px : float
        Largest distance between pixels of the outlines that agree.

    Returns
    -------
    float
        0 to 1; 1 where both are empty, 0 where one is.
    """
    box_hw = tight_box(found | truth)
    if box_hw is None:
        return 1.0
    inside = (slice(box_hw[0], box_hw[2]), slice(box_hw[1], box_hw[3]))
    outlines = [_outline(mask[inside]) for mask in (found, truth)]
    if not all(outline.any() for outline in outlines):
        return 0.0
    precision, recall = (
        float((ndimage.distance_transform_edt(~other)[own] <= tolerance_px).mean())
        for own, other in (outlines, outlines[::-1])
    )
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def surface_distance(
    found: NDArray[np.bool_], truth: NDArray[np.bool_], spacing_mm: Sequence[float]
) -> SurfaceDistance:
    """Measure how far the surfaces of two masks lie apart, both ways taken together.

    A surface is the mask's own voxels that have one outside it, or the array's border, as a neighbour by a
    side. Distances go from voxel centre to voxel centre. Both directions' distances are put in one list, of
    which mean and 95th percentile are taken (linear between neighbours).

    Parameters
    ----------
    found, truth : NDArray[bool], same shape, of any number of axes
        The masks.
    spacing_mm : sequence of float
        Step between voxel centres along each axis.

    Returns
    -------
    SurfaceDistance
        0 where both are empty, infinite where one is.
    """
    either = found | truth
    if not either.any():
        return SurfaceDistance(0.0, 0.0)
    if not (found.any() and truth.any()):
        return SurfaceDistance(math.inf, math.inf)
    surfaces = [_outline(mask) for mask in (found, truth)]
    inside = ndimage.find_objects(either.astype(np.int8))[0]
    both = [surface[inside] for surface in surfaces]
    distances_mm = np.concatenate(
        [
            ndimage.distance_transform_edt(~other, sampling=tuple(spacing_mm))[own]
            for own, other in (both, both[::-1])
        ]
    )
    return SurfaceDistance(float(distances_mm.mean()), float(np.percentile(distances_mm, 95)))


def clicks_needed(overlaps: Sequence[float], wanted: float, most: int) -> int:
    """Return the first click whose mask reaches an IoU, counting from 1; `most` where none does."""
    reached = (number for number, overlap in enumerate(overlaps[:most], start=1) if overlap >= wanted)
    return next(reached, most)


def correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Pearson's correlation of two series of one length; None with fewer than two, or constant, values."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def auc(positives: Sequence[float], negatives: Sequence[float]) -> float | None:
    """Area under the receiver operating characteristic: the chance that a positive ranks above a negative.

    Ties count half. None without positives or without negatives.
    """
    if not positives or not negatives:
        return None
    ranks = stats.rankdata([*positives, *negatives])
    n = len(positives)
    above = float(ranks[:n].sum()) - n * (n + 1) / 2
    return above / (n * len(negatives))


def _outline(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask's pixels with a neighbour by a side outside it; the array's border is outside."""
    return np.asarray(mask & ~ndimage.binary_erosion(mask), dtype=np.bool_)
