"""The dock widget: it puts panels, layers, mouse, keys, worker and controller together."""

from __future__ import annotations

from functools import partial
from typing import Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from napari_sam import zoo
from napari_sam.plugin._backstage import find_by_plane, load_model, name_model
from napari_sam.plugin._clean_panel import CleanPanel
from napari_sam.plugin._cuts_panel import CutsPanel
from napari_sam.plugin._everything_panel import EverythingPanel
from napari_sam.plugin._everything_steps import EverythingSteps
from napari_sam.plugin._file_questions import PLUGIN, FileQuestions
from napari_sam.plugin._fitting import needed_now, sections_to_open
from napari_sam.plugin._found_layers import found_layers_of, show_found
from napari_sam.plugin._image_panel import ImagePanel
from napari_sam.plugin._keeping import KeepIn
from napari_sam.plugin._linked_cuts import LinkedCuts
from napari_sam.plugin._measure_panel import MeasurePanel
from napari_sam.plugin._memory import Memory
from napari_sam.plugin._model_panel import ModelPanel
from napari_sam.plugin._moment import Moment
from napari_sam.plugin._napari_view import NapariView
from napari_sam.plugin._object_panel import ObjectPanel
from napari_sam.plugin._prompt_panel import PromptPanel
from napari_sam.plugin._remembering import begin_as_left, remember
from napari_sam.plugin._restore_panel import RestorePanel
from napari_sam.plugin._save_panel import SavePanel
from napari_sam.plugin._section import Section
from napari_sam.plugin._shortcuts_dialog import ShortcutsDialog, bind_help
from napari_sam.plugin._status_panel import StatusPanel
from napari_sam.plugin._volume_panel import VolumePanel
from napari_sam.plugin._wiring import (
    key_actions,
    wire_clean,
    wire_everything,
    wire_image,
    wire_measure,
    wire_model,
    wire_object,
    wire_prompt,
    wire_volume,
)
from napari_sam.plugin._worker import Worker
from napari_sam.plugin.controller import Controller
from napari_sam.plugin.view import PanelState
from napari_sam.settings import Settings

__all__ = ["SamWidget", "find_by_plane", "load_model"]


