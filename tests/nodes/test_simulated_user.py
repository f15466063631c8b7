"""The simulated person: where the next click goes, and what the session makes of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask, innermost_point, tight_box
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.nodes.simulated_user import Click, answer_box, answer_clicks, next_click
from napari_sam.nodes.tasks import Task
from volumes import Box, Volume

Plane = NDArray[np.bool_]


class ScriptedSegmenter:
    """Gives the masks of a list, one a request; the last again where the list is too short."""

    name = "scripted.test"

    def __init__(self, *masks: Plane, score: float = 0.7, prompts: Sequence[str] = ("point", "box", "mask")):
        self.masks, self.score, self.prompts = masks, score, frozenset(prompts)
        self.requests: list[SegmentRequest] = []

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        mask = self.masks[min(len(self.requests), len(self.masks) - 1)]
        self.requests.append(request)
        boxed = BoxedMask.of_plane(mask, request.plane, request.volume.shape)
        hint = np.full((3, 4, 4), len(self.requests), np.float16)
        return MaskPrediction(request.plane, (boxed,) * 3, np.array([0.1, self.score, 0.2], np.float32), hint)

    def prefetch(
        self,
        volume: Volume,
        planes: Sequence[PlaneRef],
        window: Window,
        cancel: Cancel | None = None,
        around: Box | None = None,
    ) -> None: ...


def square(start: int = 10, stop: int = 30) -> Plane:
    mask = np.zeros((40, 50), bool)
    mask[start:stop, start:stop] = True
    return mask


def task_of(mask: Plane) -> Task:
    image = np.where(mask, 200, 50).astype(np.uint8)
    box = tight_box(mask)
    assert box is not None
    return Task("a.png#0:1", "photos", "photo", image, mask, box, innermost_point(mask))


def test_the_click_goes_deepest_into_the_largest_wrong_region() -> None:
    truth = square()
    found = truth.copy()
    found[10:30, 10:13] = False  # 60 px missing
    found[0:9, 40:49] = True  # 81 px too much
    assert next_click(found, truth) == Click(4, 44, False)
    found[0:2, 40:49] = False
    found[2:5, 40:49] = False  # 36 px too much
    click = next_click(found, truth)
    assert click is not None
    assert click.positive
    assert click.col == 11
    assert next_click(truth, truth) is None


def test_of_regions_of_one_size_the_missing_one_comes_first() -> None:
    truth, found = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    truth[2:5, 2:5], found[10:13, 10:13] = True, True
    assert next_click(found, truth) == Click(3, 3, True)


def test_no_pixel_is_clicked_twice() -> None:
    truth, found = np.zeros((20, 20), bool), np.zeros((20, 20), bool)
    truth[2:5, 2:5] = True
    clicks: set[tuple[int, int]] = set()
    while (click := next_click(found, truth, clicks)) is not None:
        assert (click.row, click.col) not in clicks
        clicks.add((click.row, click.col))
    assert len(clicks) == 9


def test_a_perfect_answer_needs_one_click() -> None:
    segmenter = ScriptedSegmenter(square())
    answers = answer_clicks(segmenter, task_of(square()), 20, 10)
    assert [(answer.iou, answer.score) for answer in answers] == [(1.0, pytest.approx(0.7))]
    (request,) = segmenter.requests
    assert request.prompts == (PointPrompt((0, *task_of(square()).point)),)
    assert request.hint is None


def test_clicks_add_up_and_the_last_logits_come_along() -> None:
    smaller, larger = square(10, 20), square(10, 40)
    segmenter = ScriptedSegmenter(smaller, larger, square())
    answers = answer_clicks(segmenter, task_of(square()), 20, 10)
    assert [answer.iou for answer in answers] == [0.25, pytest.approx(400 / 900), 1.0]
    assert [len(request.prompts) for request in segmenter.requests] == [1, 2, 3]
    signs = [p.positive for p in segmenter.requests[-1].prompts if isinstance(p, PointPrompt)]
    assert signs == [True, True, False]
    hints = [None if r.hint is None else float(r.hint[0, 0]) for r in segmenter.requests]
    assert hints == [None, 1.0, 2.0]


def test_a_method_without_masks_gets_no_hint() -> None:
    segmenter = ScriptedSegmenter(square(10, 20), square(), prompts=("point",))
    assert len(answer_clicks(segmenter, task_of(square()), 20, 10)) == 2
    assert all(request.hint is None for request in segmenter.requests)


@pytest.mark.parametrize(("stop", "n_clicks"), [(29, 10), (20, 20)])
def test_after_the_counted_clicks_a_good_mask_is_enough(stop: int, n_clicks: int) -> None:
    segmenter = ScriptedSegmenter(square(10, stop))  # IoU 0.9025, then 0.25
    assert len(answer_clicks(segmenter, task_of(square()), 20, 10)) == n_clicks


def test_an_empty_answer_is_clicked_on() -> None:
    answers = answer_clicks(ScriptedSegmenter(np.zeros((40, 50), bool)), task_of(square()), 4, 10)
    assert [answer.iou for answer in answers] == [0.0] * 4


def test_one_box() -> None:
    segmenter = ScriptedSegmenter(square(11, 29))
    answer = answer_box(segmenter, task_of(square()))
    assert answer.iou == pytest.approx(18**2 / 20**2)
    assert answer.boundary_f == 1.0
    assert isinstance(segmenter.requests[0].prompts[0], BoxPrompt)
