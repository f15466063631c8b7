from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.core.propagation import PlanePrediction, PropagationLimits, PropagationParts, propagate
from napari_sam.core.propagation_parts import parts_named
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.core.sharpening import keep_masks
from napari_sam.core.window import Window
from napari_sam.errors import Cancelled, InvalidPrompt
from tests.fakes import FakeSegmenter, NestedSegmenter, ellipsoid_labels, labelled_volume
from volumes import Box, Volume

SHAPE = (15, 32, 48)
PLANE = PlaneRef(0, 7)
CENTRE = (7, 15, 23)
AS_GIVEN = parts_named("as given")


@pytest.fixture
def truth() -> NDArray[np.uint16]:
    return ellipsoid_labels(SHAPE)


@pytest.fixture
def session(truth: NDArray[np.uint16]) -> Session:
    return Session(labelled_volume(truth))


def prompt_plane(session: Session, segmenter: FakeSegmenter, plane: PlaneRef = PLANE) -> None:
    """Click on the ellipsoid's middle in a plane."""
    at = list(CENTRE)
    at[plane.axis] = plane.index
    request = session.prompt(plane, PointPrompt((at[0], at[1], at[2])), object_id=1)
    session.apply(segmenter.segment(request), request)


def cylinder_session(n_planes: int = 11) -> Session:
    """An object that is the same disc in every plane."""
    rows, cols = np.ogrid[:32, :48]
    disc = (rows - 15) ** 2 + (cols - 23) ** 2 <= 64
    return Session(labelled_volume(np.repeat(disc[None], n_planes, axis=0).astype(np.uint16)))


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


def by_plane(predictions: Sequence[PlanePrediction]) -> dict[int, PlanePrediction]:
    """The last word on each plane."""
    return {prediction.plane.index: prediction for prediction in predictions}


