"""A lazy array is indexed as numpy's are, and reads no more than the box that an index needs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices
from numpy.typing import NDArray

from volumes import Geometry, LazyArray, Provenance, Volume

WHOLE = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)


class MemorySource:
    """Boxes of an array in memory, with a record of what was asked for."""

    shape, dtype = WHOLE.shape, WHOLE.dtype

    def __init__(self) -> None:
        self.boxes: list[tuple[tuple[int, ...], tuple[int, ...]]] = []

    def read_box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> NDArray[Any]:
        self.boxes.append((start, stop))
        return WHOLE[tuple(slice(low, high) for low, high in zip(start, stop, strict=True))]

    def overview(self) -> NDArray[Any]:
        return WHOLE[::2]


@given(basic_indices(WHOLE.shape, allow_newaxis=False))
def test_basic_indices_give_what_numpy_gives(index: Any) -> None:
    found = LazyArray(MemorySource())[index]
    expected = WHOLE[index]
    assert found.dtype == WHOLE.dtype
    assert found.shape == np.shape(expected)
    assert np.array_equal(found, expected)


@given(st.lists(st.integers(-4, 3), max_size=6), st.integers(0, 4))
def test_a_list_on_one_axis_gives_what_numpy_gives(planes: list[int], row: int) -> None:
    index = (np.array(planes, dtype=np.intp), slice(None), slice(None))
    assert np.array_equal(LazyArray(MemorySource())[index], WHOLE[index])
    assert np.array_equal(LazyArray(MemorySource())[:, row], WHOLE[:, row])


def test_one_plane_reads_one_plane() -> None:
    source = MemorySource()
    LazyArray(source)[2]
    LazyArray(source)[:, 1:3, -1]
    LazyArray(source)[3:3]
    assert source.boxes == [((2, 0, 0), (3, 5, 6)), ((0, 1, 5), (4, 3, 6))]


@pytest.mark.parametrize("index", [4, -5, (0, 0, 6), (0, 0, 0, 0), (..., ...)])
def test_indices_outside_are_index_errors(index: Any) -> None:
    with pytest.raises(IndexError):
        LazyArray(MemorySource())[index]


def test_it_describes_itself_and_becomes_an_array() -> None:
    lazy = LazyArray(MemorySource())
    assert (lazy.ndim, lazy.size, lazy.nbytes, len(lazy)) == (3, 120, 240, 4)
    assert np.array_equal(np.asarray(lazy), WHOLE)
    assert np.asarray(lazy, dtype=float).dtype == float
    assert np.array_equal(lazy.overview(), WHOLE[::2])
    with pytest.raises(ValueError, match="always a copy"):
        np.asarray(lazy, copy=False)


def test_a_lazy_volume_has_the_digest_of_the_same_volume_in_memory() -> None:
    geometry = Geometry.from_spacing((4, 5, 6))
    lazy, plain = (Volume(data, geometry, Provenance("made")) for data in (LazyArray(MemorySource()), WHOLE))
    assert lazy.is_lazy
    assert not plain.is_lazy
    assert lazy.digest() == plain.digest()
