"""The third step of the dock: the table of objects, and what can be done with them."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QPoint, QSize, Qt, Signal
from qtpy.QtGui import QColor, QIcon, QKeyEvent, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QMenu,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
)

from napari_sam.plugin._section import Section, make_button, make_menu_button
from napari_sam.plugin.view import ObjectRow, PanelState

__all__ = ["ObjectPanel"]

_SHOWN, _NAME, _CLASS, _SIZE, _PLANES, _LOCKED = range(6)
_HEADS = ("", "Object", "Class", "Size", "Pl.", "")
_ROW_PX = 22
_FEW_ROWS, _MANY_ROWS = 4, 8
"""How many rows are in sight: of few objects, and of more."""


class ObjectPanel(Section):
    """Step 3: which object the prompts are for, and what the objects are."""

    object_chosen = Signal(int)
    several_chosen = Signal(object)
    new_pressed = Signal()
    reopen_pressed = Signal()
    load_pressed = Signal()
    renamed = Signal(int, str)
    shown = Signal(int, bool)
    locked = Signal(int, bool)
    action_chosen = Signal(str, object)
    class_chosen = Signal(object, str)

    def __init__(self) -> None:
        super().__init__("3  Objects")
        self.rows = _make_table()
        self.new = make_button("New", "Start another object")
        self.reopen = make_button(
            "Reopen", "Allow changes of an accepted object again, and of all that are chosen"
        )
        self.load = make_button("From file…", "Begin with the objects of labels that were saved before")
        self.menu = QMenu(self)
        tip = "What else can be done with the chosen objects; right click does the same"
        self.more = make_menu_button("More", tip, self.menu)
        buttons = QHBoxLayout()
        buttons.setSpacing(3)
        for button in (self.new, self.reopen, self.load, self.more):
            buttons.addWidget(button)
        column = QVBoxLayout(self.content)
        column.addWidget(self.rows)
        column.addLayout(buttons)
        self._drawn: tuple[tuple[ObjectRow, ...], int] | None = None
        self._is_pressed = False
        self._state = PanelState()
        self._connect()

    def _connect(self) -> None:
        self.rows.currentCellChanged.connect(self._chosen)
        self.rows.itemChanged.connect(self._edited)
        self.rows.itemSelectionChanged.connect(lambda: self.several_chosen.emit(self.chosen_ids))
        self.rows.customContextMenuRequested.connect(self._menu_at)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.new.clicked.connect(self.new_pressed)
        self.reopen.clicked.connect(self.reopen_pressed)
        self.load.clicked.connect(self.load_pressed)

    @property
    def chosen_ids(self) -> list[int]:
        """The objects whose rows are chosen, from top to bottom."""
        rows = sorted({index.row() for index in self.rows.selectedIndexes()})
        return [self._id_at(row) for row in rows]

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        self._state = state
        self.new.setEnabled(bool(state.objects) and not state.can_cancel)
        self.rows.setEnabled(not state.can_cancel)
        self.more.setEnabled(not state.can_cancel)
        self.reopen.setEnabled(state.can_reopen)
        self.load.setEnabled(state.can_load)
        has_classes = bool(state.classes) or any(row.class_name for row in state.objects)
        self.rows.setColumnHidden(_CLASS, not has_classes)
        if self._drawn == (state.objects, state.current_id):
            return
        rows, current_id = ((), 0) if self._drawn is None else self._drawn
        self._drawn = (state.objects, state.current_id)
        chosen = self.chosen_ids if current_id == state.current_id else []
        name = next((row.name for row in state.objects if row.id == state.current_id), "")
        self.set_title(f"3  Objects: {name}" if name else "3  Objects")
        self.rows.blockSignals(True)
        self.rows.setRowCount(len(state.objects))
        _show_rows(self.rows, _FEW_ROWS if len(state.objects) <= _FEW_ROWS else _MANY_ROWS)
        for place, row in enumerate(state.objects):
            if rows[place : place + 1] != (row,):
                self._draw_row(place, row)
        is_other = current_id != state.current_id or [one.id for one in rows] != [
            one.id for one in state.objects
        ]
        if is_other and not self._is_pressed:  # Qt chooses the row that was pressed, when it has told of it
            self._choose(chosen, state.current_id)
        self.rows.blockSignals(False)

    def _draw_row(self, place: int, row: ObjectRow) -> None:
        planes = str(row.n_planes) if row.n_planes else ""
        texts = ("", row.name or "next object", row.class_name, row.size or (row.note and "none"), planes, "")
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            item.setToolTip(_tip(row, column))
            flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
            if column == _NAME:
                item.setIcon(_swatch(row.colour))
                item.setData(Qt.ItemDataRole.UserRole, row.id)
                flags |= Qt.ItemFlag.ItemIsEditable
            if column in (_SHOWN, _LOCKED):
                flags |= Qt.ItemFlag.ItemIsUserCheckable
                is_on = row.is_visible if column == _SHOWN else row.locked
                item.setCheckState(Qt.CheckState.Checked if is_on else Qt.CheckState.Unchecked)
            if column in (_SIZE, _PLANES):
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setFlags(flags)
            self.rows.setItem(place, column, item)

    def _choose(self, chosen: list[int], current_id: int) -> None:
        ids = [row.id for row in self._state.objects]
        self.rows.clearSelection()
        if current_id in ids:
            self.rows.setCurrentCell(ids.index(current_id), _NAME)
        model, selection = self.rows.model(), self.rows.selectionModel()
        for one in chosen:
            if one in ids and model is not None and selection is not None:
                flags = selection.SelectionFlag.Select | selection.SelectionFlag.Rows
                selection.select(model.index(ids.index(one), _NAME), flags)

    def _id_at(self, row: int) -> int:
        item = self.rows.item(row, _NAME)
        return 0 if item is None else int(item.data(Qt.ItemDataRole.UserRole))

    # What was pressed

    def _chosen(self, row: int, *_: int) -> None:
        if row >= 0:
            self._is_pressed = True
            self.object_chosen.emit(self._id_at(row))
            self._is_pressed = False

    def _edited(self, item: QTableWidgetItem) -> None:
        object_id, is_on = self._id_at(item.row()), item.checkState() == Qt.CheckState.Checked
        self._drawn = None  # what was typed or ticked may be refused: draw the row again
        if item.column() == _NAME:
            self.renamed.emit(object_id, item.text())
        elif item.column() == _SHOWN:
            self.shown.emit(object_id, is_on)
        elif item.column() == _LOCKED:
            self.locked.emit(object_id, is_on)

    def _menu_at(self, place: QPoint) -> None:
        viewport = self.rows.viewport()
        if viewport is not None:
            self.menu.popup(viewport.mapToGlobal(place))

    def _fill_menu(self) -> None:
        """List what can be done with the chosen objects now."""
        self.menu.clear()
        ids = self.chosen_ids
        several = len(ids) > 1
        for text, name, is_possible in (
            ("Go to it", "go to", len(ids) == 1),
            ("Show only this", "show only", bool(ids)),
            ("Colour…", "colour", bool(ids)),
            ("Merge", "merge", several),
            ("Split into pieces", "split", len(ids) == 1),
            ("Delete", "delete", bool(ids)),
            ("Count without gaps", "renumber", True),
        ):
            self._add(self.menu, text, name, ids, is_possible)
        classes = self.menu.addMenu("Class")
        if classes is None:
            return
        for name in ("", *self._state.classes):
            action = classes.addAction(name or "none")
            if action is not None:
                action.setEnabled(bool(ids))
                action.triggered.connect(lambda _, name=name: self.class_chosen.emit(ids, name))
        classes.addSeparator()
        for text, name in (("New…", "new class"), ("Load…", "load classes"), ("Save…", "save classes")):
            self._add(classes, text, name, ids, name != "save classes" or bool(self._state.classes))

    def _add(self, menu: Any, text: str, name: str, ids: list[int], is_possible: bool) -> None:
        action = menu.addAction(text)
        action.setEnabled(is_possible)
        action.triggered.connect(lambda _: self.action_chosen.emit(name, ids))


class _Table(QTableWidget):
    """A table that leaves letters to the keys of the window: Qt would type them into a name, or search."""

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Move, choose and edit (F2) by keys; hand on what is a letter."""
        if event is not None and event.text().isalpha():
            event.ignore()
        else:
            super().keyPressEvent(event)


