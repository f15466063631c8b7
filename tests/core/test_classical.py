"""The peers are no straw men: each finds a plain object, and the box bounds the answer."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_sam.core.classical import BoxSegmenter, PointSegmenter, classical_segmenters
from napari_sam.core.classical_box import BOX_METHODS, otsu_in_box
from napari_sam.core.classical_point import POINT_METHODS
from napari_sam.core.masks import innermost_point, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.core.scores import mask_iou
from napari_sam.core.segmenter import Segmenter, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.errors import InvalidPrompt, UnsupportedPrompt
from tests.contracts import SegmenterContract
from volumes import Geometry, Provenance, Volume

SHAPE = (96, 120)


def _disc(*, bright: bool, rgb: bool) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    mask = (rows - 50) ** 2 / 22**2 + (columns - 60) ** 2 / 30**2 <= 1
    grey = np.where(mask == bright, 170.0, 80.0) + np.random.default_rng(0).normal(0, 12, SHAPE)
    image = np.clip(grey, 0, 255).astype(np.uint8)
    if rgb:
        image = np.stack([image, np.full_like(image, 90), 255 - image], axis=-1)
    return image, mask


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    box = tight_box(mask)
    assert box is not None
    return box


@pytest.mark.parametrize("rgb", [False, True])
@pytest.mark.parametrize("bright", [False, True])
@pytest.mark.parametrize("name", [name for name in BOX_METHODS if name != "whole box"])
def test_a_disc_is_found_from_its_box(name: str, bright: bool, rgb: bool) -> None:
    image, mask = _disc(bright=bright, rgb=rgb)
    assert mask_iou(BOX_METHODS[name](image, _box(mask)), mask) > 0.9


@pytest.mark.parametrize("bright", [False, True])
@pytest.mark.parametrize("name", POINT_METHODS)
def test_a_disc_is_found_from_its_point(name: str, bright: bool) -> None:
    image, mask = _disc(bright=bright, rgb=False)
    assert mask_iou(POINT_METHODS[name](image, innermost_point(mask)), mask) > 0.85


@pytest.mark.parametrize("name", BOX_METHODS)
@pytest.mark.parametrize("box", [(0, 0, 5, 6), (10, 10, 90, 118), (90, 115, 96, 120), (3, 3, 5, 5)])
def test_nothing_lies_outside_the_box(name: str, box: tuple[int, int, int, int]) -> None:
    image, _ = _disc(bright=True, rgb=False)
    found = BOX_METHODS[name](image, box)
    assert found.shape == SHAPE
    found[box[0] : box[2], box[1] : box[3]] = False
    assert not found.any()


@pytest.mark.parametrize("name", [*BOX_METHODS, *POINT_METHODS])
def test_a_plane_of_one_grey_is_no_trouble(name: str) -> None:
    image = np.full(SHAPE, 7, np.uint8)
    if name in BOX_METHODS:
        assert BOX_METHODS[name](image, (10, 10, 40, 40)).any()
    else:
        assert POINT_METHODS[name](image, (50, 60))[50, 60]


class TestOtsuIsASegmenter(SegmenterContract):
    min_iou = 0.8

    @pytest.fixture
    def segmenter(self) -> Segmenter:
        return BoxSegmenter("Otsu in box", otsu_in_box)


class TestWatershedIsASegmenter(SegmenterContract):
    @pytest.fixture
    def segmenter(self) -> Segmenter:
        return PointSegmenter("watershed", POINT_METHODS["watershed"])


def _disc_request(*prompts: BoxPrompt | PointPrompt) -> SegmentRequest:
    image, _ = _disc(bright=True, rgb=False)
    volume = Volume(image[None], Geometry.from_spacing((1, *SHAPE)), Provenance("test"))
    return SegmentRequest(volume, PlaneRef(0, 0), Window(0, 255), prompts)


def test_the_names_say_what_they_are() -> None:
    names = [segmenter.name for segmenter in classical_segmenters()]
    assert names == [
        "classical.whole_box",
        "classical.otsu_in_box",
        "classical.random_walker",
        "classical.chan_vese",
        "classical.region_growing",
        "classical.watershed",
    ]


def test_the_segmenter_gives_the_methods_mask() -> None:
    image, mask = _disc(bright=True, rgb=False)
    for segmenter, (name, method) in zip(classical_segmenters(), BOX_METHODS.items(), strict=False):
        prediction = segmenter.segment(_disc_request(BoxPrompt(PlaneRef(0, 0).box_of(_box(mask)))))
        found = prediction.masks[prediction.best].to_plane(PlaneRef(0, 0), (1, *SHAPE))
        assert np.array_equal(found, method(image, _box(mask))), name


def test_later_clicks_add_and_take_away_regions() -> None:
    calls = []

    def column(image: NDArray[np.uint8], point: tuple[int, int]) -> NDArray[np.bool_]:
        calls.append(point)
        mask = np.zeros(image.shape, bool)
        mask[:, point[1] - 1 : point[1] + 2] = True
        return mask

    segmenter = PointSegmenter("columns", column)
    clicks = (PointPrompt((0, 5, 10)), PointPrompt((0, 5, 20)), PointPrompt((0, 5, 11), False))
    for n in (1, 2, 3):
        prediction = segmenter.segment(_disc_request(*clicks[:n]))
    found = prediction.masks[0].to_plane(PlaneRef(0, 0), (1, *SHAPE))
    assert np.flatnonzero(found[0]).tolist() == [9, 19, 20, 21]
    assert len(calls) == 3  # each region is found once


def test_the_other_kind_of_prompt_is_refused() -> None:
    box = BoxPrompt(PlaneRef(0, 0).box_of((1, 1, 9, 9)))
    with pytest.raises(UnsupportedPrompt, match=r"watershed cannot use a box; give it point"):
        PointSegmenter("watershed", POINT_METHODS["watershed"]).segment(_disc_request(box))
    with pytest.raises(UnsupportedPrompt, match="cannot use a point"):
        BoxSegmenter("Otsu in box", otsu_in_box).segment(_disc_request(PointPrompt((0, 5, 5))))
    with pytest.raises(InvalidPrompt, match="2 boxes"):
        BoxSegmenter("Otsu in box", otsu_in_box).segment(_disc_request(box, box))
    with pytest.raises(InvalidPrompt, match="no prompt"):
        BoxSegmenter("Otsu in box", otsu_in_box).segment(_disc_request())
