"""Measurements of the current object, and all objects as a table in a file."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QApplication, QFormLayout, QHBoxLayout, QLabel, QVBoxLayout

from napari_sam.plugin._section import Section, make_button
from napari_sam.plugin.view import PanelState

__all__ = ["MeasurePanel"]


class MeasurePanel(Section):
    """What the current object measures, as it changes."""

    wanted = Signal(bool)
    save_pressed = Signal()

    def __init__(self) -> None:
        super().__init__("Measure", is_folded=True)
        self.lines = QFormLayout()
        self.lines.setContentsMargins(0, 0, 0, 0)
        self.lines.setVerticalSpacing(2)
        self.copy = make_button("Copy", "Copy these measurements as text")
        self.save = make_button("Save table…", "Measure all objects and save a table (CSV or JSON)")
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy)
        buttons.addWidget(self.save)
        column = QVBoxLayout(self.content)
        column.addLayout(self.lines)
        column.addLayout(buttons)
        self._drawn: tuple[tuple[str, str], ...] = ()
        self.copy.clicked.connect(self._copy)
        self.save.clicked.connect(self.save_pressed)
        self.folded.connect(lambda is_folded: self.wanted.emit(not is_folded))

    @property
    def text(self) -> str:
        """The measurements, a line each."""
        return "\n".join(f"{name}\t{value}" for name, value in self._drawn)

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        self.save.setEnabled(state.measure.can_save)
        self.copy.setEnabled(bool(state.measure.lines))
        if state.measure.lines == self._drawn:
            return
        self._drawn = state.measure.lines
        while self.lines.rowCount():
            self.lines.removeRow(0)
        for name, value in self._drawn:
            label = QLabel(value)
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self.lines.addRow(name, label)

    def _copy(self) -> None:
        clipboard = QApplication.clipboard()
        if clipboard is not None:
            clipboard.setText(self.text)
