from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import BoxPrompt, MaskPrompt, PointPrompt
from napari_sam.core.propagation import propagate
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.session import Session
from napari_sam.core.window import Window
from napari_sam.engine.frame import Frame
from napari_sam.engine.sam_segmenter import SamSegmenter, choose_candidates
from napari_sam.engine.stretched import StretchedFrame
from napari_sam.errors import InvalidPrompt, UnsupportedPrompt
from napari_sam.models.sam import Sam
from napari_sam.store.cache import EmbeddingStore
from napari_sam.zoo.spec import ModelSpec
from tests.contracts import SegmenterContract, same_prediction
from tests.fakes import ellipsoid_labels, labelled_volume
from tests.tiny_models import (
    EFFICIENT,
    MEAN,
    SIDE,
    STD,
    build_efficient_sam,
    build_mobile_sam,
    build_vit_sam,
    random_sam,
    spec_of,
)
from volumes import Box, Volume

SHA = "5" * 64
WINDOW = Window(-100, 900)
CPU = torch.device("cpu")


def segmenter_with(
    store: EmbeddingStore, model: Sam | None = None, spec: ModelSpec | None = None
) -> SamSegmenter:
    return SamSegmenter(model or random_sam(), spec or spec_of(), SHA, store, CPU)


@pytest.fixture
def store(tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(tmp_path, 2**24, 2**24)


@pytest.fixture
def segmenter(store: EmbeddingStore) -> SamSegmenter:
    return segmenter_with(store)


@pytest.fixture
def volume() -> Volume:
    return labelled_volume(ellipsoid_labels((5, 41, 39)))


def ask(volume: Volume, *prompts: object, plane: PlaneRef | None = None, **fields: object) -> SegmentRequest:
    plane = plane or PlaneRef(0, 2)
    return SegmentRequest(volume, plane, WINDOW, prompts, **fields)  # type: ignore[arg-type]


POINT = PointPrompt((2, 20, 19))
AWAY = PointPrompt((2, 3, 4), False)
BOX = BoxPrompt(Box((2, 8, 7), (3, 33, 32)))


class TestConvContract(SegmenterContract):
    @pytest.fixture
    def segmenter(self, store: EmbeddingStore) -> SamSegmenter:
        return segmenter_with(store)


class TestVitContract(SegmenterContract):
    @pytest.fixture
    def segmenter(self, store: EmbeddingStore) -> SamSegmenter:
        spec = spec_of(build=build_vit_sam, prompts=frozenset({"point", "box"}))
        return segmenter_with(store, random_sam(build=build_vit_sam), spec)


class TestMobileSamContract(SegmenterContract):
    @pytest.fixture
    def segmenter(self, store: EmbeddingStore) -> SamSegmenter:
        return segmenter_with(store, random_sam(build=build_mobile_sam), spec_of(build=build_mobile_sam))


class TestEfficientSamContract(SegmenterContract):
    @pytest.fixture
    def segmenter(self, store: EmbeddingStore) -> SamSegmenter:
        return efficient_with(store)


class TestMedSamContract(SegmenterContract):
    @pytest.fixture
    def segmenter(self, store: EmbeddingStore) -> SamSegmenter:
        spec = spec_of(
            build=build_vit_sam, prompts=frozenset({"box"}), resize="stretch_cubic", scaling="picture",
            mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0),
        )  # fmt: skip
        return segmenter_with(store, random_sam(build=build_vit_sam), spec)


def efficient_with(store: EmbeddingStore) -> SamSegmenter:
    spec = spec_of(build=build_efficient_sam, **EFFICIENT)
    return segmenter_with(store, random_sam(build=build_efficient_sam), spec)


