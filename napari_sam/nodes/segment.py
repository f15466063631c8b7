"""From prompts to labels: each object in its prompted planes, then through the volume."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from napari_sam.core.final_pass import FinalPass, finish_object
from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation import PlanePrediction, PropagationLimits, propagate
from napari_sam.core.propagation_axes import propagate_axes
from napari_sam.core.propagation_film import is_film
from napari_sam.core.propagation_together import propagate_together
from napari_sam.core.segmenter import MaskPrediction, Segmenter
from napari_sam.core.session import Session
from napari_sam.nodes.measured import count_work
from napari_sam.nodes.object_prompts import ObjectPrompts, check_objects
from napari_sam.nodes.object_reports import Anchored, report_object
from napari_sam.nodes.progress import Progress, Stopwatch, silent
from napari_sam.nodes.report import CacheCounts, ObjectReport, StageTimes
from napari_sam.nodes.shared_planes import answer_shared_planes

__all__ = ["SegmentOptions", "SegmentResult", "segment_volume"]


@dataclass(frozen=True)
class SegmentOptions:
    """How far prompts reach.

    Parameters
    ----------
    plane_only : bool
        Leave the objects in their prompted planes.
    planes : tuple[int, int], optional
        Half-open range of plane indices along the prompts' axis to stay in; all when None.
    limits : PropagationLimits
        When propagation has lost the object, and whether planes out of line are asked for again.
    all_axes : bool
        Follow each object along all three axes, and write what they say together.
    film : bool, optional
        Whether the planes are frames; what the volume's reader noted when None.
    final : FinalPass, optional
        What is tidied up at the end, a step of its own; nothing when None.
    """

    plane_only: bool = False
    planes: tuple[int, int] | None = None
    limits: PropagationLimits = PropagationLimits()  # noqa: RUF009 - frozen
    all_axes: bool = False
    film: bool | None = None
    final: FinalPass | None = None


@dataclass(frozen=True, eq=False)
class SegmentResult:
    """What came of it.

    Attributes
    ----------
    labels : NDArray, shape (P, R, C)
        The session's own labels, 0 for background.
    objects : tuple of ObjectReport
        In the order in which they were segmented.
    times : StageTimes
        Only the stages of this operation: first mask, encoding, decoding, propagation.
    cache : CacheCounts
        What was encoded and what was found.
    """

    labels: NDArray[Any]
    objects: tuple[ObjectReport, ...]
    times: StageTimes
    cache: CacheCounts


def segment_volume(
    session: Session,
    segmenter: Segmenter,
    objects: Sequence[ObjectPrompts],
    options: SegmentOptions | None = None,
    *,
    progress: Progress = silent,
    cancel: Cancel | None = None,
) -> SegmentResult:
    """Segment objects from their prompts; a voxel that several claim goes to the surest of them.

    Objects that the labels hold already keep their voxels. The order of new ones changes nothing.

    Parameters
    ----------
    session : Session
        The volume and its labels, which are edited in place.
    segmenter : Segmenter
        The model.
    objects : sequence of ObjectPrompts
        In any order.
    options : SegmentOptions, optional
        How far the prompts reach; through the whole volume when None.
    progress : Progress
        Told after each plane.
    cancel : Cancel, optional
        Looked at before each plane.

    Returns
    -------
    SegmentResult
        An object in whose prompted planes the model finds nothing has no voxels, and says ``"empty"``.

    Raises
    ------
    InvalidPrompt
        A prompt that cannot be used; nothing is segmented then.
    UnsupportedPrompt
        A kind of prompt that the model does not take.
    Cancelled
        On request; the session keeps what was done.
    """
    options = options or SegmentOptions()
    cancel = cancel or Cancel()
    check_objects(objects, session.volume.shape, options.planes)
    before, watch, first_mask_s = count_work(segmenter), Stopwatch(), 0.0
    seen: list[list[PlanePrediction | Anchored]] = []
    shared = answer_shared_planes(session, segmenter, objects)
    for one in objects:
        cancel.check()
        seen.append(list(_prompted(session, segmenter, one, shared, cancel)))
        first_mask_s = first_mask_s or watch.total_s
        progress(_title(one), 1, 1)
    followed = [one for one in objects if not options.plane_only and _has_mask(session, one)]
    with watch.stage("propagate_s"):
        found = _propagated(session, segmenter, followed, options, (progress, cancel))
    for one, records in zip(objects, seen, strict=True):
        records.extend(found.get(one.id, []))
    work = count_work(segmenter).since(before)
    times = StageTimes(
        first_mask_s=first_mask_s,
        encode_s=work.encode_s,
        decode_s=work.decode_s,
        propagate_s=watch.stages_s.get("propagate_s", 0.0),
    )
    reports = tuple(
        report_object(session, one, records, plane_only=options.plane_only)
        for one, records in zip(objects, seen, strict=True)
    )
    return SegmentResult(session.labels, reports, times, work.cache)


def _prompted(
    session: Session,
    segmenter: Segmenter,
    one: ObjectPrompts,
    shared: Mapping[tuple[int, PlaneRef], MaskPrediction],
    cancel: Cancel,
) -> Iterator[Anchored]:
    for plane, prompts in one.by_plane:
        cancel.check()
        started_s = time.perf_counter()
        request = session.prompt(plane, *prompts, object_id=one.id)
        prediction = shared.get((one.id, plane)) or segmenter.segment(request)
        session.apply(prediction, request, candidate=one.candidate)
        if one.name:
            session.rename(one.id, one.name)
        taken = prediction.best if one.candidate is None else one.candidate
        score, area_px = float(prediction.scores[taken]), prediction.masks[taken].area
        seconds = time.perf_counter() - started_s
        yield Anchored(plane, score, area_px, seconds, taken, prediction.scores)


def _propagated(
    session: Session,
    segmenter: Segmenter,
    followed: Sequence[ObjectPrompts],
    options: SegmentOptions,
    watch: tuple[Progress, Cancel],
) -> dict[int, list[PlanePrediction]]:
    """Follow the objects of each axis together; leaves out the anchors, which are reported already."""
    progress, cancel = watch
    by_axis: dict[int, dict[int, ObjectPrompts]] = {}
    for one in followed:
        by_axis.setdefault(one.by_plane[0][0].axis, {})[one.id] = one
    found: dict[int, list[PlanePrediction]] = {one.id: [] for one in followed}
    for axis, group in sorted(by_axis.items()):
        first, last = options.planes or (0, session.volume.shape[axis])
        for object_id, prediction in _followed(
            session, segmenter, list(group), options, (axis, first, last), cancel
        ):
            if prediction.state != "anchor" and prediction.plane.axis == axis:
                found[object_id].append(prediction)
                one = group[object_id]
                progress(_title(one), len(one.by_plane) + len(found[object_id]), last - first)
        cancel.check()
    if options.final is not None:
        for one in followed:
            finish_object(session, one.id, options.final)
    return found


def _followed(
    session: Session,
    segmenter: Segmenter,
    object_ids: Sequence[int],
    options: SegmentOptions,
    where: tuple[int, int, int],
    cancel: Cancel,
) -> Iterator[tuple[int, PlanePrediction]]:
    """Follow objects along one axis (axis, first, last), or along all from there; together where they can."""
    axis, first, last = where
    in_film = is_film(session.volume) and axis == 0 if options.film is None else options.film
    if len(object_ids) > 1 and not options.all_axes and not in_film:
        yield from propagate_together(
            session, segmenter, object_ids,
            axis=axis, planes=(first, last), limits=options.limits, cancel=cancel,
        )  # fmt: skip
        return
    for object_id in object_ids:
        predictions = (
            propagate_axes(
                session, segmenter, object_id, planes=(first, last), limits=options.limits, cancel=cancel
            )
            if options.all_axes
            else propagate(
                session, segmenter, object_id,
                axis=axis, planes=(first, last), limits=options.limits, cancel=cancel, film=options.film,
            )
        )  # fmt: skip
        for prediction in predictions:
            yield object_id, prediction


def _has_mask(session: Session, one: ObjectPrompts) -> bool:
    """Return whether the object has voxels in any of its prompted planes."""
    return any(session.mask_on(plane, one.id) is not None for plane, _ in one.by_plane)


def _title(one: ObjectPrompts) -> str:
    return one.name or f"object {one.id}"
