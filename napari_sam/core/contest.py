"""Who gets a pixel that several objects claim in one plane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.masks import BoxedMask
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from volumes import Box

__all__ = ["claim_order", "part_claims", "without_masks"]


def part_claims(
    requests: Sequence[SegmentRequest], answers: Sequence[MaskPrediction], chosen: Sequence[int]
) -> list[MaskPrediction]:
    """Give each pixel that several objects claim to the one whose logit there is highest.

    Logits are brought to the plane with bilinear weights from the hints' padded square. Where an answer has
    none, the predicted IoUs decide. Of equals, the object whose mask begins first in the plane wins, then the
    smaller one: ids and the order of the arguments say nothing unless the masks are the same.

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
    parted = []
    for own, (request, answer) in enumerate(zip(requests, answers, strict=True)):
        masks = []
        for candidate, mask in enumerate(answer.masks):
            kept = mask
            for other, rival in enumerate(answers):
                pair = (answer, candidate), (rival, chosen[other])
                lost = None if other == own else _won(request, pair, other < own)
                kept = kept if lost is None else _less(kept, lost)
            masks.append(kept)
        parted.append(replace(answer, masks=tuple(masks)))
    return parted


def without_masks(answer: MaskPrediction, taken: Sequence[BoxedMask]) -> MaskPrediction:
    """Return an answer whose candidates hold no voxel of masks in the same plane."""
    masks = answer.masks
    for other in taken:
        masks = tuple(_less(mask, other) for mask in masks)
    return replace(answer, masks=masks)


def claim_order(mask: BoxedMask) -> tuple[tuple[int, ...], int]:
    """Return what masks of a plane are put in order by, whatever their objects' ids: place, then area."""
    return tuple(mask.box.start), mask.area


def _won(
    request: SegmentRequest,
    pair: tuple[tuple[MaskPrediction, int], tuple[MaskPrediction, int]],
    rival_first: bool,
) -> BoxedMask | None:
    """Return the pixels of the first answer's candidate that the second's wins; None where they are apart."""
    a, b = (answer.masks[candidate] for answer, candidate in pair)
    common = a.box.intersection(b.box)
    if common is None or common.is_empty:
        return None
    bits = a.bits[_inside(common, a)] & b.bits[_inside(common, b)]
    places = np.argwhere(bits) + np.array(common.start)
    mine, theirs = _all_levels(request, pair, places)
    goes_first = (claim_order(b), not rival_first) < (claim_order(a), rival_first)
    bits[bits] = theirs >= mine if goes_first else theirs > mine
    return BoxedMask(common, bits)


def _inside(box: Box, mask: BoxedMask) -> tuple[slice, ...]:
    """Return where a box lies in a mask's bits."""
    start = mask.box.start
    return box.shift((-start[0], -start[1], -start[2])).slices()


def _all_levels(
    request: SegmentRequest,
    pair: tuple[tuple[MaskPrediction, int], tuple[MaskPrediction, int]],
    places: NDArray[np.integer],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how sure two candidates are of voxels ``(n, 3)``: logits ``(n,)``, or else scores."""
    (answer, own), (rival, other) = pair
    mine, theirs = _levels(request, answer, own, places), _levels(request, rival, other, places)
    if mine is None or theirs is None:
        mine = np.full(len(places), float(answer.scores[own]))
        theirs = np.full(len(places), float(rival.scores[other]))
    return mine, theirs


def _levels(
    request: SegmentRequest, answer: MaskPrediction, candidate: int, places: NDArray[np.integer]
) -> NDArray[np.float64] | None:
    """Return a candidate's logits ``(n,)`` at voxels ``(n, 3)``; None where it has none."""
    hint = answer.hints[candidate]
    if hint.size == 0:
        return None
    plane_hw = request.plane.shape_hw(request.volume.shape)
    scale = max(hint.shape) / max(plane_hw)
    rows_cols = np.delete(places, request.plane.axis, axis=1).T
    return np.asarray(
        ndimage.map_coordinates(
            hint.astype(np.float64), (rows_cols + 0.5) * scale - 0.5, order=1, mode="nearest"
        )
    )


def _less(mask: BoxedMask, other: BoxedMask) -> BoxedMask:
    """Return a mask without the voxels of another, cut to its new box."""
    common = mask.box.intersection(other.box)
    if common is None or common.is_empty:
        return mask
    theirs = other.bits[_inside(common, other)]
    if not (mask.bits[_inside(common, mask)] & theirs).any():
        return mask
    bits = mask.bits.copy()
    bits[_inside(common, mask)] &= ~theirs
    tight = Box.of_mask(bits, mask.box.start)
    if tight is None:
        start = mask.box.start
        return BoxedMask(Box(start, start), np.zeros((0, 0, 0), dtype=np.bool_))
    return BoxedMask(mask.box, bits).within(tight)
