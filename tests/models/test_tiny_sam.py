"""The embedded default's network: what is drawn where, and shapes at any size."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from napari_sam.models.grouping import N_CHANNELS, group_logits, masks_of_cells, of_shares, placed
from napari_sam.models.prompt_drawing import draw_groups, draw_prompts
from napari_sam.models.prompt_encoder import (
    BOX_FIRST,
    BOX_SECOND,
    NEGATIVE,
    PAD,
    POSITIVE,
    PromptEncoder,
)
from napari_sam.models.sam import PlaneFeatures
from napari_sam.models.tiny_encoder import TinyEncoder, with_missing_blocks, without_silent_levels
from napari_sam.models.tiny_sam import TinySam, build_tiny_sam, look_at_masks
from tests.tiny_models import with_silent_levels


def test_the_model_is_small():
    n_parameters = sum(p.numel() for p in build_tiny_sam().parameters())
    assert n_parameters < 1_300_000


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


def test_a_mask_prompt_alone_is_enough():
    torch.manual_seed(0)
    model = TinySam(64, dim=32).eval()
    features = model.encode(torch.randn(1, 3, 64, 64))
    no_points = torch.zeros(1, 0, 2), torch.zeros(1, 0, dtype=torch.long)
    decoded = model.decode_all(features, *no_points, torch.randn(1, 1, 16, 16))
    assert decoded.mask_logits.shape == (1, 4, 16, 16)
    assert bool(torch.isfinite(decoded.mask_logits).all())


def test_presence_is_one_number_a_prompt():
    torch.manual_seed(0)
    model = TinySam(64, dim=32).eval()
    features = model.encode(torch.randn(1, 3, 64, 64))
    points, labels = torch.tensor([[[3.0, 4.0]], [[50.0, 9.0]]]), torch.ones(2, 1, dtype=torch.long)
    presence = model.decode_all(features, points, labels).presence
    assert presence is not None
    assert presence.shape == (2,)


def test_groups_are_drawn_on_the_layer_of_their_prompt():
    grouping = torch.zeros(1, N_CHANNELS, 8, 8)
    grouping[:, 2, :, 4:] = 20.0
    points = torch.tensor([[[5.5, 13.5], [25.5, 1.5]]])
    drawn = draw_groups(grouping, points, torch.tensor([[POSITIVE, NEGATIVE]]), None, cell=4.0)
    assert drawn.shape == (1, 4, 8, 8)
    assert float(drawn[0, 0, :, 4:].max()) < 0.1 < float(drawn[0, 0, 3, 1])
    assert float(drawn[0, 1, :, :4].max()) < 0.1 < float(drawn[0, 1, 0, 6])
    assert float(drawn[0, 2:].abs().max()) == 0.0


MIXED = [[POSITIVE, NEGATIVE, BOX_FIRST, BOX_SECOND], [NEGATIVE, POSITIVE, BOX_FIRST, BOX_SECOND]]


@pytest.mark.parametrize(
    "labels", [MIXED, [[POSITIVE, NEGATIVE]] * 2, [[BOX_FIRST, BOX_SECOND]] * 2], ids=str
)
@pytest.mark.parametrize("n_grids", [1, 2])
@pytest.mark.parametrize("with_mask", [False, True])
def test_groups_are_those_of_each_prompt_by_itself(
    labels: list[list[int]], n_grids: int, with_mask: bool
) -> None:
    torch.manual_seed(3)
    grouping, points = torch.randn(n_grids, N_CHANNELS, 12, 12), torch.rand(2, len(labels[0]), 2) * 48
    kinds, mask = torch.tensor(labels), torch.randn(2, 1, 12, 12) if with_mask else None
    drawn = draw_groups(grouping, points, kinds, mask, cell=4.0)
    for row in range(2):
        grid = grouping[row % n_grids][None]
        cells = ((points[row] + 0.5) / 4.0).floor().long().clamp(0, 11)
        for layer, sign in enumerate((POSITIVE, NEGATIVE)):
            numbers = [
                int(y) * 12 + int(x) for (x, y), kind in zip(cells, kinds[row], strict=True) if kind == sign
            ]
            found = masks_of_cells(grid, torch.tensor([numbers or [0]]))[0].sigmoid().amax(dim=0)
            torch.testing.assert_close(drawn[row, layer], found * bool(numbers), atol=1e-3, rtol=0)
        if mask is None:
            assert not drawn[row, 3].any()
        else:
            flat = placed(grid)
            means = of_shares(flat, mask[row].sigmoid().flatten(1)[None])
            share = group_logits(flat, means).sigmoid().reshape(12, 12)
            torch.testing.assert_close(drawn[row, 3], share, atol=1e-3, rtol=0)
        assert bool(drawn[row, 2].any()) == (BOX_SECOND in labels[row])


@pytest.mark.parametrize("n_prompts", [1, 3])
@pytest.mark.parametrize("with_mask", [False, True])
def test_without_gradients_it_is_quicker_and_says_the_same(n_prompts: int, with_mask: bool) -> None:
    torch.manual_seed(1)
    model = TinySam(96, dim=32).eval()
    points, labels = (
        torch.rand(n_prompts, 3, 2) * 96,
        torch.tensor([[POSITIVE, BOX_FIRST, BOX_SECOND]] * n_prompts),
    )
    mask = torch.randn(n_prompts, 1, 24, 24) * 5 if with_mask else None
    features = {name: level.detach() for name, level in model.encode(torch.randn(1, 3, 96, 96)).items()}
    slow = model.decode_all(features, points, labels, mask)
    assert slow.mask_logits.requires_grad
    with torch.inference_mode():
        quick = model.decode_all(features, points, labels, mask)
        kept = PlaneFeatures(features)
        for _ in range(2):
            again = model.decode_all(kept, points, labels, mask)
    for expected, *found in zip(slow, quick, again, strict=True):
        for one in found:
            torch.testing.assert_close(one, expected.detach(), atol=1e-4, rtol=1e-4)
    assert kept.image_pe is not None


def test_masks_are_described_by_what_lies_in_them():
    logits = torch.full((1, 2, 8, 8), -20.0)
    logits[0, 0, :4] = 20.0
    logits[0, 1, :, :2] = 20.0
    upscaled = torch.zeros(1, 1, 8, 8)
    upscaled[0, 0, :4] = 3.0
    seen = look_at_masks(logits, upscaled)
    assert seen.shape == (1, 2, 6)
    assert seen[0, 0, 0].item() == pytest.approx(3 * 32 / 33, rel=1e-4)
    assert seen[0, 1, 0].item() == pytest.approx(1.5 * 16 / 17, rel=1e-4)
    assert seen[0, :, 3].tolist() == pytest.approx([1.0, 1.0], abs=1e-4)  # as large at a stricter threshold


def test_a_mask_alone_gets_a_padding_token_here_and_none_in_published_models() -> None:
    nothing = torch.zeros(2, 0, 2), torch.zeros(2, 0, dtype=torch.long), (64, 64)
    assert TinySam(64, 32).prompt_encoder.sparse(*nothing).shape == (2, 1, 32)
    assert PromptEncoder(32).sparse(*nothing).shape == (2, 0, 32)


def test_weights_of_the_smaller_encoder_answer_as_before():
    torch.manual_seed(5)
    smaller = TinySam(side=64)
    smaller.image_encoder = TinyEncoder(128, depths=(1, 2))
    whole = build_tiny_sam()
    whole.load_state_dict(with_missing_blocks(smaller.state_dict(), whole.state_dict()))
    pixels = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before, after = smaller.eval().encode(pixels), whole.eval().encode(pixels)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_nothing_else_is_made_up_for_weights_that_lack_it():
    whole = build_tiny_sam().state_dict()
    without = {name: value for name, value in whole.items() if not name.startswith("mask_decoder.iou_token")}
    assert with_missing_blocks(without, whole).keys() == without.keys()


def test_older_weights_lose_the_levels_that_nothing_came_through_and_keep_what_came_of_them():
    torch.manual_seed(3)
    model = build_tiny_sam().eval()
    older = with_silent_levels(dict(model.state_dict()))
    model.load_state_dict(without_silent_levels(older))
    encoder, bias = model.image_encoder, older["image_encoder.smooth16.bias"]
    heard = bias.view(1, -1, 1, 1).expand(1, -1, 4, 4)
    with torch.no_grad():
        embedding = encoder(torch.randn(1, 3, 64, 64))["image_embedding"]
        for name, of_embedding in (("lateral8", "narrow8"), ("group8", "group16")):
            layer = getattr(encoder, name)
            x = torch.randn(1, layer.in_channels, 4, 4)
            of_older = F.conv2d(x, layer.weight, older[f"image_encoder.{name}.bias"])
            added = [older[f"image_encoder.{of_embedding}.{kind}"] for kind in ("weight", "bias")]
            assert torch.allclose(layer(x), of_older + F.conv2d(heard, *added), atol=1e-4)
    assert torch.equal(embedding, heard)


def test_weights_of_which_the_coarse_levels_are_heard_are_left_alone():
    older = with_silent_levels(dict(build_tiny_sam().state_dict()))
    heard = older | {"image_encoder.norm16.weight": torch.ones(128)}
    assert without_silent_levels(heard).keys() == heard.keys()
    silent = heard | {"image_encoder.smooth16.weight": torch.zeros(128, 128, 3, 3)}
    assert without_silent_levels(silent).keys() == build_tiny_sam().state_dict().keys()


def test_weights_without_these_levels_stay_as_they_are():
    state = build_tiny_sam().state_dict()
    again = without_silent_levels(state)
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], value) for name, value in state.items())
