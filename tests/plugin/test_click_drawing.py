"""What a click draws and when: as little as can be before its mask is there."""

from __future__ import annotations

import pytest

from napari_sam.core.planes import PlaneRef
from napari_sam.errors import InvalidPrompt


@pytest.fixture
def later(desk):
    """What the window is to do in a moment; an answered click lies behind it."""
    calls = []
    desk.open()
    desk.click()
    desk.background.run()
    desk.view.in_a_moment.side_effect = calls.append
    desk.view.reset_mock()
    return calls


def test_marks_and_panels_of_a_click_are_drawn_once_with_its_answer(desk, later):
    desk.click(22, 25)
    desk.view.show_prompts.assert_not_called()
    desk.view.show_state.assert_not_called()
    desk.background.run()
    assert [len(call.args[1]) for call in desk.view.show_prompts.call_args_list] == [2]
    desk.view.redraw_labels.assert_called_once_with()
    assert not desk.state.busy
    desk.view.reset_mock()
    (call,) = later
    call()
    assert desk.view.mock_calls == []


def test_marks_and_panels_are_drawn_before_an_answer_that_takes_its_time(desk, later):
    desk.click(22, 25)
    (call,) = later
    call()
    assert len(desk.view.show_prompts.call_args.args[1]) == 2
    assert desk.state.status.startswith("Segmenting")
    desk.background.run()
    assert not desk.state.busy


def test_marks_are_drawn_at_once_on_a_plane_that_the_model_has_not_seen(desk, later):
    desk.controller.show_plane(PlaneRef(1, 20))
    desk.click(4, 25)
    assert later == []
    assert len(desk.view.show_prompts.call_args.args[1]) == 1
    assert desk.state.status.startswith("Segmenting")


def test_error_of_the_model_stays_on_the_panel_as_the_marks_follow(desk, later):
    def fail(request):
        raise InvalidPrompt("no such thing; do another")

    desk.segmenter.segment = fail
    desk.click(22, 25)
    desk.background.run()
    later[0]()
    assert desk.state.warning
    assert desk.state.status == "No such thing; do another"
    assert len(desk.view.show_prompts.call_args.args[1]) == 2
