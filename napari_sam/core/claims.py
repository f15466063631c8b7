"""What objects that are followed at once claim in each plane, and what each of them gets of it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from napari_sam.core.contest import claim_order, settle, without_masks
from napari_sam.core.evidence import LEAST_SHARE
from napari_sam.core.masks import BoxedMask
from napari_sam.core.overlaps import common_part
from napari_sam.core.plane_prediction import PlanePrediction, no_mask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation_plan import PropagationPlan
from napari_sam.core.sureness import Claim, Home

__all__ = ["Claims", "Told"]

Told = tuple[int, PlanePrediction]
"""An object's id and what is said of one of its planes."""

LEAST_LEFT = 0.2
"""An object that is left less than this part of what it claims, in `N_LOST` planes in a row, has ended."""

N_LOST = 2


@dataclass(eq=False)
class _Held:
    """What is said of an object's plane, what it claims by that, and what it has of it."""

    plan: PropagationPlan
    prediction: PlanePrediction
    claim: Claim
    kept: BoxedMask

    def told(self) -> PlanePrediction:
        """Say what it has; it is trusted less, the more of what it claims is another's."""
        masks = list(self.prediction.masks)
        masks[self.prediction.candidate] = self.kept
        left = replace(self.prediction, masks=tuple(masks), area_px=self.kept.area)
        if self.kept.area == self.claim.mask.area:
            return left
        trust = self.prediction.trust * self.kept.area / self.claim.mask.area
        doubtful = self.prediction.doubtful or trust < self.plan.limits.sure_trust
        return replace(left, trust=trust, doubtful=doubtful)

    def told_stopped(self, reason: str) -> PlanePrediction:
        """Say that it is not in the plane after all."""
        return replace(self.told(), state="stopped", reason=reason)


