"""Who gets a voxel that several objects claim in one plane: one rule, whether prompted or followed there."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from napari_sam.core.masks import BoxedMask
from napari_sam.core.overlaps import common_part, less
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.sureness import Claim, Home

__all__ = ["claim_order", "part_claims", "settle", "without_masks"]


def settle(claims: Mapping[int, Claim]) -> dict[int, BoxedMask]:
    """Give each voxel that several objects claim in a plane to the one that is surest of it.

    How sure says `napari_sam.core.sureness`. Of equals, the object whose mask begins first in the plane wins,
    then the smaller one; ids and their order say nothing unless the masks are the same.

    Parameters
    ----------
    claims : mapping of int to Claim
        By object, all of one plane.

    Returns
    -------
    dict of int to BoxedMask
        What each object gets; no two have a voxel in common.
    """
    kept = {object_id: claim.mask for object_id, claim in claims.items()}
    order = sorted(kept, key=lambda object_id: claim_order(kept[object_id]))
    rivals: dict[int, list[int]] = {object_id: [] for object_id in order}
    for first, second in combinations(order, 2):
        common = common_part(claims[first].mask, claims[second].mask)
        if not common.is_empty:
            won_by_second = _won(claims[first], claims[second], common, rival_first=False)
            kept[first] = less(kept[first], won_by_second)
            kept[second] = less(kept[second], less(common, won_by_second))
            rivals[first].append(second)
            rivals[second].append(first)
    for object_id in order:  # what three win from each other in a circle goes to the first of them
        if len(rivals[object_id]) > 1:
            whole = claims[object_id].mask
            kept[object_id] = functools.reduce(less, (kept[rival] for rival in rivals[object_id]), whole)
    return kept


def part_claims(
    requests: Sequence[SegmentRequest], answers: Sequence[MaskPrediction], chosen: Sequence[int]
) -> list[MaskPrediction]:
    """Give each pixel that several prompted objects claim to the one that is surest of it, as `settle` does.

    Here each object is at home in its own mask, and no plane lies on the way.

    Parameters
    ----------
    requests, answers : sequence
        What was asked, all of one plane, and the answers.
    chosen : sequence of int
        Which candidate of each answer stands for its object.

    Returns
    -------
    list of MaskPrediction
        With every candidate less what rivals won from it. Hints are as they were.
    """
    claims = [
        [_prompted(request, answer, candidate) for candidate in range(len(answer.masks))]
        for request, answer in zip(requests, answers, strict=True)
    ]
    rivals = [own[candidate] for own, candidate in zip(claims, chosen, strict=True)]
    settled = settle(dict(enumerate(rivals)))
    parted = []
    for number, answer in enumerate(answers):
        masks = [_left(claim, number, rivals) for claim in claims[number]]
        masks[chosen[number]] = settled[number]
        parted.append(replace(answer, masks=tuple(masks)))
    return parted


def without_masks(answer: MaskPrediction, taken: Sequence[BoxedMask]) -> MaskPrediction:
    """Return an answer whose candidates hold no voxel of masks in the same plane."""
    masks = answer.masks
    for other in taken:
        masks = tuple(less(mask, other) for mask in masks)
    return replace(answer, masks=masks)


def claim_order(mask: BoxedMask) -> tuple[tuple[int, ...], int]:
    """Return what masks of a plane are put in order by, whatever their objects' ids: place, then area."""
    return tuple(mask.box.start), mask.area


def _left(claim: Claim, number: int, rivals: Sequence[Claim]) -> BoxedMask:
    """Return what the claims of all others leave of another candidate of an object."""
    kept = claim.mask
    for other, rival in enumerate(rivals):
        common = common_part(claim.mask, rival.mask)
        if other != number and not common.is_empty:
            rival_first = (claim_order(rival.mask), other) < (claim_order(claim.mask), number)
            kept = less(kept, _won(claim, rival, common, rival_first))
    return kept


def _prompted(request: SegmentRequest, answer: MaskPrediction, candidate: int) -> Claim:
    """Make the claim of an object that was prompted in this plane."""
    mask, score = answer.masks[candidate], float(answer.scores[candidate])
    home = Home(request.plane.axis, mask)
    return Claim(request.plane, request.volume.shape, mask, answer.hints[candidate], score, home)


def _won(claim: Claim, rival: Claim, common: BoxedMask, rival_first: bool) -> BoxedMask:
    """Return what a rival wins of the voxels that both claim; `rival_first` says who wins of equals."""
    places = np.argwhere(common.bits) + np.array(common.box.start)
    by_logits = claim.has_logits and rival.has_logits
    mine, theirs = claim.levels(places, by_logits), rival.levels(places, by_logits)
    bits = common.bits.copy()
    bits[bits] = theirs >= mine if rival_first else theirs > mine
    return BoxedMask(common.box, bits)
