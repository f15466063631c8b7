"""Finding everything and preparing planes, without a window: fakes for model, thread and layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from napari_sam.core.planes import PlaneRef, planes_outward
from napari_sam.errors import UnsupportedPrompt
from napari_sam.plugin._everything_steps import EverythingSteps
from napari_sam.plugin._walk import PlaneWalk


@dataclass(frozen=True, eq=False)
class Found:
    plane: PlaneRef
    labels: Any


class Finder:
    """Finds one object a plane: each with an id of its own."""

    def __init__(self, first_id: int = 1) -> None:
        self.asked: list[Any] = []
        self.first_id = first_id

    def __call__(self, volume, segmenter, window, reach, cancel):
        self.asked.append((window, reach))
        begin, planes, _ = reach
        for number, plane in enumerate(planes_outward(begin, volume.shape[begin.axis], planes)):
            cancel.check()
            labels = np.zeros(plane.shape_hw(volume.shape), np.uint32)
            labels[2:5, 3:6] = self.first_id + number
            yield Found(plane, labels)


@pytest.fixture
def shown():
    return Mock(return_value=Mock(chosen=0, is_active=False, is_shown=True))


@pytest.fixture
def finder():
    return Finder()


@pytest.fixture
def steps(desk, shown, finder):
    return EverythingSteps(desk.controller.stage, finder, shown)


def test_nothing_without_an_image(desk, steps):
    steps.find(in_all=True)
    steps.prepare()
    assert desk.state.status == "Open an image and show it in the 2-D view first."
    assert not steps.state.can_start
    assert desk.background.ran == []


def test_everything_in_the_shown_plane_once_the_model_is_there(desk, steps, finder, shown):
    desk.open()
    assert steps.state.can_start
    steps.find(in_all=False)
    assert steps.state.can_cancel
    assert desk.state.status == "Loading the model…"
    desk.background.run()
    window = desk.controller.session.window
    assert finder.asked == [(window, (PlaneRef(0, 4), (4, 5), True))]
    (key, labels, volume, by) = shown.call_args.args
    assert (key, volume) == ("a", desk.controller.session.volume)
    assert (by.axis, by.model) == (0, "threshold.test")
    assert np.flatnonzero(labels.any(axis=(1, 2))).tolist() == [4]
    assert desk.state.status == "1 object found in image a. Take as objects puts it into the table."
    assert steps.state.can_start
    assert not desk.controller.session.labels.any()
    assert not desk.controller.session.can_undo


def test_all_planes_grow_in_one_layer(desk, steps, shown):
    desk.open()
    steps.find(in_all=True, joins=False)
    desk.background.run()
    shown.assert_called_once()
    grow = shown.return_value.grow
    assert grow.call_count == 8
    assert np.array_equal(np.unique(grow.call_args.args[0]), np.arange(10))
    assert desk.background.ran.count("walk") == 9 or desk.background.ran.count("walk") == 10


def test_all_planes_are_done_from_the_shown_one_outward(desk, steps, finder, shown):
    desk.open()
    steps.find(in_all=True)
    desk.background.run()
    assert [reach[:2] for _, reach in finder.asked] == [(PlaneRef(0, 4), (0, 9))]
    last = shown.return_value.grow.call_args.args[0]
    assert last[:, 3, 4].tolist() == [9, 7, 5, 3, 1, 2, 4, 6, 8]


def test_a_click_is_answered_between_two_planes(desk, steps):
    desk.open()
    desk.controller.stage.begin()
    desk.background.run()
    steps.find(in_all=True)
    desk.background.ran.clear()
    first = desk.background.queue.take()
    for part in first.work(first.cancel):
        first.on_part(part)
    desk.click()
    desk.background.queue.done(first)
    first.on_done()
    desk.background.run()
    assert desk.background.ran[:2] == ["segment", "walk"]
    assert desk.controller.session.labels[4].any()


def test_cancel_keeps_what_is_done(desk, steps, shown):
    desk.open()
    desk.controller.stage.begin()
    desk.background.run()
    shown.side_effect = lambda *_: steps.cancel() or Mock()
    steps.find(in_all=True)
    desk.background.run()
    assert "Cancelled after 1 of 9 planes" in desk.state.status
    assert shown.call_args.args[1].any()
    assert steps.state.can_start


def test_more_objects_than_sixteen_bits_hold(desk, steps, finder, shown):
    finder.first_id = 65_530
    desk.open()
    steps.find(in_all=True)
    desk.background.run()
    last = shown.return_value.grow.call_args.args[0]
    assert last.dtype == np.uint32
    assert last.max() == 65_538


def test_an_error_names_the_layer(desk, steps):
    def find(*_):
        raise UnsupportedPrompt("this model takes no points; choose another")
        yield

    steps._find = find
    desk.open()
    steps.find(in_all=False)
    desk.background.run()
    desk.view.show_error.assert_called_once_with("image a: This model takes no points; choose another")
    assert desk.state.warning
    assert steps.state.can_start


def test_all_planes_are_prepared(desk, steps, segmenter):
    desk.open()
    steps.prepare()
    desk.background.run()
    alone = [planes[0] for planes in segmenter.prefetched if len(planes) == 1]
    assert alone[:9] == [PlaneRef(0, index) for index in (4, 5, 3, 6, 2, 7, 1, 8, 0)]
    assert desk.state.status == "Planes of image a are prepared."


def test_the_time_left_is_told(step_background):
    now = [10.0]
    walk = PlaneWalk(step_background, lambda: now[0])
    assert walk.left_s is None
    seen = []

    def part(_):
        now[0] += 2.0
        seen.append(walk.left_s)

    ended = []
    walk.start(lambda _: iter("abcd"), 4, part, ended.append)
    step_background.run()
    assert seen == [6.0, 4.0, 2.0, 0.0]
    assert ended == [None]
    assert walk.left_s is None
