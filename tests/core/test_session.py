from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_sam.core.edits import Edit, EditGroup
from napari_sam.core.masks import BoxedMask
from napari_sam.core.objects import Anchor
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.errors import InvalidEdit, InvalidPrompt
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume
from volumes import Box, Volume

SHAPE = (7, 32, 48)
PLANE = PlaneRef(0, 3)


@pytest.fixture
def truth() -> NDArray[np.uint16]:
    return ellipsoid_labels(SHAPE, n_objects=2)


@pytest.fixture
def session(truth: NDArray[np.uint16]) -> Session:
    return Session(labelled_volume(truth))


def square(row: int, col: int, side: int = 4, plane: PlaneRef = PLANE) -> BoxedMask:
    box = plane.box_of((row, col, row + side, col + side))
    return BoxedMask(box, np.ones(box.shape, bool))


def answer(request: SegmentRequest, *masks: BoxedMask) -> MaskPrediction:
    scores = np.linspace(0.9, 0.7, len(masks)).astype(np.float32)
    hints = np.stack([np.full((4, 4), k, np.float16) for k in range(len(masks))])
    return MaskPrediction(request.plane, masks, scores, hints)


def click(session: Session, mask: BoxedMask, object_id: int = 1) -> Edit | None:
    """Prompt somewhere, and let the model answer with a mask."""
    request = session.prompt(
        PLANE, PointPrompt(PLANE.at(mask.box.start[1], mask.box.start[2])), object_id=object_id
    )
    return session.apply(answer(request, mask), request)