def test_answer_is_what_the_model_says_of_these_pixels(segmenter: SamSegmenter, volume: Volume) -> None:
    """The whole path by hand: window, frame, network, and back to the plane."""
    model, frame = random_sam(), Frame((41, 39), SIDE)
    plane = WINDOW.to_uint8(volume.data[2])
    with torch.inference_mode():
        features = {
            k: v.half().float() for k, v in model.encode(frame.pixels(plane, MEAN, STD)[None]).items()
        }
        corners = [frame.to_model_xy((7.5, 6.5)), frame.to_model_xy((32.5, 31.5))]
        points = torch.tensor([[frame.to_model_xy((20, 19)), frame.to_model_xy((3, 4)), *corners]])
        logits, scores, _presence = model.decode_all(features, points, torch.tensor([[1, 0, 2, 3]]))
    prediction = segmenter.segment(ask(volume, POINT, BOX, AWAY))
    kept = list(choose_candidates(scores[0].numpy(), is_ambiguous=False))
    assert np.allclose(prediction.scores, scores[0, kept], atol=1e-5)
    assert np.allclose(prediction.hints, logits[0, kept].half(), atol=1e-2)
    for mask, low in zip(prediction.masks, logits[0, kept], strict=True):
        expected = (frame.plane_logits(low[None])[0] > 0).numpy()
        assert np.count_nonzero(mask.to_plane(prediction.plane, volume.shape) != expected) <= 2


@pytest.mark.parametrize(("lead", "preferred"), [(math.inf, 0), (-10.0, 1)])
def test_a_candidate_that_leads_is_preferred_while_prompts_leave_doubt(
    store: EmbeddingStore, volume: Volume, lead: float, preferred: int
) -> None:
    segmenter = segmenter_with(store, random_sam(), spec_of(lead=lead))
    assert segmenter.segment(ask(volume, BOX)).preferred == preferred
    assert segmenter.segment(ask(volume, POINT, AWAY)).preferred == preferred
    assert segmenter.segment(ask(volume, BOX, POINT)).preferred == 0
    assert segmenter.segment(ask(volume, POINT)).preferred is None
    four = (POINT, AWAY, PointPrompt((2, 18, 18)), PointPrompt((2, 22, 20)))
    assert segmenter.segment(ask(volume, *four)).preferred == 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_planes_of_all_axes_are_the_same_picture(segmenter: SamSegmenter, axis: int) -> None:
    """A volume with its axes swapped, asked on the plane that is the same picture, gives the same mask."""
    base = labelled_volume(ellipsoid_labels((5, 41, 39)))
    expected = segmenter.segment(ask(base, POINT))
    data = np.moveaxis(base.data, 0, axis)
    turned = labelled_volume(np.zeros(data.shape, np.uint16))
    turned = replace(turned, data=data)
    plane = PlaneRef(axis, 2)
    found = segmenter.segment(ask(turned, PointPrompt(plane.at(20, 19)), plane=plane))
    for a, b in zip(found.masks, expected.masks, strict=True):
        assert np.array_equal(a.to_plane(plane, turned.shape), b.to_plane(expected.plane, base.shape))


def test_single_point_gets_the_three_masks_of_ambiguity() -> None:
    scores = np.array([0.99, 0.1, 0.9, 0.5], np.float32)
    assert choose_candidates(scores, is_ambiguous=True) == (1, 2, 3)


def test_clear_prompts_get_the_single_mask_and_the_better_two() -> None:
    assert choose_candidates(np.array([0.2, 0.1, 0.9, 0.5], np.float32), is_ambiguous=False) == (0, 2, 3)
    assert choose_candidates(np.array([0.2, 0.7, 0.7, 0.7], np.float32), is_ambiguous=False) == (0, 1, 2)


def test_every_kind_of_prompt_counts(segmenter: SamSegmenter, volume: Volume) -> None:
    rough = np.zeros((41, 39), bool)
    rough[10:30, 12:28] = True
    mask = MaskPrompt(BoxedMask.of_plane(rough, PlaneRef(0, 2), volume.shape))
    hint = segmenter.segment(ask(volume, POINT)).hints[0]
    requests = [
        ask(volume, POINT),
        ask(volume, replace(POINT, positive=False)),
        ask(volume, POINT, AWAY),
        ask(volume, BOX),
        ask(volume, POINT, BOX),
        ask(volume, mask),
        ask(volume, POINT, mask),
        ask(volume, POINT, hint=hint),
        ask(volume, hint=hint),
    ]
    answers = [segmenter.segment(request) for request in requests]
    for i, a in enumerate(answers):
        assert not any(same_prediction(a, b) for b in answers[i + 1 :])


