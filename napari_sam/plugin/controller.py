"""The plugin's logic: what a click, a drag or a button does, and what the window then shows.

All of it runs on the window's thread, but for the `work` of jobs, and knows neither Qt, napari nor torch.
Each group of steps stands in a module of its own and knows the others through the `Stage` alone.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

from napari_sam.core.planes import PlaneRef
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.nodes.classes_file import read_classes, write_classes
from napari_sam.nodes.measurement_table import save_measurements
from napari_sam.plugin._cases import ImageSource
from napari_sam.plugin._clean_steps import CleanSteps
from napari_sam.plugin._giving_way import GivingWay
from napari_sam.plugin._guidance import Steps, panel_state
from napari_sam.plugin._jobs import Background
from napari_sam.plugin._keeping import KeepIn, Keeping
from napari_sam.plugin._label_files import LabelFiles, Save, write_labels
from napari_sam.plugin._measure_steps import MeasureSteps
from napari_sam.plugin._model_slot import Load
from napari_sam.plugin._object_steps import ObjectSteps
from napari_sam.plugin._prompt_steps import PromptSteps
from napari_sam.plugin._stage import Stage
from napari_sam.plugin._strip_steps import StripSteps
from napari_sam.plugin._table_steps import TableSteps
from napari_sam.plugin._volume_steps import VolumeSteps
from napari_sam.plugin.view import View

__all__ = ["Controller", "ImageSource", "Save"]


class Controller:
    """Turns what a person does into sessions, jobs and what the view shows.

    Parameters
    ----------
    view : View
        The window.
    background : Background
        Runs the model's jobs one after the other.
    files : Background
        Runs what writes files, beside the model.
    load : callable
        (model's name, weights file or None) to `Segmenter`; called on another thread.
    save : callable, optional
        (path, labels, source volume, segments); called on another thread. `volumes.write` when None.
    keep : KeepIn, optional
        Where the sessions are kept as they grow; they are not kept when None.
    """

    def __init__(
        self,
        view: View,
        background: Background,
        files: Background,
        load: Load,
        save: Save | None = None,
        keep: KeepIn | None = None,
    ) -> None:
        self.stage = Stage(view, background, files, load, self.show)
        self.prompts, self.giving_way = PromptSteps(self.stage), GivingWay(self.stage)
        self.objects = ObjectSteps(self.stage)
        self.volume = VolumeSteps(self.stage, self.prompts)
        self.strip = StripSteps(self.stage, self.volume, self.prompts.asking, self.giving_way)
        self.clean = CleanSteps(self.stage)
        self.prompts.limit_stroke = self.clean.limited
        self.table = TableSteps(self.stage, (read_classes, write_classes), self.giving_way)
        self.label_files = LabelFiles(self.stage, save or write_labels)
        self.measure = MeasureSteps(self.stage, self.label_files.segments_of, save_measurements)
        self.keeping = Keeping(self.stage, keep)
        self._steps = Steps(
            self.stage,
            self.prompts,
            self.volume,
            self.strip,
            self.clean,
            self.measure,
            self.table,
            self.keeping,
            self.label_files,
            self.giving_way,
        )

    @property
    def session(self) -> Session | None:
        """The chosen image's session; None before it is read."""
        return self.stage.session

    @property
    def plane(self) -> PlaneRef | None:
        """The shown plane; None in a 3-D view."""
        return self.stage.plane

    def choose_image(self, source: ImageSource | None) -> None:
        """Work on this image from now on; labels made on another one stay as they are."""
        stage = self.stage
        if stage.cases.is_chosen(source):
            return
        self.volume.cancel()
        self.prompts.forget()
        stage.cases.choose(source)
        if stage.case is not None and stage.case.is_shown:
            stage.view.show_session(stage.case.session)
        stage.looked()
        stage.say("")

    def drop_image(self, key: Hashable) -> None:
        """Forget an image that has gone."""
        source = self.stage.cases.source
        if source is not None and source.key == key:
            self.choose_image(None)
        self.stage.cases.drop(key)
        self.keeping.drop(key)

    def choose_window(self, request: Window | str | None) -> None:
        """Choose the intensity window: explicit, text as in `parse_window`, or None for the volume's own."""
        self.stage.cases.set_window(request)
        self.stage.say("")

    def choose_model(self, name: str, weights: Path | None = None) -> None:
        """Use this model from the next prompt on."""
        self.stage.model.choose(name, weights)
        if self.stage.case is not None and self.stage.case.is_shown:
            self.stage.model.ensure()
        self.stage.say("")

    def show_plane(self, plane: PlaneRef | None) -> None:
        """Note which plane is shown now; None in a 3-D view."""
        if plane != self.stage.plane:
            self.stage.plane = plane
            self.stage.looked()
            self.prompts.prefetch()

    def labels_gone(self) -> None:
        """Note that the layer with the labels was removed; the next prompt shows it again."""
        if self.stage.case is not None:
            self.stage.case.is_shown = False

    def close(self) -> None:
        """Stop all work; the labels stay."""
        self.keeping.close()
        self.stage.background.close()
        self.stage.files.close()

    def show(self) -> None:
        """Draw the panels again."""
        state = panel_state(self._steps)
        colours = {row.id: row.colour if row.is_visible else None for row in state.objects}
        self.stage.view.show_colours(colours)
        self.stage.view.show_state(state)
