"""Pieces and holes found by runs are those that scipy finds by labelling pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.core.masks import BoxedMask, innermost_point
from napari_sam.core.pieces import Runs, without_small_holes
from napari_sam.core.planes import PlaneRef

CORNERS = np.ones((3, 3))


@st.composite
def masks(draw: st.DrawFn, hw: tuple[int, int] | None = None) -> NDArray[np.bool_]:
    """Noise, smooth or not, of which some part is inside."""
    height, width = hw or (draw(st.integers(1, 30)), draw(st.integers(1, 30)))
    noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).normal(size=(height, width))
    level = ndimage.gaussian_filter(noise, draw(st.sampled_from([0.0, 0.7, 2.0])))
    return np.asarray(level > np.quantile(level, draw(st.sampled_from([0.0, 0.1, 0.5, 0.8, 1.0]))))


def fork(n_lines: int) -> NDArray[np.bool_]:
    """Two runs a row, which meet in a last one: many links, and one piece."""
    mask = np.zeros((n_lines + 1, 7), np.bool_)
    mask[:, [1, 2, 4, 5]] = mask[-1] = True
    return mask


@pytest.mark.parametrize("n_lines", [200, 300])
def test_few_links_and_many_are_followed_alike(n_lines: int) -> None:
    mask = np.vstack([fork(n_lines), np.zeros((1, 7), np.bool_), fork(3)])
    n_pieces, piece = Runs.of(mask).pieces()
    assert n_pieces == 2
    assert piece.tolist() == [0] * (2 * n_lines + 1) + [1] * 7


def painted(runs: Runs, values: NDArray[np.intp]) -> NDArray[np.intp]:
    picture = np.zeros(runs.shape, np.intp)
    for row, start, stop, value in zip(runs.rows, runs.starts, runs.stops, values, strict=True):
        picture[row, start:stop] = value
    return picture


@settings(max_examples=100, deadline=None)
@given(masks(), st.booleans())
def test_pieces_are_those_of_pixels(mask: NDArray[np.bool_], corners: bool) -> None:
    runs = Runs.of(mask)
    n_pieces, piece = runs.pieces(corners)
    expected, n_expected = ndimage.label(mask, CORNERS if corners else None)
    assert n_pieces == n_expected
    pairs = np.unique(np.stack([painted(runs, piece + 1).ravel(), expected.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))


@settings(max_examples=100, deadline=None)
@given(masks(), st.data())
def test_runs_say_what_lies_in_them(mask: NDArray[np.bool_], data: st.DataObject) -> None:
    runs, other = Runs.of(mask), data.draw(masks(mask.shape))
    counts = [(other[row, a:b]).sum() for row, a, b in zip(runs.rows, runs.starts, runs.stops, strict=True)]
    assert runs.counts_of(other).tolist() == counts
    assert runs.areas.sum() == mask.sum()
    row, column = (data.draw(st.integers(0, n - 1)) for n in mask.shape)
    found = runs.at(row, column)
    assert (found is not None) == bool(mask[row, column])
    assert found is None or (runs.rows[found] == row and runs.starts[found] <= column < runs.stops[found])
    edges = mask.any(axis=0)[[0, -1]].all() and mask.any(axis=1)[[0, -1]].all()
    assert bool(runs.is_tight) == bool(edges)


@settings(max_examples=100, deadline=None)
@given(masks(), st.integers(1, 40), st.data())
def test_small_holes_are_filled_and_no_others(
    mask: NDArray[np.bool_], smallest: int, data: st.DataObject
) -> None:
    place = tuple(data.draw(st.integers(0, n - 1)) for n in mask.shape)
    gaps, n_gaps = ndimage.label(~np.pad(mask, 1))
    expected = np.pad(mask, 1)
    for number in range(1, n_gaps + 1):
        gap = gaps == number
        if not gap[0, 0] and gap.sum() < smallest and not gap[place[0] + 1, place[1] + 1]:
            expected |= gap
    found = without_small_holes(mask, smallest, [(place[0], place[1])])
    assert np.array_equal(found, expected[1:-1, 1:-1])


@settings(max_examples=100, deadline=None)
@given(masks(), st.data(), st.sampled_from([0, 1, 2]), st.sampled_from([0.1, 0.5, 1.0]))
def test_pieces_over_another_mask_are_those_of_pixels(
    mask: NDArray[np.bool_], data: st.DataObject, axis: int, share: float
) -> None:
    plane, other = PlaneRef(axis, 1), data.draw(masks(mask.shape))
    shape = list(mask.shape)
    shape.insert(axis, 3)
    boxed, rival = (BoxedMask.of_plane(bits, plane, shape) for bits in (mask, other))
    pieces, n_pieces = ndimage.label(mask, CORNERS)
    expected = np.zeros_like(mask)
    for number in range(1, n_pieces + 1):
        piece = pieces == number
        if (piece & other).sum() >= share * piece.sum():
            expected |= piece
    found = boxed.pieces_over(rival, share)
    assert np.array_equal(found.to_plane(plane, shape), expected)
    assert found.is_empty or found == BoxedMask.of_plane(expected, plane, shape)


@settings(max_examples=100, deadline=None)
@given(masks(), st.data(), st.sampled_from([0, 1, 2]))
def test_a_part_of_a_plane_is_cut_out_of_it(mask: NDArray[np.bool_], data: st.DataObject, axis: int) -> None:
    plane, shape = PlaneRef(axis, 1), list(mask.shape)
    shape.insert(axis, 3)
    boxed = BoxedMask.of_plane(mask, plane, shape)
    assert np.array_equal(boxed.to_plane(plane, shape), mask)
    row0, col0 = (data.draw(st.integers(0, n - 1)) for n in mask.shape)
    row1, col1 = (data.draw(st.integers(low, n)) for low, n in zip((row0, col0), mask.shape, strict=True))
    part = mask[row0:row1, col0:col1]
    assert np.array_equal(boxed.to_part(plane, (row0, col0, row1, col1)), part)
    found = BoxedMask.of_part(part, plane, (row0, col0)).to_plane(plane, shape)
    expected = np.zeros_like(mask)
    expected[row0:row1, col0:col1] = part
    assert np.array_equal(found, expected)
    if mask.any():
        assert boxed.innermost_point(plane) == innermost_point(mask)
