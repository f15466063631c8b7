"""Real napari windows: what a person does with mouse and buttons, and what they then see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("qtpy", exc_type=ImportError)

import volumes
from napari_sam.plugin._gestures import Tool
from tests.fakes import NestedSegmenter
from tests.plugin.conftest import BALL_AREA
from tests.plugin.windows import PLUGIN, Window

# napari, its dependencies and Qt warn of things that are not ours.
pytestmark = [pytest.mark.viewer, pytest.mark.filterwarnings("default")]


def test_opening_the_dock_changes_nothing_in_the_viewer(window):
    assert [layer.name for layer in window.viewer.layers] == ["ball"]
    assert window.controller.plane.index == 4
    assert "+ Point (A) and click inside the object" in window.widget.status.text.text()
    assert not window.widget.volume.start.isEnabled()


def test_click_gives_a_mask_that_is_seen(window):
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.until(lambda: window.session.labels.any())
    assert np.count_nonzero(window.session.labels[4] == 1) == BALL_AREA
    labels = window.viewer.layers["ball labels"]
    assert labels.data is window.session.labels
    assert tuple(labels.scale) == (3.0, 1.0, 1.0)
    (at,) = window.viewer.layers["prompts"].data
    assert at == pytest.approx((4, 19, 24), abs=0.6)


@pytest.mark.parametrize("how", [{"right": True}, {"control": True}])
def test_right_or_control_click_is_a_negative_point(window, segmenter, how):
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    window.click(4, 4, **how)
    window.ready()
    window.until(lambda: len(segmenter.requests) == 2)
    assert [prompt.positive for prompt in segmenter.requests[-1].prompts] == [True, False]


def test_drag_draws_a_box_and_does_not_pan(window, segmenter):
    centre = window.camera.center
    window.press(window.widget.prompt.tools[Tool.BOX])
    window.drag((6, 8), (32, 41))
    window.until(lambda: segmenter.requests)
    window.ready()
    (prompt,) = segmenter.requests[0].prompts
    assert np.abs(np.subtract(prompt.box.start, (4, 6, 8))).max() <= 1
    assert np.abs(np.subtract(prompt.box.stop, (5, 33, 42))).max() <= 1
    assert np.count_nonzero(window.session.labels) == BALL_AREA
    assert len(window.viewer.layers["prompt boxes"].data) == 1
    assert window.camera.center == centre


def test_prompts_are_shown_on_their_plane_only(window):
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    window.viewer.dims.set_current_step(0, 5)
    assert len(window.viewer.layers["prompts"].data) == 0
    window.viewer.dims.set_current_step(0, 4)
    assert len(window.viewer.layers["prompts"].data) == 1


def test_another_axis_can_be_the_sliced_one(window):
    window.viewer.dims.order = (2, 0, 1)
    window.viewer.dims.set_current_step(2, 25)
    assert (window.controller.plane.axis, window.controller.plane.index) == (2, 25)
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(4, 19)
    window.until(lambda: window.session.labels.any())
    shown = window.session.labels[:, :, 25]
    assert np.array_equal(shown == 1, window.session.volume.data[:, :, 25] > 100)
    assert np.count_nonzero(window.session.labels) == np.count_nonzero(shown)


def test_three_dimensional_view_takes_no_prompts(window):
    window.viewer.dims.ndisplay = 3
    assert window.controller.plane is None
    assert "2-D view" in window.widget.status.text.text()
    assert not window.widget.prompt.tools[Tool.BOX].isEnabled()
    window.viewer.dims.ndisplay = 2
    assert window.controller.plane.index == 4


def test_propagate_then_undo_then_accept(window):
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    window.press(window.widget.volume.start)
    window.until(lambda: not window.controller.volume.following.is_running)
    assert np.flatnonzero(window.session.labels.any(axis=(1, 2))).tolist() == [2, 3, 4, 5, 6]
    assert "Planes 2 to 6 are done" in window.widget.status.text.text()
    window.press(window.widget.prompt.undo)
    assert np.flatnonzero(window.session.labels.any(axis=(1, 2))).tolist() == [4]
    window.press(window.widget.prompt.redo)
    window.press(window.widget.end.accept)
    assert window.session.objects[1].locked
    assert window.viewer.layers["ball labels"].selected_label == 2
    assert window.widget.object.rows.rowCount() == 2


def test_cancel_keeps_what_is_done(window, segmenter):
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    answer = segmenter.segment

    def segment(request):
        if request.plane.index == 5:
            window.controller.volume.cancel()
        return answer(request)

    segmenter.segment = segment
    window.press(window.widget.volume.start)
    window.until(lambda: not window.controller.volume.following.is_running)
    assert np.flatnonzero(window.session.labels.any(axis=(1, 2))).tolist() == [4, 5]
    assert "cancelled" in window.widget.status.text.text()
    assert window.viewer.layers["ball labels"].editable


def test_brush_stroke_is_undone_by_the_session(window):
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.press(window.widget.prompt.tools[Tool.MOVE])
    labels = window.viewer.layers["ball labels"]
    assert window.viewer.layers.selection.active == labels
    labels.mode = "paint"
    labels.brush_size = 5
    window.drag((10, 10), (10, 20))
    painted = np.count_nonzero(window.session.labels)
    assert painted > 20
    window.press(window.widget.prompt.undo)
    assert not window.session.labels.any()
    window.press(window.widget.prompt.redo)
    assert np.count_nonzero(window.session.labels) == painted


def test_keys(window, qtbot):
    from qtpy.QtCore import Qt

    def key(letter, modifier=Qt.KeyboardModifier.NoModifier):
        qtbot.keyClick(window.native, getattr(Qt.Key, f"Key_{letter}"), modifier)

    window.native.setFocus()
    key("D")
    assert window.widget.prompt.tools[Tool.BOX].isChecked()
    key("A")
    assert window.widget.prompt.tools[Tool.INCLUDE].isChecked()
    window.click(19, 24)
    window.ready()
    key("W")
    window.until(lambda: not window.controller.volume.following.is_running)
    assert window.session.labels[5].any()
    key("Z", Qt.KeyboardModifier.ControlModifier)
    assert not window.session.labels[5].any()
    key("Q")
    assert window.session.objects[1].locked


def test_candidates_are_cycled_by_key_and_button(window, qtbot, segmenter):
    from qtpy.QtCore import Qt

    prompt = window.widget.prompt
    segmenter.segment = NestedSegmenter((20, 25)).segment
    window.press(prompt.tools[Tool.INCLUDE])
    assert not prompt.other.isEnabled()
    assert prompt.candidate.text() == ""
    window.click(19, 24)
    window.ready()
    assert prompt.candidate.text() == "Scores 0.60 · <b>0.90</b> · 0.70"
    assert "Key: R" in prompt.other.toolTip()
    labels = window.viewer.layers["ball labels"]
    for layer in (window.viewer.layers["prompts"], labels):
        window.viewer.layers.selection.active = layer
        window.native.setFocus()
        qtbot.keyClick(window.native, Qt.Key.Key_R)
    assert prompt.candidate.text() == "Scores <b>0.60</b> · 0.90 · 0.70"
    assert np.count_nonzero(window.session.labels[4, 20]) == 9
    window.press(prompt.other)
    window.press(prompt.other)
    assert prompt.candidate.text() == "Scores 0.60 · 0.90 · <b>0.70</b>"
    assert labels.get_value((4.0, 20.0, 25.0 + 11.0)) == 1
    qtbot.keyClick(window.native, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert prompt.candidate.text() == "Scores 0.60 · <b>0.90</b> · 0.70"


def test_labels_saved_by_the_plugin_lie_on_the_image(window, tmp_path):
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    by_button, by_layer = tmp_path / "button.nii.gz", tmp_path / "layer.nrrd"
    window.controller.label_files.save(by_button)
    window.until(by_button.exists)
    window.until(lambda: not window.controller.label_files.doing)
    window.viewer.layers["ball labels"].save(str(by_layer), plugin=PLUGIN)
    for path in (by_button, by_layer):
        saved = volumes.read(path)
        assert np.array_equal(saved.data, window.session.labels)
        assert saved.geometry.is_close(window.session.volume.geometry)


def test_unwritable_place_is_one_message(window, monkeypatch):
    told = []
    monkeypatch.setattr("napari_sam.plugin._napari_view.show_error", told.append)
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    window.controller.label_files.save(Path("/proc/no/labels.nii.gz"))
    window.until(lambda: told)
    assert len(told) == 1
    assert "/proc/no" in told[0]
    assert not window.widget.status.bar.isVisible()


def test_users_layers_stay_as_they_were(window):
    image = window.viewer.layers["ball"]
    before = (tuple(image.scale), tuple(image.contrast_limits), image.name, image.mode)
    window.press(window.widget.prompt.tools[Tool.BOX])
    window.drag((6, 8), (32, 41))
    window.ready()
    assert (tuple(image.scale), tuple(image.contrast_limits), image.name, image.mode) == before


def test_closing_the_dock_leaves_the_labels_and_the_image(window):
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    window.viewer.window.remove_dock_widget(window.dock)
    assert [layer.name for layer in window.viewer.layers] == ["ball", "ball labels"]
    window.viewer.dims.set_current_step(0, 2)
    window.viewer.layers.remove("ball labels")


def test_keys_work_after_the_table_and_the_numbers_were_used(window):
    from qtpy.QtCore import Qt

    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    rows, tools, first = window.widget.object.rows, window.widget.prompt.tools, window.widget.volume.first
    window.qtbot.mouseClick(
        rows.viewport(), Qt.MouseButton.LeftButton, pos=rows.visualItemRect(rows.item(0, 1)).center()
    )
    for letter, tool in (("S", Tool.EXCLUDE), ("D", Tool.BOX)):
        window.qtbot.keyClick(rows, getattr(Qt.Key, f"Key_{letter}"))
        window.until(tools[tool].isChecked)
    assert rows.state() == rows.State.NoState, "nothing is typed into a name"
    assert window.session.objects[1].name == "object 1"
    first.setFocus()
    first.selectAll()
    window.qtbot.keyClicks(first, "2")
    window.qtbot.keyClick(first, Qt.Key.Key_Return)
    assert not first.hasFocus()
    assert window.controller.strip.reach == (2, 8)


def test_the_object_under_the_mouse_is_turned_to(window):
    from qtpy.QtCore import Qt

    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    window.press(window.widget.object.new)
    control, labels = window.controller, window.viewer.layers["ball labels"]
    assert control.stage.current_id == 2

    def point(row, column):
        window.viewer.cursor.position = (12.0, row, column)
        window.native.setFocus()
        window.qtbot.keyClick(window.native, Qt.Key.Key_S, Qt.KeyboardModifier.ShiftModifier)

    point(1.0, 1.0)
    assert control.stage.current_id == 2
    assert "no object under the mouse" in window.widget.status.text.text()
    point(19.0, 24.0)
    assert control.stage.current_id == labels.selected_label == 1
    assert window.widget.object.rows.currentRow() == 0
    labels.selected_label = 2
    assert control.stage.current_id == 2
    labels.selected_label = 0
    assert control.stage.current_id == 2


def test_a_second_image_is_told_of(window, make_ball_volume):
    from napari_sam.plugin._reader import layer_of_volume

    data, arguments, _ = layer_of_volume(make_ball_volume((5, 40, 50)), "next case")
    window.viewer.add_image(data, **arguments)
    text, images = window.widget.status.text, window.widget.image.images
    assert "next case is open, too. Choose it in step 1 to work on it." in text.text()
    assert images.currentText() == "ball"
    images.setCurrentText("next case")
    window.ready()
    assert "is open, too" not in text.text()


def test_image_that_is_removed_and_one_that_comes(window):
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    window.viewer.layers.remove("ball")
    assert window.session is None
    assert "Open an image" in window.widget.status.text.text()
    window.viewer.add_image(np.zeros((20, 30), np.uint8), name="flat")
    window.ready()
    assert window.session.volume.shape == (1, 20, 30)
    assert window.controller.plane.index == 0


def test_real_model_answers_in_the_window(make_napari_viewer_proxy, qtbot, make_ball_volume, tmp_path):
    """The whole way to torch and back; its numbers are random, so the mask's shape means nothing."""
    import torch
    from safetensors.torch import save_file

    from napari_sam import zoo
    from napari_sam.plugin._reader import layer_of_volume

    torch.manual_seed(0)
    spec = zoo.get("default")
    weights = {name: value.contiguous() for name, value in spec.build().state_dict().items()}
    save_file(weights, tmp_path / "random.safetensors")
    viewer = make_napari_viewer_proxy(show=True)
    data, arguments, _ = layer_of_volume(make_ball_volume(), "ball")
    viewer.add_image(data, **arguments)
    window = Window(viewer, qtbot)
    window.ready()
    window.controller.choose_model(spec.name, tmp_path / "random.safetensors")
    window.press(window.widget.prompt.tools[Tool.BOX])
    window.drag((6, 8), (32, 41))
    window.until(lambda: window.session.objects)
    window.ready()
    (anchor,) = window.session.objects[1].anchors
    assert anchor.is_settled
    assert window.widget.model.header.text() == "2  Model: ready on CPU"


