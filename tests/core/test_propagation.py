"""An object is followed from one plane; what is kept, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.core.propagation import PropagationLimits, propagate
from napari_sam.core.propagation_parts import parts_named
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.errors import Cancelled, InvalidPrompt
from tests.core.followed import CENTRE, PLANE, SHAPE, by_plane, cylinder_session, prompt_plane
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume
from volumes import Box, Volume

AS_GIVEN = parts_named("as given")


@pytest.fixture
def truth() -> NDArray[np.uint16]:
    return ellipsoid_labels(SHAPE)


@pytest.fixture
def session(truth: NDArray[np.uint16]) -> Session:
    return Session(labelled_volume(truth))


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

    def test_a_model_is_told_which_planes_nobody_showed(self, session: Session) -> None:
        segmenter = FakeSegmenter()
        prompt_plane(session, segmenter)
        n_shown = len(segmenter.requests)
        told = list(propagate(session, segmenter, 1))
        asked = segmenter.requests[n_shown:]
        assert not any(request.is_followed for request in segmenter.requests[:n_shown])
        assert len(asked) >= len(told) - 1 > 0
        assert all(request.is_followed for request in asked)

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
