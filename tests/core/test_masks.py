from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_sam.core.masks import BoxedMask, innermost_point, iou, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.errors import InvalidPrompt
from volumes import Box

SHAPE = (6, 7, 8)
PLANES = st.builds(PlaneRef, st.sampled_from([0, 1, 2]), st.integers(0, 5))


def plane_masks(plane: PlaneRef) -> st.SearchStrategy[np.ndarray]:
    return hnp.arrays(np.bool_, plane.shape_hw(SHAPE))


@given(st.data(), PLANES)
def test_cutting_to_the_tight_box_loses_nothing(data: st.DataObject, plane: PlaneRef) -> None:
    whole = data.draw(plane_masks(plane))
    mask = BoxedMask.of_plane(whole, plane, SHAPE)
    assert np.array_equal(mask.to_plane(plane, SHAPE), whole)
    assert mask.area == whole.sum()
    assert mask.is_empty == mask.box.is_empty == (not whole.any())
    volume = np.zeros(SHAPE, bool)
    plane.take(volume)[:] = whole
    assert Box.of_mask(volume) == (None if mask.is_empty else mask.box)


@given(st.data(), PLANES)
def test_iou_is_that_of_the_whole_planes(data: st.DataObject, plane: PlaneRef) -> None:
    a, b = data.draw(plane_masks(plane)), data.draw(plane_masks(plane))
    either = (a | b).sum()
    expected = (a & b).sum() / either if either else 0.0
    boxed = [BoxedMask.of_plane(mask, plane, SHAPE) for mask in (a, b)]
    assert iou(*boxed) == pytest.approx(expected)


def test_masks_compare_by_what_they_hold() -> None:
    plane = PlaneRef(0, 1)
    whole = np.zeros((7, 8), bool)
    whole[2:4, 3] = True
    a, b = (BoxedMask.of_plane(whole, plane, SHAPE) for _ in range(2))
    assert a == b
    assert hash(a) == hash(b)
    assert a != a.moved_to(plane.neighbour(1))
    assert a.moved_to(plane.neighbour(1)).box == Box((2, 2, 3), (3, 4, 4))


@given(hnp.arrays(np.bool_, (9, 11)))
def test_innermost_point_lies_in_the_mask(mask: np.ndarray) -> None:
    if not mask.any():
        with pytest.raises(InvalidPrompt):
            innermost_point(mask)
        return
    assert mask[innermost_point(mask)]


def test_innermost_point_of_known_shapes() -> None:
    mask = np.zeros((20, 30), bool)
    mask[5:14, 7:16] = True
    mask[9, 16:30] = True
    assert innermost_point(mask) == (9, 11)
    whole = np.ones((5, 5), bool)
    assert innermost_point(whole) == (2, 2)


def test_tight_box() -> None:
    mask = np.zeros((6, 6), bool)
    assert tight_box(mask) is None
    mask[2, 4] = mask[4, 1] = True
    assert tight_box(mask) == (2, 1, 5, 5)


def test_misfits_are_refused() -> None:
    with pytest.raises(InvalidPrompt, match=r"\(2, 2, 2\)"):
        BoxedMask(Box((0, 0, 0), (1, 2, 2)), np.zeros((2, 2, 2), bool))
    with pytest.raises(InvalidPrompt, match="uint8"):
        BoxedMask(Box((0, 0, 0), (1, 2, 2)), np.zeros((1, 2, 2), np.uint8))
    with pytest.raises(InvalidPrompt, match="whole plane"):
        BoxedMask.of_plane(np.zeros((3, 3), bool), PlaneRef(0, 0), SHAPE)


@given(st.data(), PLANES)
def test_the_part_inside_a_box_is_what_both_hold(data: st.DataObject, plane: PlaneRef) -> None:
    whole = data.draw(plane_masks(plane))
    height, width = whole.shape
    row0, col0 = data.draw(st.integers(0, height)), data.draw(st.integers(0, width))
    row1, col1 = data.draw(st.integers(row0, height)), data.draw(st.integers(col0, width))
    part = BoxedMask.of_plane(whole, plane, SHAPE).within(plane.box_of((row0, col0, row1, col1)))
    expected = np.zeros_like(whole)
    expected[row0:row1, col0:col1] = whole[row0:row1, col0:col1]
    assert np.array_equal(part.to_plane(plane, SHAPE), expected)
    assert part == BoxedMask.of_plane(expected, plane, SHAPE) or part.is_empty


def test_pieces_that_lie_beside_another_mask_are_left_out() -> None:
    plane = PlaneRef(0, 2)
    whole, before = np.zeros((7, 8), np.bool_), np.zeros((7, 8), np.bool_)
    whole[0:3, 0:3] = True
    whole[5:7, 6:8] = True
    before[1:4, 1:4] = True
    mask, other = (BoxedMask.of_plane(bits, plane, SHAPE) for bits in (whole, before))
    kept = mask.pieces_over(other, 0.3)
    assert kept.box == Box((2, 0, 0), (3, 3, 3))
    assert kept.area == 9
    assert mask.pieces_over(other, 0.5).is_empty
    assert mask.pieces_over(mask, 1.0) == mask


def _speckled() -> BoxedMask:
    mask = np.zeros((20, 30), dtype=np.bool_)
    mask[4:14, 5:25] = True
    mask[8, 10] = False  # a hole of one voxel
    mask[10:13, 18:22] = False  # and one of twelve
    mask[17, 2] = True
    return BoxedMask.of_plane(mask, PlaneRef(1, 3), (20, 5, 30))


def test_specks_and_small_holes_go():
    clean = _speckled().without_specks(0.03).to_plane(PlaneRef(1, 3), (20, 5, 30))
    assert not clean[17, 2]
    assert clean[8, 10]
    assert not clean[10:13, 18:22].any()
    assert clean.sum() == 200 - 12
    assert _speckled().without_specks(0.03).box == Box((4, 3, 5), (14, 4, 25))


def test_a_speck_that_was_clicked_on_stays():
    kept = _speckled().without_specks(0.03, [(17.2, 3.0, 1.8)]).to_plane(PlaneRef(1, 3), (20, 5, 30))
    assert kept[17, 2]


def test_a_hole_that_was_clicked_on_stays():
    kept = _speckled().without_specks(0.03, [(8.0, 3.0, 10.0), (5.0, 3.0, 6.0)])
    assert not kept.to_plane(PlaneRef(1, 3), (20, 5, 30))[8, 10]


def test_a_mask_of_one_piece_stays_as_it_is():
    mask = BoxedMask(Box((0, 0, 0), (1, 2, 2)), np.ones((1, 2, 2), dtype=np.bool_))
    assert mask.without_specks(0.03, [(5.0, 9.0, 9.0)]) is mask
    empty = BoxedMask(Box((0, 0, 0), (0, 0, 0)), np.zeros((0, 0, 0), dtype=np.bool_))
    assert empty.without_specks(0.03) is empty