def test_flat_colour_picture(make_napari_viewer_proxy, qtbot, monkeypatch, segmenter, tmp_path):
    from PIL import Image

    import napari_sam.plugin.widget as widget

    monkeypatch.setattr(widget, "load_model", lambda name, weights: segmenter)
    monkeypatch.setattr(segmenter, "segment", _bright_red(segmenter))
    picture = np.zeros((30, 40, 3), np.uint8)
    picture[8:20, 10:30, 0] = 250
    Image.fromarray(picture).save(tmp_path / "red.png")
    viewer = make_napari_viewer_proxy(show=True)
    viewer.open(tmp_path / "red.png", plugin=PLUGIN)
    window = Window(viewer, qtbot)
    window.ready()
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(12, 20)
    window.until(lambda: window.session.labels.any())
    labels = viewer.layers["red labels"]
    assert labels.ndim == 2
    assert np.shares_memory(labels.data, window.session.labels)
    assert np.count_nonzero(labels.data) == 12 * 20
    assert not window.widget.volume.start.isEnabled()
    labels.save(str(tmp_path / "out.png"), plugin=PLUGIN)
    assert np.array_equal(volumes.read(tmp_path / "out.png").data, window.session.labels)


def _bright_red(segmenter):
    """Let the fake look at the first colour."""
    from dataclasses import replace

    ask = type(segmenter).segment

    def segment(request):
        red = replace(request.volume, data=np.ascontiguousarray(request.volume.data[..., 0]))
        return ask(segmenter, replace(request, volume=red))

    return segment


