"""The fourth step of the dock: what the mouse does, which candidate is taken, and undo."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QButtonGroup, QHBoxLayout, QLabel, QVBoxLayout

from napari_sam.plugin._bindings import Tool
from napari_sam.plugin._section import Section, make_button
from napari_sam.plugin.view import PanelState

__all__ = ["PromptPanel"]


class PromptPanel(Section):
    """Step 4: what the mouse does, and undo."""

    tool_chosen = Signal(object)
    candidate_pressed = Signal()
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
            Tool.MOVE: make_button("Move", "Pan, zoom and paint as usual in napari; no prompts.", "move"),
        }
        self.candidate = QLabel()
        self.other = make_button(
            "Other candidate",
            "Take the next mask that the model offers: a click may mean a part, the whole, or a group.\n"
            "The score is the model's own guess of how good the mask is.",
            "candidate",
        )
        self.undo = make_button("Undo", "Take the last step back", "undo")
        self.redo = make_button("Redo", "Do the step again that was taken back", "redo")
        self._group = QButtonGroup(self)
        tools, candidates, history = QHBoxLayout(), QHBoxLayout(), QHBoxLayout()
        tools.setSpacing(3)
        for tool, button in self.tools.items():
            button.setCheckable(True)
            button.clicked.connect(lambda _, tool=tool: self.tool_chosen.emit(tool))
            self._group.addButton(button)
            tools.addWidget(button)
        candidates.addWidget(self.candidate, 1)
        candidates.addWidget(self.other)
        self.other.clicked.connect(self.candidate_pressed)
        for button, signal in ((self.undo, self.undo_pressed), (self.redo, self.redo_pressed)):
            button.clicked.connect(signal)
            history.addWidget(button)
        column = QVBoxLayout(self.content)
        column.addLayout(tools)
        column.addLayout(candidates)
        column.addLayout(history)
        self.set_tool(Tool.MOVE)

    def set_tool(self, tool: Tool) -> None:
        """Show which tool is in use."""
        self.tools[tool].setChecked(True)

    def draw(self, state: PanelState) -> None:
        """Show a state."""
        for button in self.tools.values():
            button.setEnabled(state.can_prompt)
        number, n, score = state.candidate or (0, 0, 0.0)
        self.candidate.setText(f"{number} of {n}, score {score:.2f}" if n else "")
        self.other.setEnabled(state.can_cycle)
        self.undo.setEnabled(state.can_undo)
        self.redo.setEnabled(state.can_redo)
