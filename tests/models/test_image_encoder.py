"""The vision transformer: gradients, batches, precisions and other sides."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.grid_attention import GridAttention
from napari_sam.models.image_encoder import EncoderShape, ImageEncoder

SHAPE = EncoderShape(width=32, depth=3, n_heads=2, global_blocks=(1,), side=80, window=3, out_dim=16)
"""Windows of 3 on a grid of 5: padded on both sides."""


def encoder_of(shape: EncoderShape = SHAPE) -> ImageEncoder:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = ImageEncoder(shape).eval()
        for parameter in encoder.parameters():
            nn.init.normal_(parameter, 0.0, 0.15)
    return encoder


def pixels(n: int = 1, side: int = 80) -> Tensor:
    return torch.randn(n, 3, side, side, generator=torch.Generator().manual_seed(n))


@pytest.mark.parametrize("limit", [1, 5**3, 2**20])
def test_training_and_use_give_the_same(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_sam.models.grid_attention.LOGITS_AT_ONCE", limit)
    encoder = encoder_of()
    trained = encoder(pixels())
    with torch.inference_mode():
        used = encoder(pixels())
    assert trained.requires_grad
    torch.testing.assert_close(used, trained.detach(), atol=1e-5, rtol=1e-5)


def test_everything_learns() -> None:
    encoder = encoder_of()
    encoder(pixels()).square().sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().sum()) > 0, name


def test_pictures_of_a_batch_do_not_touch_each_other() -> None:
    encoder = encoder_of().requires_grad_(False)
    together = encoder(pixels(3))
    for index in range(3):
        alone = encoder(pixels(3)[index : index + 1])
        torch.testing.assert_close(together[index : index + 1], alone, atol=1e-5, rtol=1e-5)


def test_bfloat16_stays_near() -> None:
    encoder = encoder_of().requires_grad_(False)
    exact = encoder(pixels())
    encoder.use_precision(torch.bfloat16)
    near = encoder(pixels())
    assert near.dtype == torch.float32
    assert float(F.cosine_similarity(near, exact, dim=1).min()) > 0.999
    assert not torch.equal(near, exact)


def test_the_own_side_changes_nothing() -> None:
    encoder = encoder_of().requires_grad_(False)
    expected = encoder(pixels())
    encoder.change_side(80)
    torch.testing.assert_close(encoder(pixels()), expected, atol=1e-5, rtol=1e-5)


def test_another_side_has_another_grid_and_keeps_windows() -> None:
    encoder = encoder_of().requires_grad_(False)
    encoder.change_side(48)
    assert encoder(pixels(side=48)).shape == (1, 16, 3, 3)
    assert encoder.blocks[1].attn.grid == 3
    assert encoder.blocks[0].attn.grid == 3
    with pytest.raises(ValueError, match=r"\(B, 3, 48, 48\)"):
        encoder(pixels())


def test_distances_are_measured_on_the_old_grid() -> None:
    """What grows linearly with the distance still does: half as many tokens lie twice as far apart."""
    attention = GridAttention(width=8, n_heads=2, grid=8)
    with torch.no_grad():
        attention.rel_pos_h.copy_(torch.arange(-7.0, 8.0)[:, None].expand(15, 4))
    attention.change_grid(4)
    assert attention.rel_pos_h.shape == (7, 4)
    assert attention.rel_pos_h[:, 0].tolist() == [-6.0, -4.0, -2.0, 0.0, 2.0, 4.0, 6.0]