def _make_table() -> QTableWidget:
    table = _Table(0, len(_HEADS))
    triggers = QAbstractItemView.EditTrigger
    table.setEditTriggers(triggers.DoubleClicked | triggers.EditKeyPressed)
    table.setHorizontalHeaderLabels(list(_HEADS))
    table.setIconSize(QSize(12, 12))
    table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
    table.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
    table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
    table.setShowGrid(False)
    table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    table.setToolTip(
        "Prompts are for the object chosen here; double click changes its name.\n"
        "On the image, Shift+S chooses the one under the mouse.\n"
        "The first box shows it, the last one locks it. Right click for more."
    )
    rows, columns = table.verticalHeader(), table.horizontalHeader()
    if rows is not None and columns is not None:
        rows.setVisible(False)
        rows.setDefaultSectionSize(_ROW_PX)
        columns.setMinimumSectionSize(20)
        columns.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        columns.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
    _show_rows(table, _FEW_ROWS)
    return table


def _show_rows(table: QTableWidget, n_rows: int) -> None:
    """Make a table so high that so many rows are in sight."""
    columns = table.horizontalHeader()
    if columns is not None:
        table.setFixedHeight(columns.sizeHint().height() + n_rows * _ROW_PX + 4)


def _tip(row: ObjectRow, column: int) -> str:
    if column == _SHOWN:
        return "Shown" if row.is_visible else "Hidden"
    if column == _LOCKED:
        return "Accepted: nothing changes it" if row.locked else "Not locked"
    if row.note:
        return row.note
    return f"Object {row.id}: {row.name or 'starts with the next prompt'}"


def _swatch(colour: tuple[int, int, int]) -> QIcon:
    pixmap = QPixmap(12, 12)
    pixmap.fill(QColor(*colour))
    icon = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected, QIcon.Mode.Disabled):
        icon.addPixmap(pixmap, mode)
    return icon
