"""What the window says of a propagation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from napari_sam.core.plane_prediction import PlanePrediction, no_mask, told_without_model
from napari_sam.core.planes import PlaneRef
from napari_sam.core.same_thing import Meeting
from napari_sam.plugin._messages import one_thing, propagation_summary


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


def test_planes_in_doubt_are_pointed_to() -> None:
    planes = [_prediction(2, "propagated", ""), replace(_prediction(3, "propagated", ""), doubtful=True)]
    assert propagation_summary(planes) == (
        "Planes 2 to 3 are done. Look at the planes in doubt (N) and correct, then accept (Q)."
    )
    planes.append(_prediction(3, "stopped", "trust"))  # given up since
    assert propagation_summary(planes).endswith("Check and correct, then accept (Q).")


def test_of_many_pairs_that_meet_two_are_named() -> None:
    pairs = [Meeting((number + 1, number), PlaneRef(0, 7 * number), 0.8) for number in (1, 2, 3, 4)]
    first = "Object 1 and object 2 (planes 7 and 8), object 2 and object 3 (planes 14 and 15)"
    assert one_thing(pairs).startswith(f"{first} and 2 more pairs meet as one thing would.")
