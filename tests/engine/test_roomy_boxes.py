"""A loose box is drawn closer where the answer says that it is loose, and only then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.core.scores import mask_iou
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.engine.loading import load_segmenter
from napari_sam.engine.roomy_boxes import better_of, drawn_closer
from volumes import Geometry, Provenance, Volume

PLANE = PlaneRef(0, 1)
SHAPE = (3, 100, 120)


def volume_of(plane: np.ndarray) -> Volume:
    data = np.repeat(plane[None], SHAPE[0], axis=0)
    return Volume(data, Geometry.from_spacing(SHAPE), Provenance("test"))


def request_for(box: tuple[int, int, int, int], plane: np.ndarray | None = None) -> SegmentRequest:
    volume = volume_of(np.zeros(SHAPE[1:], np.uint8) if plane is None else plane)
    return SegmentRequest(volume, PLANE, Window(0.0, 255.0), (BoxPrompt(PLANE.box_of(box)),))


def answer_of(found: tuple[int, int, int, int] | None, score: float = 0.8) -> MaskPrediction:
    inside = np.zeros(SHAPE[1:], bool)
    if found is not None:
        inside[found[0] : found[2], found[1] : found[3]] = True
    mask = BoxedMask.of_plane(inside, PLANE, SHAPE)
    scores = np.array([score, 0.1, 0.1], np.float32)
    return MaskPrediction(PLANE, (mask,) * 3, scores, np.zeros((3, 8, 8), np.float16), preferred=0)


@pytest.mark.parametrize(
    ("found", "closer"),
    [
        ((30, 40, 70, 90), (27, 36, 73, 93)),  # 10, 12, 10 and 10 pixels of room: three tenths stay
        ((30, 40, 70, 100), (27, 36, 73, 100)),  # reaches one side
        ((30, 40, 80, 100), None),  # reaches two
        ((21, 29, 79, 99), None),  # a pixel is no room
        (None, None),
    ],
)
def test_a_box_is_drawn_closer_where_three_sides_have_room(found, closer):
    again = drawn_closer(request_for((20, 28, 80, 100)), answer_of(found))
    assert (again is None) == (closer is None)
    if again is not None:
        assert PLANE.box_hw(again.prompts[0].box) == closer


def test_what_reaches_beyond_the_box_leaves_it_no_room():
    assert drawn_closer(request_for((20, 28, 80, 100)), answer_of((10, 20, 60, 80))) is None


def test_a_box_that_is_not_alone_stays_as_it_was_drawn():
    request, answer = request_for((20, 28, 80, 100)), answer_of((30, 40, 70, 90))
    clicked = replace(request, prompts=(*request.prompts, PointPrompt((1.0, 50.0, 60.0))))
    assert drawn_closer(clicked, answer) is None
    assert drawn_closer(replace(request, hint=np.zeros((96, 96), np.float16)), answer) is None


def test_the_first_answer_stays_unless_the_second_is_clearly_better():
    first = answer_of((30, 40, 70, 90), 0.8)
    assert better_of(first, answer_of((31, 41, 69, 89), 0.8)) is first
    better = answer_of((31, 41, 69, 89), 0.85)
    assert better_of(first, better) is better


def test_a_loose_box_around_a_faint_object_gives_the_object_alone_or_with_others():
    rows, columns = np.mgrid[: SHAPE[1], : SHAPE[2]]
    truth = ((rows - 50) / 14) ** 2 + ((columns - 64) / 18) ** 2 <= 1
    noise = np.random.default_rng(0).normal(0, 9, truth.shape)
    plane = np.clip(100 + 30 * truth + noise, 0, 255).astype(np.uint8)
    segmenter = load_segmenter("default")
    requests = [request_for(box, plane) for box in ((36, 46, 65, 83), (32, 41, 69, 88), (26, 36, 74, 92))]
    together = segmenter.segment_batch(requests)
    for request, answer in zip(requests, together, strict=True):
        assert mask_iou(answer.masks[answer.best].to_plane(PLANE, SHAPE), truth) > 0.85
        alone = segmenter.segment(request)
        assert mask_iou(*(a.masks[a.best].to_plane(PLANE, SHAPE) for a in (alone, answer))) > 0.99
