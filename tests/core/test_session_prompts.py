"""A prompt's request, and how an answer reaches the labels."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.core.segmenter import MaskPrediction
from napari_sam.core.session import Session
from napari_sam.errors import InvalidPrompt
from tests.core.square_answers import PLANE, answer, click, square
from tests.fakes import FakeSegmenter
from volumes import Box


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
