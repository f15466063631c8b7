"""What the window says of a propagation."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.plane_prediction import no_mask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation import PlanePrediction
from napari_sam.plugin._messages import propagation_summary


def _prediction(plane: PlaneRef, state: str, reason: str) -> PlanePrediction:
    nothing = np.zeros(1, np.float32)
    return PlanePrediction(
        plane, (no_mask(plane),), nothing, nothing,
        candidate=0, score=0.5, area_px=0, overlap=0.5, state=state, reason=reason, seconds=0.0,
    )  # fmt: skip


def told(done: list[int], stopped: dict[int, str]) -> str:
    planes = [(index, "propagated", "") for index in done]
    planes += [(index, "stopped", reason) for index, reason in stopped.items()]
    predictions = [_prediction(PlaneRef(0, index), state, reason) for index, state, reason in planes]
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
