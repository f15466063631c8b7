"""What is known of each plane of an object: who drew it, and how sure propagation was of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from napari_sam.core.objects import ObjectState
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation import PlanePrediction, PropagationLimits

__all__ = [
    "BY_HAND",
    "SURE",
    "WITHOUT_VOXELS",
    "PlaneMark",
    "StripState",
    "mark_of",
    "marks_of",
    "next_doubtful",
]

SURE = PropagationLimits().sure_trust
"""Planes that propagation trusts less than this it calls doubtful itself."""

BY_HAND = ("prompted", "painted")
"""States of planes that a person drew, which no propagation changes."""

WITHOUT_VOXELS = ("stopped", "held")
"""States of planes in which the object has no voxel."""


@dataclass(frozen=True)
class PlaneMark:
    """One plane of the strip.

    Parameters
    ----------
    index : int
        The plane.
    state : str
        ``"prompted"`` or ``"painted"`` by a person, ``"propagated"``, ``"interpolated"``, ``"repaired"``,
        ``"stopped"``: a propagation ended here and wrote nothing, or ``"held"``: prompted, but others have
        all of its voxels.
    score, overlap, trust : float or None
        Predicted IoU, IoU with the plane before it, and how far propagation trusts the mask; None where
        no model answered, or that was in an earlier run of the program.
    area_px : int or None
        Pixels of the object.
    reason : str
        Why propagation stopped here, as in `PlanePrediction.reason`; of "held" who has the voxels.
    """

    index: int
    state: str
    score: float | None = None
    overlap: float | None = None
    trust: float | None = None
    area_px: int | None = None
    reason: str = ""

    @property
    def surety(self) -> float | None:
        """How sure the plane is, 0 to 1: trust where there is one, else the lower of score and overlap."""
        if self.state in BY_HAND:
            return 1.0
        if self.state in ("interpolated", *WITHOUT_VOXELS):
            return 0.0
        if self.trust is not None:
            return self.trust
        known = [one for one in (self.score, self.overlap) if one is not None]
        return min(known) if known else None

    def is_doubtful(self, least: float) -> bool:
        """Whether a person should look at the plane: it is written, not by hand, and less sure than this."""
        surety = self.surety
        return self.state not in (*BY_HAND, "stopped") and surety is not None and surety < least


@dataclass(frozen=True)
class StripState:
    """What the strip along the planes shows.

    Parameters
    ----------
    n_planes : int
        Planes along the axis; 0 where there is nothing to show.
    shown : int
        The plane on the screen.
    marks : tuple of PlaneMark
        By plane, those of which something is known.
    reach : tuple[int, int]
        First and last plane that a propagation goes to, both included.
    least : float
        Below this surety a plane is doubtful.
    can_change : bool
        Whether the object may be changed now.
    ready : frozenset of int
        The planes that the model has looked at already: prompts there are answered at once.
    """

    n_planes: int = 0
    shown: int = 0
    marks: tuple[PlaneMark, ...] = ()
    reach: tuple[int, int] = (0, 0)
    least: float = SURE
    can_change: bool = False
    ready: frozenset[int] = frozenset()

    @property
    def n_doubtful(self) -> int:
        """How many planes a person should look at."""
        return sum(mark.is_doubtful(self.least) for mark in self.marks)

    @property
    def mark_shown(self) -> PlaneMark | None:
        """What is known of the plane on the screen."""
        return next((mark for mark in self.marks if mark.index == self.shown), None)


def mark_of(prediction: PlanePrediction) -> PlaneMark:
    """Keep of a prediction what the strip needs, without its masks."""
    is_drawn = prediction.state == "interpolated"
    return PlaneMark(
        prediction.plane.index,
        prediction.state,
        None if is_drawn else prediction.score,
        None if is_drawn else prediction.overlap,
        None if is_drawn else prediction.trust,
        prediction.area_px,
        prediction.reason,
    )


def marks_of(
    state: ObjectState, axis: int, known: Mapping[int, PlaneMark], held: Mapping[PlaneRef, str] | None = None
) -> tuple[PlaneMark, ...]:
    """Say what is known of an object's planes along an axis.

    The object's own state counts: a plane is shown as propagated only while it is, so that undo, brush and
    prompts need not be told here.

    Parameters
    ----------
    state : ObjectState
        The object.
    axis : int
        Across which the planes lie.
    known : mapping of int to PlaneMark
        What propagation said of planes, by plane.
    held : mapping of PlaneRef to str, optional
        The planes in which others have all of its voxels, and who.
    """
    held = held or {}
    marks = {
        index: mark
        for index, mark in known.items()
        if mark.state == "stopped" and not any(p.axis == axis and p.index == index for p in state.propagated)
    }
    for plane in state.propagated:
        if plane.axis == axis:
            mark = known.get(plane.index)
            if mark is None or mark.state in ("stopped", *BY_HAND):
                mark = PlaneMark(plane.index, "propagated")
            marks[plane.index] = mark
    for anchor in state.anchors:
        if anchor.plane.axis == axis and anchor.is_settled:
            by_hand = "prompted" if anchor.prompts else "painted"
            drawn = "held" if anchor.plane in held else by_hand
            mark = replace(known.get(anchor.plane.index) or PlaneMark(anchor.plane.index, drawn), state=drawn)
            marks[anchor.plane.index] = replace(mark, score=anchor.score, reason=held.get(anchor.plane, ""))
    return tuple(marks[index] for index in sorted(marks))


def next_doubtful(marks: Iterable[PlaneMark], shown: int, least: float, step: int = 1) -> int | None:
    """Return the next doubtful plane after the shown one, then over again from the other end.

    Parameters
    ----------
    marks : iterable of PlaneMark
        The planes.
    shown : int
        The plane to start from.
    least : float
        Below this surety a plane is doubtful.
    step : int
        1 goes to higher planes, -1 to lower ones.
    """
    doubtful = sorted(mark.index for mark in marks if mark.is_doubtful(least))
    if step < 0:
        doubtful.reverse()
    ahead = [index for index in doubtful if (index - shown) * step > 0]
    return ahead[0] if ahead else doubtful[0] if doubtful else None
