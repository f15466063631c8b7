from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volumes import Box, InvalidBox

SHAPE = (5, 6, 7)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    pairs = [sorted(draw(st.tuples(st.integers(0, length), st.integers(0, length)))) for length in SHAPE]
    return Box(tuple(low for low, _ in pairs), tuple(high for _, high in pairs))


def as_mask(box: Box) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[box.slices()] = True
    return mask


@given(boxes())
def test_size_shape_and_of_mask_agree_with_the_voxels(box: Box) -> None:
    mask = as_mask(box)
    assert box.size == mask.sum()
    assert mask[box.slices()].shape == box.shape
    assert Box.of_mask(mask) == (None if box.is_empty else box)


@given(boxes(), boxes())
def test_intersection_and_meets_are_those_of_the_voxels(one: Box, other: Box) -> None:
    both = as_mask(one) & as_mask(other)
    found = one.intersection(other)
    assert one.meets(other) == both.any()
    assert np.array_equal(as_mask(found) if found else np.zeros(SHAPE, dtype=bool), both)


@given(boxes(), boxes())
def test_union_is_the_tight_box_of_both(one: Box, other: Box) -> None:
    assert Box.of_mask(as_mask(one) | as_mask(other)) == (
        None if one.union(other).is_empty else one.union(other)
    )


@given(boxes(), st.integers(0, 3))
def test_growing_and_shrinking_come_back(box: Box, margin: int) -> None:
    assert box.grow(margin).grow(-margin) == box
    assert box.grow(margin).clip(SHAPE).intersection(box) == (None if box.is_empty else box)


@given(boxes(), st.tuples(*[st.integers(-4, 4)] * 3))
def test_contains_moves_with_the_box(box: Box, offset: tuple[int, int, int]) -> None:
    mask = as_mask(box)
    for at in [(0, 0, 0), (2, 3, 4), (4, 5, 6)]:
        moved = tuple(np.add(at, offset))
        assert box.contains(at) == mask[at] == box.shift(offset).contains(moved)


def test_margins_may_differ_by_axis() -> None:
    assert Box((2, 2, 2), (3, 3, 3)).grow((0, 1, 2)) == Box((2, 1, 0), (3, 4, 5))


def test_a_box_outside_is_clipped_to_nothing() -> None:
    assert Box((8, 0, 0), (9, 2, 2)).clip(SHAPE).is_empty
    assert Box((-4, 0, 0), (-2, 2, 2)).clip(SHAPE).is_empty


def test_of_mask_counts_from_the_offset() -> None:
    mask = np.zeros(SHAPE, dtype=np.uint8)
    mask[1, 2, 3] = 7
    assert Box.of_mask(mask, (10, 20, 30)) == Box((11, 22, 33), (12, 23, 34))


def test_numpy_integers_become_plain_ones() -> None:
    box = Box(tuple(np.array([1, 2, 3])), tuple(np.array([2, 3, 4])))
    assert box == Box((1, 2, 3), (2, 3, 4))
    assert all(type(value) is int for value in box.start + box.stop)


@pytest.mark.parametrize(
    ("start", "stop", "words"),
    [
        ((1, 0, 0), (0, 1, 1), "lies before"),
        ((0, 0), (1, 1, 1), "three integers"),
        ((0.5, 0, 0), (1, 1, 1), "three integers"),
    ],
)
def test_what_is_no_box_is_refused(start: tuple, stop: tuple, words: str) -> None:
    with pytest.raises(InvalidBox, match=words):
        Box(start, stop)


def test_slices_below_zero_are_refused_as_they_would_count_from_the_end() -> None:
    with pytest.raises(InvalidBox, match="clip it"):
        Box((-1, 0, 0), (2, 2, 2)).slices()
