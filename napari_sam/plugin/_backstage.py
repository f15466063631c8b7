"""What the window asks of the layers below on other threads; what takes seconds to import comes late."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.window import Window
from napari_sam.plugin._everything_steps import FoundLabels
from napari_sam.store import ModelReference
from volumes import Volume

__all__ = ["find_by_plane", "load_model", "name_model"]


def load_model(name: str, weights: Path | None) -> Segmenter:
    """Load a model; called on a worker thread, for torch takes seconds to import."""
    from napari_sam.engine import load_segmenter

    return load_segmenter(name, weights=weights)


def name_model(segmenter: Segmenter) -> ModelReference:
    """Name a model and its weights."""
    from napari_sam.nodes.models import model_record

    record = model_record(segmenter)
    return ModelReference(record.name, record.weights_sha256)


def find_by_plane(
    volume: Volume,
    segmenter: Segmenter,
    window: Window,
    reach: tuple[PlaneRef, tuple[int, int], bool],
    cancel: Cancel,
) -> Iterator[FoundLabels]:
    """Find everything plane by plane, outward from one; called on a worker thread."""
    from napari_sam.nodes.auto import AutoOptions, everything_by_plane

    begin, planes, joins = reach
    options = AutoOptions(axis=begin.axis, planes=planes, link=joins, begin=begin.index)
    return everything_by_plane(volume, segmenter, window, options, cancel=cancel)
