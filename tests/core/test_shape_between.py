"""Shapes between planes: exact where both ends agree, in between where they do not, on any axis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.shape_between import shape_between

SHAPE = (9, 40, 50)


def disc(row: float, column: float, radius: float, shape: tuple[int, int] = SHAPE[1:]) -> NDArray[np.bool_]:
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((rows - row) ** 2 + (columns - column) ** 2 <= radius**2)


def between(
    first: NDArray[np.bool_],
    last: NDArray[np.bool_],
    index: int,
    ends: tuple[int, int] = (0, 8),
    axis: int = 0,
) -> NDArray[np.bool_]:
    masks = [
        BoxedMask.of_plane(mask, PlaneRef(axis, end), SHAPE)
        for mask, end in zip((first, last), ends, strict=True)
    ]
    plane = PlaneRef(axis, index)
    return shape_between(*masks, plane, SHAPE).to_plane(plane, SHAPE)


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_one_shape_at_both_ends_is_that_shape_in_between(seed: int, index: int) -> None:
    mask = np.random.default_rng(seed).random(SHAPE[1:]) < 0.3
    assert np.array_equal(between(mask, mask, index), mask)


@pytest.mark.parametrize("index", [1, 4, 7])
def test_a_disc_that_grows_has_the_radius_in_between(index: int) -> None:
    found = between(disc(20, 25, 4), disc(20, 25, 12), index)
    assert np.sqrt(found.sum() / np.pi) == pytest.approx(4 + index, abs=0.5)


@pytest.mark.parametrize("index", [2, 4, 6])
def test_a_disc_that_wanders_is_on_its_way_and_keeps_its_size(index: int) -> None:
    first, last = disc(8, 8, 5), disc(32, 40, 5)  # they share no pixel
    found = between(first, last, index)
    middle = np.mean(np.nonzero(found), axis=1)
    np.testing.assert_allclose(middle, (8 + 24 * index / 8, 8 + 32 * index / 8), atol=0.5)
    assert abs(int(found.sum()) - int(first.sum())) <= 4


def test_the_nearer_plane_counts_more() -> None:
    small, large = disc(20, 25, 4), disc(20, 25, 12)
    areas = [int(between(small, large, index).sum()) for index in range(1, 8)]
    assert areas == sorted(areas)
    assert small.sum() < areas[0] < areas[-1] < large.sum()


def test_pixels_that_are_no_squares_are_measured_in_mm() -> None:
    """Rows 4 mm apart, columns 1 mm: an outline moves as many mm in both."""
    first, last = np.zeros(SHAPE[1:], bool), np.zeros(SHAPE[1:], bool)
    first[18:22, 20:30] = True
    last[16:24, 12:38] = True  # 2 rows or 8 columns further out: 8 mm each
    masks = [BoxedMask.of_plane(mask, PlaneRef(0, end), SHAPE) for mask, end in ((first, 0), (last, 8))]
    found = shape_between(*masks, PlaneRef(0, 4), SHAPE, (4.0, 1.0)).to_plane(PlaneRef(0, 4), SHAPE)
    assert found[17:23, 25].all()
    assert not found[16, 25]
    assert 3 <= int(found[20].sum() - first[20].sum()) / 2 <= 5


@pytest.mark.parametrize("axis", [1, 2])
def test_on_any_axis(axis: int) -> None:
    shape_hw = PlaneRef(axis, 0).shape_hw(SHAPE)
    mask = disc(4, 20, 3, shape_hw)
    assert np.array_equal(between(mask, mask, 5, (2, 9), axis), mask)


def test_at_the_border_of_the_picture() -> None:
    found = between(disc(0, 0, 6), disc(39, 0, 6), 4)
    assert found.any()
    assert found[:, :7].sum() == found.sum()
