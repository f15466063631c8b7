"""The dock's last panels: propagation, accepting and saving, and the status line."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QFrame,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
)

from napari_sam.plugin._panels import make_button
from napari_sam.plugin.view import PanelState

__all__ = ["PropagatePanel", "SavePanel", "StatusPanel"]


class PropagatePanel(QGroupBox):
    """Step 5: the object in the other planes."""

    propagate_pressed = Signal(int, int)
    cancel_pressed = Signal()

    def __init__(self) -> None:
        super().__init__("5  Propagate")
        self.first, self.last = QSpinBox(), QSpinBox()
        self.first.setToolTip("First plane to go to")
        self.last.setToolTip("Last plane to go to")
        self.start = make_button(
            "Propagate", "Follow the object from plane to plane, both ways, until it ends", "propagate"
        )
        self.cancel = make_button("Cancel", "Stop; the planes that are done stay", "cancel")
        self._n_planes = 0
        grid = QGridLayout(self)
        planes = QHBoxLayout()
        for widget in (QLabel("Planes"), self.first, QLabel("to"), self.last):
            planes.addWidget(widget, 1 if isinstance(widget, QSpinBox) else 0)
        grid.addLayout(planes, 0, 0, 1, 2)
        grid.addWidget(self.start, 1, 0)
        grid.addWidget(self.cancel, 1, 1)
        self.start.clicked.connect(self.press)
        self.cancel.clicked.connect(self.cancel_pressed)

    def press(self) -> None:
        """Start with the range that is shown."""
        if self.start.isEnabled():
            self.propagate_pressed.emit(self.first.value(), self.last.value())

    def draw(self, state: PanelState) -> None:
        """Show a state; the range starts over where the number of planes changes."""
        if state.n_planes != self._n_planes:
            self._n_planes = state.n_planes
            for box, value in ((self.first, 0), (self.last, max(state.n_planes - 1, 0))):
                box.setRange(0, max(state.n_planes - 1, 0))
                box.setValue(value)
        for box in (self.first, self.last):
            box.setEnabled(state.n_planes > 1 and not state.can_cancel)
        self.start.setEnabled(state.can_propagate)
        self.cancel.setEnabled(state.can_cancel)


class SavePanel(QGroupBox):
    """Step 6: done with the object, done with the image."""

    accept_pressed = Signal()
    save_pressed = Signal()

    def __init__(self) -> None:
        super().__init__("6  Accept and save")
        self.accept = make_button("Accept object", "Lock the object and go on with the next one", "accept")
        self.save = make_button("Save labels…", "Save all objects in the geometry of the image")
        row = QHBoxLayout(self)
        row.addWidget(self.accept)
        row.addWidget(self.save)
        self.accept.clicked.connect(self.accept_pressed)
        self.save.clicked.connect(self.save_pressed)

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        self.accept.setEnabled(state.can_accept)
        self.save.setEnabled(state.can_save)


class StatusPanel(QFrame):
    """What goes on, or what to do next; and what lies under the cursor."""

    def __init__(self) -> None:
        super().__init__()
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop)
        self.text.setFixedHeight(4 * self.text.fontMetrics().lineSpacing() + 6)
        self.under = QLabel()
        self.under.setToolTip("(plane, row, column) of the voxel under the cursor, its centre, its value")
        self.under.setFixedHeight(self.under.fontMetrics().lineSpacing() + 2)
        self.under.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(5)
        policy = self.bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.bar.setSizePolicy(policy)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 2)
        column.addWidget(self.text)
        column.addWidget(self.bar)
        column.addWidget(self.under)

    def show_cursor(self, text: str) -> None:
        """Show what lies under the cursor."""
        if text != self.under.text():
            self.under.setText(text)

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        self.text.setText(("⚠ " if state.warning else "▸ ") + state.status)
        self.text.setToolTip(state.status)
        done, total = state.progress or (0, 0)
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.bar.setVisible(state.busy)
