"""The job on a whole volume: following an object through the planes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from napari_sam.core.edits import EditGroup
from napari_sam.core.plane_prediction import no_mask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation import PlanePrediction, PropagationPlan, follow
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.session import Session
from napari_sam.plugin._jobs import Background, Job
from napari_sam.plugin._messages import propagation_summary

__all__ = ["Following", "plane_meets"]


class Following:
    """Propagation of one object: the model runs in the background, the session is written to on this thread.

    Parameters
    ----------
    background : Background
        Runs the model.
    on_plane : callable
        Called with the session and each prediction, once it is in the labels.
    on_end : callable
        Called with a sentence about what was done, cancelled or not.
    on_error : callable
        Called with the error that ended it.
    """

    def __init__(
        self,
        background: Background,
        on_plane: Callable[[Session, PlanePrediction], None],
        on_end: Callable[[str], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        self._background = background
        self._on_plane = on_plane
        self._on_end = on_end
        self._on_error = on_error
        self.is_running = False
        self.object_id = 0
        self.progress: tuple[int, int] | None = None
        self._started_s = 0.0

    @property
    def seconds_left(self) -> float | None:
        """How long it may still take, from the planes that are done; None while that is not known."""
        done, total = self.progress or (0, 0)
        return None if done < 2 else (time.monotonic() - self._started_s) / done * (total - done)

    def start(self, session: Session, segmenter: Segmenter, plan: PropagationPlan) -> None:
        """Follow an object as planned."""
        done: list[PlanePrediction] = []
        group = EditGroup("propagate")
        n_planes = plan.last - plan.first

        def one(prediction: PlanePrediction) -> None:
            done.append(prediction)
            if prediction.is_new:
                session.write(prediction.plane, prediction.mask, plan.object_id, group=group, propagated=True)
            self.progress = (min(len(done), n_planes), n_planes)
            self._on_plane(session, prediction)

        def ended() -> None:
            if not any(prediction.reason == "cancelled" for prediction in done):
                _erase_unreached(session, plan, done, group)
            self._stop()
            self._on_end(propagation_summary(done))

        def failed(error: Exception) -> None:
            self._stop()
            self._on_error(error)

        self.is_running, self.object_id, self.progress = True, plan.object_id, (0, n_planes)
        self._started_s = time.monotonic()
        self._background.submit(
            Job("propagate", lambda cancel: follow(plan, segmenter, cancel), one, ended, failed)
        )

    def cancel(self) -> None:
        """Stop at the next plane; the planes that are done stay."""
        self._background.cancel("propagate")

    def _stop(self) -> None:
        self.is_running, self.progress = False, None


def _erase_unreached(
    session: Session, plan: PropagationPlan, done: Sequence[PlanePrediction], group: EditGroup
) -> None:
    """Erase what an earlier propagation filled and this one did not reach."""
    reached = {prediction.plane.index for prediction in done if prediction.is_new}
    for index in sorted(plan.stale - reached):
        plane = PlaneRef(plan.axis, index)
        session.write(plane, no_mask(plane), plan.object_id, group=group, propagated=True)


def plane_meets(shown: PlaneRef, changed: PlaneRef) -> bool:
    """Return whether a change of one plane can be seen on another."""
    return shown.axis != changed.axis or shown == changed
