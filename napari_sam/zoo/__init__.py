"""Which models exist, where their weights are, and how these are checked. Importing this loads no torch."""

from __future__ import annotations

import napari_sam.zoo.builtin
import napari_sam.zoo.fine_tunes  # noqa: F401  (both register the models that the package knows)
from napari_sam.zoo.registry import DEFAULT_MODEL, get, names, register
from napari_sam.zoo.spec import ModelSpec, Weights

__all__ = ["DEFAULT_MODEL", "ModelSpec", "Weights", "get", "names", "register"]
