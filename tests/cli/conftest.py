"""The same images and the same model as the operations under the command line."""

from __future__ import annotations

from tests.nodes.conftest import image, segmenter, truth, volume

__all__ = ["image", "segmenter", "truth", "volume"]
