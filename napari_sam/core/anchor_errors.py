"""What a model gets wrong in the anchors' own planes, carried to the planes beside them.

What a person showed is known in the anchors; what the model would say there, were they followed like any
other plane, can be asked. Where the two differ, they differ alike in the planes around: an organ leaks into
the same neighbour, a wall is left out on the same side. Statistics know this as regression-kriging (I. O. A.
Odeh, A. B. McBratney and D. J. Chittleborough, "Further results on prediction of soil properties from terrain
attributes", 1995): what a model leaves over where the truth is known is added to what it says in between.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.depths import signed_depths

__all__ = ["AnchorErrors"]

FADE_PLANES = 8.0
"""How many planes away an anchor's error counts 1/e of what it does beside the anchor."""

MOST = 0.5
"""How far an outline is moved at most, in radii of the disc of the object's area in the anchor."""


@dataclass(frozen=True, eq=False)
class _Error:
    """What was wrong in one anchor.

    Parameters
    ----------
    depth : NDArray[float32], shape (h, w)
        How much deeper each cell lies in the object than in what was found, in cells.
    middle : NDArray[float64], shape (2,)
        Mean row and column of what the model answered, in cells of `depth`.
    radius : float
        Of the disc of the answer's area, in cells.
    """

    depth: NDArray[np.float32]
    middle: NDArray[np.float64]
    radius: float


class AnchorErrors:
    """The errors of one propagation's anchors, by the index of their planes; none in the beginning."""

    def __init__(self) -> None:
        self._errors: dict[int, _Error] = {}

    def __bool__(self) -> bool:
        return bool(self._errors)

    def learn(
        self, index: int, answer: NDArray[np.bool_], found: NDArray[np.bool_], shown: NDArray[np.bool_]
    ) -> None:
        """Compare what was found in an anchor's plane with what a person showed there.

        Parameters
        ----------
        index : int
            Of the plane.
        answer : NDArray[bool], shape (h, w)
            The model's mask in cells; not empty.
        found : NDArray[bool], shape (h, w)
            What would have been kept of it.
        shown : NDArray[bool], shape (h, w)
            The anchor's mask; nothing is learnt from an empty one.
        """
        if not shown.any():
            return
        radius = _radius(answer)
        there, told = signed_depths(np.stack([shown, found]), radius)
        error = np.clip(there - told, -MOST * radius, MOST * radius)
        self._errors[index] = _Error(error, _middle(answer), radius)

    def carried(self, index: int, answer: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Say how much deeper cells of another plane are expected to lie than what is found there.

        The nearest anchor on either side counts, the less the farther away it is, and both no more than one
        alone. Errors move with the object, and are smaller where it is.

        Parameters
        ----------
        index : int
            Of the plane.
        answer : NDArray[bool], shape (h, w)
            The model's mask in cells; not empty.

        Returns
        -------
        NDArray[float32], shape (h, w)
            In cells.
        """
        sides = [i for i in self._errors if i < index], [i for i in self._errors if i > index]
        nearest = [max(sides[0])] if sides[0] else []
        nearest += [min(sides[1])] if sides[1] else []
        shares = {i: math.exp(-abs(index - i) / FADE_PLANES) for i in nearest}
        whole = max(1.0, sum(shares.values()))
        radius, middle = _radius(answer), _middle(answer)
        total = np.zeros(answer.shape, np.float32)
        for i, share in shares.items():
            error = self._errors[i]
            moved = ndimage.affine_transform(
                error.depth, (1.0, 1.0), error.middle - middle, answer.shape, order=1
            )
            total += share / whole * min(1.0, radius / error.radius) * moved
        return total


def _radius(cells: NDArray[np.bool_]) -> float:
    return math.sqrt(np.count_nonzero(cells) / math.pi)


def _middle(cells: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray(np.mean(np.nonzero(cells), axis=1))
