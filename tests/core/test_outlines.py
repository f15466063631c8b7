"""Drawn outlines become masks and masks become outlines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.core.outlines import filled_outline, outlines_of
from napari_sam.core.planes import PlaneRef

SHAPE = (5, 40, 50)


def _circle(row, column, radius, n=200):
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([row + radius * np.sin(turn), column + radius * np.cos(turn)], axis=1)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_circle_holds_the_voxels_whose_centre_lies_inside(axis):
    shape = tuple(np.roll(SHAPE, axis))
    plane = PlaneRef(axis, 2)
    height, width = plane.shape_hw(shape)
    row, column = height / 2.1, width / 2.1
    radius = 0.4 * min(height, width)
    mask = filled_outline(_circle(row, column, radius), plane, shape).to_plane(plane, shape)
    rows, columns = np.ogrid[:height, :width]
    distance = np.hypot(rows - row, columns - column)
    assert not mask[distance > radius].any()
    assert mask[distance < radius * np.cos(np.pi / 200) - 1e-9].all()


def test_what_lies_outside_the_plane_is_cut_off():
    mask = filled_outline(np.array([[-9, -9], [-9, 99], [99, 99], [99, -9.0]]), PlaneRef(0, 1), SHAPE)
    assert mask.area == 40 * 50
    assert filled_outline(np.array([[60, 60], [60, 70], [70, 70.0]]), PlaneRef(0, 1), SHAPE).is_empty


@pytest.mark.parametrize("n", [0, 1, 2])
def test_fewer_than_three_corners_hold_nothing(n):
    assert filled_outline(np.ones((n, 2)), PlaneRef(0, 1), SHAPE).is_empty


@given(st.integers(0, 2**32 - 1))
def test_the_outlines_of_a_mask_fill_it_again(seed):
    from scipy import ndimage

    rng = np.random.default_rng(seed)
    blurred = ndimage.gaussian_filter(rng.standard_normal((40, 50)), 4)
    parts, _ = ndimage.label(blurred > 0.08)
    bits = ndimage.binary_fill_holes(parts == 1)
    plane = PlaneRef(0, 3)
    from napari_sam.core.masks import BoxedMask

    mask = BoxedMask.of_plane(bits, plane, SHAPE)
    outlines = outlines_of(mask, plane)
    assert len(outlines) == (0 if mask.is_empty else 1)
    for outline in outlines:
        assert np.array_equal(outline[0], outline[-1])
        assert filled_outline(outline, plane, SHAPE) == mask
