"""The first step of the dock: which image, and which intensities the model sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout

from napari_sam.core.window import HU_PRESETS, Window
from napari_sam.plugin._section import Section, make_button
from napari_sam.plugin.view import PanelState

__all__ = ["ImagePanel"]

_AUTO, _AS_SHOWN, _CUSTOM = "Automatic", "As on the screen", "Custom"


class ImagePanel(Section):
    """Step 1: which image, and which intensities the model sees."""

    image_chosen = Signal(object)
    window_chosen = Signal(object)
    show_pressed = Signal()

    def __init__(self) -> None:
        super().__init__("1  Image and window")
        self.images = QComboBox()
        self.images.setToolTip("The image to segment")
        self.windows = QComboBox()
        for text, request in ((_AUTO, None), (_AS_SHOWN, "as shown")):
            self.windows.addItem(text, request)
        for name in HU_PRESETS:
            self.windows.addItem(f"CT {name.replace('-', ' ')}", name)
        self.windows.addItem(_CUSTOM)
        self.windows.setToolTip(
            "Which intensities the model sees as black and white: one window for the whole volume.\n"
            "The presets are in Hounsfield units, for CT."
        )
        self.low, self.high = _intensity("black"), _intensity("white")
        self.to_screen = make_button("Show", "Show the image on the screen with this window, too")
        grid = QGridLayout(self.content)
        grid.addWidget(self.images, 0, 0, 1, 3)
        grid.addWidget(self.windows, 1, 0, 1, 3)
        for column, widget in enumerate((self.low, self.high, self.to_screen)):
            grid.addWidget(widget, 2, column)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        self.images.currentIndexChanged.connect(lambda _: self.image_chosen.emit(self.images.currentData()))
        self.windows.activated.connect(self._window_chosen)
        for box in (self.low, self.high):
            box.editingFinished.connect(self._custom_edited)
        self.to_screen.clicked.connect(self.show_pressed)

    def set_images(self, images: Sequence[tuple[str, Any]], chosen: Any) -> None:
        """List (name, key) of the images and choose one by its key."""
        keys = [key for _, key in images]
        before = self.images.currentData()
        self.images.blockSignals(True)
        self.images.clear()
        for name, key in images:
            self.images.addItem(name, key)
        self.images.setCurrentIndex(keys.index(chosen) if chosen in keys else len(keys) - 1)
        self.images.blockSignals(False)
        if self.images.currentData() != before:
            self.image_chosen.emit(self.images.currentData())

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        self.windows.setEnabled(state.window is not None)
        self.to_screen.setEnabled(state.window is not None)
        request = state.window_request
        self.windows.setCurrentIndex(
            self.windows.findText(_CUSTOM) if isinstance(request, Window) else self.windows.findData(request)
        )
        for box, value in zip((self.low, self.high), state.window or (0.0, 0.0), strict=True):
            box.setEnabled(state.window is not None)
            if not box.hasFocus():
                box.setValue(value)

    def _window_chosen(self, _: int) -> None:
        if self.windows.currentText() == _CUSTOM:
            self.low.setFocus()
            self.low.selectAll()
        else:
            self.window_chosen.emit(self.windows.currentData())

    def _custom_edited(self) -> None:
        if self.low.isEnabled() and self.low.value() < self.high.value():
            self.window_chosen.emit((self.low.value(), self.high.value()))


def _intensity(name: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(-1e9, 1e9)
    box.setDecimals(1)
    box.setKeyboardTracking(False)
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    box.setAlignment(Qt.AlignmentFlag.AlignRight)
    box.setToolTip(f"Intensity that the model sees as {name}")
    return box
