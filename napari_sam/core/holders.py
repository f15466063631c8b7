"""Who has the voxels that an answer gave to an object: what is free is all that it gets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.labels import free_voxels
from napari_sam.core.object_operations import open_neighbours
from napari_sam.core.objects import SessionState
from napari_sam.core.planes import PlaneRef

__all__ = ["Holders", "holders_of"]


@dataclass(frozen=True)
class Holders:
    """Who has the voxels of an object's mask in a plane.

    Parameters
    ----------
    object_id : int
        Whose mask it is.
    plane : PlaneRef
        Where.
    n_voxels, n_own : int
        Voxels of the mask, and those of them that the object has.
    others : tuple of (int, int)
        Each object that has some of the rest, and how many; the one with the most first.
    n_open : int
        Voxels of others that may be taken: they are not locked, nor is this plane of theirs confirmed.
    """

    object_id: int
    plane: PlaneRef
    n_voxels: int
    n_own: int
    others: tuple[tuple[int, int], ...]
    n_open: int

    @property
    def is_left_out(self) -> bool:
        """Whether the object got nothing of its mask, as others have it."""
        return self.n_own == 0 and bool(self.others)


def holders_of(labels: NDArray[Any], state: SessionState, object_id: int, plane: PlaneRef) -> Holders | None:
    """Say who has the voxels that the last answer in a plane gave to an object.

    Costs no more than the box of its mask.

    Parameters
    ----------
    labels : NDArray of integers, shape (P, R, C)
        The session's.
    state : SessionState
        Its objects.
    object_id : int
        The object.
    plane : PlaneRef
        Where it was prompted.

    Returns
    -------
    Holders or None
        None where no answer stands there, or its mask is empty.
    """
    one = state.objects.get(object_id)
    anchor = None if one is None else one.anchor_on(plane)
    mask = None if anchor is None else anchor.mask
    if mask is None or mask.is_empty:
        return None
    there = labels[mask.box.slices()]
    held = there[mask.bits]
    ids, counts = np.unique(held, return_counts=True)
    found = dict(zip(ids.tolist(), counts.tolist(), strict=True))
    n_own = found.pop(object_id, 0)
    found.pop(0, None)
    n_open = 0
    if found:
        may_take = free_voxels(there, mask.box, open_neighbours(state, object_id)) & mask.bits
        n_open = int(np.count_nonzero(may_take & (there != 0) & (there != object_id)))
    others = tuple(sorted(found.items(), key=lambda pair: -pair[1]))
    return Holders(object_id, plane, held.size, n_own, others, n_open)
