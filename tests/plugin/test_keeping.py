"""Work keeps itself, and comes back: after a crash, after closing, and from a folder somewhere else."""

from __future__ import annotations

from unittest.mock import Mock

import numpy as np
import pytest

from napari_sam.core.planes import PlaneRef
from napari_sam.plugin._gestures import Tool
from napari_sam.plugin._keeping import KeepIn
from napari_sam.plugin.controller import Controller, ImageSource
from napari_sam.plugin.view import View
from napari_sam.store import pending_sessions
from tests.plugin.conftest import Desk, StepBackground, ThresholdSegmenter
from volumes import MissingFile


@pytest.fixture
def start(tmp_path):
    """Start the program, again and again, with one place for its sessions."""

    def started() -> Desk:
        view, background, files = Mock(spec=View), StepBackground(), StepBackground()
        segmenter, saved = ThresholdSegmenter(), []
        controller = Controller(
            view, background, files, lambda name, weights: segmenter,
            lambda *written: saved.append(written), keep=KeepIn(tmp_path / "sessions"),
        )  # fmt: skip
        desk = Desk(controller, view, background, files, segmenter, saved)
        desk.open()
        desk.files.run()
        return desk

    return started


def _work(desk: Desk) -> None:
    desk.click()
    desk.background.run()
    desk.controller.strip.propagate()
    desk.background.run()
    desk.controller.table.rename(1, "ball")
    desk.controller.show_plane(PlaneRef(0, 3))
    desk.controller.prompts.clear_plane()


def _crash(desk: Desk) -> None:
    """Let go of everything as the end of a process does, without a word to anybody."""
    for journal in desk.controller.keeping._journals.values():
        journal.folder.close()
        journal._lock.release()


def test_looking_at_an_image_keeps_nothing(start, tmp_path):
    desk = start()
    desk.controller.close()
    assert list((tmp_path / "sessions").glob("*")) == []


def test_after_a_crash_the_work_is_offered_and_comes_back_with_its_history(start):
    desk = start()
    assert desk.state.restore.offer == ""
    _work(desk)
    labels, names = desk.controller.session.labels.copy(), [r.name for r in desk.state.objects]
    _crash(desk)

    again = start()
    assert again.state.restore.offer.endswith("was not closed.")
    assert again.state.restore.can_restore
    again.controller.keeping.restore()
    again.files.run()
    assert np.array_equal(again.controller.session.labels, labels)
    assert [row.name for row in again.state.objects] == names
    assert again.state.restore.offer == ""
    again.view.show_session.assert_called_with(again.controller.session)
    steps = 0
    while again.state.can_undo:
        again.controller.objects.undo()
        steps += 1
    assert steps >= 4
    assert not again.controller.session.labels.any()
    for _ in range(steps):
        again.controller.objects.redo()
    assert np.array_equal(again.controller.session.labels, labels)


def test_restored_work_is_kept_on(start):
    desk = start()
    _work(desk)
    _crash(desk)
    again = start()
    again.controller.keeping.restore()
    again.files.run()
    again.controller.table.rename(1, "other")
    _crash(again)
    third = start()
    third.controller.keeping.restore()
    third.files.run()
    assert third.controller.session.objects[1].name == "other"


def test_closed_work_is_offered_too_and_can_be_turned_down(start, tmp_path):
    desk = start()
    _work(desk)
    desk.controller.close()
    again = start()
    assert again.state.restore.offer.endswith("is kept.")
    again.controller.keeping.turn_down()
    assert again.state.restore.offer == ""
    again.controller.close()
    assert len(pending_sessions(tmp_path / "sessions")) == 1


def test_another_image_is_not_offered_it(start, make_ball_volume):
    desk = start()
    _work(desk)
    _crash(desk)
    again = start()
    again.open(make_ball_volume((7, 40, 50)), key="b")
    again.files.run()
    assert again.state.restore.offer == ""


def test_nothing_is_restored_over_new_work(start):
    desk = start()
    _work(desk)
    _crash(desk)
    again = start()
    again.click(30, 25)
    again.background.run()
    before = again.controller.session
    again.controller.keeping.restore()
    again.files.run()
    assert again.controller.session is before
    assert "Undo what you did" in again.state.status


def test_a_session_is_taken_elsewhere(start, tmp_path):
    desk = start()
    _work(desk)
    labels = desk.controller.session.labels.copy()
    path = tmp_path / "case.samsession"
    desk.controller.keeping.save(path)
    assert not desk.state.can_undo  # nothing else changes it meanwhile
    desk.files.run()
    assert desk.state.status == "Saved case.samsession."
    assert desk.state.can_undo
    desk.controller.close()
    for kept in (tmp_path / "sessions").glob("*"):
        kept.rename(tmp_path / f"away-{kept.name}")

    again = start()
    again.controller.keeping.open(path)
    again.files.run()
    assert np.array_equal(again.controller.session.labels, labels)
    again.controller.objects.undo()
    assert not np.array_equal(again.controller.session.labels, labels)


def test_another_images_session_is_one_line(start, tmp_path, make_ball_volume):
    desk = start()
    _work(desk)
    path = tmp_path / "case.samsession"
    desk.controller.keeping.save(path)
    desk.files.run()
    again = start()
    again.open(make_ball_volume((7, 40, 50)), key="b")
    del again.sources["a"]
    again.files.run()
    again.controller.keeping.open(path)
    again.files.run()
    assert again.state.warning
    assert (
        "another image, which is not open: 9 × 40 × 50 voxels of 3 × 1 × 1 mm, sha256 " in again.state.status
    )
    assert not again.controller.stage.is_taken
    again.controller.drop_image("b")
    again.sources.clear()
    again.controller.keeping.open(path)
    again.files.run()
    assert "which is not open" in again.state.status


