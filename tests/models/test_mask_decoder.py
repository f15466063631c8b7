"""The decoder's shortcuts: folded projections, and what is kept of a plane between prompts."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from napari_sam.models.mask_decoder import MaskDecoder
from napari_sam.models.prompt_encoder import PromptEncoder
from napari_sam.models.sam import PlaneFeatures, Sam
from napari_sam.models.two_way_transformer import Attention, TwoWayTransformer

DIM, GRID = 64, 6


def model_of() -> Sam:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        decoder = MaskDecoder(DIM, TwoWayTransformer(2, DIM, n_heads=2, mlp_dim=DIM), iou_hidden_dim=DIM)
        model = Sam(torch.nn.Identity(), PromptEncoder(DIM, 8), decoder, 16 * GRID)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, 0.0, 0.2)
    return model.eval().requires_grad_(False)


def embedding() -> Tensor:
    return torch.randn(1, DIM, GRID, GRID, generator=torch.Generator().manual_seed(4))


def points(n: int) -> tuple[Tensor, Tensor]:
    xy = torch.rand(n, 2, 2, generator=torch.Generator().manual_seed(6)) * 16 * GRID
    return xy, torch.tensor([[1, 0]]).expand(n, -1)


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("with_masks", [False, True])
def test_folded_projections_are_the_same(
    with_masks: bool, one_by_one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, features = model_of(), {"image_embedding": embedding()}
    masks = torch.randn(3, 1, 4 * GRID, 4 * GRID, generator=torch.Generator().manual_seed(8))
    asked = (features, *points(3), masks if with_masks else None)
    expected = model.decode_all(*asked)
    monkeypatch.setattr("napari_sam.models.two_way_transformer.WORTH_FOLDING", 0)
    monkeypatch.setattr("napari_sam.models.mask_decoder.LARGE_IMAGE", 0 if one_by_one else 2**30)
    folded = spy_on_folding(monkeypatch)
    found = model.decode_all(*asked)
    assert len(folded) == 5 * (3 if one_by_one else 1)
    assert all(folded)
    torch.testing.assert_close(found.mask_logits, expected.mask_logits, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found.iou_scores, expected.iou_scores, atol=1e-4, rtol=1e-4)


def spy_on_folding(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return a list that will hold whether each cross attention was folded."""
    answers: list[bool] = []
    decide = Attention._folds

    def note(self: Attention, tokens: Tensor, image: Tensor) -> bool:
        answers.append(decide(self, tokens, image))
        return answers[-1]

    monkeypatch.setattr(Attention, "_folds", note)
    return answers


def test_many_points_are_not_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_sam.models.two_way_transformer.WORTH_FOLDING", 0)
    folded = spy_on_folding(monkeypatch)
    xy = torch.rand(1, 40, 2, generator=torch.Generator().manual_seed(6)) * 16 * GRID
    labels = torch.ones(1, 40, dtype=torch.long)
    model_of().decode_all({"image_embedding": embedding()}, xy, labels)
    assert folded == [False] * 5


def test_what_is_kept_of_a_plane_changes_no_answer() -> None:
    model, kept = model_of(), PlaneFeatures(image_embedding=embedding())
    fresh = {"image_embedding": embedding()}
    mask = torch.randn(1, 1, 4 * GRID, 4 * GRID, generator=torch.Generator().manual_seed(8))
    for mask_inputs in (None, mask, None, mask):
        found = model.decode_all(kept, *points(1), mask_inputs)
        assert torch.equal(found.mask_logits, model.decode_all(fresh, *points(1), mask_inputs).mask_logits)
    assert kept.image_side is not None
    side = kept.image_side
    model.decode_all(kept, *points(2))
    assert kept.image_side is side


def test_bfloat16_gives_nearly_the_same_masks_in_float32() -> None:
    model, features = model_of(), {"image_embedding": embedding()}
    exact = model.decode_all(features, *points(3))
    model.use_precision(torch.bfloat16)
    near = model.decode_all(features, *points(3))
    assert near.mask_logits.dtype == near.iou_scores.dtype == torch.float32
    agree = (near.mask_logits > 0) == (exact.mask_logits > 0)
    assert float(agree.float().mean()) > 0.98
