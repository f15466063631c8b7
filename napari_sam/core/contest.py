"""Who gets a pixel that several objects claim in one plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from volumes import Box

__all__ = ["Claim", "claim_order", "less", "part_claims", "settle", "without_masks"]

NEAR = 0.7
"""What a plane less from the anchor counts for, in logits: the object that begins nearer is surer."""

DEEP = 9.0
"""What lying as deep in the mask as its radius counts for, in logits: outlines are less sure than middles."""


@dataclass(frozen=True, eq=False)
class Claim:
    """What one object claims in a plane.

    Parameters
    ----------
    plane : PlaneRef
        The plane.
    volume_shape : tuple of int
        (P, R, C).
    mask : BoxedMask
        What it claims there.
    hint : NDArray, shape (h, w)
        The logits that gave the mask, in the model's frame; of shape (0, 0) where no model was asked.
    n_steps : int
        How many planes lie between this one and the object's nearest anchor, this one counted.
    is_anchor : bool
        Whether a person showed it: then nobody takes anything from it.
    """

    plane: PlaneRef
    volume_shape: tuple[int, int, int]
    mask: BoxedMask
    hint: NDArray[np.floating]
    n_steps: int
    is_anchor: bool = False

    def levels(self, places: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return how sure the object is of voxels ``(n, 3)`` of its mask, in logits ``(n,)``.

        Infinite for an anchor. Otherwise the model's logit, 0 where there is none, less `NEAR` a plane
        from the anchor, plus `DEEP` times the distance to the mask's outline in radii of the disc of its
        area.
        """
        if self.is_anchor:
            return np.full(len(places), np.inf)
        inside = tuple((places - self.mask.box.start).T)
        levels = DEEP * self._depth[inside] - NEAR * self.n_steps
        return np.asarray(levels if self.hint.size == 0 else levels + _logits(self, places))

    @cached_property
    def _depth(self) -> NDArray[np.float64]:
        """How far each voxel of the mask's box lies from the outline, in radii; the box's rim is outside."""
        pad = [(int(axis != self.plane.axis),) * 2 for axis in range(3)]
        bits = np.pad(self.mask.bits, pad)
        flat = ndimage.distance_transform_edt(bits.any(axis=self.plane.axis))[1:-1, 1:-1]
        return np.asarray(np.expand_dims(flat, self.plane.axis) / np.sqrt(self.mask.area / np.pi))


def settle(claims: Mapping[int, Claim]) -> dict[int, BoxedMask]:
    """Give each voxel that several objects claim in a plane to the one that is surest of it.

    Of equals, the object whose mask begins first in the plane wins, then the smaller one; ids and their order
    say nothing unless the masks are the same.

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
    for first, second in combinations(order, 2):
        a, b = claims[first], claims[second]
        both = a.mask.box.intersection(b.mask.box)
        if both is None or both.is_empty:
            continue
        bits = a.mask.bits[_inside(both, a.mask)] & b.mask.bits[_inside(both, b.mask)]
        places = np.argwhere(bits) + np.array(both.start)
        if len(places):
            won_by_second = bits.copy()
            won_by_second[bits] = b.levels(places) > a.levels(places)
            kept[first] = less(kept[first], BoxedMask(both, won_by_second))
            kept[second] = less(kept[second], BoxedMask(both, bits & ~won_by_second))
    return kept


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
                kept = kept if lost is None else less(kept, lost)
            masks.append(kept)
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
    claim = Claim(request.plane, request.volume.shape, answer.masks[candidate], hint, 0)
    return _logits(claim, places)


def _logits(claim: Claim, places: NDArray[np.integer]) -> NDArray[np.float64]:
    """Return a claim's logits ``(n,)`` at voxels ``(n, 3)``, bilinear from the hint's padded square."""
    scale = max(claim.hint.shape) / max(claim.plane.shape_hw(claim.volume_shape))
    rows_cols = np.delete(places, claim.plane.axis, axis=1).T
    return np.asarray(
        ndimage.map_coordinates(
            claim.hint.astype(np.float64), (rows_cols + 0.5) * scale - 0.5, order=1, mode="nearest"
        )
    )


def less(mask: BoxedMask, other: BoxedMask) -> BoxedMask:
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
