"""What all panels of the dock are made of: sections that fold, and buttons whose tip says their key."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_sam.plugin._bindings import KEYS
from napari_sam.plugin.view import PanelState

__all__ = ["Section", "make_button", "make_menu_button"]

_NUMBER_PX, _CHOICE_PX, _AROUND_TEXT_PX = 52, 80, 2
"""How narrow parts may become."""


class Section(QWidget):
    """A step of the dock: a title to press, and below it what folds away.

    Parameters
    ----------
    title : str
        What the step is called.
    is_folded : bool
        Whether it begins folded away.
    """

    folded = Signal(bool)

    def __init__(self, title: str, *, is_folded: bool = False) -> None:
        super().__init__()
        self.header = QToolButton()
        self.header.setText(title)
        self.header.setCheckable(True)
        self.header.setChecked(not is_folded)
        self.header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.header.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.header.setStyleSheet("QToolButton { border: none; font-weight: bold; text-align: left; }")
        self.content = QWidget()
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 2, 4, 2)
        column.setSpacing(2)
        column.addWidget(self.header)
        column.addWidget(self.content)
        self.header.toggled.connect(self._toggled)
        self._toggled(not is_folded)

    @property
    def is_folded(self) -> bool:
        """Whether only the title is shown."""
        return not self.header.isChecked()

    def fold(self, is_folded: bool) -> None:
        """Fold the content away, or show it."""
        self.header.setChecked(not is_folded)

    def pack(self) -> None:
        """Leave no room unused around the content and between its parts, and let these be narrow.

        Where one section is wider than the dock, all are cut: Qt asks for more room for a number or a choice
        than what it holds needs, and a long name of an image must not push buttons out of sight.
        """
        for number in self.content.findChildren(QAbstractSpinBox):
            number.setStyleSheet(f"QAbstractSpinBox {{ min-width: {_NUMBER_PX}px; }}")  # over napari's own
            _leave_on_return(number)
        for choice in self.content.findChildren(QComboBox):
            choice.setMinimumWidth(_CHOICE_PX)
        for button in self.content.findChildren(QPushButton):
            button.setMinimumWidth(button.fontMetrics().horizontalAdvance(button.text()) + _AROUND_TEXT_PX)
        layout = self.content.layout()
        if layout is not None:
            layout.setContentsMargins(4, 0, 4, 4)
            layout.setSpacing(3)

    def set_title(self, title: str) -> None:
        """Call the step something else."""
        self.header.setText(title)

    def draw(self, state: PanelState) -> None:
        """Show a state; nothing here, for sections that are drawn from a state of their own."""

    def _toggled(self, is_open: bool) -> None:
        self.header.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self.content.setVisible(is_open)
        self.folded.emit(not is_open)


def _leave_on_return(number: QAbstractSpinBox) -> None:
    """Give the keys back to the window once a number is typed: a letter means a tool again."""
    line = number.lineEdit()
    if line is not None:
        line.returnPressed.connect(number.clearFocus)


def _key(action: str) -> str:
    return KEYS[action].replace("Control", "Ctrl").replace("-", "+")


def make_menu_button(text: str, tip: str, menu: QMenu) -> QPushButton:
    """Make a button that opens a menu."""
    button = QPushButton(f"{text} ▾")
    button.setToolTip(tip)
    button.setStyleSheet("QPushButton::menu-indicator { image: none; width: 0; }")
    button.setMenu(menu)
    return button


def make_button(text: str, tip: str, action: str | None = None) -> QPushButton:
    """Make a button whose tip says the key that does the same."""
    button = QPushButton(text)
    button.setToolTip(tip if action is None else f"{tip}\nKey: {_key(action)}")
    return button
