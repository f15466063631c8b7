"""Plain sentences: what went wrong, and what a propagation did."""

from __future__ import annotations

from collections.abc import Sequence

from napari_sam.core.propagation import PlanePrediction
from napari_sam.core.same_thing import Meeting
from napari_sam.errors import SamError
from napari_sam.plugin._bindings import KEYS
from napari_sam.plugin._shortcuts import key_text
from volumes import VolumeError

__all__ = ["REASONS", "one_thing", "plain_message", "propagation_summary"]

MOST_SAID = 2
"""More pairs of objects are only counted."""

REASONS = {
    "absent": "the object ends",
    "score": "the model is unsure",
    "overlap": "the shape jumps",
    "intensity": "the brightness differs",
    "area": "the size jumps",
    "empty": "nothing found",
    "trust": "too little speaks for the mask",
    "reach": "the object is too small to reach so far",
    "neighbour": "another object is surer of it",
    "cancelled": "cancelled",
}
"""Why propagation stopped, in words; by `PlanePrediction.reason`."""


def plain_message(error: Exception) -> str:
    """Give an error as one plain line, fit for somebody who does not program."""
    text = " ".join(str(error).split())
    if isinstance(error, SamError | VolumeError | OSError) and text:
        return text[0].upper() + text[1:]
    return f"Something went wrong that should not have: {type(error).__name__}: {text}"


def propagation_summary(predictions: Sequence[PlanePrediction]) -> str:
    """Say which planes were done and why it ended on either side.

    Parameters
    ----------
    predictions : sequence of PlanePrediction
        In the order in which they came.
    """
    latest = {prediction.plane.index: prediction for prediction in predictions}
    done = sorted(index for index, p in latest.items() if p.state != "stopped")
    drawn = sorted(index for index, p in latest.items() if p.state == "interpolated")
    stops: dict[str, list[int]] = {}
    for index in sorted(latest):
        reason = REASONS.get(latest[index].reason, "")
        if latest[index].state == "stopped" and reason:
            stops.setdefault(reason, []).append(index)
    where = f"Planes {done[0]} to {done[-1]} are done" if done else "No plane was done"
    told = " and ".join(f"{_listed(at)} ({reason})" for reason, at in stops.items())
    ends = f"; it ended at {told}." if told else "."
    lost = (
        f" {len(drawn)} planes from {drawn[0]} on, where the model lost it, are drawn in between."
        if drawn
        else ""
    )
    is_doubtful = any(latest[index].doubtful for index in done)
    look = f"Look at the planes in doubt ({key_text(KEYS['next in doubt'])})" if is_doubtful else "Check"
    return f"{where}{ends}{lost} {look} and correct, then accept (Q)."


def one_thing(pairs: Sequence[Meeting]) -> str:
    """Say of which objects one goes on as the other, and what to do if they are one thing.

    Parameters
    ----------
    pairs : sequence of Meeting
        At least one.
    """
    said = [
        f"object {min(one.object_ids)} and object {max(one.object_ids)} (planes {one.plane.index} and "
        f"{one.plane.index + 1})"
        for one in pairs[:MOST_SAID]
    ]
    more = f" and {len(pairs) - MOST_SAID} more pairs" if len(pairs) > MOST_SAID else ""
    what = f"{', '.join(said)}{more}"
    return (
        f"{what[0].upper()}{what[1:]} meet as one thing would. If they are one, choose both in the table and "
        "Merge; else correct where they meet."
    )


def _listed(indices: Sequence[int]) -> str:
    """Say planes in rising order as people do: 1, 4 to 7 and 9."""
    runs: list[list[int]] = []
    for index in indices:
        if runs and index - runs[-1][-1] < 2:
            runs[-1].append(index)
        else:
            runs.append([index])
    *most, last = [f"{run[0]} to {run[-1]}" if run[0] < run[-1] else f"{run[0]}" for run in runs]
    return f"{', '.join(most)} and {last}" if most else last
