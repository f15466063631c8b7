"""The second step of the dock: which model answers."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QGridLayout

from napari_sam.plugin._section import Section, make_button
from napari_sam.plugin.view import PanelState

__all__ = ["ModelPanel"]


class ModelPanel(Section):
    """Step 2: which model answers."""

    model_chosen = Signal(str)
    weights_pressed = Signal()

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__("2  Model", is_folded=True)
        self.names = QComboBox()
        self.names.addItem("default: small, works offline", "default")
        for name in names:
            self.names.addItem(name, name)
        self.names.setToolTip("The default comes with the plugin; others need a file of weights")
        self.weights = make_button("File…", "Use a checkpoint file of your own with the chosen model")
        grid = QGridLayout(self.content)
        grid.addWidget(self.names, 0, 0)
        grid.addWidget(self.weights, 0, 1)
        grid.setColumnStretch(0, 1)
        self.names.activated.connect(lambda _: self.model_chosen.emit(self.name))
        self.weights.clicked.connect(self.weights_pressed)

    @property
    def name(self) -> str:
        """The chosen model's name."""
        return str(self.names.currentData())

    def choose(self, name: str) -> bool:
        """Show this model as the chosen one; returns whether there is one of that name."""
        place = self.names.findData(name)
        if place >= 0:
            self.names.setCurrentIndex(place)
        return place >= 0

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        self.set_title(f"2  Model: {state.model_note}" if state.model_note else "2  Model")
