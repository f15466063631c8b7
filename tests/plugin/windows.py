"""A real napari window with our dock in it, and a person's hands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

PLUGIN, WIDGET = "napari-sam-volumes", "Segment objects"
WAIT_MS = 60_000


class Window:
    """A viewer with our dock in it, and a person's hands."""

    def __init__(self, viewer: Any, qtbot: Any) -> None:
        self.viewer = viewer
        self.qtbot = qtbot
        self.dock, self.widget = viewer.window.add_plugin_dock_widget(PLUGIN, WIDGET)
        self.controller = self.widget.controller

    @property
    def session(self) -> Any:
        return self.controller.session

    def until(self, condition: Callable[[], Any]) -> None:
        """Let the window work until something is so."""
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=WAIT_MS)

    def ready(self) -> None:
        """Wait until the image is read and all questions are answered."""
        self.until(lambda: self.session is not None and self.controller.prompts.asking.request is None)

    def press(self, button: Any) -> None:
        """Press a button of the dock."""
        from qtpy.QtCore import Qt

        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        self.settle()

    def settle(self) -> None:
        """Let the window finish its layout, and bring the whole image onto the canvas."""
        from qtpy.QtWidgets import QApplication

        for _ in range(5):
            QApplication.processEvents()
        self.viewer.reset_view()

    def pixel_of(self, row: float, column: float) -> Any:
        """Return where on the canvas a voxel of the shown plane is."""
        from qtpy.QtCore import QPoint

        image, native = self.widget.view.image, self.native
        plane = self.controller.plane
        index = plane.at(row, column)[3 - image.ndim :]
        at = np.asarray(image.data_to_world(index))[list(self.viewer.dims.displayed)[-2:]]
        centre = np.asarray(self.camera.center)[-2:]
        y, x = (at - centre) * self.camera.zoom + (native.height() / 2, native.width() / 2)
        return QPoint(round(x), round(y))

    @property
    def camera(self) -> Any:
        return getattr(self.viewer, "scene", self.viewer).camera

    @property
    def native(self) -> Any:
        return getattr(self.viewer, "__wrapped__", self.viewer).window._qt_viewer.canvas.native

    def click(self, row: float, column: float, *, right: bool = False, control: bool = False) -> None:
        from qtpy.QtCore import Qt

        button = Qt.MouseButton.RightButton if right else Qt.MouseButton.LeftButton
        modifier = Qt.KeyboardModifier.ControlModifier if control else Qt.KeyboardModifier.NoModifier
        self.qtbot.mouseClick(self.native, button, modifier, self.pixel_of(row, column))

    def drag(self, start: tuple[float, float], stop: tuple[float, float]) -> None:
        from qtpy.QtCore import Qt

        points = [self.pixel_of(*start), self.pixel_of(*stop)]
        self.qtbot.mousePress(self.native, Qt.MouseButton.LeftButton, pos=points[0])
        self.qtbot.mouseMove(self.native, points[1])
        self.qtbot.wait(30)
        self.qtbot.mouseRelease(self.native, Qt.MouseButton.LeftButton, pos=points[1])
