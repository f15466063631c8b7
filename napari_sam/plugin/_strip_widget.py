"""A strip along the planes: a bar each, coloured by who drew it; press to go there, drag the handles."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_sam.plugin._plane_marks import WITHOUT_VOXELS, PlaneMark, StripState
from napari_sam.plugin._strip_text import describe_mark

__all__ = ["COLOURS", "PlaneStrip"]

COLOURS = {
    "prompted": "#2ee66b",
    "painted": "#2ee66b",
    "propagated": "#4f9de8",
    "repaired": "#4f9de8",
    "interpolated": "#b48ee8",
    "doubtful": "#ffb020",
    "stopped": "#ff5252",
    "held": "#ffb020",
}
"""Colour of each state; they stay apart in grey, and to eyes that do not tell red from green."""

_HEIGHT, _FOOT, _GRIP = 64, 12, 6


@dataclass
class _Held:
    """What the mouse holds: ``"plane"``, ``"first"``, ``"last"`` or ``"least"``."""

    part: str = ""


class PlaneStrip(QWidget):
    """The strip. It draws a `StripState` and says what was pressed or dragged.

    Signals
    -------
    plane_pressed : int
        Go to this plane.
    reach_dragged : int, int
        First and last plane that a propagation may go to.
    least_dragged : float
        Below this surety a plane is doubtful.
    """

    plane_pressed = Signal(int)
    reach_dragged = Signal(int, int)
    least_dragged = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self._state = StripState()
        self._held = _Held()

    def sizeHint(self) -> QSize:
        """Return the size that suits."""
        return QSize(260, _HEIGHT)

    def show_state(self, state: StripState) -> None:
        """Draw a state."""
        if state != self._state:
            self._state = state
            self.update()

    # Places

    def x_of(self, index: float) -> float:
        """Return the middle of a plane's bar, in pixels."""
        return (index + 0.5) * self.width() / max(self._state.n_planes, 1)

    def plane_at(self, x: float) -> int:
        """Return the plane under a pixel."""
        n = max(self._state.n_planes, 1)
        return min(max(int(x * n / max(self.width(), 1)), 0), n - 1)

    def y_of(self, surety: float) -> float:
        """Return the height of a surety, in pixels from the top."""
        return 2 + (1.0 - surety) * (self.height() - _FOOT - 4)

    # Drawing

    def paintEvent(self, _: QPaintEvent | None) -> None:
        """Draw all of it."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), self.palette().base())
        if self._state.n_planes:
            self._draw_bars(painter)
            self._draw_ready(painter)
            self._draw_surety(painter)
            self._draw_reach(painter)
            self._draw_shown(painter)
        painter.end()

    def _draw_bars(self, painter: QPainter) -> None:
        floor = self.height() - _FOOT
        width = max(self.width() / self._state.n_planes, 1.0)
        largest = max((mark.area_px or 0 for mark in self._state.marks), default=0)
        for mark in sorted(self._state.marks, key=self._importance):
            left = mark.index * self.width() / self._state.n_planes
            share = ((mark.area_px or 0) / largest) ** 0.5 if largest else 0.0
            height = 4.0 if mark.state == "stopped" else max(6.0, share * (floor - 4) or 0.6 * floor)
            gap = 1.0 if width > 4 else 0.0
            colour = COLOURS["doubtful" if mark.is_doubtful(self._state.least) else mark.state]
            painter.fillRect(QRectF(left, floor - height, width - gap, height), QColor(colour))

    def _importance(self, mark: PlaneMark) -> int:
        """Say what is drawn last, where several planes share a pixel."""
        if mark.is_doubtful(self._state.least):
            return 2
        return 3 if mark.state in ("prompted", "painted") else 1 if mark.state == "stopped" else 0

    def _draw_ready(self, painter: QPainter) -> None:
        colour = QColor(self.palette().text().color())
        colour.setAlpha(110)
        scale, floor = self.width() / self._state.n_planes, self.height() - _FOOT
        for index in self._state.ready:
            painter.fillRect(QRectF(index * scale, floor, max(scale, 1.0), 2), colour)

    def _draw_surety(self, painter: QPainter) -> None:
        text = self.palette().text().color()
        painter.setPen(QPen(text, 1))
        line = QPolygonF()
        for mark in self._state.marks:
            if mark.surety is not None and mark.state not in ("interpolated", *WITHOUT_VOXELS):
                line.append(QPointF(self.x_of(mark.index), self.y_of(mark.surety)))
        painter.drawPolyline(line)
        if self._state.marks:
            painter.setPen(QPen(QColor(COLOURS["doubtful"]), 1, Qt.PenStyle.DashLine))
            y = self.y_of(self._state.least)
            painter.drawLine(QPointF(0, y), QPointF(self.width(), y))

    def _draw_reach(self, painter: QPainter) -> None:
        first, last = self._state.reach
        scale, floor = self.width() / self._state.n_planes, self.height() - _FOOT
        veil = QColor(self.palette().window().color())
        veil.setAlpha(190)
        left, right = first * scale, (last + 1) * scale
        painter.fillRect(QRectF(0, 0, left, floor), veil)
        painter.fillRect(QRectF(right, 0, self.width() - right, floor), veil)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().text())
        for x, way in ((left, 1), (right, -1)):
            corners = [QPointF(x, floor + 1), QPointF(x, self.height() - 1), QPointF(x + way * 9, floor + 1)]
            painter.drawPolygon(QPolygonF(corners))

    def _draw_shown(self, painter: QPainter) -> None:
        painter.setPen(QPen(self.palette().text().color(), 2))
        x = self.x_of(self._state.shown)
        painter.drawLine(QPointF(x, 0), QPointF(x, self.height() - _FOOT))

    # The mouse

    def mousePressEvent(self, event: QMouseEvent | None) -> None:
        """Take hold of what is under the mouse."""
        if event is not None and self._state.n_planes and event.button() == Qt.MouseButton.LeftButton:
            self._held.part = self._part_at(event.position())
            if self._held.part == "plane":
                self.plane_pressed.emit(self.plane_at(event.position().x()))

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:
        """Drag what is held; else say what is under the mouse."""
        if event is None or not self._state.n_planes:
            return
        place, (first, last) = event.position(), self._state.reach
        index = self.plane_at(place.x())
        if self._held.part == "plane":
            self.plane_pressed.emit(index)
        elif self._held.part == "first":
            self.reach_dragged.emit(min(index, last), last)
        elif self._held.part == "last":
            self.reach_dragged.emit(first, max(index, first))
        elif self._held.part == "least":
            height = self.height() - _FOOT - 4
            self.least_dragged.emit(1.0 - min(max((place.y() - 2) / height, 0.0), 1.0))
        else:
            self._hover(event, index)

    def mouseReleaseEvent(self, _: QMouseEvent | None) -> None:
        """Let go."""
        self._held.part = ""

    def _hover(self, event: QMouseEvent, index: int) -> None:
        part = self._part_at(event.position())
        cursors = {"least": Qt.CursorShape.SizeVerCursor, "plane": Qt.CursorShape.PointingHandCursor}
        self.setCursor(cursors.get(part, Qt.CursorShape.SizeHorCursor))
        texts = {
            "least": f"Planes below {self._state.least:.2f} are doubtful; drag to change that",
            "first": "First plane that propagation goes to; drag to change it",
            "last": "Last plane that propagation goes to; drag to change it",
        }
        mark = next((mark for mark in self._state.marks if mark.index == index), None)
        QToolTip.showText(
            event.globalPosition().toPoint(), texts.get(part) or describe_mark(index, mark), self
        )

    def _part_at(self, place: QPointF) -> str:
        scale = self.width() / max(self._state.n_planes, 1)
        first, last = self._state.reach
        if place.y() > self.height() - _FOOT:
            left, right = first * scale, (last + 1) * scale
            return "first" if abs(place.x() - left) <= abs(place.x() - right) else "last"
        is_near = abs(place.y() - self.y_of(self._state.least)) < _GRIP / 2
        return "least" if is_near and self._state.marks else "plane"
