"""The dock's first panels. They draw a `PanelState` and say what was pressed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
)

from napari_sam.core.naming import PALETTE
from napari_sam.core.window import HU_PRESETS, Window
from napari_sam.plugin._bindings import KEYS, Tool
from napari_sam.plugin.view import ObjectRow, PanelState

__all__ = ["ImagePanel", "ModelPanel", "ObjectPanel", "PromptPanel", "make_button"]

_AUTO, _AS_SHOWN, _CUSTOM = "Automatic", "As on the screen", "Custom"


def _key(action: str) -> str:
    return KEYS[action].replace("Control", "Ctrl").replace("-", "+")


def make_button(text: str, tip: str, action: str | None = None) -> QPushButton:
    """Make a button whose tip says the key that does the same."""
    button = QPushButton(text)
    button.setToolTip(tip if action is None else f"{tip}\nKey: {_key(action)}")
    return button


class ImagePanel(QGroupBox):
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
        grid = QGridLayout(self)
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


class ModelPanel(QGroupBox):
    """Step 2: which model answers."""

    model_chosen = Signal(str)
    weights_pressed = Signal()

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__("2  Model")
        self.names = QComboBox()
        self.names.addItem("default: small, works offline", "default")
        for name in names:
            self.names.addItem(name, name)
        self.names.setToolTip("The default comes with the plugin; others need a file of weights")
        self.weights = make_button("File…", "Use a checkpoint file of your own with the chosen model")
        grid = QGridLayout(self)
        grid.addWidget(self.names, 0, 0)
        grid.addWidget(self.weights, 0, 1)
        grid.setColumnStretch(0, 1)
        self.names.activated.connect(lambda _: self.model_chosen.emit(self.name))
        self.weights.clicked.connect(self.weights_pressed)

    @property
    def name(self) -> str:
        """The chosen model's name."""
        return str(self.names.currentData())

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        self.setTitle(f"2  Model: {state.model_note}" if state.model_note else "2  Model")


class ObjectPanel(QGroupBox):
    """Step 3: which object the prompts are for."""

    object_chosen = Signal(int)
    new_pressed = Signal()
    reopen_pressed = Signal()
    load_pressed = Signal()

    def __init__(self) -> None:
        super().__init__("3  Object")
        self.rows = QListWidget()
        self.rows.setToolTip("Prompts are for the object chosen here; accepted objects are locked")
        self.rows.setFixedHeight(60)
        self.rows.setIconSize(QSize(12, 12))
        self.new = make_button("New", "Start another object")
        self.reopen = make_button("Reopen", "Allow changes of an accepted object again")
        buttons = QHBoxLayout()
        buttons.addWidget(self.new)
        self.load = make_button("From file…", "Begin with the objects of labels that were saved before")
        buttons.addWidget(self.reopen)
        buttons.addWidget(self.load)
        column = QVBoxLayout(self)
        column.addWidget(self.rows)
        column.addLayout(buttons)
        self._drawn: tuple[tuple[ObjectRow, ...], int] | None = None
        self.rows.currentItemChanged.connect(self._chosen)
        self.new.clicked.connect(self.new_pressed)
        self.reopen.clicked.connect(self.reopen_pressed)
        self.load.clicked.connect(self.load_pressed)

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        self.new.setEnabled(bool(state.objects) and not state.can_cancel)
        self.rows.setEnabled(not state.can_cancel)
        self.reopen.setEnabled(state.can_reopen)
        self.load.setEnabled(state.can_load)
        if self._drawn == (state.objects, state.current_id):
            return
        self._drawn = (state.objects, state.current_id)
        self.rows.blockSignals(True)
        self.rows.clear()
        for row in state.objects:
            item = QListWidgetItem(_swatch(row.id), row.name + ("  ✓ accepted" if row.locked else ""))
            item.setData(Qt.ItemDataRole.UserRole, row.id)
            self.rows.addItem(item)
            if row.id == state.current_id:
                self.rows.setCurrentItem(item)
        self.rows.blockSignals(False)

    def _chosen(self, item: QListWidgetItem | None, _: object) -> None:
        if item is not None:
            self.object_chosen.emit(item.data(Qt.ItemDataRole.UserRole))


def _swatch(object_id: int) -> QIcon:
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor(PALETTE[(object_id - 1) % len(PALETTE)]))
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected, QIcon.Mode.Disabled):
        icon.addPixmap(pixmap, mode)
    return icon


class PromptPanel(QGroupBox):
    """Step 4: what the mouse does, and undo."""

    tool_chosen = Signal(object)
    candidate_pressed = Signal()
    undo_pressed = Signal()
    redo_pressed = Signal()

    def __init__(self) -> None:
        super().__init__("4  Prompts")
        self.tools = {
            Tool.INCLUDE: make_button(
                "+ Point", "Click inside the object.\nRight click or Ctrl+click: not the object.", "include"
            ),
            Tool.EXCLUDE: make_button("− Point", "Click on what is not the object.", "exclude"),
            Tool.BOX: make_button("Box", "Drag a box around the object; clicks still place points.", "box"),
            Tool.MOVE: make_button("Move", "Pan, zoom and paint as usual in napari; no prompts.", "move"),
        }
        self.candidate = QLabel()
        self.other = make_button(
            "Other candidate",
            "Take the next mask that the model offers: a click may mean a part, the whole, or a group.\n"
            "The score is the model's own guess of how good the mask is.",
            "candidate",
        )
        self.undo = make_button("Undo", "Take the last step back", "undo")
        self.redo = make_button("Redo", "Do the step again that was taken back", "redo")
        self._group = QButtonGroup(self)
        tools, candidates, history = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        tools.setSpacing(3)
        for tool, button in self.tools.items():
            button.setCheckable(True)
            button.clicked.connect(lambda _, tool=tool: self.tool_chosen.emit(tool))
            self._group.addButton(button)
            tools.addWidget(button)
        candidates.addWidget(self.candidate, 1)
        candidates.addWidget(self.other)
        self.other.clicked.connect(self.candidate_pressed)
        for button, signal in ((self.undo, self.undo_pressed), (self.redo, self.redo_pressed)):
            button.clicked.connect(signal)
            history.addWidget(button)
        column = QVBoxLayout(self)
        column.addLayout(tools)
        column.addLayout(candidates)
        column.addLayout(history)
        self.set_tool(Tool.MOVE)

    def set_tool(self, tool: Tool) -> None:
        """Show which tool is in use."""
        self.tools[tool].setChecked(True)

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        for button in self.tools.values():
            button.setEnabled(state.can_prompt)
        number, n, score = state.candidate or (0, 0, 0.0)
        self.candidate.setText(f"{number} of {n}, score {score:.2f}" if n else "")
        self.other.setEnabled(state.can_cycle)
        self.undo.setEnabled(state.can_undo)
        self.redo.setEnabled(state.can_redo)
