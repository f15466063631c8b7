"""Small objects are asked on a window around them, and the answers come back where they belong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_sam.core.masks import BoxedMask, iou
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.engine.loading import load_segmenter
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.engine.zoom import ZoomingSegmenter
from napari_sam.engine.zoom_windows import CONTEXT, HINT_SIDE, MIN_SIDE_PX, zoom_window
from napari_sam.settings import Settings
from tests.engine.asking import PLANE, WINDOW, ask
from volumes import Box, Geometry, Provenance, Volume

HW = (400, 500)


@pytest.mark.parametrize("size", [3, 12, 40, 70])
@pytest.mark.parametrize("place", [(0, 0), (380, 120), (200, 470), (111, 222)])
def test_the_window_holds_the_object_with_its_surroundings(size: int, place: tuple[int, int]) -> None:
    row, col = (min(start, limit - size) for start, limit in zip(place, HW, strict=True))
    top, left, bottom, right = zoom_window((row, col, row + size, col + size), HW)
    assert 0 <= top <= row < row + size <= bottom <= HW[0]
    assert 0 <= left <= col < col + size <= right <= HW[1]
    side = max(bottom - top, right - left)
    assert side >= max(CONTEXT * size, MIN_SIDE_PX)
    assert side <= max(np.sqrt(2) * CONTEXT * size, np.sqrt(2) * MIN_SIDE_PX) + 1


def test_large_objects_get_the_whole_plane() -> None:
    assert zoom_window((50, 50, 180, 160), HW) == (0, 0, *HW)


def test_neighbours_share_windows() -> None:
    windows = {zoom_window((r, c, r + 30, c + 30), HW) for r in range(150, 170) for c in range(150, 170)}
    assert len(windows) <= 4


@pytest.fixture(scope="module")
def volume() -> Volume:
    """Three planes with a bright disc of 9 voxels' radius at row 90, column 330."""
    rows, cols = np.ogrid[: HW[0], : HW[1]]
    disc = (rows - 90) ** 2 + (cols - 330) ** 2 <= 81
    data = np.where(disc, 200, 60).astype(np.uint8) + np.random.default_rng(0).integers(
        0, 12, HW, dtype=np.uint8
    )
    return Volume(np.stack([data] * 3), Geometry.from_spacing((3, *HW)), Provenance("test"))


@pytest.fixture
def zooming(tmp_path) -> SamSegmenter:
    return load_segmenter("default", "cpu", settings=Settings.resolve(cache_dir=tmp_path))


def disc_mask() -> np.ndarray:
    rows, cols = np.ogrid[: HW[0], : HW[1]]
    return (rows - 90) ** 2 + (cols - 330) ** 2 <= 81


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    return (found & truth).sum() / (found | truth).sum()


BOX = BoxPrompt(PLANE.box_of((81, 321, 100, 340)))


@pytest.mark.parametrize(
    "prompts",
    [
        (BOX,),
        (PointPrompt((1, 90, 330), True),),
        (BOX, PointPrompt((1, 90, 330), True), PointPrompt((1, 10, 20), False)),
    ],
)
def test_answers_lie_where_the_object_is(zooming: SamSegmenter, volume: Volume, prompts: tuple) -> None:
    assert isinstance(zooming, ZoomingSegmenter)
    answer = zooming.segment(ask(volume, *prompts))
    assert answer.plane == PLANE
    assert overlap(answer.masks[answer.best].to_plane(PLANE, volume.shape), disc_mask()) > 0.6


def test_hints_are_of_the_whole_plane_and_taken_back(zooming: SamSegmenter, volume: Volume) -> None:
    answer = zooming.segment(ask(volume, BOX))
    assert answer.hints.shape == (3, HINT_SIDE, HINT_SIDE)
    rows, cols = np.nonzero(answer.hints[answer.best] > 0)
    scale = HINT_SIDE / max(HW)
    assert rows.mean() == pytest.approx(90 * scale, abs=1.5)
    assert cols.mean() == pytest.approx(330 * scale, abs=1.5)
    hinted = zooming.segment(ask(volume, PointPrompt((1, 92, 331), True), hint=answer.hints[answer.best]))
    assert overlap(hinted.masks[hinted.best].to_plane(PLANE, volume.shape), disc_mask()) > 0.5


