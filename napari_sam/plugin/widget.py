"""The dock widget: it puts panels, layers, mouse, keys, worker and controller together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from napari_sam import zoo
from napari_sam.core.segmenter import Segmenter
from napari_sam.plugin._clean_panel import CleanPanel
from napari_sam.plugin._dialogs import ask_labels, ask_save_path, ask_table, ask_weights
from napari_sam.plugin._image_panel import ImagePanel
from napari_sam.plugin._measure_panel import MeasurePanel
from napari_sam.plugin._model_panel import ModelPanel
from napari_sam.plugin._napari_view import NapariView
from napari_sam.plugin._object_panel import ObjectPanel
from napari_sam.plugin._prompt_panel import PromptPanel
from napari_sam.plugin._save_panel import SavePanel
from napari_sam.plugin._status_panel import StatusPanel
from napari_sam.plugin._volume_panel import VolumePanel
from napari_sam.plugin._wiring import (
    key_actions,
    wire_clean,
    wire_image,
    wire_measure,
    wire_model,
    wire_object,
    wire_prompt,
    wire_volume,
)
from napari_sam.plugin._worker import Worker
from napari_sam.plugin._writer import offered_suffixes
from napari_sam.plugin.controller import Controller
from napari_sam.plugin.view import PanelState

__all__ = ["SamWidget", "load_model"]


def load_model(name: str, weights: Path | None) -> Segmenter:
    """Load a model; called on a worker thread, for torch takes seconds to import."""
    from napari_sam.engine import load_segmenter

    return load_segmenter(name, weights=weights)


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
        self.status = StatusPanel()
        self.panels = (
            self.image, self.model, self.object, self.prompt, self.volume, self.clean,
            self.measure, self.end
        )  # fmt: skip
        self._lay_out()
        self.view = NapariView(
            napari_viewer,
            self._draw,
            self.prompt.set_tool,
            self.image.set_images,
            self.status.show_cursor,
        )
        self.controller = Controller(self.view, Worker(), Worker(), load_model)
        self._connect()
        self.destroyed.connect(_Stopper(self.view, self.controller))

    def _lay_out(self) -> None:
        steps = QWidget()
        column = QVBoxLayout(steps)
        column.setContentsMargins(4, 0, 4, 4)
        column.setSpacing(3)
        for panel in self.panels:
            column.addWidget(panel)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(steps)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(self.status)
        whole.addWidget(scroll, 1)
        self.setMinimumWidth(290)

    def _connect(self) -> None:
        control, view = self.controller, self.view
        wire_image(self.image, view)
        wire_model(self.model, control, self._choose_weights)
        wire_object(self.object, control, self._load)
        wire_prompt(self.prompt, control, view)
        wire_volume(self.volume, control)
        wire_clean(self.clean, control)
        wire_measure(self.measure, control, self._save_table)
        self.end.accept_pressed.connect(control.objects.accept)
        self.end.save_pressed.connect(self._save)
        view.connect(control, key_actions(control, view, self.volume))

    def _draw(self, state: PanelState) -> None:
        for panel in (*self.panels, self.status):
            panel.draw(state)

    def _choose_weights(self) -> None:
        path = ask_weights(self)
        if path is not None:
            self.controller.choose_model(self.model.name, path)

    def _load(self) -> None:
        path = ask_labels(self)
        if path is not None:
            self.controller.label_files.load(path)

    def _save(self) -> None:
        source, session = self.controller.stage.cases.source, self.controller.session
        name = "image" if source is None else source.name
        suffixes = offered_suffixes(None if session is None else session.volume)
        path = ask_save_path(self, f"{name}-labels{suffixes[0]}", suffixes)
        if path is not None:
            self.controller.label_files.save(path)

    def _save_table(self) -> None:
        path = ask_table(self)
        if path is not None:
            self.controller.measure.save(path)

    def event(self, event: QEvent | None) -> bool:
        """Stop all work when napari takes the widget out of its window."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self.controller.close()
            self.view.close()
        return super().event(event)


class _Stopper:
    """Stops what runs when Qt has destroyed the widget, and touches nothing of Qt."""

    def __init__(self, view: NapariView, controller: Controller) -> None:
        self._view = view
        self._controller = controller

    def __call__(self, *_: object) -> None:
        self._controller.close()
        self._view.stop()
