"""What masks have in common, and one without the other: as with arrays of the whole volume."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from napari_sam.core.masks import BoxedMask
from napari_sam.core.overlaps import common_part, less
from napari_sam.core.planes import PlaneRef
from volumes import Box

SHAPE = (3, 6, 7)
PLANE = PlaneRef(0, 1)
Bits = NDArray[np.bool_]
planes = arrays(np.bool_, SHAPE[1:], elements=st.booleans())


def whole(mask: BoxedMask) -> Bits:
    bits = np.zeros(SHAPE, np.bool_)
    bits[mask.box.slices()] = mask.bits
    return bits


def is_tight(mask: BoxedMask) -> bool:
    return mask.is_empty or Box.of_mask(mask.bits, mask.box.start) == mask.box


@given(planes, planes)
def test_as_with_whole_arrays_and_in_tight_boxes(first: Bits, second: Bits) -> None:
    one, other = (BoxedMask.of_plane(bits, PLANE, SHAPE) for bits in (first, second))
    both, rest = common_part(one, other), less(one, other)
    assert np.array_equal(whole(both), whole(one) & whole(other))
    assert np.array_equal(whole(rest), whole(one) & ~whole(other))
    assert is_tight(both)
    assert is_tight(rest)


def test_what_shares_nothing_is_given_back_itself() -> None:
    bits = np.eye(6, 7, dtype=np.bool_)
    one, other = (BoxedMask.of_plane(part, PLANE, SHAPE) for part in (bits, ~bits))
    assert less(one, other) is one
    assert common_part(one, other).is_empty
