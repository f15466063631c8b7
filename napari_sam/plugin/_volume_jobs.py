"""The job on a whole volume: following an object through the planes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from napari_sam.core.anchors_across import with_anchors_across
from napari_sam.core.edits import EditGroup
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.plane_prediction import no_mask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation import PlanePrediction, PropagationPlan, follow
from napari_sam.core.propagation_film import for_film, is_film
from napari_sam.core.propagation_plan import propagation_group
from napari_sam.core.propagation_together import follow_together
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.session import Session
from napari_sam.plugin._jobs import Background, Job
from napari_sam.plugin._messages import propagation_summary

__all__ = ["Following", "plane_meets"]


class Following:
    """Propagation of objects: the model runs in the background, the session is written to on this thread.

    Parameters
    ----------
    background : Background
        Runs the model.
    on_plane : callable
        Called with the session, an object's id and each prediction, once it is in the labels.
    on_end : callable
        Called with a sentence about what was done, cancelled or not.
    on_error : callable
        Called with the error that ended it.
    """

    def __init__(
        self,
        background: Background,
        on_plane: Callable[[Session, int, PlanePrediction], None],
        on_end: Callable[[str], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._background = background
        self._on_plane = on_plane
        self._on_end = on_end
        self._on_error = on_error
        self.is_running = False
        self.object_ids: tuple[int, ...] = ()
        self.progress: tuple[int, int] | None = None
        self._started_s = 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long it may still take, from the planes that are done; None while that is not known."""
        done, total = self.progress or (0, 0)
        return None if done < 2 else (time.monotonic() - self._started_s) / done * (total - done)

    def start(self, session: Session, segmenter: Segmenter, plans: Sequence[PropagationPlan]) -> None:
        """Follow one object or several as planned; several that claim a pixel do not both get it."""
        done: dict[int, list[PlanePrediction]] = {plan.object_id: [] for plan in plans}
        group = propagation_group(plans[0])
        n_planes = sum(plan.last - plan.first for plan in plans)

        def one(told: tuple[int, PlanePrediction]) -> None:
            object_id, prediction = told
            done[object_id].append(prediction)
            if prediction.is_new:
                _write(session, prediction.plane, prediction.mask, object_id, group)
            self.progress = (min(sum(map(len, done.values())), n_planes), n_planes)
            self._on_plane(session, object_id, prediction)

        def ended() -> None:
            if not any(told.reason == "cancelled" for every in done.values() for told in every):
                for plan in plans:
                    _erase_unreached(session, plan, done[plan.object_id], group)
            self._stop()
            self._on_end(_summary(done))

        def failed(error: Exception) -> None:
            self._stop()
            self._on_error(error)

        self.object_ids = tuple(done)
        self.is_running, self.progress = True, (0, n_planes)
        self._started_s = time.monotonic()
        self._background.submit(
            Job("propagate", lambda cancel: _followed(plans, segmenter, cancel), one, ended, failed)
        )

    def cancel(self) -> None:
        """Stop at the next plane; the planes that are done stay."""
        self._background.cancel("propagate")

    def _stop(self) -> None:
        self.is_running, self.progress = False, None


def _followed(
    plans: Sequence[PropagationPlan], segmenter: Segmenter, cancel: Cancel
) -> Iterator[tuple[int, PlanePrediction]]:
    """Follow objects together; one by one in film, in which each has its own motion."""
    in_film = plans[0].axis == 0 and is_film(plans[0].volume)
    if len(plans) > 1 and not in_film:
        yield from follow_together(plans, segmenter, cancel)
        return
    for plan in plans:
        fitted, parts = for_film(plan) if in_film else (plan, None)
        for prediction in follow(fitted, segmenter, cancel, parts):
            yield plan.object_id, prediction


def _write(session: Session, plane: PlaneRef, mask: BoxedMask, object_id: int, group: EditGroup) -> None:
    """Write a plane; what a person drew across it stays."""
    mask = with_anchors_across(session, plane, mask, object_id)
    session.write(plane, mask, object_id, group=group, propagated=True)


def _erase_unreached(
    session: Session, plan: PropagationPlan, done: Sequence[PlanePrediction], group: EditGroup
) -> None:
    """Erase what an earlier propagation filled and this one did not reach."""
    reached = {prediction.plane.index for prediction in done if prediction.is_new}
    for index in sorted(plan.stale - reached):
        plane = PlaneRef(plan.axis, index)
        _write(session, plane, no_mask(plane), plan.object_id, group)


def _summary(done: Mapping[int, Sequence[PlanePrediction]]) -> str:
    if len(done) == 1:
        return propagation_summary(next(iter(done.values())))
    planes = sorted(one.plane.index for told in done.values() for one in told if one.state != "stopped")
    where = f"planes {planes[0]} to {planes[-1]}" if planes else "no plane"
    return f"{len(done)} objects followed, in {where}. Check each and correct, then accept (Q)."


def plane_meets(shown: PlaneRef, changed: PlaneRef) -> bool:
    """Return whether a change of one plane can be seen on another."""
    return shown.axis != changed.axis or shown == changed
