"""Mouse and keys. What they mean is decided here; what follows from it, in the controller."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Generator, Sequence
from enum import Enum
from typing import Any

from napari_sam.core.planes import PlaneRef
from volumes import Box

__all__ = ["KEYS", "Keys", "Prompting", "Tool", "dragged_box"]

CLICK_PX = 4
"""A press and release within so many screen pixels is a click, farther apart a drag."""


class Tool(Enum):
    """What the mouse does on the image."""

    INCLUDE = "include"
    EXCLUDE = "exclude"
    BOX = "box"
    MOVE = "move"


KEYS = {
    "include": "A",
    "exclude": "S",
    "box": "D",
    "move": "G",
    "candidate": "R",
    "propagate": "W",
    "accept": "Q",
    "cancel": "Escape",
    "undo": "Control-Z",
    "redo": "Control-Shift-Z",
    "soft tissue": "F5",
    "lung": "F6",
    "bone": "F7",
    "brain": "F8",
    "liver": "F9",
    "axis": "I",
    "help": "?",
}
"""Action to key; free in napari on the layers where they are bound."""


class Prompting:
    """Turns clicks and drags on a layer into prompts.

    Left click: a point in the object. Right click, or Ctrl (Cmd) and left click: a point that is not. With
    the box tool a left drag draws a box. Any other drag is napari's own.

    Parameters
    ----------
    locate : callable
        World position to (plane, row, column) voxels.
    plane : callable
        Gives the shown plane, None where there is none.
    on_point, on_box, on_preview : callable
        Called with (voxels, positive), with a finished box, and with a box as it is dragged.
    """

    def __init__(
        self,
        locate: Callable[[Sequence[float]], tuple[float, float, float]],
        plane: Callable[[], PlaneRef | None],
        on_point: Callable[[tuple[float, float, float], bool], None],
        on_box: Callable[[Box], None],
        on_preview: Callable[[Box], None],
    ) -> None:
        self._locate = locate
        self._plane = plane
        self._on_point = on_point
        self._on_box = on_box
        self._on_preview = on_preview
        self.tool = Tool.INCLUDE

    def drag(self, _: Any, event: Any) -> Generator[None, None, None]:
        """Follow one press of a mouse button to its release; a napari mouse-drag callback."""
        plane = self._plane()
        if self.tool is Tool.MOVE or event.button not in (1, 2) or plane is None:
            return
        start, start_px = self._at(event, plane), tuple(event.pos)
        is_positive = self.tool is not Tool.EXCLUDE and event.button == 1 and not _has_control(event)
        is_box = self.tool is Tool.BOX and is_positive
        yield
        while event.type == "mouse_move":
            if is_box and _is_far(start_px, event.pos):
                self._on_preview(dragged_box(start, self._at(event, plane), plane))
            yield
        if not _is_far(start_px, event.pos):
            self._on_point(start, is_positive)
        elif is_box:
            self._on_box(dragged_box(start, self._at(event, plane), plane))

    def _at(self, event: Any, plane: PlaneRef) -> tuple[float, float, float]:
        """Return the event's voxel, exactly in the plane: the slider may stand between two voxel centres."""
        return plane.at(*plane.rc(self._locate(event.position)))


def dragged_box(start: Sequence[float], stop: Sequence[float], plane: PlaneRef) -> Box:
    """Return the box of all pixels from one corner to the other, both included; parts outside are left in.

    Parameters
    ----------
    start, stop : sequence of float
        (plane, row, column) voxels, in any order.
    plane : PlaneRef
        Where the box lies.
    """
    (row0, col0), (row1, col1) = plane.rc(start), plane.rc(stop)
    low = [math.floor(min(pair) + 0.5) for pair in ((row0, row1), (col0, col1))]
    high = [math.floor(max(pair) + 0.5) + 1 for pair in ((row0, row1), (col0, col1))]
    return plane.box_of((low[0], low[1], high[0], high[1]))


def _is_far(start_px: Sequence[float], stop_px: Sequence[float]) -> bool:
    return math.dist(start_px, tuple(stop_px)) > CLICK_PX


def _has_control(event: Any) -> bool:
    return any(getattr(modifier, "name", modifier) == "Control" for modifier in event.modifiers)


class Keys:
    """Binds keys to actions on a viewer and on layers, and takes them off again."""

    def __init__(self, actions: dict[str, Callable[[], None]]) -> None:
        self._actions = {KEYS[name]: action for name, action in actions.items()}
        self._bound: list[tuple[Any, str]] = []

    def bind(self, target: Any, *, but: str = "") -> None:
        """Bind the keys on a viewer or a layer, but one; a key that the person bound stays theirs."""
        for key, action in self._actions.items():
            if key == KEYS.get(but):
                continue
            with contextlib.suppress(ValueError):
                target.bind_key(key, _ignoring_target(action))
                self._bound.append((target, key))

    def close(self) -> None:
        """Take the keys off."""
        for target, key in self._bound:
            target.bind_key(key, None, overwrite=True)
        self._bound.clear()


def _ignoring_target(action: Callable[[], None]) -> Callable[[Any], None]:
    def pressed(_: Any) -> None:
        action()

    return pressed
