"""What people do to a window while a propagation runs: nothing raises, and what is done stays."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from napari_sam.plugin._gestures import Tool

pytestmark = [pytest.mark.viewer, pytest.mark.filterwarnings("default")]


class Gate:
    """Lets a segmenter answer so many requests, then holds it until it is opened."""

    def __init__(self, segmenter, n_free: int) -> None:
        self._ask, self._n_left = segmenter.segment, n_free
        self._open = threading.Event()
        self.is_held = threading.Event()
        segmenter.segment = self.segment

    def segment(self, request):
        if self._n_left == 0:
            self.is_held.set()
            self._open.wait(60)
        else:
            self._n_left -= 1
        return self._ask(request)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def held(window, segmenter):
    """A window whose propagation stands after one plane, and the gate that lets it go on."""
    gate = Gate(segmenter, 3)  # the click, its anchor once more, one plane
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    window.press(window.widget.volume.start)
    window.until(gate.is_held.is_set)
    window.until(lambda: len(np.flatnonzero(window.session.labels.any(axis=(1, 2)))) == 2)
    yield window, gate
    gate.open()


def _over(window, gate):
    gate.open()
    window.until(lambda: not window.controller.volume.following.is_running)


def test_the_labels_layer_is_deleted(held):
    window, gate = held
    session = window.session
    del window.viewer.layers["ball labels"]
    _over(window, gate)
    assert np.flatnonzero(session.labels.any(axis=(1, 2))).tolist() == [2, 3, 4, 5, 6]
    window.click(19, 24) if window.controller.stage.case.is_shown else None
    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.until(lambda: "ball labels" in window.viewer.layers)
    assert window.viewer.layers["ball labels"].data is session.labels


def test_the_prompt_layers_are_deleted(held):
    window, gate = held
    for name in ("prompts", "prompt boxes"):
        del window.viewer.layers[name]
    _over(window, gate)
    assert np.flatnonzero(window.session.labels.any(axis=(1, 2))).tolist() == [2, 3, 4, 5, 6]


def test_layers_are_renamed_and_reordered(held):
    window, gate = held
    window.viewer.layers["ball labels"].name = "mine"
    window.viewer.layers["ball"].name = "the scan"
    window.viewer.layers.reverse()
    _over(window, gate)
    assert window.viewer.layers["mine"].data is window.session.labels
    window.click(4, 4, right=True)
    window.ready()
    assert len(window.session.objects[1].prompts) == 2


def test_another_image_is_chosen_and_the_first_again(held, make_ball_volume):
    from napari_sam.plugin._reader import layer_of_volume

    window, gate = held
    session = window.session
    data, arguments, _ = layer_of_volume(make_ball_volume((5, 40, 50)), "other")
    window.viewer.add_image(data, **arguments)
    images = window.widget.image.images
    images.setCurrentText("other")
    gate.open()
    window.until(lambda: window.session is not None and window.session is not session)
    window.until(lambda: not window.controller.volume.following.is_running)
    done = np.flatnonzero(session.labels.any(axis=(1, 2))).tolist()
    assert set(done) >= {4}
    images.setCurrentText("ball")
    window.until(lambda: window.session is session)
    assert np.flatnonzero(session.labels.any(axis=(1, 2))).tolist() == done


def test_the_image_is_deleted(held):
    window, gate = held
    labels = window.session.labels
    done = np.flatnonzero(labels.any(axis=(1, 2))).tolist()
    del window.viewer.layers["ball"]
    _over(window, gate)
    assert set(np.flatnonzero(labels.any(axis=(1, 2))).tolist()) >= set(done)
    assert window.viewer.layers["ball labels"].data is labels


def test_the_dock_is_closed(held):
    window, gate = held
    labels = window.session.labels
    done = labels.copy()
    window.viewer.window.remove_dock_widget(window.dock)
    gate.open()
    window.settle()
    assert np.array_equal(labels, done)
    assert window.viewer.layers["ball labels"].data is labels


def test_the_viewer_is_closed(held, qtbot):
    window, gate = held
    labels = window.session.labels
    done = labels.copy()
    threading.Timer(0.2, gate.open).start()
    window.viewer.close()
    assert np.array_equal(labels, done)


def test_the_view_is_turned_and_made_three_dimensional(held):
    window, gate = held
    window.viewer.dims.order = (1, 0, 2)
    window.viewer.dims.ndisplay = 3
    gate.open()
    window.until(lambda: not window.controller.volume.following.is_running)
    window.viewer.dims.ndisplay = 2
    window.viewer.dims.order = (0, 1, 2)
    assert np.flatnonzero(window.session.labels.any(axis=(1, 2))).tolist() == [2, 3, 4, 5, 6]
