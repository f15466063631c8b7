"""Planes across thick slices are shown with square pixels, and the answers come back where they belong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_sam.core.masks import BoxedMask, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt, Prompt
from napari_sam.core.scores import mask_iou
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.engine.auto_planes import auto_masks
from napari_sam.engine.outlining import OutliningSegmenter
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.engine.square_pixels import MOST_TIMES, SquarePixelSegmenter, times_drawn
from napari_sam.errors import InvalidPrompt
from tests.engine.asking import same
from volumes import Geometry, Provenance, Volume

SHAPE, THICK = (28, 160, 150), 5.0
ACROSS = {1: PlaneRef(1, 80), 2: PlaneRef(2, 70)}
SEEN = Window(0, 255)


def ball() -> np.ndarray:
    """A ball of 38 mm in slices of 5 mm with pixels of 1 mm, (P, R, C)."""
    p, r, c = np.ogrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    return ((p - 13) * THICK) ** 2 + (r - 80) ** 2 + (c - 70) ** 2 <= 38**2


@pytest.fixture(scope="module")
def volume() -> Volume:
    rng = np.random.default_rng(2)
    grey = 70 + 60 * ball() + 60 * ndimage.gaussian_filter(rng.standard_normal(SHAPE), (0.6, 3, 3))
    data = (grey + rng.normal(0, 5, SHAPE)).clip(0, 255).astype(np.uint8)
    return Volume(data, Geometry.from_spacing(SHAPE, (THICK, 1, 1)), Provenance("test"))


def ask(volume: Volume, plane: PlaneRef, *prompts: Prompt, hint: np.ndarray | None = None) -> SegmentRequest:
    return SegmentRequest(volume, plane, SEEN, prompts, hint=hint)


def found(answer: MaskPrediction, plane: PlaneRef) -> float:
    assert answer.plane == plane
    return mask_iou(answer.masks[answer.best].to_plane(plane, SHAPE), plane.take(ball()))


@pytest.mark.parametrize(
    ("spacing", "axis", "times"),
    [
        ((1, 1, 1), 0, (1, 1)),
        ((5, 1, 1), 0, (1, 1)),
        ((5, 1, 1), 1, (5, 1)),
        ((5, 1, 1), 2, (5, 1)),
        ((2, 1, 1), 1, (1, 1)),
        ((2.2, 1, 1), 1, (3, 1)),
        ((4, 1, 1), 1, (5, 1)),
        ((1, 1, 3), 0, (1, 3)),
        ((1, 4.2, 1), 0, (5, 1)),
        ((0.002, 0.0004, 0.0004), 2, (5, 1)),
        ((500, 1, 1), 1, (MOST_TIMES, 1)),
    ],
)
def test_rows_are_drawn_as_often_as_they_are_long(spacing, axis, times) -> None:
    volume = Volume(np.zeros((4, 5, 6)), Geometry.from_spacing((4, 5, 6), spacing), Provenance("test"))
    assert times_drawn(volume, PlaneRef(axis, 1)) == times


@pytest.mark.parametrize("axis", [1, 2])
def test_a_round_thing_in_thick_slices_is_found_with_each_prompt(
    axis: int, volume: Volume, make_segmenter
) -> None:
    segmenter, plane = make_segmenter(), ACROSS[axis]
    truth = plane.take(ball())
    click, box = PointPrompt(plane.at(13, 75)), BoxPrompt(plane.box_of(tight_box(truth)))
    painted = MaskPrompt(BoxedMask.of_plane(truth, plane, SHAPE))
    for prompts in ((click,), (box,), (box, click), (painted,)):
        assert found(segmenter.segment(ask(volume, plane, *prompts)), plane) > 0.8
    answer = segmenter.segment(ask(volume, plane, click))
    more = PointPrompt(plane.at(15, 78))
    again = segmenter.segment(ask(volume, plane, click, more, hint=answer.hints[answer.best]))
    assert found(again, plane) > 0.8


def test_the_model_sees_the_thing_round(volume: Volume, make_segmenter, monkeypatch) -> None:
    segmenter, seen = make_segmenter(), []
    monkeypatch.setattr(
        OutliningSegmenter, "segment_batch", lambda self, asked: seen.extend(asked) or [None] * len(asked)
    )
    monkeypatch.setattr("napari_sam.engine.square_pixels.DrawnPlane.back", lambda *_: None)
    plane, truth = ACROSS[1], ACROSS[1].take(ball())
    painted = MaskPrompt(BoxedMask.of_plane(truth, plane, SHAPE))
    row0, col0, row1, col1 = tight_box(truth)
    box = BoxPrompt(plane.box_of((row0, col0, row1, col1)))
    segmenter.segment_batch([ask(volume, plane, box, PointPrompt(plane.at(13, 70)), painted)])
    (drawn,) = seen
    assert drawn.volume.data.shape == (1, 5 * SHAPE[0], SHAPE[2])
    assert drawn.plane.box_hw(drawn.prompts[0].box) == (5 * row0, col0, 5 * row1, col1)
    assert drawn.prompts[1].at == (0, 67, 70)
    mask = drawn.prompts[2].mask.to_plane(drawn.plane, drawn.volume.shape)
    assert np.array_equal(mask, truth.repeat(5, axis=0))
    picture = drawn.volume.data[0].astype(float)
    assert np.array_equal(picture[2::5], plane.take(volume.data))  # the middle of each row is the row itself
    assert np.abs(np.diff(picture[2:8], axis=0).sum(axis=0) - (picture[7] - picture[2])).max() == 0


def test_masks_come_back_as_they_went(volume: Volume) -> None:
    from napari_sam.engine.square_pixels import DrawnPlane

    rng = np.random.default_rng(0)
    for plane in ACROSS.values():
        drawn = DrawnPlane.of(volume, plane)
        bits = rng.random(plane.shape_hw(SHAPE)) < 0.01
        there = ask(volume, plane, MaskPrompt(BoxedMask.of_plane(bits, plane, SHAPE)))
        went = drawn.asked(there).prompts[0].mask
        answer = MaskPrediction(
            drawn.plane, (went,) * 3, np.ones(3, np.float32), np.zeros((3, 4, 4), np.float16)
        )
        back = drawn.back(answer, plane)
        assert np.array_equal(back.masks[0].to_plane(plane, SHAPE), bits)
        nothing = replace(answer, masks=(BoxedMask.of_part(np.zeros((2, 2), bool), drawn.plane, (0, 0)),) * 3)
        assert drawn.back(nothing, plane).masks[0].is_empty


def test_planes_with_square_pixels_are_asked_as_they_are(volume: Volume, make_segmenter) -> None:
    segmenter, plane = make_segmenter(), PlaneRef(0, 13)
    assert isinstance(segmenter, SquarePixelSegmenter)
    request = ask(volume, plane, BoxPrompt(plane.box_of((40, 30, 120, 110))))
    assert same(segmenter.segment(request), OutliningSegmenter.segment_batch(segmenter, [request])[0])


def test_alone_in_company_at_a_glance_and_prefetched(volume: Volume, make_segmenter) -> None:
    segmenter = make_segmenter()
    boxes = [BoxPrompt(plane.box_of(tight_box(plane.take(ball())))) for plane in ACROSS.values()]
    requests = [ask(volume, plane, box) for plane, box in zip(ACROSS.values(), boxes, strict=True)]
    flat = PlaneRef(0, 13)
    requests.insert(1, ask(volume, flat, BoxPrompt(flat.box_of((40, 30, 120, 110)))))
    for request, answer in zip(requests, segmenter.segment_many(requests), strict=True):
        assert answer.plane == request.plane
        assert answer.masks[answer.best] == segmenter.segment(request).masks[answer.best]
    *_, last = segmenter.answers(requests[0])
    assert same(last, segmenter.segment(requests[0]))
    assert segmenter.glance(requests[0]).plane == ACROSS[1]

    other = make_segmenter()
    assert not other.is_encoded(volume, ACROSS[1], SEEN)
    other.prefetch(volume, [ACROSS[1]], SEEN)
    assert other.is_encoded(volume, ACROSS[1], SEEN)
    n_encoded = other.timings.n_encoded
    other.prefetch(volume, [ACROSS[1]], SEEN, around=boxes[0].box)
    assert SamSegmenter.is_encoded(other, volume, flat, SEEN) is False
    other.segment(requests[0])
    assert other.timings.n_encoded <= n_encoded + 1


def test_what_is_wrong_is_said_of_the_plane_that_was_asked_about(volume: Volume, make_segmenter) -> None:
    with pytest.raises(InvalidPrompt, match="80"):
        make_segmenter().segment(ask(volume, ACROSS[1], BoxPrompt(PlaneRef(1, 3).box_of((2, 2, 9, 9)))))


def test_planes_of_one_row_are_drawn(make_segmenter) -> None:
    geometry = Geometry.from_spacing((1, 40, 60), (9, 1, 1))
    volume = Volume(np.full((1, 40, 60), 90, np.uint8), geometry, Provenance("test"))
    answer = make_segmenter().segment(ask(volume, PlaneRef(1, 20), PointPrompt((0, 20, 30))))
    assert all(mask.to_plane(PlaneRef(1, 20), (1, 40, 60)).shape == (1, 60) for mask in answer.masks)


def test_everything_is_found_across_thick_slices_and_lies_where_it_is(make_segmenter) -> None:
    shape, thick, plane = (24, 12, 200), 9.0, PlaneRef(1, 6)
    p, _, c = np.ogrid[: shape[0], : shape[1], : shape[2]]
    balls = [
        ((p - at) * thick) ** 2 + (c - middle) ** 2 <= 17**2 for at, middle in ((8, 30), (8, 62), (16, 150))
    ]
    grey = 40 + sum((90 + 25 * number) * one for number, one in enumerate(balls))
    data = (grey + np.random.default_rng(0).normal(0, 5, shape)).clip(0, 255).astype(np.uint8)
    volume = Volume(data, Geometry.from_spacing(shape, (thick, 1, 1)), Provenance("test"))
    found = auto_masks(make_segmenter(), volume, plane, window=SEEN)
    assert all(one.plane == plane and one.box_hw[2] <= shape[0] for one in found)
    assert all(one.crop.region == (0, 0, 24, 200) for one in found)
    for one_ball in balls:
        truth = np.broadcast_to(one_ball, shape)[:, 6]
        best = max(found, key=lambda one: mask_iou(one.mask.to_plane(plane, shape), truth))
        assert mask_iou(best.mask.to_plane(plane, shape), truth) > 0.85
        assert best.mask.to_plane(plane, shape)[int(best.point_rc[0]), int(best.point_rc[1])]