class TestFollowing:
    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_one_click_gives_the_object_on_any_axis(
        self, session: Session, truth: NDArray[np.uint16], axis: int
    ) -> None:
        segmenter = FakeSegmenter()
        prompt_plane(session, segmenter, PlaneRef(axis, CENTRE[axis]))
        predictions = list(propagate(session, segmenter, 1, parts=AS_GIVEN))
        assert predictions[0].state == "anchor"
        assert np.array_equal(session.labels, truth)
        stopped = [p for p in predictions if p.state == "stopped"]
        assert {p.reason for p in stopped} == {"empty"}
        assert len(stopped) == 2

    def test_directions_take_turns_outward(self, session: Session) -> None:
        segmenter = FakeSegmenter()
        prompt_plane(session, segmenter)
        done = [p.plane.index for p in propagate(session, segmenter, 1)]
        assert done[:7] == [7, 8, 6, 9, 5, 10, 4]

    def test_each_plane_is_asked_for_with_what_the_one_before_gave(self, session: Session) -> None:
        segmenter = FakeSegmenter()
        prompt_plane(session, segmenter)
        predictions = by_plane(list(propagate(session, segmenter, 1)))
        request = next(r for r in segmenter.requests if r.plane.index == 9)
        before = predictions[8]
        box, point = request.prompts
        assert isinstance(box, BoxPrompt)
        assert isinstance(point, PointPrompt)
        row0, col0, row1, col1 = before.plane.box_hw(before.mask.box)
        grown = request.plane.box_hw(box.box)
        assert all(a - b > 0 for a, b in zip((row0, col0), grown[:2], strict=True))
        assert all(b - a > 0 for a, b in zip((row1, col1), grown[2:], strict=True))
        assert before.mask.to_plane(before.plane, SHAPE)[int(point.at[1]), int(point.at[2])]
        assert np.array_equal(request.hint, before.hints[before.candidate])
        assert request.window == session.window

    @pytest.mark.parametrize("kinds", [{"box"}, {"point"}, {"point", "box"}, {"mask"}])
    def test_kinds_that_the_model_lacks_are_left_out(
        self, session: Session, truth: NDArray[np.uint16], kinds: set[str]
    ) -> None:
        session.write(PLANE, BoxedMask.of_plane(truth[7] > 0, PLANE, SHAPE), 1)
        segmenter = FakeSegmenter(prompts=frozenset(kinds))
        list(propagate(session, segmenter, 1))
        assert np.array_equal(session.labels, truth)
        assert all(request.hint is None or "mask" in kinds for request in segmenter.requests)

    def test_a_painted_plane_hands_on_its_mask(self, session: Session, truth: NDArray[np.uint16]) -> None:
        segmenter = FakeSegmenter()
        painted = truth[7:8]
        session.paint(PLANE.box(SHAPE), np.zeros_like(painted), painted)
        list(propagate(session, segmenter, 1))
        assert np.array_equal(session.labels, truth)
        first = segmenter.requests[0]
        assert first.hint is None
        assert isinstance(first.prompts[0], MaskPrompt)

    def test_next_planes_are_named_to_the_segmenter(self, session: Session) -> None:
        segmenter = FakeSegmenter()
        prompt_plane(session, segmenter)
        list(propagate(session, segmenter, 1, limits=PropagationLimits(n_prefetched=3)))
        assert [p.index for p in segmenter.prefetched[0]] == [8, 9, 10]
        assert [p.index for p in segmenter.prefetched[1]] == [6, 5, 4]
        named = [plane for planes in segmenter.prefetched for plane in planes]
        assert len(named) == len(set(named))

    def test_no_plane_is_named_where_nobody_says_how_many(self, session: Session) -> None:
        segmenter = FakeSegmenter()
        prompt_plane(session, segmenter)
        list(propagate(session, segmenter, 1))
        assert segmenter.prefetched == []

    def test_what_is_prepared_is_what_is_asked_for(self, session: Session) -> None:
        class Preparing(FakeSegmenter):
            def prefetch(self, *asked: object, around: Box | None = None) -> None:
                super().prefetch(*asked)
                boxes[asked[1][0].index] = around

        boxes: dict[int, Box | None] = {}
        segmenter = Preparing()
        prompt_plane(session, segmenter)
        list(propagate(session, segmenter, 1, limits=PropagationLimits(n_prefetched=1)))
        asked = [request for request in segmenter.requests if request.plane.index in boxes]
        assert len(asked) > 5
        for request in asked:
            box = next(prompt.box for prompt in request.prompts if isinstance(prompt, BoxPrompt))
            assert boxes[request.plane.index] == box

    def test_a_small_object_is_followed_to_its_ends(self) -> None:
        truth = np.zeros((9, 20, 20), np.uint16)
        for index, radius in enumerate([0, 1, 2, 3, 3.6, 3, 2, 1, 0]):
            rows, cols = np.ogrid[:20, :20]
            truth[index] = (rows - 9) ** 2 + (cols - 10) ** 2 < radius**2
        session, segmenter = Session(labelled_volume(truth)), FakeSegmenter()
        request = session.prompt(PlaneRef(0, 4), PointPrompt((4, 9, 10)))
        session.apply(segmenter.segment(request), request)
        list(propagate(session, segmenter, 1))
        assert np.array_equal(session.labels, truth)

    def test_a_model_that_only_degrades_still_covers_the_object(
        self, session: Session, truth: NDArray[np.uint16]
    ) -> None:
        segmenter = FakeSegmenter(truth)
        prompt_plane(session, segmenter)
        list(propagate(session, segmenter, 1))
        common = ((session.labels > 0) & (truth > 0)).sum()
        assert 2 * common / ((session.labels > 0).sum() + (truth > 0).sum()) > 0.85


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

    def test_anchors_are_asked_for_by_nobody_and_never_change(self) -> None:
        session, segmenter = cylinder_session(), FakeSegmenter()
        wrong = BoxedMask(PlaneRef(0, 5).box_of((8, 16, 22, 30)), np.ones((1, 14, 14), bool))
        session.write(PlaneRef(0, 5), wrong, 1)
        self.ends(session, segmenter, 1)
        assert session.mask_on(PlaneRef(0, 5), 1) == wrong
        assert not {request.plane.index for request in segmenter.requests} & {1, 5}

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


