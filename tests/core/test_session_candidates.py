"""Another candidate of an answer is chosen."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.edits import Edit
from napari_sam.core.objects import Anchor
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.segmenter import MaskPrediction
from napari_sam.core.session import Session
from napari_sam.errors import InvalidPrompt
from tests.core.square_answers import PLANE, answer, click, square


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
