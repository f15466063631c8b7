"""How bright an object is: a sign by which propagation notices that it follows something else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.window import Window
from volumes import Volume

__all__ = ["GreyRange", "grey_levels"]

RANGE_PERCENT = (5.0, 95.0)
TOLERANCE = 10.0  # grey levels of 0 to 255: noise, partial volume, uneven light


@dataclass(frozen=True)
class GreyRange:
    """The grey levels that an object has, as the model sees them (0 to 255).

    Parameters
    ----------
    low, high : float
        From the darkest to the brightest level that still counts as the object's.
    """

    low: float
    high: float

    @classmethod
    def of_levels(cls, levels: NDArray[np.floating]) -> GreyRange:
        """Take most of an object's levels ``(n,)``, n > 0, and a tolerance on either side."""
        low, high = np.percentile(levels, RANGE_PERCENT).tolist()
        return cls(low - TOLERANCE, high + TOLERANCE)

    def share_of(self, levels: NDArray[np.floating]) -> float:
        """Return the part of some levels ``(n,)``, n > 0, that lies in the range."""
        return float(np.mean((levels >= self.low) & (levels <= self.high)))


def grey_levels(volume: Volume, window: Window, plane: PlaneRef, mask: BoxedMask) -> NDArray[np.floating]:
    """Return the levels ``(n,)`` of a mask's voxels, 0 to 255; RGB counts by its channels' mean."""
    row0, col0, row1, col1 = plane.box_hw(mask.box)
    cut, bits = np.asarray(plane.take(volume.data)[row0:row1, col0:col1]), mask.bits.any(axis=plane.axis)
    if cut.ndim == 3:
        return np.asarray(window.to_uint8(cut).mean(axis=2)[bits])
    return window.to_uint8(cut[bits]).astype(np.float64)
