"""Segment objects in images and volumes from one click or one box.

Everything here is loaded on first use, so that ``import napari_sam`` costs nothing: torch comes with
`load_segmenter`, and only then.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari_sam.core.auto_plan import AutoMaskSettings
    from napari_sam.core.planes import PlaneRef
    from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
    from napari_sam.core.propagation import propagate
    from napari_sam.core.session import Session
    from napari_sam.engine.auto_planes import auto_masks
    from napari_sam.engine.loading import load_segmenter
    from napari_sam.errors import SamError
    from napari_sam.settings import Settings

    __version__: str

__all__ = [
    "AutoMaskSettings",
    "BoxPrompt",
    "MaskPrompt",
    "PlaneRef",
    "PointPrompt",
    "SamError",
    "Session",
    "Settings",
    "__version__",
    "auto_masks",
    "load_segmenter",
    "propagate",
]

_HOME = {
    "AutoMaskSettings": "napari_sam.core.auto_plan",
    "BoxPrompt": "napari_sam.core.prompts",
    "MaskPrompt": "napari_sam.core.prompts",
    "PlaneRef": "napari_sam.core.planes",
    "PointPrompt": "napari_sam.core.prompts",
    "SamError": "napari_sam.errors",
    "Session": "napari_sam.core.session",
    "Settings": "napari_sam.settings",
    "auto_masks": "napari_sam.engine.auto_planes",
    "load_segmenter": "napari_sam.engine.loading",
    "propagate": "napari_sam.core.propagation",
}
_DISTRIBUTION = "napari-sam-volumes"


def __getattr__(name: str) -> object:
    """Load a public name from its module on first use."""
    if name == "__version__":
        value: object = _version()
    elif name in _HOME:
        value = getattr(importlib.import_module(_HOME[name]), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(_DISTRIBUTION)
    except PackageNotFoundError:  # run from a source folder that was not installed
        return "0+unknown"