def test_window_by_preset_by_numbers_and_from_the_screen(window):
    panel, image = window.widget.image, window.viewer.layers["ball"]
    panel.windows.setCurrentText("CT lung")
    panel.windows.activated.emit(panel.windows.currentIndex())
    window.until(lambda: window.session.window.low == -1350)
    assert panel.low.value() == -1350
    panel.low.setValue(-20)
    panel.low.editingFinished.emit()
    window.until(lambda: (window.session.window.low, window.session.window.high) == (-20, 150))
    assert panel.windows.currentText() == "Custom"
    assert tuple(image.contrast_limits) != (-20, 150)
    window.press(panel.to_screen)
    assert tuple(image.contrast_limits) == (-20, 150)
    image.contrast_limits = (0, 100)
    panel.windows.setCurrentText("As on the screen")
    panel.windows.activated.emit(panel.windows.currentIndex())
    window.until(lambda: (window.session.window.low, window.session.window.high) == (0, 100))
    window.until(lambda: not window.controller.stage.cases.opening)


def test_brush_keeps_to_one_plane(window):
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    labels = window.viewer.layers["ball labels"]
    labels.n_edit_dimensions = 3
    assert labels.n_edit_dimensions == 2


def test_side_view_of_a_patient_is_head_up_and_the_camera_is_given_back(window):
    from napari_sam.plugin._reader import layer_of_volume

    volume = window.session.volume
    data, arguments, _ = layer_of_volume(
        volumes.Volume(volume.data, volume.geometry, volumes.Provenance("DICOM", "CT")), "patient"
    )
    window.viewer.add_image(data, **arguments)
    before = window.camera.orientation2d
    window.widget.image.images.setCurrentText("patient")
    window.ready()
    assert window.camera.orientation2d == before
    window.viewer.dims.order = (1, 0, 2)
    assert [str(way) for way in window.camera.orientation2d] != [str(way) for way in before]
    window.viewer.window.remove_dock_widget(window.dock)
    assert window.camera.orientation2d == before
