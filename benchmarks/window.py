"""How long a click takes until its mask is on the screen, and what five hundred clicks cost in memory.

``xvfb-run -a -s "-screen 0 1600x1000x24" python -m benchmarks.window`` (on a desktop without ``xvfb-run``). A
real window, real mouse events, the embedded model, and a volume of 60 planes of 512 x 512 pixels with bright
ellipsoids. The clicks go to planes that the model has seen before, five for each object. A frame without any
click is timed too, for without a GPU most of the time is drawing. Of the memory, what the history of undo
holds and what the cache of embeddings holds (a click may ask for a closer look, which is kept) are counted by
themselves: each ends at its limit, while what is left must not grow.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import inspect
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Neither the settings nor the cache of the person who runs this take part.
_FOLDER = Path(tempfile.mkdtemp(prefix="napari-sam-window-"))
os.environ["NAPARI_CONFIG"] = str(_FOLDER / "settings.yaml")
os.environ["NAPARI_SAM_CACHE_DIR"] = str(_FOLDER / "cache")
os.environ["NAPARI_SAM_SESSIONS_DIR"] = str(_FOLDER / "sessions")
RAM_BUDGET = 2_000_000_000
os.environ["NAPARI_SAM_RAM_BUDGET_BYTES"] = str(RAM_BUDGET)

import napari
import numpy as np
import qtpy
from numpy.typing import NDArray
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from benchmarks._machine import load_average, machine, own_memory_bytes
from benchmarks._window_parts import Parts, parts_of_a_click
from napari_sam.core.history import History
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.plugin._gestures import Tool
from napari_sam.plugin._reader import layer_of_volume
from volumes import Geometry, Provenance, Volume

LIMIT_S, LIMIT_MB = 0.100, 5.0
"""Bars: from the press to the mask on the screen; memory beside the history, per 100 clicks."""

SHAPE, PLANE = (60, 512, 512), 30
CENTRES = [(row, column) for row in range(64, 512, 96) for column in range(64, 512, 96)]
RADII = (20.0, 24.0, 34.0)
OFFSETS = [(0, 0), (-13, -12), (-13, 12), (13, -12), (13, 12)]
"""Where an object is clicked on, from its centre: far enough apart to be no drag of an earlier point."""

WARM_UP = 20
WINDOW_PX, PATIENCE_S = (1400, 900), 60.0


def main() -> int:
    """Measure and print; always 0, since a time is no test."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.window", description=__doc__)
    parser.add_argument("--clicks", type=int, default=500)
    parser.add_argument("--trim", action="store_true", help="first let glibc give back what is free")
    parser.add_argument("--parts", action="store_true", help="say where the time of a click goes")
    options = parser.parse_args()
    print(f"{machine()} (load {load_average() or 0:.1f}), napari {napari.__version__}, {qtpy.API_NAME}")
    parts = Parts(parts_of_a_click()) if options.parts else None
    desk = Desk(parts)
    desk.trims = options.trim
    desk.get_ready()
    print(f"drawn by {desk.renderer()}")
    for _ in range(WARM_UP):
        desk.click()
    frames_s = [desk.frame() for _ in range(20)]
    if parts is not None:
        parts.forget()
    clicks, seen = _clicks(desk, options.clicks)
    _tell_times(clicks, frames_s, desk.model_s[-len(clicks) :])
    for line in [] if parts is None else parts.lines():
        print(line)
    _tell_growth(seen, desk.control.session.history)
    desk.viewer.close()
    return 0


def _clicks(desk: Desk, n_clicks: int) -> tuple[list[tuple[float, float]], list[tuple[int, ...]]]:
    """Click; returns each one's times, and (clicks, memory, history, embeddings in bytes) each hundred."""
    times: list[tuple[float, float]] = []
    seen: list[tuple[int, ...]] = [(0, *desk.memory_bytes())]
    _tell_memory(*seen[-1])
    for number in range(1, n_clicks + 1):
        times.append(desk.click())
        if number % 100 == 0 or number == n_clicks:
            seen.append((number, *desk.memory_bytes()))
            _tell_memory(*seen[-1])
    return times, seen


