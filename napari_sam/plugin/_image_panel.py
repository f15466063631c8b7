"""The first step of the dock: which image, and which intensities the model sees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QWidget

from napari_sam.core.window import HU_PRESETS, Window
from napari_sam.plugin._display import window_text
from napari_sam.plugin._section import Section, make_button
from napari_sam.plugin.view import PanelState

__all__ = ["ImagePanel"]

_AUTO, _AS_SHOWN, _CUSTOM = "Automatic", "As on the screen", "Custom"


class ImagePanel(Section):
    """Step 1: which image, and which intensities the model sees."""

    image_chosen = Signal(object)
    window_chosen = Signal(object)
    show_pressed = Signal()
    sample_pressed = Signal()
    file_pressed = Signal()
    folder_pressed = Signal()

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
        self.low.setPrefix("Model ")
        self.to_screen = make_button("Show", "Show the image on the screen with this window, too")
        self.on_screen = QLabel()
        self.on_screen.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.on_screen.setToolTip(
            "How the screen shows the image. F5 to F9 choose a CT window, a drag with the middle button\n"
            "(or Shift and the right one) sets any: right wider, up brighter. The model is not concerned."
        )
        self.take = make_button("Use", "Let the model see the image as the screen shows it now")
        self._screen: Window | None = None
        self._model: tuple[float, float] | None = None
        self.begin = self._make_begin()
        grid = QGridLayout(self.content)
        grid.setSpacing(3)
        grid.addWidget(self.begin, 4, 0, 1, 3)
        grid.addWidget(self.on_screen, 3, 0, 1, 2)
        grid.addWidget(self.take, 3, 2)
        self.take.clicked.connect(lambda: self.window_chosen.emit("as shown"))
        grid.addWidget(self.images, 0, 0, 1, 3)
        grid.addWidget(self.windows, 1, 0, 1, 3)
        for column, widget in enumerate((self.low, self.high, self.to_screen)):
            grid.addWidget(widget, 2, column)
        grid.setColumnStretch(0, 1)
        grid.setColumnStretch(1, 1)
        self.images.currentIndexChanged.connect(self._name_it)
        self.images.currentIndexChanged.connect(lambda _: self.image_chosen.emit(self.images.currentData()))
        self.windows.activated.connect(self._window_chosen)
        for box in (self.low, self.high):
            box.editingFinished.connect(self._custom_edited)
        self.to_screen.clicked.connect(self.show_pressed)

    def _make_begin(self) -> QWidget:
        """Make the buttons of an empty viewer."""
        begin = QWidget()
        row = QHBoxLayout(begin)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(3)
        for text, tip, signal in (
            ("Sample", "Try it on a small CT-like volume that comes with the plugin", self.sample_pressed),
            ("File…", "Open an image or a volume from a file", self.file_pressed),
            ("Folder…", "Open a folder: a DICOM series, or numbered pictures", self.folder_pressed),
        ):
            button = make_button(text, tip)
            button.clicked.connect(signal)
            row.addWidget(button)
        return begin

    def _name_it(self, _: int = 0) -> None:
        """Say in the title which image it is, for that is seen folded, too."""
        name = self.images.currentText()
        self.set_title(f"1  Image: {name}" if name else "1  Image and window")

    def show_screen(self, window: Window | None) -> None:
        """Show which window is on the screen, and whether the model sees the same."""
        self._screen = window
        self._draw_screen()

    def _draw_screen(self) -> None:
        screen = self._screen
        is_same = screen is None or self._model is None or _is_close((screen.low, screen.high), self._model)
        self.take.setEnabled(not is_same)
        text = "" if screen is None else f"Screen {window_text(screen)}"
        self.on_screen.setText(f"<b>{text}</b>" if text and not is_same else text)

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
        self._name_it()
        self.begin.setVisible(not images)
        of_image: tuple[QWidget, ...] = (self.images, self.windows, self.low, self.high, self.to_screen)
        for widget in (*of_image, self.on_screen, self.take):
            widget.setVisible(bool(images))
        if self.images.currentData() != before:
            self.image_chosen.emit(self.images.currentData())

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        self._model = state.window
        self._draw_screen()
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


def _is_close(one: tuple[float, float], other: tuple[float, float]) -> bool:
    width = max(abs(other[1] - other[0]), 1e-12)
    return all(abs(a - b) <= 1e-3 * width for a, b in zip(one, other, strict=True))


def _intensity(name: str) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(-1e9, 1e9)
    box.setDecimals(1)
    box.setKeyboardTracking(False)
    box.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
    box.setAlignment(Qt.AlignmentFlag.AlignRight)
    box.setToolTip(f"Intensity that the model sees as {name}")
    return box
