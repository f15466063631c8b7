"""The last step of the dock: accepting the object and saving."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QHBoxLayout, QMenu

from napari_sam.plugin._section import Section, make_button, make_menu_button
from napari_sam.plugin.view import PanelState

__all__ = ["SavePanel"]


class SavePanel(Section):
    """Step 6: done with the object, done with the image."""

    accept_pressed = Signal()
    save_pressed = Signal()
    session_saved = Signal()
    session_opened = Signal()

    def __init__(self) -> None:
        super().__init__("6  Accept and save")
        self.accept = make_button(
            "Accept object",
            "Lock the object, and all that are chosen with it; go on with the next one",
            "accept",
        )
        self.save = make_button("Save labels…", "Save all objects in the geometry of the image")
        tip = "Take all of this work elsewhere, undo included, and go on with it there"
        menu = QMenu(self)
        for text, signal in (
            ("Save session…", self.session_saved),
            ("Open session…", self.session_opened),
        ):
            entry = QAction(text, menu)
            entry.triggered.connect(lambda _, signal=signal: signal.emit())
            menu.addAction(entry)
        self.session = make_menu_button("Session", tip, menu)
        row = QHBoxLayout(self.content)
        row.addWidget(self.accept)
        row.addWidget(self.save)
        row.addWidget(self.session)
        self.accept.clicked.connect(self.accept_pressed)
        self.save.clicked.connect(self.save_pressed)

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        self.accept.setEnabled(state.can_accept)
        self.save.setEnabled(state.can_save)
