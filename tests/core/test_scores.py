"""Measures whose values are known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import distance

from napari_sam.core.scores import (
    SurfaceDistance,
    auc,
    boundary_f,
    clicks_needed,
    correlation,
    dice,
    mask_iou,
    surface_distance,
)


def _square(start: int, stop: int, side: int = 40) -> NDArray[np.bool_]:
    mask = np.zeros((side, side), bool)
    mask[start:stop, start:stop] = True
    return mask


def test_iou_and_dice() -> None:
    a, b = np.zeros((4, 4), dtype=bool), np.zeros((4, 4), dtype=bool)
    assert mask_iou(a, b) == dice(a, b) == 1.0
    a[0], b[:, 0] = True, True  # 4 and 4 pixels, one in common
    assert mask_iou(a, b) == pytest.approx(1 / 7)
    assert dice(a, b) == pytest.approx(2 / 8)


def test_an_outline_within_the_tolerance_agrees() -> None:
    truth = _square(10, 30)
    assert boundary_f(truth, truth) == 1.0
    assert boundary_f(_square(11, 29), truth, 2.0) == 1.0
    assert boundary_f(_square(12, 28), truth, 2.0) == pytest.approx(_f(60 / 60, 64 / 76))  # but the corners
    assert boundary_f(_square(14, 26), truth, 2.0) == 0.0


def test_an_outline_that_agrees_in_part() -> None:
    truth, found = np.zeros((40, 80), bool), np.zeros((40, 80), bool)
    truth[0:10, 0:20] = True  # outline 2 × 20 + 2 × 8 = 56
    found[0:10, 0:30] = True  # outline 76, of which columns 22 to 29 are too far: 8 × 2 + 8 = 24
    assert boundary_f(found, truth, 2.0) == pytest.approx(_f(52 / 76, 52 / 56))


def _f(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall)


def test_empty_masks() -> None:
    nothing = np.zeros((40, 40), bool)
    assert boundary_f(nothing, nothing) == 1.0
    assert boundary_f(nothing, _square(1, 3)) == boundary_f(_square(1, 3), nothing) == 0.0


def test_clicks_needed() -> None:
    overlaps = [0.5, 0.86, 0.8, 0.9]
    assert [clicks_needed(overlaps, wanted, 20) for wanted in (0.5, 0.85, 0.9, 0.95)] == [1, 2, 4, 20]
    assert clicks_needed(overlaps, 0.9, 3) == 3


def test_correlation() -> None:
    assert correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1.0)
    assert correlation([1, 2, 3], [1, 0, 1]) == pytest.approx(0.0)
    assert correlation([1, 1, 1], [1, 2, 3]) is None
    assert correlation([1], [1]) is None


def test_auc_counts_ties_half() -> None:
    assert auc([0.9, 0.8], [0.1, 0.2]) == 1.0
    assert auc([0.9, 0.1], [0.5]) == 0.5
    assert auc([1, 1], [1, 1, 1]) == 0.5
    assert auc([3, 2], [2, 1]) == pytest.approx(3.5 / 4)
    assert auc([], [1]) is None


@given(st.lists(st.integers(0, 5), min_size=1), st.lists(st.integers(0, 5), min_size=1))
def test_auc_is_the_share_of_pairs_in_order(positives: list[int], negatives: list[int]) -> None:
    pairs = [(p > n) + (p == n) / 2 for p in positives for n in negatives]
    assert auc(positives, negatives) == pytest.approx(np.mean(pairs))


def _by_pairs(a: NDArray[np.bool_], b: NDArray[np.bool_], spacing_mm: tuple[float, ...]) -> SurfaceDistance:
    """Every voxel of one surface with every voxel of the other."""
    surfaces = [np.argwhere(mask & ~ndimage.binary_erosion(mask)) * spacing_mm for mask in (a, b)]
    apart_mm = distance.cdist(*surfaces)
    both = np.concatenate([apart_mm.min(axis=1), apart_mm.min(axis=0)])
    return SurfaceDistance(float(both.mean()), float(np.percentile(both, 95)))


def test_surfaces_of_planes_one_behind_the_other() -> None:
    a, b = np.zeros((9, 4, 4), bool), np.zeros((9, 4, 4), bool)
    a[2], b[4] = True, True
    assert surface_distance(a, b, (2.5, 1.0, 1.0)) == SurfaceDistance(5.0, 5.0)
    assert surface_distance(a, a, (2.5, 1.0, 1.0)) == SurfaceDistance(0.0, 0.0)


def test_a_surface_that_is_not_there_is_infinitely_far() -> None:
    nothing = np.zeros((3, 4, 4), bool)
    assert surface_distance(nothing, nothing, (1, 1, 1)) == SurfaceDistance(0.0, 0.0)
    assert surface_distance(nothing, ~nothing, (1, 1, 1)).mean_mm == np.inf


@given(
    st.integers(0, 10_000),
    st.tuples(*[st.floats(0.3, 6.0)] * 3),
    st.floats(0.05, 0.9),
)
def test_surface_distance_is_what_all_pairs_give(
    seed: int, spacing_mm: tuple[float, float, float], share: float
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.random((5, 7, 6)) < share, rng.random((5, 7, 6)) < share
    a[2, 3, 3] = b[1, 2, 2] = True
    ours, pairs = surface_distance(a, b, spacing_mm), _by_pairs(a, b, spacing_mm)
    assert ours.mean_mm == pytest.approx(pairs.mean_mm)
    assert ours.p95_mm == pytest.approx(pairs.p95_mm)
    assert surface_distance(b, a, spacing_mm).mean_mm == pytest.approx(ours.mean_mm)
