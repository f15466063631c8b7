"""When a plane is encoded, and where its embedding is found again."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from napari_sam.core.jobs import Cancel
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import PointPrompt
from napari_sam.core.window import Window
from napari_sam.engine.embeddings import LIGHT_AT_ONCE
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.store.cache import EmbeddingStore
from tests.contracts import same_prediction
from tests.engine.tiny_segmenter import BOX, CPU, POINT, WINDOW, ask, segmenter_with
from tests.tiny_models import random_sam, spec_of
from volumes import Volume


def test_embeddings_of_ways_to_resize_are_kept_apart(tmp_path: Path, volume: Volume) -> None:
    store = EmbeddingStore(tmp_path, 2**24, 2**24)
    for fields in ({}, {"resize": "stretch"}, {"resize": "stretch_cubic"}, {"scaling": "picture"}):
        segmenter_with(store, spec=spec_of(**fields)).segment(ask(volume, POINT))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 4


def test_plane_is_encoded_once_and_found_again_by_another_process(tmp_path: Path, volume: Volume) -> None:
    first = segmenter_with(EmbeddingStore(tmp_path, 2**24, 2**24))
    answer = first.segment(ask(volume, POINT))
    first.segment(ask(volume, BOX))
    assert (first.timings.n_encoded, first.timings.ram_hits, first.timings.disk_hits) == (1, 1, 0)
    second = segmenter_with(EmbeddingStore(tmp_path, 2**24, 2**24))
    again = second.segment(ask(volume, POINT))
    assert (second.timings.n_encoded, second.timings.disk_hits) == (0, 1)
    assert second.timings.encode_s == 0
    assert second.timings.decode_s > 0
    assert np.array_equal(again.scores, answer.scores)
    assert np.array_equal(again.hints, answer.hints)
    assert again.masks == answer.masks


def test_without_a_cache_the_answer_is_the_same(tmp_path: Path, volume: Volume) -> None:
    cached = segmenter_with(EmbeddingStore(tmp_path, 2**24, 0))
    uncached = segmenter_with(EmbeddingStore(tmp_path, 0, 0))
    cached.segment(ask(volume, POINT))
    a, b = cached.segment(ask(volume, POINT)), uncached.segment(ask(volume, POINT))
    assert np.array_equal(a.hints, b.hints)
    uncached.segment(ask(volume, POINT))
    assert uncached.timings.n_encoded == 2


def test_another_window_or_weights_is_another_embedding(tmp_path: Path, volume: Volume) -> None:
    store = EmbeddingStore(tmp_path, 2**24, 2**24)
    segmenter_with(store).segment(ask(volume, POINT))
    segmenter_with(store).segment(replace(ask(volume, POINT), window=Window(0, 100)))
    SamSegmenter(random_sam(1), spec_of(), "6" * 64, store, CPU).segment(ask(volume, POINT))
    segmenter_with(store, spec=spec_of(mean=(0.0, 0.0, 0.0))).segment(ask(volume, POINT))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 4


def test_broken_entry_on_disk_is_encoded_again(tmp_path: Path, volume: Volume) -> None:
    expected = segmenter_with(EmbeddingStore(tmp_path, 0, 2**24)).segment(ask(volume, POINT))
    (entry,) = tmp_path.rglob("*.safetensors")
    entry.write_bytes(entry.read_bytes()[:100])
    segmenter = segmenter_with(EmbeddingStore(tmp_path, 0, 2**24))
    assert same_prediction(segmenter.segment(ask(volume, POINT)), expected)
    assert segmenter.timings.n_encoded == 1


def test_prefetch_encodes_what_is_missing(segmenter: SamSegmenter, volume: Volume) -> None:
    segmenter.segment(ask(volume, POINT))
    segmenter.prefetch(volume, [PlaneRef(0, i) for i in (2, 1, 3)], WINDOW)
    assert segmenter.timings.n_encoded == 3
    segmenter.segment(ask(volume, PointPrompt((1, 5, 5)), plane=PlaneRef(0, 1)))
    assert segmenter.timings.n_encoded == 3


def test_nothing_kept_is_encoded_once_an_answer(tmp_path: Path, volume: Volume) -> None:
    segmenter = segmenter_with(EmbeddingStore(tmp_path, 0, 0))
    segmenter.segment_many([ask(volume, POINT), ask(volume, BOX)])
    assert segmenter.timings.n_encoded == 1


def test_few_planes_are_kept_at_hand(segmenter: SamSegmenter, volume: Volume) -> None:
    first = segmenter.segment(ask(volume, POINT))
    for index in (0, 1, 3, 4):
        segmenter.segment(ask(volume, PointPrompt((index, 20, 19)), plane=PlaneRef(0, index)))
    assert len(segmenter._at_hand) == 3
    assert same_prediction(segmenter.segment(ask(volume, POINT)), first)


def test_cancelled_prefetch_stops_between_those_that_are_encoded_together(
    store: EmbeddingStore, volume: Volume
) -> None:
    cancel = Cancel()
    model = random_sam()
    encode = model.encode

    def encode_then_cancel(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        cancel.cancel()
        return encode(pixels)

    model.encode = encode_then_cancel  # type: ignore[method-assign]
    segmenter = segmenter_with(store, model)
    segmenter.prefetch(volume, [PlaneRef(0, i) for i in range(5)], WINDOW, cancel)
    assert segmenter.timings.n_encoded == LIGHT_AT_ONCE


def test_prompt_on_a_known_plane_does_not_wait_for_an_encoding(store: EmbeddingStore, volume: Volume) -> None:
    model = random_sam()
    segmenter = segmenter_with(store, model)
    expected = segmenter.segment(ask(volume, POINT))
    started, release = threading.Event(), threading.Event()
    encode = model.encode

    def slow_encode(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        started.set()
        assert release.wait(60)
        return encode(pixels)

    model.encode = slow_encode  # type: ignore[method-assign]
    worker = threading.Thread(target=segmenter.prefetch, args=(volume, [PlaneRef(0, 4)], WINDOW))
    worker.start()
    assert started.wait(60)
    try:
        assert same_prediction(segmenter.segment(ask(volume, POINT)), expected)
        assert worker.is_alive()
    finally:
        release.set()
        worker.join()


def test_two_threads_encode_a_plane_once(segmenter: SamSegmenter, volume: Volume) -> None:
    answers: list[object] = []
    threads = [
        threading.Thread(target=lambda: answers.append(segmenter.segment(ask(volume, POINT))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    assert segmenter.timings.n_encoded == 1
