"""Masks as run lengths."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam.errors import StoreError
from napari_sam.store.session_codec import from_runs, to_runs


@given(
    hnp.arrays(st.sampled_from([np.bool_, np.uint16]), hnp.array_shapes(max_dims=3, min_side=0, max_side=6))
)
def test_run_lengths_round_trip(values: np.ndarray) -> None:
    runs = json.loads(json.dumps(to_runs(values)))
    back = from_runs(runs, values.shape, values.dtype)
    assert back.dtype == values.dtype
    assert np.array_equal(back, values)


@pytest.mark.parametrize("runs", [[1], [1, 5], [1, -6], [1, 7, 0, -1]])
def test_run_lengths_that_do_not_fill_the_shape_are_refused(runs: list[int]) -> None:
    with pytest.raises(StoreError, match="do not fill"):
        from_runs(runs, (2, 3), np.dtype(np.uint16))
