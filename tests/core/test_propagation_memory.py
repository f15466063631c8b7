"""A model with a memory of its own follows objects as a segmenter does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.propagation import propagate
from napari_sam.core.propagation_parts import parts_named
from napari_sam.core.segmenter import MaskPrediction, Propagator, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.errors import InvalidPrompt
from tests.contracts import PropagatorContract
from tests.fakes import FakeSegmenter, RememberingModel, ellipsoid_labels, labelled_volume

SHAPE = (15, 32, 48)


class TestRememberingModel(PropagatorContract):
    @pytest.fixture
    def propagator(self) -> RememberingModel:
        return RememberingModel(FakeSegmenter())


def clicked() -> Session:
    session = Session(labelled_volume(ellipsoid_labels(SHAPE)))
    request = session.prompt(PlaneRef(0, 7), PointPrompt((7, 15, 23)), object_id=1)
    session.apply(FakeSegmenter().segment(request), request)
    return session


def test_the_session_cannot_tell_the_difference() -> None:
    by_memory, by_prompts = clicked(), clicked()
    first = list(propagate(by_memory, RememberingModel(FakeSegmenter()), 1))
    second = list(propagate(by_prompts, FakeSegmenter(), 1))
    assert [(p.plane, p.state, p.reason, p.mask) for p in first] == [
        (p.plane, p.state, p.reason, p.mask) for p in second
    ]
    assert np.array_equal(by_memory.labels, by_prompts.labels)
    before = clicked().labels
    by_memory.undo()
    assert np.array_equal(by_memory.labels, before)


class Tracker(RememberingModel):
    """Knows where all of the object is, however far it has moved."""

    def propagate(
        self, request: SegmentRequest, planes: Sequence[PlaneRef], cancel: Cancel | None = None
    ) -> Iterator[MaskPrediction]:
        for plane in planes:
            mask = BoxedMask.of_plane(plane.take(request.volume.data) > 300, plane, SHAPE)
            hint = np.zeros((1, 8, 8), np.float16)
            yield MaskPrediction(plane, (mask,), np.full(1, 0.9, np.float32), hint)


def test_what_moves_far_from_plane_to_plane_is_kept_whole() -> None:
    truth = np.zeros(SHAPE, np.uint16)
    for index in range(3, 12):
        truth[index, 12:20, 3 * index : 3 * index + 9] = 1
    session, segmenter = Session(labelled_volume(truth)), FakeSegmenter()
    request = session.prompt(PlaneRef(0, 7), PointPrompt((7, 15, 25)), object_id=1)
    session.apply(segmenter.segment(request), request)
    list(propagate(session, Tracker(segmenter), 1, parts=parts_named("as given")))
    assert np.array_equal(session.labels[3:12], truth[3:12])


def test_cancel_keeps_what_is_done_and_may_be_gone_on_with() -> None:
    session, cancel, whole = clicked(), Cancel(), clicked()
    told = propagate(session, RememberingModel(FakeSegmenter()), 1, cancel=cancel)
    done = [next(told) for _ in range(4)]
    cancel.cancel()
    assert {prediction.reason for prediction in told} == {"cancelled"}
    assert sum(prediction.is_new for prediction in done) == 3
    list(propagate(session, RememberingModel(FakeSegmenter()), 1))
    list(propagate(whole, FakeSegmenter(), 1))
    assert np.array_equal(session.labels, whole.labels)


class Short(RememberingModel):
    """Says nothing after two planes."""

    def propagate(
        self, request: SegmentRequest, planes: Sequence[PlaneRef], cancel: Cancel | None = None
    ) -> Iterator[MaskPrediction]:
        yield from super().propagate(request, planes[:3], cancel)


class Leaping(RememberingModel):
    """Leaves every second plane out."""

    def propagate(
        self, request: SegmentRequest, planes: Sequence[PlaneRef], cancel: Cancel | None = None
    ) -> Iterator[MaskPrediction]:
        yield from super().propagate(request, planes[::2], cancel)


def test_a_model_that_falls_silent_ends_there() -> None:
    session = clicked()
    told = list(propagate(session, Short(FakeSegmenter()), 1))
    assert sorted(p.plane.index for p in told if p.is_new) == [5, 6, 8, 9]
    assert {p.plane.index: p.reason for p in told if p.state == "stopped"} == {4: "empty", 10: "empty"}


def test_a_model_that_leaves_planes_out_is_told() -> None:
    model: Propagator = Leaping(FakeSegmenter())
    with pytest.raises(InvalidPrompt, match="in their order"):
        list(propagate(clicked(), model, 1))
