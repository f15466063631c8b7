"""What the window says of a propagation."""

from __future__ import annotations

import pytest

from napari_sam.core.plane_prediction import PlanePrediction, no_mask, told_without_model
from napari_sam.core.planes import PlaneRef
from napari_sam.plugin._messages import propagation_summary


def _prediction(index: int, state: str, reason: str) -> PlanePrediction:
    plane = PlaneRef(0, index)
    return told_without_model(plane, no_mask(plane), 0.5, state, reason)


def told(done: list[int], stopped: dict[int, str], given_up: tuple[int, ...] = ()) -> str:
    planes = [(index, "stopped", reason) for index, reason in stopped.items()]
    planes += [(index, "propagated", "") for index in done]
    planes += [(index, "stopped", "neighbour") for index in given_up]
    predictions = [_prediction(*plane) for plane in planes]
    return propagation_summary(predictions).removesuffix(" Check and correct, then accept (Q).")


@pytest.mark.parametrize(
    ("stopped", "ends"),
    [
        ({}, "."),
        ({7: "empty"}, "; it ended at 7 (nothing found)."),
        ({7: "empty", 1: "empty"}, "; it ended at 1 and 7 (nothing found)."),
        ({7: "empty", 1: "area"}, "; it ended at 1 (the size jumps) and 7 (nothing found)."),
        ({7: "empty", 8: "empty", 9: "empty", 1: "empty"}, "; it ended at 1 and 7 to 9 (nothing found)."),
        ({4: "empty"}, "."),  # the other side reached it
    ],
)
def test_each_reason_is_said_once(stopped: dict[int, str], ends: str) -> None:
    assert told([2, 3, 4, 5, 6], stopped) == f"Planes 2 to 6 are done{ends}"


def test_planes_that_were_given_up_are_not_done() -> None:
    found = told([2, 3, 4, 5, 6], {1: "empty"}, given_up=(6, 5))
    assert found == (
        "Planes 2 to 4 are done; it ended at 1 (nothing found) and 5 to 6 (another object is surer of it)."
    )
