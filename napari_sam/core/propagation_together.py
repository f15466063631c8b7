"""Several objects followed at once: each plane is looked at once, and no pixel goes to two objects.

The fronts of all objects move in rounds. In each, the next planes of some objects at a time are asked for
together, in both directions. Each object is followed as if it were alone. What is written of it is what no
other object is surer of; see `napari_sam.core.sureness`. Anchors keep theirs. An object that comes later to a
plane may take pixels from one that was there, which is told of again. At the end, an object is taken back
from where others are surer of nearly all of it: there it has left its own place. Ids and their order change
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from napari_sam.core.claims import Claims, Told
from napari_sam.core.contest import claim_order
from napari_sam.core.edits import EditGroup
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.plane_prediction import PlanePrediction, fill_between, no_mask, told_without_model
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation import follow
from napari_sam.core.propagation_ahead import Answered, ask_ahead, ask_in_turn
from napari_sam.core.propagation_parts import Front, PropagationParts
from napari_sam.core.propagation_plan import PropagationPlan, plan_propagation, propagation_group
from napari_sam.core.propagation_repair import repair
from napari_sam.core.propagation_rules import PropagationLimits
from napari_sam.core.propagation_run import PropagationRun
from napari_sam.core.segmenter import Propagator, Segmenter
from napari_sam.core.session import Session
from napari_sam.errors import InvalidPrompt

__all__ = ["follow_together", "propagate_together"]

_OBJECTS_AT_ONCE = 16
"""Objects that a model is asked about together; then it is told how far they got, and may be cancelled."""


def propagate_together(  # noqa: PLR0913 - as `propagate`
    session: Session,
    segmenter: Segmenter | Propagator,
    object_ids: Sequence[int],
    *,
    axis: int | None = None,
    planes: tuple[int, int] | None = None,
    limits: PropagationLimits | None = None,
    cancel: Cancel | None = None,
    parts: PropagationParts | None = None,
) -> Iterator[Told]:
    """Follow several objects through the planes of a volume, writing each plane as it comes.

    Anchors, locked objects and objects that are not followed keep their voxels. All writing is one step to
    undo. A cancelled propagation keeps what is done and erases nothing.

    Parameters
    ----------
    session, segmenter, axis, planes, limits, cancel, parts :
        As in `napari_sam.core.propagation.propagate`.
    object_ids : sequence of int
        Which objects; their order changes nothing.

    Returns
    -------
    Iterator of (int, PlanePrediction)
        An object's id and what is said of one of its planes.

    Raises
    ------
    InvalidPrompt
        An object given twice, or any that `propagate` would refuse; nothing is done then.
    """
    plans = [
        plan_propagation(session, object_id, axis=axis, planes=planes, limits=limits)
        for object_id in object_ids
    ]
    return _write_all(session, plans, follow_together(plans, segmenter, cancel, parts))


def follow_together(
    plans: Sequence[PropagationPlan],
    segmenter: Segmenter | Propagator,
    cancel: Cancel | None = None,
    parts: PropagationParts | None = None,
) -> Iterator[Told]:
    """Yield the anchors, then plane by plane what the model says of each object; touches no session.

    For one object it says what `follow` says. A `Propagator` follows them by its memory, each on its
    own; what several claim then stays with whoever had it first.

    Raises
    ------
    InvalidPrompt
        Two plans of one object.
    """
    ids = [plan.object_id for plan in plans]
    if len(set(ids)) < len(ids):
        raise InvalidPrompt(f"objects {ids} are not all different; name each object once")
    if isinstance(segmenter, Propagator):
        return _one_by_one(plans, segmenter, cancel, parts)
    return _Together(plans, segmenter, cancel or Cancel(), parts or PropagationParts()).told()


def _one_by_one(
    plans: Sequence[PropagationPlan],
    model: Propagator,
    cancel: Cancel | None,
    parts: PropagationParts | None,
) -> Iterator[Told]:
    for plan in plans:
        for prediction in follow(plan, model, cancel, parts):
            yield plan.object_id, prediction


class _Together:
    """Several propagations under way."""

    def __init__(
        self,
        plans: Sequence[PropagationPlan],
        segmenter: Segmenter,
        cancel: Cancel,
        parts: PropagationParts,
    ) -> None:
        self._segmenter, self._parts = segmenter, parts
        self._runs = [PropagationRun(plan, segmenter, cancel, parts) for plan in plans]
        self._claims = Claims()
        self._cancel = cancel
        self._refused: dict[int, set[int]] = {plan.object_id: set() for plan in plans}
        self._was_cancelled = False

    def told(self) -> Iterator[Told]:
        for run in self._runs:
            for index, seed in sorted(run.plan.seeds.items()):
                plane = PlaneRef(run.plan.axis, index)
                anchor = told_without_model(plane, seed.mask, seed.score, "anchor")
                yield from self._claims.add(plane, [(run.plan, anchor)])
        while any(run.fronts for run in self._runs):
            for start in range(0, len(self._runs), _OBJECTS_AT_ONCE):
                yield from self._round(self._runs[start : start + _OBJECTS_AT_ONCE])
        if not self._was_cancelled:
            yield from self._claims.give_up()
            plans = [run.plan for run in self._runs]
            for plan in sorted(plans, key=lambda plan: claim_order(plan.seeds[min(plan.seeds)].mask)):
                yield from self._repair(plan)
        if not (self._was_cancelled or self._cancel.requested):
            yield from self._fill()

    def _round(self, runs: Sequence[PropagationRun]) -> Iterator[Told]:
        """Let all fronts of some objects move on by a plane."""
        fronts = [[(run, front) for front in run.fronts] for run in runs]
        turns = [[one for one in turn if one] for turn in zip_longest(*fronts)]
        answered = ask_ahead([one for turn in turns for one in turn])
        for turn in turns:
            yield from self._advance(turn, answered)

    def _advance(
        self, turn: Sequence[tuple[PropagationRun, Front]], answered: Mapping[Front, Answered]
    ) -> Iterator[Told]:
        """Let one front of each object move on."""
        by_plane: dict[PlaneRef, list[tuple[PropagationPlan, PlanePrediction]]] = {}
        for run, front in turn:
            prediction = ask_in_turn(run, front, answered.get(front))
            if prediction is None:
                continue
            if prediction.reason == "cancelled":
                self._was_cancelled = True
                yield run.plan.object_id, prediction
            else:
                by_plane.setdefault(prediction.plane, []).append((run.plan, prediction))
        for plane in sorted(by_plane, key=lambda plane: (plane.axis, plane.index)):
            new = [(plan, prediction) for plan, prediction in by_plane[plane] if prediction.is_new]
            for plan, prediction in by_plane[plane]:
                if not prediction.is_new:
                    self._refused[plan.object_id].add(plane.index)
                    yield plan.object_id, prediction
            if new:
                yield from self._claims.add(plane, new)

    def _repair(self, plan: PropagationPlan) -> Iterator[Told]:
        """Ask again for planes of an object that agree with neither side."""
        if not plan.limits.repairs:
            return
        found: dict[int, BoxedMask | None] = dict.fromkeys(self._refused[plan.object_id])
        found |= self._claims.meant(plan)
        for prediction in repair(plan, found, self._segmenter, self._cancel):
            yield from self._claims.add(prediction.plane, [(plan, prediction)])

    def _fill(self) -> Iterator[Told]:
        """Draw what is missing between anchors, for all objects before the first of them takes its place."""
        drawn = [
            (prediction, run.plan)
            for run in self._runs
            if run.plan.limits.fills_between
            for prediction in fill_between(run.plan, self._claims.meant(run.plan))
        ]
        drawn.sort(key=lambda one: (one[0].plane, claim_order(one[0].mask)))
        for prediction, plan in drawn:
            yield from self._claims.add_what_is_free(plan, prediction)


def _write_all(session: Session, plans: Sequence[PropagationPlan], told: Iterator[Told]) -> Iterator[Told]:
    group, was_cancelled = propagation_group(plans[0]) if plans else EditGroup("propagate"), False
    stale = {(plan.object_id, PlaneRef(plan.axis, index)) for plan in plans for index in plan.stale}
    for object_id, prediction in told:
        if prediction.is_new:
            session.write(prediction.plane, prediction.mask, object_id, group=group, propagated=True)
            stale.discard((object_id, prediction.plane))
        was_cancelled |= prediction.reason == "cancelled"
        yield object_id, prediction
    for object_id, plane in () if was_cancelled else sorted(stale):
        session.write(plane, no_mask(plane), object_id, group=group, propagated=True)
