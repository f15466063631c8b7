"""How many voxels each object has in each plane, kept up to date from edit to edit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.edits import Edit
from volumes import Box

__all__ = ["ObjectCounts"]


class ObjectCounts:
    """Voxels of each object by plane of axis 0.

    Counting all takes as long as the boxes are large, an edit as long as its box.

    Parameters
    ----------
    labels : NDArray of integers, shape (P, R, C)
        The labels as they are now; not kept.
    boxes : iterable of Box, optional
        Where the objects are; the whole volume when None.
    """

    def __init__(self, labels: NDArray[Any], boxes: Iterable[Box] | None = None) -> None:
        self._n_planes = labels.shape[0]
        self._counts: dict[int, NDArray[np.int64]] = {}
        bounds = [Box((0, 0, 0), labels.shape)] if boxes is None else list(boxes)
        if bounds:
            whole = bounds[0]
            for box in bounds[1:]:
                whole = whole.union(box)
            self._add(whole, labels[whole.slices()], 1)

    def update(self, edit: Edit) -> None:
        """Take an edit in; the ones of `Session.on_edit` come in order."""
        if not edit.box.is_empty:
            self._add(edit.box, edit.before, -1)
            self._add(edit.box, edit.after, 1)

    def voxels(self, object_id: int) -> int:
        """Return how many voxels an object has."""
        return int(self.by_plane(object_id).sum())

    def planes(self, object_id: int) -> int:
        """Return in how many planes of axis 0 an object has a voxel."""
        return int(np.count_nonzero(self.by_plane(object_id)))

    def by_plane(self, object_id: int) -> NDArray[np.int64]:
        """Return an object's voxels in each plane of axis 0, shape (P,)."""
        counts = self._counts.get(object_id)
        return np.zeros(self._n_planes, np.int64) if counts is None else counts.copy()

    def _add(self, box: Box, labels: NDArray[Any], sign: int) -> None:
        for index, plane in enumerate(labels, start=box.start[0]):
            found = np.bincount(plane.ravel()) if plane.size else np.zeros(0, np.int64)
            for object_id in np.flatnonzero(found).tolist():
                if object_id:
                    counts = self._counts.setdefault(object_id, np.zeros(self._n_planes, np.int64))
                    counts[index] += sign * int(found[object_id])
