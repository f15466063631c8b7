from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.propagation import PlanePrediction, PropagationLimits, propagate
from napari_sam.core.propagation_parts import parts_named
from napari_sam.core.propagation_repair import RepairLimits, out_of_line
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session import Session
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume

SHAPE = (15, 32, 48)
Change = Callable[[NDArray[np.bool_]], NDArray[np.bool_]]


def upper_half(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    half = mask.copy()
    half[mask.shape[0] // 2 :] = False
    return half


class Slips(FakeSegmenter):
    """Answers as the fake does, except for the first `n_times` that some planes are asked for."""

    def __init__(self, planes: set[int], change: Change = upper_half, n_times: int = 1) -> None:
        super().__init__()
        self._left = dict.fromkeys(planes, n_times)
        self._change = change

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        answer = super().segment(request)
        left = self._left.get(request.plane.index, 0)
        if left == 0:
            return answer
        self._left[request.plane.index] = left - 1
        whole = self._change(answer.masks[1].to_plane(request.plane, request.volume.shape))
        return replace(answer, masks=(BoxedMask.of_plane(whole, request.plane, request.volume.shape),) * 3)


class Forgetful(Slips):
    """Slips in a plane, and is back in the next one: its box is not cut to the slip."""

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        wide = tuple(prompt for prompt in request.prompts if isinstance(prompt, PointPrompt))
        return super().segment(replace(request, prompts=wide, hint=None))


LOOSE = PropagationLimits(margin=2.0)
"""Boxes so wide that a front recovers from a slip by itself."""


def run(segmenter: FakeSegmenter, limits: PropagationLimits = LOOSE) -> tuple[Session, list[PlanePrediction]]:
    session = Session(labelled_volume(ellipsoid_labels(SHAPE)))
    request = session.prompt(PlaneRef(0, 7), PointPrompt((7, 15, 23)), object_id=1)
    session.apply(FakeSegmenter().segment(request), request)
    return session, list(propagate(session, segmenter, 1, limits=limits, parts=parts_named("as given")))


class TestRepair:
    def test_a_slip_is_asked_for_again_from_both_sides(self) -> None:
        session, predictions = run(Forgetful({9}))
        assert np.array_equal(session.labels, ellipsoid_labels(SHAPE))
        assert [p.plane.index for p in predictions if p.state == "repaired"] == [9]
        session.undo()
        assert session.labels.any(axis=(1, 2)).sum() == 1

    def test_two_slips_in_a_row(self) -> None:
        session, predictions = run(Forgetful({8, 9}))
        assert np.array_equal(session.labels, ellipsoid_labels(SHAPE))
        assert {p.plane.index for p in predictions if p.state == "repaired"} == {8, 9}

    def test_where_the_model_slips_again_the_shape_between_is_drawn(self) -> None:
        session, predictions = run(Forgetful({9}, n_times=2))
        assert [p.plane.index for p in predictions if p.state == "interpolated"] == [9]
        truth = ellipsoid_labels(SHAPE)[9] > 0
        found = session.labels[9] > 0
        assert (truth & found).sum() / (truth | found).sum() > 0.9

    def test_it_can_be_switched_off(self) -> None:
        session, predictions = run(Forgetful({9}), replace(LOOSE, repairs=False))
        assert {p.state for p in predictions} == {"anchor", "propagated", "stopped"}
        assert not np.array_equal(session.labels, ellipsoid_labels(SHAPE))

    def test_a_stack_in_line_is_left_alone(self) -> None:
        segmenter = FakeSegmenter()
        _, predictions = run(segmenter)
        assert not [p for p in predictions if p.state in ("repaired", "interpolated")]
        assert len(segmenter.requests) == len({r.plane for r in segmenter.requests})

    def test_a_cancelled_run_repairs_nothing(self) -> None:
        session = Session(labelled_volume(ellipsoid_labels(SHAPE)))
        request = session.prompt(PlaneRef(0, 7), PointPrompt((7, 15, 23)), object_id=1)
        session.apply(FakeSegmenter().segment(request), request)
        cancel, segmenter = Cancel(), Forgetful({9})
        states = []
        for prediction in propagate(session, segmenter, 1, limits=LOOSE, cancel=cancel):
            states.append(prediction.state)
            if prediction.plane.index == 10:
                cancel.cancel()
        assert "repaired" not in states


class TestPassingOver:
    def test_a_plane_without_an_answer_is_passed_over_and_drawn(self) -> None:
        nothing: Change = np.zeros_like
        session, _ = run(Slips({9}, nothing, n_times=9))
        assert not session.labels[9:].any()
        session, predictions = run(Slips({9}, nothing, n_times=9), replace(LOOSE, n_passed_over=1))
        assert np.array_equal(session.labels.any(axis=(1, 2)), ellipsoid_labels(SHAPE).any(axis=(1, 2)))
        assert predictions[-1].state == "interpolated"

    def test_the_ends_stay_where_they_are(self) -> None:
        session, _ = run(FakeSegmenter(), PropagationLimits(n_passed_over=2))
        assert np.array_equal(session.labels, ellipsoid_labels(SHAPE))


def test_the_planes_out_of_line_are_named() -> None:
    plane = PlaneRef(0, 0)
    whole = np.zeros((8, 8), np.bool_)
    whole[2:6, 2:6] = True
    masks: dict[int, BoxedMask | None] = {
        k: BoxedMask.of_plane(whole, PlaneRef(0, k), (9, 8, 8)) for k in range(9)
    }
    masks[2] = None
    masks[5] = BoxedMask.of_plane(upper_half(whole), PlaneRef(0, 5), (9, 8, 8))
    assert out_of_line(masks, frozenset(), plane, RepairLimits()) == ((1, 3), (4, 6))
    assert out_of_line(masks, frozenset({5}), plane, RepairLimits()) == ((1, 3),)
    assert out_of_line(masks, frozenset(), plane, RepairLimits(min_across=1.1)) == ()


@pytest.mark.parametrize("axis", [1, 2])
def test_other_axes(axis: int) -> None:
    labels = ellipsoid_labels((24, 32, 40))
    session = Session(labelled_volume(labels))
    middle = [11, 15, 19]
    plane = PlaneRef(axis, middle[axis])
    request = session.prompt(plane, PointPrompt((11, 15, 19)), object_id=1)
    session.apply(FakeSegmenter().segment(request), request)
    predictions = list(propagate(session, Forgetful({middle[axis] + 2}), 1, limits=LOOSE))
    assert [p.plane.index for p in predictions if p.state == "repaired"] == [middle[axis] + 2]
    assert np.array_equal(session.labels, labels)
