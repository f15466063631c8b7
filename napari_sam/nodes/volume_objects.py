"""Which objects are followed through volumes: a fixed choice, as for tasks in planes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.labelled_folder import INSTANCE_PER_SLICE, SEMANTIC, LabelledItem
from napari_sam.nodes.candidates import MAX_BOX_SHARE, MIN_AREA_PX
from napari_sam.nodes.kinds import is_film, kind_of, kinds_in_order
from napari_sam.nodes.progress import Progress, silent
from napari_sam.nodes.tasks import TaskLimits, item_name, read_labels, spread_items, take_turns

__all__ = ["VolumeObject", "choose_volume_objects", "structure_of"]

PER_KIND = 8
"""Most objects a kind, and never more than there may be tasks in planes."""

MIN_PLANES = 3
_ALL_NEIGHBOURS = np.ones((3, 3, 3), dtype=np.bool_)
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp")
_STRUCTURES = (
    (r"liver", "liver"),
    (r"spleen", "spleen"),
    (r"((left|right) )?kidneys?( (left|right))?", "kidneys"),
    (r"[lr]v( cavity)?|(left|right) ventricle|heart ventricle( (left|right))?", "heart ventricle"),
)


@dataclass(frozen=True, eq=False)
class VolumeObject:
    """One object of one volume.

    Attributes
    ----------
    id : str
        Path and object; the same in every run.
    item : LabelledItem
        The volume.
    value : int
        The object's label value.
    name : str
        Its class, or its value.
    n_voxels : int
        Its size, all parts together.
    """

    id: str
    item: LabelledItem
    value: int
    name: str
    n_voxels: int

    @property
    def structure(self) -> str | None:
        """The organ that published figures name, where it is one of those; see `structure_of`."""
        return structure_of(self.name)

    def truth(self, labels: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return its mask ``(P, R, C)``: of a class its largest connected part, in film all of it."""
        mask = np.asarray(labels == self.value)
        if self.item.mask_type != SEMANTIC or is_film(self.item):
            return mask
        parts = ndimage.label(mask, structure=_ALL_NEIGHBOURS)[0]
        return np.asarray(parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:])))


def structure_of(name: str) -> str | None:
    """Name the organ of a class where published figures exist for it: liver, spleen, kidneys, ventricle."""
    plain = re.sub(r"[\s_-]+", " ", name).strip().lower()
    return next((organ for form, organ in _STRUCTURES if re.fullmatch(form, plain)), None)


def choose_volume_objects(
    root: Path, items: Sequence[LabelledItem], limits: TaskLimits, *, progress: Progress = silent
) -> list[VolumeObject]:
    """Choose objects of the volumes of a folder, kind after kind.

    Organs with published figures come first; otherwise modalities and files take turns, and a file's objects
    are spread from the largest to the smallest. Instances that mean something in one plane only are left out.

    Parameters
    ----------
    root : Path
        The folder.
    items : sequence of LabelledItem
        What it holds.
    limits : TaskLimits
        Half of `per_item` objects a file (all of it where a kind has few files), `PER_KIND` a kind.
    progress : Progress
        Told after each item.
    """
    chosen: list[VolumeObject] = []
    n_done = 0
    for kind in kinds_in_order(items):
        own = [item for item in items if kind_of(item) == kind]
        most = max(1, limits.of_item(len(own)) // 2)
        queues: dict[str, list[list[VolumeObject]]] = {}
        for item in spread_items(root, own, limits.per_kind):
            n_done += 1
            if _may_be_volume(item):
                found = _item_objects(item_name(root, item), item, most)
                queues.setdefault(item.kind, []).append(found)
                progress("choosing objects", n_done, len(items))
        in_turn = list(take_turns([list(take_turns(found)) for found in queues.values()]))
        in_turn.sort(key=lambda one: one.structure is None)
        chosen += in_turn[: min(PER_KIND, limits.per_kind)]
    return chosen


def _may_be_volume(item: LabelledItem) -> bool:
    is_picture = item.labels.is_file() and item.labels.suffix.lower() in _PICTURES
    return item.mask_type != INSTANCE_PER_SLICE and not is_picture


def _item_objects(name: str, item: LabelledItem, most: int) -> list[VolumeObject]:
    """List some objects of one volume: organs with published figures, then others from large to small."""
    labels = read_labels(item)
    if len(labels) < MIN_PLANES:
        return []
    values, compact = np.unique(labels, return_inverse=True)
    areas = np.stack(
        [np.bincount(plane.ravel(), minlength=len(values)) for plane in compact.reshape(labels.shape)]
    )
    found = []
    for value, by_plane in zip(values.tolist(), areas.T, strict=True):
        is_large = by_plane.max() >= MIN_AREA_PX and by_plane.max() < MAX_BOX_SHARE * labels[0].size
        if value > 0 and is_large and np.count_nonzero(by_plane) >= MIN_PLANES:
            title = item.names.get(value, str(value))
            found.append(VolumeObject(f"{name}:{title}", item, value, title, int(by_plane.sum())))
    found.sort(key=lambda one: (-one.n_voxels, one.name))
    named = [one for one in found if one.structure is not None]
    others = [one for one in found if one.structure is None]
    n_others = max(0, min(len(others), most - len(named)))
    spread = sorted(set(np.linspace(0, len(others) - 1, n_others).round().astype(int))) if n_others else []
    return [*named, *(others[k] for k in spread)]
