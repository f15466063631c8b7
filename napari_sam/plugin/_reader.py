"""napari's way to our reader: volumes and pictures become layers with true spacing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import volumes
from napari_sam.core.window import resolve_window
from napari_sam.nodes.image_input import Place, is_url
from napari_sam.nodes.label_files import label_kind
from napari_sam.plugin._images import NAMESPACE
from napari_sam.plugin._label_layers import labels_of_file
from napari_sam.plugin._opening import open_volumes
from napari_sam.plugin._space import space_of_geometry

__all__ = ["get_reader", "layer_of_volume", "read_layers"]

LayerData = tuple[Any, dict[str, Any], str]
_NO_LAYER: Any = (None,)
Paths = str | Path | Sequence[str | Path]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return our reader where it may fit; the content of the file decides when it is read."""
    places = _places(path)
    return read_layers if places and all(is_url(p) or Path(p).exists() for p in places) else None


def read_layers(path: Paths) -> list[LayerData]:
    """Read the layers of each path: an image, several where a person chooses several series, or labels.

    Where a person cancels, it is what napari takes for no layer and no error.

    Raises
    ------
    volumes.VolumeError
        Something that cannot be read; napari shows its message.
    """
    return [layer for place in _places(path) for layer in _layers_of(place)] or [_NO_LAYER]


def _places(path: Paths) -> list[Place]:
    paths = [path] if isinstance(path, str | Path) else list(path)
    return [str(one) if is_url(one) else Path(one) for one in paths]


def _layers_of(place: Place) -> Iterator[LayerData]:
    if label_kind(place):
        yield labels_of_file(Path(place))
        return
    for name, volume in open_volumes(place):
        yield layer_of_volume(volume, name)


def layer_of_volume(volume: volumes.Volume, name: str) -> LayerData:
    """Turn a volume into napari's layer data; a single plane becomes a 2-D layer.

    Parameters
    ----------
    volume : volumes.Volume
        Shown with its own data, not a copy: napari reads of a lazy one what it shows. It stays in the
        layer's metadata with its real affine.
    name : str
        The layer's name.
    """
    is_flat = volume.shape[0] == 1
    window = resolve_window(volume)
    arguments: dict[str, Any] = {
        "name": name,
        "metadata": {NAMESPACE: {"volume": volume, "window": window}},
        **space_of_geometry(volume.geometry, 2 if is_flat else 3),
    }
    if volume.is_rgb:
        arguments["rgb"] = True
    else:
        arguments |= {"contrast_limits": (window.low, window.high), "colormap": "gray"}
    if volume.is_lazy:
        arguments["multiscale"] = False
    return volume.data[0] if is_flat else volume.data, arguments, "image"
