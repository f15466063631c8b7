"""What anchors mean: where fronts start and meet, walls, what lies between, and the chosen candidate."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.propagation import PlanePrediction, PropagationLimits, propagate
from napari_sam.core.session import Session
from tests.core.followed import by_plane, cylinder_session, prompt_plane
from tests.fakes import FakeSegmenter, NestedSegmenter


class TestAnchors:
    def ends(self, session: Session, segmenter: FakeSegmenter, *indices: int) -> list[PlanePrediction]:
        for index in indices:
            prompt_plane(session, segmenter, PlaneRef(0, index))
        segmenter.requests.clear()
        return list(propagate(session, segmenter, 1))

    def test_two_anchors_meet_in_the_middle(self) -> None:
        session, segmenter = cylinder_session(), FakeSegmenter()
        order = [p.plane.index for p in self.ends(session, segmenter, 0, 10)]
        assert order == [0, 10, 1, 9, 2, 8, 3, 7, 4, 6, 5]
        assert session.labels.any(axis=(1, 2)).all()

    def test_anchors_are_asked_about_once_and_never_change(self) -> None:
        session, segmenter = cylinder_session(), FakeSegmenter()
        wrong = BoxedMask(PlaneRef(0, 5).box_of((8, 16, 22, 30)), np.ones((1, 14, 14), bool))
        session.write(PlaneRef(0, 5), wrong, 1)
        self.ends(session, segmenter, 1)
        assert session.mask_on(PlaneRef(0, 5), 1) == wrong
        asked = [request.plane.index for request in segmenter.requests]
        assert sorted(asked[:2]) == [1, 5]
        assert not {1, 5} & set(asked[2:])

    def test_where_one_side_stops_the_other_goes_on(self) -> None:
        """Scores drop while plane 3 is reached from the left first; from the right the object is found."""
        session = cylinder_session()
        asked: list[int] = []

        def score(plane: PlaneRef) -> float:
            asked.append(plane.index)
            return 0.0 if plane.index == 2 and asked.count(2) == 1 else 0.9

        predictions = self.ends(session, FakeSegmenter(scores=score), 0, 10)
        of_two = [p.state for p in predictions if p.plane.index == 2]
        assert of_two == ["stopped", "propagated"]
        assert session.labels.any(axis=(1, 2)).all()

    def test_planes_that_no_front_could_fill_are_drawn_in_between(self) -> None:
        session = cylinder_session()
        lost = FakeSegmenter(scores=lambda plane: 0.0 if 3 <= plane.index <= 6 else 0.9)
        predictions = by_plane(self.ends(session, lost, 0, 10))
        assert [predictions[index].state for index in range(11)] == (
            ["anchor", "propagated", "propagated"] + ["interpolated"] * 4 + ["propagated"] * 3 + ["anchor"]
        )
        assert all(np.array_equal(plane, session.labels[0]) for plane in session.labels)
        session.undo()  # one step, with all the rest
        assert session.labels.any(axis=(1, 2)).tolist() == [True] + [False] * 9 + [True]

    def test_beyond_the_anchors_nothing_is_drawn(self) -> None:
        session = cylinder_session()
        lost = FakeSegmenter(scores=lambda plane: 0.0 if plane.index in (1, 5, 9) else 0.9)
        self.ends(session, lost, 3, 7)
        assert session.labels.any(axis=(1, 2)).tolist() == [False] * 2 + [True] * 7 + [False] * 2

    def test_nothing_is_drawn_over_a_wall_or_where_it_is_not_wanted(self) -> None:
        lost = FakeSegmenter(scores=lambda plane: 0.0 if 3 <= plane.index <= 6 else 0.9)
        session = cylinder_session()
        wall = PlaneRef(0, 5)
        prompt_plane(session, FakeSegmenter(), wall)
        box = wall.box(session.volume.shape)
        before = session.labels[box.slices()].copy()
        session.paint(box, before, np.zeros_like(before))
        self.ends(session, lost, 0, 10)
        assert session.labels.any(axis=(1, 2)).tolist() == [True] * 3 + [False] * 4 + [True] * 4
        session = cylinder_session()
        for index in (0, 10):
            prompt_plane(session, lost, PlaneRef(0, index))
        list(propagate(session, lost, 1, limits=PropagationLimits(fills_between=False)))
        assert session.labels.any(axis=(1, 2)).tolist() == [True] * 3 + [False] * 4 + [True] * 4

    def test_a_cancelled_run_draws_nothing(self) -> None:
        session, cancel = cylinder_session(), Cancel()
        lost = FakeSegmenter(scores=lambda plane: 0.0 if 3 <= plane.index <= 6 else 0.9)
        for index in (0, 10):
            prompt_plane(session, lost, PlaneRef(0, index))
        for prediction in propagate(session, lost, 1, cancel=cancel):
            if prediction.plane.index == 2:
                cancel.cancel()
        assert not session.labels[3:7].any()

    def test_a_plane_erased_by_hand_is_a_wall(self) -> None:
        session, segmenter = cylinder_session(), FakeSegmenter()
        wall = PlaneRef(0, 6)
        prompt_plane(session, segmenter, wall)
        box = wall.box(session.volume.shape)
        before = session.labels[box.slices()].copy()
        session.paint(box, before, np.zeros_like(before))
        self.ends(session, segmenter, 3)
        assert not session.labels[6:].any()
        assert session.labels[:6].any(axis=(1, 2)).all()

    def test_an_unanswered_prompt_is_no_anchor(self) -> None:
        session, segmenter = cylinder_session(), FakeSegmenter()
        session.prompt(PlaneRef(0, 5), PointPrompt((5, 15, 23)))
        self.ends(session, segmenter, 3)
        assert session.labels.any(axis=(1, 2)).all()

    def test_a_corrected_plane_becomes_an_anchor_of_the_next_run(self) -> None:
        session, segmenter = cylinder_session(), FakeSegmenter()
        self.ends(session, segmenter, 3)
        session.prompt(PlaneRef(0, 8), PointPrompt((8, 15, 23)))
        prompt_plane(session, segmenter, PlaneRef(0, 8))
        states = {p.plane.index: p.state for p in propagate(session, segmenter, 1)}
        assert states[3] == states[8] == "anchor"
        assert states[5] == "propagated"

    def test_what_an_earlier_run_filled_too_far_is_erased(self) -> None:
        session, segmenter = cylinder_session(), FakeSegmenter()
        self.ends(session, segmenter, 3)
        picky = FakeSegmenter(scores=lambda plane: 0.0 if plane.index >= 6 else 0.9)
        list(propagate(session, picky, 1))
        assert session.labels.any(axis=(1, 2)).tolist() == [True] * 6 + [False] * 5
        session.undo()
        assert session.labels.any(axis=(1, 2)).all()


class TestTheChosenCandidate:
    @pytest.mark.parametrize("kinds", [{"point", "box", "mask"}, {"point", "box"}, {"mask"}, {"point"}])
    @pytest.mark.parametrize("candidate", [0, 1, 2])
    def test_it_is_what_is_followed(self, candidate: int, kinds: set[str]) -> None:
        session, segmenter = cylinder_session(), NestedSegmenter(prompts=frozenset(kinds))
        plane = PlaneRef(0, 5)
        request = session.prompt(plane, PointPrompt((5, 15, 23)))
        answer = segmenter.segment(request)
        session.apply(answer, request)
        session.choose(plane, candidate)
        chosen = answer.masks[candidate]
        predictions = list(propagate(session, segmenter, 1))
        assert {prediction.mask for prediction in predictions if prediction.state != "stopped"} == {
            chosen.moved_to(PlaneRef(0, k)) for k in range(11)
        }
        assert np.array_equal(
            session.labels > 0, np.repeat(chosen.to_plane(plane, (11, 32, 48))[None], 11, 0)
        )
        for first in segmenter.requests[1:3]:
            given = first.hint is not None and np.array_equal(first.hint, answer.hints[candidate])
            assert given == ("mask" in kinds)

    def test_without_a_choice_the_best_is_followed(self) -> None:
        session, segmenter = cylinder_session(), NestedSegmenter()
        prompt_plane_of(session, segmenter)
        list(propagate(session, segmenter, 1))
        assert np.count_nonzero(session.labels) == 11 * np.count_nonzero(session.labels[5])
        assert np.count_nonzero(session.labels[5]) == 197  # the disc of radius 8

    def test_it_is_given_up_where_it_is_lost(self) -> None:
        session = cylinder_session()
        segmenter = NestedSegmenter(prompts=frozenset({"point"}))
        prompt_plane_of(session, segmenter)
        session.choose(PlaneRef(0, 5), 2)
        segmenter.radii = (4, 8, 1)
        stopped = [p for p in propagate(session, segmenter, 1) if p.state != "anchor"]
        assert all(prediction.candidate != 2 for prediction in stopped)


def prompt_plane_of(session: Session, segmenter: NestedSegmenter) -> None:
    """Click on the cylinder's middle."""
    request = session.prompt(PlaneRef(0, 5), PointPrompt((5, 15, 23)))
    session.apply(segmenter.segment(request), request)
