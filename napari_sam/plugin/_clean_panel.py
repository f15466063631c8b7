"""Cleaning an object up: one line a clean-up, with its size in millimetres."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QGridLayout, QLabel

from napari_sam.core.clean_steps import CleanStep
from napari_sam.plugin._section import Section, make_button
from napari_sam.plugin.view import PanelState

__all__ = ["CleanPanel"]

_SIZED = (
    ("fill holes", "Fill holes", "Fill holes up to this size; 0 fills all", 0.0, " mm³"),
    ("islands", "Drop islands", "Take away pieces smaller than this", 100.0, " mm³"),
    ("smooth", "Smooth", "Smooth the outline over this distance", 1.0, " mm"),
    ("grow", "Grow", "Move the outline outwards, into voxels that no other object has", 1.0, " mm"),
    ("shrink", "Shrink", "Move the outline inwards", 1.0, " mm"),
    ("close gaps", "Close gaps", "Join planes with a gap up to this between them; 0 joins all", 0.0, " mm"),
)


class CleanPanel(Section):
    """Clean-ups of the current object, and the range that the brush keeps to."""

    clean_pressed = Signal(object)
    brush_limited = Signal(object, object)
    anchors_kept = Signal(bool)

    def __init__(self) -> None:
        super().__init__("Clean up", is_folded=True)
        self.buttons, self.sizes = {}, {}
        grid = QGridLayout(self.content)
        grid.setSpacing(3)
        for place, (kind, text, tip, size, unit) in enumerate(_SIZED):
            button, box = make_button(text, f"{tip}.\nOne step to undo."), _number(size, unit)
            box.setToolTip(tip)
            button.clicked.connect(lambda _, kind=kind: self._press(kind))
            self.buttons[kind], self.sizes[kind] = button, box
            grid.addWidget(button, place, 0)
            grid.addWidget(box, place, 1, 1, 2)
        row = len(_SIZED)
        self.largest = make_button("Keep largest", "Keep the largest piece alone.\nOne step to undo.")
        self.largest.clicked.connect(lambda _: self.clean_pressed.emit(CleanStep("largest")))
        self.anchors = QCheckBox("not in planes by hand")
        self.anchors.setToolTip("Leave planes alone that you prompted, drew or confirmed")
        self.anchors.setChecked(True)
        self.anchors.toggled.connect(self.anchors_kept)
        grid.addWidget(self.largest, row, 0)
        grid.addWidget(self.anchors, row, 1, 1, 2)
        self.range = make_button("Keep range", "Keep voxels with these intensities alone.\nOne step to undo.")
        self.low, self.high = _number(-200.0, "", lowest=-1e6), _number(300.0, "", lowest=-1e6)
        self.range.clicked.connect(lambda _: self.clean_pressed.emit(self._range()))
        self.brush = QCheckBox("Brush keeps to this range")
        self.brush.setToolTip("The brush changes voxels with these intensities alone")
        for column, widget in enumerate((self.range, self.low, self.high)):
            grid.addWidget(widget, row + 1, column)
        grid.addWidget(self.brush, row + 2, 0, 1, 3)
        self.unit = QLabel()
        self.brush.toggled.connect(self._limit)
        self.low.valueChanged.connect(self._limit)
        self.high.valueChanged.connect(self._limit)

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        clean = state.clean
        for button in (*self.buttons.values(), self.largest, self.range):
            button.setEnabled(clean.can_clean)
        for box in (self.low, self.high):
            box.setSuffix(f" {clean.unit}" if clean.unit else "")

    def _press(self, kind: str) -> None:
        size = self.sizes[kind].value()
        all_of_them = kind in ("fill holes", "close gaps") and size == 0
        self.clean_pressed.emit(CleanStep(kind, None if all_of_them else size))

    def _range(self) -> CleanStep:
        low, high = sorted((self.low.value(), self.high.value()))
        return CleanStep("range", low=low, high=high)

    def _limit(self, *_: object) -> None:
        is_on = self.brush.isChecked()
        self.brush_limited.emit(self.low.value() if is_on else None, self.high.value() if is_on else None)


def _number(value: float, unit: str, *, lowest: float = 0.0) -> QDoubleSpinBox:
    box = QDoubleSpinBox()
    box.setRange(lowest, 1e6)
    box.setDecimals(1)
    box.setValue(value)
    box.setSuffix(unit)
    box.setKeyboardTracking(False)
    return box