class SamWidget(QWidget):
    """Segment objects from points and boxes, in six steps from top to bottom.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        Given by napari.
    parent : QWidget, optional
        Qt's owner.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.image, self.model = ImagePanel(), ModelPanel(zoo.names())
        self.object, self.prompt = ObjectPanel(), PromptPanel()
        self.volume, self.clean = VolumePanel(), CleanPanel()
        self.measure, self.end = MeasurePanel(), SavePanel()
        self.everything, self.status = EverythingPanel(), StatusPanel()
        self.cuts = CutsPanel()
        self.restore = RestorePanel()
        self._shortcuts: ShortcutsDialog | None = None
        self._needed: tuple[str, ...] = ()
        self._held_open: set[str] = set()
        self._moment = Moment()
        self._lay_out()
        self.view = NapariView(
            napari_viewer,
            self._draw,
            self.prompt.set_tool,
            self.image.set_images,
            self.status.show_cursor,
        )
        self.controller = Controller(
            self.view,
            Worker(),
            Worker(),
            load_model,
            keep=KeepIn(Settings.resolve().sessions_dir, name_model),
        )
        self.everything_steps = EverythingSteps(
            self.controller.stage,
            find_by_plane,
            partial(show_found, napari_viewer),
            partial(found_layers_of, napari_viewer),
        )
        self.linked = LinkedCuts(
            napari_viewer, self.cuts, lambda: self.view.image, lambda: self.view.layers.labels
        )
        self._viewer = napari_viewer
        self._memory = Memory()
        self._connect()
        begin_as_left(self, self._memory)
        remember(self, self._memory)
        others = (self._moment, self.linked)
        self.destroyed.connect(_Stopper(self.view, self.controller, self.everything_steps, others))

    @property
    def sections(self) -> dict[str, Section]:
        """The steps that fold, by the name under which that is remembered."""
        return {
            "image": self.image,
            "model": self.model,
            "object": self.object,
            "prompt": self.prompt,
            "volume": self.volume,
            "clean": self.clean,
            "measure": self.measure,
            "cuts": self.cuts,
            "end": self.end,
            "everything": self.everything,
        }

    def _lay_out(self) -> None:
        steps = QWidget()
        column = QVBoxLayout(steps)
        column.setContentsMargins(4, 0, 4, 4)
        column.setSpacing(0)
        for panel in self.sections.values():
            panel.pack()
            column.addWidget(panel)
        column.addStretch(1)
        scroll = self._scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(steps)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.status)
        whole.addWidget(self.restore)
        whole.addWidget(scroll, 1)
        self.setMinimumWidth(290)

    def _connect(self) -> None:
        control, view = self.controller, self.view
        ask = FileQuestions(self, self._viewer, control)
        wire_image(self.image, view)
        wire_model(self.model, control, lambda: ask.weights(self.model.name))
        wire_object(self.object, control, ask.labels)
        wire_prompt(self.prompt, control, view)
        wire_volume(self.volume, control)
        wire_clean(self.clean, control)
        wire_measure(self.measure, control, ask.table)
        wire_everything(self.everything, self.everything_steps)
        self.image.sample_pressed.connect(lambda: self._viewer.open_sample(PLUGIN, "phantom"))
        self.image.file_pressed.connect(ask.image)
        self.image.folder_pressed.connect(ask.folder)
        self.status.help_pressed.connect(self.show_shortcuts)
        bind_help(self, self.show_shortcuts)
        for section in self.sections.values():
            section.header.clicked.connect(lambda _, one=section: self._reveal(one))
        view.on_screen, view.on_help = self.image.show_screen, self.show_shortcuts
        self.restore.restore_pressed.connect(control.keeping.restore)
        self.restore.dismiss_pressed.connect(control.keeping.turn_down)
        self.end.session_saved.connect(ask.save_session)
        self.end.session_opened.connect(ask.open_session)
        self.end.accept_pressed.connect(control.objects.accept)
        self.end.save_pressed.connect(ask.save)
        view.connect(control, key_actions(control, view, self.volume))

    def _draw(self, state: PanelState) -> None:
        for panel in self.sections.values():
            panel.draw(state)
        self.status.draw(state)
        self.restore.draw(state)
        self.everything.show_state(self.everything_steps.state)
        needed = needed_now(state)
        if needed != self._needed:
            self._needed = needed
            self._fit()

    def _fit(self) -> None:
        """Fold what is not needed now where there is not room for all; not what the person folds or opens."""
        if not self.isVisible():
            return
        sections = self.sections
        chosen = {name: not folded for name, folded in self._memory.now.folded.items()}
        titles = sum(one.header.sizeHint().height() + 4 for one in sections.values()) + 4
        room = self.height() - self.status.sizeHint().height() - titles
        heights = {name: one.content.sizeHint().height() + 2 for name, one in sections.items()}
        opened = sections_to_open(self._needed, heights, room, chosen)
        for name, section in sections.items():
            if name not in self._held_open:
                section.fold(name not in opened)

    def show_everything(self) -> None:
        """Unfold what needs no prompts."""
        self._held_open.add("everything")
        self.everything.fold(False)
        self._reveal(self.everything)

    def _reveal(self, section: Section) -> None:
        """Bring all of a section that was unfolded into sight, once its room is known."""
        self._moment.wait(lambda: None if section.is_folded else self._scroll.ensureWidgetVisible(section))

    def prepare(self) -> None:
        """Encode all planes of the chosen image ahead of the prompts."""
        self.everything_steps.prepare()

    def show_shortcuts(self) -> None:
        """Show the list of keys, beside the work."""
        if self._shortcuts is None:
            self._shortcuts = ShortcutsDialog(self)
        self._shortcuts.show()
        self._shortcuts.raise_()

    def event(self, event: QEvent | None) -> bool:
        """Fit the steps into the room, and stop all work when napari takes the widget out of its window."""
        kind = None if event is None else event.type()
        if kind == QEvent.Type.ParentChange and self.parent() is None:
            self.everything_steps.cancel()
            self.everything_steps.taking.close()
            self.controller.close()
            self.view.close()
        is_done = super().event(event)
        if kind in (QEvent.Type.Resize, QEvent.Type.Show):
            self._fit()
        return is_done


class _Stopper:
    """Stops what runs when Qt has destroyed the widget, and touches nothing of Qt."""

    def __init__(
        self,
        view: NapariView,
        controller: Controller,
        everything: EverythingSteps,
        others: tuple[Moment, LinkedCuts],
    ) -> None:
        self._others = others
        self._view = view
        self._controller = controller
        self._everything = everything

    def __call__(self, *_: object) -> None:
        for other in self._others:
            other.stop()
        self._everything.walk.cancel()
        self._everything.taking.close()
        self._controller.close()
        self._view.stop()
