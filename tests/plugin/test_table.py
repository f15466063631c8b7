"""The table of objects: what it shows, and what can be done with it."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_sam.core.planes import PlaneRef
from napari_sam.plugin._gestures import Tool
from volumes import Box, Geometry, Provenance, Volume


@pytest.fixture
def two(desk):
    """Two objects of the ball: one propagated, and one of a single plane, painted beside it."""
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.strip.propagate()
    desk.background.run()
    desk.controller.objects.start()
    session = desk.controller.session
    box = Box((4, 0, 0), (5, 3, 4))
    before = session.labels[box.slices()].copy()
    desk.controller.prompts.painted(box, before, np.full_like(before, 2))
    return desk


def volume_like(data):
    return Volume(data, Geometry.from_spacing(data.shape, (3.0, 1.0, 1.0)), Provenance("test"))


def _row(desk, object_id):
    return next(row for row in desk.state.objects if row.id == object_id)


def test_size_and_planes_follow_every_step(two):
    labels = two.controller.session.labels
    for _ in range(3):
        for row in two.state.objects:
            n = np.count_nonzero(labels == row.id)
            assert row.size == (f"{n * 3 / 1000:.4g} ml" if n else "")
            assert row.n_planes == np.count_nonzero((labels == row.id).any(axis=(1, 2)))
        two.controller.objects.undo()
    assert [row.id for row in two.state.objects] == [1]


def test_a_large_size_is_told_in_full(desk, make_ball_volume):
    ball = make_ball_volume((30, 40, 50))
    desk.open(Volume(ball.data, Geometry.from_spacing(ball.shape, (1e-3, 1e-3, 1e-3)), ball.provenance))
    box = Box((0, 0, 0), (30, 40, 50))
    desk.controller.prompts.painted(box, np.zeros(box.shape, np.uint16), np.ones(box.shape, np.uint16))
    assert _row(desk, 1).size == "60000 µm³"


def test_a_picture_has_areas(desk, make_ball_volume):
    desk.open(make_ball_volume((1, 40, 50)))
    desk.click()
    desk.background.run()
    n = np.count_nonzero(desk.controller.session.labels)
    assert _row(desk, 1).size == f"{n:.4g} mm²"


def test_rename_lock_colour_are_steps_to_undo(two):
    table = two.controller.table
    table.rename(1, "  liver ")
    table.set_colour([1], (1, 2, 3))
    table.lock(1, True)
    row = _row(two, 1)
    assert (row.name, row.colour, row.locked) == ("liver", (1, 2, 3), True)
    for _ in range(3):
        two.controller.objects.undo()
    row = _row(two, 1)
    assert (row.name, row.locked) == ("object 1", False)
    assert row.colour != (1, 2, 3)


def test_an_empty_name_changes_nothing(two):
    two.controller.table.rename(1, "   ")
    assert _row(two, 1).name == "object 1"


def test_hiding_changes_colours_and_nothing_else(two):
    before = two.controller.session.labels.copy()
    two.controller.table.show(1, False)
    colours = two.view.show_colours.call_args.args[0]
    assert colours[1] is None
    assert colours[2] is not None
    two.controller.table.show_only([1])
    colours = two.view.show_colours.call_args.args[0]
    assert colours[2] is None
    two.controller.table.show_only([1])
    assert None not in two.view.show_colours.call_args.args[0].values()
    assert np.array_equal(before, two.controller.session.labels)


def test_merge_and_its_undo(two):
    session = two.controller.session
    before = session.labels.copy()
    two.controller.table.merge([1, 2])
    assert [row.id for row in two.state.objects] == [2]
    assert np.array_equal(session.labels > 0, before > 0)
    two.controller.objects.undo()
    assert np.array_equal(session.labels, before)
    two.controller.table.merge([2])
    assert "two objects or more" in two.state.status


def test_delete_is_brought_back_by_undo(two):
    session = two.controller.session
    before = session.labels.copy()
    two.controller.table.delete([1])
    assert 1 not in session.objects
    assert not (session.labels == 1).any()
    two.controller.objects.undo()
    assert np.array_equal(session.labels, before)


def test_a_locked_object_is_not_deleted(two):
    two.controller.table.lock(1, True)
    two.controller.table.delete([1])
    assert 1 in two.controller.session.objects
    assert two.state.warning
    assert "locked" in two.state.status


def test_pieces_become_objects(two):
    from volumes import Box

    session = two.controller.session
    box = Box((4, 30, 0), (5, 33, 4))
    before = session.labels[box.slices()].copy()
    two.controller.prompts.painted(box, before, np.full_like(before, 2))
    two.controller.table.split(2)
    assert sorted(session.objects) == [1, 2, 3]
    assert {np.count_nonzero(session.labels == one) for one in (2, 3)} == {12}
    two.controller.table.split(1)
    assert "in one piece" in two.state.status


def test_go_to_shows_the_plane_where_it_is_largest(two):
    two.controller.show_plane(PlaneRef(0, 0))
    two.controller.table.go_to(2)
    two.view.go_to_plane.assert_called_with(PlaneRef(0, 4))


def test_classes_are_kept_in_a_file_and_set(two, tmp_path):
    table = two.controller.table
    table.add_class("liver", (200, 30, 30))
    table.add_class("lesion")
    table.set_class([1, 2], "liver")
    assert [row.class_name for row in two.state.objects] == ["liver", "liver"]
    assert _row(two, 1).colour == (200, 30, 30)
    path = tmp_path / "classes.json"
    table.save_classes(path)
    json.loads(path.read_text(encoding="utf-8"))
    table.classes = ()
    table.load_classes(path)
    assert two.state.classes == ("liver", "lesion")
    two.controller.objects.undo()
    assert _row(two, 2).class_name == ""
    table.load_classes(tmp_path / "missing.json")
    assert two.state.warning


def test_nothing_is_changed_while_a_propagation_runs(two):
    two.controller.objects.select(1)
    two.controller.strip.propagate()
    before = dict(two.controller.session.objects)
    two.controller.table.delete([1])
    two.controller.table.rename(1, "liver")
    assert dict(two.controller.session.objects) == before


def test_chosen_objects_are_propagated_together(desk, make_ball_volume):
    data = np.concatenate([make_ball_volume().data, make_ball_volume().data], axis=2)
    desk.open(volume_like(data))
    desk.click(20, 25)
    desk.background.run()
    desk.controller.objects.start()
    desk.click(20, 75)
    desk.background.run()
    desk.controller.table.choose([1, 2])
    desk.controller.strip.propagate()
    assert "2 objects" in desk.state.status
    desk.background.run()
    labels = desk.controller.session.labels
    for value in (1, 2):
        assert np.flatnonzero((labels == value).any(axis=(1, 2))).tolist() == [2, 3, 4, 5, 6]
        assert _row(desk, value).n_planes == 5
    assert "2 objects followed" in desk.state.status
    desk.controller.objects.undo()
    assert np.flatnonzero(labels.any(axis=(1, 2))).tolist() == [4]


def test_objects_that_are_followed_into_one_another_are_named(desk):
    desk.open()
    for plane in (3, 5):
        desk.controller.show_plane(PlaneRef(0, plane))
        desk.click()
        desk.background.run()
        desk.controller.objects.start()
    desk.controller.objects.select(1)
    desk.controller.table.choose([1, 2])
    desk.controller.strip.propagate()
    desk.background.run()
    assert "2 objects followed" in desk.state.status
    desk.files.run()
    labels = desk.controller.session.labels
    where = next(k for k in range(8) if (labels[k] == 1).any() and (labels[k + 1] == 2).any())
    assert desk.state.status == (
        f"Object 1 and object 2 (planes {where} and {where + 1}) meet as one thing would. If they are one, "
        "choose both in the table and Merge; else correct where they meet."
    )


def test_a_locked_one_is_left_out(two):
    two.controller.table.lock(2, True)
    two.controller.objects.select(1)
    two.controller.table.choose([1, 2])
    two.controller.strip.propagate()
    assert "object 1" in two.state.status


@pytest.mark.viewer
@pytest.mark.filterwarnings("default")
def test_the_table_in_a_window(window):
    from qtpy.QtCore import Qt

    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    rows = window.widget.object.rows
    assert rows.rowCount() == 1
    rows.item(0, 1).setText("ball")
    assert window.session.objects[1].name == "ball"
    labels = window.viewer.layers["ball labels"]
    shown = labels.get_color(1)
    rows.item(0, 0).setCheckState(Qt.CheckState.Unchecked)
    assert labels.get_color(1) is None or labels.get_color(1)[3] == 0
    rows.item(0, 0).setCheckState(Qt.CheckState.Checked)
    assert np.allclose(labels.get_color(1), shown)
    rows.item(0, 5).setCheckState(Qt.CheckState.Checked)
    assert window.session.objects[1].locked
    window.press(window.widget.object.new)
    assert rows.rowCount() == 2
    assert window.widget.object.chosen_ids == [2]
    window.widget.object._fill_menu()
    texts = [action.text() for action in window.widget.object.menu.actions()]
    assert {"Merge", "Split into pieces", "Delete", "Class"} <= set(texts)


def test_reopen_unlocks_all_that_are_chosen_with_the_current_one(two):
    for one in (1, 2):
        two.controller.table.lock(one, True)
    two.controller.objects.select(1)
    two.controller.table.choose((2,))  # another one is chosen: it stays as it is
    two.controller.objects.reopen()
    assert [row.locked for row in two.state.objects] == [False, True]
    two.controller.table.lock(1, True)
    two.controller.table.choose((1, 2))
    two.controller.objects.reopen()
    assert [row.locked for row in two.state.objects] == [False, False]


@pytest.mark.viewer
@pytest.mark.filterwarnings("default")
def test_several_chosen_with_the_mouse_are_reopened_and_deleted(window, qtbot):
    from qtpy.QtCore import Qt

    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    labels = np.zeros(window.session.volume.shape, np.uint8)
    for value in (1, 2, 3, 4):
        labels[0, 3 * value : 3 * value + 2, :5] = value
    window.controller.objects.undo()
    window.session.adopt(labels)
    window.controller.stage.changed()
    panel = window.widget.object
    for row, modifier in enumerate(
        (Qt.KeyboardModifier.NoModifier, *[Qt.KeyboardModifier.ControlModifier] * 2)
    ):
        place = panel.rows.visualItemRect(panel.rows.item(row, 1)).center()
        qtbot.mouseClick(panel.rows.viewport(), Qt.MouseButton.LeftButton, modifier, place)
    assert panel.chosen_ids == [1, 2, 3]
    window.press(panel.reopen)
    assert [one.locked for one in window.session.objects.values()] == [False, False, False, True]
    assert panel.chosen_ids == [1, 2, 3]
    panel._fill_menu()
    next(action for action in panel.menu.actions() if action.text() == "Delete").trigger()
    assert list(window.session.objects) == [4]
    assert np.unique(window.session.labels).tolist() == [0, 4]


@pytest.mark.viewer
def test_many_objects_can_be_told_apart_in_a_narrow_table(qtbot):
    from qtpy.QtCore import Qt

    from napari_sam.plugin._object_panel import ObjectPanel
    from napari_sam.plugin.view import ObjectRow, PanelState

    panel = ObjectPanel()
    qtbot.addWidget(panel)
    rows = tuple(ObjectRow(number, f"object {number}", False) for number in range(1, 25))
    panel.draw(PanelState(objects=rows[:3]))
    low = panel.rows.height()
    assert panel.rows.isColumnHidden(2), "nothing has a class"
    panel.draw(PanelState(objects=rows))
    assert panel.rows.height() > 1.4 * low
    assert panel.rows.textElideMode() == Qt.TextElideMode.ElideMiddle
    panel.draw(PanelState(objects=(*rows[:2], ObjectRow(3, "object 3", False, class_name="nucleus"))))
    assert not panel.rows.isColumnHidden(2)
    assert panel.rows.height() == low
    panel.draw(PanelState(objects=rows[:3], classes=("nucleus",)))
    assert not panel.rows.isColumnHidden(2)
