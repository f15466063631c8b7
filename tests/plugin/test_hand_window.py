"""Real windows: windows by key and drag, another cut, the list of keys, everything, a dock that fits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("napari")
pytest.importorskip("qtpy", exc_type=ImportError)

from napari_sam.core.planes import PlaneRef, planes_outward
from napari_sam.plugin._gestures import Tool
from tests.plugin.windows import PLUGIN, WIDGET, Window
from volumes import Geometry, Provenance, Volume

pytestmark = [pytest.mark.viewer, pytest.mark.filterwarnings("default")]


def key(opened: Any, name: str) -> None:
    from qtpy.QtCore import Qt

    opened.native.setFocus()
    opened.qtbot.keyClick(opened.native, getattr(Qt.Key, f"Key_{name}"))


def window_drag(opened: Any, button: str, modifier: str) -> None:
    """Drag 40 pixels to the right on the canvas."""
    from qtpy.QtCore import QPoint, Qt

    button, modifier = getattr(Qt.MouseButton, button), getattr(Qt.KeyboardModifier, modifier)
    start = opened.pixel_of(20, 25)
    opened.qtbot.mousePress(opened.native, button, modifier, start)
    _move(opened, start + QPoint(40, 0), button, modifier)
    opened.qtbot.mouseRelease(opened.native, button, modifier, start + QPoint(40, 0))


def _move(opened: Any, at: Any, button: Any, modifier: Any) -> None:
    """Move with a button and a modifier held, which qtbot cannot."""
    from qtpy.QtCore import QEvent, QPointF
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtWidgets import QApplication

    everywhere = QPointF(opened.native.mapToGlobal(at))
    event = QMouseEvent(QEvent.Type.MouseMove, QPointF(at), everywhere, button, button, modifier)
    QApplication.sendEvent(opened.native, event)
    opened.qtbot.wait(30)


def test_a_key_changes_the_screen_and_use_the_model(window):
    image, panel = window.viewer.layers["ball"], window.widget.image
    before = window.session.window
    key(window, "F6")
    assert tuple(image.contrast_limits) == (-1350, 150)
    assert window.session.window == before
    assert "L -600 W 1500" in panel.on_screen.text()
    assert "On the screen: lung" in window.widget.status.text.text()
    assert panel.take.isEnabled()
    window.press(panel.take)
    window.until(lambda: window.session.window.low == -1350)
    assert not panel.take.isEnabled()
    image.contrast_limits = (0, 100)
    assert panel.take.isEnabled()
    window.press(panel.to_screen)
    assert tuple(image.contrast_limits) == (-1350, 150)


def test_the_keys_work_on_our_layers_too(window):
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    for layer, name, low in (("prompts", "F7", -500), ("ball labels", "F8", 0), ("ball", "F9", -45)):
        window.viewer.layers.selection.active = window.viewer.layers[layer]
        key(window, name)
        assert window.viewer.layers["ball"].contrast_limits[0] == low


@pytest.mark.parametrize(
    ("button", "modifier"), [("MiddleButton", "NoModifier"), ("RightButton", "ShiftModifier")]
)
@pytest.mark.parametrize("mode", ["paint", "pan_zoom"])
def test_a_window_drag_does_nothing_else(window, button, modifier, mode):
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    labels = window.viewer.layers["ball labels"]
    if mode == "paint":
        window.viewer.layers.selection.active = labels
        labels.mode = mode
    active = window.viewer.layers.selection.active
    callbacks, zoom, centre = list(active.mouse_drag_callbacks), window.camera.zoom, window.camera.center
    image = window.viewer.layers["ball"]
    low, high = image.contrast_limits
    window_drag(window, button, modifier)
    after = image.contrast_limits
    assert (after[1] - after[0]) / (high - low) == pytest.approx(2 ** (40 / 150), rel=0.05)
    assert not window.session.labels.any()
    assert not window.session.objects
    assert (window.camera.zoom, window.camera.center) == (zoom, centre)
    assert active.mouse_drag_callbacks == callbacks


def test_a_preset_for_ct_is_refused_on_mr_with_the_layer_s_name(window):
    image = window.viewer.layers["ball"]
    volume = window.session.volume
    like_mr = Volume(volume.data, volume.geometry, Provenance("DICOM", modality="MR"))
    image.metadata[PLUGIN]["volume"] = like_mr
    before = tuple(image.contrast_limits)
    key(window, "F6")
    assert tuple(image.contrast_limits) == before
    assert "ball is MR" in window.widget.status.text.text()


def test_the_axis_key_cuts_through_the_voxel_under_the_cursor(window):
    image = window.viewer.layers["ball"]
    window.viewer.cursor.position = tuple(image.data_to_world((4, 12, 33)))
    key(window, "I")
    assert window.controller.plane == PlaneRef(1, 12)
    assert "rows, plane 12." in window.widget.status.text.text()
    window.viewer.cursor.position = tuple(image.data_to_world((3, 12, 33)))
    key(window, "I")
    assert window.controller.plane == PlaneRef(2, 33)
    window.viewer.cursor.position = (1e6, 1e6, 1e6)  # outside: the planes shown last
    key(window, "I")
    assert window.controller.plane == PlaneRef(0, 3)
    for step, plane in enumerate((PlaneRef(1, 12), PlaneRef(2, 33), PlaneRef(0, 3))):
        window.viewer.cursor.position = (step % 2,) * 3  # as napari has it before the mouse has moved
        key(window, "I")
        assert window.controller.plane == plane
    window.viewer.dims.ndisplay = 3
    key(window, "I")
    assert "2-D view" in window.widget.status.text.text()


def test_a_mirrored_patient_is_cut_at_the_voxel_that_is_seen(make_napari_viewer_proxy, qtbot, monkeypatch):
    import napari_sam.plugin.widget as widget
    from napari_sam.plugin._reader import layer_of_volume

    monkeypatch.setattr(widget, "load_model", lambda name, weights: None)
    viewer = make_napari_viewer_proxy(show=True)
    affine = np.diag([-1.0, -1.0, 3.0, 1.0])[[0, 1, 2, 3]][
        :, [2, 1, 0, 3]
    ]  # planes up, rows and columns back
    volume = Volume(np.zeros((6, 20, 30), np.int16), Geometry((6, 20, 30), affine), Provenance("NIfTI"))
    data, arguments, _ = layer_of_volume(volume, "mirrored")
    image = viewer.add_image(data, **arguments)
    opened = Window(viewer, qtbot)
    opened.ready()
    viewer.cursor.position = tuple(image.data_to_world((viewer.dims.current_step[0], 5, 28)))
    key(opened, "I")
    assert opened.controller.plane == PlaneRef(1, 5)
    assert opened.widget.status.text.text().endswith("Now coronal, plane 5 (14 on napari's slider).")
    viewer.cursor.position = tuple(image.data_to_world((2, 5, 28)))
    key(opened, "I")
    assert opened.controller.plane == PlaneRef(2, 28)
    assert "sagittal" in opened.widget.status.text.text()


def test_question_mark_lists_the_keys(window, qtbot):
    from qtpy.QtCore import Qt

    window.native.setFocus()
    qtbot.keyClick(window.native, Qt.Key.Key_Question, Qt.KeyboardModifier.ShiftModifier)
    window.until(lambda: window.widget._shortcuts is not None)
    dialog = window.widget._shortcuts
    assert dialog.isVisible()
    assert "lung window" in dialog.text.text()
    dialog.close()


def test_everything_in_a_layer_of_its_own(window, monkeypatch):
    def find(volume, segmenter, asked, reach, cancel):
        begin, planes, _ = reach
        for plane in planes_outward(begin, volume.shape[begin.axis], planes):
            yield SimpleNamespace(plane=plane, labels=(plane.take(volume.data) > 100).astype(np.uint32))

    steps, panel = window.widget.everything_steps, window.widget.everything
    monkeypatch.setattr(steps, "_find", find)
    window.widget.show_everything()
    assert not panel.is_folded
    panel.where.setCurrentIndex(1)
    window.press(panel.start)
    window.until(lambda: "1 object found" in window.widget.status.text.text())
    layer = window.viewer.layers["ball everything"]
    assert np.array_equal(layer.data == 1, window.session.volume.data > 100)
    assert tuple(layer.scale) == (3.0, 1.0, 1.0)
    assert not window.session.objects
    assert window.viewer.layers.selection.active is not layer
    assert panel.take.isEnabled()
    assert not panel.take_one.isEnabled()
    window.viewer.layers.selection.active = layer
    window.click(19, 24)
    window.until(panel.take_one.isEnabled)
    assert "label 1 of ball everything" in panel.take_one.toolTip()
    window.press(panel.take_one)
    assert "1 object taken" in window.widget.status.text.text()
    assert np.array_equal(window.session.labels == 1, window.session.volume.data > 100)
    window.controller.objects.undo()
    window.press(panel.take)
    assert np.array_equal(window.session.labels == 1, window.session.volume.data > 100)
    rows = window.widget.object.rows
    assert [rows.item(row, 1).text() for row in range(rows.rowCount())] == ["object 1", "next object"]
    assert not layer.visible
    assert not panel.take.isEnabled()
    window.controller.objects.undo()
    assert layer.visible
    assert not window.session.labels.any()
    assert panel.take.isEnabled()
    window.viewer.layers.remove(layer)
    assert not panel.take.isEnabled()
    assert not panel.take_one.isEnabled()


def test_an_empty_viewer_offers_the_sample_and_one_step(
    make_napari_viewer_proxy, qtbot, monkeypatch, segmenter
):
    import napari_sam.plugin.widget as widget

    monkeypatch.setattr(widget, "load_model", lambda name, weights: segmenter)
    viewer = make_napari_viewer_proxy(show=True)
    opened = Window(viewer, qtbot)
    opened.settle()
    dock = opened.widget
    assert [name for name, section in dock.sections.items() if not section.is_folded] == ["image"]
    assert dock.image.begin.isVisible()
    assert not dock.image.images.isVisible()
    opened.press(dock.image.begin.children()[1])
    opened.ready()
    assert [layer.name for layer in viewer.layers] == ["CT phantom"]
    assert not dock.image.begin.isVisible()
    assert not dock.prompt.is_folded


def test_the_dock_fits_a_small_screen_and_is_left_as_it_was(
    make_napari_viewer_proxy, qtbot, monkeypatch, segmenter, make_ball_volume
):
    import napari_sam.plugin.widget as widget
    from napari_sam.plugin._reader import layer_of_volume

    monkeypatch.setattr(widget, "load_model", lambda name, weights: segmenter)
    viewer = make_napari_viewer_proxy(show=True)
    viewer.window.resize(1366, 768)
    data, arguments, _ = layer_of_volume(make_ball_volume(), "ball")
    viewer.add_image(data, **arguments)
    opened = Window(viewer, qtbot)
    opened.ready()
    opened.settle()
    dock = opened.widget
    assert not dock.prompt.is_folded
    assert dock.minimumWidth() <= 300
    assert dock._scroll.verticalScrollBar().maximum() == 0
    opened.press(dock.model.header)
    opened.press(dock.image.header)
    is_folded = dock.image.is_folded
    opened.press(dock.prompt.tools[Tool.BOX])
    dock.model.names.setCurrentIndex(1)
    dock.model.names.activated.emit(1)
    viewer.window.remove_dock_widget(opened.dock)
    _, again = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
    assert again is not dock
    assert again.image.is_folded == is_folded
    assert not again.model.is_folded
    assert again.model.name == dock.model.name != "default"
    qtbot.waitUntil(lambda: again.prompt.tools[Tool.BOX].isChecked(), timeout=60_000)


def test_all_steps_fit_a_narrow_dock(window, make_ball_volume):
    from napari_sam.plugin._reader import layer_of_volume

    data, arguments, _ = layer_of_volume(make_ball_volume(), "a name of an image that goes on and on and on")
    window.viewer.add_image(data, **arguments)
    window.ready()
    dock = window.widget
    for section in dock.sections.values():
        section.fold(False)
    window.settle()
    window.press(dock.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    window.until(lambda: dock.measure.lines.rowCount() > 5)
    window.settle()
    scroll_bar_px = dock._scroll.verticalScrollBar().sizeHint().width()
    assert dock._scroll.widget().minimumSizeHint().width() + scroll_bar_px <= 300
    text = dock.status.text
    assert text.height() >= 4 * text.fontMetrics().lineSpacing(), "of messages four lines are seen whole"


def test_commands_act_on_the_chosen_layers(window, monkeypatch, tmp_path):
    from napari_sam.plugin import _commands

    told = []
    for name in ("show_error", "show_info"):
        monkeypatch.setattr(f"napari.utils.notifications.{name}", told.append)
    monkeypatch.setattr(_commands, "_viewer", lambda: window.viewer)
    _commands.save_labels()
    assert told == ["Choose a Labels layer first, to save it."]
    path = tmp_path / "ball.nrrd"
    monkeypatch.setattr("napari_sam.plugin._dialogs.ask_save_path", lambda *_: path)
    _commands.save_image()
    window.until(lambda: len(told) == 2)
    assert told[-1] == "Saved the image ball."
    import volumes

    assert np.array_equal(volumes.read(path).data, window.session.volume.data)
    _commands.find_everything()
    assert not window.widget.everything.is_folded
    _commands.show_shortcuts()
    assert window.widget._shortcuts.isVisible()
    _commands.prepare_planes()
    window.until(lambda: "are prepared" in window.widget.status.text.text())


def test_a_section_that_is_opened_is_brought_into_sight(window):
    window.viewer.window.resize(1000, 500)
    panel, scroll = window.widget.measure, window.widget._scroll

    def is_in_sight():
        shown = scroll.viewport().rect()
        top = panel.mapTo(scroll.viewport(), panel.rect().topLeft())
        bottom = panel.mapTo(scroll.viewport(), panel.rect().bottomLeft())
        return shown.contains(top) and shown.contains(bottom)

    window.press(window.widget.prompt.header)
    scroll.verticalScrollBar().setValue(0)
    for one in (panel, window.widget.everything):
        assert one.is_folded
        window.press(one.header)
        panel = one
        window.until(is_in_sight)


def test_what_was_found_is_there_still_when_the_dock_is_opened_again(window, qtbot, monkeypatch):
    def find(volume, segmenter, asked, reach, cancel):
        plane = reach[0]
        yield SimpleNamespace(plane=plane, labels=(plane.take(volume.data) > 100).astype(np.uint32))

    steps = window.widget.everything_steps
    monkeypatch.setattr(steps, "_find", find)
    steps.find(in_all=False)
    window.until(lambda: "1 object found" in window.widget.status.text.text())
    window.viewer.window.remove_dock_widget(window.dock)
    again = Window(window.viewer, qtbot)
    again.ready()
    again.until(again.widget.everything.take.isEnabled)
    layer = window.viewer.layers["ball everything"]
    layer.selected_label = 1
    assert "label 1 of ball everything" in again.widget.everything.take_one.toolTip()
    again.widget.everything.fold(False)
    again.press(again.widget.everything.take)
    assert np.array_equal(again.session.labels[4] == 1, layer.data[4] == 1)
    assert [anchor.plane for anchor in again.session.objects[1].anchors] == [PlaneRef(0, 4)]
    assert not layer.visible
    again.controller.choose_window(None)
    again.ready()
    assert len(again.widget.everything_steps.taking._all) == 1, "looked for once"
    window.viewer.window.remove_dock_widget(again.dock)


def test_the_layer_of_what_was_found_in_a_picture():
    from napari.components import ViewerModel

    from napari_sam.plugin._found_layers import show_found
    from napari_sam.plugin._images import volume_of
    from napari_sam.plugin._taking_steps import FoundBy

    viewer = ViewerModel()
    image = viewer.add_image(np.zeros((20, 30), np.uint8), name="picture")
    labels = np.zeros((1, 20, 30), np.uint16)
    assert show_found(viewer, "another", labels, volume_of(image), FoundBy(0, "")) is None
    found = show_found(viewer, image.unique_id, labels, volume_of(image), FoundBy(0, ""))
    layer, changes = viewer.layers[-1], []
    found.on_change = lambda: changes.append((found.is_shown, found.chosen))
    assert (found.name, found.chosen, found.is_active) == ("picture everything", 0, False)
    grown = np.full((1, 20, 30), 70_000, np.uint32)
    found.grow(grown)
    assert np.array_equal(found.labels, grown)
    layer.data[0, 0] = 3
    assert found.labels[0, 0, 0] == 3
    layer.selected_label = 3
    found.show(False)
    assert changes[-1] == (False, 3)
    viewer.layers.remove(layer)
    assert not found.is_there
    n_changes = len(changes)
    layer.selected_label = 5
    found.show(True)
    found.grow(labels)
    assert len(changes) == n_changes
