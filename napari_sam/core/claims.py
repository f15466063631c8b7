"""What objects that are followed at once claim in each plane, and what each of them gets of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from napari_sam.core.contest import Claim, claim_order, less, settle, without_masks
from napari_sam.core.masks import BoxedMask
from napari_sam.core.plane_prediction import PlanePrediction, no_mask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation_plan import PropagationPlan

__all__ = ["Claims", "Told"]

Told = tuple[int, PlanePrediction]
"""An object's id and what is said of one of its planes."""


@dataclass(eq=False)
class _Held:
    """What is said of an object's plane, what it claims by that, and what it has of it."""

    prediction: PlanePrediction
    claim: Claim
    kept: BoxedMask

    def told(self) -> PlanePrediction:
        masks = list(self.prediction.masks)
        masks[self.prediction.candidate] = self.kept
        return replace(self.prediction, masks=tuple(masks), area_px=self.kept.area)


@dataclass(eq=False)
class Claims:
    """The masks of several objects as they are meant, and as the others leave them.

    Who gets a voxel depends on what all of them mean in its plane, and not on who came first.
    """

    _by_plane: dict[PlaneRef, dict[int, _Held]] = field(default_factory=dict)

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
            here[plan.object_id] = _Held(prediction, _claim(plan, prediction), kept)
        masks = settle({object_id: held.claim for object_id, held in here.items()})
        order = sorted(here, key=lambda one: claim_order(here[one].claim.mask))
        for object_id in order:
            held, left = here[object_id], _common(here[object_id].kept, masks[object_id])
            if left.area < held.kept.area:
                held.kept = left
                yield object_id, held.told()
                if masks[object_id].is_empty:
                    yield object_id, replace(held.told(), state="stopped", reason="empty")
        for object_id in order:
            held, mask = here[object_id], masks[object_id]
            if mask.area > held.kept.area:
                held.kept = mask
                yield object_id, held.told()

    def add_what_is_free(self, plan: PropagationPlan, prediction: PlanePrediction) -> Iterator[Told]:
        """Enter a mask less what others have; tells of it where something is left."""
        others = [held.kept for held in self._by_plane.get(prediction.plane, {}).values()]
        free = without_masks(prediction, others)
        if not free.masks[prediction.candidate].is_empty:
            yield from self.add(prediction.plane, [(plan, replace(prediction, masks=free.masks))])

    def meant(self, plan: PropagationPlan) -> dict[int, BoxedMask]:
        """Return an object's masks by plane, as they were before others took voxels from them."""
        return {
            plane.index: here[plan.object_id].claim.mask
            for plane, here in self._by_plane.items()
            if plane.axis == plan.axis and plan.object_id in here
        }


def _claim(plan: PropagationPlan, prediction: PlanePrediction) -> Claim:
    is_anchor = prediction.plane.index in plan.seeds
    n_steps = min(abs(prediction.plane.index - index) for index in plan.seeds)
    hint = prediction.hints[prediction.candidate]
    return Claim(prediction.plane, plan.volume.shape, prediction.mask, hint, n_steps, is_anchor)


def _common(first: BoxedMask, second: BoxedMask) -> BoxedMask:
    """Return what two masks of a plane have in common."""
    return less(first, less(first, second))
