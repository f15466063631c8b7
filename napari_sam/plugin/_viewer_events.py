"""What happens in the viewer beside our own layers: images come and go, other planes are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari_sam.plugin._images import is_usable

__all__ = ["ViewerEvents", "images_of", "layer_of"]


class ViewerEvents:
    """Connections to a viewer that can all be taken off again.

    Parameters
    ----------
    viewer : napari.Viewer
        Watched until `close`.
    on_layers, on_plane, on_active : callable
        Called without arguments: the list of layers changed, another plane is shown, another layer is active.
    on_removed : callable
        Called with a layer that was removed.
    """

    def __init__(
        self,
        viewer: Any,
        on_layers: Callable[[], None],
        on_plane: Callable[[], None],
        on_active: Callable[[], None],
        on_removed: Callable[[Any], None],
    ) -> None:
        def layers(_: Any = None) -> None:
            on_layers()

        def removed(event: Any) -> None:
            on_removed(event.value)
            on_layers()

        def plane(_: Any = None) -> None:
            on_plane()

        def active(_: Any = None) -> None:
            on_active()

        dims = viewer.dims.events
        self._connected = [
            (viewer.layers.events.inserted, layers),
            (viewer.layers.events.removed, removed),
            (viewer.layers.selection.events.active, active),
            (dims.current_step, plane),
            (dims.order, plane),
            (dims.ndisplay, plane),
            (dims.ndim, plane),
        ]
        for emitter, callback in self._connected:
            emitter.connect(callback)

    def close(self) -> None:
        """Take all connections off."""
        for emitter, callback in self._connected:
            emitter.disconnect(callback)
        self._connected.clear()


def images_of(viewer: Any) -> list[Any]:
    """Return the image layers that can be segmented."""
    return [layer for layer in viewer.layers if is_usable(layer)]


def layer_of(viewer: Any, key: Any) -> Any | None:
    """Return the image layer of a key, None where it has gone."""
    return next((layer for layer in images_of(viewer) if layer.unique_id == key), None)
