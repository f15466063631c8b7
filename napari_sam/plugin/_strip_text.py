"""What the strip says of a plane, in words."""

from __future__ import annotations

from napari_sam.plugin._messages import REASONS
from napari_sam.plugin._plane_marks import PlaneMark, StripState

__all__ = ["describe_mark", "summary"]

_STATES = {
    "prompted": "prompted by you",
    "painted": "drawn or confirmed by you",
    "propagated": "propagated",
    "repaired": "propagated, run again from both sides",
    "interpolated": "drawn between its neighbours; the model lost the object here",
    "stopped": "propagation stopped here",
}


def describe_mark(index: int, mark: PlaneMark | None) -> str:
    """Say what is known of a plane, in one line."""
    if mark is None:
        return f"Plane {index}: nothing of the object"
    if mark.state == "held":
        return f"Plane {index}: all of it belongs to {mark.reason}, though you prompted it here"
    parts = [_STATES.get(mark.state, mark.state)]
    if mark.reason in REASONS:
        parts[0] += f": {REASONS[mark.reason]}"
    for name, value in (("score", mark.score), ("overlap", mark.overlap), ("trust", mark.trust)):
        if value is not None and mark.state != "painted":
            parts.append(f"{name} {value:.2f}")
    if mark.area_px is not None and mark.state != "stopped":
        parts.append(f"{mark.area_px:,} px".replace(",", "\u202f"))
    return f"Plane {index}: {', '.join(parts)}"


def summary(state: StripState) -> str:
    """Say in one line how many planes are done, and how many want a look."""
    done = [mark for mark in state.marks if mark.state != "stopped"]
    if not done:
        return ""
    by_hand = sum(mark.state in ("prompted", "painted") for mark in done)
    n = "1 plane" if len(done) == 1 else f"{len(done)} planes"
    return f"{n}, {by_hand} by you, {state.n_doubtful} in doubt"
