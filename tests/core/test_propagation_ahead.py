"""Fronts that are asked for together find what they find one after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.propagation import PlanePrediction, propagate
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.errors import Cancelled
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume

SHAPE = (15, 32, 48)
TRUTH = ellipsoid_labels(SHAPE)


class Batching(FakeSegmenter):
    """Answers many requests at once, and remembers how many."""

    def __init__(self, lost: frozenset[int] = frozenset()) -> None:
        super().__init__(TRUTH, scores=lambda plane: 0.0 if plane.index in lost else 0.9)
        self.batches: list[int] = []

    def segment_many(self, requests: Sequence[SegmentRequest]) -> list[MaskPrediction]:
        self.batches.append(len(requests))
        return [self.segment(request) for request in requests]


class OneByOne(FakeSegmenter):
    """The same, without batches."""

    def __init__(self, lost: frozenset[int] = frozenset()) -> None:
        super().__init__(TRUTH, scores=lambda plane: 0.0 if plane.index in lost else 0.9)


def prompted(planes: Sequence[int]) -> Session:
    session, segmenter = Session(labelled_volume(TRUTH)), OneByOne()
    for index in planes:
        request = session.prompt(PlaneRef(0, index), PointPrompt((index, 15, 23)), object_id=1)
        session.apply(segmenter.segment(request), request)
    return session


def told(session: Session, segmenter: FakeSegmenter, stop_after: int = 99) -> list[tuple[object, ...]]:
    """What is said of each plane, cancelled after some of them."""
    cancel, said = Cancel(), []
    for prediction in propagate(session, segmenter, 1, cancel=cancel):
        said.append(_said(prediction))
        if len(said) == stop_after:
            cancel.cancel()
    return said


def _said(prediction: PlanePrediction) -> tuple[object, ...]:
    return prediction.plane, prediction.state, prediction.reason, prediction.mask, prediction.trust


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(3, 11), min_size=1, max_size=3, unique=True),
    st.frozensets(st.integers(2, 12), max_size=4),
    st.integers(1, 16),
)
def test_what_is_found_is_what_one_after_the_other_finds(
    planes: list[int], lost: frozenset[int], stop_after: int
) -> None:
    together, apart = prompted(planes), prompted(planes)
    assert told(together, Batching(lost), stop_after) == told(apart, OneByOne(lost), stop_after)
    assert np.array_equal(together.labels, apart.labels)


def test_both_directions_are_asked_for_at_once() -> None:
    segmenter = Batching()
    told(prompted([7]), segmenter)
    assert set(segmenter.batches) == {2}


def test_a_model_that_stops_in_a_batch_ends_all_fronts(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = Batching()

    def stop(_: object) -> list[MaskPrediction]:
        raise Cancelled("somebody asked to stop")

    monkeypatch.setattr(segmenter, "segment_many", stop)
    monkeypatch.setattr(segmenter, "segment", stop)
    said = told(prompted([7]), segmenter)
    assert [one[2] for one in said[1:]] == ["cancelled", "cancelled"]
