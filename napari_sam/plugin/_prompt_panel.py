"""The fourth step of the dock: what the mouse does, which candidate is taken, and undo."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Signal
from qtpy.QtGui import QAction
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QHBoxLayout, QLabel, QMenu, QVBoxLayout

from napari_sam.plugin._bindings import KEYS
from napari_sam.plugin._gestures import Tool
from napari_sam.plugin._section import Section, make_button, make_menu_button
from napari_sam.plugin._shortcuts import key_text
from napari_sam.plugin.view import PanelState

__all__ = ["PromptPanel"]


class PromptPanel(Section):
    """Step 4: what the mouse does, and undo."""

    tool_chosen = Signal(object)
    candidate_pressed = Signal()
    take_over_pressed = Signal()
    remove_pressed = Signal()
    clear_pressed = Signal()
    refine_pressed = Signal()
    label_pressed = Signal()
    undo_pressed = Signal()
    redo_pressed = Signal()

    def __init__(self) -> None:
        super().__init__("4  Prompts")
        self.tools = {
            Tool.INCLUDE: make_button(
                "+ Point", "Click inside the object.\nRight click or Ctrl+click: not the object.", "include"
            ),
            Tool.EXCLUDE: make_button("− Point", "Click on what is not the object.", "exclude"),
            Tool.BOX: make_button("Box", "Drag a box around the object; clicks still place points.", "box"),
            Tool.LASSO: make_button("Lasso", "Draw loosely around the object: a rough mask of it.", "lasso"),
            Tool.SCRIBBLE: make_button(
                "Scribble", "Draw a stroke in the object; with Ctrl, in what is not the object.", "scribble"
            ),
            Tool.MOVE: make_button("Move", "Pan, zoom and paint as usual in napari; no prompts.", "move"),
        }
        self.candidate = QLabel()
        self.candidate.setToolTip(
            "The model's own guess of how good each of its masks is; bold: the one shown"
        )
        self.other = make_button(
            "Other",
            "Take the next mask that the model offers: a click may mean a part, the whole, or a group.\n"
            "The score is the model's own guess of how good the mask is.",
            "candidate",
        )
        self.take_over = make_button(
            "Take over",
            "Give the object its whole mask of this plane: others that are not locked give way.",
            "take over",
        )
        self.take_over.setVisible(False)
        self.remove = make_button(
            "Remove",
            "Take the newest prompt of this plane back. The key removes the one under the mouse.\n"
            "Points and boxes can be dragged, too.",
            "remove",
        )
        menu = QMenu(self)
        self.clear = _entry(menu, "Clear this plane of the object", "clear plane", self.clear_pressed)
        self.refine = _entry(menu, "Ask again with the mask as it stands", "refine", self.refine_pressed)
        self.label = _entry(menu, "Take another layer's chosen label", "", self.label_pressed)
        self.more = make_menu_button("More", "What else can be done with this plane", menu)
        self.undo = make_button("Undo", "Take the last step back", "undo")
        self.redo = make_button("Redo", "Do the step again that was taken back", "redo")
        self._group = QButtonGroup(self)
        self._lay_out()
        self.set_tool(Tool.MOVE)

    def _lay_out(self) -> None:
        tools, candidates = QGridLayout(), QHBoxLayout()
        tools.setSpacing(3)
        for place, (tool, button) in enumerate(self.tools.items()):
            button.setCheckable(True)
            button.clicked.connect(lambda _, tool=tool: self.tool_chosen.emit(tool))
            self._group.addButton(button)
            tools.addWidget(button, place // 3, place % 3)
        candidates.addWidget(self.candidate, 1)
        candidates.addWidget(self.other)
        self.take_over.clicked.connect(self.take_over_pressed)
        self.other.clicked.connect(self.candidate_pressed)
        steps = QHBoxLayout()
        steps.setSpacing(3)
        for button, signal in (
            (self.undo, self.undo_pressed),
            (self.redo, self.redo_pressed),
            (self.remove, self.remove_pressed),
        ):
            button.clicked.connect(signal)
            steps.addWidget(button)
        steps.addWidget(self.more)
        column = QVBoxLayout(self.content)
        column.setSpacing(4)
        for layout in (tools, candidates, steps):
            column.addLayout(layout)
        column.insertWidget(2, self.take_over)

    def set_tool(self, tool: Tool) -> None:
        """Show which tool is in use."""
        self.tools[tool].setChecked(True)

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        for button in self.tools.values():
            button.setEnabled(state.can_prompt)
        taken, scores = state.candidate or (-1, ())
        shown = (f"<b>{score:.2f}</b>" if k == taken else f"{score:.2f}" for k, score in enumerate(scores))
        self.candidate.setText("Scores " + " · ".join(shown) if scores else "")
        self.other.setEnabled(state.can_cycle)
        self.take_over.setVisible(state.can_take_over)
        self.remove.setEnabled(state.can_remove)
        self.clear.setEnabled(state.can_clear)
        self.refine.setEnabled(state.can_clear)
        self.label.setEnabled(state.can_prompt)
        self.undo.setEnabled(state.can_undo)
        self.redo.setEnabled(state.can_redo)


def _entry(menu: QMenu, text: str, action: str, pressed: Any) -> QAction:
    """Add an entry that says its key and gives a signal."""
    entry = QAction(f"{text}\t{key_text(KEYS[action])}" if action else text, menu)
    entry.triggered.connect(lambda _: pressed.emit())
    menu.addAction(entry)
    return entry
