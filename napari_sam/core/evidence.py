"""What speaks for a mask being the object that is followed: five numbers, without asking a model again.

They come from the answer itself (the predicted IoU, how alike the candidates are), from the plane before
(overlap) and from the grey levels, which are held against those of the anchor.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.masks import BoxedMask, iou

__all__ = ["AnchorLook", "Evidence", "gather_evidence", "log_odds"]

LEAST_SPREAD = 4.0
"""Added to a spread, in grey levels of 0 to 255: one level is no reason to expect exactly that."""

FAMILIAR_SPREADS = 2.5
"""How many spreads from the anchor's mean a level may lie and still be familiar."""

MOST_SHIFT = 4.0
"""Larger shifts say no more than this one."""

LEAST_SHARE = 0.02
"""Predicted IoUs are held to be between this and 1 minus this."""


LevelsOf: TypeAlias = Callable[[BoxedMask], NDArray[np.floating]]


@dataclass(frozen=True)
class AnchorLook:
    """How an object looks in its anchor: mean and spread (a standard deviation) of its levels, 0 to 255."""

    mean: float
    spread: float

    @classmethod
    def of_levels(cls, levels: NDArray[np.floating]) -> AnchorLook:
        """Take the look of some levels ``(n,)``, n > 0."""
        return cls(float(levels.mean()), float(levels.std()) + LEAST_SPREAD)

    def familiar(self, levels: NDArray[np.floating]) -> float:
        """Return the part of some levels ``(n,)`` that the anchor could have; 0 of none."""
        near = np.abs(levels - self.mean) < FAMILIAR_SPREADS * self.spread
        return int(np.count_nonzero(near)) / near.size if near.size else 0.0

    def shift(self, levels: NDArray[np.floating]) -> float:
        """Return how many spreads the mean of levels ``(n,)`` lies from the anchor's, up to `MOST_SHIFT`."""
        if not levels.size:
            return MOST_SHIFT
        return min(abs(float(levels.mean()) - self.mean) / self.spread, MOST_SHIFT)


@dataclass(frozen=True)
class Evidence:
    """What speaks for one candidate.

    Parameters
    ----------
    score : float
        Log odds of its predicted IoU.
    overlap : float
        Its IoU with the mask of the plane before.
    agreement : float
        Mean IoU with all candidates of the answer, itself included.
    fading : float
        Part of its grey levels that the anchor could have, less the part of what lies in this plane under the
        mask of the plane before.
    shift : float
        How many spreads its mean grey level lies from the anchor's.
    """

    score: float
    overlap: float
    agreement: float
    fading: float
    shift: float

    @property
    def numbers(self) -> tuple[float, ...]:
        """All of them, in their order."""
        return self.score, self.overlap, self.agreement, self.fading, self.shift


def gather_evidence(
    levels_of: LevelsOf,
    look: AnchorLook,
    before: BoxedMask,
    scores: Sequence[float],
    kept: Sequence[BoxedMask],
    only: int | None = None,
) -> tuple[Evidence, ...]:
    """Say what speaks for the candidates of an answer.

    Parameters
    ----------
    levels_of : callable
        A mask of the answer's plane to its grey levels ``(n,)``, 0 to 255.
    look : AnchorLook
        How the object looks in its anchor.
    before : BoxedMask
        The object in the plane before, moved to the answer's plane; not empty.
    scores : sequence of float
        Predicted IoU of each candidate.
    kept : sequence of BoxedMask
        Of each candidate, what would be written.
    only : int, optional
        The one candidate that is asked about.

    Returns
    -------
    tuple of Evidence
        Of each candidate, or of the one.
    """
    beneath = look.familiar(levels_of(before))
    found, known = [], dict[tuple[int, int], float]()
    for k in range(len(kept)) if only is None else (only,):
        levels = np.zeros(0) if kept[k].is_empty else levels_of(kept[k])
        alike = []
        for i, mask in enumerate(kept):
            known[k, i] = known.get((i, k)) or (1.0 if i == k and not mask.is_empty else iou(kept[k], mask))
            alike.append(known[k, i])
        agreement = float(np.mean(alike))
        familiar = look.familiar(levels) - beneath
        found.append(
            Evidence(log_odds(scores[k]), iou(before, kept[k]), agreement, familiar, look.shift(levels))
        )
    return tuple(found)


def log_odds(share: float) -> float:
    """Return the log odds of a predicted IoU, which is held to be between `LEAST_SHARE` and 1 minus that."""
    share = min(max(share, LEAST_SHARE), 1.0 - LEAST_SHARE)
    return math.log(share / (1.0 - share))
