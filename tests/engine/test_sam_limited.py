"""Models that know fewer kinds of prompts, fewer points or no single mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.core.propagation import propagate
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.engine.stretched import StretchedFrame
from napari_sam.errors import UnsupportedPrompt
from napari_sam.store.cache import EmbeddingStore
from tests.contracts import same_prediction
from tests.engine.tiny_segmenter import AWAY, BOX, POINT, WINDOW, ask, efficient_with, segmenter_with
from tests.fakes import ellipsoid_labels, labelled_volume
from tests.tiny_models import MEAN, SIDE, STD, build_efficient_sam, random_sam, spec_of
from volumes import Volume


def test_model_without_masks_is_asked_without_them(store: EmbeddingStore, volume: Volume) -> None:
    """A session hands on how its object stands, whatever the model; what was shown is asked all the same."""
    segmenter = segmenter_with(store, spec=spec_of(prompts=frozenset({"point"})))
    hint, rough = np.zeros((16, 16), np.float16), np.ones((41, 39), bool)
    mask = MaskPrompt(BoxedMask.of_plane(rough, PlaneRef(0, 2), volume.shape))
    bare = segmenter.segment(ask(volume, POINT, AWAY))
    assert same_prediction(bare, segmenter.segment(ask(volume, POINT, AWAY, hint=hint)))
    assert same_prediction(bare, segmenter.segment(ask(volume, POINT, mask, AWAY)))
    for request in (ask(volume, mask), ask(volume, hint=hint)):
        with pytest.raises(UnsupportedPrompt, match="cannot use a mask"):
            segmenter.segment(request)
    with pytest.raises(UnsupportedPrompt, match="cannot use a box"):
        segmenter.segment(ask(volume, BOX, mask))


def test_second_click_in_a_session_works_without_masks(store: EmbeddingStore, volume: Volume) -> None:
    session, segmenter = Session(volume), efficient_with(store)
    for point in (POINT, AWAY, PointPrompt((2, 25, 25))):
        request = session.prompt(PlaneRef(0, 2), point, object_id=1)
        session.apply(segmenter.segment(request), request)
    assert request.hint is not None
    assert len(request.prompts) == 3


def test_model_without_a_single_mask_gives_three_to_every_prompt(
    store: EmbeddingStore, volume: Volume
) -> None:
    segmenter, model = efficient_with(store), random_sam(build=build_efficient_sam)
    answer = segmenter.segment(ask(volume, POINT, BOX))
    assert answer.preferred is None
    assert answer.best == int(np.argmax(answer.scores))
    frame = StretchedFrame((41, 39), SIDE)
    with torch.inference_mode():
        pixels = frame.pixels(WINDOW.to_uint8(volume.data[2]), MEAN, STD)
        corners = frame.corners_xy((8, 7, 33, 32))
        points = torch.tensor([[frame.to_model_xy((20, 19)), *corners]])
        decoded = model.decode_all(model.encode(pixels[None]), points, torch.tensor([[1, 2, 3]]))
    assert np.allclose(answer.scores, decoded.iou_scores[0, 1:], atol=0.02)
    hints = frame.to_hint(decoded.mask_logits[0, 1:])
    assert np.abs(answer.hints - hints.numpy()).max() < 0.05


@pytest.mark.parametrize("with_box", [False, True])
def test_of_too_many_points_the_first_and_the_newest_are_kept(
    store: EmbeddingStore, volume: Volume, with_box: bool, caplog: pytest.LogCaptureFixture
) -> None:
    segmenter = efficient_with(store)
    away = [PointPrompt((2, 2 + i, 3), False) for i in range(9)]
    box, n_kept = ([BOX], 3) if with_box else ([], 5)
    answer = segmenter.segment(ask(volume, away[0], POINT, *box, *away[1:]))
    assert "6 points" in caplog.text
    expected = segmenter.segment(ask(volume, POINT, *box, *away[9 - n_kept :]))
    assert same_prediction(answer, expected)
    only_away = segmenter.segment(ask(volume, *box, *away))
    assert same_prediction(only_away, segmenter.segment(ask(volume, *box, *away[8 - n_kept :])))


def test_propagation_falls_back_to_box_and_point(store: EmbeddingStore) -> None:
    session, segmenter = Session(labelled_volume(ellipsoid_labels((5, 41, 39)))), efficient_with(store)
    asked: list[SegmentRequest] = []
    segment_batch = segmenter.segment_batch

    def remembered(requests: Sequence[SegmentRequest]) -> list[MaskPrediction]:
        asked.extend(requests)
        return segment_batch(requests)

    segmenter.segment_batch = remembered  # type: ignore[method-assign]
    stroke = np.ones((1, 20, 20), np.uint16)
    session.paint(PlaneRef(0, 2).box_of((10, 10, 30, 30)), np.zeros_like(stroke), stroke)
    list(propagate(session, segmenter, 1))
    assert asked
    for request in asked:
        assert [type(prompt) for prompt in request.prompts] == [BoxPrompt, PointPrompt]
        assert request.hint is None
