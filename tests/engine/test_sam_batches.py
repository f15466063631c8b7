"""Requests answered together, and planes encoded together, are as one by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.errors import InvalidPrompt
from napari_sam.models.sam import Sam
from napari_sam.store.cache import EmbeddingStore
from tests.contracts import same_prediction
from tests.engine.tiny_segmenter import AWAY, BOX, POINT, WINDOW, ask, segmenter_with
from tests.tiny_models import random_sam
from volumes import Box, Volume


def sizes_of_encoding(model: Sam) -> list[int]:
    """Note from now on how many planes a model encodes together."""
    sizes, encode = list[int](), model.encode

    def note_and_encode(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        sizes.append(len(pixels))
        return encode(pixels)

    model.encode = note_and_encode  # type: ignore[method-assign]
    return sizes


def test_batch_is_as_one_by_one_in_order_and_encodes_once(segmenter: SamSegmenter, volume: Volume) -> None:
    other = PlaneRef(0, 3)
    requests = [
        ask(volume, POINT),
        ask(volume, BOX),
        ask(volume, PointPrompt((3, 9, 9)), plane=other),
        ask(volume, AWAY),
        ask(volume, PointPrompt((2, 30, 30))),
        ask(volume, BoxPrompt(Box((2, 0, 0), (3, 41, 39)))),
    ]
    together = segmenter.segment_batch(requests)
    assert segmenter.timings.n_encoded == 2
    assert segmenter.timings.n_decoded == 6
    for answer, request in zip(together, requests, strict=True):
        assert same_prediction(answer, segmenter.segment(request))
    assert segmenter.segment_batch([]) == []


def test_more_prompts_than_a_batch_holds(segmenter: SamSegmenter, volume: Volume) -> None:
    requests = [ask(volume, PointPrompt((2, 1 + i // 7, 1 + i % 7))) for i in range(40)]
    answers = segmenter.segment_batch(requests)
    assert len(answers) == 40
    assert same_prediction(answers[39], segmenter.segment(requests[39]))


def test_bad_request_in_a_batch_is_refused_before_encoding(segmenter: SamSegmenter, volume: Volume) -> None:
    with pytest.raises(InvalidPrompt):
        segmenter.segment_batch([ask(volume, POINT), ask(volume)])
    assert segmenter.timings.n_encoded == 0


def test_many_requests_on_a_plane_are_answered_as_one_by_one(segmenter: SamSegmenter, volume: Volume) -> None:
    hint = np.linspace(-4, 4, 256, dtype=np.float16).reshape(16, 16)
    requests = [
        ask(volume, BOX, PointPrompt((2, 15 + i, 19)), hint=hint + np.float16(i)) for i in range(3)
    ] + [ask(volume, POINT)]
    together = segmenter.segment_many(requests)
    for answer, request in zip(together, requests, strict=True):
        assert same_prediction(answer, segmenter.segment(request))
    for answer, again in zip(together, segmenter.segment_many(requests), strict=True):
        assert answer.masks == again.masks
        assert np.array_equal(answer.hints, again.hints)
    assert segmenter.timings.n_encoded == 1


def test_planes_encoded_together_are_as_one_by_one(
    store: EmbeddingStore, tmp_path: Path, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sam.engine.embeddings.PLANES_AT_ONCE", {"cpu": 2})
    model = random_sam()
    segmenter, sizes = segmenter_with(store, model), sizes_of_encoding(model)
    segmenter.segment(ask(volume, POINT))
    segmenter.prefetch(volume, [PlaneRef(0, i) for i in (2, 1, 3, 4, 0)], WINDOW)
    assert sizes == [1, 1, 2, 1]
    alone = segmenter_with(EmbeddingStore(tmp_path / "other", 2**24, 0))
    there = ask(volume, PointPrompt((3, 20, 19)), plane=PlaneRef(0, 3))
    assert same_prediction(segmenter.segment(there), alone.segment(there))
    assert segmenter.timings.n_encoded == 5


@pytest.mark.parametrize(("light_side", "sizes"), [(512, [2, 1]), (8, [1, 1, 1])])
def test_on_a_processor_two_small_inputs_are_encoded_together(
    store: EmbeddingStore,
    volume: Volume,
    monkeypatch: pytest.MonkeyPatch,
    light_side: int,
    sizes: list[int],
) -> None:
    monkeypatch.setattr("napari_sam.engine.embeddings.LIGHT_SIDE", light_side)
    model = random_sam()
    found = sizes_of_encoding(model)
    asked = [ask(volume, PointPrompt((i, 20, 19)), plane=PlaneRef(0, i)) for i in (3, 0, 1)]
    segmenter_with(store, model).segment_many(asked)
    assert found == sizes


def test_what_is_asked_together_is_encoded_together(
    store: EmbeddingStore, tmp_path: Path, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sam.engine.embeddings.PLANES_AT_ONCE", {"cpu": 4})
    segmenter, alone = segmenter_with(store), segmenter_with(EmbeddingStore(tmp_path / "other", 2**24, 0))
    asked = [ask(volume, PointPrompt((i, 20, 19)), plane=PlaneRef(0, i)) for i in (3, 0, 3, 1)]
    found = segmenter.segment_many(asked)
    assert segmenter.timings.n_encoded == 3
    assert all(
        same_prediction(one, alone.segment(request)) for one, request in zip(found, asked, strict=True)
    )
