"""What a model is shown to say whether a plane still holds an object: a mask, and what to hold it against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.window import Window
from volumes import Volume

__all__ = ["EndTeller", "EndView", "Eye"]

Eye: TypeAlias = Callable[[NDArray[np.floating]], float | None]
"""A mask's numbers (`napari_sam.core.ending`) to what a model that sees it makes of them."""


@dataclass(frozen=True, eq=False)
class EndView:
    """A mask that may be past the end of its object.

    Parameters
    ----------
    volume, window :
        As in `SegmentRequest`.
    plane : PlaneRef
        Where the mask is.
    step : int
        1 or -1: which way the object is followed.
    mask : BoxedMask
        What would be kept, not empty.
    before : BoxedMask
        The object in the plane before, not empty.
    anchor : BoxedMask
        The object in the anchor that the front left.
    anchor_plane : PlaneRef
        Where that is.
    numbers : NDArray of floats, shape (13,)
        What is known of the mask; see `napari_sam.core.ending.ending_numbers`.
    """

    volume: Volume
    window: Window
    plane: PlaneRef
    step: int
    mask: BoxedMask
    before: BoxedMask
    anchor: BoxedMask
    anchor_plane: PlaneRef
    numbers: NDArray[np.floating]


@runtime_checkable
class EndTeller(Protocol):
    """A segmenter that can look at where an object may have ended."""

    def still_there(self, view: EndView) -> float | None:
        """Return what part of a mask is expected to be the object, 0 to 1; None where it cannot tell."""
        ...