def _tell_times(clicks: list[tuple[float, float]], frames_s: list[float], model_s: list[float]) -> None:
    frame_s, answer_s = statistics.median(frames_s), statistics.median(model_s)
    print(f"a frame without a click: {1e3 * frame_s:.0f} ms; the model's answer: {1e3 * answer_s:.0f} ms")
    for what, some in zip(("in the labels", "on the screen"), zip(*clicks, strict=True), strict=True):
        middle, late = statistics.median(some), float(np.quantile(some, 0.95))
        print(
            f"press of the mouse to the mask {what}: median {1e3 * middle:.0f} ms, 95 % within "
            f"{1e3 * late:.0f} ms: {middle / LIMIT_S:.2f} and {late / LIMIT_S:.2f} times the bar of "
            f"{1e3 * LIMIT_S:.0f} ms"
        )


def _tell_memory(n_clicks: int, whole: int, kept: int, cached: int) -> None:
    parts = f"history {kept / 1e6:.1f} MB, embeddings {cached / 1e6:.1f} MB"
    print(f"after {n_clicks} clicks: {whole / 1e6:.1f} MB, of which {parts}", flush=True)


def _tell_growth(seen: list[tuple[int, ...]], history: History[Any]) -> None:
    hundreds = (seen[-1][0] - seen[0][0]) / 100
    whole, kept, cached = ((seen[-1][part] - seen[0][part]) / 1e6 / hundreds for part in (1, 2, 3))
    limit = inspect.signature(History).parameters["limit"].default
    a_step = seen[-1][2] / 1e6 / max(len(history.done), 1)
    print(
        f"{whole:.2f} MB per 100 clicks, {kept:.2f} of them history ({len(history.done)} steps of "
        f"{1e3 * a_step:.0f} kB; it keeps {limit}, which is {limit * a_step:.0f} MB at most)"
    )
    print(f"{cached:.2f} of them embeddings of closer looks, up to the cache's {RAM_BUDGET / 1e9:.0f} GB")
    rest = whole - kept - cached
    print(f"beside these {rest:.2f} MB per 100 clicks, {rest / LIMIT_MB:.2f} times the bar")


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

    def click(self) -> tuple[float, float]:
        """Click on the next spot; returns seconds until the mask is in the labels, and on the screen."""
        at = self._pixel_of(*next(self._spots))
        _wait_until(lambda: self.control.stage.background.is_idle)
        self._edits.clear()
        if self.parts is not None:
            self.parts.begin()
        pressed_s = time.perf_counter()
        QTest.mouseClick(self.native, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at)
        _wait_until(lambda: self.control.prompts.asking.request is None and bool(self._edits))
        written_s = self._edits[-1]
        _wait_until(lambda: self.frames[-1] > written_s)
        drawn_s = next(frame for frame in self.frames if frame > written_s)
        if self.parts is not None:
            self.parts.end(time.perf_counter() - pressed_s)
        self.frames = self.frames[-1:]
        return written_s - pressed_s, drawn_s - pressed_s

    def _time_model(self, segmenter: Any) -> None:
        answer = segmenter.segment

        def timed(request: SegmentRequest) -> MaskPrediction:
            started_s = time.perf_counter()
            prediction: MaskPrediction = answer(request)
            self.model_s.append(time.perf_counter() - started_s)
            return prediction

        segmenter.segment = timed

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

    def _next_spot(self) -> Iterator[tuple[float, float]]:
        """Yield rows and columns, an object after the other, and turn to the next plane when all are done."""
        for plane in range(PLANE, SHAPE[0]):
            self.viewer.dims.set_current_step(0, plane)
            for row, column in CENTRES:
                _wait(0.1)
                yield from ((row + down, column + right) for down, right in OFFSETS)
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


if __name__ == "__main__":
    sys.exit(main())
