"""Depths and opened masks are those of scipy, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.depths import opened, signed_depths


@st.composite
def masks(draw: st.DrawFn) -> NDArray[np.bool_]:
    """Several of one shape: noise, smooth or not, of which some part is inside, or all or nothing."""
    shape = tuple(draw(st.integers(1, most)) for most in (3, 24, 24))
    noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(size=shape)
    level = ndimage.gaussian_filter(noise, (0, *[draw(st.sampled_from([0.0, 0.7, 2.0]))] * 2))
    return np.asarray(level > np.quantile(level, draw(st.sampled_from([0.0, 0.1, 0.5, 0.8, 1.0]))))


def distance(part: NDArray[np.bool_]) -> NDArray[np.float32]:
    """To the nearest False one; without any, beyond all bounds."""
    found = np.full(part.shape, np.inf) if part.all() else ndimage.distance_transform_edt(part)
    return np.asarray(found, np.float32)


def depths(mask: NDArray[np.bool_], most: float) -> NDArray[np.float32]:
    return np.asarray(np.clip(distance(mask) - distance(~mask), -most, most), np.float32)


@settings(max_examples=100, deadline=None)
@given(masks(), st.sampled_from([0.4, 1.0, 3.7, 40.0]))
def test_depths_are_those_of_scipy(some: NDArray[np.bool_], most: float) -> None:
    found = signed_depths(some, most)
    assert found.dtype == np.float32
    assert np.array_equal(found, np.stack([depths(mask, most) for mask in some]))


@pytest.mark.parametrize("is_full", [True, False])
def test_a_full_mask_is_as_deep_as_may_be_and_an_empty_one_as_far_away(is_full: bool) -> None:
    some = np.full((1, 5, 400), is_full)
    assert (signed_depths(some, 150.5) == (150.5 if is_full else -150.5)).all()


def test_deep_masks_are_measured_to_the_bit() -> None:
    rows, cols = np.ogrid[:401, :401]
    disc = (rows - 200) ** 2 + (cols - 190) ** 2 <= 180**2
    assert np.array_equal(signed_depths(disc[None], 190.0)[0], depths(disc, 190.0))


@settings(max_examples=60, deadline=None)
@given(masks())
def test_opened_masks_are_those_of_scipy(some: NDArray[np.bool_]) -> None:
    for mask in some:
        assert np.array_equal(opened(mask), ndimage.binary_opening(mask))
