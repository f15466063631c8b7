"""A click shows what the model sees at a glance, and then what it sees when it looks closer."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_sam.core.edits import Edit
from napari_sam.plugin._gestures import Tool
from tests.fakes import GlancingFake
from tests.plugin.conftest import Desk


@pytest.fixture
def looking(desk: Desk) -> Desk:
    """A window whose model glances; the shown plane was seen, and nothing is drawn in it."""
    desk.segmenter = GlancingFake()
    desk.controller.stage.model._load = lambda name, weights: desk.segmenter
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.table.delete((1,))
    desk.controller.objects.start()
    desk.background.run()
    desk.background.ran.clear()
    desk.view.reset_mock()
    return desk


def run_one(desk: Desk) -> str:
    """Run the job whose turn it is."""
    job = desk.background.queue.take()
    for part in job.work(job.cancel):
        job.on_part(part)
    job.on_done()
    desk.background.queue.done(job)
    return job.kind


def area(desk: Desk) -> int:
    return int(np.count_nonzero(desk.controller.session.labels))


def test_the_glance_is_drawn_with_its_mark_and_the_panels_follow_with_the_answer(looking):
    later = []
    looking.view.in_a_moment.side_effect = later.append
    edits: list[Edit] = []
    looking.controller.session.on_edit.append(edits.append)
    looking.click()
    assert run_one(looking) == "segment"
    glanced = area(looking)
    assert glanced > 0
    looking.view.redraw_labels.assert_called_once_with()
    assert [len(call.args[1]) for call in looking.view.show_prompts.call_args_list] == [1]
    later[-1]()
    looking.view.show_state.assert_not_called()
    assert run_one(looking) == "closer"
    assert area(looking) > glanced
    assert len(edits) == 2
    assert looking.view.redraw_labels.call_count == 2
    assert not looking.state.busy
    assert looking.state.can_cycle


def test_glance_and_answer_are_one_step_to_undo(looking):
    n_steps = len(looking.controller.session.history.done)
    looking.click()
    looking.background.run()
    assert looking.background.ran[:2] == ["segment", "closer"]
    assert len(looking.controller.session.history.done) == n_steps + 1
    looking.controller.objects.undo()
    assert area(looking) == 0
    looking.controller.objects.redo()
    assert area(looking) > 0


def test_the_latest_click_wins_and_does_not_wait_for_the_answer_to_the_one_before(looking):
    session = looking.controller.session
    looking.click(20, 25)
    run_one(looking)
    first = looking.background.queue.take()
    parts = list(first.work(first.cancel))
    looking.click(22, 25)
    assert first.kind == "closer"
    assert run_one(looking) == "segment"
    stands = session.labels.copy()
    for part in parts:
        first.on_part(part)
    first.on_done()
    looking.background.queue.done(first)
    assert np.array_equal(session.labels, stands)
    assert looking.controller.prompts.asking.request is not None
    assert run_one(looking) == "closer"
    assert not np.array_equal(session.labels, stands)
    assert len(session.objects[looking.controller.stage.current_id].prompts) == 2
    assert looking.controller.prompts.asking.request is None


def test_a_waiting_closer_look_goes_with_the_next_click(looking):
    looking.click(20, 25)
    run_one(looking)
    looking.click(22, 25)
    looking.background.run()
    assert looking.background.ran[:2] == ["segment", "closer"]


def test_what_takes_the_session_leaves_the_glance_as_it_stands(looking):
    looking.click()
    run_one(looking)
    stands, closer = area(looking), looking.background.queue.take()
    looking.controller.prompts.forget()
    for part in closer.work(closer.cancel):
        closer.on_part(part)
    assert area(looking) == stands


def test_an_error_of_the_closer_look_is_told_and_the_glance_stays(looking):
    def fail(request):
        raise OSError("the disk is gone")

    looking.segmenter.segment = fail
    looking.click()
    looking.background.run()
    assert area(looking) > 0
    assert looking.state.warning
    assert looking.controller.prompts.asking.request is None


def test_a_model_that_is_slow_on_seen_planes_is_not_waited_for(looking, monkeypatch):
    asking, waited = looking.controller.prompts.asking, []
    monkeypatch.setattr(looking.background, "leave_to", lambda *told: waited.append(told))
    later = []
    looking.view.in_a_moment.side_effect = later.append
    looking.click()
    looking.background.run()
    assert [kind for kind, _ in waited] == ["segment"]
    asking._seconds.extend([0.4, 0.2, 0.3])
    looking.view.reset_mock()
    looking.click(22, 25)
    assert len(waited) == 1
    assert len(looking.view.show_prompts.call_args.args[1]) == 2
    asking._seconds.append(0.01)
    looking.background.run()
    looking.click(24, 25)
    assert len(waited) == 2


@pytest.mark.viewer
@pytest.mark.filterwarnings("default")
def test_in_a_window_the_mask_is_there_before_the_closer_look_is_done(window):
    release = threading.Event()

    class Held(GlancingFake):
        def segment(self, request):
            release.wait(60)
            return super().segment(request)

    window.controller.stage.model._load = lambda name, weights: Held()
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.until(lambda: window.session.labels.any())
    glanced = np.count_nonzero(window.session.labels)
    assert window.controller.prompts.asking.request is not None
    release.set()
    window.ready()
    assert np.count_nonzero(window.session.labels) > glanced
