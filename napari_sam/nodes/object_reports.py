"""What is reported of one object: each of its planes, its size, and why it ends where it does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.cleaning import voxel_mm3
from napari_sam.core.holders import holders_of
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation import PlanePrediction
from napari_sam.core.session import Session
from napari_sam.nodes.amounts import size_of
from napari_sam.nodes.object_prompts import ObjectPrompts
from napari_sam.nodes.report import ObjectReport, PlaneReport, StopReport

__all__ = ["Anchored", "report_object"]


@dataclass(frozen=True)
class Anchored:
    """A prompted plane's answer, in the words of `PlanePrediction`."""

    plane: PlaneRef
    score: float
    area_px: int
    seconds: float
    candidate: int
    scores: NDArray[np.float32]
    overlap: float = 1.0
    state: str = "anchor"
    reason: str = ""


def report_object(
    session: Session,
    one: ObjectPrompts,
    records: Sequence[PlanePrediction | Anchored],
    *,
    plane_only: bool,
) -> ObjectReport:
    """Sum up what an object got, plane by plane, and why it ends where it does.

    Parameters
    ----------
    session : Session
        With the labels as they are at the end.
    one : ObjectPrompts
        The object, along the axis of its first prompts.
    records : sequence of PlanePrediction or Anchored
        All that was said of its planes, in order.
    plane_only : bool
        Whether it was left in its prompted planes.
    """
    axis = one.by_plane[0][0].axis
    spacing_mm = session.volume.geometry.spacing_mm
    pixel_mm2 = float(np.prod(spacing_mm)) / spacing_mm[axis]
    written_px = _area_by_plane(session, one.id, axis)
    by_plane: dict[int, PlaneReport] = {}
    for record in records:
        index = record.plane.index
        if record.state == "stopped" and written_px[index]:
            continue  # filled from the other side
        area_px = record.area_px if record.state == "stopped" else int(written_px[index])
        by_plane[index] = PlaneReport(
            index, record.state, record.reason, record.score, record.overlap,
            area_px, area_px * pixel_mm2, record.seconds, record.candidate, tuple(record.scores.tolist()),
        )  # fmt: skip
    voxels = int(written_px.sum())
    geometry = session.volume.geometry
    return ObjectReport(
        one.id, session.objects[one.id].name, voxels, voxels * voxel_mm3(geometry) / 1000.0,
        size_of(session.volume, voxels), int(np.count_nonzero(written_px)),
        tuple(by_plane[index] for index in sorted(by_plane)),
        _stop(records, plane_only, -1, voxels > 0), _stop(records, plane_only, 1, voxels > 0),
        _held_by(session, one),
    )  # fmt: skip


def _held_by(session: Session, one: ObjectPrompts) -> tuple[int, ...]:
    """List the objects that have all of this one's mask in any of its prompted planes."""
    found = (holders_of(session.labels, session.state, one.id, plane) for plane, _ in one.by_plane)
    left_out = (held.others for held in found if held is not None and held.is_left_out)
    return tuple(sorted({number for others in left_out for number, _ in others}))


def _stop(
    records: Sequence[PlanePrediction | Anchored], plane_only: bool, step: int, found: bool
) -> StopReport:
    """Say why the direction of falling (-1) or rising (1) indices ended."""
    anchors = [record.plane.index for record in records if record.state == "anchor"]
    if not found:
        return StopReport("empty", anchors[0])
    if plane_only:
        return StopReport("plane only", None)
    outermost = max(step * index for index in anchors)
    beyond = [record for record in records if step * record.plane.index > outermost]
    if not beyond:
        return StopReport("end of range", None)
    ended = next((record for record in reversed(beyond) if record.reason), beyond[-1])
    return StopReport(ended.reason, ended.plane.index)


def _area_by_plane(session: Session, object_id: int, axis: int) -> NDArray[np.int64]:
    """Count an object's voxels in each plane across an axis."""
    extent = session.objects[object_id].extent
    n_by_plane = np.zeros(session.volume.shape[axis], dtype=np.int64)
    if extent is not None and not extent.is_empty:
        inside = session.labels[extent.slices()] == object_id
        others = tuple(other for other in (0, 1, 2) if other != axis)
        n_by_plane[extent.start[axis] : extent.stop[axis]] = np.count_nonzero(inside, axis=others)
    return n_by_plane
