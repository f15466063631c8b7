"""The plugin's logic, without Qt, napari or torch: images, windows, models and idle time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from napari_sam.core.planes import PlaneRef
from napari_sam.core.window import Window
from napari_sam.errors import MissingWeights
from napari_sam.plugin.controller import Controller, ImageSource
from tests.plugin.conftest import BALL_AREA
from volumes import MissingFile


def test_controller_loads_neither_qt_nor_napari_nor_torch():
    code = (
        "import sys, napari_sam.plugin.controller; "
        "print([m for m in ('torch', 'napari', 'qtpy', 'magicgui', 'PyQt6') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_nothing_to_do_without_an_image(desk):
    desk.controller.show()
    assert desk.state.status.startswith("Open an image")
    assert not any(getattr(desk.state, name) for name in vars(desk.state) if name.startswith("can_"))


def test_image_is_read_in_the_background_and_its_window_shown(desk, make_ball_volume):
    volume = make_ball_volume()
    desk.controller.choose_image(ImageSource("a", "image", lambda: volume, Window(0, 300)))
    assert desk.controller.session is None
    assert desk.state.status == "Reading the image…"
    assert desk.state.busy
    desk.background.run()
    assert desk.controller.session.volume is volume
    assert desk.state.window == (0, 300)
    desk.view.show_session.assert_not_called()


def test_image_that_cannot_be_read_says_so_once(desk):
    def read():
        raise MissingFile("ct.nii does not exist; check the path")

    desk.controller.choose_image(ImageSource("a", "image", read))
    desk.background.run()
    desk.view.show_error.assert_called_once_with("image: Ct.nii does not exist; check the path")
    assert desk.state.warning
    assert not desk.state.busy


def test_model_that_is_missing_is_one_plain_line(desk, segmenter):
    def load(name, weights):
        raise MissingWeights("no weights of sam_vit_b.meta at /x;\n  download them")

    desk.controller = Controller(desk.view, desk.background, desk.files, load)
    desk.open()
    desk.click()
    desk.background.run()
    desk.view.show_error.assert_called_once_with("No weights of sam_vit_b.meta at /x; download them")
    assert desk.state.model_note == "could not be loaded"
    assert not desk.state.busy
    desk.controller.stage.model._load = lambda name, weights: segmenter
    desk.click()
    desk.background.run()
    assert np.count_nonzero(desk.controller.session.labels) == BALL_AREA


def test_other_model_answers_from_the_next_click_on(desk):
    asked = []
    desk.controller.stage.model._load = lambda *chosen: asked.append(chosen) or desk.segmenter
    desk.open()
    desk.controller.choose_model("sam_vit_b.meta", Path("b.pth"))
    assert asked == []
    desk.click()
    desk.background.run()
    assert asked == [("sam_vit_b.meta", Path("b.pth"))]
    desk.controller.choose_model("default")
    desk.background.run()
    assert asked[-1] == ("default", None)


def test_window_changes_what_the_model_is_asked(desk):
    desk.open()
    desk.controller.choose_window("lung")
    desk.background.run()
    assert desk.state.window == (-1350, 150)
    desk.click()
    desk.background.run()
    assert desk.segmenter.requests[-1].window == Window(-1350, 150)


def test_labels_stay_with_their_image(desk, make_ball_volume):
    desk.open(key="a")
    desk.click()
    desk.background.run()
    first = desk.controller.session
    desk.open(make_ball_volume((5, 40, 50)), key="b")
    assert desk.controller.session is not first
    assert desk.state.objects[0].id == 1
    desk.view.show_session.reset_mock()
    desk.controller.choose_image(ImageSource("a", "image a", make_ball_volume))
    assert desk.controller.session is first
    desk.view.show_session.assert_called_once_with(first)


def test_image_that_goes_takes_its_session_along(desk):
    desk.open()
    desk.controller.drop_image("a")
    assert desk.controller.session is None
    assert desk.state.status.startswith("Open an image")


def test_removed_labels_layer_is_shown_again_at_the_next_prompt(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.labels_gone()
    desk.click(21, 26)
    assert desk.view.show_session.call_count == 2


def test_three_dimensional_view_asks_for_the_plane_view(desk):
    desk.open()
    desk.controller.show_plane(None)
    assert "2-D view" in desk.state.status
    assert not desk.state.can_prompt


def test_segmenter_that_breaks_is_told_and_the_next_click_works(desk):
    desk.open()
    answer = desk.segmenter.segment
    desk.segmenter.segment = lambda request: 1 / 0
    desk.click()
    desk.background.run()
    assert "ZeroDivisionError" in desk.view.show_error.call_args.args[0]
    assert not desk.state.busy
    desk.segmenter.segment = answer
    desk.click(21, 26)
    desk.background.run()
    assert np.count_nonzero(desk.controller.session.labels) == BALL_AREA


def test_idle_time_encodes_the_planes_around(desk):
    desk.open()
    desk.click()
    desk.background.run()
    prepared = [plane.index for planes in desk.segmenter.prefetched for plane in planes]
    assert prepared[-8:] == [5, 3, 6, 2, 7, 1, 8, 0]
    assert desk.state.strip.ready == frozenset(range(9))
    desk.segmenter.prefetched.clear()
    desk.controller.show_plane(PlaneRef(0, 2))
    desk.background.run()
    assert desk.segmenter.prefetched == []


def test_another_window_makes_no_plane_ready(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.choose_window("5,150")
    assert desk.state.strip.ready == frozenset(range(9))
    desk.segmenter.prefetched.clear()
    desk.background.run()
    assert sorted(plane.index for planes in desk.segmenter.prefetched for plane in planes) == list(range(9))


def test_each_image_keeps_its_own_window(desk, make_ball_volume):
    desk.open(key="a")
    desk.controller.choose_window("bone")
    desk.background.run()
    desk.open(make_ball_volume((5, 40, 50)), key="b")
    assert desk.state.window_request is None
    assert desk.state.window != (-500, 1300)
    desk.controller.choose_image(ImageSource("a", "image a", make_ball_volume))
    assert (desk.state.window, desk.state.window_request) == ((-500, 1300), "bone")
