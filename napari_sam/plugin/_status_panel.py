"""The top of the dock: what goes on, or what to do next; and what lies under the cursor."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QVBoxLayout

from napari_sam.plugin._progress_line import ProgressLine
from napari_sam.plugin.view import PanelState

__all__ = ["StatusPanel"]

_N_LINES, _SIGN_PX = 4, 10
"""Lines of a message, and what its first sign may be higher than a line."""


class StatusPanel(QFrame):
    """What goes on, or what to do next; and what lies under the cursor."""

    help_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.help = QToolButton()
        self.help.setText("?")
        self.help.setToolTip("Keys and mouse\nKey: ?")
        self.help.clicked.connect(self.help_pressed)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.under = QLabel()
        self.under.setToolTip("(plane, row, column) of the voxel under the cursor, its centre, its value")
        self.under.setFixedHeight(self.under.fontMetrics().lineSpacing() + 2)
        self.under.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.bar = ProgressLine()
        policy = self.bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.bar.setSizePolicy(policy)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 3, 12, 0)
        column.setSpacing(2)
        row = QHBoxLayout()
        row.addWidget(self.text, 1)
        row.addWidget(self.help, 0, Qt.AlignmentFlag.AlignTop)
        column.addLayout(row)
        column.addWidget(self.bar)
        column.addWidget(self.under)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802 - Qt's name
        """Make room for the lines in the font that napari's theme has."""
        self.text.ensurePolished()
        self.text.setFixedHeight(_N_LINES * self.text.fontMetrics().lineSpacing() + _SIGN_PX)
        super().showEvent(event)

    def show_cursor(self, text: str) -> None:
        """Show what lies under the cursor."""
        if text != self.under.text():
            self.under.setText(text)

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        self.text.setText(("⚠ " if state.warning else "▸ ") + state.status)
        self.text.setToolTip(state.status)
        done, total = state.progress or (0, 0)
        self.bar.show_progress(done, total)
        self.bar.setVisible(state.busy)
