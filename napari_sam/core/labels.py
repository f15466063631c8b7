"""Label arrays: their dtype, their ids, and what one object has in one box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.errors import InvalidEdit
from volumes import Box

__all__ = ["fit_labels", "free_voxels", "label_values", "object_extents", "own_mask", "with_mask"]

_KEPT_DTYPES = (np.dtype(np.uint16), np.dtype(np.uint32))
_DENSE_ID_LIMIT = 2**20


def fit_labels(labels: NDArray[Any] | None, shape: tuple[int, int, int]) -> NDArray[Any]:
    """Return the label array that a session works on.

    Parameters
    ----------
    labels : NDArray or None
        A writable uint16 or uint32 array is used itself; other integers are copied to uint16, or to uint32
        where an id needs it. None gives zeros of uint16.
    shape : tuple[int, int, int]
        The volume's (P, R, C).

    Raises
    ------
    InvalidEdit
        Another shape; no integers; an id below 0 or above 4294967295.
    """
    if labels is None:
        return np.zeros(shape, dtype=np.uint16)
    if labels.shape != shape:
        raise InvalidEdit(
            f"the labels have shape {labels.shape}, the volume {shape}; give labels of that shape"
        )
    if labels.dtype in _KEPT_DTYPES:
        return labels if labels.flags.writeable else labels.copy()
    if labels.dtype != np.bool_ and not np.issubdtype(labels.dtype, np.integer):
        raise InvalidEdit(f"the labels are {labels.dtype}; give whole numbers, such as uint16")
    lowest, highest = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    if lowest < 0 or highest > np.iinfo(np.uint32).max:
        raise InvalidEdit(f"the labels hold ids from {lowest} to {highest}; ids go from 0 to 4294967295")
    return labels.astype(np.uint16 if highest <= np.iinfo(np.uint16).max else np.uint32)


def label_values(labels: NDArray[Any]) -> NDArray[Any]:
    """Return the values of labels (P, R, C) that are not 0, in order, each once."""
    highest = int(labels.max(initial=0))
    if highest > _DENSE_ID_LIMIT:
        found = np.unique(labels)
        return found[found > 0]
    is_there = np.zeros(highest + 1, np.bool_)
    for plane in labels:
        is_there[plane.ravel()] = True
    return np.flatnonzero(is_there[1:]) + 1


def object_extents(labels: NDArray[Any]) -> dict[int, Box]:
    """Return the tight box of each object, by id, in one pass over the volume."""
    highest = int(labels.max(initial=0))
    if highest == 0:
        return {}
    ids: NDArray[Any] | range = range(highest + 1)
    if highest > _DENSE_ID_LIMIT:
        ids = np.union1d([0], labels)
        labels = np.searchsorted(ids, labels)
    return {
        int(ids[position]): Box(tuple(s.start for s in found), tuple(s.stop for s in found))
        for position, found in enumerate(ndimage.find_objects(labels), start=1)
        if found is not None
    }


def own_mask(labels: NDArray[Any], object_id: int, plane: PlaneRef, within: Box | None) -> BoxedMask | None:
    """Return an object's mask in a plane, looked for in a box; None where it has none there."""
    looked_at = None if within is None else within.intersection(plane.box(labels.shape))
    if looked_at is None:
        return None
    is_own = labels[looked_at.slices()] == object_id
    tight = Box.of_mask(is_own)
    return None if tight is None else BoxedMask(tight.shift(looked_at.start), is_own[tight.slices()].copy())


def free_voxels(before: NDArray[Any], box: Box, takes: Mapping[int, Sequence[PlaneRef]]) -> NDArray[np.bool_]:
    """Return which voxels of a box an object may take from others.

    Parameters
    ----------
    before : NDArray, shape `box.shape`
        What the box holds.
    box : Box
        Where it lies.
    takes : mapping of int to sequence of PlaneRef
        The objects that may lose voxels, each with the planes in which it may not.

    Returns
    -------
    NDArray[bool], shape `box.shape`
        True for the background and what may be taken.
    """
    present = np.unique(before)
    is_free = np.asarray(
        np.isin(before, [number for number in present.tolist() if number in takes or number == 0])
    )
    for number in present.tolist():
        for plane in takes.get(number, ()):
            if plane.meets(box):
                inside = (slice(None),) * plane.axis + (plane.index - box.start[plane.axis],)
                is_free[inside] &= before[inside] != number
    return is_free


def with_mask(
    before: NDArray[Any], box: Box, mask: BoxedMask, object_id: int, free: NDArray[np.bool_] | None = None
) -> NDArray[Any]:
    """Return what a box holds once an object's mask replaced that object's voxels in it.

    Parameters
    ----------
    before : NDArray, shape `box.shape`
        What the box holds.
    box : Box
        Holds the mask's box.
    mask : BoxedMask
        The object's new mask.
    object_id : int
        The object's label value.
    free : NDArray[bool], shape `box.shape`, optional
        What the object may take beside its own; the background when None.

    Returns
    -------
    NDArray, shape `box.shape`
    """
    after = np.where(before == object_id, np.zeros_like(before), before)
    if not mask.box.is_empty:
        start = box.start
        inside = mask.box.shift((-start[0], -start[1], -start[2])).slices()
        inner = after[inside]
        inner[mask.bits & ((inner == 0) if free is None else (free[inside] | (inner == 0)))] = object_id
    return after
