"""A window on a bright volume, and the hands of a person who clicks in it."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import napari
import numpy as np
from napari.qt import get_qapp
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from benchmarks._machine import own_memory_bytes
from benchmarks._window_parts import Parts
from napari_sam.core.planes import PlaneRef
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.plugin._gestures import Tool
from napari_sam.plugin._reader import layer_of_volume
from volumes import Geometry, Provenance, Volume

__all__ = ["Click", "Desk", "in_event_loop"]

SHAPE, PLANE = (60, 512, 512), 30
CENTRES = [(row, column) for row in range(64, 512, 96) for column in range(64, 512, 96)]
RADII = (20.0, 24.0, 34.0)
OFFSETS = [(0, 0), (-13, -12), (-13, 12), (13, -12), (13, 12)]
"""Where an object is clicked on, from its centre: far enough apart to be no drag of an earlier point."""

WINDOW_PX, PATIENCE_S = (1400, 900), 60.0
MID_PLANE_S = 0.06
"""So long after preparing has begun, the model is in the middle of a plane."""


@dataclass(frozen=True)
class Click:
    """Seconds from a press of the mouse.

    Attributes
    ----------
    written_s, drawn_s : float
        Until the first mask is in the labels, and on the screen.
    last_written_s, last_drawn_s : float
        The same of the mask that stands in the end.
    is_first : bool
        Whether it was the first click on its object.
    n_answers : int
        How often the labels were written to.
    """

    written_s: float
    drawn_s: float
    last_written_s: float
    last_drawn_s: float
    is_first: bool
    n_answers: int


def in_event_loop(work: Callable[[], int]) -> int:
    """Do something while Qt's own loop runs, as it does in a program that people use."""
    program = get_qapp()
    ended: list[int | BaseException] = []

    def go() -> None:
        try:
            ended.append(work())
        except BaseException as error:
            ended.append(error)
        program.quit()

    QTimer.singleShot(0, go)
    program.exec()
    if isinstance(ended[0], BaseException):
        raise ended[0]
    return ended[0]


