"""The strip along the planes: what it knows, what it offers, and that it works in a real window."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.objects import Anchor, ObjectState
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.propagation import PropagationLimits, PropagationParts, propagate
from napari_sam.core.session import Session
from napari_sam.plugin._plane_marks import PlaneMark, StripState, mark_of, marks_of, next_doubtful
from napari_sam.plugin._strip_text import describe_mark, summary
from tests.fakes import FakeSegmenter, ellipsoid_labels, labelled_volume


def _state(*, anchors=(), propagated=()):
    made = tuple(
        Anchor(
            PlaneRef(0, index), (PointPrompt((index, 1, 1)),) if prompted else (), score=0.9, is_settled=True
        )
        for index, prompted in anchors
    )
    return ObjectState(1, "liver", anchors=made, propagated=frozenset(PlaneRef(0, i) for i in propagated))


def test_marks_say_who_drew_each_plane():
    state = _state(anchors=[(4, True), (7, False)], propagated=[5, 6])
    known = {
        5: PlaneMark(5, "propagated", 0.8, 0.9, area_px=10),
        6: PlaneMark(6, "interpolated", area_px=9),
        7: PlaneMark(7, "propagated", 0.3, 0.2, area_px=8),
        8: PlaneMark(8, "stopped", 0.1, 0.1, reason="score"),
    }
    marks = marks_of(state, 0, known)
    assert [(mark.index, mark.state) for mark in marks] == [
        (4, "prompted"), (5, "propagated"), (6, "interpolated"), (7, "painted"), (8, "stopped"),
    ]  # fmt: skip
    assert marks[3].surety == 1.0
    assert marks_of(state, 1, {}) == ()


def test_a_plane_that_is_no_longer_propagated_is_forgotten():
    known = {5: PlaneMark(5, "propagated", 0.8, 0.9)}
    assert [mark.index for mark in marks_of(_state(anchors=[(4, True)]), 0, known)] == [4]


def test_a_propagated_plane_of_which_nothing_is_known_is_neither_sure_nor_doubtful():
    (mark,) = marks_of(_state(propagated=[3]), 0, {})
    assert mark.surety is None
    assert not mark.is_doubtful(1.0)


@pytest.mark.parametrize(
    ("shown", "step", "expected"), [(0, 1, 3), (3, 1, 6), (6, 1, 3), (9, 1, 3), (6, -1, 3), (3, -1, 6)]
)
def test_next_doubtful_goes_round(shown, step, expected):
    marks = [
        PlaneMark(3, "propagated", 0.2, 0.9),
        PlaneMark(4, "prompted", 0.1),
        PlaneMark(6, "interpolated"),
    ]
    assert next_doubtful(marks, shown, 0.5, step) == expected


def test_no_plane_is_doubtful_where_all_are_sure():
    assert next_doubtful([PlaneMark(3, "propagated", 0.9, 0.9)], 0, 0.5) is None


def _left_half(answer, masks, chosen, before):
    row0, col0, row1, col1 = answer.plane.box_hw(masks[chosen].box)
    return masks[chosen].within(answer.plane.box_of((row0, col0, row1, (col0 + col1) // 2)))


def test_the_planes_that_propagation_calls_doubtful_are_doubtful_here():
    session, segmenter = Session(labelled_volume(ellipsoid_labels((15, 32, 48)))), FakeSegmenter()
    request = session.prompt(PlaneRef(0, 7), PointPrompt((7, 15, 23)))
    session.apply(segmenter.segment(request), request)
    parts = PropagationParts(sharpen=lambda plan: _left_half)  # what is found gets less and less
    said = list(
        propagate(
            session, segmenter, 1, limits=PropagationLimits(min_trust=0.0, min_precision=0.0), parts=parts
        )
    )
    expected = {p.plane.index for p in said if p.doubtful and p.is_new}
    assert expected
    assert {m.index for m in map(mark_of, said) if m.is_doubtful(StripState().least)} == expected


def test_words_for_a_plane():
    mark = PlaneMark(3, "propagated", 0.81, 0.9, area_px=1234)
    assert describe_mark(3, mark) == "Plane 3: propagated, score 0.81, overlap 0.90, 1\u202f234 px"
    assert describe_mark(3, None) == "Plane 3: nothing of the object"
    assert describe_mark(8, PlaneMark(8, "stopped", 0.1, 0.1, reason="score")).startswith(
        "Plane 8: propagation stopped here: the model is unsure"
    )
    assert (
        summary(StripState(9, 3, (mark, PlaneMark(4, "prompted")), (0, 8)))
        == "2 planes, 1 by you, 0 in doubt"
    )


def _propagated(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.strip.propagate()
    desk.background.run()
    return desk.controller.strip


def test_the_strip_follows_a_propagation_and_its_undo(desk):
    _propagated(desk)
    marks = {mark.index: mark.state for mark in desk.state.strip.marks}
    assert marks == {1: "stopped", 2: "propagated", 3: "propagated", 4: "prompted", 5: "propagated",
                     6: "propagated", 7: "stopped"}  # fmt: skip
    desk.controller.objects.undo()
    assert [m.index for m in desk.state.strip.marks if m.state == "propagated"] == []


def test_doubtful_planes_are_offered_one_after_another(desk):
    strip = _propagated(desk)
    doubtful = [mark.index for mark in desk.state.strip.marks if mark.is_doubtful(0.95)]
    strip.set_least(0.95)
    seen = []
    for _ in doubtful:
        strip.next_doubtful()
        plane = desk.view.go_to_plane.call_args.args[0]
        desk.controller.show_plane(plane)
        seen.append(plane.index)
    assert sorted(seen) == doubtful


def test_a_confirmed_plane_is_never_propagated_again(desk):
    strip = _propagated(desk)
    desk.controller.show_plane(PlaneRef(0, 6))
    before = desk.controller.session.labels.copy()
    strip.confirm()
    assert np.array_equal(before, desk.controller.session.labels)
    assert desk.state.strip.mark_shown.state == "painted"
    assert 6 in [a.plane.index for a in desk.controller.session.objects[1].anchors]


def test_only_the_stretch_between_neighbouring_anchors_is_run_again(desk):
    strip = _propagated(desk)
    desk.controller.show_plane(PlaneRef(0, 2))
    desk.click()
    desk.background.run()
    desk.controller.show_plane(PlaneRef(0, 3))
    desk.segmenter.requests.clear()
    strip.propagate_here()
    desk.background.run()
    assert {request.plane.index for request in desk.segmenter.requests} == {2, 3, 4}  # anchors once more
    assert desk.segmenter.requests[-1].plane.index == 3
    assert np.flatnonzero(desk.controller.session.labels.any(axis=(1, 2))).tolist() == [2, 3, 4, 5, 6]


def test_reach_limits_propagation_and_starts_over_with_another_axis(desk):
    desk.open()
    desk.click()
    desk.background.run()
    desk.controller.strip.set_reach(5, -3)
    assert desk.state.strip.reach == (0, 5)
    desk.controller.strip.propagate()
    desk.background.run()
    assert np.flatnonzero(desk.controller.session.labels.any(axis=(1, 2))).tolist() == [2, 3, 4, 5]
    desk.controller.show_plane(PlaneRef(1, 3))
    assert desk.state.strip.reach == (0, 39)


@pytest.mark.viewer
@pytest.mark.filterwarnings("default")
def test_press_and_drag_on_the_strip(window):
    from qtpy.QtCore import QPoint, Qt

    from napari_sam.plugin._gestures import Tool

    window.press(window.widget.prompt.tools[Tool.INCLUDE])
    window.click(19, 24)
    window.ready()
    window.press(window.widget.volume.start)
    window.until(lambda: not window.controller.volume.following.is_running)
    if window.widget.volume.is_folded:
        window.press(window.widget.volume.header)
    strip = window.widget.volume.strip.strip
    window.qtbot.mouseClick(strip, Qt.MouseButton.LeftButton, pos=QPoint(round(strip.x_of(6)), 30))
    window.until(lambda: window.controller.plane.index == 6)
    assert "Plane 6: propagated" in window.widget.volume.strip.here.text()
    foot = strip.height() - 4
    window.qtbot.mousePress(strip, Qt.MouseButton.LeftButton, pos=QPoint(strip.width() - 3, foot))
    window.qtbot.mouseMove(strip, QPoint(round(strip.x_of(6)), foot))
    window.qtbot.mouseRelease(strip, Qt.MouseButton.LeftButton, pos=QPoint(round(strip.x_of(6)), foot))
    assert window.widget.volume.last.value() == 6
    assert window.controller.strip.reach == (0, 6)
