"""Clicks, boxes, strokes and candidates, without a window."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.planes import PlaneRef
from napari_sam.plugin.controller import ImageSource
from tests.fakes import NestedSegmenter
from tests.plugin.conftest import BALL_AREA
from volumes import Box


def test_click_gives_a_mask_and_one_redraw(desk):
    desk.open()
    desk.click()
    assert desk.state.status.startswith("Loading the model")
    desk.background.run()
    session = desk.controller.session
    assert np.count_nonzero(session.labels[4] == 1) == BALL_AREA
    assert np.count_nonzero(session.labels) == BALL_AREA
    assert desk.background.ran == ["open", "load", "segment", "prefetch"]
    desk.view.show_session.assert_called_once_with(session)
    desk.view.redraw_labels.assert_called_once_with()
    assert desk.view.show_prompts.call_args.args[1][0].at == (4, 20, 25)


def test_answer_on_another_plane_is_written_but_not_drawn(desk):
    desk.open()
    desk.click()
    desk.controller.show_plane(PlaneRef(0, 0))
    desk.background.run()
    assert np.count_nonzero(desk.controller.session.labels[4]) == BALL_AREA
    desk.view.redraw_labels.assert_not_called()


def test_newest_of_several_clicks_wins(desk):
    desk.open()
    desk.controller.stage.begin()
    desk.background.run()
    for row in (18, 19, 20):
        desk.click(row)
    desk.background.run()
    assert desk.background.ran.count("segment") == 1
    assert len(desk.segmenter.requests[-1].prompts) == 3


def test_click_before_the_image_is_read_is_answered(desk, make_ball_volume):
    desk.controller.choose_image(ImageSource("a", "image", make_ball_volume))
    desk.controller.show_plane(PlaneRef(0, 4))
    desk.click()
    desk.background.run()
    assert np.count_nonzero(desk.controller.session.labels) == BALL_AREA


def test_click_outside_is_a_message(desk):
    desk.open()
    desk.click(row=400)
    assert desk.state.status == "That is outside the image; click inside it."
    desk.view.show_error.assert_not_called()
    assert not desk.controller.session.objects


def test_of_a_stroke_what_is_outside_is_left_out(desk):
    desk.open()
    desk.controller.prompts.add_stroke([(4, 20, 25), (4, 20, 49.4), (4, 20, 49.5), (4, -1, 25)], True)
    desk.background.run()
    assert [one.at for one in desk.segmenter.requests[-1].prompts] == [(4, 20, 25), (4, 20, 49.4)]


def test_box_is_cut_to_the_image(desk):
    desk.open()
    desk.controller.prompts.add_box(Box((4, -20, -20), (5, 60, 70)))
    desk.background.run()
    assert desk.segmenter.requests[-1].prompts[0].box == Box((4, 0, 0), (5, 40, 50))
    assert np.count_nonzero(desk.controller.session.labels) == BALL_AREA


def test_box_beside_the_image_is_no_prompt(desk):
    desk.open()
    desk.controller.prompts.add_box(Box((4, 50, 60), (5, 60, 70)))
    assert desk.controller.session.objects == {}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_any_axis_can_be_the_sliced_one(desk, axis):
    desk.open()
    shape = desk.controller.session.volume.shape
    plane = PlaneRef(axis, shape[axis] // 2)
    desk.controller.show_plane(plane)
    height, width = plane.shape_hw(shape)
    desk.click(height // 2, width // 2)
    desk.background.run()
    filled = plane.take(desk.controller.session.labels)
    assert np.array_equal(filled == 1, plane.take(desk.controller.session.volume.data) > 100)
    assert desk.state.n_planes == shape[axis]


def test_brush_stroke_is_in_the_history(desk):
    desk.open()
    session = desk.controller.session
    box = Box((4, 0, 0), (5, 2, 2))
    before = session.labels[box.slices()].copy()
    session.labels[box.slices()] = 1
    desk.controller.prompts.painted(box, before, np.ones_like(before))
    assert desk.state.can_undo
    desk.view.redraw_labels.assert_not_called()
    desk.controller.objects.undo()
    assert not session.labels.any()


def test_brush_does_not_eat_an_accepted_object(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.objects.accept()
    session = desk.controller.session
    box = Box((4, 20, 25), (5, 21, 26))
    session.labels[box.slices()] = 2
    desk.controller.prompts.painted(box, np.ones((1, 1, 1), np.uint16), np.full((1, 1, 1), 2, np.uint16))
    assert session.labels[4, 20, 25] == 1
    assert desk.view.redraw_labels.call_count == 2


class TestCandidates:
    @pytest.fixture
    def nested(self, desk):
        """Answer with three discs of radius 4, 8 and 12 around the middle of the ball."""
        nested = NestedSegmenter((20, 25))
        desk.segmenter.segment = nested.segment
        desk.open()
        return nested

    @staticmethod
    def radius(desk) -> int:
        """Radius of the disc that the labels hold in the middle plane."""
        return int(np.count_nonzero(desk.controller.session.labels[4, 20]) - 1) // 2

    def test_they_are_shown_in_turn_with_their_scores(self, desk, nested):
        assert desk.state.candidate is None
        assert not desk.state.can_cycle
        desk.click()
        desk.background.run()
        assert desk.state.candidate == (1, pytest.approx((0.6, 0.9, 0.7)))
        assert desk.state.can_cycle
        assert "(R)" in desk.state.status
        seen = []
        for _ in range(3):
            desk.controller.prompts.next_candidate()
            seen.append((desk.state.candidate[0], self.radius(desk)))
        assert seen == [(2, 12), (0, 4), (1, 8)]
        assert desk.view.redraw_labels.call_count == 4

    def test_cycling_is_one_step_to_undo(self, desk, nested):
        desk.click()
        desk.background.run()
        for _ in range(2):
            desk.controller.prompts.next_candidate()
        desk.controller.objects.undo()
        assert (self.radius(desk), desk.state.candidate[0]) == (8, 1)
        desk.controller.objects.redo()
        assert (self.radius(desk), desk.state.candidate[0]) == (4, 0)
        desk.controller.objects.undo()
        desk.controller.objects.undo()
        assert not desk.controller.session.labels.any()
        assert desk.state.candidate is None

    def test_the_one_shown_is_followed(self, desk, nested):
        desk.click()
        desk.background.run()
        desk.controller.prompts.next_candidate()
        desk.controller.volume.propagate()
        desk.background.run()
        assert np.count_nonzero(desk.controller.session.labels[3, 20]) == 25
        assert np.array_equal(nested.requests[1].hint, nested.segment(nested.requests[0]).hints[2])

    def test_there_are_none_beside_the_prompted_plane_while_asking_or_once_accepted(self, desk, nested):
        desk.click()
        desk.background.run()
        before = desk.controller.session.labels.copy()
        desk.controller.show_plane(PlaneRef(0, 5))
        desk.controller.prompts.next_candidate()
        assert (desk.state.candidate, desk.state.can_cycle) == (None, False)
        assert "no other candidates" in desk.state.status
        desk.controller.show_plane(PlaneRef(0, 4))
        desk.controller.objects.accept()
        desk.controller.objects.select(1)
        desk.controller.prompts.next_candidate()
        assert not desk.state.can_cycle
        desk.controller.objects.reopen()
        assert desk.state.can_cycle
        desk.click(21, 26)
        assert not desk.state.can_cycle
        desk.controller.prompts.next_candidate()
        assert np.array_equal(desk.controller.session.labels, before)
        desk.background.run()
        assert desk.state.can_cycle

    def test_the_key_does_nothing_without_an_image(self, desk):
        desk.controller.prompts.next_candidate()
        desk.controller.show()
        assert desk.state.status.startswith("Open an image")

    def test_a_model_with_one_answer_offers_none(self, desk):
        desk.open()
        desk.click()
        desk.background.run()
        assert (desk.state.candidate, desk.state.can_cycle) == (None, False)


@pytest.mark.parametrize(
    ("n_planes", "end"), [(9, "; then propagate (W) or accept (Q)."), (1, "; then accept (Q).")]
)
def test_what_to_do_after_a_click_suits_the_image(desk, make_ball_volume, n_planes, end):
    desk.segmenter.segment = NestedSegmenter((20, 25)).segment
    desk.open(make_ball_volume((n_planes, 40, 50)))
    desk.click()
    desk.background.run()
    assert desk.state.candidate is not None
    assert desk.state.status.endswith(end)
