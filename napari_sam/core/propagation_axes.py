"""Propagation along all three axes, and what the three say together.

The object is followed along the axis of its newest anchor first. The middle of what was found is its anchor
on the other two axes, unless a person showed it there. Each voxel then gets three votes. A plane's vote
counts by its score, and by how fine its pixels are: across thick slices, planes are coarse, and count less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.anchors_across import with_anchors_across
from napari_sam.core.edits import EditGroup
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask, innermost_point, iou
from napari_sam.core.plane_prediction import PlanePrediction, told_without_model
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.propagation import follow, write_all
from napari_sam.core.propagation_parts import PropagationParts
from napari_sam.core.propagation_plan import PropagationPlan, Seed, plan_propagation
from napari_sam.core.propagation_rules import PropagationLimits
from napari_sam.core.segmenter import Segmenter, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.errors import InvalidPrompt
from volumes import Box

__all__ = ["UNSEEN_SCORE", "axis_weight", "propagate_axes", "reconcile"]

UNSEEN_SCORE = 0.4
"""The score with which an axis says that nothing is in a plane that it did not reach."""

MIN_FIT = 0.5
"""IoU with the cut below which the model's answer in it is taken for another object."""


@dataclass(frozen=True, eq=False)
class _Along:
    """What was found along one axis: masks and scores by plane index."""

    axis: int
    masks: dict[int, BoxedMask]
    scores: dict[int, float]

    def note(self, prediction: PlanePrediction) -> None:
        """Take in the last word on a plane."""
        if prediction.is_new or prediction.state == "anchor":
            self.masks[prediction.plane.index] = prediction.mask
            self.scores[prediction.plane.index] = prediction.score or UNSEEN_SCORE


def propagate_axes(  # noqa: PLR0913 - as `propagate`
    session: Session,
    segmenter: Segmenter,
    object_id: int,
    *,
    planes: tuple[int, int] | None = None,
    limits: PropagationLimits | None = None,
    cancel: Cancel | None = None,
    parts: PropagationParts | None = None,
) -> Iterator[PlanePrediction]:
    """Follow an object along all three axes, and write what they say together, as one step to undo.

    Anchors of every axis are never changed. Planes of the first axis are written as they come, and once more
    at the end. A cancelled run keeps what the first axis gave.

    Parameters
    ----------
    session, segmenter, object_id, limits, cancel, parts
        As in `napari_sam.core.propagation.propagate`.
    planes : tuple[int, int], optional
        Half-open range of planes of the first axis, that of the newest anchor; nothing outside is written.

    Returns
    -------
    Iterator[PlanePrediction]
        Of the first axis, then of the other two, then ``"interpolated"`` for planes of the first axis in
        which only the others found the object.

    Raises
    ------
    InvalidPrompt
        As `propagate`.
    """
    cancel = cancel or Cancel()
    plan = plan_propagation(session, object_id, planes=planes, limits=limits)
    return _propagate_axes(session, segmenter, plan, cancel, parts)


def _propagate_axes(
    session: Session,
    segmenter: Segmenter,
    plan: PropagationPlan,
    cancel: Cancel,
    parts: PropagationParts | None,
) -> Iterator[PlanePrediction]:
    group = EditGroup("propagate")
    found = [_Along(plan.axis, {}, {})]
    for prediction in write_all(session, plan, follow(plan, segmenter, cancel, parts), group):
        found[0].note(prediction)
        yield prediction
    solid = _solid(found)
    for axis in (axis for axis in (0, 1, 2) if axis != plan.axis):
        other = None if cancel.requested else _plan_across(session, segmenter, plan, axis, solid)
        if other is None:
            continue
        found.append(_Along(axis, {}, {}))
        for prediction in follow(other, segmenter, cancel, parts):
            found[-1].note(prediction)
            yield prediction
    if not cancel.requested and len(found) > 1:
        yield from _write_together(session, plan, found, group)


def _plan_across(
    session: Session, segmenter: Segmenter, plan: PropagationPlan, axis: int, solid: BoxedMask
) -> PropagationPlan | None:
    """Plan another axis from a person's anchors, else from the largest cut of what was found."""
    try:
        return plan_propagation(session, plan.object_id, axis=axis, limits=plan.limits)
    except InvalidPrompt:  # no anchor there
        pass
    areas = np.count_nonzero(solid.bits, axis=tuple(other for other in (0, 1, 2) if other != axis))
    if not areas.any():
        return None
    plane = PlaneRef(axis, solid.box.start[axis] + int(np.argmax(areas)))
    cut = solid.within(plane.box(session.volume.shape))
    seeds = {plane.index: _seed(plan, segmenter, plane, cut)}
    return replace(
        plan, axis=axis, first=0, last=session.volume.shape[axis], seeds=seeds,
        walls=frozenset(), stale=frozenset(),
    )  # fmt: skip


