"""What was found without prompts, as Labels layers of their own beside the image."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.plugin._images import NAMESPACE, as_planes
from napari_sam.plugin._label_layers import label_look
from napari_sam.plugin._space import space_of_layer
from napari_sam.plugin._taking_steps import FoundBy
from napari_sam.plugin._viewer_events import layer_of
from volumes import Volume

__all__ = ["LayerOfFound", "found_layers_of", "show_found"]

_ORIGIN = "found"
"""In the plugin's metadata of such a layer: (key of the image, FoundBy)."""


class LayerOfFound:
    """A Labels layer of what was found; a click on a label of it chooses that label.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layer is.
    layer : napari.layers.Labels
        With two axes for a picture, else three.
    labels : NDArray, shape (P, R, C)
        What it shows.

    Attributes
    ----------
    on_change : callable
        Called when it is shown, hidden, removed or made active, and when another label of it is chosen.
    """

    def __init__(self, viewer: Any, layer: Any, labels: NDArray[Any]) -> None:
        self._viewer, self._layer, self._shown = viewer, layer, labels
        self.on_change: Callable[[], None] = lambda: None
        layers = viewer.layers
        self._connected = [
            layer.events.visible,
            layer.events.selected_label,
            layers.events.removed,
            layers.selection.events.active,
        ]
        for emitter in self._connected:
            emitter.connect(self._changed)

    @property
    def name(self) -> str:
        """As the person knows it."""
        return str(self._layer.name)

    @property
    def labels(self) -> NDArray[Any]:
        """Of shape (P, R, C), with what a person painted into them."""
        return as_planes(np.asarray(self._layer.data))

    @property
    def chosen(self) -> int:
        """The chosen label; 0 for none."""
        return int(self._layer.selected_label)

    @property
    def is_there(self) -> bool:
        """Whether it is in the viewer."""
        return self._layer in self._viewer.layers

    @property
    def is_shown(self) -> bool:
        """Whether it is in the viewer, and visible."""
        return self.is_there and bool(self._layer.visible)

    @property
    def is_active(self) -> bool:
        """Whether it is the layer that the person works on."""
        return self._viewer.layers.selection.active is self._layer

    def grow(self, labels: NDArray[Any]) -> None:
        """Show these labels (P, R, C), the same array as before or another."""
        if not self.is_there:
            return
        if labels is self._shown:
            self._layer.refresh(extent=False)
        else:
            self._shown = labels
            self._layer.data = labels[0] if self._layer.ndim == 2 else labels

    def show(self, visible: bool) -> None:
        """Show or hide it."""
        if self.is_there:
            self._layer.visible = visible

    def let_go(self) -> None:
        """Listen to nothing any more."""
        for emitter in self._connected:
            emitter.disconnect(self._changed)
        self._connected.clear()

    def _changed(self, event: Any) -> None:
        self.on_change()
        if not self.is_there:
            self.let_go()


def show_found(
    viewer: Any, key: Hashable, labels: NDArray[Any], volume: Volume, by: FoundBy
) -> LayerOfFound | None:
    """Show labels on the image of a key.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layer goes.
    key : hashable
        Of the image.
    labels : NDArray, shape (P, R, C)
        Shown itself, not a copy.
    volume : Volume
        The image's, for those who save the labels.
    by : FoundBy
        How they were found.

    Returns
    -------
    LayerOfFound or None
        None where the image has gone.
    """
    image = layer_of(viewer, key)
    if image is None:
        return None
    active = viewer.layers.selection.active
    layer = viewer.add_labels(
        labels[0] if image.ndim == 2 else labels,
        name=f"{image.name} everything",
        metadata={NAMESPACE: {"volume": volume, "segments": (), _ORIGIN: (key, by)}},
        **label_look(()),
        **space_of_layer(image),
    )
    layer.mode = "pick"
    layer.selected_label = 0
    viewer.layers.selection.active = active
    return LayerOfFound(viewer, layer, labels)


def found_layers_of(viewer: Any, key: Hashable) -> list[tuple[LayerOfFound, FoundBy]]:
    """Return the layers of what was found earlier on the image of a key, the oldest first."""
    kept = []
    for layer in viewer.layers:
        image_key, by = layer.metadata.get(NAMESPACE, {}).get(_ORIGIN, (None, None))
        if by is not None and image_key == key:
            kept.append((LayerOfFound(viewer, layer, as_planes(np.asarray(layer.data))), by))
    return kept
