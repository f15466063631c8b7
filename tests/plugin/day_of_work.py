"""A day's work in a real window, by mouse and keys: run by ``test_day_of_work.py`` in a process of its own.

``python -m tests.plugin.day_of_work morning|afternoon CT FOLDER``. In the morning an object is prompted,
propagated and corrected, a second one beside it is made, undone and redone; it prints ``ready`` and goes on
propagating until it is killed. In the afternoon the work is restored and saved. What the labels were is
left in FOLDER for the test, and the longest time that the window did not answer is printed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_sam.plugin._gestures import Tool
from tests.plugin.windows import PLUGIN, Window

LIVER_PLANE, LIVER_BOX = 82, (22, 12, 75, 84)
STOMACH_PLANE, STOMACH_BOX = 82, (20, 60, 60, 100)


class Bot:
    """The hands that pytest-qt would give."""

    mouseClick = staticmethod(QTest.mouseClick)
    mousePress = staticmethod(QTest.mousePress)
    mouseRelease = staticmethod(QTest.mouseRelease)
    keyClick = staticmethod(QTest.keyClick)

    @staticmethod
    def mouseMove(widget: Any, pos: Any) -> None:
        QTest.mouseMove(widget, pos)

    @staticmethod
    def wait(ms: int) -> None:
        QTest.qWait(ms)

    @staticmethod
    def waitUntil(condition: Callable[[], bool], timeout: int) -> None:
        until = time.monotonic() + timeout / 1000
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError(f"{condition} did not come true")
            QApplication.processEvents()
            time.sleep(0.002)


class Heartbeat:
    """Measures how long the window's thread was busy with something else."""

    def __init__(self) -> None:
        self.last_s = time.perf_counter()
        self.gaps_s: list[float] = []
        self.timer = QTimer()
        self.timer.setInterval(5)
        self.timer.timeout.connect(self._beat)
        self.timer.start()

    def _beat(self) -> None:
        now_s = time.perf_counter()
        self.gaps_s.append(now_s - self.last_s)
        self.last_s = now_s

    def start_over(self) -> None:
        self.last_s, self.gaps_s = time.perf_counter(), []


def morning(window: Window, folder: Path, beat: Heartbeat) -> None:
    """Work until killed."""
    control = window.controller
    window.ready()
    _show(window, LIVER_PLANE)
    window.press(window.widget.prompt.tools[Tool.BOX])
    window.until(lambda: control.stage.model.segmenter is not None)
    beat.start_over()
    _box(window, LIVER_BOX)
    _propagate(window)
    gaps = {"encode, decode, propagate": max(beat.gaps_s)}

    # correct one plane by brush, one by a negative point
    _show(window, LIVER_PLANE + 3)
    labels = window.widget.view.layers.labels
    window.widget.view.choose_tool(Tool.MOVE)
    labels.mode, labels.brush_size = "paint", 5
    window.settle()
    window.drag((20, 20), (24, 26))
    labels.mode = "pan_zoom"
    _show(window, LIVER_PLANE - 4)
    window.press(window.widget.prompt.tools[Tool.EXCLUDE])
    inside = np.argwhere(control.plane.take(window.session.labels) == 1)
    row, col = inside[inside[:, 1].argmax()]
    window.click(float(row), float(col))
    window.ready()
    control.objects.accept()

    # a second object that touches the first
    _show(window, STOMACH_PLANE)
    window.press(window.widget.prompt.tools[Tool.BOX])
    _box(window, STOMACH_BOX)
    _propagate(window)
    before = _state(window)
    control.table.lock(2, True)
    locked = _state(window)
    for _ in range(10):
        control.objects.undo()
    undone = _state(window)
    for _ in range(10):
        control.objects.redo()
    redone = _state(window)
    gaps["the whole morning"] = max(beat.gaps_s)
    np.savez_compressed(folder / "morning.npz", before=before, locked=locked, undone=undone, redone=redone)
    names = {str(one.id): one.name for one in window.session.objects.values()}
    (folder / "morning.json").write_text(json.dumps({"names": names, "gaps_s": gaps}))

    # a third object, killed while it is propagated
    control.objects.start()
    _show(window, STOMACH_PLANE)
    _box(window, (60, 50, 95, 75))
    seen: list[int] = []

    def after_planes(_: Any, __: int, prediction: Any) -> None:
        seen.append(prediction.plane.index)
        if len(seen) == 4:
            np.savez_compressed(folder / "killed.npz", labels=_state(window))
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            time.sleep(60)  # the test kills the process here

    control.volume.on_prediction.append(after_planes)
    _propagate(window)


def afternoon(window: Window, folder: Path, _: Heartbeat) -> None:
    """Take the work up again and save it."""
    window.ready()
    control = window.controller
    window.until(lambda: control.keeping.offered is not None)
    control.keeping.restore()
    window.until(lambda: window.session is not None and len(window.session.objects) >= 3)
    _show(window, LIVER_PLANE)
    restored = _state(window)
    steps = 0
    while window.session.can_undo:
        control.objects.undo()
        steps += 1
    emptied = _state(window)
    for _step in range(steps):
        control.objects.redo()
    again = _state(window)
    np.savez_compressed(folder / "afternoon.npz", restored=restored, emptied=emptied, again=again)
    for name in ("labels.nii.gz", "labels.seg.dcm"):
        control.label_files.save(folder / name)
        window.until(lambda: not control.label_files.doing)
    names = {str(one.id): one.name for one in window.session.objects.values()}
    (folder / "afternoon.json").write_text(json.dumps({"names": names, "undo_steps": steps}))
    sys.stdout.write("done\n")
    sys.stdout.flush()


def _show(window: Window, plane: int) -> None:
    window.viewer.dims.set_current_step(0, plane)
    window.until(lambda: window.controller.plane is not None and window.controller.plane.index == plane)
    window.settle()


def _box(window: Window, box: tuple[int, int, int, int]) -> None:
    row0, col0, row1, col1 = box
    n_before = sum(len(one.prompts) for one in window.session.objects.values())
    window.drag((row0, col0), (row1 - 1, col1 - 1))
    window.until(lambda: sum(len(one.prompts) for one in window.session.objects.values()) > n_before)
    window.ready()


def _propagate(window: Window) -> None:
    window.until(lambda: window.widget.volume.start.isEnabled())
    window.press(window.widget.volume.start)
    window.until(lambda: not window.controller.volume.following.is_running)


def _state(window: Window) -> np.ndarray:
    return window.session.labels.copy()


def main() -> None:
    """Open a window and work in it."""
    part, image, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window.resize(1300, 850)
    viewer.open(str(image), plugin=PLUGIN)
    window = Window(viewer, Bot())
    {"morning": morning, "afternoon": afternoon}[part](window, folder, Heartbeat())
    viewer.close()


if __name__ == "__main__":
    main()
