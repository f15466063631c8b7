"""Cleaning an object up: one line a clean-up, with its size in the units that suit the image."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QDoubleSpinBox, QGridLayout

from napari_sam.core.clean_steps import CleanStep
from napari_sam.nodes.amounts import MILLI, Units
from napari_sam.plugin._section import Section, make_button
from napari_sam.plugin.view import PanelState

__all__ = ["CleanPanel"]

_SIZED = (
    ("fill holes", "Fill holes", "Fill holes up to this size; 0 fills all", 0.0),
    ("islands", "Drop islands", "Take away pieces smaller than this", 100.0),
    ("smooth", "Smooth", "Smooth the outline over this distance", 1.0),
    ("grow", "Grow", "Move the outline outwards, into voxels that no other object has", 1.0),
    ("shrink", "Shrink", "Move the outline inwards", 1.0),
    ("close gaps", "Close gaps", "Join planes with a gap up to this between them; 0 joins all", 0.0),
)
_BY_SIZE = ("fill holes", "islands")
"""What is bounded by a volume; the others by a length."""

_DECIMALS = 3
_BUTTON_PX = 92
"""Room for the longest text beside two numbers, in a narrow dock."""


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
        grid.setColumnMinimumWidth(0, _BUTTON_PX)
        for place, (kind, text, tip, size) in enumerate(_SIZED):
            button, box = make_button(text, f"{tip}.\nOne step to undo."), _Number(size)
            box.setToolTip(tip)
            button.clicked.connect(lambda _, kind=kind: self._press(kind))
            self.buttons[kind], self.sizes[kind] = button, box
            grid.addWidget(button, place, 0)
            grid.addWidget(box, place, 1, 1, 2)
        row = len(_SIZED)
        self.largest = make_button("Keep largest", "Keep the largest piece alone.\nOne step to undo.")
        self.largest.clicked.connect(lambda _: self.clean_pressed.emit(CleanStep("largest")))
        self.anchors = QCheckBox("spare my planes")
        self.anchors.setToolTip("Leave planes alone that you prompted, drew or confirmed")
        self.anchors.setChecked(True)
        self.anchors.toggled.connect(self.anchors_kept)
        grid.addWidget(self.largest, row, 0)
        grid.addWidget(self.anchors, row, 1, 1, 2)
        self.range = make_button("Keep range", "Keep voxels with these intensities alone.\nOne step to undo.")
        self.low, self.high = _Number(0.0, lowest=-1e6), _Number(1.0, lowest=-1e6)
        for box in (self.low, self.high):
            box.setButtonSymbols(_Number.ButtonSymbols.NoButtons)
        self.range.clicked.connect(lambda _: self.clean_pressed.emit(self._range()))
        self.brush = QCheckBox("Brush keeps to this range")
        self.brush.setToolTip("The brush changes voxels with these intensities alone")
        for column, widget in enumerate((self.range, self.low, self.high)):
            grid.addWidget(widget, row + 1, column)
        grid.addWidget(self.brush, row + 2, 0, 1, 3)
        self._proposed = (self.low.value(), self.high.value())
        self._units = MILLI
        self._sizes_in: dict[Units, dict[str, float]] = {}
        self._show_units()
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
        self._propose_range(state.window)
        if clean.units != self._units:
            self._sizes_in[self._units] = {kind: box.value() for kind, box in self.sizes.items()}
            self._units = clean.units
            self._show_units()

    def _propose_range(self, window: tuple[float, float] | None) -> None:
        """Begin with what the model sees as black and white, until somebody types a range or uses it."""
        is_own = (self.low.value(), self.high.value()) != self._proposed or self.brush.isChecked()
        if window is None or is_own:
            return
        for box, value in zip((self.low, self.high), window, strict=True):
            box.blockSignals(True)
            box.setValue(value)
            box.blockSignals(False)
        self._proposed = (self.low.value(), self.high.value())

    def _show_units(self) -> None:
        """Show each size in the image's units: the one that was typed in them last, else the first one."""
        sizes = self._sizes_in.get(self._units, {kind: size for kind, _, _, size in _SIZED})
        for kind, box in self.sizes.items():
            box.setSuffix(f" {self._units.cube if kind in _BY_SIZE else self._units.length}")
            box.setValue(sizes[kind])

    def _press(self, kind: str) -> None:
        size = self.sizes[kind].value()
        all_of_them = kind in ("fill holes", "close gaps") and size == 0
        per_mm = self._units.per_mm3 if kind in _BY_SIZE else self._units.per_mm
        self.clean_pressed.emit(CleanStep(kind, None if all_of_them else size / per_mm))

    def _range(self) -> CleanStep:
        low, high = sorted((self.low.value(), self.high.value()))
        return CleanStep("range", low=low, high=high)

    def _limit(self, *_: object) -> None:
        is_on = self.brush.isChecked()
        self.brush_limited.emit(self.low.value() if is_on else None, self.high.value() if is_on else None)


class _Number(QDoubleSpinBox):
    """A number that is written without needless zeros."""

    def __init__(self, value: float, *, lowest: float = 0.0) -> None:
        super().__init__()
        self.setRange(lowest, 1e6)
        self.setDecimals(_DECIMALS)
        self.setValue(value)
        self.setKeyboardTracking(False)

    def textFromValue(self, value: float) -> str:  # noqa: N802 - Qt's name
        """Write a value in the person's language."""
        text, point = super().textFromValue(value), str(self.locale().decimalPoint())
        return text.rstrip("0").rstrip(point) if point in text else text