class TestPrompting:
    def test_request_carries_what_the_model_needs(self, session: Session) -> None:
        point = PointPrompt((3, 16, 12))
        request = session.prompt(PLANE, point, object_id=5)
        assert request.volume is session.volume
        assert request.window == session.window
        assert (request.plane, request.prompts, request.object_id, request.hint) == (PLANE, (point,), 5, None)
        assert session.current_id == 5
        assert session.objects[5].prompts == (point,)

    def test_points_add_up_and_a_box_replaces_the_box(self, session: Session) -> None:
        first, second = PointPrompt((3, 16, 12)), PointPrompt((3, 2, 2), False)
        old, new = (BoxPrompt(PLANE.box_of((0, 0, n, n))) for n in (9, 12))
        session.prompt(PLANE, first)
        assert session.prompt(PLANE, second).prompts == (first, second)
        assert session.prompt(PLANE, old).prompts == (first, second, old)
        assert session.prompt(PLANE, new).prompts == (first, second, new)
        other = PlaneRef(1, 16)
        assert session.prompt(other, PointPrompt((3, 16, 20))).prompts == (PointPrompt((3, 16, 20)),)

    def test_a_correction_carries_the_last_logits_and_a_new_box_does_not(self, session: Session) -> None:
        click(session, square(4, 4))
        assert session.objects[1].hint is not None
        correction = session.prompt(PLANE, PointPrompt((3, 9, 9), False))
        assert np.array_equal(correction.hint, np.zeros((4, 4)))
        assert session.prompt(PLANE, BoxPrompt(PLANE.box_of((0, 0, 9, 9)))).hint is None
        own = np.ones((4, 4), np.float16)
        assert session.prompt(PLANE, PointPrompt((3, 5, 5)), hint=own).hint is own

    def test_a_correction_of_a_painted_plane_carries_the_mask(self, session: Session) -> None:
        box = PLANE.box_of((4, 4, 8, 8))
        session.paint(box, np.zeros(box.shape, np.uint16), np.ones(box.shape, np.uint16))
        request = session.prompt(PLANE, PointPrompt((3, 20, 20), False))
        assert request.prompts[-1] == MaskPrompt(square(4, 4))
        assert session.objects[1].prompts == (PointPrompt((3, 20, 20), False),)

    def test_clicks_on_a_propagated_plane_mend_the_mask_that_is_there(self, session: Session) -> None:
        session.write(PLANE, square(4, 4), 1, propagated=True)
        first, second = PointPrompt((3, 9.0, 5.0)), PointPrompt((3, 5.0, 5.0), False)
        request = session.prompt(PLANE, first)
        around = BoxPrompt(PLANE.box_of((3, 3, 11, 9)))  # mask and point, and a pixel on each side
        assert request.prompts == (first, around, MaskPrompt(square(4, 4)))
        assert request.hint is None
        session.apply(answer(request, square(4, 4, 6)), request)
        again = session.prompt(PLANE, second)
        around = BoxPrompt(PLANE.box_of((3, 3, 11, 11)))
        assert again.prompts == (first, second, around, MaskPrompt(square(4, 4, 6)))
        assert again.hint is None
        assert session.objects[1].prompts == (first, second)  # what a person gave, and nothing else

    def test_a_box_drawn_on_a_propagated_plane_starts_afresh(self, session: Session) -> None:
        session.write(PLANE, square(4, 4), 1, propagated=True)
        box, point = BoxPrompt(PLANE.box_of((0, 0, 9, 9))), PointPrompt((3, 20, 20), False)
        request = session.prompt(PLANE, box)
        assert request.prompts == (box,)
        session.apply(answer(request, square(4, 4, 6)), request)
        click_after = session.prompt(PLANE, point)
        assert click_after.prompts == (box, point)
        assert click_after.hint is not None

    def test_a_mending_click_that_is_moved_or_taken_back_keeps_the_mask(self, session: Session) -> None:
        session.write(PLANE, square(4, 4), 1, propagated=True)
        first, second = PointPrompt((3, 9, 5)), PointPrompt((3, 5, 9))
        request = session.prompt(PLANE, first)
        session.apply(answer(request, square(4, 4, 6)), request)
        moved = session.replace_prompt(PLANE, first, second)
        assert moved is not None
        assert moved.prompts[-1] == MaskPrompt(square(4, 4, 6))
        assert session.remove_prompt(PLANE, second) is None
        assert session.mask_on(PLANE, 1) == square(4, 4, 6)

    @pytest.mark.parametrize(
        ("prompts", "said"),
        [
            ((), "no prompt"),
            ((PointPrompt((3, 5, 5), False),), "only negative points"),
            ((PointPrompt((2, 5, 5)),), "not in plane 3"),
            ((BoxPrompt(PLANE.box_of((0, 0, 4, 4))), BoxPrompt(PLANE.box_of((0, 0, 5, 5)))), "2 boxes"),
            ((PointPrompt((3, 32, 5)),), "outside the volume"),
        ],
    )
    def test_unusable_prompts_change_nothing(self, session: Session, prompts: tuple, said: str) -> None:
        with pytest.raises(InvalidPrompt, match=said):
            session.prompt(PLANE, *prompts)
        assert not session.objects
        assert not session.can_undo

    @pytest.mark.parametrize("object_id", [0, -1, 65536])
    def test_ids_must_fit_the_labels(self, session: Session, object_id: int) -> None:
        with pytest.raises(InvalidPrompt, match=f"object id {object_id} .*uint16.* 1 to 65535"):
            session.prompt(PLANE, PointPrompt((3, 5, 5)), object_id=object_id)
        with pytest.raises(InvalidPrompt, match="65535"):
            session.write(PLANE, square(1, 1), object_id)


