"""The samples that ship with the plugin."""

from __future__ import annotations

from napari_sam.plugin._reader import LayerData, layer_of_volume

__all__ = ["cells", "film", "mr_head", "phantom"]


def phantom() -> list[LayerData]:
    """Make a small CT-like volume with organs of simple shapes."""
    return _layers_of("ct")


def mr_head() -> list[LayerData]:
    """Make a small MR-like head with a lesion."""
    return _layers_of("mr")


def cells() -> list[LayerData]:
    """Make a small stack of fluorescent nuclei, some of which touch."""
    return _layers_of("cells")


def film() -> list[LayerData]:
    """Make a short film of something that moves, is hidden and comes back."""
    return _layers_of("film")


def _layers_of(name: str) -> list[LayerData]:
    from napari_sam.nodes.samples import SAMPLES

    sample = SAMPLES[name]
    volume, _ = sample.make()
    return [layer_of_volume(volume, sample.title)]
