"""Labels that were read from a file, as a layer that lies on its image and shows names and colours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_sam.core.naming import PALETTE, object_colour
from napari_sam.nodes.image_input import ImageInput
from napari_sam.nodes.label_files import read_labels
from napari_sam.plugin._images import NAMESPACE, is_usable, volume_of
from napari_sam.plugin._messages import plain_message
from napari_sam.plugin._opening import layer_name
from napari_sam.plugin._space import space_of_geometry, space_of_layer
from volumes import LabelVolume, Provenance, Segment, Volume, VolumeError

if TYPE_CHECKING:
    LayerData = tuple[Any, dict[str, Any], str]

__all__ = ["label_look", "labels_of_file", "labels_on_image", "read_labels_onto"]


def labels_of_file(path: Path) -> LayerData:
    """Read a file of labels as a layer: on the open image that it belongs to, else where it says it lies.

    Raises
    ------
    volumes.VolumeError
        What cannot be read.
    """
    for image in _open_images():
        try:
            return labels_on_image(path, image)
        except VolumeError:
            continue  # of another image
    labels = read_labels(ImageInput(path))
    volume = Volume(labels.data, labels.geometry, Provenance("labels"))
    data = labels.data[0] if labels.geometry.shape[0] == 1 else labels.data
    return _layer(path, data, labels, volume, space_of_geometry(labels.geometry, data.ndim))


def labels_on_image(path: Path, image: Any) -> LayerData:
    """Read a file of labels as a layer on an image layer.

    Raises
    ------
    volumes.VolumeError
        What cannot be read, or belongs to another image.
    """
    volume = volume_of(image)
    labels = read_labels(ImageInput(path), volume)
    data = labels.data[0] if image.ndim == 2 else labels.data
    return _layer(path, data, labels, volume, space_of_layer(image))


def read_labels_onto() -> None:
    """Ask for a file of labels, and show it on the chosen image; a command of napari's menu."""
    from napari import current_viewer
    from napari.utils.notifications import show_error

    from napari_sam.plugin._dialogs import ask_labels

    viewer = current_viewer()
    images = _open_images()
    if viewer is None or not images:
        show_error("Open the image first that the labels belong to.")
        return
    path = ask_labels(None)
    if path is None:
        return
    try:
        data, arguments, _ = labels_on_image(path, images[0])
    except (VolumeError, OSError) as error:
        show_error(plain_message(error))
        return
    viewer.add_labels(data, **arguments)


def label_look(segments: Sequence[Segment]) -> dict[str, Any]:
    """Give the layer arguments that show labels in their colours, and their names beside the cursor."""
    from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

    look: dict[str, Any] = {"opacity": 0.5}
    if segments:
        look["features"] = {
            "index": [0, *(one.value for one in segments)],
            "name": ["background", *(one.title for one in segments)],
        }
    if not any(one.colour for one in segments):
        return {**look, "colormap": CyclicLabelColormap(colors=["transparent", *PALETTE])}
    colours: dict[int | None, Any] = {None: "gray", 0: "transparent"}
    for one in segments:
        red, green, blue = one.colour or object_colour(one.value)
        colours[one.value] = (red / 255, green / 255, blue / 255, 1.0)
    return {**look, "colormap": DirectLabelColormap(color_dict=colours)}


def _open_images() -> list[Any]:
    """Return the image layers of the window, the active one first; none without a window."""
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is None:
        return []
    active = viewer.layers.selection.active
    images = [layer for layer in viewer.layers if is_usable(layer)]
    return sorted(images, key=lambda layer: layer is not active)


def _layer(path: Path, data: Any, labels: LabelVolume, volume: Volume, space: dict[str, Any]) -> LayerData:
    arguments = {
        "name": layer_name(path),
        "metadata": {NAMESPACE: {"volume": volume, "segments": labels.segments}},
        **label_look(labels.segments),
        **space,
    }
    return data, arguments, "labels"