class TestApplying:
    def test_best_candidate_lands_in_the_labels(self, session: Session, truth: NDArray[np.uint16]) -> None:
        request = session.prompt(PLANE, PointPrompt((3, 16, 12)))
        edit = session.apply(FakeSegmenter().segment(request), request)
        assert np.array_equal(session.labels == 1, (truth == 1) & (np.arange(7) == 3)[:, None, None])
        assert edit is not None
        assert edit.box == Box.of_mask(session.labels)
        assert np.array_equal(edit.after, session.labels[edit.box.slices()])
        assert not edit.before.any()

    def test_only_the_newest_answer_counts(self, session: Session) -> None:
        old = session.prompt(PLANE, PointPrompt((3, 5, 5)))
        new = session.prompt(PLANE, PointPrompt((3, 6, 6)))
        assert session.apply(answer(old, square(4, 4)), old) is None
        assert not session.labels.any()
        assert session.apply(answer(new, square(5, 5)), new) is not None

    @pytest.mark.parametrize("action", ["undo", "accept", "lock", "paint"])
    def test_what_came_after_makes_an_answer_stale(self, session: Session, action: str) -> None:
        request = session.prompt(PLANE, PointPrompt((3, 5, 5)))
        box = PLANE.box_of((20, 20, 21, 21))
        {
            "undo": session.undo,
            "accept": session.accept,
            "lock": lambda: session.lock(1),
            "paint": lambda: session.paint(box, np.zeros(box.shape, int), np.ones(box.shape, int)),
        }[action]()
        before = session.labels.copy()
        assert session.apply(answer(request, square(4, 4)), request) is None
        assert np.array_equal(session.labels, before)

    def test_a_new_answer_replaces_the_objects_own_mask_in_one_edit(self, session: Session) -> None:
        click(session, square(4, 4))
        edit = click(session, square(10, 12))
        assert edit is not None
        assert edit.box == PLANE.box_of((4, 4, 14, 16))
        assert session.mask_on(PLANE, 1) == square(10, 12)
        assert session.labels.sum() == 16

    def test_other_planes_keep_the_object(self, session: Session) -> None:
        other = PLANE.neighbour(1)
        session.write(other, square(4, 4, plane=other), 1)
        click(session, square(10, 12))
        assert session.mask_on(other, 1) == square(4, 4, plane=other)

    def test_neighbours_keep_their_voxels_locked_or_not(self, session: Session) -> None:
        click(session, square(4, 4, 8), 1)
        click(session, square(8, 8, 8), 2)
        assert (session.labels == 1).sum() == 64
        assert (session.labels == 2).sum() == 64 - 16
        session.lock(1)
        click(session, square(4, 4, 8), 3)
        assert (session.labels == 1).sum() == 64
        assert (session.labels == 3).sum() == 0

    def test_candidates_can_be_tried_in_turn_as_one_step(self, session: Session) -> None:
        request = session.prompt(PLANE, PointPrompt((3, 5, 5)))
        prediction = answer(request, square(4, 4), square(5, 5), square(6, 6))
        session.apply(prediction, request)
        session.apply(prediction, request, candidate=2)
        assert session.mask_on(PLANE, 1) == square(6, 6)
        assert np.array_equal(session.objects[1].hint, np.full((4, 4), 2))
        session.undo()
        assert not session.labels.any()
        assert not session.can_undo

    def test_an_empty_answer_erases_and_is_no_error(self, session: Session) -> None:
        click(session, square(4, 4))
        edit = click(session, square(0, 0, 0))
        assert edit is not None
        assert not session.labels.any()

    def test_nothing_and_still_nothing_is_an_empty_edit(self, session: Session) -> None:
        edit = click(session, square(0, 0, 0))
        assert edit is not None
        assert edit.box.is_empty

    def test_answers_that_do_not_fit_are_refused(self, session: Session) -> None:
        request = session.prompt(PLANE, PointPrompt((3, 5, 5)))
        with pytest.raises(InvalidPrompt, match="candidate 3 of 1"):
            session.apply(answer(request, square(4, 4)), request, candidate=3)
        elsewhere = MaskPrediction(
            PLANE.neighbour(1), (square(4, 4),), np.ones(1, np.float32), np.zeros((1, 2, 2))
        )
        with pytest.raises(InvalidPrompt, match="does not answer"):
            session.apply(elsewhere, request)


