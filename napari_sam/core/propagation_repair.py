"""Looking ahead: planes that fall out of line with those on both sides are asked for again from both sides.

A front knows only what lies behind it. Once planes on both sides are there, one that agrees with neither of
them, while they agree with each other across it, is most often the model's slip. It is asked for again with
the shape between its neighbours as mask, box and point; the answer is kept if it fits better, otherwise the
shape itself is.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask, innermost_point, iou
from napari_sam.core.plane_prediction import PlanePrediction, told_without_model
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.propagation_parts import kept_to_box
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.segmenter import MaskPrediction, Segmenter, SegmentRequest
from napari_sam.core.shape_between import shape_between
from napari_sam.errors import Cancelled

__all__ = ["RepairLimits", "out_of_line", "repair"]


@dataclass(frozen=True)
class RepairLimits:
    """Which planes are asked for again.

    Parameters
    ----------
    min_across : float
        Only where the planes on both sides overlap each other (IoU) by at least so much.
    min_lack : float
        Only where a plane overlaps each of them by so much less than they overlap each other.
    max_planes : int
        The longest run of planes that is repaired between two good ones.
    """

    min_across: float = 0.5
    min_lack: float = 0.05
    max_planes: int = 2


def out_of_line(
    found: Mapping[int, BoxedMask | None], kept: frozenset[int], plane: PlaneRef, limits: RepairLimits
) -> tuple[tuple[int, int], ...]:
    """List the gaps (index before, index after) whose planes agree with neither side.

    Parameters
    ----------
    found : mapping of int to BoxedMask or None
        The masks by plane; None where a front passed over a plane.
    kept : frozenset of int
        Planes that nothing may change.
    plane : PlaneRef
        Any plane of the axis.
    limits : RepairLimits
        What counts as disagreement.

    Returns
    -------
    tuple of (int, int)
        From the lowest plane; gaps share no plane but those at their ends.
    """
    gaps: list[tuple[int, int]] = []
    for before in sorted(found):
        if gaps and before < gaps[-1][1]:
            continue
        for after in range(before + 2, before + 2 + limits.max_planes):
            inner = range(before + 1, after)
            if after not in found or kept & set(inner) or not set(inner) <= set(found):
                break
            if _disagrees(found, before, after, plane, limits):
                gaps.append((before, after))
                break
    return tuple(gaps)


def _disagrees(
    found: Mapping[int, BoxedMask | None], before: int, after: int, plane: PlaneRef, limits: RepairLimits
) -> bool:
    """Whether each plane between two overlaps both of them less than they overlap each other."""
    first, last = found[before], found[after]
    if first is None or last is None:
        return False
    across = _overlap(first, last, plane)
    if across < limits.min_across:
        return False
    least = across - limits.min_lack
    inner = [found[index] for index in range(before + 1, after)]
    return all(
        least > 0.0 if mask is None else all(_overlap(mask, side, plane) < least for side in (first, last))
        for mask in inner
    )


def repair(
    plan: PropagationPlan,
    found: Mapping[int, BoxedMask | None],
    segmenter: Segmenter,
    cancel: Cancel,
    limits: RepairLimits | None = None,
) -> Iterator[PlanePrediction]:
    """Ask for planes that are out of line again, from both sides.

    Parameters
    ----------
    plan : PropagationPlan
        The anchors and walls; they stay as they are.
    found : mapping of int to BoxedMask or None
        What the fronts found, anchors included; None where they passed over a plane.
    segmenter : Segmenter
        Asked once for each of these planes.
    cancel : Cancel
        Looked at before each of them.
    limits : RepairLimits, optional
        What counts as disagreement.

    Yields
    ------
    PlanePrediction
        ``"repaired"`` where the model's new answer fits both sides better, ``"interpolated"`` where the shape
        between them is drawn instead. Cancelled, it ends.
    """
    kept = frozenset(plan.seeds) | plan.walls
    limits = limits or RepairLimits()
    for before, after in out_of_line(found, kept, PlaneRef(plan.axis, plan.first), limits):
        first, last = found[before], found[after]
        for index in range(before + 1, after):
            if cancel.requested or first is None or last is None:
                return
            gap = _Gap(PlaneRef(plan.axis, index), first, last, found[index])
            try:
                yield _again(plan, segmenter, gap, limits.min_lack)
            except Cancelled:
                return


@dataclass(frozen=True, eq=False)
class _Gap:
    """A plane between two good ones, and what was found there."""

    plane: PlaneRef
    first: BoxedMask
    last: BoxedMask
    old: BoxedMask | None


def _again(
    plan: PropagationPlan,
    segmenter: Segmenter,
    gap: _Gap,
    lack: float,
) -> PlanePrediction:
    """Ask for one plane from both sides; the shape between them where the answer fits less than they do."""
    plane = gap.plane
    spacing_mm = plan.volume.geometry.spacing_mm
    row_mm, col_mm = (spacing_mm[axis] for axis in range(3) if axis != plan.axis)
    shape = shape_between(gap.first, gap.last, plane, plan.volume.shape, (row_mm, col_mm))
    if shape.is_empty:
        shape = gap.first.moved_to(plane)
    request = _request(plan, plane, shape, segmenter.prompts)
    started_s = time.perf_counter()
    answer = segmenter.segment(request)
    masks = kept_to_box(answer.masks, request)
    fits = [iou(mask, shape) for mask in masks]
    best = int(np.argmax([fit + score for fit, score in zip(fits, answer.scores.tolist(), strict=True)]))
    was = 0.0 if gap.old is None else iou(gap.old.moved_to(plane), shape)
    if fits[best] <= max(was, _overlap(gap.first, gap.last, plane) - lack):
        return told_without_model(plane, shape, 0.0, "interpolated")
    seconds = time.perf_counter() - started_s
    found = _repaired(answer, masks, best, fits[best], seconds)
    return replace(found, doubtful=found.trust < plan.limits.sure_trust)


def _repaired(
    answer: MaskPrediction, masks: tuple[BoxedMask, ...], best: int, fit: float, seconds: float
) -> PlanePrediction:
    return PlanePrediction(
        answer.plane, masks, answer.scores, answer.hints, best, float(answer.scores[best]),
        masks[best].area, fit, "repaired", "", seconds, presence=answer.presence, trust=fit,
    )  # fmt: skip


def _request(
    plan: PropagationPlan, plane: PlaneRef, shape: BoxedMask, usable: frozenset[str]
) -> SegmentRequest:
    prompts: list[Prompt] = []
    if "box" in usable:
        prompts.append(BoxPrompt(plan.limits.grown_box(shape.box, plane, plan.volume.shape)))
    if "point" in usable:
        row, col = innermost_point(shape.to_plane(plane, plan.volume.shape))
        prompts.append(PointPrompt(plane.at(row, col)))
    if "mask" in usable:
        prompts.append(MaskPrompt(shape))
    return SegmentRequest(plan.volume, plane, plan.window, tuple(prompts), plan.object_id, is_followed=True)


def _overlap(a: BoxedMask, b: BoxedMask, plane: PlaneRef) -> float:
    """Return the IoU of two masks laid onto one plane."""
    return iou(a.moved_to(plane), b.moved_to(plane))