def test_a_session_opens_on_the_open_image_that_it_belongs_to(start, tmp_path, make_ball_volume):
    desk = start()
    _work(desk)
    labels = desk.controller.session.labels.copy()
    path = tmp_path / "case.samsession"
    desk.controller.keeping.save(path)
    desk.files.run()

    again = start()
    again.open(make_ball_volume((7, 40, 50)), key="b")
    again.click()
    again.background.run()
    on_b = again.controller.session
    again.sources["broken"] = ImageSource("broken", "broken", Mock(side_effect=MissingFile("gone")))
    again.controller.keeping.open(path)
    again.files.run()
    assert again.controller.stage.cases.source.key == "a"
    assert np.array_equal(again.controller.session.labels, labels)
    assert again.state.status == "Your work on image a is back: 1 object, undo included."
    again.controller.choose_image(again.sources["b"])
    assert again.controller.session is on_b


def test_a_session_waits_for_its_image_to_be_read(start, tmp_path, make_ball_volume):
    desk = start()
    _work(desk)
    labels = desk.controller.session.labels.copy()
    path = tmp_path / "case.samsession"
    desk.controller.keeping.save(path)
    desk.files.run()

    again = start()
    again.open(make_ball_volume((7, 40, 50)), key="b")
    again.controller.drop_image("a")
    again.controller.keeping.open(path)
    again.files.run()
    assert again.state.status == "Reading the image…"
    again.background.run()
    assert np.array_equal(again.controller.session.labels, labels)
    again.controller.keeping.open(path)
    again.files.run()
    assert again.state.status == (
        "There is work on image a already; save it, and open the image again first."
    )


def test_without_an_image_there_is_no_work_to_save(start, tmp_path):
    desk = start()
    desk.controller.choose_image(None)
    desk.controller.keeping.save(tmp_path / "case.samsession")
    assert desk.state.status == "There is no work to save; open an image first."


def test_a_place_that_cannot_be_written_is_told_once_and_the_work_goes_on(tmp_path):
    (tmp_path / "sessions").write_text("a file is in the way")
    view, background, files = Mock(spec=View), StepBackground(), StepBackground()
    segmenter = ThresholdSegmenter()
    controller = Controller(
        view, background, files, lambda name, weights: segmenter, keep=KeepIn(tmp_path / "sessions")
    )
    desk = Desk(controller, view, background, files, segmenter, [])
    desk.open()
    desk.files.run()
    desk.click()
    desk.background.run()
    assert controller.session.labels.any()
    assert view.show_error.call_count == 1


@pytest.mark.viewer
@pytest.mark.filterwarnings("default")
def test_the_offer_in_a_window(window, qtbot, make_ball_volume):
    from napari_sam.plugin._reader import layer_of_volume
    from tests.plugin.windows import Window

    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    labels = window.session.labels.copy()
    assert not window.widget.restore.isVisible()
    viewer = window.viewer
    viewer.window.remove_dock_widget(window.dock)
    viewer.layers.clear()
    data, arguments, _ = layer_of_volume(make_ball_volume(), "again")
    viewer.add_image(data, **arguments)
    again = Window(viewer, qtbot)
    again.ready()
    again.until(again.widget.restore.isVisible)
    again.press(again.widget.restore.restore)
    again.until(lambda: bool(again.session.objects))
    assert np.array_equal(again.session.labels, labels)
    assert viewer.layers["again labels"].data is again.session.labels
    assert not again.widget.restore.isVisible()


@pytest.mark.viewer
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("is_painted", [False, True])
def test_restored_work_takes_the_layer_that_the_closed_dock_left(window, qtbot, is_painted):
    from tests.plugin.windows import Window

    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    viewer = window.viewer
    viewer.window.remove_dock_widget(window.dock)
    left = viewer.layers["ball labels"]
    if is_painted:
        left.data[0, 0, 0] = 5
    again = Window(viewer, qtbot)
    again.ready()
    again.until(again.widget.restore.isVisible)
    again.press(again.widget.restore.restore)
    again.until(lambda: bool(again.session.objects))
    names = [layer.name for layer in viewer.layers if layer.name.startswith("ball labels")]
    assert names == (["ball labels", "ball labels [1]"] if is_painted else ["ball labels"])
    assert viewer.layers[names[-1]].data is again.session.labels
    before = np.count_nonzero(again.session.labels)
    again.controller.objects.undo()
    assert np.count_nonzero(viewer.layers[names[-1]].data) < before


@pytest.mark.viewer
@pytest.mark.filterwarnings("default")
def test_a_session_turns_a_window_to_its_image(window, make_ball_volume, tmp_path):
    from napari_sam.plugin._reader import layer_of_volume

    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    labels = window.session.labels.copy()
    window.controller.keeping.save(tmp_path / "case.samsession")
    window.until((tmp_path / "case.samsession" / "session.json").exists)
    window.until(lambda: not window.controller.stage.is_taken)
    for name, shape in (("same", None), ("other", (7, 40, 50))):
        data, arguments, _ = layer_of_volume(make_ball_volume(*(() if shape is None else (shape,))), name)
        window.viewer.add_image(data, **arguments)
    window.viewer.layers.remove("ball")
    images = window.widget.image.images
    window.until(lambda: window.session is not None and images.currentText() == "other")
    window.controller.keeping.open(tmp_path / "case.samsession")
    window.until(lambda: window.session is not None and bool(window.session.objects))
    assert images.currentText() == "same"
    assert np.array_equal(window.session.labels, labels)
    assert window.viewer.layers["same labels"].data is window.session.labels