class TestChoosing:
    @pytest.fixture
    def answered(self, session: Session) -> Session:
        request = session.prompt(PLANE, PointPrompt((3, 5, 5)))
        session.apply(answer(request, square(4, 4), square(5, 5), square(6, 6)), request)
        return session

    @staticmethod
    def anchor(session: Session) -> Anchor:
        found = session.objects[1].anchor_on(PLANE)
        assert found is not None
        return found

    def test_all_candidates_reach_the_session(self, answered: Session) -> None:
        anchor = self.anchor(answered)
        assert anchor.answer is not None
        assert anchor.answer.masks == (square(4, 4), square(5, 5), square(6, 6))
        assert anchor.answer.scores.tolist() == pytest.approx([0.9, 0.8, 0.7])
        assert (anchor.taken, anchor.candidate, anchor.next_candidate) == (0, None, 1)

    def test_mask_logits_and_score_are_the_chosen_ones(self, answered: Session) -> None:
        edits: list[Edit] = []
        answered.on_edit.append(edits.append)
        edit = answered.choose(PLANE, 2)
        assert edits == [edit]
        assert edit.cause == "candidate"
        assert edit.box == PLANE.box_of((4, 4, 10, 10))
        assert answered.mask_on(PLANE, 1) == square(6, 6)
        anchor = self.anchor(answered)
        assert (anchor.candidate, anchor.taken, anchor.next_candidate) == (2, 2, 0)
        assert anchor.score == pytest.approx(0.7)
        assert np.array_equal(answered.objects[1].hint, np.full((4, 4), 2))
        assert np.array_equal(answered.prompt(PLANE, PointPrompt((3, 7, 7))).hint, anchor.hint)

    def test_choices_in_a_row_are_one_step_beside_the_prompt(self, answered: Session) -> None:
        for candidate in (1, 2, 0, 2):
            answered.choose(PLANE, candidate)
        answered.undo()
        assert answered.mask_on(PLANE, 1) == square(4, 4)
        assert self.anchor(answered).candidate is None
        answered.redo()
        assert answered.mask_on(PLANE, 1) == square(6, 6)
        assert self.anchor(answered).candidate == 2
        answered.undo()
        answered.choose(PLANE, 1)
        answered.undo()
        answered.undo()
        assert not answered.labels.any()
        assert not answered.can_undo

    def test_choices_around_another_step_are_two(self, answered: Session) -> None:
        answered.choose(PLANE, 1)
        answered.rename(1, "cell")
        answered.choose(PLANE, 2)
        answered.undo()
        assert answered.mask_on(PLANE, 1) == square(5, 5)

    def test_neighbours_keep_their_voxels(self, answered: Session) -> None:
        click(answered, square(9, 9), 2)
        answered.choose(PLANE, 2, 1)
        assert np.count_nonzero(answered.labels == 2) == 16
        assert np.count_nonzero(answered.labels == 1) == 15

    def test_a_question_that_is_open_becomes_stale(self, answered: Session) -> None:
        other = PLANE.neighbour(1)
        request = answered.prompt(other, PointPrompt((4, 5, 5)))
        answered.choose(PLANE, 1)
        late = MaskPrediction(
            other, (square(4, 4, plane=other),), np.ones(1, np.float32), np.zeros((1, 2, 2))
        )
        assert answered.apply(late, request) is None

    @pytest.mark.parametrize("action", ["prompt", "paint", "write", "lock"])
    def test_what_came_after_leaves_nothing_to_choose(self, answered: Session, action: str) -> None:
        box = PLANE.box_of((20, 20, 21, 21))
        {
            "prompt": lambda: answered.prompt(PLANE, PointPrompt((3, 6, 6))),
            "paint": lambda: answered.paint(box, np.zeros(box.shape, int), np.ones(box.shape, int)),
            "write": lambda: answered.write(PLANE, square(1, 1), 1),
            "lock": lambda: answered.lock(1),
        }[action]()
        before = answered.labels.copy()
        with pytest.raises(InvalidPrompt, match="locked" if action == "lock" else "no candidates"):
            answered.choose(PLANE, 1, 1)
        assert np.array_equal(answered.labels, before)
        answered.undo()
        answered.choose(PLANE, 1, 1)
        assert answered.mask_on(PLANE, 1) == square(5, 5)

    def test_what_does_not_exist_is_refused(self, answered: Session) -> None:
        for candidate in (3, -1):
            with pytest.raises(InvalidPrompt, match=f"candidate {candidate} of 3"):
                answered.choose(PLANE, candidate)
        with pytest.raises(InvalidPrompt, match="no candidates in plane 4"):
            answered.choose(PLANE.neighbour(1), 0)
        with pytest.raises(InvalidPrompt, match="no candidates"):
            answered.choose(PLANE, 0, 7)

    def test_empty_and_equal_candidates_are_passed_over(self, session: Session) -> None:
        request = session.prompt(PLANE, PointPrompt((3, 5, 5)))
        masks = (square(4, 4), square(4, 4), square(0, 0, 0), square(6, 6))
        session.apply(answer(request, *masks), request)
        assert self.anchor(session).next_candidate == 3
        session.choose(PLANE, 3)
        assert self.anchor(session).next_candidate == 0
        request = session.prompt(PLANE, PointPrompt((3, 6, 6)))
        session.apply(answer(request, square(4, 4)), request)
        assert self.anchor(session).next_candidate is None


