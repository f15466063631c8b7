"""Run lengths: what goes in comes out, and they are COCO's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from napari_sam.core.run_lengths import RunLengths, counts_to_text, text_to_counts
from napari_sam.errors import InvalidRunLengths

masks = arrays.arrays(np.bool_, arrays.array_shapes(min_dims=2, max_dims=2, max_side=12))


@given(masks, st.booleans())
def test_a_mask_comes_back(mask: NDArray[np.bool_], compressed: bool) -> None:
    lengths = RunLengths.of_mask(mask)
    assert lengths.area == np.count_nonzero(mask)
    assert all(count > 0 for count in lengths.counts[1:])
    again = RunLengths.from_coco(lengths.to_coco(compressed=compressed))
    assert again == lengths
    assert np.array_equal(again.to_mask(), mask)


@given(masks)
def test_counts_run_down_the_columns_and_start_outside(mask: NDArray[np.bool_]) -> None:
    drawn: list[bool] = []
    for number, count in enumerate(RunLengths.of_mask(mask).counts):
        drawn += [number % 2 == 1] * count
    assert drawn == mask.T.ravel().tolist()


@given(st.lists(st.integers(0, 2**40)))
def test_any_counts_come_back_from_the_string(counts: list[int]) -> None:
    assert text_to_counts(counts_to_text(counts)) == tuple(counts)


@pytest.mark.parametrize(
    ("counts", "text"),
    [
        ((), ""),
        ((0,), "0"),
        ((15,), "?"),
        ((16,), "`0"),
        ((1, 1023), "1oo0"),
        # differences from the fourth on: 6 - 4 = 2, 1 - 3 = -2
        ((5, 4, 3, 6, 1), "5432N"),
    ],
)
def test_the_string_is_the_one_of_coco(counts: tuple[int, ...], text: str) -> None:
    """By hand from the description of the format."""
    assert counts_to_text(counts) == text
    assert text_to_counts(text) == counts


def test_bytes_are_read_as_other_programs_write_them() -> None:
    lengths = RunLengths.of_mask(np.eye(5, dtype=np.bool_))
    record = lengths.to_coco()
    assert RunLengths.from_coco({**record, "counts": record["counts"].encode()}) == lengths


def test_a_mask_without_pixels() -> None:
    lengths = RunLengths.of_mask(np.zeros((0, 4), np.bool_))
    assert lengths.counts == ()
    assert lengths.to_mask().shape == (0, 4)


@pytest.mark.parametrize(
    "record",
    [
        {"size": [2, 2]},
        {"size": [2], "counts": [4]},
        {"size": [2, 2], "counts": [3]},
        {"size": [2, 2], "counts": [5, -1]},
        {"size": [2, 2], "counts": "x"},
        {"size": [2, 2], "counts": "P"},
        {"size": [2, 2], "counts": "4ü"},
        {"size": [2, 2], "counts": 4},
    ],
)
def test_what_makes_no_mask_is_refused(record: dict[str, object]) -> None:
    with pytest.raises(InvalidRunLengths, match="give"):
        RunLengths.from_coco(record)


@pytest.mark.parametrize("mask", [np.zeros((2, 2)), np.zeros((2, 2, 2), np.bool_)])
def test_only_boolean_planes_have_run_lengths(mask: NDArray[np.bool_]) -> None:
    with pytest.raises(InvalidRunLengths, match="booleans"):
        RunLengths.of_mask(mask)
