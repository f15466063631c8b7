"""What is kept of many masks: settings, crops, suppression, small regions, and what becomes a label."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from napari_sam.core.auto_candidates import PackedMask
from napari_sam.core.auto_labels import LabelRules, draw_labels, linked_ids
from napari_sam.core.auto_masks import (
    AutoMask,
    is_near_inner_edge,
    mask_record,
    suppress,
    without_small_regions,
)
from napari_sam.core.auto_plan import AutoMaskSettings, Crop, plan_crops, point_grid, points_of_layer
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.run_lengths import RunLengths
from napari_sam.errors import SettingsError

PLANE, HW = PlaneRef(0, 0), (12, 16)

masks = arrays.arrays(np.bool_, st.just(HW))
boxes = st.lists(
    st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 6), st.integers(0, 6)), max_size=25
)


def auto_mask(mask: NDArray[np.bool_], iou: float = 0.9, stability: float = 1.0) -> AutoMask:
    boxed = BoxedMask.of_plane(mask, PLANE, (1, *mask.shape))
    return AutoMask(PLANE, boxed, iou, stability, (3.0, 4.5), Crop((0, 0, *mask.shape), 0))


def square(row0: int, col0: int, row1: int, col1: int) -> NDArray[np.bool_]:
    mask = np.zeros(HW, np.bool_)
    mask[row0:row1, col0:col1] = True
    return mask


@given(st.integers(20, 400), st.integers(20, 400), st.integers(0, 2), st.floats(0, 0.9))
def test_each_layer_of_crops_covers_the_plane(height: int, width: int, n_layers: int, overlap: float) -> None:
    crops = plan_crops((height, width), AutoMaskSettings(crop_n_layers=n_layers, crop_overlap_ratio=overlap))
    assert len(crops) == sum(4**layer for layer in range(n_layers + 1))
    for layer in range(n_layers + 1):
        seen = np.zeros((height, width), np.bool_)
        for crop in crops:
            if crop.layer == layer:
                row0, col0, row1, col1 = crop.region
                seen[row0:row1, col0:col1] = True
        assert seen.all()


def test_a_plane_may_be_too_small_for_so_many_layers() -> None:
    with pytest.raises(SettingsError, match="3 x 200 pixels is too small.*crop_n_layers"):
        plan_crops((3, 200), AutoMaskSettings(crop_n_layers=4))


def test_points_lie_in_the_middle_of_their_cells_columns_first() -> None:
    assert point_grid(2).tolist() == [[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]]
    fewer = AutoMaskSettings(points_per_side=9, crop_n_layers=2, crop_n_points_downscale_factor=2)
    assert [len(points_of_layer(layer, fewer)) for layer in range(3)] == [81, 16, 4]
    own = AutoMaskSettings(point_grids=[[[0.1, 0.9]]])
    assert points_of_layer(0, own).tolist() == [[0.1, 0.9]]
    assert own == AutoMaskSettings(point_grids=(((0.1, 0.9),),))


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"points_per_side": 0}, "points_per_side is 0; give a number 1 or more"),
        ({"points_per_batch": -1}, "points_per_batch"),
        ({"stability_score_offset": -0.5}, "0 or more"),
        ({"stability_score_offset": float("nan")}, "nan"),
        ({"box_nms_threshold": 1.5}, "from 0 to 1"),
        ({"crop_n_layers": 7}, "from 0 to 6"),
        ({"crop_overlap_ratio": 1.0}, "from 0 to 0.99"),
        ({"form": "png"}, "bits, counts, compressed"),
        ({"point_grids": [], "crop_n_layers": 1}, "0 point grids do not serve 2 layers"),
        ({"point_grids": [[[0.5, 1.5]]]}, "point grid 0"),
        ({"point_grids": [[]]}, "point grid 0"),
    ],
)
def test_settings_that_cannot_be_used_say_so(fields: dict[str, Any], part: str) -> None:
    with pytest.raises(SettingsError, match=part):
        AutoMaskSettings(**fields)


@given(boxes, st.integers(0, 5), st.floats(0, 1))
def test_suppression_keeps_the_best_of_each_heap(
    places: list[tuple[int, int, int, int]], n_scores: int, threshold: float
) -> None:
    """By the definition: no kept pair overlaps more, and every dropped box overlaps a better kept one."""
    corners = np.array([(r, c, r + h, c + w) for r, c, h, w in places]).reshape(-1, 4)
    scores = np.arange(len(places)) * 7 % (n_scores + 1) / 8
    kept = suppress(corners, scores, threshold)

    def overlap(a: int, b: int) -> float:
        first, second = corners[a], corners[b]
        sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
        common = float(np.prod(np.maximum(sides, 0)))
        either = float(np.prod(first[2:] - first[:2]) + np.prod(second[2:] - second[:2])) - common
        return float(np.float32(common) / np.float32(either)) if either else 0.0

    order = [(-scores[i], i) for i in kept]
    assert order == sorted(order)
    for place, number in enumerate(kept):
        assert all(overlap(number, other) <= threshold for other in kept[:place])
    for number in set(range(len(places))) - set(kept.tolist()):
        better = [i for i in kept if (-scores[i], i) < (-scores[number], number)]
        assert any(overlap(number, other) > threshold for other in better)


def test_only_edges_within_the_plane_count_as_edges() -> None:
    crop = Crop((0, 100, 200, 300), 1)
    corners = np.array([[50, 150, 90, 200], [50, 110, 90, 200], [0, 150, 90, 200], [50, 150, 185, 200]])
    assert is_near_inner_edge(corners, crop, (400, 600)).tolist() == [False, True, False, True]
    assert is_near_inner_edge(corners, crop, (200, 600)).tolist() == [False, True, False, False]


def test_holes_are_filled_and_islands_removed() -> None:
    mask = square(2, 2, 9, 9)
    mask[4, 4] = mask[6:8, 6:8] = False
    mask[11, 14:] = True
    cleaned, changed = without_small_regions(mask, 3)
    assert changed
    assert cleaned[4, 4]
    assert not cleaned[6, 6]
    assert not cleaned[11].any()


def test_of_small_islands_alone_the_largest_stays() -> None:
    mask = square(0, 0, 1, 2) | square(5, 5, 6, 8)
    cleaned, changed = without_small_regions(mask, 10)
    assert changed
    assert np.array_equal(cleaned, square(5, 5, 6, 8))


@given(masks)
def test_regions_of_no_pixels_are_never_small(mask: NDArray[np.bool_]) -> None:
    cleaned, changed = without_small_regions(mask, 1)
    assert not changed
    assert np.array_equal(cleaned, mask)


@given(masks, st.integers(0, 5), st.integers(0, 5))
def test_a_packed_mask_comes_back(mask: NDArray[np.bool_], row: int, col: int) -> None:
    packed = PackedMask.of(mask, (row, col))
    if packed is None:
        assert not mask.any()
        return
    plane = np.zeros((20, 24), np.bool_)
    plane[row : row + HW[0], col : col + HW[1]] = mask
    assert np.array_equal(packed.in_plane((20, 24)), plane)
    rows, cols = np.nonzero(plane)
    assert packed.corners == (rows.min(), cols.min(), rows.max(), cols.max())


def test_a_record_has_the_names_and_the_frame_of_coco() -> None:
    mask = square(2, 3, 6, 10)
    record = mask_record(auto_mask(mask), HW, "counts")
    assert record["bbox"] == [3, 2, 7, 4]
    assert record["area"] == 28
    assert record["point_coords"] == [[4.5, 3.0]]
    assert record["crop_box"] == [0, 0, 16, 12]
    assert np.array_equal(RunLengths.from_coco(record["segmentation"]).to_mask(), mask)
    assert isinstance(mask_record(auto_mask(mask), HW, "compressed")["segmentation"]["counts"], str)
    assert np.array_equal(mask_record(auto_mask(mask), HW, "bits")["segmentation"], mask)


def test_a_pixel_belongs_to_the_better_mask_or_to_the_smaller_one() -> None:
    large, small = auto_mask(square(0, 0, 10, 10), 0.9), auto_mask(square(2, 2, 5, 5), 0.8)
    better = draw_labels([large, small], [4, 7], HW, LabelRules())
    assert np.unique(better).tolist() == [0, 4]  # nothing is left of the other
    smaller = draw_labels([large, small], [4, 7], HW, LabelRules(on_top="smaller"))
    assert np.count_nonzero(smaller == 7) == 9
    assert np.count_nonzero(smaller == 4) == 91


def test_what_shows_too_little_or_is_too_small_or_too_large_gets_no_label() -> None:
    first, second = auto_mask(square(0, 0, 10, 10), 0.9), auto_mask(square(0, 3, 10, 13), 0.8)
    assert draw_labels([first, second], [1, 2], HW, LabelRules()).max() == 1
    assert draw_labels([first, second], [1, 2], HW, LabelRules(min_visible_share=0.3)).max() == 2
    assert draw_labels([first], [1], HW, LabelRules(max_area_share=0.5)).max() == 0
    assert draw_labels([first], [1], HW, LabelRules(min_area_px=101)).max() == 0


@given(st.lists(masks, max_size=6), st.sampled_from(["better", "smaller"]))
def test_labels_lie_within_their_masks(some: list[NDArray[np.bool_]], on_top: Any) -> None:
    found = [auto_mask(mask, 0.5 + number / 20) for number, mask in enumerate(some) if mask.any()]
    ids = list(range(5, 5 + len(found)))
    labels = draw_labels(found, ids, HW, LabelRules(on_top, min_visible_share=0))
    for number, mask in zip(ids, found, strict=True):
        assert not np.any((labels == number) & ~mask.mask.to_plane(PLANE, (1, *HW)))
    union = np.any([mask.mask.to_plane(PLANE, (1, *HW)) for mask in found], axis=0) if found else labels > 0
    assert np.array_equal(labels > 0, union)


@pytest.mark.parametrize(
    ("fields", "part"),
    [
        ({"on_top": "older"}, "'older'; choose of better, smaller"),
        ({"min_visible_share": 2}, "min_visible_share is 2"),
        ({"max_area_share": -1}, "max_area_share is -1"),
        ({"min_area_px": -1}, "min_area_px is -1"),
    ],
)
def test_rules_that_cannot_be_used_say_so(fields: dict[str, Any], part: str) -> None:
    with pytest.raises(SettingsError, match=part):
        LabelRules(**fields)


def test_labels_go_on_where_they_overlap_most() -> None:
    before, after = np.zeros(HW, int), np.zeros(HW, int)
    before[0:4, 0:4], before[0:4, 4:8], before[8:10, 0:4] = 1, 2, 3
    after[0:4, 0:5], after[1:4, 5:8], after[11:12, 0:2] = 11, 12, 13
    assert linked_ids(before, after, 0.5) == {11: 1, 12: 2}
    assert linked_ids(before, after, 0.79) == {11: 1}
    assert linked_ids(np.zeros_like(before), after, 0.0) == {}
    assert linked_ids(before, np.zeros_like(after), 0.0) == {}
