"""Cleaning up in the window: beside its thread, one step to undo, and the brush in a range."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.clean_steps import CleanStep
from napari_sam.nodes.amounts import MICRO, MILLI
from napari_sam.plugin._gestures import Tool
from napari_sam.plugin.view import CleanState, PanelState
from volumes import Box, Geometry, Volume


@pytest.fixture
def specked(desk):
    """A ball with a speck beside it that belongs to the same object."""
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.strip.propagate()
    desk.background.run()
    _paint(desk, Box((3, 0, 0), (4, 2, 2)), 1)
    return desk


def _paint(desk, box, value):
    labels = desk.controller.session.labels
    before = labels[box.slices()].copy()
    after = np.full_like(before, value)
    labels[box.slices()] = after
    desk.controller.prompts.painted(box, before, after)


def test_a_speck_goes_and_comes_back(specked):
    session = specked.controller.session
    before = session.labels.copy()
    specked.controller.clean.keep_anchors(False)
    specked.controller.clean.clean(CleanStep("largest"))
    assert specked.state.status == "Cleaning up: largest…"
    assert not specked.state.clean.can_clean
    specked.view.lock_labels.assert_called_with(True)
    specked.background.run()
    assert not session.labels[3, :2, :2].any()
    assert np.count_nonzero(before) - np.count_nonzero(session.labels) == 4
    assert "-4 voxels" in specked.state.status
    specked.controller.objects.undo()
    assert np.array_equal(session.labels, before)


def test_planes_by_hand_are_left_alone(specked):
    before = specked.controller.session.labels.copy()
    specked.controller.clean.clean(CleanStep("largest"))
    specked.background.run()
    assert np.array_equal(specked.controller.session.labels, before)
    assert "nothing to change" in specked.state.status


def test_nothing_else_changes_the_session_meanwhile(specked):
    specked.controller.clean.clean(CleanStep("grow", 1.0))
    specked.controller.objects.undo()
    specked.click(2, 2)
    before = specked.controller.session.labels.copy()
    specked.background.run()
    assert np.count_nonzero(specked.controller.session.labels) > np.count_nonzero(before)


def test_an_accepted_object_is_not_cleaned(specked):
    specked.controller.table.lock(1, True)
    assert not specked.state.clean.can_clean
    before = specked.controller.session.labels.copy()
    specked.controller.clean.clean(CleanStep("grow", 1.0))
    specked.background.run()
    assert np.array_equal(specked.controller.session.labels, before)
    assert specked.state.warning
    assert not specked.controller.stage.is_taken


def test_the_brush_keeps_to_its_range(desk):
    desk.open()
    session = desk.controller.session
    desk.controller.clean.limit_brush(300, 100)
    assert desk.state.clean.brush_range == (100, 300)
    box = Box((4, 0, 0), (5, 40, 50))
    _paint(desk, box, 1)
    assert np.array_equal(session.labels[4] == 1, session.volume.data[4] > 100)
    desk.controller.clean.limit_brush(None, None)
    _paint(desk, Box((4, 0, 0), (5, 2, 2)), 1)
    assert session.labels[4, :2, :2].all()


def test_cells_are_cleaned_in_micrometres(desk, make_ball_volume):
    desk.open()
    assert desk.state.clean.units is MILLI
    ball = make_ball_volume()
    desk.open(Volume(ball.data, Geometry.from_spacing(ball.shape, (1e-3, 5e-4, 5e-4)), ball.provenance), "b")
    assert desk.state.clean.units is MICRO


@pytest.mark.viewer
def test_sizes_are_typed_in_the_units_that_are_shown(qtbot):
    from napari_sam.plugin._clean_panel import CleanPanel

    panel, pressed = CleanPanel(), []
    qtbot.addWidget(panel)
    panel.clean_pressed.connect(pressed.append)
    in_mm, in_micro = (PanelState(clean=CleanState(True, units=units)) for units in (MILLI, MICRO))
    panel.draw(in_mm)
    assert [panel.sizes[kind].text() for kind in ("islands", "grow")] == ["100 mm³", "1 mm"]
    panel.sizes["grow"].setValue(3.0)
    panel.draw(in_micro)
    assert [panel.sizes[kind].text() for kind in ("islands", "grow")] == ["100 µm³", "1 µm"]
    panel.sizes["grow"].setValue(0.25)
    for kind in ("islands", "grow", "fill holes"):
        panel.buttons[kind].click()
    assert [step.size for step in pressed] == [pytest.approx(1e-7), pytest.approx(2.5e-4), None]
    panel.draw(in_mm)
    panel.buttons["grow"].click()
    assert pressed[-1].size == 3.0
    panel.draw(in_micro)
    assert panel.sizes["grow"].text() == "0.25 µm"


@pytest.mark.viewer
def test_the_range_begins_with_what_the_model_sees(qtbot):
    from napari_sam.plugin._clean_panel import CleanPanel

    panel, limits = CleanPanel(), []
    qtbot.addWidget(panel)
    panel.brush_limited.connect(lambda *range_: limits.append(range_))
    panel.draw(PanelState(window=(-160.0, 240.0)))
    assert (panel.low.value(), panel.high.value()) == (-160, 240)
    panel.draw(PanelState(window=(12.0, 1216.5)))
    assert (panel.low.value(), panel.high.value()) == (12, 1216.5)
    panel.draw(PanelState())
    assert limits == []
    panel.low.setValue(100.0)
    panel.draw(PanelState(window=(0.0, 1.0)))
    assert (panel.low.value(), panel.high.value()) == (100, 1216.5)


@pytest.mark.viewer
@pytest.mark.filterwarnings("default")
def test_a_clean_up_in_a_window(window):
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    panel = window.widget.clean
    assert panel.is_folded
    panel.fold(False)
    panel.anchors.setChecked(False)
    panel.sizes["shrink"].setValue(2.0)
    before = np.count_nonzero(window.session.labels)
    window.press(panel.buttons["shrink"])
    window.until(lambda: np.count_nonzero(window.session.labels) < before)
    window.until(lambda: window.widget.prompt.undo.isEnabled())
    window.press(window.widget.prompt.undo)
    assert np.count_nonzero(window.session.labels) == before
