"""The sample that ships with the plugin."""

from __future__ import annotations

from napari_sam.plugin._reader import LayerData, layer_of_volume

__all__ = ["phantom"]


def phantom() -> list[LayerData]:
    """Make a small CT-like volume with organs of simple shapes."""
    from napari_sam.nodes.phantom import make_phantom

    volume, _ = make_phantom()
    return [layer_of_volume(volume, "CT phantom")]
