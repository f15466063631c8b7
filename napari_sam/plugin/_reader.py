"""napari's way to our reader: volumes and pictures become layers with true spacing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import volumes
from napari_sam.core.window import resolve_window
from napari_sam.plugin._dialogs import choose_series
from napari_sam.plugin._images import NAMESPACE
from napari_sam.plugin._space import space_of_geometry

__all__ = ["get_reader", "layer_of_volume", "read_layers"]

LayerData = tuple[Any, dict[str, Any], str]
Paths = str | Path | Sequence[str | Path]


def get_reader(path: Paths) -> Callable[[Paths], list[LayerData]] | None:
    """Return our reader where it may fit; the content of the file decides when it is read."""
    paths = [path] if isinstance(path, str | Path) else list(path)
    return read_layers if paths and all(Path(p).exists() for p in paths) else None


def read_layers(path: Paths) -> list[LayerData]:
    """Read one layer a path.

    Raises
    ------
    volumes.VolumeError
        Something that cannot be read; napari shows its message.
    """
    paths = [path] if isinstance(path, str | Path) else list(path)
    return [layer_of_volume(_read(Path(p)), _name(Path(p))) for p in paths]


def _read(path: Path) -> volumes.Volume:
    try:
        return volumes.read(path)
    except volumes.MixedSeries:
        series = choose_series(volumes.list_series(path))
        if series is None:
            raise
        return volumes.read(path, series=series)


def _name(path: Path) -> str:
    if path.is_dir():
        return path.name
    return Path(path.name.removesuffix(".gz")).stem


def layer_of_volume(volume: volumes.Volume, name: str) -> LayerData:
    """Turn a volume into napari's layer data; a single plane becomes a 2-D layer.

    Parameters
    ----------
    volume : volumes.Volume
        Shown with its own data array, not a copy; it stays in the layer's metadata with its real affine.
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
    return volume.data[0] if is_flat else volume.data, arguments, "image"
