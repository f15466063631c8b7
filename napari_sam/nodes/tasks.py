"""A fixed list of tasks: one object on one plane, with its true mask, a box and a point.

The list depends on the folder, the two limits and the jitter alone: no model and no result has a say
in it.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

import volumes
from napari_sam.core.labelled_folder import LabelledItem
from napari_sam.core.masks import innermost_point
from napari_sam.core.window import Window, resolve_window
from napari_sam.errors import InvalidDataset
from napari_sam.nodes.candidates import Candidate, find_candidates
from napari_sam.nodes.kinds import kind_of, kinds_in_order
from napari_sam.nodes.progress import Progress, silent
from volumes import Volume

__all__ = [
    "LabelledPlanes", "ReadItem", "Task", "TaskLimits", "item_name", "jitter_box", "make_tasks",
    "read_item", "read_labels", "read_volume", "spread_items", "take_turns",
]  # fmt: skip

FEW_FILES = 4

_T = TypeVar("_T")


@dataclass(frozen=True)
class TaskLimits:
    """How many tasks there are, and how their boxes are drawn.

    Parameters
    ----------
    per_kind, per_item : int
        Most tasks a kind and an image file; volumes and kinds of fewer than four files get twice
        `per_item`. Within a kind the modalities take turns, within a modality the files.
    jitter : float
        Each side of each box moves by up to this share of the box's extent (fixed seed per task).
    """

    per_kind: int = 48
    per_item: int = 8
    jitter: float = 0.0

    def of_item(self, n_items: int) -> int:
        """Return the most tasks an image of a kind that has `n_items`."""
        return self.per_item * 2 if n_items < FEW_FILES else self.per_item


@dataclass(frozen=True, eq=False)
class LabelledPlanes:
    """An item as it was read.

    Parameters
    ----------
    labels : NDArray[int32], shape (P, R, C)
        The label volume.
    show : callable
        Gives a plane of the image by its index, ``(R, C)`` or ``(R, C, 3)`` uint8; one window for all.
    """

    labels: NDArray[np.int32]
    show: Callable[[int], NDArray[np.uint8]]


ReadItem: TypeAlias = Callable[[LabelledItem], LabelledPlanes]


@dataclass(frozen=True)
class Task:
    """One object to find on one plane.

    Attributes
    ----------
    id : str
        Path, plane, object; the same in every run.
    kind, group : str
        Kind of image (one of `KINDS`) and, finer, its modality in the index.
    image : (H, W) or (H, W, 3) uint8
        The plane in its volume's one intensity range.
    mask : (H, W) bool
        The truth.
    box : tuple of int
        Half-open ``(r0, c0, r1, c1)`` in pixels.
    point : tuple of int
        ``(row, column)`` of the pixel farthest from the object's outline.
    """

    id: str
    kind: str
    group: str
    image: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    box: tuple[int, int, int, int]
    point: tuple[int, int]


def make_tasks(
    root: Path,
    items: Sequence[LabelledItem],
    limits: TaskLimits,
    *,
    read: ReadItem | None = None,
    progress: Progress = silent,
) -> list[Task]:
    """Build the task list of a folder, kind after kind.

    Parameters
    ----------
    root : Path
        The folder; tasks are named, and chosen, by their paths in it.
    items : sequence of LabelledItem
        What it holds.
    limits : TaskLimits
        How many tasks to take, and how to draw their boxes.
    read : callable, optional
        Reads an item; `read_item` where None.
    progress : Progress
        Told after each item.

    Raises
    ------
    VolumeError, InvalidDataset
        An item that cannot be read, or whose labels have another shape than the image.
    """
    tasks: list[Task] = []
    spread = {
        kind: spread_items(root, [item for item in items if kind_of(item) == kind], limits.per_kind)
        for kind in kinds_in_order(items)
    }
    n_done, n_total = 0, sum(map(len, spread.values()))
    for kind, chosen in spread.items():
        most = limits.of_item(sum(kind_of(item) == kind for item in items))
        queues: dict[str, list[list[Task]]] = {}
        for item in chosen:
            found = _item_tasks(item_name(root, item), item, (read or read_item)(item), most, limits.jitter)
            queues.setdefault(item.kind, []).append(found)
            n_done += 1
            progress("reading images", n_done, n_total)
        groups = [list(take_turns(found)) for found in queues.values()]
        tasks.extend(list(take_turns(groups))[: limits.per_kind])
    return tasks


def item_name(root: Path, item: LabelledItem) -> str:
    """Return an item's path in the folder, with slashes."""
    return Path(os.path.relpath(item.image, root)).as_posix()


