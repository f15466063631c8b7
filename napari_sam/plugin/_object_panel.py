"""The third step of the dock: which object the prompts are for."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QHBoxLayout, QListWidget, QListWidgetItem, QVBoxLayout

from napari_sam.core.naming import PALETTE
from napari_sam.plugin._section import Section, make_button
from napari_sam.plugin.view import ObjectRow, PanelState

__all__ = ["ObjectPanel"]


class ObjectPanel(Section):
    """Step 3: which object the prompts are for."""

    object_chosen = Signal(int)
    new_pressed = Signal()
    reopen_pressed = Signal()
    load_pressed = Signal()

    def __init__(self) -> None:
        super().__init__("3  Object")
        self.rows = QListWidget()
        self.rows.setToolTip("Prompts are for the object chosen here; accepted objects are locked")
        self.rows.setFixedHeight(60)
        self.rows.setIconSize(QSize(12, 12))
        self.new = make_button("New", "Start another object")
        self.reopen = make_button("Reopen", "Allow changes of an accepted object again")
        buttons = QHBoxLayout()
        buttons.addWidget(self.new)
        self.load = make_button("From file…", "Begin with the objects of labels that were saved before")
        buttons.addWidget(self.reopen)
        buttons.addWidget(self.load)
        column = QVBoxLayout(self.content)
        column.addWidget(self.rows)
        column.addLayout(buttons)
        self._drawn: tuple[tuple[ObjectRow, ...], int] | None = None
        self.rows.currentItemChanged.connect(self._chosen)
        self.new.clicked.connect(self.new_pressed)
        self.reopen.clicked.connect(self.reopen_pressed)
        self.load.clicked.connect(self.load_pressed)

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        self.new.setEnabled(bool(state.objects) and not state.can_cancel)
        self.rows.setEnabled(not state.can_cancel)
        self.reopen.setEnabled(state.can_reopen)
        self.load.setEnabled(state.can_load)
        if self._drawn == (state.objects, state.current_id):
            return
        self._drawn = (state.objects, state.current_id)
        name = next((row.name for row in state.objects if row.id == state.current_id), "")
        self.set_title(f"3  Object: {name}" if name else "3  Object")
        self.rows.blockSignals(True)
        self.rows.clear()
        for row in state.objects:
            item = QListWidgetItem(_swatch(row.id), row.name + ("  ✓ accepted" if row.locked else ""))
            item.setData(Qt.ItemDataRole.UserRole, row.id)
            self.rows.addItem(item)
            if row.id == state.current_id:
                self.rows.setCurrentItem(item)
        self.rows.blockSignals(False)

    def _chosen(self, item: QListWidgetItem | None, _: object) -> None:
        if item is not None:
            self.object_chosen.emit(item.data(Qt.ItemDataRole.UserRole))


def _swatch(object_id: int) -> QIcon:
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor(PALETTE[(object_id - 1) % len(PALETTE)]))
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected, QIcon.Mode.Disabled):
        icon.addPixmap(pixmap, mode)
    return icon
