"""A fixed list of tasks: one object on one plane, with its true mask, a box and a point.

The list depends on the folder, the two limits and the jitter alone: no model and no result has a say
in it. Works on every folder with an ``INDEX.tsv`` (see ``benchmarks/README.md``).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks._reading import Row, display_range, read_index, read_labels, read_planes, to_uint8

MIN_AREA_PX = 30
MAX_BOX_SHARE = 0.95
FRAGMENT_SHARE = 0.1
KINDS = (
    "nuclei and blood cells",
    "EM and SEM",
    "CT organs",
    "MR organs",
    "lesions (CT, MR)",
    "X-ray lungs",
    "ultrasound",
    "fundus",
    "photos and film",
    "3-D microscopy",
)

BoolPlane = NDArray[np.bool_]
_T = TypeVar("_T")


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
    mask: BoolPlane
    box: tuple[int, int, int, int]
    point: tuple[int, int]


@dataclass(frozen=True)
class _Candidate:
    name: str
    plane: int
    mask: BoolPlane


def kind_of(row: Row) -> str:
    """Name the kind of image (one of `KINDS`) that a line of the index belongs to."""
    modality, classes = row.modality.lower(), row.classes.lower()
    rules = (
        ("ultrasound" in modality, "ultrasound"),
        ("x-ray" in modality, "X-ray lungs"),
        ("fundus" in modality, "fundus"),
        ("video" in modality or "photo" in modality, "photos and film"),
        ("microscopy 3d" in modality, "3-D microscopy"),
        (" sem " in f"{modality} " or " em " in f"{modality} ", "EM and SEM"),
        ("microscopy" in modality, "nuclei and blood cells"),
        ("lesion" in classes or "tumour" in classes, "lesions (CT, MR)"),
        (modality.startswith("ct"), "CT organs"),
        (modality.startswith("mr"), "MR organs"),
    )
    for holds, kind in rules:
        if holds:
            return kind
    raise ValueError(f"modality {row.modality!r} of {row.path} belongs to no kind; add it to kind_of")


def make_tasks(root: Path, *, per_kind: int = 48, per_item: int = 8, jitter: float = 0.0) -> list[Task]:
    """Build the task list of a folder, kind after kind in the order of `KINDS`.

    Parameters
    ----------
    root : Path
        Folder with an ``INDEX.tsv``.
    per_kind, per_item : int
        Most tasks a kind and an image file; volumes and kinds of fewer than four files get twice
        `per_item`. Within a kind the modalities take turns, within a modality the files.
    jitter : float
        Each side of each box moves by up to this share of the box's extent (fixed seed per task).
    """
    rows = read_index(root)
    tasks: list[Task] = []
    for kind in KINDS:
        queues: dict[str, list[list[Task]]] = {}
        own = [row for row in rows if kind_of(row) == kind]
        limit = per_item * 2 if len(own) < 4 else per_item
        for row in _spread(own, per_kind):
            queues.setdefault(row.modality, []).append(_item_tasks(root, row, limit, jitter))
        groups = [list(_take_turns(items)) for items in queues.values()]
        tasks.extend(list(_take_turns(groups))[:per_kind])
    return tasks


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


def tight_box(mask: BoolPlane) -> tuple[int, int, int, int]:
    """Half-open ``(r0, c0, r1, c1)`` around the true pixels of a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def innermost(mask: BoolPlane) -> tuple[int, int]:
    """``(row, column)`` of the pixel farthest from the outline (the plane's edge counts as outline)."""
    distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    row, column = np.unravel_index(int(np.argmax(distance)), mask.shape)
    return int(row), int(column)


def _item_tasks(root: Path, row: Row, limit: int, jitter: float) -> list[Task]:
    volume, labels = read_planes(root / row.path), read_labels(root / row.mask_path)
    if volume.shape[:3] != labels.shape:
        raise ValueError(f"{row.path} is {volume.shape}, its mask {labels.shape}; they must agree")
    low, high = display_range(volume, row.modality)
    is_volume = len(labels) > 1
    candidates = _volume_candidates(row, labels) if is_volume else _plane_candidates(row, labels[0])
    usable = [found for found in candidates if _is_usable(found.mask)]
    usable.sort(key=lambda found: (-int(found.mask.sum()), found.name, found.plane))
    count = min(len(usable), limit * 2 if is_volume else limit)
    chosen = [usable[i] for i in sorted(set(np.linspace(0, len(usable) - 1, count).round().astype(int)))]
    tasks = [_task(row, found, to_uint8(volume[found.plane], low, high), jitter) for found in chosen]
    return sorted(tasks, key=lambda task: zlib.crc32(task.id.encode()))


