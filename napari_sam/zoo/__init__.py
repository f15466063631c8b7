"""Which models exist, where their weights are, and how these are checked. Importing this loads no torch."""

from __future__ import annotations

import napari_sam.zoo.builtin  # noqa: F401  (registers the models that come with the package)
from napari_sam.zoo.registry import DEFAULT_MODEL, get, names, register
from napari_sam.zoo.spec import ModelSpec, Weights

__all__ = ["DEFAULT_MODEL", "ModelSpec", "Weights", "get", "names", "register"]
