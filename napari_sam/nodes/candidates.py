"""The objects of a labelled image that can be asked for: instances, or the connected parts of a class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.labelled_folder import SEMANTIC, LabelledItem
from napari_sam.nodes.kinds import is_film

__all__ = ["Candidate", "find_candidates"]

MIN_AREA_PX = 30
MAX_BOX_SHARE = 0.95
FRAGMENT_SHARE = 0.1
PLANES_A_VOLUME = 8

_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=np.bool_)


@dataclass(frozen=True, eq=False)
class Candidate:
    """One object on one plane.

    Attributes
    ----------
    name : str
        Its class and number, or its label value.
    plane : int
        The plane's index.
    area_px : int
        Its area in pixels.
    box : tuple of int
        Tight and half-open, ``(r0, c0, r1, c1)``.
    numbered : NDArray of integers, shape (R, C)
        The plane's objects, numbered.
    number : int
        Which of them is this one.
    """

    name: str
    plane: int
    area_px: int
    box: tuple[int, int, int, int]
    numbered: NDArray[Any]
    number: int

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The object's mask, (R, C)."""
        return np.asarray(self.numbered == self.number)

    @property
    def is_usable(self) -> bool:
        """Whether it is large enough to be meant, and smaller than the whole plane."""
        r0, c0, r1, c1 = self.box
        fills = (r1 - r0) * (c1 - c0) >= MAX_BOX_SHARE * self.numbered.size
        return self.area_px >= MIN_AREA_PX and not fills


def find_candidates(item: LabelledItem, labels: NDArray[np.int32]) -> list[Candidate]:
    """List the usable objects of an item.

    Parameters
    ----------
    item : LabelledItem
        What its labels mean.
    labels : NDArray[int32], shape (P, R, C)
        The labels, 0 and above.
    """
    found = _in_volume(item, labels) if len(labels) > 1 else list(_in_plane(item, labels[0]))
    return [candidate for candidate in found if candidate.is_usable]


def _in_plane(item: LabelledItem, labels: NDArray[np.int32]) -> Iterator[Candidate]:
    """Objects of a single plane: instances, or the connected components of each class."""
    if item.mask_type != SEMANTIC:
        yield from _numbered(labels, 0)
        return
    for name, mask in _class_masks(item, labels):
        for number, component in enumerate(_components(mask, 0)):
            yield replace(component, name=f"{name}.{number}")


def _class_masks(item: LabelledItem, labels: NDArray[np.int32]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Masks by class; a cell's cytoplasm is taken together with its nucleus: that is the object."""
    values = {name: value for value, name in item.names.items()}
    for value in (int(value) for value in np.unique(labels) if value > 0):
        name = item.names.get(value, str(value))
        if name == "cytoplasm" and "nucleus" in values:
            yield "cell", (labels == value) | (labels == values["nucleus"])
        else:
            yield name, labels == value


def _in_volume(item: LabelledItem, labels: NDArray[np.int32]) -> list[Candidate]:
    """Objects of a volume, on planes spread through the middle 60 % of each object's planes.

    Instances and volumes of many classes give one plane an object, others share eight planes. Of a class
    the largest component on the plane is taken; in film, all of it (an object may be half hidden).
    """
    all_values, compact = np.unique(labels, return_inverse=True)
    planes_of = compact.reshape(labels.shape)
    areas = np.stack([np.bincount(plane.ravel(), minlength=len(all_values)) for plane in planes_of])
    columns = [k for k, value in enumerate(all_values) if value > 0 and areas[:, k].max() >= MIN_AREA_PX]
    rounds = 1 if item.mask_type != SEMANTIC else max(1, PLANES_A_VOLUME // max(1, len(columns)))
    found: dict[tuple[int, int], Candidate] = {}
    for number, column in enumerate(columns):
        value = int(all_values[column])
        name = item.names.get(value, str(value))
        planes = np.flatnonzero(areas[:, column] >= MIN_AREA_PX)
        for turn in range(rounds):
            share = 0.2 + 0.6 * ((0.5 + 0.618034 * (number + turn)) % 1.0)
            plane = int(planes[round(share * (len(planes) - 1))])
            if (value, plane) not in found:
                mask = labels[plane] == value
                whole = _numbered(mask.view(np.uint8), plane)
                parts = whole if is_film(item) else _components(mask, plane)
                found[value, plane] = replace(next(parts), name=name)
    return list(found.values())


def _components(mask: NDArray[np.bool_], plane: int) -> Iterator[Candidate]:
    """8-connected components, largest first, without fragments below a tenth of the largest."""
    numbered = ndimage.label(mask, structure=_EIGHT_NEIGHBOURS)[0]
    parts = sorted(_numbered(numbered, plane), key=lambda part: -part.area_px)
    return (part for part in parts if part.area_px >= FRAGMENT_SHARE * parts[0].area_px)


def _numbered(numbered: NDArray[Any], plane: int) -> Iterator[Candidate]:
    """Give each number above 0 of a plane, in order."""
    values, compact, areas = np.unique(numbered, return_inverse=True, return_counts=True)
    places = ndimage.find_objects(compact.reshape(numbered.shape) + 1)
    for value, area_px, place in zip(values, areas, places, strict=True):
        if value > 0:
            rows, columns = place
            box = (rows.start, columns.start, rows.stop, columns.stop)
            yield Candidate(str(value), plane, int(area_px), box, numbered, int(value))
