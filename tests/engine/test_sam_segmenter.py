"""What a segmenter answers: the contract for every family of models, and the numbers themselves."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.prompts import MaskPrompt, PointPrompt
from napari_sam.engine.frame import Frame
from napari_sam.engine.questions import choose_candidates
from napari_sam.engine.sam_segmenter import SamSegmenter
from napari_sam.errors import InvalidPrompt
from napari_sam.store.cache import EmbeddingStore
from tests.contracts import SegmenterContract, same_prediction
from tests.engine.tiny_segmenter import AWAY, BOX, POINT, WINDOW, ask, efficient_with, segmenter_with
from tests.fakes import ellipsoid_labels, labelled_volume
from tests.tiny_models import MEAN, SIDE, STD, build_mobile_sam, build_vit_sam, random_sam, spec_of
from volumes import Volume


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
