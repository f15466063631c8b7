"""The dialog that asks which of several volumes to open."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

if TYPE_CHECKING:
    from volumes import SeriesInfo

__all__ = ["SeriesDialog"]

_HEADS = ("Key", "Modality", "Description", "Planes × rows × columns")
_SIZE = (620, 320)


class SeriesDialog(QDialog):
    """A table of volumes, of which one or several can be chosen.

    Parameters
    ----------
    series : sequence of SeriesInfo
        What there is, at least one.
    parent : QWidget, optional
        Qt's owner.
    """

    def __init__(self, series: Sequence[SeriesInfo], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._series = tuple(series)
        self.setWindowTitle("Choose a series")
        self.resize(*_SIZE)
        self.table: QTableWidget = QTableWidget(len(self._series), len(_HEADS))
        self.table.setHorizontalHeaderLabels(list(_HEADS))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self._fill()
        heads = self.table.horizontalHeader()
        if heads is not None:
            heads.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
            heads.setSectionResizeMode(2, QHeaderView.ResizeMode.Stretch)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Open | QDialogButtonBox.StandardButton.Cancel
        )
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.table.doubleClicked.connect(self.accept)
        column = QVBoxLayout(self)
        column.addWidget(QLabel("It holds several volumes. Each one that you choose becomes a layer:"))
        column.addWidget(self.table)
        column.addWidget(self.buttons)

    @property
    def chosen(self) -> tuple[SeriesInfo, ...]:
        """The chosen volumes, in their order."""
        rows = {index.row() for index in self.table.selectedIndexes()}
        return tuple(one for row, one in enumerate(self._series) if row in rows)

    def _fill(self) -> None:
        for row, one in enumerate(self._series):
            shape = " × ".join(str(n) for n in one.shape)
            for column, text in enumerate((one.key, one.modality, one.description, shape)):
                item = QTableWidgetItem(text)
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEditable)
                self.table.setItem(row, column, item)
        self.table.selectRow(0)
