"""The embedded default's network: what is drawn where, and shapes at any size."""

from __future__ import annotations

import pytest
import torch

from napari_sam.models.prompt_encoder import BOX_FIRST, BOX_SECOND, NEGATIVE, PAD, POSITIVE
from napari_sam.models.tiny_sam import TinySam, build_tiny_sam, draw_prompts


def test_the_model_is_small():
    n_parameters = sum(p.numel() for p in build_tiny_sam().parameters())
    assert n_parameters < 6_000_000


def test_a_box_covers_its_cells_and_cuts_the_border_cells_in_part():
    corners = torch.tensor([[[7.5, 3.5], [21.5, 11.5]]])  # edges x 8 to 22, y 4 to 12
    drawn = draw_prompts(corners, torch.tensor([[BOX_FIRST, BOX_SECOND]]), None, (8, 8), cell=4.0)
    inside = (drawn[0, 2] + 1) / 2
    assert inside.sum().item() * 16 == pytest.approx(14 * 8, rel=1e-5)
    assert inside[1, 2:5].tolist() == [1, 1, 1]
    assert inside[1, 5].item() == pytest.approx(0.5)
    assert float(drawn[0, [0, 1, 3]].abs().max()) == 0.0


def test_clicks_are_spots_on_their_own_layers():
    points = torch.tensor([[[5.5, 13.5], [25.5, 1.5], [0.0, 0.0]]])
    drawn = draw_prompts(points, torch.tensor([[POSITIVE, NEGATIVE, PAD]]), None, (8, 8), cell=4.0)
    assert divmod(int(drawn[0, 0].argmax()), 8) == (3, 1)
    assert divmod(int(drawn[0, 1].argmax()), 8) == (0, 6)
    assert float(drawn[0, 2:].abs().max()) == 0.0


def test_a_mask_prompt_is_drawn_with_its_sign():
    mask = torch.full((1, 1, 8, 8), -9.0)
    mask[..., 2:4, 2:4] = 9.0
    drawn = draw_prompts(torch.zeros(1, 0, 2), torch.zeros(1, 0, dtype=torch.long), mask, (8, 8), cell=4.0)
    assert torch.equal(drawn[0, 3] > 0, mask[0, 0] > 0)


@pytest.mark.parametrize("side", [64, 96])
def test_the_levels_fit_the_decoder_at_any_side(side):
    torch.manual_seed(0)
    model = TinySam(side, dim=32).eval()
    features = model.encode(torch.zeros(1, 3, side, side))
    assert features["image_embedding"].shape == (1, 32, side // 16, side // 16)
    assert features["fine_8"].shape == (1, 8, side // 8, side // 8)
    assert features["fine_4"].shape == (1, 4, side // 4, side // 4)
    points, labels = torch.tensor([[[3.0, 4.0]], [[20.0, 9.0]]]), torch.ones(2, 1, dtype=torch.long)
    logits, scores = model.decode(features, points, labels, multimask=True)
    assert logits.shape == (2, 3, side // 4, side // 4)
    assert scores.shape == (2, 3)


def test_prompts_in_one_batch_do_not_touch_each_other():
    torch.manual_seed(0)
    model = TinySam(64, dim=32).eval()
    features = model.encode(torch.randn(1, 3, 64, 64))
    points, labels = torch.tensor([[[3.0, 4.0]], [[50.0, 9.0]]]), torch.ones(2, 1, dtype=torch.long)
    together, _ = model.decode(features, points, labels)
    alone, _ = model.decode(features, points[1:], labels[1:])
    torch.testing.assert_close(together[1:], alone, rtol=0, atol=1e-5)
