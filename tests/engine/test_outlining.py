"""Outlines of what is large in a large plane are drawn anew on parts of it; everything else is as it was."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from napari_sam.core.masks import BoxedMask, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt
from napari_sam.core.scores import boundary_f, mask_iou
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.engine.fine_outlines import (
    BLURRED,
    BLURRED_FOLLOWED,
    PARTS,
    outline_parts,
    redrawn,
    seen_at,
)
from napari_sam.engine.zoom import ZoomingSegmenter
from tests.engine.asking import same
from volumes import Geometry, Provenance, Volume

PLANE, SEEN = PlaneRef(0, 0), Window(0, 255)
LARGE, MIDDLE, SMALL = 960, 512, 384
"""Sides of planes: two that the model sees with fewer pixels than they have, one that it sees as it is."""


def star(side: int, n_rays: int = 11) -> np.ndarray:
    """A thing with many corners in the middle of a plane, a bit more than half as wide."""
    rows, cols = np.ogrid[:side, :side]
    y, x = rows - 0.48 * side, cols - 0.52 * side
    radius = 0.24 * side * (1 + 0.28 * np.cos(n_rays * np.arctan2(y, x)))
    return np.asarray(np.hypot(y, x) <= radius)


def plane_with(thing: np.ndarray) -> Volume:
    """A bright thing before a darker ground, with noise."""
    rng = np.random.default_rng(3)
    ground = ndimage.gaussian_filter(rng.standard_normal(thing.shape), 12) * 250
    picture = np.where(thing, 185.0, 80.0 + ground) + rng.normal(0, 6, thing.shape)
    data = picture.clip(0, 255).astype(np.uint8)[None]
    return Volume(data, Geometry.from_spacing(data.shape), Provenance("test"))


def ask(volume: Volume, *prompts: Prompt) -> SegmentRequest:
    return SegmentRequest(volume, PLANE, SEEN, prompts)


def box(thing: np.ndarray) -> BoxPrompt:
    return BoxPrompt(PLANE.box_of(tight_box(thing)))


def drawn(answer: MaskPrediction, thing: np.ndarray) -> np.ndarray:
    return answer.masks[answer.best].to_plane(PLANE, (1, *thing.shape))


def mask_of(thing: np.ndarray) -> BoxedMask:
    return BoxedMask.of_plane(thing, PLANE, (1, *thing.shape))


@pytest.mark.parametrize("hw", [(700, 900), (900, 300), (480, 854), (2000, 2000)])
@pytest.mark.parametrize("seed", range(4))
def test_every_outline_lies_well_inside_some_part(hw: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    thing = ndimage.gaussian_filter(rng.standard_normal(hw), rng.uniform(20, 90))
    thing = thing > np.quantile(thing, rng.uniform(0.5, 0.98))
    labelled, _ = ndimage.label(thing)
    thing = labelled == 1 + np.argmax(np.bincount(labelled[labelled > 0])[1:])
    mask = mask_of(thing)
    parts = outline_parts(mask, PLANE, hw, 0)
    side = -(-seen_at(mask, PLANE, hw) // PARTS)
    shown, inner = np.zeros(hw, bool), side // 20 - 1
    for top, left, bottom, right in parts:
        assert 0 <= top < bottom <= hw[0]
        assert 0 <= left < right <= hw[1]
        assert (bottom - top, right - left) == tuple(min(side, n) for n in hw)
        shown[
            top + inner * (top > 0) : bottom - inner * (bottom < hw[0]),
            left + inner * (left > 0) : right - inner * (right < hw[1]),
        ] = True
    outline = thing ^ ndimage.binary_erosion(thing, border_value=1)
    assert np.count_nonzero(outline & ~shown) == 0
    assert len(parts) <= 36


def test_parts_are_shared_by_what_lies_nearly_alike() -> None:
    def parts_of(down: int) -> set[tuple[int, int, int, int]]:
        return set(outline_parts(mask_of(np.roll(star(LARGE), down, 0)), PLANE, (LARGE, LARGE), 0))

    assert len(set.union(*(parts_of(down) for down in range(10)))) <= 2 * len(parts_of(0))


def test_only_what_was_seen_with_too_few_pixels_is_drawn_anew() -> None:
    mask, hw = mask_of(star(LARGE)), (LARGE, LARGE)
    assert outline_parts(mask, PLANE, hw, LARGE - 1)
    assert not outline_parts(mask, PLANE, hw, LARGE)
    assert not outline_parts(mask_of(np.zeros(hw, bool)), PLANE, hw, 0)
    small = np.zeros(hw, bool)
    small[300:340, 500:530] = True
    assert seen_at(mask_of(small), PLANE, hw) < LARGE / 4
    assert not outline_parts(mask_of(small), PLANE, hw, LARGE / 4)


def test_outlines_move_as_far_as_is_allowed_and_no_farther() -> None:
    hw, reach = (LARGE, LARGE), 10
    truth = star(LARGE)
    worn = ndimage.binary_erosion(truth, iterations=6)
    everywhere = [((0, 0, LARGE, LARGE), np.where(truth, 3.0, -3.0).astype(np.float32))]
    assert np.array_equal(
        redrawn(mask_of(worn), PLANE, hw, everywhere, reach).to_plane(PLANE, (1, *hw)), truth
    )
    nothing = [((0, 0, LARGE, LARGE), np.full(hw, -3.0, np.float32))]
    left = redrawn(mask_of(truth), PLANE, hw, nothing, reach).to_plane(PLANE, (1, *hw))
    square = np.ones((2 * reach + 1,) * 2, bool)
    assert np.array_equal(left, ndimage.binary_erosion(truth, square, border_value=1))
    assert redrawn(mask_of(truth), PLANE, hw, [], reach) == mask_of(truth)


def test_parts_that_overlap_meet_without_a_seam() -> None:
    hw, thing = (200, 300), np.zeros((200, 300), bool)
    thing[:100] = True
    found = []
    for left, edge in ((0, 96), (100, 104)):  # one part says that the thing ends higher, the other lower
        logits = (edge - 0.5 - np.arange(200, dtype=np.float32))[:, None].repeat(200, axis=1)
        found.append(((0, left, 200, left + 200), logits))
    heights = redrawn(mask_of(thing), PLANE, hw, found, 20).to_plane(PLANE, (1, *hw)).sum(axis=0)
    assert (heights[0], heights[-1]) == (96, 104)
    assert np.abs(np.diff(heights)).max() <= 1


@pytest.mark.parametrize("side", [LARGE, MIDDLE])
def test_a_box_and_clicks_give_sharper_outlines_in_a_large_plane(side: int, make_segmenter) -> None:
    thing, segmenter = star(side), make_segmenter()
    volume, middle = plane_with(thing), PointPrompt((0.0, 0.48 * side, 0.52 * side))
    for prompts in ((box(thing),), (box(thing), middle)):
        request = ask(volume, *prompts)
        before, now = ZoomingSegmenter.segment_batch(segmenter, [request])[0], segmenter.segment(request)
        assert boundary_f(drawn(now, thing), thing) > boundary_f(drawn(before, thing), thing) + 0.02
        assert mask_iou(drawn(now, thing), thing) > mask_iou(drawn(before, thing), thing)
        assert all(now.masks[i] == before.masks[i] for i in range(3) if i != now.best)
        assert same(replace(now, masks=before.masks), before)


def test_planes_that_are_seen_as_they_are_stay_as_they_were(make_segmenter) -> None:
    thing, segmenter = star(SMALL), make_segmenter()
    request = ask(plane_with(thing), box(thing))
    before = ZoomingSegmenter.segment_batch(segmenter, [request])[0]
    n_decoded = segmenter.timings.n_decoded
    assert same(segmenter.segment(request), before)
    assert segmenter.timings.n_decoded == 2 * n_decoded


def test_planes_that_are_followed_are_drawn_anew_from_a_larger_size_on(make_segmenter) -> None:
    segmenter = make_segmenter()
    model_side = segmenter.spec.side
    assert BLURRED * model_side < MIDDLE < BLURRED_FOLLOWED * model_side < LARGE
    for side, is_same in ((MIDDLE, True), (LARGE, False)):
        thing = star(side)
        followed = replace(ask(plane_with(thing), box(thing)), is_followed=True)
        before = ZoomingSegmenter.segment_batch(segmenter, [followed])[0]
        assert same(segmenter.segment(followed), before) is is_same


def test_several_requests_are_answered_as_one_by_one(make_segmenter) -> None:
    segmenter = make_segmenter()
    large, small = star(LARGE), star(SMALL)
    requests = [ask(plane_with(small), box(small)), ask(plane_with(large), box(large))]
    together = segmenter.segment_batch([*requests, requests[0]])
    for one, other in zip(together, [*requests, requests[0]], strict=True):
        alone = segmenter.segment(other)
        assert one.masks == alone.masks
        assert np.allclose(one.scores, alone.scores, atol=1e-5)


def test_a_part_that_shows_another_thing_does_not_count(make_segmenter, monkeypatch) -> None:
    thing, segmenter = star(LARGE), make_segmenter()
    request = ask(plane_with(thing), box(thing))
    before = ZoomingSegmenter.segment_batch(segmenter, [request])[0]
    answers_to = segmenter._answers_to

    def turned(requests: list[SegmentRequest], *options: bool, **more: bool) -> list[MaskPrediction]:
        answers = answers_to(requests, *options, **more)
        is_part = [request.volume.shape[1] < LARGE for request in requests]
        return [replace(a, hints=-a.hints) if part else a for a, part in zip(answers, is_part, strict=True)]

    monkeypatch.setattr(segmenter, "_answers_to", turned)
    assert same(segmenter.segment(request), before)


def test_what_was_found_is_shown_while_its_parts_are_encoded(make_segmenter) -> None:
    thing, segmenter, other = star(LARGE), make_segmenter(), make_segmenter()
    request = ask(plane_with(thing), box(thing))
    answers = segmenter.answers(request)
    glance = next(answers)
    assert segmenter.timings.n_encoded == 1
    assert same(glance, other.glance(request))
    assert glance.is_glance
    (full,) = answers
    assert same(full, other.segment(request))
    (again,) = segmenter.answers(request)
    assert same(again, full)


def test_a_plane_that_need_not_be_encoded_is_not_glanced_at(make_segmenter) -> None:
    side, part = 2 * LARGE, np.s_[200 : 200 + LARGE // 2, 700 : 700 + LARGE // 2]
    thing, segmenter = np.zeros((side, side), bool), make_segmenter()
    thing[part] = star(LARGE // 2)
    request = ask(plane_with(thing), box(thing))
    (only,) = segmenter.answers(request)
    assert same(only, segmenter.segment(request))
    assert not segmenter.is_encoded(request.volume, PLANE, SEEN)
    before = ZoomingSegmenter.segment_batch(segmenter, [request])[0]
    assert mask_iou(drawn(only, thing), thing) > mask_iou(drawn(before, thing), thing)
