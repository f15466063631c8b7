"""What a press, a drag and a release of the mouse mean on the image: points, boxes, strokes, outlines."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt
from volumes import Box

__all__ = ["Hands", "Prompting", "Tool", "dragged_box", "grabbed", "moved_prompt", "points_along"]

CLICK_PX = 4
"""A press and release within so many screen pixels is a click, farther apart a drag."""

GRAB_PX = 7
"""A prompt within so many screen pixels of the mouse is taken hold of."""

N_STROKE_POINTS = 5
"""At most so many points stand for a stroke."""

Path = list[tuple[float, float]]


class Tool(Enum):
    """What the mouse does on the image."""

    INCLUDE = "include"
    EXCLUDE = "exclude"
    BOX = "box"
    LASSO = "lasso"
    SCRIBBLE = "scribble"
    MOVE = "move"


@dataclass(frozen=True)
class Hands:
    """What is called as the mouse does something.

    Parameters
    ----------
    point : callable
        ((plane, row, column) voxels, positive): a click.
    box : callable
        A `Box` was drawn.
    outline : callable
        (row, column) voxels of a closed outline, shape (n, 2).
    stroke : callable
        (points, positive): (plane, row, column) voxels along a stroke.
    moved : callable
        (old, new, done): a prompt is dragged, and at last let go.
    preview_box, preview_path : callable
        Shows what is being drawn: a `Box`; (row, column) voxels, shape (n, 2).
    hold : callable
        Called with True as a prompt is taken hold of, so that napari does not pan, and with False at the end.
    """

    point: Callable[[tuple[float, float, float], bool], None]
    box: Callable[[Box], None]
    outline: Callable[[NDArray[np.float64]], None]
    stroke: Callable[[list[tuple[float, float, float]], bool], None]
    moved: Callable[[Prompt, Prompt, bool], None]
    preview_box: Callable[[Box], None]
    preview_path: Callable[[NDArray[np.float64]], None]
    hold: Callable[[bool], None]


class Prompting:
    """Turns clicks and drags on a layer into prompts.

    Left click: a point in the object. Right click, or Ctrl (Cmd) and left click: a point that is not. A left
    drag on a point, or on the edge of a box, moves it. Else it draws: a box, an outline or a stroke, by the
    tool; with the other tools a drag is napari's own.

    Parameters
    ----------
    locate : callable
        World position to (plane, row, column) voxels.
    plane : callable
        Gives the shown plane, None where there is none.
    prompts : callable
        Gives the prompts that are shown.
    voxel_px : callable
        Gives how many screen pixels a voxel of the plane measures.
    hands : Hands
        What is called.
    """

    def __init__(
        self,
        locate: Callable[[Sequence[float]], tuple[float, float, float]],
        plane: Callable[[], PlaneRef | None],
        prompts: Callable[[], Sequence[Prompt]],
        voxel_px: Callable[[], float],
        hands: Hands,
    ) -> None:
        self._locate, self._plane = locate, plane
        self._prompts, self._voxel_px = prompts, voxel_px
        self._hands = hands
        self.tool = Tool.INCLUDE

    def drag(self, _: Any, event: Any) -> Generator[None, None, None]:
        """Follow one press of a mouse button to its release; a napari mouse-drag callback."""
        plane = self._plane()
        if self.tool is Tool.MOVE or event.button not in (1, 2) or plane is None:
            return
        is_plain = event.button == 1 and not _has_control(event)
        held = self.under(plane.rc(self._at(event, plane))) if is_plain else None
        if held is not None:
            yield from self._move(event, plane, held)
        elif self.tool in (Tool.LASSO, Tool.SCRIBBLE) and event.button == 1:
            yield from self._draw(event, plane, is_plain)
        else:
            yield from self._point_or_box(event, plane, is_plain)

    def under(self, rc: tuple[float, float]) -> Prompt | None:
        """Return the shown prompt at a (row, column) voxel: a point, or a box at its edge."""
        plane = self._plane()
        return None if plane is None else grabbed(self._prompts(), plane, rc, GRAB_PX / self._voxel_px())

    def _point_or_box(self, event: Any, plane: PlaneRef, is_plain: bool) -> Generator[None, None, None]:
        start, start_px = self._at(event, plane), tuple(event.pos)
        is_box = self.tool is Tool.BOX and is_plain
        yield
        while event.type == "mouse_move":
            if is_box and _is_far(start_px, event.pos):
                self._hands.preview_box(dragged_box(start, self._at(event, plane), plane))
            yield
        if not _is_far(start_px, event.pos):
            self._hands.point(start, is_plain and self.tool is not Tool.EXCLUDE)
        elif is_box:
            self._hands.box(dragged_box(start, self._at(event, plane), plane))

    def _draw(self, event: Any, plane: PlaneRef, is_plain: bool) -> Generator[None, None, None]:
        start, start_px = self._at(event, plane), tuple(event.pos)
        path: Path = [plane.rc(start)]
        yield
        while event.type == "mouse_move":
            path.append(plane.rc(self._at(event, plane)))
            self._hands.preview_path(np.array(path))
            yield
        is_click = not _is_far(start_px, event.pos) and len(path) < 4
        if is_click:
            self._hands.point(start, is_plain)
        elif self.tool is Tool.LASSO:
            self._hands.outline(np.array(path))
        else:
            points = points_along(path, N_STROKE_POINTS)
            self._hands.stroke([plane.at(*rc) for rc in points], is_plain)

    def _move(self, event: Any, plane: PlaneRef, held: Prompt) -> Generator[None, None, None]:
        start, start_px = plane.rc(self._at(event, plane)), tuple(event.pos)
        tolerance, now, is_moving = GRAB_PX / self._voxel_px(), held, False
        self._hands.hold(True)
        yield
        while event.type == "mouse_move":
            if is_moving or _is_far(start_px, event.pos):
                is_moving = True
                now = moved_prompt(held, plane, start, plane.rc(self._at(event, plane)), tolerance)
                self._hands.moved(held, now, False)
            yield
        self._hands.hold(False)
        if is_moving:
            self._hands.moved(held, now, True)

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


def grabbed(
    prompts: Sequence[Prompt], plane: PlaneRef, rc: tuple[float, float], tolerance: float
) -> Prompt | None:
    """Return the prompt within reach of a (row, column) voxel: the nearest point, else a box by its edge.

    Parameters
    ----------
    prompts : sequence of Prompt
        Of the plane.
    plane : PlaneRef
        The plane.
    rc : tuple[float, float]
        Row and column, voxels.
    tolerance : float
        How far it reaches, in voxels.
    """
    points = [one for one in prompts if isinstance(one, PointPrompt)]
    near = min(points, key=lambda one: math.dist(plane.rc(one.at), rc), default=None)
    if near is not None and math.dist(plane.rc(near.at), rc) <= tolerance:
        return near
    boxes = (one for one in prompts if isinstance(one, BoxPrompt))
    return next((one for one in boxes if any(_held_sides(one.box, plane, rc, tolerance))), None)


def moved_prompt(
    prompt: Prompt, plane: PlaneRef, start: tuple[float, float], stop: tuple[float, float], tolerance: float
) -> Prompt:
    """Return a prompt after a drag: a point goes along; of a box, the sides that were taken hold of do.

    Parameters
    ----------
    prompt : Prompt
        As it was.
    plane : PlaneRef
        Where it lies.
    start, stop : tuple[float, float]
        Row and column where the drag began, and where it is, voxels.
    tolerance : float
        How far from a side the mouse holds it, in voxels.
    """
    by = (stop[0] - start[0], stop[1] - start[1])
    if isinstance(prompt, PointPrompt):
        row, col = plane.rc(prompt.at)
        return replace(prompt, at=plane.at(row + by[0], col + by[1]))
    if not isinstance(prompt, BoxPrompt):
        return prompt
    sides = list(plane.box_hw(prompt.box))
    for side, is_held in enumerate(_held_sides(prompt.box, plane, start, tolerance)):
        if is_held:
            sides[side] += round(by[side % 2])
    (row0, row1), (col0, col1) = sorted((sides[0], sides[2])), sorted((sides[1], sides[3]))
    return BoxPrompt(plane.box_of((row0, col0, max(row1, row0 + 1), max(col1, col0 + 1))))


def points_along(path: Sequence[tuple[float, float]], n_points: int) -> list[tuple[float, float]]:
    """Return points evenly along a path, its ends left out where there is room: a stroke's middle is surest.

    Parameters
    ----------
    path : sequence of (float, float)
        Rows and columns, voxels.
    n_points : int
        At most so many; fewer on a path of few voxels.
    """
    corners = np.asarray(path, dtype=np.float64)
    lengths = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
    n = max(1, min(n_points, int(lengths[-1] // 2)))
    at = (np.arange(n) + 0.5) / n * lengths[-1]
    rows, columns = (np.interp(at, lengths, corners[:, axis]) for axis in (0, 1))
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def _held_sides(
    box: Box, plane: PlaneRef, rc: tuple[float, float], tolerance: float
) -> tuple[bool, bool, bool, bool]:
    """Say which of the sides (top, left, bottom, right) lie within reach of a voxel."""
    row0, col0, row1, col1 = (side - 0.5 for side in plane.box_hw(box))
    row, col = rc
    in_rows = row0 - tolerance <= row <= row1 + tolerance
    in_columns = col0 - tolerance <= col <= col1 + tolerance
    return (
        in_columns and abs(row - row0) <= tolerance,
        in_rows and abs(col - col0) <= tolerance,
        in_columns and abs(row - row1) <= tolerance,
        in_rows and abs(col - col1) <= tolerance,
    )


def _is_far(start_px: Sequence[float], stop_px: Sequence[float]) -> bool:
    return math.dist(start_px, tuple(stop_px)) > CLICK_PX


def _has_control(event: Any) -> bool:
    return any(getattr(modifier, "name", modifier) == "Control" for modifier in event.modifiers)
