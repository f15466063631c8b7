"""How sure an object is of the voxels that it claims in a plane, in logits.

Beyond its end an object is as sure of its neighbour as that is, so the model's logit alone says little. What
speaks against a claim besides is where its voxels lie beside the object's anchor, how far that is, and how
little the planes on the way were trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.evidence import log_odds
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef

__all__ = ["Claim", "Home"]

PLACE = 6.0
"""What lying as deep in the anchor's mask as its radius counts for, in logits."""

NEAR = 0.6
"""What a plane less from the anchor counts for."""

DOUBT = 1.0
"""What trust counts for that is smaller by a factor of e in one of the planes on the way."""

MOST_DOUBT = 3.0
"""More doubt says no more: a thin object that is followed far is not another's for that."""

SHARE = 4.0
"""What having all of the mask contested counts for: who would be left with nothing keeps more."""

FARTHEST = 1.5
"""Radii beyond an anchor's outline at which it makes no difference any more how far a voxel lies."""


@dataclass(frozen=True, eq=False)
class Home:
    """Where an object is in the plane of one of its anchors.

    Parameters
    ----------
    axis : int
        The axis that the planes lie across.
    mask : BoxedMask
        The anchor's mask, not empty.
    """

    axis: int
    mask: BoxedMask

    def depth(self, places: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return how deep voxels ``(n, 3)`` lie in the mask, whatever their planes, ``(n,)``.

        In radii of the disc of the mask's area: up to 1 inside, and down to -`FARTHEST` outside.
        """
        start, depth = self._depth
        rows_cols = np.delete(places, self.axis, axis=1) - start
        inside = ((rows_cols >= 0) & (rows_cols < depth.shape)).all(axis=1)
        found = np.full(len(places), -FARTHEST)
        found[inside] = depth[tuple(rows_cols[inside].T)]
        return found

    @cached_property
    def _depth(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The depth around the mask ``(h, w)``, and the row and column at which that begins."""
        radius = np.sqrt(self.mask.area / np.pi)
        margin = int(np.ceil(FARTHEST * radius)) + 1
        bits = np.pad(self.mask.bits.any(axis=self.axis), margin)
        px = ndimage.distance_transform_edt(bits) - ndimage.distance_transform_edt(~bits)
        start = np.delete(np.array(self.mask.box.start), self.axis) - margin
        return start, np.clip(px / radius, -FARTHEST, 1.0)


@dataclass(frozen=True, eq=False)
class Claim:
    """What one object claims in a plane.

    Parameters
    ----------
    plane : PlaneRef
        The plane.
    volume_shape : tuple of int
        (P, R, C).
    mask : BoxedMask
        What it claims there.
    hint : NDArray, shape (h, w)
        The logits that gave the mask, in the model's frame; of shape (0, 0) where no model was asked.
    score : float
        The predicted IoU of the mask.
    home : Home
        Where the object is in its nearest anchor.
    n_steps : int
        How many planes lie between this one and that anchor, this one counted; 0 in the anchor itself.
    doubt : float
        Sum of -ln(trust) over those planes.
    is_anchor : bool
        Whether a person showed it: then nobody takes anything from it.
    """

    plane: PlaneRef
    volume_shape: tuple[int, int, int]
    mask: BoxedMask
    hint: NDArray[np.floating]
    score: float
    home: Home
    n_steps: int = 0
    doubt: float = 0.0
    is_anchor: bool = False

    @property
    def has_logits(self) -> bool:
        """Whether a model said how sure it is of each pixel."""
        return self.hint.size > 0

    def levels(self, places: NDArray[np.integer], by_logits: bool) -> NDArray[np.float64]:
        """Return how sure the object is of all voxels ``(n, 3)`` of its mask that another claims, too.

        Parameters
        ----------
        places : NDArray of integers, shape (n, 3)
            Voxels of the mask.
        by_logits : bool
            Whether to begin with each voxel's logit, otherwise with the log odds of the predicted IoU.

        Returns
        -------
        NDArray[float64], shape (n,)
            In logits; infinite for an anchor.
        """
        if self.is_anchor:
            return np.full(len(places), np.inf)
        share = len(places) / self.mask.area
        way = NEAR * self.n_steps + DOUBT * min(self.doubt, MOST_DOUBT)
        levels = PLACE * self.home.depth(places) + SHARE * share - way
        return np.asarray(levels + (self._logits(places) if by_logits else log_odds(self.score)))

    def _logits(self, places: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the logits ``(n,)`` at voxels ``(n, 3)``, bilinear from the hint's padded square."""
        scale = max(self.hint.shape) / max(self.plane.shape_hw(self.volume_shape))
        rows_cols = np.delete(places, self.plane.axis, axis=1).T
        return np.asarray(
            ndimage.map_coordinates(
                self.hint.astype(np.float64), (rows_cols + 0.5) * scale - 0.5, order=1, mode="nearest"
            )
        )
