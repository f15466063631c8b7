"""The two other cuts beside the one in the viewer: a section that is folded at first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QImage, QPainter
from qtpy.QtWidgets import QLabel, QVBoxLayout, QWidget

from napari_sam.plugin._cuts import Cut
from napari_sam.plugin._section import Section
from napari_sam.plugin.view import PanelState

__all__ = ["CutPicture", "CutsPanel"]

HEIGHT_PX = 170
_CROSS = QColor(255, 208, 0, 150)


class CutPicture(QWidget):
    """One cut, with a cross where the other two are; press or drag in it to go there."""

    picked = Signal(tuple)

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(HEIGHT_PX)
        self.setToolTip("Press or drag to take the viewer, and the other cut, there")
        self.cut: Cut | None = None
        self._image: QImage | None = None
        self._bytes = b""
        self._cross = (0.5, 0.5)
        self._title = ""

    def show_cut(self, cut: Cut, picture: NDArray[np.uint8], cross: tuple[float, float], title: str) -> None:
        """Show a picture (H, W, 3) of a cut, and the cross at these parts of its height and width."""
        height, width = picture.shape[:2]
        self._bytes = picture.tobytes()  # Qt does not copy them
        self._image = QImage(self._bytes, width, height, 3 * width, QImage.Format.Format_RGB888)
        self.cut, self._cross, self._title = cut, cross, title
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self.cut = self._image = None
        self.update()

    @property
    def frame(self) -> QRectF:
        """Where the picture is: as large as there is room, true to its mm."""
        height_mm, width_mm = (1.0, 1.0) if self.cut is None else self.cut.size_mm
        zoom = min(self.height() / height_mm, self.width() / width_mm)
        high, wide = height_mm * zoom, width_mm * zoom
        return QRectF((self.width() - wide) / 2, (self.height() - high) / 2, wide, high)

    def paintEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Draw picture, cross and title."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), Qt.GlobalColor.black)
        if self._image is not None:
            frame = self.frame
            painter.drawImage(frame, self._image)
            painter.setPen(_CROSS)
            row, col = self._cross
            y, x = frame.top() + row * frame.height(), frame.left() + col * frame.width()
            painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))
            painter.drawLine(QPointF(x, frame.top()), QPointF(x, frame.bottom()))
            painter.setPen(Qt.GlobalColor.white)
            painter.drawText(self.rect().adjusted(5, 3, -5, -3), Qt.AlignmentFlag.AlignLeft, self._title)
        painter.end()

    def mousePressEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Go there."""
        self._pick(event)

    def mouseMoveEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Go there, while the button is held."""
        self._pick(event)

    def _pick(self, event: Any) -> None:
        if self.cut is None or not event.buttons() & Qt.MouseButton.LeftButton:
            return
        frame, at = self.frame, event.position()
        part_hw = ((at.y() - frame.top()) / frame.height(), (at.x() - frame.left()) / frame.width())
        self.picked.emit(self.cut.voxel_at(part_hw))


class CutsPanel(Section):
    """The two other cuts through the voxel under the cursor."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__("Other cuts", is_folded=True)
        self.header.setToolTip("The two other cuts through the voxel under the cursor, with the objects")
        self.pictures = (CutPicture(), CutPicture())
        self.note = QLabel()
        self.note.setWordWrap(True)
        column = QVBoxLayout(self.content)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        for picture in self.pictures:
            column.addWidget(picture)
        column.addWidget(self.note)
        self.folded.connect(lambda _: self.changed.emit())

    def draw(self, state: PanelState) -> None:
        """Say that labels or image may have changed; what is shown comes from the viewer."""
        self.changed.emit()

    def say(self, note: str) -> None:
        """Show why there are no other cuts; "" where there are."""
        self.note.setText(note)
        self.note.setVisible(bool(note))
        for picture in self.pictures:
            picture.setVisible(not note)
