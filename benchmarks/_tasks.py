"""The package's task list, from images that are read without the package."""

from __future__ import annotations

from pathlib import Path

from benchmarks._reading import display_range, read_labels, read_planes, to_uint8
from napari_sam.core.labelled_folder import LabelledItem, list_labelled
from napari_sam.nodes.tasks import LabelledPlanes, Task, TaskLimits
from napari_sam.nodes.tasks import make_tasks as make_tasks_of

__all__ = ["Task", "make_tasks"]


def make_tasks(root: Path, *, per_kind: int = 48, per_item: int = 8, jitter: float = 0.0) -> list[Task]:
    """Build the task list of a folder; see `napari_sam.nodes.tasks`."""
    return make_tasks_of(root, list_labelled(root), TaskLimits(per_kind, per_item, jitter), read=_read)


def _read(item: LabelledItem) -> LabelledPlanes:
    planes, labels = read_planes(item.image), read_labels(item.labels)
    if planes.shape[:3] != labels.shape:
        raise ValueError(f"{item.image} is {planes.shape}, its mask {labels.shape}; they must agree")
    low, high = display_range(planes, item.kind)
    return LabelledPlanes(labels, lambda index: to_uint8(planes[index], low, high))
