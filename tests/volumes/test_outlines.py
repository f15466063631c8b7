"""Outlines of masks give the same masks back, for this package and for other programs' ways of filling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from matplotlib.path import Path as Outline
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from volumes._outlines import fill_outlines, outline_box, trace_outlines

MASKS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, max_side=11), elements=st.booleans())


def filled_by_matplotlib(outline: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    centres = np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 2)
    inside = Outline(np.vstack([outline, outline[:1]])).contains_points(centres)
    return np.asarray(inside).reshape(shape)


@settings(max_examples=150)
@given(mask=MASKS)
def test_each_way_of_filling_gives_the_mask_back(mask: NDArray[np.bool_]) -> None:
    outlines = trace_outlines(mask)
    assert np.array_equal(fill_outlines(outlines, mask.shape), mask)
    by_winding = [filled_by_matplotlib(one, mask.shape) for one in outlines]
    by_parity = [polygon2mask(mask.shape, one) for one in outlines]
    for parts in (by_winding, by_parity):
        # The outlines' insides are apart, so it is all one whether a program joins them or counts them.
        assert np.array_equal(sum(parts, np.zeros(mask.shape, int)), mask)


@given(mask=MASKS, corner=st.tuples(st.integers(-6, 4), st.integers(-6, 4)))
def test_what_is_inside_lies_in_the_box(mask: NDArray[np.bool_], corner: tuple[int, int]) -> None:
    assume(mask.any())
    outlines = [one + corner for one in trace_outlines(mask)]
    whole = fill_outlines(outlines, (9, 8))
    rows, columns = outline_box(outlines, (9, 8))
    part = fill_outlines([one - (rows.start, columns.start) for one in outlines], whole[rows, columns].shape)
    assert np.array_equal(whole[rows, columns], part)
    assert whole.sum() == part.sum()


@given(mask=MASKS)
def test_corners_round_to_pixels_inside(mask: NDArray[np.bool_]) -> None:
    """Programs that round corners to whole pixels, and count those as inside, gain nothing."""
    for outline in trace_outlines(mask):
        rows, columns = np.rint(outline).astype(int).T
        assert mask[rows, columns].all()


def test_a_ring_is_one_outline_with_a_keyhole() -> None:
    ring = np.ones((5, 6), np.bool_)
    ring[2, 2:4] = False
    (outline,) = trace_outlines(ring)
    steps = np.diff(np.vstack([outline, outline[:1]]), axis=0)
    assert (np.count_nonzero(steps, axis=1) == 1).all()  # along rows and columns only
    np.testing.assert_allclose(outline % 1, np.full(outline.shape, 0.5), rtol=0, atol=0.011)
    assert len(outline) == 10  # four corners each, and the channel's two ends


@pytest.mark.parametrize(
    ("outline", "shape", "rows"),
    [
        ([(0.2, 0.2), (0.2, 2.6), (2.6, 2.6), (2.6, 0.2)], (4, 4), ["....", ".##.", ".##.", "...."]),
        ([(-9.0, -9.0), (-9.0, 2.0), (99.0, 2.0), (99.0, -9.0)], (2, 4), ["##..", "##.."]),
        ([(-0.5, 1.5), (2.5, 4.6), (2.5, -1.6)], (3, 4), [".##.", "####", "####"]),
        ([(0.0, 0.0), (1.0, 1.0)], (2, 2), ["..", ".."]),
    ],
)
def test_pixels_are_inside_by_their_centres(outline: list, shape: tuple[int, int], rows: list[str]) -> None:
    found = fill_outlines([np.array(outline, float)], shape)
    assert ["".join(".#"[int(one)] for one in row) for row in found] == rows
