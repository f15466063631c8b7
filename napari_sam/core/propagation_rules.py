"""What propagation decides in each plane: which candidate to take, and whether the object is lost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from napari_sam.core.planes import PlaneRef
from napari_sam.core.segmenter import MaskPrediction
from volumes import Box

__all__ = ["PropagationLimits", "choose_candidate", "preferred_candidate", "reason_to_stop"]


NEAR_BEST = 0.5
"""Part of the best score that a candidate needs to stand in for the best."""


@dataclass(frozen=True)
class PropagationLimits:
    """When propagation stops, and how it asks.

    `min_presence`, `min_score`, `min_overlap`, `max_area_ratio`, `min_familiar` and `slack_px` are the single
    limits of the parts "limits"; by default `min_trust` weighs all that together.

    Parameters
    ----------
    min_presence : float
        Stops where the model holds it for less probable that the object is in the plane at all.
    min_score : float
        Stops where the predicted IoU of the mask is lower.
    min_overlap : float
        Stops where the IoU with the mask of the plane before is lower.
    max_area_ratio : float
        Stops where the area grows or shrinks by more than this factor from plane to plane. An IoU is never
        above the ratio of the areas, so this rule adds something only below ``1 / min_overlap``.
    min_piece_overlap : float
        Pieces of a mask of which a smaller part lies in the mask of the plane before are left out: they are
        islands of something else.
    max_growth : float
        Stops where the area is more than this many times that of the anchor the front left: growth that is
        small from plane to plane adds up when it is a leak.
    min_familiar : float
        Stops where a smaller part of the mask's voxels has grey levels that the anchor's mask has; see
        `napari_sam.core.intensity`.
    slack_px : float
        A change that moving the outline by so many pixels explains is never a reason to stop. Without it,
        small objects, whose area is mostly outline, would end early.
    margin : float
        How far the next plane's box reaches beyond the mask, as a part of the box's height and width.
    min_margin_px : int
        But at least so many pixels.
    n_prefetched : int
        How many planes are named to `Segmenter.prefetch` at a time. None by default: what is asked for is
        encoded then, and where the object will be two planes further is a guess.
    min_trust : float
        Stops where all evidence together says less; see `napari_sam.core.trust`.
    sure_trust : float
        A plane with less is written, but called doubtful.
    min_precision : float
        Beyond one anchor or two, a doubtful plane is the end where a smaller part of its mask is expected to
        be the object; see `napari_sam.core.ending`.
    fills_between : bool
        Whether planes between two anchors that no front could fill get the shape between their neighbours.
    n_passed_over : int
        How many planes a front that ended may pass over to find the object again.
    repairs : bool
        Whether planes that agree with neither side are asked for again from both.
    """

    min_presence: float = 0.5
    min_score: float = 0.2
    min_overlap: float = 0.4
    max_area_ratio: float = 2.5
    min_piece_overlap: float = 0.3
    max_growth: float = 3.0
    min_familiar: float = 0.5
    slack_px: float = 1.0
    margin: float = 0.05
    min_margin_px: int = 1
    n_prefetched: int = 0
    min_trust: float = 0.15
    sure_trust: float = 0.6
    min_precision: float = 0.35
    fills_between: bool = True
    n_passed_over: int = 0
    repairs: bool = True

    def grown_box(self, box: Box, plane: PlaneRef, volume_shape: tuple[int, int, int]) -> Box:
        """Return a mask's box with its margin, clipped to the plane."""
        margins = [max(self.min_margin_px, math.ceil(self.margin * side)) for side in box.shape]
        margins[plane.axis] = 0
        return box.grow(margins).clip(volume_shape)


def choose_candidate(
    scores: Sequence[float],
    overlaps: Sequence[float],
    reasons: Sequence[str],
    preferred: int | None = None,
) -> int:
    """Return the preferred candidate, or the best by score and overlap of those that break no rule.

    A candidate that the model itself holds for much worse than its best is never taken.

    Parameters
    ----------
    scores, overlaps : sequence of float
        Each candidate's predicted IoU, and its IoU with the mask of the plane before; their sum counts.
    reasons : sequence of str
        Which rule each candidate breaks, as `reason_to_stop` says it. Where all break one, the best still
        is named.
    preferred : int, optional
        What the model itself would take; it is taken where it breaks no rule.
    """
    if preferred is not None and not reasons[preferred]:
        return preferred
    least = min(NEAR_BEST * max(scores), max(scores))  # a predicted IoU may be below 0
    credible = [k for k, score in enumerate(scores) if score >= least]
    return max(credible, key=lambda k: (not reasons[k], scores[k] + overlaps[k]))


def preferred_candidate(answer: MaskPrediction, chosen: int | None) -> int | None:
    """Return the candidate to take where it breaks no rule, or None where all have a chance.

    Where the model leaves open what is meant, as after a single point, its candidates are of the same kinds
    in each plane (a part, an object, a group): the kind that a person chose in the anchor goes on.
    """
    if answer.preferred is not None or chosen is None or chosen >= len(answer.masks):
        return answer.preferred
    return chosen


def reason_to_stop(
    limits: PropagationLimits, score: float, overlap: float, area_before_px: int, area_px: int
) -> str:
    """Return which rule a plane's mask breaks.

    Parameters
    ----------
    limits : PropagationLimits
        The rules.
    score, overlap : float
        Predicted IoU of the mask, and its IoU with the mask of the plane before.
    area_before_px, area_px : int
        Area of the mask of the plane before, above 0, and of this one.

    Returns
    -------
    str
        ``"empty"``, ``"score"``, ``"overlap"``, ``"area"``, in this order, or ``""`` for none.
    """
    if area_px == 0:
        return "empty"
    if score < limits.min_score:
        return "score"
    side_px = math.sqrt(area_before_px)  # of a square of that area, whose outline is moved in and out
    shrunk_area_px = max(side_px - 2 * limits.slack_px, 0.0) ** 2
    grown_area_px = (side_px + 2 * limits.slack_px) ** 2
    explained = min(shrunk_area_px / area_before_px, area_before_px / grown_area_px)
    if overlap == 0.0 or overlap < min(limits.min_overlap, explained):
        return "overlap"
    smallest_px = min(area_before_px / limits.max_area_ratio, shrunk_area_px)
    largest_px = max(area_before_px * limits.max_area_ratio, grown_area_px)
    return "" if smallest_px <= area_px <= largest_px else "area"
