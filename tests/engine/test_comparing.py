"""Neighbouring planes compared: what comes of a followed plane, and what is left as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_sam.core.masks import BoxedMask, iou
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.engine.square_pixels import SquarePixelSegmenter
from tests.engine.asking import same
from volumes import Geometry, Provenance, Volume

SHAPE = 4, 96, 120
BEFORE, THERE, GONE = PlaneRef(0, 0), PlaneRef(0, 1), PlaneRef(0, 2)
SEEN = Window(0, 255)
ROWS, COLS = np.ogrid[: SHAPE[1], : SHAPE[2]]
DISC = np.hypot(ROWS - 44, COLS - 62) <= 17


def make_volume(*, turned: bool = False, spacing_mm: tuple[float, float, float] = (2.0, 1.0, 1.0)) -> Volume:
    """A disc in the first two of four planes, with noise; along another axis where turned."""
    rng = np.random.default_rng(8)
    ground = ndimage.gaussian_filter(rng.standard_normal(SHAPE), (0, 9, 9)) * 180 + 90
    things = np.stack([DISC, np.hypot(ROWS - 45, COLS - 63) <= 16, np.zeros_like(DISC), np.zeros_like(DISC)])
    data = (np.where(things, 180.0, ground) + rng.normal(0, 5, SHAPE)).clip(0, 255).astype(np.uint8)
    data = np.moveaxis(data, 0, 2) if turned else data
    return Volume(data, Geometry.from_spacing(data.shape, spacing_mm), Provenance("test"))


def follow(volume: Volume, plane: PlaneRef, mask: np.ndarray = DISC) -> SegmentRequest:
    """Ask for a plane with the mask of the first one."""
    first = PlaneRef(plane.axis, 0)
    neighbour = BoxedMask.of_plane(mask, first, volume.shape)
    moved = neighbour.moved_to(plane)
    prompts = MaskPrompt(moved), BoxPrompt(moved.box)
    return SegmentRequest(volume, plane, SEEN, prompts, is_followed=True, neighbour=neighbour)


def test_a_plane_that_a_person_showed_is_answered_as_before(make_segmenter) -> None:
    segmenter, volume = make_segmenter(), make_volume()
    for request in (
        replace(follow(volume, THERE), neighbour=None),
        replace(follow(volume, THERE), neighbour=BoxedMask.of_plane(DISC & False, BEFORE, SHAPE)),
    ):
        assert same(segmenter.segment(request), SquarePixelSegmenter.segment_batch(segmenter, [request])[0])


def test_it_is_seen_whether_the_object_goes_on(make_segmenter) -> None:
    segmenter, volume = make_segmenter(), make_volume()
    there, gone = (segmenter.segment(follow(volume, plane)).presence for plane in (THERE, GONE))
    assert there > 0.8
    assert gone < 0.3
    requests = [follow(volume, plane) for plane in (THERE, GONE)]
    plain = [one.presence for one in SquarePixelSegmenter.segment_batch(segmenter, requests)]
    assert there - gone > plain[0] - plain[1]


@pytest.mark.parametrize("axis", [0, 2])
def test_the_outline_lies_midway(axis: int, make_segmenter) -> None:
    segmenter, volume = make_segmenter(), make_volume(turned=axis == 2)
    request = follow(volume, PlaneRef(axis, 1))
    plain = SquarePixelSegmenter.segment_batch(segmenter, [request])[0]
    answer = segmenter.segment(request)
    assert np.array_equal(answer.scores, plain.scores)
    assert np.array_equal(answer.hints, plain.hints)
    truth = BoxedMask.of_plane(np.hypot(ROWS - 45, COLS - 63) <= 16, PlaneRef(axis, 1), volume.shape)
    assert iou(answer.masks[0], truth) > 0.9
    assert iou(answer.masks[0], plain.masks[0]) > 0.85
    if axis == 0:
        assert answer.masks != plain.masks


def test_several_are_compared_as_one_by_one(make_segmenter) -> None:
    segmenter, volume = make_segmenter(), make_volume()
    requests = [follow(volume, THERE), replace(follow(volume, THERE), neighbour=None), follow(volume, GONE)]
    for one, other in zip(segmenter.segment_batch(requests), map(segmenter.segment, requests), strict=True):
        assert one.masks == other.masks
        assert one.presence == pytest.approx(other.presence, abs=1e-4)


@pytest.mark.parametrize("where", [(0, 0), (95, 119)])
def test_an_object_at_the_border_keeps_its_place(where: tuple[int, int], make_segmenter) -> None:
    segmenter, volume = make_segmenter(), make_volume()
    corner = np.hypot(ROWS - where[0], COLS - where[1]) <= 20
    volume = replace(volume, data=np.where(corner, 200, volume.data // 2).astype(np.uint8))
    answer = segmenter.segment(follow(volume, THERE, corner))
    assert iou(answer.masks[0], BoxedMask.of_plane(corner, THERE, SHAPE)) > 0.85


def test_a_candidate_that_is_empty_stays_empty(make_segmenter, monkeypatch) -> None:
    segmenter, volume = make_segmenter(), make_volume()
    plain = SquarePixelSegmenter.segment_batch

    def without_first(self: SquarePixelSegmenter, requests: list[SegmentRequest]) -> list[MaskPrediction]:
        empty = BoxedMask.of_plane(DISC & False, THERE, SHAPE)
        return [replace(one, masks=(empty, *one.masks[1:])) for one in plain(self, requests)]

    monkeypatch.setattr(SquarePixelSegmenter, "segment_batch", without_first)
    answer = segmenter.segment(follow(volume, THERE))
    assert answer.masks[0].is_empty
    assert not answer.masks[1].is_empty
    assert 0.0 <= answer.presence <= 1.0


def test_rows_far_apart_are_looked_at_as_they_lie(make_segmenter) -> None:
    volume = make_volume(turned=True, spacing_mm=(1.0, 3.0, 1.0))
    answer = make_segmenter().segment(follow(volume, PlaneRef(2, 1)))
    assert iou(answer.masks[0], BoxedMask.of_plane(DISC, PlaneRef(2, 1), volume.shape)) > 0.8
