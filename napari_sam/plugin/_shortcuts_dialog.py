"""The list of shortcuts, in a window beside napari's."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QDialog, QLabel, QScrollArea, QShortcut, QVBoxLayout, QWidget

from napari_sam.plugin._bindings import KEYS
from napari_sam.plugin._shortcuts import shortcuts_html

__all__ = ["ShortcutsDialog", "bind_help"]


class ShortcutsDialog(QDialog):
    """Keys and mouse, without stopping the work."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keys and mouse")
        self.text = QLabel(shortcuts_html())
        self.text.setTextFormat(Qt.TextFormat.RichText)
        self.text.setMargin(10)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self.text)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scroll)
        size = self.text.sizeHint()
        self.resize(size.width() + 30, min(size.height() + 10, 640))


def bind_help(owner: QWidget, show: Any) -> QShortcut:
    """Let the key of help do this outside the canvas, too; text fields still take it as text."""
    shortcut = QShortcut(QKeySequence(KEYS["help"]), owner)
    shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
    shortcut.activated.connect(show)
    return shortcut
