"""Looking past a plane in which a front ended: the object may be there again in the next ones.

In a stack, the model may fail in a single plane; in film, an object goes behind another or leaves the
picture. The planes passed over are left to `napari_sam.core.propagation_repair` in a stack; in film, nothing
is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from napari_sam.core.plane_prediction import PlanePrediction
from napari_sam.core.propagation_run import Front, PropagationRun

__all__ = ["look_past"]


def look_past(
    run: PropagationRun,
    front: Front,
    n_planes: int,
    advance: Callable[[PropagationRun, Front], PlanePrediction | None],
) -> Iterator[PlanePrediction]:
    """Ask for the planes beyond the one in which a front ended, until the object is there again.

    Parameters
    ----------
    run, front : PropagationRun, Front
        The front that ended; it is among the run's fronts again where the object was found.
    n_planes : int
        How many planes it may pass over.
    advance : callable
        Asks for a front's next plane and takes the answer in.

    Yields
    ------
    PlanePrediction
        What each plane said; the last one is ``"propagated"`` where the object was found.
    """
    plan = run.plan
    for _ in range(n_planes):
        index = front.plane.index + front.step
        if index in plan.walls or not plan.first <= index + front.step < plan.last:
            return
        front.plane = front.plane.neighbour(front.step)
        front.mask = front.mask.moved_to(front.plane)
        front.skipped += 1
        run.fronts.append(front)
        prediction = advance(run, front)
        if prediction is None:
            return
        if front in run.fronts:
            front.skipped = 0
        yield prediction
        if front in run.fronts or prediction.reason == "cancelled":
            return
