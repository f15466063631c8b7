"""The fifth step of the dock: the object in the other planes."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSpinBox

from napari_sam.plugin._section import Section, make_button
from napari_sam.plugin._strip_panel import StripPanel
from napari_sam.plugin.view import PanelState

__all__ = ["VolumePanel"]


class VolumePanel(Section):
    """Step 5: the object in the other planes."""

    propagate_pressed = Signal()
    reach_chosen = Signal(int, int)
    cancel_pressed = Signal()

    def __init__(self) -> None:
        super().__init__("5  Propagate")
        self.first, self.last = QSpinBox(), QSpinBox()
        self.first.setToolTip("First plane to go to")
        self.last.setToolTip("Last plane to go to")
        self.start = make_button(
            "Propagate",
            "Follow the object from plane to plane, both ways, until it ends.\n"
            "Several that are chosen in the table (Ctrl+click) are followed together.",
            "propagate",
        )
        self.cancel = make_button("Cancel", "Stop; the planes that are done stay", "cancel")
        self.strip = StripPanel()
        grid = QGridLayout(self.content)
        planes = QHBoxLayout()
        for widget in (QLabel("Planes"), self.first, QLabel("to"), self.last):
            planes.addWidget(widget, 1 if isinstance(widget, QSpinBox) else 0)
        grid.addLayout(planes, 0, 0, 1, 2)
        grid.addWidget(self.start, 1, 0)
        grid.addWidget(self.cancel, 1, 1)
        grid.addWidget(self.strip, 2, 0, 1, 2)
        self.start.clicked.connect(self.press)
        self.cancel.clicked.connect(self.cancel_pressed)
        for box in (self.first, self.last):
            box.setKeyboardTracking(False)
            box.valueChanged.connect(lambda _: self.reach_chosen.emit(self.first.value(), self.last.value()))

    def press(self) -> None:
        """Start, where that is possible."""
        if self.start.isEnabled():
            self.propagate_pressed.emit()

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        highest = max(state.n_planes - 1, 0)
        for box, value in zip((self.first, self.last), state.strip.reach, strict=True):
            box.blockSignals(True)
            box.setRange(0, highest)
            box.setValue(value)
            box.blockSignals(False)
            box.setEnabled(state.n_planes > 1 and not state.can_cancel)
        self.start.setEnabled(state.can_propagate)
        self.cancel.setEnabled(state.can_cancel)
        self.strip.draw(state.strip)
