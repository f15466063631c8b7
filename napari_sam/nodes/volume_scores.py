"""Judge a segmented volume: overlap, planes past or short of the object's ends, decay with distance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.scores import dice

__all__ = [
    "DISTANCES",
    "VolumeScore",
    "choose_anchor",
    "dice_by_distance",
    "distance_names",
    "planes_to_correct",
    "score_volume",
]

BoolVolume = NDArray[np.bool_]

RIGHT_DICE = 0.9
"""A plane whose mask agrees less with the truth is one that a person would correct."""

DISTANCES = ((0, 0), (1, 2), (3, 5), (6, 10), (11, 20), (21, 10_000))
"""Planes from the anchor, both ends included."""


@dataclass(frozen=True)
class VolumeScore:
    """One object in one volume, planes along axis 0.

    Attributes
    ----------
    dice, anchor_dice : float
        Over the volume, and on the prompted plane alone.
    n_planes : int
        Planes that the object truly has.
    too_many : tuple of int
        Planes filled beyond the object's first plane, and beyond its last.
    too_few : tuple of int
        Planes of the object missing at its first end, and at its last.
    counts : tuple of (int, int)
        For each of `DISTANCES` the voxels that agree, and the sum of both masks' voxels.
    """

    dice: float
    anchor_dice: float
    n_planes: int
    too_many: tuple[int, int]
    too_few: tuple[int, int]
    counts: tuple[tuple[int, int], ...]


def score_volume(found: BoolVolume, truth: BoolVolume, anchor: int) -> VolumeScore:
    """Compare two masks of shape (P, R, C); `truth` is not empty, `anchor` is the prompted plane's index."""
    true_planes = np.flatnonzero(truth.any(axis=(1, 2)))
    first, last = int(true_planes[0]), int(true_planes[-1])
    found_planes = np.flatnonzero(found.any(axis=(1, 2)))
    if len(found_planes):
        before, after = first - int(found_planes[0]), int(found_planes[-1]) - last
    else:
        before, after = -(anchor - first), -(last - anchor)
    return VolumeScore(
        dice(found, truth),
        dice(found[anchor], truth[anchor]),
        len(true_planes),
        (max(0, before), max(0, after)),
        (max(0, -before), max(0, -after)),
        _counts_by_distance(found, truth, anchor),
    )


def planes_to_correct(found: BoolVolume, truth: BoolVolume, right: float = RIGHT_DICE) -> int:
    """Count the planes along axis 0 whose Dice is below `right`; a plane that should be empty has to be."""
    agreeing = (found & truth).sum(axis=(1, 2))
    both = found.sum(axis=(1, 2)) + truth.sum(axis=(1, 2))
    return int(np.count_nonzero(2 * agreeing < right * both))


def dice_by_distance(scores: Sequence[VolumeScore]) -> list[float | None]:
    """Mean over the objects of the Dice in each band of `DISTANCES`; None where no object has voxels."""
    means: list[float | None] = []
    for band in range(len(DISTANCES)):
        values = [
            2 * score.counts[band][0] / score.counts[band][1] for score in scores if score.counts[band][1]
        ]
        means.append(float(np.mean(values)) if values else None)
    return means


def distance_names() -> list[str]:
    """Name each of `DISTANCES` for a table's head, such as ``"3-5"``."""
    last = DISTANCES[-1]
    return [
        f"{low}+" if (low, high) == last else f"{low}-{high}" if low < high else f"{low}"
        for low, high in DISTANCES
    ]


def choose_anchor(truth: BoolVolume, rule: str) -> int:
    """Choose the plane to prompt: the object's ``"middle"`` one, or the one of its ``"largest"`` area."""
    areas = truth.sum(axis=(1, 2))
    if rule == "largest":
        return int(np.argmax(areas))
    planes = np.flatnonzero(areas)
    return int(planes[len(planes) // 2])


def _counts_by_distance(found: BoolVolume, truth: BoolVolume, anchor: int) -> tuple[tuple[int, int], ...]:
    agreeing = (found & truth).sum(axis=(1, 2))
    both = found.sum(axis=(1, 2)) + truth.sum(axis=(1, 2))
    distance = np.abs(np.arange(len(truth)) - anchor)
    bands = ((distance >= low) & (distance <= high) for low, high in DISTANCES)
    return tuple((int(agreeing[band].sum()), int(both[band].sum())) for band in bands)
