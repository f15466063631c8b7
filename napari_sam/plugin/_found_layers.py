"""What was found without prompts, as Labels layers of their own beside the image."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from numpy.typing import NDArray

from napari_sam.plugin._images import NAMESPACE
from napari_sam.plugin._label_layers import label_look
from napari_sam.plugin._space import space_of_layer
from napari_sam.plugin._viewer_events import layer_of
from volumes import Volume

__all__ = ["show_found"]


def show_found(
    viewer: Any, key: Hashable, labels: NDArray[Any], volume: Volume
) -> Callable[[NDArray[Any]], None]:
    """Show labels on the image of a key, and return what draws them again as they grow.

    Parameters
    ----------
    viewer : napari.Viewer
        Where the layer goes; nothing happens where the image has gone.
    key : hashable
        Of the image.
    labels : NDArray, shape (P, R, C)
        Shown itself, not a copy.
    volume : Volume
        The image's, for those who save the labels.
    """
    image = layer_of(viewer, key)
    if image is None:
        return lambda _: None
    active = viewer.layers.selection.active
    layer = viewer.add_labels(
        labels[0] if image.ndim == 2 else labels,
        name=f"{image.name} everything",
        metadata={NAMESPACE: {"volume": volume, "segments": ()}},
        **label_look(()),
        **space_of_layer(image),
    )
    viewer.layers.selection.active = active
    shown = [labels]

    def update(now: NDArray[Any]) -> None:
        if layer not in viewer.layers:
            return
        if now is shown[0]:
            layer.refresh(extent=False)
        else:
            shown[0] = now
            layer.data = now[0] if image.ndim == 2 else now

    return update