def read_item(item: LabelledItem) -> LabelledPlanes:
    """Read an item as a person would see it: in the window that its voxels ask for.

    Raises
    ------
    VolumeError
        A file that cannot be read.
    InvalidDataset
        Labels that are not whole numbers of the image's shape.
    """
    volume, labels = read_volume(item)
    window = resolve_window(volume)
    return LabelledPlanes(labels, lambda index: _shown(volume, window, index))


def read_volume(item: LabelledItem) -> tuple[Volume, NDArray[np.int32]]:
    """Read an item's image, and its labels ``(P, R, C)``; errors as `read_item`."""
    volume, labels = volumes.read(item.image), read_labels(item)
    if labels.shape != volume.shape:
        raise InvalidDataset(
            f"{item.image} has the shape {volume.shape}, its labels {item.labels} {labels.shape}; "
            "give one label for each voxel"
        )
    return volume, labels


def read_labels(item: LabelledItem) -> NDArray[np.int32]:
    """Read an item's labels, ``(P, R, C)``.

    Raises
    ------
    VolumeError
        A file that cannot be read.
    InvalidDataset
        A colour image, or values that are not whole or below 0.
    """
    labels: NDArray[Any] = np.asarray(volumes.read(item.labels).data)
    whole: NDArray[np.int32] = labels.astype(np.int32)
    if labels.ndim != 3 or (labels.size and (whole.min() < 0 or not np.array_equal(labels, whole))):
        what = "colours" if labels.ndim != 3 else f"values from {labels.min()} to {labels.max()}"
        raise InvalidDataset(
            f"{item.labels} holds {what} that are no labels; give one whole number, 0 or above, an object"
        )
    return whole


def _shown(volume: Volume, window: Window, index: int) -> NDArray[np.uint8]:
    """Map one plane; a copy, so that a task does not keep its whole volume in memory."""
    return window.to_uint8(np.asarray(volume.data[index])).copy()


def jitter_box(
    box: tuple[int, int, int, int], shape_hw: tuple[int, int], share: float, seed: int
) -> tuple[int, int, int, int]:
    """Move each side of a box by up to `share` of its extent; at least 2 px stay on each axis."""
    offsets = np.random.default_rng(seed).uniform(-share, share, size=4)
    moved: list[int] = []
    for axis in (0, 1):
        low, high, extent = box[axis], box[axis + 2], box[axis + 2] - box[axis]
        start = int(np.clip(round(low + offsets[axis] * extent), 0, shape_hw[axis] - 2))
        stop = int(np.clip(round(high + offsets[axis + 2] * extent), start + 2, shape_hw[axis]))
        moved += [start, stop]
    return moved[0], moved[2], moved[1], moved[3]


def _item_tasks(
    name: str, item: LabelledItem, planes: LabelledPlanes, most: int, jitter: float
) -> list[Task]:
    """Make the tasks of one item, in an order that mixes large and small objects."""
    usable = find_candidates(item, planes.labels)
    usable.sort(key=lambda found: (-found.area_px, found.name, found.plane))
    count = min(len(usable), most * 2 if len(planes.labels) > 1 else most)
    chosen = [usable[i] for i in sorted(set(np.linspace(0, len(usable) - 1, count).round().astype(int)))]
    tasks = [_task(name, item, found, planes, jitter) for found in chosen]
    return sorted(tasks, key=lambda task: zlib.crc32(task.id.encode()))


def _task(
    item_path: str, item: LabelledItem, found: Candidate, planes: LabelledPlanes, jitter: float
) -> Task:
    name, mask, box = f"{item_path}#{found.plane}:{found.name}", found.mask, found.box
    if jitter > 0:
        box = jitter_box(box, (mask.shape[0], mask.shape[1]), jitter, zlib.crc32(name.encode()))
    return Task(name, kind_of(item), item.kind, planes.show(found.plane), mask, box, innermost_point(mask))


def spread_items(root: Path, items: Sequence[LabelledItem], most: int) -> list[LabelledItem]:
    """At most `most` items a modality, in an order that does not depend on the folder's."""
    chosen: list[LabelledItem] = []
    for modality in sorted({item.kind for item in items}):
        own = [item for item in items if item.kind == modality]
        chosen += sorted(own, key=lambda item: zlib.crc32(item_name(root, item).encode()))[:most]
    return chosen


def take_turns(queues: Sequence[Sequence[_T]]) -> Iterator[_T]:
    """First of each queue, then the second of each, and so on."""
    for turn in range(max((len(queue) for queue in queues), default=0)):
        yield from (queue[turn] for queue in queues if turn < len(queue))
