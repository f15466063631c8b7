"""The look from afar: where it stands between answers from near, and which answer counts."""

from __future__ import annotations

import pytest
import torch

from napari_sam.models.far_look import (
    LIKELY,
    farther,
    farther_points,
    nearer_mask,
    the_likelier,
    with_far_candidate,
)
from napari_sam.models.mask_decoder import Decoded
from napari_sam.models.prompt_encoder import BOX_FIRST, BOX_SECOND, POSITIVE
from napari_sam.models.sam import PlaneFeatures
from napari_sam.models.tiny_sam import TinySam

SIDE = 128


@pytest.fixture(scope="module")
def model() -> TinySam:
    torch.manual_seed(3)
    return TinySam(SIDE).eval().requires_grad_(False)


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(4))


@pytest.fixture
def seen(model: TinySam, pixels: torch.Tensor) -> PlaneFeatures:
    features = PlaneFeatures(model.encode(pixels))
    features.far = PlaneFeatures(model.encode(farther(pixels)))
    return features


def box() -> tuple[torch.Tensor, torch.Tensor]:
    corners = torch.tensor([[[19.5, 30.5], [90.5, 99.5]], [[9.5, 9.5], [60.5, 70.5]]])
    return corners, torch.tensor([[BOX_FIRST, BOX_SECOND]] * 2)


def decoded(scores: list[list[float]], side: int, value: float) -> Decoded:
    n = len(scores)
    masks = torch.full((n, 4, side, side), value) + torch.arange(4.0)[None, :, None, None]
    return Decoded(masks, torch.tensor(scores), torch.full((n,), value))


def test_edges_of_pixels_stay_edges_in_the_halved_picture() -> None:
    edges = torch.tensor([[[-0.5, 127.5], [63.5, 31.5]]])
    assert torch.equal(farther_points(edges), torch.tensor([[[-0.5, 63.5], [31.5, 15.5]]]))


def test_a_ramp_comes_back_where_it_was() -> None:
    ramp = torch.arange(32.0).expand(1, 1, 32, 32)
    assert torch.allclose(nearer_mask(farther(ramp))[..., 2:-2], ramp[..., 2:-2])


def test_a_likely_candidate_from_afar_takes_the_place_of_the_worst_from_near() -> None:
    near = decoded([[0.9, 0.3, 0.2, 0.6], [0.9, 0.3, 0.2, 0.6]], 8, 10.0)
    far = decoded([[0.99, 0.1, 0.7, 0.4], [0.99, 0.1, LIKELY, 0.4]], 4, 20.0)
    joined = with_far_candidate(near, far)
    assert torch.equal(joined.iou_scores, torch.tensor([[0.9, 0.3, 0.7, 0.6], [0.9, 0.3, 0.2, 0.6]]))
    assert torch.equal(joined.mask_logits[0, 2], torch.full((8, 8), 22.0))
    joined.mask_logits[0, 2] = near.mask_logits[0, 2]
    assert torch.equal(joined.mask_logits, near.mask_logits)
    assert joined.presence is near.presence


def test_the_likelier_answer_counts_for_each_prompt() -> None:
    first = decoded([[0.5, 0.9, 0.9, 0.9], [0.5, 0.1, 0.1, 0.1], [0.5, 0, 0, 0]], 4, 1.0)
    again = decoded([[0.4, 0.0, 0.0, 0.0], [0.6, 0.2, 0.2, 0.2], [0.5, 1, 1, 1]], 4, 2.0)
    taken = the_likelier(first, again)
    for row, source in enumerate((first, again, first)):
        assert torch.equal(taken.mask_logits[row], source.mask_logits[row])
        assert torch.equal(taken.iou_scores[row], source.iou_scores[row])
        assert taken.presence is not None
        assert source.presence is not None
        assert taken.presence[row] == source.presence[row]


def test_a_box_is_asked_from_near_from_afar_and_from_near(model: TinySam, seen: PlaneFeatures) -> None:
    xy, labels = box()
    first = model.decode_all(seen, xy, labels)
    assert seen.far is not None
    half = SIDE // 2, SIDE // 2
    afar = model.decode_all(
        seen.far, farther_points(xy), labels, farther(first.mask_logits[:, :1]), half
    ).mask_logits
    again = model.decode_all(seen, xy, labels, nearer_mask(afar[:, :1]))
    expected, found = the_likelier(first, again), model.answer(seen, xy, labels)
    assert torch.equal(found.mask_logits, expected.mask_logits)
    assert torch.equal(found.iou_scores, expected.iou_scores)


def test_a_click_is_answered_from_afar_as_well(model: TinySam, seen: PlaneFeatures) -> None:
    xy, labels = torch.tensor([[[60.0, 50.0]]]), torch.tensor([[POSITIVE]])
    assert seen.far is not None
    near = model.answer(PlaneFeatures(seen), xy, labels)
    afar = model.answer(PlaneFeatures(seen.far), farther_points(xy), labels, None, (SIDE // 2, SIDE // 2))
    expected, found = with_far_candidate(near, afar), model.answer(seen, xy, labels)
    assert torch.equal(found.mask_logits, expected.mask_logits)
    assert torch.equal(found.iou_scores, expected.iou_scores)


def test_without_features_from_afar_a_box_is_decoded_once(model: TinySam, seen: PlaneFeatures) -> None:
    xy, labels = box()
    expected, found = model.decode_all(seen, xy, labels), model.answer(PlaneFeatures(seen), xy, labels)
    assert torch.equal(found.mask_logits, expected.mask_logits)
    assert torch.equal(found.iou_scores, expected.iou_scores)
