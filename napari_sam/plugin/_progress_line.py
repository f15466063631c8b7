"""A thin line that fills as work is done. Qt's own bar draws the whole window at every step, at once."""

from __future__ import annotations

from qtpy.QtCore import QRectF
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QWidget

__all__ = ["ProgressLine"]

_HEIGHT = 5


class ProgressLine(QWidget):
    """How much is done, from nothing to all; a pale line where that is not known."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(_HEIGHT)
        self.share: float | None = None

    def show_progress(self, done: int, total: int) -> None:
        """Show that so much of so much is done; a total of 0 says that nobody counts."""
        share = None if total == 0 else min(max(done / total, 0.0), 1.0)
        if share != self.share:
            self.share = share
            self.update()

    def paintEvent(self, _: QPaintEvent | None) -> None:
        """Draw the line."""
        painter = QPainter(self)
        colour = QColor(self.palette().highlight().color())
        pale = QColor(colour)
        pale.setAlpha(90)
        painter.fillRect(self.rect(), pale)
        if self.share:
            painter.fillRect(QRectF(0, 0, self.width() * self.share, self.height()), colour)
        painter.end()
