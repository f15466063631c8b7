"""Answers to boxes and clicks, drawn anew: where is looked, what is changed, and what is left alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from napari_sam.core.masks import BoxedMask, iou
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.engine.frame import Frame
from napari_sam.engine.model_prompts import ModelPrompts
from napari_sam.engine.refining import refine, see, square_for
from napari_sam.engine.squares import Square
from napari_sam.models.prompt_encoder import BOX_FIRST, BOX_SECOND, NEGATIVE, POSITIVE
from napari_sam.models.refiner import (
    CROP_SIDE,
    HELD,
    MOST_CLICKS,
    NOWHERE,
    SURE,
    Refined,
    Refiner,
    Seen,
)
from tests.engine.asking import PLANE, ask, same
from volumes import Geometry, Provenance, Volume

FRAME = Frame((120, 90), 384)


def around(top: float, left: float, bottom: float, right: float, frame: Frame = FRAME) -> Square:
    """Lay a square around a box of the plane's rows and columns."""
    return Square.around(frame, frame.corners_xy((top, left, bottom, right)))


def test_it_looks_at_the_box_with_room_around() -> None:
    rows, cols = np.mgrid[:120, :90].astype(np.uint8)
    plane = np.stack([rows, cols, 0 * rows], axis=2)
    square = around(40, 30, 80, 60)
    seen = square.picture(plane)
    middles = (np.arange(CROP_SIDE) + 0.5) / CROP_SIDE * 64
    assert seen.shape == (3, CROP_SIDE, CROP_SIDE)
    assert np.abs(seen[0].numpy() - (28 + middles - 0.5)[:, None]).max() <= 1
    assert np.abs(seen[1].numpy() - (13 + middles - 0.5)[None]).max() <= 1
    assert square.seen_from(FRAME.to_model_xy((39.5, 29.5))) == pytest.approx((-15 / 64, -20 / 64), abs=1e-6)
    assert not square.is_outside().any()