def test_a_mask_says_where_to_look(zooming: SamSegmenter, volume: Volume) -> None:
    mask = BoxedMask.of_plane(disc_mask(), PLANE, volume.shape)
    before = zooming.timings.n_encoded
    answer = zooming.segment(ask(volume, MaskPrompt(mask)))
    assert zooming.timings.n_encoded == before + 1
    assert not answer.masks[answer.best].is_empty


def test_what_was_prefetched_around_an_object_is_not_encoded_again(
    zooming: SamSegmenter, volume: Volume
) -> None:
    zooming.prefetch(volume, [PLANE], WINDOW, around=BOX.box)
    assert zooming.timings.n_encoded == 1
    zooming.segment(ask(volume, BOX))
    assert zooming.timings.n_encoded == 1


def test_large_objects_are_answered_as_without_zoom(zooming: SamSegmenter, volume: Volume) -> None:
    large = ask(volume, BoxPrompt(PLANE.box_of((20, 100, 300, 450))))
    plain = SamSegmenter.segment_batch(zooming, [large])[0]
    closer = zooming.segment(large)
    others = {0, 1, 2} - {plain.best}
    assert all(plain.masks[i] == closer.masks[i] for i in others)
    assert iou(plain.masks[plain.best], closer.masks[closer.best]) > 0.9
    assert np.array_equal(plain.hints, closer.hints)


def test_several_requests_keep_their_order(zooming: SamSegmenter, volume: Volume) -> None:
    requests = [
        ask(volume, BoxPrompt(PLANE.box_of((20, 100, 300, 450)))),
        ask(volume, BOX),
        replace(ask(volume, PointPrompt((1, 90, 330), True))),
    ]
    together = zooming.segment_batch(requests)
    for request, answer in zip(requests, together, strict=True):
        alone = zooming.segment(request)
        assert torch.allclose(torch.tensor(alone.scores), torch.tensor(answer.scores), atol=1e-4)
        assert alone.masks[alone.best].box == answer.masks[answer.best].box


def test_small_objects_are_decoded_in_one_batch_each_in_its_own_window(
    zooming: SamSegmenter, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = [PLANE.box_of((row, col, row + 19, col + 19)) for row, col in ((81, 321), (300, 40), (200, 400))]
    requests = [ask(volume, BoxPrompt(box), PointPrompt(PLANE.at(*middle(box)))) for box in boxes]
    alone = [zooming.segment(request) for request in requests]
    hinted = [replace(r, hint=a.hints[a.best]) for r, a in zip(requests, alone, strict=True)]
    alone += [zooming.segment(request) for request in hinted]
    batches, answer = [], zooming.model.answer
    monkeypatch.setattr(
        zooming.model,
        "answer",
        lambda *asked, **more: batches.append(len(asked[1])) or answer(*asked, **more),
    )
    together = zooming.segment_many([*requests, *hinted])
    assert batches == [3, 3]
    assert zooming.timings.n_encoded == 3
    for a, b in zip(together, alone, strict=True):
        assert all(
            iou(one, other) > 0.99 or one == other for one, other in zip(a.masks, b.masks, strict=True)
        )
        assert np.allclose(a.scores, b.scores, atol=1e-3)
        assert np.allclose(a.hints.astype(float), b.hints.astype(float), atol=0.1)


def middle(box: Box) -> tuple[float, float]:
    return (box.start[1] + box.stop[1]) / 2, (box.start[2] + box.stop[2]) / 2


def test_objects_that_share_a_window_share_its_embedding(zooming: SamSegmenter, volume: Volume) -> None:
    together = zooming.segment_batch(
        [ask(volume, BOX), ask(volume, BoxPrompt(PLANE.box_of((79, 320, 99, 340))))]
    )
    assert zooming.timings.n_encoded == 1
    assert zooming.timings.ram_hits == 0
    for answer in together:
        assert overlap(answer.masks[answer.best].to_plane(PLANE, volume.shape), disc_mask()) > 0.6