def test_painted_mask_takes_the_place_of_the_hint(segmenter: SamSegmenter, volume: Volume) -> None:
    rough = np.zeros((41, 39), bool)
    rough[10:30, 12:28] = True
    mask = MaskPrompt(BoxedMask.of_plane(rough, PlaneRef(0, 2), volume.shape))
    hint = segmenter.segment(ask(volume, POINT)).hints[0]
    with_both = segmenter.segment(ask(volume, POINT, mask, hint=hint))
    assert same_prediction(with_both, segmenter.segment(ask(volume, POINT, mask)))


def test_order_of_box_and_points_does_not_matter(segmenter: SamSegmenter, volume: Volume) -> None:
    assert same_prediction(
        segmenter.segment(ask(volume, BOX, POINT)), segmenter.segment(ask(volume, POINT, BOX))
    )


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


@pytest.mark.parametrize(
    ("prompts", "hint", "message"),
    [
        ((), None, "no prompt"),
        ((BOX, BOX), None, "2 boxes"),
        ((PointPrompt((2, 99, 3)),), None, "outside the volume"),
        ((PointPrompt((3, 9, 3)),), None, "not in plane 2"),
        ((POINT,), np.zeros((3, 8, 8), np.float16), r"\(3, 8, 8\)"),
    ],
    ids=["none", "two boxes", "outside", "other plane", "three hints"],
)
def test_bad_requests_are_refused(
    segmenter: SamSegmenter,
    volume: Volume,
    prompts: tuple[object, ...],
    hint: np.ndarray | None,
    message: str,
) -> None:
    with pytest.raises(InvalidPrompt, match=message):
        segmenter.segment(ask(volume, *prompts, hint=hint))


def test_a_hint_of_another_model_is_resized(segmenter: SamSegmenter, volume: Volume) -> None:
    coarse = np.linspace(-4, 4, 64, dtype=np.float16).reshape(8, 8)
    fine = np.kron(coarse, np.ones((2, 2), np.float16))
    by_coarse, by_fine, bare = (
        segmenter.segment(ask(volume, POINT, hint=hint)).hints for hint in (coarse, fine, None)
    )
    assert np.abs(by_coarse - by_fine).mean() < 0.5 * np.abs(by_coarse - bare).mean()


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


def test_planes_encoded_together_are_as_one_by_one(
    store: EmbeddingStore, tmp_path: Path, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_sam.engine.embeddings.PLANES_AT_ONCE", {"cpu": 2})
    model = random_sam()
    segmenter, encode = segmenter_with(store, model), model.encode
    sizes: list[int] = []

    def note_and_encode(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        sizes.append(len(pixels))
        return encode(pixels)

    model.encode = note_and_encode  # type: ignore[method-assign]
    segmenter.segment(ask(volume, POINT))
    segmenter.prefetch(volume, [PlaneRef(0, i) for i in (2, 1, 3, 4, 0)], WINDOW)
    assert sizes == [1, 1, 2, 1]
    alone = segmenter_with(EmbeddingStore(tmp_path / "other", 2**24, 0))
    there = ask(volume, PointPrompt((3, 20, 19)), plane=PlaneRef(0, 3))
    assert same_prediction(segmenter.segment(there), alone.segment(there))
    assert segmenter.timings.n_encoded == 5


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


def test_cancelled_prefetch_stops_between_planes(store: EmbeddingStore, volume: Volume) -> None:
    cancel = Cancel()
    model = random_sam()
    encode = model.encode

    def encode_then_cancel(pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        cancel.cancel()
        return encode(pixels)

    model.encode = encode_then_cancel  # type: ignore[method-assign]
    segmenter = segmenter_with(store, model)
    segmenter.prefetch(volume, [PlaneRef(0, i) for i in range(5)], WINDOW, cancel)
    assert segmenter.timings.n_encoded == 1


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
