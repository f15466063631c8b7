"""Checkpoints in all the layouts that people have."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from napari_sam import zoo
from napari_sam.zoo.weights import load_model, read_checkpoint
from tests.tiny_models import (
    build_efficient_sam,
    build_mobile_sam,
    random_sam,
    spec_of,
    with_silent_levels,
)


def _prefixed(prefix: str) -> Callable[[dict[str, Tensor]], dict[str, Any]]:
    return lambda state: {prefix + key: value for key, value in state.items()}


LAYOUTS: dict[str, Callable[[dict[str, Tensor]], dict[str, Any]]] = {
    "plain": dict,
    "state_dict": lambda s: {"state_dict": s, "epoch": 4},
    "model": lambda s: {"model": s, "optimizer": {"lr": 1e-4}},
    "model_state, sam.": lambda s: {"model_state": _prefixed("sam.")(s), "init": {"a": [1, 2]}},
    "module.": _prefixed("module."),
    "module.sam.": _prefixed("module.sam."),
    "half precision": lambda s: {k: v.half() if v.is_floating_point() else v for k, v in s.items()},
    "with a decoder": lambda s: {
        **s,
        "decoder_state": {"out.weight": torch.zeros(2)},
        "decoder.x": torch.zeros(3),
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_torch_checkpoints_load(tmp_path: Path, state: dict[str, Tensor], layout: str, zipped: bool) -> None:
    path = tmp_path / "fine_tune.pt"
    torch.save(LAYOUTS[layout](state), path, _use_new_zipfile_serialization=zipped)
    model, loaded = load_model(spec_of(), path)
    assert loaded.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert not model.training
    found = model.state_dict()
    assert set(found) == set(state)
    tolerance = 2e-3 if layout == "half precision" else 0.0
    for key, value in state.items():
        assert found[key].dtype == value.dtype
        assert torch.allclose(found[key], value, rtol=tolerance, atol=tolerance)


def test_safetensors_load_whatever_the_name(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "weights.pth"
    save_file(state, path)
    model, _ = load_model(spec_of(), path)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_entries_left_out_are_named(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "c.pt"
    torch.save({"model_state": {**state, "decoder.out": torch.zeros(1)}, "epoch": 3}, path)
    assert load_model(spec_of(), path)[1].left_out == ("decoder.out", "epoch")


def test_training_checkpoint_of_micro_sam_loads(tmp_path: Path, state: dict[str, Tensor]) -> None:
    """Its trainer keeps SAM's numbers under a prefix, its instance decoder and optimiser beside them."""
    path = tmp_path / "best.pt"
    content = {
        "iteration": 25_000, "epoch": 3, "best_metric": 0.1,
        "model_state": _prefixed("sam.")(state),
        "decoder_state": {"base.weight": torch.zeros(2, 3), "out_conv.bias": torch.zeros(3)},
        "optimizer_state": {"state": {0: {"step": 2.0}}, "param_groups": [{"lr": 1e-5}]},
        "train_time": 12.5,
    }  # fmt: skip
    torch.save(content, path)
    model, loaded = load_model(spec_of(), path)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert set(loaded.left_out) == set(content) - {"model_state"}


def test_exported_model_with_its_decoder_loads(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "exported.pt"
    torch.save({"model_state": state, "decoder_state": {"out_conv.bias": torch.zeros(3)}}, path)
    model, loaded = load_model(spec_of(), path)
    assert model.state_dict().keys() == state.keys()
    assert loaded.left_out == ("decoder_state",)


@pytest.mark.parametrize("nest", ["plain", "model_state, sam."])
def test_mobile_sam_loads_with_and_without_what_it_carries_along(tmp_path: Path, nest: str) -> None:
    """The published file has a classifier; other writers also store tables that follow from a window."""
    state = random_sam(build=build_mobile_sam).state_dict()
    extra = {
        "image_encoder.norm_head.weight": torch.ones(32),
        "image_encoder.head.weight": torch.zeros(10, 32),
        "image_encoder.layers.1.blocks.0.attn.attention_bias_idxs": torch.zeros(9, 9, dtype=torch.long),
        "image_encoder.layers.1.blocks.0.attn.ab": torch.zeros(1, 9, 9),
    }
    spec = spec_of(build=build_mobile_sam, convert=zoo.get("mobile_sam.vit_t").convert)
    for some in ({}, dict(list(extra.items())[:2]), extra):
        path = tmp_path / f"{len(some)}.pt"
        torch.save(LAYOUTS[nest]({**state, **some}), path)
        model, _ = load_model(spec, path)
        assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_efficient_sam_loads(tmp_path: Path) -> None:
    state = random_sam(build=build_efficient_sam).state_dict()
    torch.save({"model": state}, tmp_path / "c.pt")
    model, loaded = load_model(spec_of(build=build_efficient_sam), tmp_path / "c.pt")
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert loaded.left_out == ()


def test_conversion_of_names_is_used(tmp_path: Path, state: dict[str, Tensor]) -> None:
    path = tmp_path / "c.safetensors"
    save_file({key.replace("neck", "throat"): value for key, value in state.items()}, path)
    spec = spec_of(convert=lambda s: {key.replace("throat", "neck"): value for key, value in s.items()})
    assert load_model(spec, path)[0].state_dict().keys() == state.keys()


@pytest.mark.parametrize("n_missing", [0, 2])
def test_older_weights_of_the_default_model_load(tmp_path: Path, n_missing: int) -> None:
    spec = zoo.get("default")
    assert spec.weights.embedded is not None
    whole, _ = read_checkpoint(spec.weights.embedded)
    gone = ("image_encoder.level4.2.", "image_encoder.level8.3.")[:n_missing]
    older = {name: value for name, value in with_silent_levels(whole).items() if not name.startswith(gone)}
    path = tmp_path / "older.safetensors"
    save_file(older, path)
    torch.manual_seed(7)
    model, _ = load_model(spec, path)
    assert torch.equal(torch.rand(1), torch.rand(1, generator=torch.Generator().manual_seed(7)))
    embedding = model.encode(torch.zeros(1, 3, 64, 64))["image_embedding"]
    assert torch.equal(embedding[0, :, 0, 0], older["image_encoder.smooth16.bias"])
    state, again = model.state_dict(), load_model(spec, path)[0].state_dict()
    assert all(torch.equal(again[name], value) for name, value in state.items())
    last = [f"{name}conv2.1.{kind}" for name in gone for kind in ("weight", "bias")]
    assert not any(state[name].any() for name in last)  # what is added gives nothing


def test_reading_keeps_tensors_under_their_own_names(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    torch.save(
        {"sam.mask_decoder.iou_token.weight": torch.ones(1, 2), "pixel_mean": torch.zeros(3), "note": 1}, path
    )
    read, left_out = read_checkpoint(path)
    assert list(read) == ["mask_decoder.iou_token.weight", "pixel_mean"]
    assert left_out == ("note",)


def test_loading_the_default_model_does_not_load_torchs_compiler() -> None:
    """Its import takes longer than all the rest of the first use."""
    code = (
        "import sys, napari_sam; napari_sam.load_segmenter('default', device='cpu'); "
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
