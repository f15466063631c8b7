"""The commands of napari's menus and palette: what the tool does, on the chosen layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam.core.jobs import Cancel
from napari_sam.nodes.measure import measure_labels
from napari_sam.nodes.measurement_table import save_measurements
from napari_sam.plugin._images import NAMESPACE, is_usable, volume_of
from napari_sam.plugin._jobs import Job
from napari_sam.plugin._messages import plain_message
from napari_sam.plugin._writer import offered_suffixes
from volumes import Volume, image_suffixes, write_image

__all__ = [
    "find_everything",
    "measure_layer",
    "open_sample",
    "prepare_planes",
    "save_image",
    "save_labels",
    "show_shortcuts",
]

_PLUGIN, _WIDGET = "napari-sam-volumes", "Segment objects"


def find_everything() -> None:
    """Open the dock at what needs no prompts, for the chosen image."""
    dock = _dock()
    if dock is not None:
        dock.show_everything()


def prepare_planes() -> None:
    """Encode all planes of the chosen image ahead of the prompts."""
    dock = _dock()
    if dock is not None:
        dock.show_everything()
        dock.prepare()


def show_shortcuts() -> None:
    """Show the list of keys."""
    dock = _dock()
    if dock is not None:
        dock.show_shortcuts()


def open_sample() -> None:
    """Open the sample and the dock."""
    viewer = _viewer()
    if viewer is not None:
        viewer.open_sample(_PLUGIN, "phantom")
        _dock()


def save_labels() -> None:
    """Save the chosen labels in the geometry of their image."""
    layer = _chosen(lambda one: type(one).__name__ == "Labels", "Choose a Labels layer first, to save it.")
    if layer is None:
        return
    volume = layer.metadata.get(NAMESPACE, {}).get("volume")
    suffixes = offered_suffixes(volume if isinstance(volume, Volume) else None)
    _save(layer, "labels", suffixes, lambda path: layer.save(str(path), plugin=_PLUGIN))


def save_image() -> None:
    """Save the chosen image in another format, in its own geometry."""
    layer = _chosen(is_usable, "Choose an image of one plane or one volume first, to save it.")
    if layer is not None:
        volume = volume_of(layer)
        _save(layer, "image", image_suffixes(), lambda path: write_image(path, volume))


def measure_layer() -> None:
    """Measure the objects of the chosen labels on their image, and save the table."""
    from napari.utils.notifications import show_error, show_info

    from napari_sam.plugin._dialogs import ask_table
    from napari_sam.plugin._worker import Worker

    layer = _chosen(lambda one: type(one).__name__ == "Labels", "Choose a Labels layer first, to measure it.")
    if layer is None:
        return
    volume = _volume_under(layer)
    if volume is None:
        show_error(f"{layer.name}: no image of its shape is open; open the image that it belongs to.")
        return
    path = ask_table(None)
    if path is not None:
        segments_of = layer.metadata.get(NAMESPACE, {}).get("segments")
        segments = {one.value: one for one in segments_of()} if callable(segments_of) else None
        labels = np.asarray(layer.data).reshape(volume.shape)

        def work(_: Cancel) -> Iterable[object]:
            save_measurements(path, measure_labels(labels, volume, segments=segments))
            return ()

        Worker().submit(
            Job(
                "table",
                work,
                on_done=lambda: show_info(f"Saved the measurements of {layer.name}."),
                on_error=lambda error: show_error(f"{layer.name}: {plain_message(error)}"),
            )
        )


def _volume_under(layer: Any) -> Volume | None:
    """Return the volume that a Labels layer was made on, or that of an image of its shape."""
    known = layer.metadata.get(NAMESPACE, {}).get("volume")
    if isinstance(known, Volume):
        return known
    viewer = _viewer()
    for image in () if viewer is None else viewer.layers:
        if is_usable(image) and tuple(image.data.shape[: image.ndim]) == tuple(layer.data.shape):
            return volume_of(image)
    return None


def _save(layer: Any, what: str, suffixes: tuple[str, ...], write: Callable[[Path], Any]) -> None:
    """Ask where to, and write on another thread."""
    from napari.utils.notifications import show_error, show_info

    from napari_sam.plugin._dialogs import ask_save_path
    from napari_sam.plugin._worker import Worker

    usual = next((one for one in suffixes if one == ".nii.gz"), suffixes[0])
    ordered = (usual, *(one for one in suffixes if one != usual))
    path = ask_save_path(None, f"{layer.name}{usual}", ordered)
    if path is not None:
        Worker().submit(
            Job(
                "save",
                lambda _: [write(path)],
                on_done=lambda: show_info(f"Saved the {what} {layer.name}."),
                on_error=lambda error: show_error(f"{layer.name}: {plain_message(error)}"),
            )
        )


def _viewer() -> Any | None:
    from napari import current_viewer

    return current_viewer()


def _dock() -> Any | None:
    viewer = _viewer()
    return None if viewer is None else viewer.window.add_plugin_dock_widget(_PLUGIN, _WIDGET)[1]


def _chosen(fits: Callable[[Any], bool], remedy: str) -> Any | None:
    """Return the active layer, or the only one that fits; else say what to do."""
    from napari.utils.notifications import show_error

    viewer = _viewer()
    layers = [] if viewer is None else [layer for layer in viewer.layers if fits(layer)]
    active = None if viewer is None else viewer.layers.selection.active
    if active in layers:
        return active
    if len(layers) == 1:
        return layers[0]
    show_error(remedy)
    return None