class TestCost:
    def test_an_edit_reads_and_writes_only_its_box(self, session: Session, truth: NDArray[np.uint16]) -> None:
        """A volume far larger than memory would be no matter: pages that no edit touches are never used."""

        class Watched(np.ndarray):
            """Labels that note how many voxels each access takes."""

            accesses: list[int]

            def __getitem__(self, index):  # type: ignore[no-untyped-def]
                part = super().__getitem__(index).view(np.ndarray)
                self.accesses.append(part.size)
                return part

            def __setitem__(self, index, value):  # type: ignore[no-untyped-def]
                self.accesses.append(super().__getitem__(index).size)
                super().__setitem__(index, value)

        session = Session(labelled_volume(truth), np.zeros(SHAPE, np.uint16).view(Watched))
        session.labels.accesses = []
        click(session, square(4, 4))
        click(session, square(5, 6))
        session.undo()
        session.redo()
        assert session.labels.accesses
        assert max(session.labels.accesses) <= 5 * 6


class TestPainting:
    box = PLANE.box_of((10, 10, 14, 14))

    def stroke(self, session: Session, object_id: int, box: Box | None = None) -> Edit:
        """Paint as a screen does: into the labels first, then tell the session."""
        box = box or self.box
        before = session.labels[box.slices()].copy()
        after = np.full(box.shape, object_id)
        session.labels[box.slices()] = after
        return session.paint(box, before, after)

    def test_a_stroke_is_in_the_history(self, session: Session) -> None:
        edit = self.stroke(session, 4)
        assert edit.cause == "paint"
        assert (session.labels == 4).sum() == 16
        assert 4 in session.objects
        session.undo()
        assert not session.labels.any()
        assert not session.objects
        session.redo()
        assert (session.labels == 4).sum() == 16

    def test_locked_objects_neither_lose_nor_gain(self, session: Session) -> None:
        click(session, square(10, 10, 2), 1)
        session.lock(1)
        self.stroke(session, 2)
        assert (session.labels == 1).sum() == 4
        assert (session.labels == 2).sum() == 12
        heard: list[Edit] = []
        session.on_edit.append(heard.append)
        edit = self.stroke(session, 1, PLANE.box_of((20, 20, 22, 22)))
        assert (session.labels == 1).sum() == 4
        assert not edit.changes
        assert heard == [edit]

    def test_a_stroke_without_effect_is_no_step(self, session: Session) -> None:
        self.stroke(session, 0)
        assert not session.can_undo

    def test_a_painted_plane_is_an_anchor_of_each_object_it_changed(self, session: Session) -> None:
        self.stroke(session, 1)
        self.stroke(session, 2, PLANE.box_of((12, 12, 16, 16)))
        for object_id in (1, 2):
            anchor = session.objects[object_id].anchor_on(PLANE)
            assert anchor is not None
            assert anchor.is_settled
            assert anchor.hint is None

    def test_painting_makes_the_logits_void(self, session: Session) -> None:
        click(session, square(10, 10))
        self.stroke(session, 1, PLANE.box_of((10, 10, 11, 16)))
        assert session.objects[1].hint is None
        assert session.objects[1].prompts

    def test_a_thin_stroke_belongs_to_the_axis_in_use(self, session: Session) -> None:
        sagittal = PlaneRef(2, 10)
        session.prompt(sagittal, PointPrompt((3, 10, 10)))
        self.stroke(session, 1, Box((3, 12, 10), (4, 13, 11)))
        assert [anchor.plane for anchor in session.objects[1].anchors] == [sagittal]

    def test_erased_voxels_are_no_longer_the_objects(self, session: Session) -> None:
        self.stroke(session, 1)
        self.stroke(session, 0)
        assert session.mask_on(PLANE, 1) is None

    @pytest.mark.parametrize(
        ("box", "shape", "fill", "said"),
        [
            (Box((0, 0, 0), (1, 2, 2)), (1, 2, 3), 1, r"\(1, 2, 3\)"),
            (Box((6, 0, 0), (8, 1, 1)), (2, 1, 1), 1, "inside the volume"),
            (Box((0, 0, 0), (1, 1, 1)), (1, 1, 1), 70000, "70000"),
            (Box((0, 0, 0), (1, 1, 1)), (1, 1, 1), -1, "-1"),
        ],
    )
    def test_strokes_that_do_not_fit_are_refused(
        self, session: Session, box: Box, shape: tuple, fill: int, said: str
    ) -> None:
        with pytest.raises(InvalidEdit, match=said):
            session.paint(box, np.zeros(shape, int), np.full(shape, fill))