class Desk:
    """A window on the bright volume, and the hands of a person."""

    def __init__(self, parts: Parts | None = None) -> None:
        self.parts = parts
        self.viewer = napari.Viewer(show_welcome_screen=False) if _has_welcome() else napari.Viewer()
        self.viewer.window.resize(*WINDOW_PX)
        data, arguments, _ = layer_of_volume(bright_volume(), "bright")
        self.image = self.viewer.add_image(data, **arguments)
        _, self.widget = self.viewer.window.add_plugin_dock_widget("napari-sam-volumes", "Segment objects")
        self.control = self.widget.controller
        self.native = self.viewer.window._qt_viewer.canvas.native
        self.frames: list[float] = []
        self.native.frameSwapped.connect(lambda: self.frames.append(time.perf_counter()))
        self._edits: list[float] = []
        self.model_s: list[float] = []
        self.trims = False
        self.prepares_meanwhile = False
        self.least_answer_s = 0.0
        self._next_across = 0
        self._spots = self._next_spot()

    def get_ready(self) -> None:
        """Open the image, load the model, and let it see all planes."""
        control = self.control
        self.viewer.dims.set_current_step(0, PLANE)
        _wait_until(lambda: control.session is not None)
        self.widget.view.choose_tool(Tool.INCLUDE)
        _wait_until(lambda: control.stage.model.segmenter is not None)
        asking, session = control.prompts.asking, control.session
        while len(asking.ready(session)) < SHAPE[0]:
            control.prompts.prefetch()
            _wait_until(lambda: control.stage.background.is_idle)
        session.on_edit.append(lambda edit: self._edits.append(time.perf_counter()))
        self._time_model(control.stage.model.segmenter)
        self.viewer.reset_view()
        _wait(0.5)

    def click(self) -> Click:
        """Click on the next spot, and wait until the answer to it is on the screen."""
        row, column, is_first = next(self._spots)
        at, asking = self._pixel_of(row, column), self.control.prompts.asking
        _wait_until(lambda: self.control.stage.background.is_idle)
        if self.prepares_meanwhile:
            self._next_across += 1
            asking.prefetch(self.control.session, PlaneRef(1, self._next_across))
            _wait(MID_PLANE_S)
        self._edits.clear()
        if self.parts is not None:
            self.parts.begin()
        pressed_s = time.perf_counter()
        QTest.mouseClick(self.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
        _wait_until(lambda: asking.request is None and bool(self._edits))
        _wait_until(lambda: self.frames[-1] > self._edits[-1])
        if self.parts is not None:
            self.parts.end(time.perf_counter() - pressed_s)
        times = [self._edits[0], self._drawn(self._edits[0]), self._edits[-1], self._drawn(self._edits[-1])]
        self.frames = self.frames[-1:]
        return Click(*(one - pressed_s for one in times), is_first, len(self._edits))

    def _drawn(self, written_s: float) -> float:
        return next(frame for frame in self.frames if frame > written_s)

    def _time_model(self, segmenter: Any) -> None:
        answers = segmenter.answers

        def timed(request: SegmentRequest) -> Iterator[MaskPrediction]:
            started_s, is_first = time.perf_counter(), True
            for prediction in answers(request):
                if is_first:
                    time.sleep(max(0.0, started_s + self.least_answer_s - time.perf_counter()))
                    self.model_s.append(time.perf_counter() - started_s)
                    is_first = False
                yield prediction

        segmenter.answers = timed

    def frame(self) -> float:
        """Draw the labels again; returns the seconds that it took."""
        _wait(0.1)
        started_s = time.perf_counter()
        self.widget.view.redraw_labels()
        _wait_until(lambda: self.frames[-1] > started_s)
        return self.frames[-1] - started_s

    def memory_bytes(self) -> tuple[int, int, int]:
        """Return the memory of this process, and those of the history and of embeddings in it."""
        _wait(0.5)
        gc.collect()
        if self.trims:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        session = self.control.session
        store = self.control.stage.model.segmenter._encoder._store  # nobody else asks how full it is
        return own_memory_bytes("VmRSS"), _array_bytes(session.history), store._ram_bytes

    def renderer(self) -> str:
        """Name what draws."""
        from vispy.gloo import gl

        self.native.makeCurrent()
        name = gl.glGetParameter(gl.GL_RENDERER)
        self.native.doneCurrent()
        return str(name)

    def _next_spot(self) -> Iterator[tuple[float, float, bool]]:
        """Yield rows and columns, an object after the other, and whether the object is a new one.

        When all are done, turn to the next plane.
        """
        for plane in range(PLANE, SHAPE[0]):
            self.viewer.dims.set_current_step(0, plane)
            for row, column in CENTRES:
                _wait(0.1)
                yield from (
                    (row + down, column + right, (down, right) == OFFSETS[0]) for down, right in OFFSETS
                )
                self.control.objects.start()

    def _pixel_of(self, row: float, column: float) -> QPoint:
        camera = getattr(self.viewer, "scene", self.viewer).camera
        at = np.asarray(self.image.data_to_world(self.control.plane.at(row, column)))[1:]
        y, x = (at - np.asarray(camera.center)[-2:]) * camera.zoom
        return QPoint(round(x + self.native.width() / 2), round(y + self.native.height() / 2))


def bright_volume() -> Volume:
    """Return bright ellipsoids, a little noisy, in the dark; voxels of 3 x 1 x 1 mm."""
    data = np.random.default_rng(0).normal(40, 8, SHAPE).astype(np.float32)
    grid = np.ogrid[tuple(slice(n) for n in SHAPE)]
    for row, column in CENTRES:
        centre = (PLANE, row, column)
        inside = sum(((x - c) / r) ** 2 for x, c, r in zip(grid, centre, RADII, strict=True)) <= 1.0
        data[inside] += 120
    volume = data.astype(np.int16)
    return Volume(volume, Geometry.from_spacing(SHAPE, (3.0, 1.0, 1.0)), Provenance("benchmark"))


def _array_bytes(root: object) -> int:
    """Return the bytes of all arrays and packed arrays that are reached from values, not from classes."""
    seen: set[int] = set()
    waiting: list[Any] = [root]
    total = 0
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type) or callable(one):
            continue
        seen.add(id(one))
        if isinstance(one, np.ndarray):
            owner: NDArray[Any] = one if one.base is None else one.base
            total += one.nbytes if not isinstance(owner, np.ndarray) or id(owner) not in seen else 0
            seen.add(id(owner))
        elif isinstance(one, bytes):
            total += len(one)
        else:
            waiting += gc.get_referents(one)
    return total


def _has_welcome() -> bool:
    return "show_welcome_screen" in napari.Viewer.__init__.__annotations__


def _wait_until(condition: Callable[[], bool]) -> None:
    """Let the window work until something is so."""
    until_s = time.perf_counter() + PATIENCE_S
    while not condition():
        if time.perf_counter() > until_s:
            raise TimeoutError("the window did not get ready in time")
        QApplication.processEvents()
        time.sleep(0.001)


def _wait(seconds: float) -> None:
    until_s = time.perf_counter() + seconds
    _wait_until(lambda: time.perf_counter() > until_s)
