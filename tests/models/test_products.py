"""Large products: the same numbers as torch's own, whichever way they go."""

from __future__ import annotations

import platform

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models import products
from napari_sam.models.products import linear, product


@pytest.fixture(autouse=True)
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "WORTH_IT", 0)


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("shape", [(1, 5), (3, 7, 5), (2, 3, 4, 5)])
def test_product_is_torchs(shape: tuple[int, ...], gelu: bool) -> None:
    x, weight, bias = random(*shape), random(6, 5), random(6)
    expected = F.linear(x, weight, bias)
    torch.testing.assert_close(product(x, weight, bias, gelu), F.gelu(expected) if gelu else expected)
    torch.testing.assert_close(product(x, weight), F.linear(x, weight))


def test_strides_do_not_matter() -> None:
    x, weight = random(40, 9)[::2, 1:6], random(30, 15)[::5, ::3]
    expected = x.contiguous() @ weight.contiguous().T
    torch.testing.assert_close(product(x, weight), expected)
    torch.testing.assert_close(product(random(5, 20).T, random(5, 6).T), random(5, 20).T @ random(5, 6))


def test_gradients_are_torchs() -> None:
    layer = nn.Linear(5, 6)
    x = random(4, 5).requires_grad_()
    (gradient,) = torch.autograd.grad(linear(x, layer, gelu=True).sum(), x)
    (expected,) = torch.autograd.grad(F.gelu(layer(x)).sum(), x)
    torch.testing.assert_close(gradient, expected)


def test_a_layer_of_another_kind_is_asked_itself() -> None:
    class Doubled(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    layer = Doubled(5, 6).requires_grad_(False)
    torch.testing.assert_close(
        linear(random(4, 5), layer), 2 * F.linear(random(4, 5), layer.weight, layer.bias)
    )


def test_the_weight_says_the_precision() -> None:
    layer = nn.Linear(5, 6).requires_grad_(False)
    expected = layer(random(4, 5))
    layer.to(torch.bfloat16)
    found = linear(random(4, 5), layer)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, atol=0.05, rtol=0.05)


def test_without_the_operator_all_is_torchs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_has_onednn_linear", lambda: False)
    x, weight = random(4, 5), random(6, 5)
    assert torch.equal(product(x, weight), F.linear(x, weight))


def test_torch_still_has_the_operator() -> None:
    if platform.machine().lower() not in ("x86_64", "amd64") or not products.has_onednn():
        pytest.skip("this is no x86 processor, or torch was built without oneDNN")
    assert products._has_onednn_linear(), (
        "products are as slow as torch's own: look at napari_sam.models.products"
    )