class TestObjects:
    def test_accept_locks_and_the_next_prompt_is_a_new_object(self, session: Session) -> None:
        click(session, square(4, 4))
        session.accept()
        assert session.objects[1].locked
        assert session.prompt(PLANE, PointPrompt((3, 20, 20))).object_id == 2
        with pytest.raises(InvalidPrompt, match=r"object 1 is locked.*3"):
            session.prompt(PLANE, PointPrompt((3, 20, 20)), object_id=1)

    def test_undo_takes_acceptance_back(self, session: Session) -> None:
        click(session, square(4, 4))
        session.accept()
        session.undo()
        assert not session.objects[1].locked
        assert session.current_id == 1
        assert session.labels.any()

    def test_unlocking_and_naming(self, session: Session) -> None:
        click(session, square(4, 4))
        session.accept()
        session.lock(1, False)
        session.rename(1, "liver")
        assert session.objects[1].name == "liver"
        assert click(session, square(6, 6)) is not None

    @pytest.mark.parametrize("name", ["accept", "lock"])
    def test_unknown_objects_are_named(self, session: Session, name: str) -> None:
        with pytest.raises(InvalidPrompt, match=r"no object 9.*none yet"):
            getattr(session, name)(9)

    def test_write_respects_locks_and_anchors(self, session: Session) -> None:
        click(session, square(4, 4))
        assert session.write(PLANE, square(9, 9), 1, propagated=True) is None
        assert session.write(PLANE, square(9, 9), 1) is not None
        session.lock(1)
        assert session.write(PLANE, square(2, 2), 1) is None
        assert session.mask_on(PLANE, 1) == square(9, 9)

    def test_writes_of_a_group_are_one_step(self, session: Session) -> None:
        group = EditGroup("auto")
        for k in range(3):
            session.write(PLANE, square(4 + 5 * k, 4), k + 1, group=group)
        assert sorted(session.objects) == [1, 2, 3]
        session.undo()
        assert not session.labels.any()
        assert not session.objects

    def test_objects_are_a_view_of_the_moment(self, session: Session) -> None:
        before = session.objects
        click(session, square(4, 4))
        assert not before
        with pytest.raises(TypeError):
            session.objects[2] = session.objects[1]  # type: ignore[index]


