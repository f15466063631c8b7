"""Which objects of a labelled pair of planes are prompted for."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

__all__ = ["choose_labelled"]

_LARGEST_PART = 0.7
"""An object may cover this part of the first plane at most."""


def choose_labelled(
    labels: Tensor, in_pieces: bool, limits: tuple[int, int], rng: torch.Generator
) -> Tensor | None:
    """Choose objects in the first plane, larger ones more often, and find them in the second.

    Parameters
    ----------
    labels : Tensor
        ``(2, S, S)`` int64, 0 is nothing.
    in_pieces : bool
        Whether a label is a class, whose 4-connected pieces are the objects; in the second plane, such an
        object is the pieces of its class that overlap it. Else a label is one object.
    limits : tuple of int
        Largest number of objects, and smallest area in pixels.
    rng : torch.Generator
        Where chance comes from.

    Returns
    -------
    Tensor or None
        ``(2, M, S, S)`` bool, empty in the second plane where an object has ended; None where no object is
        large enough.
    """
    n_objects, min_area = limits
    first, second = labels.numpy()
    objects = _pieces(first) if in_pieces else first
    areas = np.bincount(objects.ravel())
    areas[0] = 0
    found = np.flatnonzero((areas >= min_area) & (areas < _LARGEST_PART * first.size))
    if not len(found):
        return None
    weights = torch.from_numpy(areas[found].astype(np.float64) ** 0.3)
    n_chosen = min(n_objects, len(found))
    chosen = found[torch.multinomial(weights, n_chosen, generator=rng).numpy()]
    here = objects == chosen[:, None, None]
    if in_pieces:
        others = _pieces(second)
        there = np.stack([_overlapping(mask, first, second, others) for mask in here])
    else:
        there = second == chosen[:, None, None]
    return torch.from_numpy(np.stack([here, there]))


def _pieces(plane: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each 4-connected piece of equal labels a number from 1; 0 stays 0."""
    pieces = np.zeros_like(plane)
    n_pieces = 0
    for label, box in enumerate(ndimage.find_objects(plane), start=1):
        if box is not None:
            own, n_own = ndimage.label(plane[box] == label)
            pieces[box][own > 0] = own[own > 0] + n_pieces
            n_pieces += n_own
    return pieces


def _overlapping(
    mask: NDArray[np.bool_], first: NDArray[np.int64], second: NDArray[np.int64], others: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Give the pieces of the second plane that are of the mask's class and overlap it."""
    same = second == first[mask][0]
    return np.asarray(np.isin(others, np.unique(others[mask & same])) & same)
