"""The offer to take earlier work on an image up again."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout

from napari_sam.plugin._section import make_button
from napari_sam.plugin.view import PanelState

__all__ = ["RestorePanel"]


class RestorePanel(QFrame):
    """Two buttons and a sentence; hidden where there is nothing to offer."""

    restore_pressed = Signal()
    dismiss_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.restore = make_button("Restore", "Go on where it ended, undo and redo included")
        self.dismiss = make_button("Not now", "Begin anew; the earlier work stays kept")
        buttons = QHBoxLayout()
        buttons.setSpacing(3)
        for button, signal in ((self.restore, self.restore_pressed), (self.dismiss, self.dismiss_pressed)):
            button.clicked.connect(signal)
            buttons.addWidget(button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 2, 12, 4)
        column.setSpacing(3)
        column.addWidget(self.text)
        column.addLayout(buttons)
        self.setVisible(False)

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        self.text.setText(f"⟲ {state.restore.offer}")
        self.restore.setEnabled(state.restore.can_restore)
        self.setVisible(bool(state.restore.offer))
