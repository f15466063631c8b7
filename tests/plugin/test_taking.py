"""What was found without prompts becomes objects: without a window, with fakes for model and layer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from napari_sam.core.again import do_again
from napari_sam.core.planes import PlaneRef
from napari_sam.core.session import Session
from napari_sam.plugin._everything_steps import EverythingSteps
from napari_sam.plugin._taking_steps import FoundBy
from napari_sam.store import Journal, SessionFolder, pending_sessions
from napari_sam.store.session_log import deeds_of, read_lines
from tests.plugin.test_everything import Found
from volumes import Box


class Layer:
    """A layer of what was found, as a person has it in the window."""

    def __init__(self, labels: np.ndarray, name: str) -> None:
        self.labels, self.name = labels, name
        self.chosen = 0
        self.is_there = self.is_shown = True
        self.is_active = False
        self.on_change: Callable[[], None] = lambda: None
        self.has_let_go = False

    def grow(self, labels: np.ndarray) -> None:
        self.labels = labels

    def show(self, visible: bool) -> None:
        self.is_shown = visible

    def let_go(self) -> None:
        self.has_let_go = True


class Search:
    """Finds the labels that a test draws, and keeps the layers in which they are shown."""

    def __init__(self, shape: tuple[int, int, int] = (9, 40, 50)) -> None:
        self.labels = np.zeros(shape, np.uint32)
        self.layers: list[Layer] = []

    def find(self, volume: Any, segmenter: Any, window: Any, reach: Any, cancel: Any):
        begin, (first, last), _ = reach
        for index in range(first, last):
            plane = PlaneRef(begin.axis, index)
            yield Found(plane, plane.take(self.labels))

    def show(self, key: Any, labels: np.ndarray, volume: Any, by: Any) -> Layer:
        self.layers.append(Layer(labels, f"found {len(self.layers) + 1}"))
        return self.layers[-1]

    def left(self, key: Any):
        """Give all layers as those of searches before the dock was closed."""
        return [(layer, FoundBy(0, "model before")) for layer in self.layers if key == "a"]


@pytest.fixture
def search():
    search = Search()
    search.labels[2:6, 1:4, 1:5] = 1
    search.labels[4, 8:12, 3:9] = 2
    search.labels[3:5, 18:22, 20:30] = 5
    return search


@pytest.fixture
def steps(desk, search):
    return EverythingSteps(desk.controller.stage, search.find, search.show)


def without_gaps(labels):
    """Count labels 1, 2, 3 … in their order."""
    return np.unique(labels, return_inverse=True)[1].reshape(labels.shape)


def found(desk, steps, *, in_all: bool = True):
    """Find everything, and return the session."""
    steps.find(in_all=in_all)
    desk.background.run()
    return desk.controller.session


def test_nothing_can_be_taken_before_something_is_found(desk, steps, search):
    steps.taking.take()
    assert desk.state.status.startswith("Find everything first")
    desk.open()
    steps.taking.take_one()
    assert "click one of its labels" in desk.state.status
    search.labels[...] = 0
    session = found(desk, steps)
    assert not steps.state.take.name
    steps.taking.take()
    assert not session.can_undo


def test_all_of_a_volume_is_one_step(desk, steps, search):
    desk.open()
    session = found(desk, steps)
    assert steps.state.take.name == "found 1"
    seen = []
    session.on_entry.append(seen.append)
    steps.taking.take()
    assert desk.state.status == "3 objects taken from found 1. Undo takes them back."
    assert len(seen) == len(session.history.done) == 1
    assert np.array_equal(session.labels, without_gaps(search.labels))
    assert [(one.id, one.locked) for one in session.objects.values()] == [(1, False), (2, False), (3, False)]
    assert [row.name for row in desk.state.objects] == ["object 1", "object 2", "object 3", ""]
    assert desk.controller.stage.current_id == 4
    desk.view.show_session.assert_called_once()
    desk.controller.objects.undo()
    assert not session.labels.any()
    assert not session.objects
    desk.controller.objects.redo()
    assert np.array_equal(session.labels, without_gaps(search.labels))


def test_the_layer_is_hidden_while_all_of_it_is_taken(desk, steps, search):
    desk.open()
    found(desk, steps)
    (layer,) = search.layers
    steps.taking.take()
    assert not layer.is_shown
    assert not steps.state.take.name
    desk.controller.objects.undo()
    assert layer.is_shown
    assert steps.state.take.name
    desk.controller.objects.redo()
    assert not layer.is_shown
    layer.show(True)
    desk.controller.show_plane(PlaneRef(0, 2))
    assert layer.is_shown, "what a person shows stays shown"


def test_found_voxels_give_way_to_what_is_there(desk, steps, search):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.objects.accept()
    session = desk.controller.session
    ball = session.labels == 1
    assert ball[4, 18:22, 20:30].all()
    search.labels[3] = 0
    search.labels[4, 4:8] = 9
    found(desk, steps)
    steps.taking.take()
    assert desk.state.status == (
        "3 objects taken from found 1; 1 left out, as nothing of it was free. Undo takes them back."
    )
    assert np.array_equal(session.labels == 1, ball)
    assert session.objects[1].locked
    assert sorted(session.objects) == [1, 2, 3, 4], "the one that found no place leaves no gap"
    assert all(np.array_equal(session.labels == new, search.labels == old) for new, old in ((2, 1), (3, 2)))
    assert np.array_equal(session.labels == 4, search.labels == 9)
    desk.controller.objects.undo()
    assert np.array_equal(session.labels, ball)


def test_where_nothing_is_free_nothing_happens(desk, steps, search):
    desk.open()
    desk.click()
    desk.background.run()
    session = desk.controller.session
    search.labels[...] = 0
    search.labels[4, 18:22, 20:30] = 3
    before, n_steps = session.labels.copy(), len(session.history.done)
    found(desk, steps)
    steps.taking.take()
    assert desk.state.status.startswith("Nothing was taken from found 1")
    assert len(session.history.done) == n_steps
    assert np.array_equal(session.labels, before)
    assert search.layers[0].is_shown


def test_one_label_is_taken_alone(desk, steps, search):
    desk.open()
    session = found(desk, steps)
    (layer,) = search.layers
    drawn = []
    steps.taking.on_change = lambda: drawn.append(steps.state.take.chosen)
    layer.chosen = 5
    layer.on_change()
    assert drawn == [5]
    steps.taking.take_one()
    assert desk.state.status == "1 object taken from found 1. Undo takes it back."
    assert sorted(session.objects) == [1]
    assert np.array_equal(session.labels == 1, search.labels == 5)
    assert desk.controller.stage.current_id == 1
    assert layer.is_shown
    steps.taking.take()
    assert sorted(session.objects) == [1, 2, 3]
    assert "1 left out" in desk.state.status
    layer.chosen = 77
    layer.show(True)
    steps.taking.take_one()
    assert desk.state.status == "There is nothing of that label in found 1; choose another."


def test_what_lies_in_one_plane_can_be_followed_from_there(desk, steps, search):
    desk.open()
    session = found(desk, steps, in_all=False)
    assert np.flatnonzero(search.layers[0].labels.any(axis=(1, 2))).tolist() == [4]
    steps.taking.take()
    assert [one.anchors[0].plane for one in session.objects.values()] == [PlaneRef(0, 4)] * 3
    assert not any(one.propagated for one in session.objects.values())
    desk.controller.objects.select(3)
    assert desk.state.can_propagate
    desk.controller.strip.propagate()
    desk.background.run()
    assert (session.labels == 3).any(axis=(1, 2)).sum() > 1
    assert np.array_equal(session.labels[4], without_gaps(search.labels)[4])


def test_planes_of_what_was_found_through_planes_are_known(desk, steps, search):
    desk.open()
    session = found(desk, steps)
    steps.taking.take()
    assert session.objects[1].propagated == {PlaneRef(0, index) for index in (2, 3, 4, 5)}
    desk.controller.label_files.save(Path("found.nii.gz"))
    desk.files.run()
    assert all(one.algorithm.endswith(", threshold.test") for one in desk.saved[0][3])


def test_what_is_taken_goes_on_after_the_last_object(desk, steps, search):
    desk.open()
    session = found(desk, steps)
    steps.taking.take()
    desk.controller.table.delete([2])
    desk.controller.objects.select(7)
    desk.controller.prompts.painted(Box((8, 38, 48), (9, 40, 50)), *_stroke(session, 7))
    search.labels[...] = 0
    search.labels[8, 30:34, 30:34], search.labels[8, 2:5, 2:5] = 40, 4
    found(desk, steps)
    steps.taking.take()
    assert sorted(session.objects) == [1, 3, 7, 8, 9]
    assert (session.labels[8, 3, 3], session.labels[8, 31, 31]) == (8, 9)


def _stroke(session, value):
    before = session.labels[8:9, 38:40, 48:50].copy()
    session.labels[8:9, 38:40, 48:50] = value
    return before, np.full_like(before, value)


def test_numbers_above_what_the_labels_hold_are_counted_anew(desk, steps, search):
    desk.open()
    search.labels[search.labels == 5] = 70_000
    search.labels[search.labels == 2] = 66_000
    session = found(desk, steps)
    steps.taking.take()
    assert sorted(session.objects) == [1, 2, 3]
    assert np.array_equal(session.labels == 3, search.labels == 70_000)


def test_the_active_one_of_two_layers_is_taken_else_the_newest(desk, steps, search):
    desk.open()
    found(desk, steps)
    found(desk, steps, in_all=False)
    assert steps.state.take.name == "found 2"
    search.layers[0].is_active = True
    assert steps.state.take.name == "found 1"
    search.layers[0].is_shown = search.layers[0].is_there = False
    search.layers[0].on_change()
    assert steps.state.take.name == "found 2"
    steps.taking.close()
    assert search.layers[1].has_let_go
    assert not steps.state.take.name


def test_nothing_is_taken_while_a_job_has_the_session(desk, steps):
    desk.open()
    found(desk, steps)
    desk.controller.stage.is_taken = True
    assert not steps.state.take.name
    steps.taking.take()
    assert not desk.controller.session.objects


def test_of_another_image_nothing_is_taken(desk, steps):
    desk.open()
    found(desk, steps)
    desk.open(key="b")
    assert not steps.state.take.name
    desk.open()
    assert steps.state.take.name == "found 1"


def test_what_earlier_searches_left_is_taken_up_once(desk, search):
    search.show("a", search.labels, None, None)
    steps = EverythingSteps(desk.controller.stage, search.find, search.show, search.left)
    desk.open(key="b")
    assert not steps.state.take.name
    desk.open()
    assert steps.state.take.name == "found 1"
    steps.taking.take()
    session = desk.controller.session
    assert np.array_equal(session.labels, without_gaps(search.labels))
    assert session.objects[2].drawn_by.endswith(", model before")
    desk.controller.choose_window(None)
    desk.background.run()
    assert len(steps.taking._all) == 1


def test_a_restart_knows_the_step(desk, steps, search, tmp_path):
    desk.open()
    session = found(desk, steps)
    journal = Journal.start(tmp_path, session)
    steps.taking.take()
    journal.close()
    (pending,) = pending_sessions(tmp_path)
    again = SessionFolder(pending.path).open(session.volume, session.window)
    assert np.array_equal(again.labels, without_gaps(search.labels))
    assert again.objects == session.objects
    again.undo()
    assert not again.labels.any()
    assert not again.objects


def test_done_again_it_is_one_step_too(desk, steps, search, segmenter, tmp_path):
    desk.open()
    session = found(desk, steps)
    journal = Journal.start(tmp_path, session)
    steps.taking.take()
    journal.close()
    (pending,) = pending_sessions(tmp_path)
    lines, _ = read_lines((pending.path / "log.jsonl").read_bytes())
    again = Session(session.volume, window=session.window)
    assert do_again(again, deeds_of(lines[1:]), segmenter) == ()
    assert np.array_equal(again.labels, without_gaps(search.labels))
    assert [(one.locked, one.propagated) for one in again.objects.values()] == [
        (one.locked, one.propagated) for one in session.objects.values()
    ]
    again.undo()
    assert not again.labels.any()
