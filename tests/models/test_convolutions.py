"""Convolutions: the same numbers as torch's own, whichever way they go."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models import convolutions
from napari_sam.models.convolutions import added, convolved, laid_out
from napari_sam.models.products import has_onednn


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def layer_of(**settings: object) -> nn.Conv2d:
    layer = nn.Conv2d(8, 16, **settings)  # type: ignore[arg-type]
    with torch.no_grad():
        layer.weight.copy_(random(*layer.weight.shape))
    return layer.requires_grad_(False)


@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("n_prompts", [1, 3])
@pytest.mark.parametrize(
    "settings",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 1},
        {"kernel_size": 2, "stride": 2},
        {"kernel_size": 3, "padding": "same"},
        {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
        {"kernel_size": 3, "groups": 4, "bias": False},
    ],
    ids=str,
)
def test_a_convolution_is_torchs(settings: dict[str, object], n_prompts: int, gelu: bool) -> None:
    x, layer = random(n_prompts, 8, 12, 14), layer_of(**settings)
    expected = F.gelu(layer(x)) if gelu else layer(x)
    for given in (x, laid_out(x)):
        torch.testing.assert_close(convolved(given, layer, gelu), expected, atol=1e-4, rtol=1e-4)


def test_gradients_are_torchs() -> None:
    x, layer = random(2, 8, 6, 6).requires_grad_(), layer_of(kernel_size=3, padding=1)
    (gradient,) = torch.autograd.grad(convolved(x, layer, gelu=True).sum(), x)
    (expected,) = torch.autograd.grad(F.gelu(layer(x)).sum(), x)
    torch.testing.assert_close(gradient, expected)


def test_a_layer_of_another_kind_is_asked_itself() -> None:
    class Doubled(nn.Conv2d):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    layer = Doubled(8, 16, 3).requires_grad_(False)
    x = random(1, 8, 6, 6)
    torch.testing.assert_close(convolved(x, layer), 2 * F.conv2d(x, layer.weight, layer.bias))


def test_without_the_operator_all_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convolutions, "_has_onednn_convolution", lambda: False)
    x, layer = random(1, 8, 6, 6), layer_of(kernel_size=3)
    assert torch.equal(convolved(x, layer), layer(x))


def test_what_somebody_may_still_want_is_not_added_to() -> None:
    fresh, other = torch.zeros(3), torch.ones(3)
    assert added(fresh, other) is fresh
    assert added(torch.zeros(3, dtype=torch.half), other).dtype == torch.float32
    wanted = torch.zeros(3, requires_grad=True)
    assert added(wanted, other) is not wanted


def test_torch_still_has_the_operator() -> None:
    if not has_onednn():
        pytest.skip("torch was built without oneDNN")
    assert convolutions._has_onednn_convolution(), (
        "small convolutions are slower: look at napari_sam.models.convolutions"
    )
