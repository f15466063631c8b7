"""The dock begins as it was left: sections, model, tool and options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from napari_sam.plugin._everything_panel import EverythingPanel
from napari_sam.plugin._gestures import Tool
from napari_sam.plugin._memory import Memory
from napari_sam.plugin._model_panel import ModelPanel
from napari_sam.plugin._napari_view import NapariView
from napari_sam.plugin._prompt_panel import PromptPanel
from napari_sam.plugin._section import Section
from napari_sam.plugin.controller import Controller

__all__ = ["Dock", "begin_as_left", "remember"]


class Dock(Protocol):
    """What is needed of the dock widget."""

    everything: EverythingPanel
    model: ModelPanel
    prompt: PromptPanel
    controller: Controller
    view: NapariView

    @property
    def sections(self) -> dict[str, Section]:
        """The steps that fold, by the name under which that is remembered."""
        ...


def begin_as_left(dock: Dock, memory: Memory) -> None:
    """Fold, choose and set what was folded, chosen and set when the window was used last."""
    for name, section in dock.sections.items():
        if name in memory.now.folded:
            section.fold(memory.now.folded[name])
    dock.everything.set_options(in_all=memory.now.finds_in_all, joins=memory.now.joins)
    if memory.now.model and dock.model.choose(memory.now.model):
        dock.controller.choose_model(memory.now.model)
    tools = {tool.value: tool for tool in Tool}
    tool = tools.get(memory.now.tool, Tool.MOVE)
    if tool is not Tool.MOVE:
        stage = dock.controller.stage

        def take_up() -> None:
            stage.on_open.remove(take_up)
            dock.view.choose_tool(tool)

        if stage.case is None:
            stage.on_open.append(take_up)
        else:
            dock.view.choose_tool(tool)


def remember(dock: Dock, memory: Memory) -> None:
    """Note from now on what a person folds, chooses and sets."""
    for name, section in dock.sections.items():
        section.header.clicked.connect(_note_folding(memory, name))
    everything = dock.everything
    everything.options_chosen.connect(
        lambda: memory.keep(finds_in_all=everything.in_all, joins=everything.joins.isChecked())
    )
    dock.prompt.tool_chosen.connect(lambda tool: memory.keep(tool=tool.value))
    dock.model.model_chosen.connect(lambda name: memory.keep(model=name))


def _note_folding(memory: Memory, name: str) -> Callable[[bool], None]:
    """Return what notes a press on a title; a plain function, for PySide6 gives a `partial` no argument."""

    def note(is_open: bool) -> None:
        memory.keep_folded(name, not is_open)

    return note