@pytest.mark.parametrize("grey", [True, False])
def test_outside_the_plane_its_edge_goes_on(grey: bool) -> None:
    plane = np.full((120, 90), 50, np.uint8)
    plane[:, 80:] = 200
    square = around(100, 60, 120, 90)
    seen = square.picture(plane if grey else np.repeat(plane[..., None], 3, axis=2))
    outside = square.is_outside()
    assert set(np.unique(seen[:, outside])) <= {50.0, 200.0} | set(np.unique(seen[:, ~outside]))
    assert (seen[0, :, -1] == 200).all()
    assert outside[-1].all()
    assert outside[:, -1].all()
    assert not outside[CROP_SIDE // 2, CROP_SIDE // 2]


class Says(Refiner):
    """Says the same of each cell, whatever it sees."""

    def __init__(self, logit: float) -> None:
        super().__init__()
        self.logit = logit

    def forward(self, seen: Seen) -> Refined:
        """Give one logit everywhere."""
        n = len(seen.scores)
        return Refined(torch.zeros(n, 4), torch.full((n, CROP_SIDE, CROP_SIDE), self.logit))


def boxed(top: float, left: float, bottom: float, right: float) -> ModelPrompts:
    """Ask by a box of the plane's rows and columns."""
    return ModelPrompts(FRAME.corners_xy((top, left, bottom, right)), (BOX_FIRST, BOX_SECOND), None)


def clicked(*clicks: tuple[float, float, bool], mask: torch.Tensor | None = None) -> ModelPrompts:
    """Ask by clicks on (row, col)."""
    places = tuple(FRAME.to_model_xy(click[:2]) for click in clicks)
    labels = tuple(POSITIVE if positive else NEGATIVE for *_, positive in clicks)
    return ModelPrompts(places, labels, mask)


PLAIN = np.zeros((120, 90), np.uint8)


def test_only_what_lies_in_the_square_changes() -> None:
    logits = torch.full((1, 3, 96, 96), -4.0)
    logits[:, 0, 40:50, 30:44] = 3.0
    scores = torch.tensor([[0.8, 0.1, 0.1]])
    squares, seen = see([PLAIN], [FRAME], [boxed(40, 30, 80, 60)], logits, scores)
    assert squares == [around(40, 30, 80, 60)]
    drawn, score = refine(Says(5.0), squares, seen, logits[:, 0])
    assert drawn.shape == (1, 96, 96)
    changed = (drawn[0] != logits[0, 0].clamp(-HELD, HELD)).nonzero()
    first, last = changed.min(dim=0).values.tolist(), changed.max(dim=0).values.tolist()
    assert first == pytest.approx([28 * 96 / 120, 13 * 96 / 120], abs=1.5)
    assert last == pytest.approx([92 * 96 / 120, 77 * 96 / 120], abs=1.5)
    assert float(score[0]) == pytest.approx(0.65)


def test_candidates_are_seen_where_they_lie_and_nowhere_outside_the_plane() -> None:
    logits = torch.full((1, 3, 96, 96), 40.0)
    squares, seen = see([PLAIN], [FRAME], [boxed(100, 60, 120, 90)], logits, torch.full((1, 3), 0.5))
    outside = squares[0].is_outside()
    assert (seen.candidates[0, :, outside] == -SURE).all()
    assert (seen.candidates[0, :, ~outside] == SURE).all()
    assert (seen.before == 0).all()
    assert (seen.clicks == 0).all()


@pytest.mark.parametrize(("score", "share"), [(0.3, 0.8), (0.8, 0.8), (0.85, 0.6), (0.9, 0.4), (1.04, 0.4)])
def test_less_is_changed_where_the_model_is_sure(score: float, share: float) -> None:
    logits = torch.full((1, 3, 96, 96), -4.0)
    logits[:, :, 30:70, 25:60] = 3.0
    scores = torch.tensor([[score, 0.1, 0.1]])
    squares, seen = see([PLAIN], [FRAME], [clicked((55.0, 45.0, True))], logits, scores)
    drawn, _ = refine(Says(5.0), squares, seen, logits[:, 0])
    assert float(drawn[0, 50, 40]) == pytest.approx(3.0 + share * 2.0, abs=1e-4)


def test_clicks_are_looked_at_with_what_they_found() -> None:
    answer = torch.full((96, 96), -4.0)
    answer[40:48, 32:40] = 3.0
    rows, cols = np.array([40, 48]) / 96 * 120, np.array([32, 40]) / 96 * 120
    found = square_for(FRAME, clicked((55.0, 45.0, True)), answer)
    assert found.side == pytest.approx(1.6 * 8 * 4)
    assert FRAME.to_plane_rc(found.middle_xy) == pytest.approx((rows.mean() - 0.5, cols.mean() - 0.5))
    wider = square_for(FRAME, clicked((55.0, 45.0, True), (100.0, 45.0, False)), answer)
    reach_px = (100.5 - rows[0]) / 120 * 384 + 2
    assert wider.side == pytest.approx(1.6 * reach_px)
    nothing = square_for(FRAME, clicked((55.0, 45.0, True)), torch.full((96, 96), -4.0))
    assert FRAME.to_plane_rc(nothing.middle_xy) == pytest.approx((55.0, 45.0))
    assert nothing.side == 12


def test_clicks_and_the_mask_before_are_seen_where_they_lie() -> None:
    logits = torch.full((2, 3, 96, 96), -4.0)
    before = torch.full((96, 96), -3.0)
    before[40:48, 32:40] = 7.0
    many = [(50.0 + i, 45.0, i % 2 == 0) for i in range(MOST_CLICKS + 2)]
    asked = [clicked(*many, mask=before), clicked((55.0, 45.0, False), mask=before)]
    squares, seen = see([PLAIN] * 2, [FRAME] * 2, asked, logits, torch.ones(2, 3))
    assert (seen.box == NOWHERE).all()
    assert seen.clicks[0, :, 2].tolist() == [1, -1] * (MOST_CLICKS // 2)
    newest = (seen.clicks[0, -1, :2] * squares[0].side + torch.tensor(squares[0].middle_xy)).tolist()
    assert newest == pytest.approx(FRAME.to_model_xy((59.0, 45.0)), abs=1e-4)
    assert seen.clicks[1, 0, 2] == -1
    assert (seen.clicks[1, 1:] == 0).all()
    for square, mask in zip(squares, seen.before[:, 0], strict=True):
        at = (square.cells() + 1) / 2 * 96 - 0.5
        inside = ((at - torch.tensor([35.5, 43.5])).abs() < 3).all(dim=2)
        assert inside.any()
        assert torch.allclose(mask[inside], torch.tensor(7.0))


def make_volume() -> Volume:
    """A disc among others in each of three planes, with noise."""
    rng = np.random.default_rng(8)
    rows, cols = np.ogrid[:96, :120]
    ground = ndimage.gaussian_filter(rng.standard_normal((3, 96, 120)), (0, 9, 9)) * 180 + 90
    disc = np.hypot(rows - 44, cols - 62) <= 17
    data = (np.where(disc, 180.0, ground) + rng.normal(0, 5, ground.shape)).clip(0, 255).astype(np.uint8)
    return Volume(data, Geometry.from_spacing(data.shape, (2.0, 1.0, 1.0)), Provenance("test"))


DISC = np.hypot(*np.ogrid[-44:52, -62:58]) <= 17
BOX = BoxPrompt(PLANE.box_of((27, 45, 62, 80)))


def test_a_box_is_drawn_anew(make_segmenter) -> None:
    segmenter, plain, volume = make_segmenter(), make_segmenter(), make_volume()
    plain._refiner = None
    answer, before = segmenter.segment(ask(volume, BOX)), plain.segment(ask(volume, BOX))
    assert not same(answer, before)
    assert iou(answer.masks[answer.best], BoxedMask.of_plane(DISC, PLANE, volume.shape)) > 0.9
    others = [i for i in range(3) if i != answer.best]
    assert [answer.masks[i] for i in others] == [before.masks[i] for i in others]
    assert answer.presence == before.presence


CLICK, BESIDE = PointPrompt((1.0, 44.0, 62.0)), PointPrompt((1.0, 70.0, 62.0), positive=False)


@pytest.mark.parametrize(
    "clicks", [(CLICK,), (CLICK, BESIDE), (CLICK, BESIDE, replace(CLICK, at=(1.0, 50.0, 66.0)))]
)
def test_clicks_are_drawn_anew(clicks, make_segmenter) -> None:
    segmenter, plain, volume = make_segmenter(), make_segmenter(), make_volume()
    plain._refiner = None
    answer, before = segmenter.segment(ask(volume, *clicks)), plain.segment(ask(volume, *clicks))
    assert not same(answer, before)
    assert iou(answer.masks[answer.best], BoxedMask.of_plane(DISC, PLANE, volume.shape)) > 0.9


def test_clicks_that_mend_a_mask_are_drawn_anew(make_segmenter) -> None:
    segmenter, plain, volume = make_segmenter(), make_segmenter(), make_volume()
    plain._refiner = None
    cut = DISC & (np.arange(DISC.shape[1]) < 66)
    given = MaskPrompt(BoxedMask.of_plane(cut, PLANE, volume.shape))
    missed = PointPrompt((1.0, 44.0, 73.0))
    for request in (ask(volume, missed, given, BOX), ask(volume, missed, given)):
        answer, before = segmenter.segment(request), plain.segment(request)
        assert not same(answer, before)
        assert iou(answer.masks[answer.best], BoxedMask.of_plane(DISC, PLANE, volume.shape)) > 0.9


def test_what_follows_is_answered_as_before(make_segmenter) -> None:
    segmenter, plain, volume = make_segmenter(), make_segmenter(), make_volume()
    plain._refiner = None
    hint = plain.segment(ask(volume, BOX)).hints[0]
    for request in (
        ask(volume, BOX, hint=hint),
        replace(ask(volume, BOX), is_followed=True),
        replace(ask(volume, CLICK, hint=hint), is_followed=True),
    ):
        assert same(segmenter.segment(request), plain.segment(request))


def test_several_are_drawn_as_one_by_one(make_segmenter) -> None:
    segmenter, volume = make_segmenter(), make_volume()
    requests = [ask(volume, BoxPrompt(PLANE.box_of(box))) for box in ((27, 45, 62, 80), (0, 0, 30, 40))]
    requests.append(replace(requests[0], plane=replace(PLANE, index=2)))
    requests[2] = replace(requests[2], prompts=(BoxPrompt(requests[2].plane.box_of((27, 45, 62, 80))),))
    for one, other in zip(segmenter.segment_batch(requests), map(segmenter.segment, requests), strict=True):
        for mask, again in zip(one.masks, other.masks, strict=True):
            assert mask.is_empty == again.is_empty
            assert mask.is_empty or iou(mask, again) > 0.999
        assert one.scores == pytest.approx(other.scores, abs=1e-4)
