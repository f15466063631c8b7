"""An object prompted where another one is: the person is told who has the voxels, and can take them over."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.again import do_again
from napari_sam.core.history import History
from napari_sam.core.holders import holders_of
from napari_sam.core.planes import PlaneRef
from napari_sam.core.session import Session
from napari_sam.errors import StoreError
from napari_sam.plugin._strip_text import describe_mark
from napari_sam.store import Journal, SessionFolder, pending_sessions
from napari_sam.store.session_log import deeds_of, read_lines
from volumes import Box

TOLD = (
    "Object 2 got nothing in plane 4: object 1 has its voxels. "
    "Take over (Shift+R) if object 1 shall give way; else undo, and lock it to be safe."
)


@pytest.fixture
def held(desk):
    """The ball is object 1, and object 2 was prompted in the same place."""
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.objects.start()
    desk.click()
    desk.background.run()
    return desk


def test_who_has_the_voxels_is_told_in_one_line(held):
    assert held.state.status == TOLD
    assert held.state.warning
    assert held.state.can_take_over
    held.controller.show_plane(PlaneRef(0, 3))
    assert held.state.status != TOLD
    assert not held.state.warning
    held.controller.show_plane(PlaneRef(0, 4))
    assert held.state.status == TOLD
    held.controller.objects.select(1)
    assert not held.state.can_take_over
    assert not held.state.warning


def test_the_object_shows_that_it_has_nothing(held):
    first, second = held.state.objects
    assert (first.note, second.size) == ("", "")
    assert second.note == "object 2 has no voxel: those of plane 4 belong to object 1"
    (mark,) = held.state.strip.marks
    assert (mark.state, mark.reason) == ("held", "object 1")
    assert held.state.strip.n_doubtful == 1
    assert describe_mark(4, mark) == "Plane 4: all of it belongs to object 1, though you prompted it here"


def test_an_object_that_lost_all_of_it_shows_so_whatever_the_reason(desk):
    desk.open()
    desk.click()
    desk.background.run()
    assert desk.state.objects[0].note == ""
    box = Box((4, 0, 0), (5, 40, 50))
    before = desk.controller.session.labels[box.slices()].copy()
    desk.controller.prompts.painted(box, before, np.zeros_like(before))
    assert (desk.state.objects[0].size, desk.state.objects[0].note) == ("", "object 1 has no voxel")
    assert not desk.state.warning


def test_taking_over_is_one_step(held):
    session = held.controller.session
    ball = session.labels == 1
    held.controller.giving_way.take_over()
    assert held.state.status == f"Object 2 took {ball.sum()} voxels over. Undo gives them back."
    assert np.array_equal(session.labels == 2, ball)
    assert not (session.labels == 1).any()
    assert held.state.objects[1].note == ""
    assert [mark.state for mark in held.state.strip.marks] == ["prompted"]
    assert not held.state.can_take_over
    held.controller.objects.undo()
    assert np.array_equal(session.labels == 1, ball)
    assert held.state.status == TOLD


def test_a_locked_object_gives_nothing(held):
    session = held.controller.session
    held.controller.table.lock(1, True)
    assert not held.state.can_take_over
    assert held.state.status == (
        "Object 2 got nothing in plane 4: object 1 has its voxels. "
        "Reopen it in the table to take them over, or undo."
    )
    before = session.labels.copy()
    held.controller.giving_way.take_over()
    assert np.array_equal(session.labels, before)


def test_a_confirmed_plane_gives_nothing(held):
    held.controller.session.accept_plane(PlaneRef(0, 4), 1)
    held.controller.show()
    assert not held.state.can_take_over


def test_a_border_that_touches_is_no_news(desk):
    desk.open()
    desk.controller.prompts.add_box(Box((4, 0, 0), (5, 40, 20)))
    desk.background.run()
    desk.controller.objects.start()
    desk.click()
    desk.background.run()
    session = desk.controller.session
    n_first, n_second = (np.count_nonzero(session.labels == number) for number in (1, 2))
    assert 0 < n_first < n_second
    assert not desk.state.warning
    assert not desk.state.can_take_over
    desk.controller.objects.undo()
    desk.controller.objects.undo()
    desk.controller.prompts.add_box(Box((4, 0, 0), (5, 40, 30)))
    desk.background.run()
    desk.controller.objects.start()
    desk.click()
    desk.background.run()
    n_first = np.count_nonzero(session.labels == 1)
    told = f"Object 2 lacks {n_first} of 380 voxels in plane 4: object 1 has them. "
    assert desk.state.status.startswith(told)


def test_where_nothing_is_held_there_is_nothing_to_take_over(desk):
    desk.open()
    desk.controller.giving_way.take_over()
    assert desk.state.status == "There is nothing to take over in this plane."
    desk.click()
    desk.background.run()
    desk.controller.giving_way.take_over()
    assert not desk.state.warning


def test_done_again_it_is_taken_over_too(held, segmenter, tmp_path):
    session = held.controller.session
    journal = Journal.start(tmp_path, session)
    held.controller.giving_way.take_over()
    journal.close()
    (pending,) = pending_sessions(tmp_path)
    lines, _ = read_lines((pending.path / "log.jsonl").read_bytes())
    again = Session(session.volume, window=session.window)
    assert do_again(again, deeds_of(lines[1:]), segmenter) == ()
    assert np.array_equal(again.labels, session.labels)
    assert (again.labels == 2).any()


def test_it_is_told_and_can_be_taken_over_after_a_restart_too(held, tmp_path):
    session, plane = held.controller.session, PlaneRef(0, 4)
    folder = SessionFolder(tmp_path / "case.samsession")
    folder.begin(session)
    told = holders_of(session.labels, session.state, 2, plane)
    again = SessionFolder(folder.path).load().resume(session.volume)
    assert holders_of(again.labels, again.state, 2, plane) == told
    anchor, before = again.objects[2].anchor_on(plane), session.objects[2].anchor_on(plane)
    assert (anchor.mask, anchor.taken, anchor.score) == (before.mask, before.taken, before.score)
    assert anchor.answer is None
    assert anchor.next_candidate is None
    again.choose(plane, anchor.taken, 2, overwrites=True)
    held.controller.giving_way.take_over()
    assert np.array_equal(again.labels, session.labels)
    assert again.undo()
    assert holders_of(again.labels, again.state, 2, plane) == told


def test_what_others_had_before_the_oldest_step_is_told_after_a_restart(held, tmp_path):
    session, plane = held.controller.session, PlaneRef(0, 4)
    told = holders_of(session.labels, session.state, 2, plane)
    begun = Session.resumed(session.volume, session.labels, session.state, History(), session.window)
    folder = SessionFolder(tmp_path / "case.samsession")
    folder.begin(begun)
    again = SessionFolder(folder.path).load().resume(session.volume)
    assert not again.can_undo
    assert holders_of(again.labels, again.state, 2, plane) == told


def test_masks_that_the_labels_have_are_not_kept_twice(desk, tmp_path):
    desk.open()
    desk.click()
    desk.background.run()
    folder = SessionFolder(tmp_path / "case.samsession")
    folder.begin(desk.controller.session)
    assert b'"mask"' not in (folder.path / "log.jsonl").read_bytes()


def test_a_damaged_mask_is_said(held, tmp_path):
    folder = SessionFolder(tmp_path / "case.samsession")
    folder.begin(held.controller.session)
    log = folder.path / "log.jsonl"
    text = log.read_text()
    assert '"mask":{"candidate":' in text
    start = text.index('"mask":{"candidate":') + len('"mask":{"candidate":')
    log.write_text(text[:start] + "99999" + text[start + 1 :])
    with pytest.raises(StoreError, match=r"log\.jsonl cannot be used .*candidate 99999"):
        SessionFolder(folder.path).load()


@pytest.mark.viewer
@pytest.mark.filterwarnings("default")
def test_taking_over_in_a_window(window):
    from qtpy.QtCore import Qt

    from napari_sam.plugin._gestures import Tool

    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    button, rows = window.widget.prompt.take_over, window.widget.object.rows
    assert not button.isVisible()
    window.press(window.widget.object.new)
    window.click(19, 24)
    window.ready()
    assert "got nothing in plane 4" in window.widget.status.text.text()
    assert button.isVisible()
    assert (rows.item(1, 3).text(), rows.item(0, 3).text()) == ("none", "1.14 ml")
    assert "belong to object 1" in rows.item(1, 3).toolTip()
    window.native.setFocus()
    window.qtbot.keyClick(window.native, Qt.Key.Key_R, Qt.KeyboardModifier.ShiftModifier)
    window.until(lambda: (window.session.labels == 2).any())
    assert not (window.session.labels == 1).any()
    assert not button.isVisible()
