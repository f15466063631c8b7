"""What two masks have in common, and what one of them is without the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.masks import BoxedMask
from volumes import Box

__all__ = ["common_part", "less"]


def common_part(first: BoxedMask, second: BoxedMask) -> BoxedMask:
    """Return the voxels that two masks share, cut to their tight box; empty where there are none."""
    both = first.box.intersection(second.box)
    if both is None or both.is_empty:
        return _nothing(first)
    return _tight(both, _bits_in(both, first) & _bits_in(both, second))


def less(mask: BoxedMask, other: BoxedMask) -> BoxedMask:
    """Return a mask without the voxels of another, cut to its tight box; itself where they share none."""
    both = mask.box.intersection(other.box)
    if both is None or both.is_empty:
        return mask
    theirs = _bits_in(both, other)
    if not (_bits_in(both, mask) & theirs).any():
        return mask
    bits = mask.bits.copy()
    bits[_inside(both, mask)] &= ~theirs
    return _tight(mask.box, bits)


def _tight(box: Box, bits: NDArray[np.bool_]) -> BoxedMask:
    found = BoxedMask(box, bits)
    tight = Box.of_mask(bits, box.start)
    return _nothing(found) if tight is None else found.within(tight)


def _nothing(mask: BoxedMask) -> BoxedMask:
    start = mask.box.start
    return BoxedMask(Box(start, start), np.zeros((0, 0, 0), dtype=np.bool_))


def _bits_in(box: Box, mask: BoxedMask) -> NDArray[np.bool_]:
    """Return a mask's bits in a box that lies in its own; a view."""
    return mask.bits[_inside(box, mask)]


def _inside(box: Box, mask: BoxedMask) -> tuple[slice, ...]:
    """Return where a box lies in a mask's bits."""
    start = mask.box.start
    return box.shift((-start[0], -start[1], -start[2])).slices()