class TestKeeping:
    def test_it_is_one_step_to_undo(self, session: Session) -> None:
        segmenter = FakeSegmenter()
        prompt_plane(session, segmenter)
        before = session.labels.copy()
        list(propagate(session, segmenter, 1))
        after = session.labels.copy()
        session.undo()
        assert np.array_equal(session.labels, before)
        session.redo()
        assert np.array_equal(session.labels, after)
        session.undo()
        session.undo()
        assert not session.labels.any()
        assert not session.can_undo

    def test_neighbours_keep_their_voxels(self, session: Session, truth: NDArray[np.uint16]) -> None:
        block = np.zeros(SHAPE, np.uint16)
        block[8:12, 10:20, 10:24] = 2
        session = Session(session.volume, block.copy())
        segmenter = FakeSegmenter()
        prompt_plane(session, segmenter)
        list(propagate(session, segmenter, 1))
        assert np.array_equal(session.labels == 2, block == 2)
        assert np.array_equal(session.labels == 1, (truth > 0) & (block == 0))

    def test_cancelling_keeps_what_is_done(self) -> None:
        session, segmenter, cancel = cylinder_session(), FakeSegmenter(), Cancel()
        prompt_plane(session, segmenter, PlaneRef(0, 5))
        predictions = []
        for prediction in propagate(session, segmenter, 1, cancel=cancel):
            predictions.append(prediction)
            if prediction.plane.index == 7:
                cancel.cancel()
        assert session.labels.any(axis=(1, 2)).tolist() == [False] * 4 + [True] * 4 + [False] * 3
        last = predictions[-2:]
        assert [(p.plane.index, p.state, p.reason, p.area_px) for p in last] == [
            (3, "stopped", "cancelled", 0),
            (8, "stopped", "cancelled", 0),
        ]

    def test_a_cancelled_second_run_erases_nothing(self) -> None:
        session, segmenter, cancel = cylinder_session(), FakeSegmenter(), Cancel()
        prompt_plane(session, segmenter, PlaneRef(0, 5))
        list(propagate(session, segmenter, 1))
        cancel.cancel()
        list(propagate(session, segmenter, 1, cancel=cancel))
        assert session.labels.any(axis=(1, 2)).all()

    def test_a_segmenter_that_raises_cancelled_ends_it_the_same_way(self) -> None:
        class Impatient(FakeSegmenter):
            def prefetch(
                self,
                volume: Volume,
                planes: Sequence[PlaneRef],
                window: Window,
                cancel: Cancel | None = None,
                around: Box | None = None,
            ) -> None:
                raise Cancelled("stopped")

        session = cylinder_session()
        prompt_plane(session, FakeSegmenter(), PlaneRef(0, 5))
        told = propagate(session, Impatient(), 1, limits=PropagationLimits(n_prefetched=1))
        assert [p.reason for p in told] == ["", "cancelled", "cancelled"]

    def test_a_plane_prompted_while_it_runs_is_left_alone(self) -> None:
        session, segmenter = cylinder_session(), FakeSegmenter()
        prompt_plane(session, segmenter, PlaneRef(0, 2))
        mask = BoxedMask(PlaneRef(0, 8).box_of((0, 0, 3, 3)), np.ones((1, 3, 3), bool))
        for prediction in propagate(session, segmenter, 1):
            if prediction.plane.index == 4:
                session.write(PlaneRef(0, 8), mask, 1)
        assert session.mask_on(PlaneRef(0, 8), 1) == mask


class TestRefusing:
    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"object_id": 9}, "object 9 has no prompt"),
            ({"object_id": 1, "planes": (5, 5)}, "range 5:5"),
            ({"object_id": 1, "planes": (0, 16)}, r"range 0:16.*0:15"),
            ({"object_id": 1, "planes": (8, 12)}, r"8:12 on axis 0.*widen"),
            ({"object_id": 1, "axis": 2}, "axis 2"),
        ],
    )
    def test_it_says_what_is_missing_before_it_starts(
        self, session: Session, options: dict, said: str
    ) -> None:
        segmenter = FakeSegmenter()
        prompt_plane(session, segmenter)
        with pytest.raises(InvalidPrompt, match=said):
            propagate(session, segmenter, **options)

    def test_locked_objects_are_refused(self, session: Session) -> None:
        segmenter = FakeSegmenter()
        prompt_plane(session, segmenter)
        session.accept()
        with pytest.raises(InvalidPrompt, match="locked"):
            propagate(session, segmenter, 1)

    def test_a_volume_of_one_plane_has_nothing_to_follow(self) -> None:
        session, segmenter = cylinder_session(1), FakeSegmenter()
        prompt_plane(session, segmenter, PlaneRef(0, 0))
        assert [p.state for p in propagate(session, segmenter, 1)] == ["anchor"]


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
