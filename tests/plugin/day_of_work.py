"""A day's work in a real window, by mouse and keys: run by ``test_day_of_work.py`` in a process of its own.

``python -m tests.plugin.day_of_work morning|afternoon CT FOLDER MASKS``. In the morning an object is
prompted, propagated and corrected, a second one beside it is made, undone and redone; it prints ``ready``
and goes on propagating until it is killed. In the afternoon the work is restored and saved. What the labels
were is left in FOLDER for the test, and the longest time that the window did not answer is printed.
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

import volumes
from napari_sam.plugin._gestures import Tool
from tests.plugin.windows import PLUGIN, Window

LIVER, STOMACH, SPLEEN = 5, 6, 1
"""Values of the masks that come with the image."""


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


def morning(window: Window, folder: Path, beat: Heartbeat, masks: np.ndarray) -> None:
    """Work until killed."""
    control = window.controller
    window.ready()
    plane = _box_object(window, masks, LIVER, beat)
    gaps = {"first box, while napari draws its first shapes": max(beat.gaps_s)}
    beat.start_over()
    _propagate(window)
    gaps["propagating"] = max(beat.gaps_s)
    first = _state(window)
    _brush(window, plane + 3)
    _negative_point(window, plane - 4)
    corrected = _state(window)
    control.objects.accept()

    # a second object that touches the first; locked, undone, done again
    _box_object(window, masks, STOMACH, beat)
    _propagate(window)
    gaps["second object: encoding, decoding, propagating"] = max(beat.gaps_s)
    before = _state(window)
    control.table.lock(2, True)
    for _ in range(10):
        control.objects.undo()
    undone = _state(window)
    for _ in range(10):
        control.objects.redo()
    redone = _state(window)
    np.savez_compressed(
        folder / "morning.npz", first=first, corrected=corrected, before=before, undone=undone, redone=redone
    )
    (folder / "morning.json").write_text(json.dumps({"gaps_s": gaps, "planes": [plane + 3, plane - 4]}))

    # a third object, killed while it is propagated
    control.objects.start()
    _box_object(window, masks, SPLEEN, None)
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


def _box_object(window: Window, masks: np.ndarray, value: int, beat: Heartbeat | None) -> int:
    """Draw a box around an object in the plane where it is largest; returns that plane."""
    plane = int(np.argmax((masks == value).sum(axis=(1, 2))))
    rows, columns = (np.flatnonzero((masks[plane] == value).any(axis=axis)) for axis in (1, 0))
    _show(window, plane)
    window.press(window.widget.prompt.tools[Tool.BOX])
    window.until(lambda: window.controller.stage.model.segmenter is not None)
    if beat is not None:
        beat.start_over()
    _box(window, (int(rows[0]) - 1, int(columns[0]) - 1, int(rows[-1]) + 2, int(columns[-1]) + 2))
    return plane


def _brush(window: Window, plane: int) -> None:
    """Paint a stroke beside the object, by mouse."""
    _show(window, plane)
    labels = window.widget.view.layers.labels
    window.widget.view.choose_tool(Tool.MOVE)
    labels.mode, labels.brush_size = "paint", 5
    window.settle()
    before = _state(window)
    window.drag((8, 8), (12, 14))
    window.until(lambda: not np.array_equal(before, window.session.labels))
    labels.mode = "pan_zoom"


def _negative_point(window: Window, plane: int) -> None:
    """Say by a click that the object's outermost pixel is not the object."""
    _show(window, plane)
    window.press(window.widget.prompt.tools[Tool.EXCLUDE])
    inside = np.argwhere(window.controller.plane.take(window.session.labels) == 1)
    row, column = inside[inside[:, 1].argmax()]
    window.click(float(row), float(column))
    window.ready()


def afternoon(window: Window, folder: Path, _: Heartbeat, __: np.ndarray) -> None:
    """Take the work up again and save it."""
    window.ready()
    control = window.controller
    window.until(lambda: control.keeping.offered is not None)
    control.keeping.restore()
    window.until(lambda: window.session is not None and len(window.session.objects) >= 3)
    restored = _state(window)
    n_steps = 0
    while window.session.can_undo:
        control.objects.undo()
        n_steps += 1
    emptied = _state(window)
    for _step in range(n_steps):
        control.objects.redo()
    again = _state(window)
    np.savez_compressed(folder / "afternoon.npz", restored=restored, emptied=emptied, again=again)
    for name in ("labels.nii.gz", "labels.seg.dcm"):
        control.label_files.save(folder / name)
        window.until(lambda: not control.label_files.doing)
        if control.stage.has_warning:
            raise RuntimeError(control.stage.news)
    (folder / "afternoon.json").write_text(json.dumps({"undo_steps": n_steps}))
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
    masks = volumes.read_labels(Path(sys.argv[4]), like=volumes.read(image)).data
    viewer = napari.Viewer()
    viewer.window.resize(1300, 850)
    viewer.open(str(image), plugin=PLUGIN)
    window = Window(viewer, Bot())
    {"morning": morning, "afternoon": afternoon}[part](window, folder, Heartbeat(), np.asarray(masks))
    stage = window.controller.stage
    viewer.close()
    window.until(lambda: stage.background.is_idle and stage.files.is_idle)


if __name__ == "__main__":
    main()
