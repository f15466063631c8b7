"""What a propagation needs to know before it starts: where the object is, and which planes are open."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.edits import EditGroup
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import plane_range
from napari_sam.core.propagation_rules import PropagationLimits
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.errors import InvalidPrompt
from volumes import Volume

__all__ = ["PropagationPlan", "Seed", "plan_propagation", "propagation_group"]


@dataclass(frozen=True)
class Seed:
    """A plane's mask to start from: an anchor's, with its logits where a model gave them.

    `candidate` is the one that a person chose, None where nobody did.
    """

    mask: BoxedMask
    hint: NDArray[np.floating] | None
    score: float
    candidate: int | None = None


@dataclass(frozen=True, eq=False)
class PropagationPlan:
    """Everything that a propagation needs to know, taken from the session once.

    Parameters
    ----------
    volume, window, object_id :
        As in `SegmentRequest`.
    axis : int
        The axis along which it runs.
    first, last : int
        Half-open range of planes.
    seeds : dict of int to Seed
        The anchors with a mask, by plane index, all in the range.
    walls : frozenset of int
        The anchors that are empty: a person said that the object is not there.
    stale : frozenset of int
        Planes in the range that an earlier propagation filled.
    limits : PropagationLimits
        When a front stops.
    neighbours : NDArray of integers or None, shape (P, R, C)
        The session's labels, in which other objects are.
    """

    volume: Volume
    window: Window
    object_id: int
    axis: int
    first: int
    last: int
    seeds: dict[int, Seed]
    walls: frozenset[int]
    stale: frozenset[int]
    limits: PropagationLimits
    neighbours: NDArray[np.integer] | None = None


def propagation_group(plan: PropagationPlan) -> EditGroup:
    """Return the group that a propagation's planes are written in: one step, and how it was done."""
    values = {"axis": plan.axis, "planes": [plan.first, plan.last], "limits": asdict(plan.limits)}
    return EditGroup("propagate", values)


def plan_propagation(
    session: Session,
    object_id: int,
    *,
    axis: int | None = None,
    planes: tuple[int, int] | None = None,
    limits: PropagationLimits | None = None,
) -> PropagationPlan:
    """Take from a session what a propagation needs; see `propagate` for parameters and errors."""
    state = session.objects.get(object_id)
    if state is None or state.locked:
        condition = "is locked; unlock" if state is not None else "has no prompt; prompt"
        raise InvalidPrompt(f"object {object_id} {condition} it before propagating")
    anchors = [anchor for anchor in state.anchors if anchor.is_settled]
    if axis is None:
        axis = anchors[-1].plane.axis if anchors else 0
    first, last = plane_range(session.volume.shape, axis, planes)
    seeds, walls = {}, set()
    for anchor in anchors:
        if anchor.plane.axis == axis and first <= anchor.plane.index < last:
            mask = session.mask_on(anchor.plane, object_id)
            if mask is None:
                walls.add(anchor.plane.index)
            else:
                seeds[anchor.plane.index] = Seed(
                    mask, anchor.hint, 1.0 if anchor.score is None else anchor.score, anchor.candidate
                )
    if not seeds:
        raise InvalidPrompt(
            f"object {object_id} has no mask in a prompted or painted plane among {first}:{last} on axis "
            f"{axis}; prompt one of these planes, or widen the range"
        )
    stale = {p.index for p in state.propagated if p.axis == axis and first <= p.index < last}
    return PropagationPlan(
        session.volume, session.window, object_id, axis, first, last,
        seeds, frozenset(walls), frozenset(stale), limits or PropagationLimits(), session.labels,
    )  # fmt: skip
