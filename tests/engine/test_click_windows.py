"""A click in a plane much larger than the model's input finds what is small there; the rest is as it was."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt, Prompt
from napari_sam.core.scores import mask_iou
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.engine.zoom import FAIRLY_LIKELY
from napari_sam.engine.zoom_windows import (
    HINT_SIDE,
    LARGE,
    MOST_HINT_SIDES,
    STEP,
    click_windows,
    hint_side,
    is_cut,
)
from tests.engine.asking import same
from volumes import Geometry, Provenance, Volume

SIDE, STEP_PX, RADIUS = 1200, 16, 4.5
PLANE, SEEN = PlaneRef(0, 0), Window(0, 255)
CELLS = [(10, 12), (20, 20), (35, 40), (60, 9)]
"""Rows and columns of some cells of the field, counted in cells."""


def middles() -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the middles of all cells of the field."""
    rng = np.random.default_rng(0)
    at = (np.arange(SIDE // STEP_PX) + 0.5) * STEP_PX
    away = rng.uniform(-0.15, 0.15, (2, len(at), len(at))) * STEP_PX
    return at[:, None] + away[0], at[None] + away[1]


@pytest.fixture(scope="module")
def field() -> Volume:
    """A plane full of round cells of nine pixels, with a thing of 500 in its lower right corner."""
    rng = np.random.default_rng(1)
    rows, cols = np.ogrid[:SIDE, :SIDE]
    own = np.arange(SIDE) // STEP_PX
    inside = np.hypot(*(where - mid[own][:, own] for where, mid in zip((rows, cols), middles(), strict=True)))
    light = rng.uniform(0.5, 1.0, (own[-1] + 1, own[-1] + 1))[own][:, own]
    picture = 60 + 50 * light * (inside < RADIUS)
    picture += 30 * ndimage.gaussian_filter(rng.standard_normal((SIDE, SIDE)), 3)
    picture = np.where(large_thing(), 190.0, picture)
    picture = ndimage.gaussian_filter(picture, 1) + rng.normal(0, 4, (SIDE, SIDE))
    data = picture.clip(0, 255).astype(np.uint8)[None]
    return Volume(data, Geometry.from_spacing((1, SIDE, SIDE)), Provenance("test"))


def large_thing() -> np.ndarray:
    rows, cols = np.ogrid[:SIDE, :SIDE]
    return ((rows - 850) / 250) ** 2 + ((cols - 850) / 220) ** 2 <= 1


def cell(row: int, col: int) -> tuple[np.ndarray, PointPrompt]:
    """Where a cell is, and a click on it."""
    rows, cols = np.ogrid[:SIDE, :SIDE]
    y, x = (mid[row, col] for mid in middles())
    return np.hypot(rows - y, cols - x) < RADIUS, PointPrompt((0.0, float(round(y)), float(round(x))))


def ask(volume: Volume, *prompts: Prompt, hint: np.ndarray | None = None) -> SegmentRequest:
    return SegmentRequest(volume, PLANE, SEEN, prompts, hint=hint)


def found(answer: MaskPrediction, truth: np.ndarray) -> float:
    return mask_iou(answer.masks[answer.best].to_plane(PLANE, (1, SIDE, SIDE)), truth)


def test_small_things_in_a_large_plane_are_found(field: Volume, make_segmenter) -> None:
    segmenter = make_segmenter()
    for truth, click in (cell(*at) for at in CELLS):
        assert found(segmenter.glance(ask(field, click)), truth) < 0.2
        assert found(segmenter.segment(ask(field, click)), truth) > 0.6


def test_two_clicks_at_once_find_what_one_does(field: Volume, make_segmenter) -> None:
    segmenter = make_segmenter()
    for truth, click in (cell(*at) for at in CELLS):
        beside = PointPrompt((0.0, click.at[1] + 2, click.at[2] - 2))
        outside = PointPrompt((0.0, click.at[1], click.at[2] + 2 * RADIUS), False)
        assert found(segmenter.segment(ask(field, click, beside)), truth) > 0.6
        assert found(segmenter.segment(ask(field, click, outside)), truth) > 0.6


@pytest.mark.parametrize("at", [(100.0, 100.0), (1190.0, 5.0), (850.0, 850.0)])
def test_a_negative_click_alone_is_asked_on_the_whole_plane(field: Volume, make_segmenter, at) -> None:
    segmenter, request = make_segmenter(), ask(field, PointPrompt((0.0, *at), False))
    assert np.array_equal(segmenter.segment(request).scores, segmenter.glance(request).scores)


def test_a_correction_starts_from_what_was_found(field: Volume, make_segmenter) -> None:
    segmenter, (truth, click) = make_segmenter(), cell(*CELLS[0])
    answer = segmenter.segment(ask(field, click))
    assert answer.hints.shape[1:] == (hint_side((SIDE, SIDE), segmenter.spec.side),) * 2
    more = PointPrompt((0.0, click.at[1], click.at[2] + 3))
    assert found(segmenter.segment(ask(field, click, more, hint=answer.hints[answer.best])), truth) > 0.6


def test_a_large_thing_is_answered_as_without_windows(field: Volume, make_segmenter) -> None:
    segmenter, click = make_segmenter(), PointPrompt((0.0, 850.0, 850.0))
    answer = segmenter.segment(ask(field, click))
    assert found(answer, large_thing()) > 0.9
    of_the_whole = SamSegmenter.segment_batch(segmenter, [ask(field, click)])[0]
    assert np.array_equal(answer.scores, of_the_whole.scores)
    assert np.array_equal(answer.hints, of_the_whole.hints)


def test_the_whole_stays_a_candidate_where_a_part_of_it_is_likelier(
    field: Volume, make_segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter, click = make_segmenter(), cell(*CELLS[0])[1]
    answer, glance = segmenter.segment(ask(field, click)), segmenter.glance(ask(field, click))
    assert glance.scores[glance.best] > FAIRLY_LIKELY
    monkeypatch.setattr("napari_sam.engine.zoom.FAIRLY_LIKELY", 1.5)
    alone = segmenter.segment(ask(field, click))
    assert all(mask.area < 1000 for mask in alone.masks)
    assert (answer.masks[answer.best], answer.best) == (alone.masks[alone.best], alone.best)
    (other,) = (i for i in range(3) if answer.masks[i] != alone.masks[i])
    assert other == alone.scores.argmin()
    assert answer.hints.shape == alone.hints.shape
    area = (answer.hints[other] > 0).mean() * SIDE**2
    assert area == pytest.approx(answer.masks[other].area, rel=0.1)


def test_alone_in_company_and_at_a_glance_the_last_answer_is_the_same(field: Volume, make_segmenter) -> None:
    segmenter = make_segmenter()
    requests = [ask(field, cell(*at)[1]) for at in CELLS]
    requests.insert(1, ask(field, BoxPrompt(PLANE.box_of((600, 630, 1100, 1070)))))
    together = segmenter.segment_batch(requests)
    for request, answer in zip(requests, together, strict=True):
        assert answer.masks[answer.best] == segmenter.segment(request).masks[answer.best]
    first, *_, last = make_segmenter().answers(requests[0])
    assert first.is_glance
    assert not last.is_glance
    assert same(first, segmenter.glance(requests[0]))
    assert same(last, segmenter.segment(requests[0]))
    assert [one.is_glance for one in segmenter.answers(requests[0])] == [False]


def pixel(row: int, col: int) -> tuple[int, int, int, int]:
    return row, col, row + 1, col + 1


def test_planes_that_are_not_large_have_no_windows_and_others_smaller_and_smaller_ones() -> None:
    assert click_windows(pixel(10, 10), (int(LARGE * 384), 500), 384) == []
    for longest, sides in ((577, [145]), (2304, [576]), (2305, [577, 145]), (20_000, [5000, 1250, 313])):
        windows = click_windows(pixel(40, 300), (500, longest), 384)
        assert [w[3] - w[1] for w in windows] == sides
        assert all(w[2] - w[0] == min(side, 500) for w, side in zip(windows, sides, strict=True))


@pytest.mark.parametrize("at", [(0, 0), (0, 1499), (999, 0), (999, 1499), (500, 700), (123, 1321)])
def test_a_click_lies_well_within_its_windows_and_they_in_the_plane(at: tuple[int, int]) -> None:
    for top, left, bottom, right in click_windows(pixel(*at), (1000, 1500), 384):
        assert 0 <= top <= at[0] < bottom <= 1000
        assert 0 <= left <= at[1] < right <= 1500
        side = right - left
        for start, place, size in ((top, at[0], 1000), (left, at[1], 1500)):
            assert start in (0, size - side) or abs(place + 0.5 - start - side / 2) <= side / 8 + STEP
        assert bottom - top == side


def test_windows_hold_all_that_was_clicked_on_with_room() -> None:
    far_apart = 300, 500, 460, 900
    (largest,) = click_windows(far_apart, (3000, 5000), 384)
    assert largest[3] - largest[1] == 1250
    assert all(largest[i] < far_apart[i] and far_apart[i + 2] < largest[i + 2] for i in (0, 1))
    assert len(click_windows(pixel(300, 500), (3000, 5000), 384)) == 2
    assert click_windows((0, 0, 3000, 5000), (3000, 5000), 384) == []


def test_neighbours_share_windows() -> None:
    windows = {w for r in range(500, 540) for w in click_windows(pixel(r, 700), (1000, 1500), 384)}
    assert len(windows) <= 2


@pytest.mark.parametrize(
    ("extent", "cut"),
    [
        ((110, 110, 150, 150), False),
        ((100, 110, 150, 150), True),
        ((110, 100, 150, 150), True),
        ((110, 110, 200, 150), True),
        ((110, 110, 150, 200), True),
    ],
)
def test_what_reaches_an_edge_of_its_window_is_cut(extent: tuple[int, int, int, int], cut: bool) -> None:
    assert is_cut(extent, (100, 100, 200, 200), (1000, 1000)) == cut


def test_what_reaches_the_edge_of_the_plane_is_not_cut() -> None:
    assert not is_cut((0, 0, 50, 60), (0, 0, 100, 100), (400, 400))
    assert not is_cut((320, 350, 400, 400), (300, 300, 400, 400), (400, 400))
    assert is_cut((320, 300, 400, 400), (300, 300, 400, 400), (400, 400))


def test_hints_grow_with_the_plane_and_not_without_end() -> None:
    assert hint_side((576, 400), 384) == HINT_SIDE
    assert hint_side((400, 577), 384) == 2 * HINT_SIDE
    assert hint_side((90_000, 80_000), 384) == MOST_HINT_SIDES * HINT_SIDE
