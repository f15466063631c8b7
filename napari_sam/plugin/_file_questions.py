"""Which file? What the window asks before it reads or writes one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari_sam.plugin._dialogs import (
    ask_folder,
    ask_image,
    ask_labels,
    ask_save_path,
    ask_session,
    ask_table,
    ask_weights,
)
from napari_sam.plugin._writer import offered_suffixes
from napari_sam.plugin.controller import Controller

__all__ = ["PLUGIN", "FileQuestions"]

PLUGIN = "napari-sam-volumes"


class FileQuestions:
    """Asks for a file, and hands it on; where the person changes their mind, nothing happens.

    Parameters
    ----------
    parent : QWidget
        Owner of the dialogs.
    viewer : napari.Viewer
        Opens images.
    controller : Controller
        Does the rest.
    """

    def __init__(self, parent: Any, viewer: Any, controller: Controller) -> None:
        self._parent, self._viewer, self._controller = parent, viewer, controller

    def image(self) -> None:
        """Open an image."""
        self._open(ask_image(self._parent))

    def folder(self) -> None:
        """Open a folder of DICOM files or numbered images."""
        self._open(ask_folder(self._parent))

    def _open(self, path: Path | None) -> None:
        if path is not None:
            self._viewer.open(str(path), plugin=PLUGIN)

    def weights(self, model: str) -> None:
        """Use a file of weights with a model."""
        path = ask_weights(self._parent)
        if path is not None:
            self._controller.choose_model(model, path)

    def labels(self) -> None:
        """Begin with the objects of a file."""
        path = ask_labels(self._parent)
        if path is not None:
            self._controller.label_files.load(path)

    def save(self) -> None:
        """Save the labels."""
        source, session = self._controller.stage.cases.source, self._controller.session
        name = "image" if source is None else source.name
        suffixes = offered_suffixes(None if session is None else session.volume)
        path = ask_save_path(self._parent, f"{name}-labels{suffixes[0]}", suffixes)
        if path is not None:
            self._controller.label_files.save(path)

    def table(self) -> None:
        """Save the measurements of all objects."""
        path = ask_table(self._parent)
        if path is not None:
            self._controller.measure.save(path)

    def save_session(self) -> None:
        """Save the session."""
        path = ask_session(self._parent, to_save=True)
        if path is not None:
            self._controller.keeping.save(path)

    def open_session(self) -> None:
        """Go on with a saved session."""
        path = ask_session(self._parent, to_save=False)
        if path is not None:
            self._controller.keeping.open(path)