def _task(row: Row, found: _Candidate, image: NDArray[np.uint8], jitter: float) -> Task:
    name = f"{row.path}#{found.plane}:{found.name}"
    box = tight_box(found.mask)
    if jitter > 0:
        shape_hw = (found.mask.shape[0], found.mask.shape[1])
        box = jitter_box(box, shape_hw, jitter, zlib.crc32(name.encode()))
    return Task(name, kind_of(row), row.modality, image, found.mask, box, innermost(found.mask))


def _is_usable(mask: BoolPlane) -> bool:
    if int(mask.sum()) < MIN_AREA_PX:
        return False
    r0, c0, r1, c1 = tight_box(mask)
    return (r1 - r0) * (c1 - c0) < MAX_BOX_SHARE * mask.size


def _plane_candidates(row: Row, labels: NDArray[np.int32]) -> list[_Candidate]:
    """Objects of a single plane: instances, or the connected components of each class."""
    if row.mask_type != "semantic":
        return [_Candidate(str(value), 0, labels == value) for value in np.unique(labels) if value > 0]
    found: list[_Candidate] = []
    for name, mask in _class_masks(row, labels):
        for number, component in enumerate(_components(mask)):
            found.append(_Candidate(f"{name}.{number}", 0, component))
    return found


def _class_masks(row: Row, labels: NDArray[np.int32]) -> Iterator[tuple[str, BoolPlane]]:
    """Masks by class; a cell's cytoplasm is taken together with its nucleus: that is the object."""
    values = {name: value for value, name in row.names.items()}
    for value in (int(value) for value in np.unique(labels) if value > 0):
        name = row.names.get(value, str(value))
        if name == "cytoplasm" and "nucleus" in values:
            yield "cell", (labels == value) | (labels == values["nucleus"])
        else:
            yield name, labels == value


def _volume_candidates(row: Row, labels: NDArray[np.int32]) -> list[_Candidate]:
    """Objects of a volume, on planes spread through the middle 60 % of each object's planes.

    Instances and volumes of many classes give one plane an object, others share eight planes. Of a class
    the largest component on the plane is taken; in film, all of it (an object may be half hidden).
    """
    areas = np.stack([np.bincount(plane.ravel(), minlength=int(labels.max()) + 1) for plane in labels])
    values = [value for value in range(1, areas.shape[1]) if areas[:, value].max() >= MIN_AREA_PX]
    rounds = 1 if row.mask_type != "semantic" else max(1, 8 // max(1, len(values)))
    found: dict[tuple[int, int], _Candidate] = {}
    for number, value in enumerate(values):
        planes = np.flatnonzero(areas[:, value] >= MIN_AREA_PX)
        for turn in range(rounds):
            share = 0.2 + 0.6 * ((0.5 + 0.618034 * (number + turn)) % 1.0)
            plane = int(planes[round(share * (len(planes) - 1))])
            mask = labels[plane] == value
            if "video" not in row.modality:
                mask = _components(mask)[0]
            found.setdefault((value, plane), _Candidate(row.names.get(value, str(value)), plane, mask))
    return list(found.values())


def _components(mask: BoolPlane) -> list[BoolPlane]:
    """8-connected components, largest first, without fragments below a tenth of the largest."""
    numbered, count = ndimage.label(mask, structure=np.ones((3, 3)))
    areas = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-areas, kind="stable")
    return [numbered == i + 1 for i in order if areas[i] >= FRAGMENT_SHARE * areas.max()]


def _spread(rows: list[Row], most: int) -> list[Row]:
    """At most `most` rows a modality, in an order that does not depend on the index's."""
    chosen: list[Row] = []
    for modality in sorted({row.modality for row in rows}):
        own = [row for row in rows if row.modality == modality]
        chosen += sorted(own, key=lambda row: zlib.crc32(row.path.encode()))[:most]
    return chosen


def _take_turns(queues: list[list[_T]]) -> Iterator[_T]:
    """First of each queue, then the second of each, and so on."""
    for turn in range(max((len(queue) for queue in queues), default=0)):
        yield from (queue[turn] for queue in queues if turn < len(queue))
