"""The last section of the dock, folded at first: what needs no prompts."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLabel, QProgressBar, QWidget

from napari_sam.plugin._everything_steps import EverythingState
from napari_sam.plugin._section import Section, make_button
from napari_sam.plugin.view import PanelState

__all__ = ["EverythingPanel"]


class EverythingPanel(Section):
    """Everything in planes without prompts, and planes prepared ahead."""

    find_pressed = Signal(bool, bool)
    prepare_pressed = Signal()
    cancel_pressed = Signal()
    take_pressed = Signal()
    take_one_pressed = Signal()
    options_chosen = Signal()

    def __init__(self) -> None:
        super().__init__("Without prompts", is_folded=True)
        self.where = QComboBox()
        self.where.addItems(["This plane", "All planes"])
        self.where.setToolTip("Where to look: the shown plane, or all planes along the axis you step through")
        self.joins = QCheckBox("Join through planes")
        self.joins.setToolTip("Give what overlaps from one plane to the next the same label")
        self.joins.setChecked(True)
        self.start = make_button(
            "Find everything",
            "Find all objects that stand out, without a prompt, as labels in a layer of their own",
        )
        self.prepare = make_button(
            "Prepare planes",
            "Encode all planes of this image now, so that every later prompt is answered at once",
        )
        self.take = make_button(
            "Take as objects",
            "Make objects of step 3 of all that was found: to name, correct, follow, measure and save.\n"
            "Objects that are there already keep their voxels; Undo takes all of them back",
        )
        self.take_one = make_button("Take this one", "")
        self.cancel = make_button("Cancel", "Stop; the planes that are done stay")
        self.bar, self.left = QProgressBar(), QLabel()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(5)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        grid = QGridLayout(self.content)
        grid.setSpacing(3)
        parts: tuple[QWidget, ...] = (
            self.where,
            self.joins,
            self.start,
            self.prepare,
            self.take,
            self.take_one,
            self.left,
            self.cancel,
        )
        for place, widget in enumerate(parts):
            grid.addWidget(widget, place // 2, place % 2)
        grid.addWidget(self.bar, 4, 0, 1, 2)

    def _connect(self) -> None:
        self.start.clicked.connect(lambda: self.find_pressed.emit(self.in_all, self.joins.isChecked()))
        self.prepare.clicked.connect(self.prepare_pressed)
        self.cancel.clicked.connect(self.cancel_pressed)
        self.take.clicked.connect(self.take_pressed)
        self.take_one.clicked.connect(self.take_one_pressed)
        self.where.activated.connect(lambda _: self.options_chosen.emit())
        self.joins.clicked.connect(lambda _: self.options_chosen.emit())

    @property
    def in_all(self) -> bool:
        """Whether to look in all planes."""
        return self.where.currentIndex() == 1

    def set_options(self, *, in_all: bool, joins: bool) -> None:
        """Choose as a person did before."""
        self.where.setCurrentIndex(int(in_all))
        self.joins.setChecked(joins)

    def draw(self, state: PanelState) -> None:
        """Show nothing of it: all is in `show_state`."""

    def show_state(self, state: EverythingState) -> None:
        """Show a state."""
        has_planes = state.n_planes > 1
        self.start.setEnabled(state.can_start)
        self.where.setEnabled(state.can_start and has_planes)
        self.joins.setEnabled(state.can_start and has_planes and self.in_all)
        self.prepare.setEnabled(state.can_start)
        self.cancel.setEnabled(state.can_cancel)
        self.take.setEnabled(bool(state.take.name))
        self.take_one.setEnabled(bool(state.take.chosen))
        self.take_one.setToolTip(
            f"Make an object of label {state.take.chosen} of {state.take.name} alone"
            if state.take.chosen
            else "Choose the layer with what was found and click one of its labels: this makes it an object"
        )
        done, total = state.progress or (0, 0)
        self.bar.setRange(0, total)
        self.bar.setValue(done)
        self.bar.setVisible(state.can_cancel)
        is_long = state.left_s is not None and state.left_s >= 1
        self.left.setText(f"about {state.left_s:.0f} s left" if is_long else "")
