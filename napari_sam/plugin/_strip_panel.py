"""The strip along the planes with its buttons, inside the step of propagation."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from napari_sam.plugin._plane_marks import BY_HAND, WITHOUT_VOXELS, StripState
from napari_sam.plugin._section import make_button
from napari_sam.plugin._strip_text import describe_mark, summary
from napari_sam.plugin._strip_widget import PlaneStrip

__all__ = ["StripPanel"]


class StripPanel(QWidget):
    """What propagation did in each plane, and the way through the planes that it is unsure of."""

    next_pressed = Signal()
    confirm_pressed = Signal()
    again_pressed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.strip = PlaneStrip()
        self.strip.setToolTip(
            "The planes, first to last: press to go to one; drag the handles and the line.\n"
            "A thin line below marks planes that the model knows: prompts there are answered at once."
        )
        self.total, self.here = QLabel(), QLabel()
        for label in (self.total, self.here):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.next = make_button(
            "Next in doubt", "Show the next plane that propagation is unsure of", "next in doubt"
        )
        self.confirm = make_button(
            "Confirm", "This plane is right: propagation does not change it from now on", "confirm"
        )
        self.again = make_button(
            "This stretch",
            "Propagate again between the nearest planes that you prompted, drew or confirmed",
            "stretch",
        )
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        grid.addWidget(self.strip, 0, 0, 1, 3)
        grid.addWidget(self.total, 1, 0, 1, 3)
        grid.addWidget(self.here, 2, 0, 1, 3)
        for column, (button, signal) in enumerate(
            (
                (self.next, self.next_pressed),
                (self.confirm, self.confirm_pressed),
                (self.again, self.again_pressed),
            )
        ):
            grid.addWidget(button, 3, column)
            button.clicked.connect(signal)

    def draw(self, state: StripState) -> None:
        """Show a state; nothing where there is one plane."""
        self.setVisible(state.n_planes > 1)
        self.strip.show_state(state)
        self.total.setText(summary(state))
        here = describe_mark(state.shown, state.mark_shown) if state.marks else ""
        width_px = self.here.width()
        self.here.setText(self.here.fontMetrics().elidedText(here, Qt.TextElideMode.ElideRight, width_px))
        self.here.setToolTip(here)
        self.next.setEnabled(state.n_doubtful > 0)
        mark = state.mark_shown
        is_drawn = mark is not None and mark.state not in (*BY_HAND, *WITHOUT_VOXELS)
        self.confirm.setEnabled(state.can_change and is_drawn)
        self.again.setEnabled(state.can_change and bool(state.marks))
