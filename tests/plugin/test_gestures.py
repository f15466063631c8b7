"""What a press, a drag and a release mean, without a window."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.plugin._gestures import Hands, Prompting, Tool, grabbed, moved_prompt, points_along
from volumes import Box

PLANE = PlaneRef(0, 4)
ZOOM = 10.0


@dataclass
class Mouse:
    """A mouse on a plane whose voxels measure ten pixels."""

    tool: Tool = Tool.INCLUDE
    prompts: tuple = ()
    hands: Mock = field(default_factory=Mock)

    def __post_init__(self):
        names = ("point", "box", "outline", "stroke", "moved", "preview_box", "preview_path", "hold")
        hands = Hands(**{name: getattr(self.hands, name) for name in names})
        self.prompting = Prompting(
            lambda position: tuple(position), lambda: PLANE, lambda: self.prompts, lambda: ZOOM, hands
        )
        self.prompting.tool = self.tool

    def drag(self, *path, button=1, control=False):
        """Press at the first (row, column), move over the others, release at the last."""
        modifiers = (SimpleNamespace(name="Control"),) if control else ()
        event = SimpleNamespace(button=button, modifiers=modifiers, type="mouse_press")
        self._move(event, path[0])
        steps = self.prompting.drag(None, event)
        for _ in iter(lambda: next(steps, "over"), "over"):
            path = path[1:]
            event.type = "mouse_move" if path else "mouse_release"
            if path:
                self._move(event, path[0])

    @staticmethod
    def _move(event, rc):
        event.position = (4.3, *rc)
        event.pos = (rc[1] * ZOOM, rc[0] * ZOOM)


@pytest.mark.parametrize(
    ("tool", "button", "control", "positive"),
    [
        (Tool.INCLUDE, 1, False, True),
        (Tool.INCLUDE, 1, True, False),
        (Tool.INCLUDE, 2, False, False),
        (Tool.EXCLUDE, 1, False, False),
        (Tool.BOX, 1, False, True),
        (Tool.LASSO, 1, False, True),
        (Tool.SCRIBBLE, 1, False, True),
        (Tool.SCRIBBLE, 1, True, False),
    ],
)
def test_a_click_is_a_point(tool, button, control, positive):
    mouse = Mouse(tool)
    mouse.drag((10, 12), (10.1, 12.1), button=button, control=control)
    mouse.hands.point.assert_called_once_with((4.0, 10, 12), positive)


def test_the_move_tool_leaves_everything_to_napari():
    mouse = Mouse(Tool.MOVE)
    mouse.drag((10, 12), (30, 30))
    assert mouse.hands.mock_calls == []


def test_a_drag_with_the_box_tool_is_a_box_of_both_corners():
    mouse = Mouse(Tool.BOX)
    mouse.drag((30, 12), (20, 20), (10.4, 40))
    mouse.hands.box.assert_called_once_with(Box((4, 10, 12), (5, 31, 41)))
    assert mouse.hands.preview_box.call_count == 2


def test_a_lasso_is_an_outline():
    mouse = Mouse(Tool.LASSO)
    path = [(10, 10), (10, 20), (20, 20), (20, 10)]
    mouse.drag(*path)
    (outline,) = mouse.hands.outline.call_args.args
    assert outline.tolist() == [[float(x) for x in rc] for rc in path]
    assert mouse.hands.preview_path.call_count == 3


def test_a_scribble_is_points_along_its_stroke():
    mouse = Mouse(Tool.SCRIBBLE)
    mouse.drag((10, 10), (10, 15), (10, 30))
    points, positive = mouse.hands.stroke.call_args.args
    assert positive
    assert points == [(4.0, 10.0, column) for column in (12.0, 16.0, 20.0, 24.0, 28.0)]


def test_a_drag_on_a_point_moves_it():
    point = PointPrompt((4, 10, 12), False)
    mouse = Mouse(Tool.INCLUDE, (point, PointPrompt((4, 30, 30))))
    mouse.drag((10.3, 12.2), (12.3, 14.2), (15.3, 20.2))
    old, new, done = mouse.hands.moved.call_args.args
    assert (old, done) == (point, True)
    assert not new.positive
    assert new.at == pytest.approx((4, 15, 20))
    assert [call.args for call in mouse.hands.hold.call_args_list] == [(True,), (False,)]
    mouse.hands.point.assert_not_called()


def test_a_drag_on_a_corner_of_a_box_moves_two_sides():
    box = BoxPrompt(Box((4, 10, 12), (5, 20, 30)))
    mouse = Mouse(Tool.BOX, (box,))
    mouse.drag((9.5, 29.5), (7.5, 33.5))
    assert mouse.hands.moved.call_args.args == (box, BoxPrompt(Box((4, 8, 12), (5, 20, 34))), True)
    mouse.hands.box.assert_not_called()


def test_a_drag_inside_a_box_draws_another():
    mouse = Mouse(Tool.BOX, (BoxPrompt(Box((4, 10, 12), (5, 20, 30))),))
    mouse.drag((14, 20), (18, 26))
    mouse.hands.moved.assert_not_called()
    mouse.hands.box.assert_called_once()


def test_the_nearest_point_is_taken_hold_of():
    near, far = PointPrompt((4, 10, 10)), PointPrompt((4, 10, 11))
    assert grabbed([far, near], PLANE, (10.1, 10.1), 2.0) is near
    assert grabbed([far, near], PLANE, (10.1, 14.1), 2.0) is None


@given(
    st.tuples(st.integers(0, 20), st.integers(0, 20)),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.tuples(st.floats(-30, 30), st.floats(-30, 30)),
    st.sampled_from([(0, 0), (0, 1), (1, 0), (1, 1)]),
)
def test_a_box_never_turns_inside_out(corner, size, by, held):
    row0, col0 = corner
    row1, col1 = row0 + size[0], col0 + size[1]
    box = BoxPrompt(PLANE.box_of((row0, col0, row1, col1)))
    start = ((row0, row1)[held[0]] - 0.5, (col0, col1)[held[1]] - 0.5)
    moved = moved_prompt(box, PLANE, start, (start[0] + by[0], start[1] + by[1]), 0.4)
    assert not moved.box.is_empty
    assert PLANE.holds(moved.box)


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), min_size=2, max_size=40), st.integers(1, 7))
def test_points_of_a_stroke_lie_on_it(path, n):
    points = points_along(path, n)
    assert 1 <= len(points) <= n
    corners = np.array(path)
    for point in points:
        steps = np.diff(corners, axis=0)
        along = ((np.array(point) - corners[:-1]) * steps).sum(1) / np.maximum((steps**2).sum(1), 1e-12)
        nearest = corners[:-1] + np.clip(along, 0, 1)[:, None] * steps
        assert np.hypot(*(nearest - point).T).min() < 1e-6