@dataclass(eq=False)
class Claims:
    """The masks of several objects as they are meant, and as the others leave them.

    Who gets a voxel depends on what all of them mean in its plane, and not on who came first.
    """

    _by_plane: dict[PlaneRef, dict[int, _Held]] = field(default_factory=dict)
    _homes: dict[tuple[int, int], Home] = field(default_factory=dict)

    def add(self, plane: PlaneRef, new: Sequence[tuple[PropagationPlan, PlanePrediction]]) -> Iterator[Told]:
        """Enter what is said of a plane of some objects; tells of all objects whose masks there change.

        Whoever loses voxels is told of before those that gain them; one that loses all is told of as
        ``"stopped"`` after that. An object that gets nothing from the start is not told of.

        Parameters
        ----------
        plane : PlaneRef
            The plane of all predictions.
        new : sequence of (PropagationPlan, PlanePrediction)
            At most one an object; it takes the place of what was said before.
        """
        here = self._by_plane.setdefault(plane, {})
        for plan, prediction in new:
            old = here.get(plan.object_id)
            kept = no_mask(plane) if old is None else old.kept
            here[plan.object_id] = _Held(plan, prediction, self._claim(plan, prediction), kept)
        yield from self._settle(plane)

    def add_what_is_free(self, plan: PropagationPlan, prediction: PlanePrediction) -> Iterator[Told]:
        """Enter a mask less what others have; tells of it where something is left."""
        others = [held.kept for held in self._by_plane.get(prediction.plane, {}).values()]
        free = without_masks(prediction, others)
        if not free.masks[prediction.candidate].is_empty:
            yield from self.add(prediction.plane, [(plan, replace(prediction, masks=free.masks))])

    def give_up(self) -> Iterator[Told]:
        """End objects where others turned out to be surer of nearly all that they claim; once all are done.

        Such an object has left its own place and follows a neighbour. It ends at the first of `N_LOST` planes
        in a row, beyond its outermost anchors, of which it is left less than `LEAST_LEFT`. What lies under an
        anchor of another does not count: behind that, it may go on. What it gives up goes to the others that
        claim it. It is told of from its farthest plane on, as ``"stopped"`` by ``"neighbour"``.
        """
        plans = {held.plan.object_id: held.plan for here in self._by_plane.values() for held in here.values()}
        order = sorted(plans.values(), key=lambda plan: claim_order(plan.seeds[min(plan.seeds)].mask))
        lost = [(plan, index) for plan in order for index in self._lost_planes(plan)]
        for plan, index in lost:
            held = self._by_plane[PlaneRef(plan.axis, index)].pop(plan.object_id)
            held.kept = no_mask(held.claim.plane)
            yield plan.object_id, held.told()
            yield plan.object_id, held.told_stopped("neighbour")
        changed = {(plan.axis, index) for plan, index in lost}
        for axis, index in sorted(changed):
            yield from self._settle(PlaneRef(axis, index))

    def meant(self, plan: PropagationPlan) -> dict[int, BoxedMask]:
        """Return an object's masks by plane, as they were before others took voxels from them."""
        return {
            plane.index: here[plan.object_id].claim.mask
            for plane, here in self._by_plane.items()
            if plane.axis == plan.axis and plan.object_id in here
        }

    def _settle(self, plane: PlaneRef) -> Iterator[Told]:
        here = self._by_plane[plane]
        masks = settle({object_id: held.claim for object_id, held in here.items()})
        order = sorted(here, key=lambda one: claim_order(here[one].claim.mask))
        for object_id in order:
            held, left = here[object_id], common_part(here[object_id].kept, masks[object_id])
            if left.area < held.kept.area:
                held.kept = left
                yield object_id, held.told()
                if masks[object_id].is_empty:
                    yield object_id, held.told_stopped("empty")
        for object_id in order:
            held, mask = here[object_id], masks[object_id]
            if mask.area > held.kept.area:
                held.kept = mask
                yield object_id, held.told()

    def _claim(self, plan: PropagationPlan, prediction: PlanePrediction) -> Claim:
        plane, hint = prediction.plane, prediction.hints[prediction.candidate]
        nearest = min(plan.seeds, key=lambda index: (abs(index - plane.index), index))
        home = self._homes.setdefault((plan.object_id, nearest), Home(plan.axis, plan.seeds[nearest].mask))
        return Claim(
            plane, plan.volume.shape, prediction.mask, hint, prediction.score, home,
            abs(plane.index - nearest), self._doubt(plan, prediction, nearest), plane.index in plan.seeds,
        )  # fmt: skip

    def _doubt(self, plan: PropagationPlan, prediction: PlanePrediction, nearest: int) -> float:
        """Sum up the doubt from an anchor to a plane; planes that were passed over have none."""
        index, doubt = prediction.plane.index, -math.log(max(prediction.trust, LEAST_SHARE))
        step = 1 if nearest > index else -1
        for before in range(index + step, nearest, step):
            held = self._held(plan, before)
            if held is not None:
                return doubt + held.claim.doubt
        return 0.0 if index == nearest else doubt

    def _held(self, plan: PropagationPlan, index: int) -> _Held | None:
        return self._by_plane.get(PlaneRef(plan.axis, index), {}).get(plan.object_id)

    def _lost_planes(self, plan: PropagationPlan) -> list[int]:
        """List the planes that an object gives up, from the farthest on either side."""
        found: list[int] = []
        for outermost, step in ((min(plan.seeds), -1), (max(plan.seeds), 1)):
            index, n_lost, beyond = outermost + step, 0, list[int]()
            while plan.first <= index < plan.last and self._held(plan, index) is not None:
                n_lost = n_lost + 1 if self._is_lost(plan, index) else 0
                if beyond or n_lost == N_LOST:
                    beyond = beyond or list(range(index - step * (N_LOST - 1), index, step))
                    beyond.append(index)
                index += step
            found += reversed(beyond)
        return found

    def _is_lost(self, plan: PropagationPlan, index: int) -> bool:
        """Return whether others, surer but not by their anchors, have nearly all that an object claims."""
        here = self._by_plane[PlaneRef(plan.axis, index)]
        mask = here[plan.object_id].claim.mask
        taken_px = sum(
            common_part(mask, other.kept).area
            for object_id, other in here.items()
            if object_id != plan.object_id and not other.claim.is_anchor
        )
        return mask.area - taken_px < LEAST_LEFT * mask.area
