"""Why a direction ends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.masks import BoxedMask, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation import PlanePrediction, PropagationLimits, PropagationParts, propagate
from napari_sam.core.propagation_parts import parts_named
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.core.sharpening import keep_masks
from tests.core.followed import by_plane, cylinder_session, prompt_plane
from tests.fakes import FakeSegmenter


class Scripted(FakeSegmenter):
    """Answers as the fake does, except in planes for which a mask is given."""

    def __init__(self, masks: dict[int, Callable[[NDArray[np.bool_]], NDArray[np.bool_]]]) -> None:
        super().__init__()
        self._masks = masks

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        prediction = super().segment(request)
        change = self._masks.get(request.plane.index)
        if change is None:
            return prediction
        whole = change(prediction.masks[1].to_plane(request.plane, request.volume.shape))
        mask = BoxedMask.of_plane(whole, request.plane, request.volume.shape)
        return replace(prediction, masks=(mask,) * 3)


def mostly_beside(mask: np.ndarray) -> np.ndarray:
    """Half of a mask, and all that is around it within two pixels of its box."""
    row0, col0, row1, col1 = tight_box(mask)
    beside = mask.copy()
    beside[max(row0 - 2, 0) : row1 + 2, max(col0 - 2, 0) : col1 + 2] ^= True
    beside[: (row0 + row1) // 2] |= mask[: (row0 + row1) // 2]
    return beside


class TestStopping:
    def run(self, segmenter: FakeSegmenter, **options: object) -> tuple[Session, dict[int, PlanePrediction]]:
        session = cylinder_session()
        prompt_plane(session, segmenter, PlaneRef(0, 3))
        parts = replace(options.pop("parts", PropagationParts()), sharpen=keep_masks)
        return session, by_plane(list(propagate(session, segmenter, 1, parts=parts, **options)))

    @pytest.mark.parametrize(
        ("reason", "change"),
        [
            ("empty", lambda mask: mask & False),
            ("overlap", lambda mask: np.roll(mask, 14, axis=1)),
            ("area", lambda mask: mask | (np.indices(mask.shape)[0] > 15) & (np.indices(mask.shape)[1] > 10)),
            ("intensity", lambda mask: mostly_beside(mask)),
        ],
    )
    def test_each_rule_stops_its_direction_and_says_why(self, reason: str, change: Callable) -> None:
        limits = PropagationLimits(min_overlap=0.2, margin=0.05)
        session, predictions = self.run(Scripted({6: change}), limits=limits, parts=parts_named("limits"))
        assert (predictions[6].state, predictions[6].reason) == ("stopped", reason)
        assert not session.labels[6:].any()
        assert session.labels[:6].any(axis=(1, 2)).all()
        assert 7 not in predictions
        assert predictions[5].reason == ""
        assert predictions[0].reason == "end of range"

    def test_a_slow_leak_stops_where_it_has_grown_too_far_from_the_anchor(self) -> None:
        growing = {
            index: lambda mask, n=index: ndimage.binary_dilation(mask, iterations=n - 3)
            for index in range(4, 11)
        }
        limits = PropagationLimits(max_growth=1.5, min_familiar=0.0, margin=0.5)
        _, predictions = self.run(Scripted(growing), limits=limits, parts=parts_named("limits"))
        stopped = [p for p in predictions.values() if p.state == "stopped"]
        assert [p.reason for p in stopped] == ["area"]
        assert stopped[0].area_px > 1.5 * predictions[3].area_px
        assert stopped[0].overlap > 0.5

    def test_a_low_score_stops(self) -> None:
        segmenter = FakeSegmenter(scores=lambda plane: 0.0 if plane.index == 5 else 0.9)
        session, predictions = self.run(segmenter)
        assert (predictions[5].state, predictions[5].reason) == ("stopped", "score")
        assert not session.labels[5:].any()

    def test_an_object_that_the_model_holds_for_ended_stops(self) -> None:
        class Knowing(FakeSegmenter):
            def segment(self, request: SegmentRequest) -> MaskPrediction:
                presence = 0.01 if request.plane.index == 5 else 0.9
                return replace(super().segment(request), presence=presence)

        session, predictions = self.run(Knowing())
        assert (predictions[5].state, predictions[5].reason) == ("stopped", "absent")
        assert predictions[5].presence == 0.01
        assert not session.labels[5:].any()
        limits = PropagationLimits(min_presence=0.005)
        _, predictions = self.run(Knowing(), limits=limits, parts=parts_named("limits"))
        assert predictions[5].state == "propagated"

    def test_limits_are_the_callers(self) -> None:
        segmenter = FakeSegmenter(scores=lambda plane: 0.1)
        limits = PropagationLimits(min_score=0.05)
        _, predictions = self.run(segmenter, limits=limits, parts=parts_named("limits"))
        assert all(prediction.state != "stopped" for prediction in predictions.values())

    def test_range_handles(self) -> None:
        session, predictions = self.run(FakeSegmenter(), planes=(2, 6))
        assert sorted(predictions) == [2, 3, 4, 5]
        assert {index for index, p in predictions.items() if p.reason == "end of range"} == {2, 5}
        assert session.labels.any(axis=(1, 2)).tolist() == [False] * 2 + [True] * 4 + [False] * 5

    def test_record_holds_the_figures(self) -> None:
        _, predictions = self.run(FakeSegmenter())
        four = predictions[4]
        assert four.score == pytest.approx(0.9)
        assert four.area_px == four.mask.area > 150
        assert four.overlap == pytest.approx(1.0)
        assert four.seconds >= 0
        assert four.mask == four.masks[four.candidate]
