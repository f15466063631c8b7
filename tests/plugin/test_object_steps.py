"""Objects are accepted and chosen, and steps taken back, without a window."""

from __future__ import annotations

import numpy as np

from tests.plugin.conftest import BALL_AREA
from volumes import Box


def test_undo_takes_prompt_and_mask_back_and_redo_brings_them(desk):
    desk.open()
    desk.click()
    desk.background.run()
    labels = desk.controller.session.labels.copy()
    desk.controller.objects.undo()
    assert not desk.controller.session.labels.any()
    assert desk.view.show_prompts.call_args.args[1] == ()
    assert not desk.state.can_undo
    desk.controller.objects.redo()
    assert np.array_equal(desk.controller.session.labels, labels)
    assert len(desk.view.show_prompts.call_args.args[1]) == 1


def test_undo_before_the_answer_makes_the_answer_stale(desk):
    desk.open()
    desk.click()
    desk.controller.objects.undo()
    desk.background.run()
    assert not desk.controller.session.labels.any()


def test_accept_locks_and_starts_the_next_object(desk):
    desk.open()
    desk.click()
    desk.background.run()
    assert desk.state.can_accept
    desk.controller.objects.accept()
    assert desk.state.current_id == 2
    assert [(row.id, row.locked) for row in desk.state.objects] == [(1, True), (2, False)]
    assert desk.view.show_prompts.call_args.args[1] == ()
    desk.click()
    desk.background.run()
    assert np.count_nonzero(desk.controller.session.labels == 1) == BALL_AREA
    assert not (desk.controller.session.labels == 2).any()
    desk.controller.objects.select(1)
    assert desk.state.can_reopen
    assert not desk.state.can_accept
    desk.controller.objects.reopen()
    assert not desk.state.can_reopen
    assert desk.state.can_accept


def test_undo_of_accept_goes_back_to_the_object(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.objects.accept()
    desk.controller.objects.undo()
    assert desk.state.current_id == 1
    assert desk.state.can_accept


def test_accepting_before_there_is_anything_does_nothing(desk):
    desk.open()
    desk.click()
    desk.controller.objects.accept()
    assert desk.state.current_id == 1
    desk.background.run()
    assert np.count_nonzero(desk.controller.session.labels) == BALL_AREA


def test_choosing_another_object_keeps_the_answer_that_is_under_way(desk):
    desk.open()
    desk.click()
    desk.controller.objects.start()
    desk.background.run()
    assert desk.state.current_id == 2
    assert np.count_nonzero(desk.controller.session.labels == 1) == BALL_AREA


def test_undo_stays_with_the_object_whose_step_it_takes_back(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.objects.start()
    for object_id in (2, 1):
        box = Box((4, 0, 4 * object_id), (5, 2, 4 * object_id + 2))
        desk.controller.objects.select(object_id)
        before = desk.controller.session.labels[box.slices()].copy()
        desk.controller.prompts.painted(box, before, np.full_like(before, object_id))
    desk.controller.table.rename(2, "other")
    assert desk.state.current_id == 1
    desk.controller.objects.undo()
    assert desk.state.current_id == 2, "it was renamed"
    desk.controller.objects.select(1)
    desk.controller.objects.undo()
    assert desk.state.current_id == 1, "it lost the stroke"
    desk.controller.objects.redo()
    assert desk.state.current_id == 1
    desk.controller.objects.undo()
    desk.controller.objects.undo()
    assert 2 not in desk.controller.session.objects
    assert desk.state.current_id == desk.controller.session.current_id


def test_all_that_are_chosen_are_accepted(desk):
    desk.open()
    desk.click()
    desk.background.run()
    for object_id in (2, 3):
        box = Box((4, 0, 4 * object_id), (5, 2, 4 * object_id + 2))
        before = desk.controller.session.labels[box.slices()].copy()
        desk.controller.prompts.painted(box, before, np.full_like(before, object_id))
    desk.controller.table.choose((1, 2))
    desk.controller.objects.accept()
    assert desk.state.status.startswith("Objects 1 and 2 are accepted.")
    assert [row.locked for row in desk.state.objects] == [True, True, False, False]
    assert desk.state.current_id == 4
    desk.controller.objects.undo()
    assert [row.locked for row in desk.state.objects] == [True, False, False]
    assert desk.state.current_id == 2
