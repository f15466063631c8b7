"""What propagation has to say of a plane, and the planes between two anchors that it could not fill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.segmenter import MaskPrediction
from napari_sam.core.shape_between import shape_between

__all__ = ["PlanePrediction", "fill_between", "no_mask", "told_without_model"]


@dataclass(frozen=True, eq=False)
class PlanePrediction(MaskPrediction):
    """What propagation has to say of one plane.

    Parameters
    ----------
    candidate : int
        Which of the masks was taken.
    score : float
        Its predicted IoU.
    area_px : int
        Its area in pixels.
    overlap : float
        Its IoU with the mask of the plane before it; 1 for an anchor.
    state : str
        ``"anchor"``, ``"propagated"``, ``"repaired"`` or ``"interpolated"`` (written), or ``"stopped"``
        (not written).
    reason : str
        Why the front ended here: ``"trust"``, ``"reach"``, ``"absent"``, ``"score"``, ``"area"``,
        ``"empty"``, ``"cancelled"``, from single limits also ``"overlap"`` and ``"intensity"``, of objects
        followed together also ``"neighbour"`` (another is surer of it), and, for a plane that is written,
        ``"end of range"``; empty where it went on or met another.
    seconds : float
        Time that the model took.
    trust : float
        How well the mask is expected to agree with the object, 0 to 1, from all that speaks for it; 1 for an
        anchor, 0 where no model was asked, the IoU with the shape between its neighbours where repaired.
    doubtful : bool
        Whether a person should look at this plane.
    """

    candidate: int
    score: float
    area_px: int
    overlap: float
    state: str
    reason: str
    seconds: float
    trust: float = field(default=1.0, kw_only=True)
    doubtful: bool = field(default=False, kw_only=True)

    @property
    def mask(self) -> BoxedMask:
        """The mask that was taken."""
        return self.masks[self.candidate]

    @property
    def is_new(self) -> bool:
        """Whether the mask is to be written: it is neither an anchor's nor one that was refused."""
        return self.state in ("propagated", "repaired", "interpolated")


def fill_between(plan: PropagationPlan, found: Mapping[int, BoxedMask]) -> Iterator[PlanePrediction]:
    """Draw what is missing between two anchors, unless a person said in between that it is not there.

    Parameters
    ----------
    plan : PropagationPlan
        The anchors and walls.
    found : mapping of int to BoxedMask
        The anchors' masks and those that were written, by plane.

    Yields
    ------
    PlanePrediction
        ``"interpolated"``, from the first plane to the last.
    """
    first, last = min(plan.seeds), max(plan.seeds)
    spacing_mm = plan.volume.geometry.spacing_mm
    row_mm, column_mm = (spacing_mm[axis] for axis in range(3) if axis != plan.axis)
    inner = sorted(index for index in found if first <= index <= last)
    for before, after in pairwise(inner):
        if after - before == 1 or any(before < wall < after for wall in plan.walls):
            continue
        for index in range(before + 1, after):
            plane = PlaneRef(plan.axis, index)
            mask = shape_between(found[before], found[after], plane, plan.volume.shape, (row_mm, column_mm))
            if not mask.is_empty:
                yield told_without_model(plane, mask, 0.0, "interpolated")


def told_without_model(
    plane: PlaneRef, mask: BoxedMask, score: float, state: str, reason: str = ""
) -> PlanePrediction:
    """Say something of a plane for which no model was asked: one mask, no logits, no time."""
    overlap = 1.0 if state == "anchor" else 0.0
    scores, hints = np.array([score], np.float32), np.zeros((1, 0, 0), np.float16)
    return PlanePrediction(
        plane, (mask,), scores, hints, 0, score, mask.area, overlap, state, reason, 0.0,
        trust=1.0 if state == "anchor" else 0.0, doubtful=state == "interpolated",
    )  # fmt: skip


def no_mask(plane: PlaneRef) -> BoxedMask:
    """Return the empty mask of a plane."""
    box = plane.box_of((0, 0, 0, 0))
    return BoxedMask(box, np.zeros(box.shape, dtype=np.bool_))