class TestStartingFromLabels:
    def test_objects_in_the_labels_are_known(self, truth: NDArray[np.uint16]) -> None:
        session = Session(labelled_volume(truth), truth)
        assert session.labels is truth
        assert sorted(session.objects) == [1, 2]
        assert session.current_id == 3
        assert session.mask_on(PLANE, 2) == BoxedMask.of_plane(truth[3] == 2, PLANE, SHAPE)

    def test_prompting_a_known_object_replaces_it_in_that_plane(self, truth: NDArray[np.uint16]) -> None:
        session = Session(labelled_volume(truth), truth.copy())
        request = session.prompt(PLANE, BoxPrompt(PLANE.box_of((0, 0, 5, 5))), object_id=1)
        session.apply(answer(request, square(0, 0)), request)
        assert session.mask_on(PLANE, 1) == square(0, 0)
        session.undo()
        assert np.array_equal(session.labels, truth)

    def test_an_earlier_sessions_objects_go_on(self, session: Session) -> None:
        click(session, square(4, 4))
        session.rename(1, "spleen")
        kept = session.snapshot()
        again = Session(session.volume, kept.labels, window=kept.window, objects=kept.objects)
        assert again.objects == kept.objects
        request = again.prompt(PLANE, PointPrompt((3, 6, 6)), object_id=1)
        assert len(request.prompts) == 2
        assert request.hint is not None

    def test_window_is_chosen_once(self, truth: NDArray[np.uint16]) -> None:
        volume: Volume = labelled_volume(truth)
        assert Session(volume, window="lung").window == Window(-1350, 150)
        assert Session(volume, window=Window(0, 1)).window == Window(0, 1)


def test_listeners_hear_every_edit_after_it_is_done(session: Session) -> None:
    mirror = np.zeros(SHAPE, np.uint16)
    heard: list[str] = []

    def follow(edit: Edit) -> None:
        assert np.array_equal(mirror[edit.box.slices()], edit.before)
        mirror[edit.box.slices()] = edit.after
        heard.append(edit.cause)
        assert np.array_equal(mirror, session.labels)

    session.on_edit.append(follow)
    click(session, square(4, 4))
    click(session, square(8, 8), 2)
    session.undo()
    session.redo()
    assert heard == ["prompt", "prompt", "undo prompt", "redo prompt"]


def test_snapshot_is_a_copy(session: Session) -> None:
    snapshot = session.snapshot()
    click(session, square(4, 4))
    assert not snapshot.labels.any()
    assert not snapshot.objects


class TestAdopting:
    def test_objects_of_other_labels_are_kept_and_locked(self) -> None:
        session = Session(labelled_volume(ellipsoid_labels((5, 12, 16))))
        older = np.zeros((5, 12, 16), np.uint8)
        older[1:3, 2:5, 3:6], older[4, 0, 0] = 2, 7
        assert session.adopt(older, {2: "liver"}) == {2: 2, 7: 7}
        assert np.array_equal(session.labels, older)
        assert [(one.id, one.name, one.locked) for one in session.objects.values()] == [
            (2, "liver", True),
            (7, "object 7", True),
        ]
        assert session.current_id == 8
        with pytest.raises(InvalidPrompt, match="locked"):
            session.prompt(PlaneRef(0, 1), PointPrompt((1, 3, 4)), object_id=2)
        session.undo()
        assert not session.labels.any()
        assert not session.objects
        session.redo()
        assert np.array_equal(session.labels, older)

    def test_what_there_is_keeps_its_voxels_and_its_id(self) -> None:
        labels = np.zeros((2, 4, 6), np.uint16)
        labels[0, :2] = 1
        session = Session(labelled_volume(np.zeros((2, 4, 6), np.uint16)), labels)
        older = np.zeros((2, 4, 6), np.uint8)
        older[0], older[1, 0, 0] = 1, 2
        hidden = np.zeros_like(older)
        hidden[0, 0, 0] = 1
        assert session.adopt(hidden) == {}
        assert session.adopt(older) == {2: 2, 1: 3}
        assert session.labels[0].tolist() == [[1] * 6] * 2 + [[3] * 6] * 2
        assert session.objects[3].extent is not None
        assert session.objects[3].extent.start == (0, 2, 0)

    def test_what_does_not_fit_is_refused_and_changes_nothing(self) -> None:
        session = Session(labelled_volume(np.zeros((2, 4, 6), np.uint16)))
        with pytest.raises(InvalidEdit):
            session.adopt(np.ones((2, 4, 5), np.uint8))
        with pytest.raises(InvalidPrompt, match="70000"):
            session.adopt(np.array([[[1] * 6] * 4, [[70_000] * 6] * 4], np.uint32))
        assert not session.labels.any()