def _seed(plan: PropagationPlan, segmenter: Segmenter, plane: PlaneRef, cut: BoxedMask) -> Seed:
    """Ask for the object in a cut through what was found; the cut itself where the answer does not fit."""
    prompts: list[Prompt] = []
    if "box" in segmenter.prompts:
        prompts.append(BoxPrompt(plan.limits.grown_box(cut.box, plane, plan.volume.shape)))
    if "point" in segmenter.prompts:
        row, col = innermost_point(cut.to_plane(plane, plan.volume.shape))
        prompts.append(PointPrompt(plane.at(row, col)))
    if "mask" in segmenter.prompts:
        prompts.append(MaskPrompt(cut))
    request = SegmentRequest(plan.volume, plane, plan.window, tuple(prompts), plan.object_id)
    answer = segmenter.segment(request)
    fits = [iou(mask, cut) for mask in answer.masks]
    best = int(np.argmax([fit + score for fit, score in zip(fits, answer.scores.tolist(), strict=True)]))
    if fits[best] < MIN_FIT:
        return Seed(cut, None, UNSEEN_SCORE)
    return Seed(answer.masks[best], answer.hints[best], float(answer.scores[best]))


def _write_together(
    session: Session, plan: PropagationPlan, found: Sequence[_Along], group: EditGroup
) -> Iterator[PlanePrediction]:
    spacing_mm = session.volume.geometry.spacing_mm
    solid = reconcile([(one.axis, one.masks, one.scores) for one in found], spacing_mm)
    for index in range(plan.first, plan.last):
        plane = PlaneRef(plan.axis, index)
        if index in plan.seeds or index in plan.walls:
            continue
        mask = solid.within(plane.box(session.volume.shape))
        if mask.is_empty and session.mask_on(plane, plan.object_id) is None:
            continue
        mask = with_anchors_across(session, plane, mask, plan.object_id)
        session.write(plane, mask, plan.object_id, group=group, propagated=True)
        if not mask.is_empty and index not in found[0].masks:
            yield told_without_model(plane, mask, 0.0, "interpolated")


def axis_weight(axis: int, spacing_mm: Sequence[float]) -> float:
    """Return how much planes across an axis count: 1 for the finest pixels, less as they are larger.

    Parameters
    ----------
    axis : int
        The axis that the planes cut across.
    spacing_mm : sequence of float
        Distance of planes, rows and columns.
    """
    return min(spacing_mm) ** 2 * spacing_mm[axis] / float(np.prod(spacing_mm))


def reconcile(
    found: Sequence[tuple[int, dict[int, BoxedMask], dict[int, float]]], spacing_mm: Sequence[float]
) -> BoxedMask:
    """Vote on each voxel.

    Parameters
    ----------
    found : sequence of (axis, masks, scores)
        For each axis its masks and their predicted IoU by plane index; at least one mask in all.
    spacing_mm : sequence of float
        Distance of planes, rows and columns.

    Returns
    -------
    BoxedMask
        The voxels that have more than half of the votes, in the box of all masks.
    """
    box = _union([mask for _, masks, _ in found for mask in masks.values()])
    votes, cast = np.zeros(box.shape, np.float32), np.zeros(box.shape, np.float32)
    for axis, masks, scores in found:
        weight = axis_weight(axis, spacing_mm)
        for at in range(box.shape[axis]):
            index = at + box.start[axis]
            there = (slice(None),) * axis + (slice(at, at + 1),)
            counts = weight * scores.get(index, UNSEEN_SCORE)
            cast[there] += counts
            if index in masks:
                votes[there] += counts * _laid(masks[index], _slab(box, axis, index))
    return BoxedMask(box, votes > 0.5 * cast)


def _solid(found: Sequence[_Along]) -> BoxedMask:
    """Return what one axis found as one mask in three dimensions."""
    masks = list(found[0].masks.values())
    box = _union(masks)
    bits = np.zeros(box.shape, np.bool_)
    for mask in masks:
        bits[mask.box.shift((-box.start[0], -box.start[1], -box.start[2])).slices()] |= mask.bits
    return BoxedMask(box, bits)


def _union(masks: Sequence[BoxedMask]) -> Box:
    boxes = [mask.box for mask in masks if not mask.is_empty]
    box = boxes[0]
    for other in boxes[1:]:
        box = box.union(other)
    return box


def _slab(box: Box, axis: int, index: int) -> Box:
    start, stop = list(box.start), list(box.stop)
    start[axis], stop[axis] = index, index + 1
    return Box((start[0], start[1], start[2]), (stop[0], stop[1], stop[2]))


def _laid(mask: BoxedMask, box: Box) -> NDArray[np.bool_]:
    bits = np.zeros(box.shape, np.bool_)
    if not mask.is_empty:
        bits[mask.box.shift((-box.start[0], -box.start[1], -box.start[2])).slices()] = mask.bits
    return bits
