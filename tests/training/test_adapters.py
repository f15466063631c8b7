"""Low-rank adapters: where they go, what they train, and that nothing is left of them in the end."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from napari_sam.models.sam import Sam
from napari_sam.training.adapters import AdaptedLinear, adapt, adapter_names, merged_state
from tests.tiny_models import SIDE, build_conv_sam, build_vit_sam, random_sam

BUILDERS = [build_conv_sam, build_vit_sam]


def answer(model: Sam) -> tuple[torch.Tensor, torch.Tensor]:
    pixels = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        decoded = model.decode_all(model.encode(pixels), torch.tensor([[[20.0, 30.0]]]), torch.tensor([[1]]))
    return decoded[0], decoded[1]


def adapted(build: object) -> Sam:
    model = random_sam(1, build)
    torch.manual_seed(0)
    adapt(model, rank=3, alpha=6.0)
    return model


def shake(model: Sam) -> None:
    torch.manual_seed(5)
    for layer in model.modules():
        if isinstance(layer, AdaptedLinear):
            nn.init.normal_(layer.up, std=0.3)


@pytest.mark.parametrize("build", BUILDERS)
def test_an_adapted_model_starts_out_as_it_was(build: object) -> None:
    for before, after in zip(answer(random_sam(1, build)), answer(adapted(build)), strict=True):
        assert torch.equal(before, after)


@pytest.mark.parametrize("build", BUILDERS)
def test_merged_weights_answer_as_the_adapted_model(build: object) -> None:
    model = adapted(build)
    shake(model)
    plain = random_sam(2, build)
    plain.load_state_dict(merged_state(model), strict=True)
    for ours, theirs, at_first in zip(
        answer(plain), answer(model), answer(random_sam(1, build)), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
        assert float((theirs - at_first).abs().max()) > 1e-3


def test_merging_leaves_the_model_alone() -> None:
    model = adapted(build_vit_sam)
    shake(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    merged_state(model)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.parametrize("build", BUILDERS)
def test_all_attentions_and_perceptrons_are_adapted_and_only_adapters_trained(build: object) -> None:
    model = random_sam(1, build)
    linear = {
        name
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and name.startswith(("image_encoder.", "mask_decoder."))
    }
    assert set(adapt(model, rank=2, alpha=2.0)) == linear
    assert any("qkv" in name for name in linear) == (build is build_vit_sam)
    assert any("q_proj" in name for name in linear)
    assert any("lin1" in name for name in linear)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trained == set(adapter_names(model)) == {f"{n}.{part}" for n in linear for part in ("down", "up")}


def test_a_plain_model_is_merged_as_it_is() -> None:
    model = random_sam(1)
    state = merged_state(model)
    assert state.keys() == model.state_dict().keys()
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in state.items())
