"""The last step of the dock: accepting the object and saving."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout

from napari_sam.plugin._section import Section, make_button
from napari_sam.plugin.view import PanelState

__all__ = ["SavePanel"]


class SavePanel(Section):
    """Step 6: done with the object, done with the image."""

    accept_pressed = Signal()
    save_pressed = Signal()

    def __init__(self) -> None:
        super().__init__("6  Accept and save")
        self.accept = make_button("Accept object", "Lock the object and go on with the next one", "accept")
        self.save = make_button("Save labels…", "Save all objects in the geometry of the image")
        row = QHBoxLayout(self.content)
        row.addWidget(self.accept)
        row.addWidget(self.save)
        self.accept.clicked.connect(self.accept_pressed)
        self.save.clicked.connect(self.save_pressed)

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        self.accept.setEnabled(state.can_accept)
        self.save.setEnabled(state.can_save)
