from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_sam.core.planes import PlaneRef, plane_range, planes_outward
from napari_sam.errors import InvalidPrompt
from volumes import Box

SHAPE = (4, 5, 6)


@pytest.mark.parametrize(("axis", "shape_hw"), [(0, (5, 6)), (1, (4, 6)), (2, (4, 5))])
def test_plane_is_the_cut_across_its_axis(axis: int, shape_hw: tuple[int, int]) -> None:
    data = np.arange(120).reshape(SHAPE)
    plane = PlaneRef(axis, 2)
    taken = plane.take(data)
    assert plane.shape_hw(SHAPE) == taken.shape == shape_hw
    assert np.array_equal(taken, np.take(data, 2, axis=axis))
    assert np.shares_memory(taken, data)
    assert np.array_equal(data[plane.box(SHAPE).slices()].squeeze(axis), taken)
    rgb = np.stack([data] * 3, axis=-1)
    assert plane.take(rgb).shape == (*shape_hw, 3)


@given(st.sampled_from([0, 1, 2]), st.integers(0, 3), st.integers(0, 4), st.integers(0, 3))
def test_positions_go_there_and_back(axis: int, index: int, row: int, col: int) -> None:
    plane = PlaneRef(axis, index)
    at = plane.at(row, col)
    assert at[axis] == index
    assert plane.rc(at) == (row, col)
    box = plane.box_of((row, col, row + 2, col + 1))
    assert plane.holds(box)
    assert plane.meets(box)
    assert not plane.neighbour(1).meets(box)
    assert plane.box_hw(box) == (row, col, row + 2, col + 1)
    assert box.contains(at)


def test_a_position_names_the_voxel_that_the_plane_shows() -> None:
    data = np.arange(120).reshape(SHAPE)
    for axis in (0, 1, 2):
        plane = PlaneRef(axis, 1)
        assert plane.take(data)[2, 3] == data[tuple(int(x) for x in plane.at(2, 3))]


def test_outward_is_nearest_first_and_complete() -> None:
    indices = [plane.index for plane in planes_outward(PlaneRef(1, 2), 6)]
    assert indices == [2, 3, 1, 4, 0, 5]
    assert [plane.index for plane in planes_outward(PlaneRef(1, 2), 6, (2, 5))] == [2, 3, 4]
    assert [plane.index for plane in planes_outward(PlaneRef(0, 0), 3, (-4, 99))] == [0, 1, 2]
    assert planes_outward(PlaneRef(0, 0), 3, (2, 1)) == ()


@pytest.mark.parametrize("arguments", [(3, 0), (-1, 0), (0, -1)])
def test_impossible_planes_are_refused(arguments: tuple[int, int]) -> None:
    with pytest.raises(InvalidPrompt):
        PlaneRef(*arguments)


def test_a_plane_outside_says_which_there_are() -> None:
    with pytest.raises(InvalidPrompt, match=r"plane 4 on axis 0.*\(4, 5, 6\).*0 to 3"):
        PlaneRef(0, 4).take(np.zeros(SHAPE))
    with pytest.raises(InvalidPrompt):
        PlaneRef(0, 0).neighbour(-1)


def test_box_of_whole_plane() -> None:
    assert PlaneRef(1, 2).box(SHAPE) == Box((0, 2, 0), (4, 3, 6))


def test_a_range_of_planes_is_all_of_them_unless_some_are_wanted():
    assert plane_range((5, 6, 7), 1, None) == (0, 6)
    assert plane_range((5, 6, 7), 2, (3, 7)) == (3, 7)


@pytest.mark.parametrize("wanted", [(0, 6), (-1, 3), (3, 3), (4, 2)])
def test_a_range_beyond_the_volume_is_refused(wanted):
    with pytest.raises(InvalidPrompt, match=r"does not fit the 5 planes of axis 0.*inside 0:5"):
        plane_range((5, 6, 7), 0, wanted)
