from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from napari_sam import zoo
from napari_sam.errors import SettingsError, UnknownModel
from napari_sam.models.tiny_encoder import TINY_SIDE
from napari_sam.zoo.builtin import PIXEL_MEAN, PIXEL_STD
from napari_sam.zoo.spec import Weights
from tests.tiny_models import spec_of


def test_default_is_the_model_that_ships() -> None:
    spec = zoo.get("default")
    assert spec.name == "tiny_sam.v2"
    assert spec is zoo.get("tiny_sam.v2")
    assert spec.weights.embedded is not None
    assert spec.weights.embedded.name == "tiny_sam_v2.safetensors"
    assert spec.side == TINY_SIDE


def test_names_are_those_of_this_version() -> None:
    assert zoo.names() == ("sam_vit_b.meta", "sam_vit_h.meta", "sam_vit_l.meta", "tiny_sam.v2")


@pytest.mark.parametrize(
    ("name", "n_keys", "n_parameters"),
    [
        ("sam_vit_b.meta", 314, 93_735_472),
        ("sam_vit_l.meta", 482, 312_342_832),
        ("sam_vit_h.meta", 594, 641_090_608),
    ],
)
def test_published_models_have_the_published_layout(name: str, n_keys: int, n_parameters: int) -> None:
    spec = zoo.get(name)
    with torch.device("meta"):
        model = spec.build()
    state = model.state_dict()
    assert len(state) == n_keys
    assert sum(parameter.numel() for parameter in model.parameters()) == n_parameters
    width, head = (
        state["image_encoder.pos_embed"].shape[-1],
        state["image_encoder.blocks.0.attn.rel_pos_h"].shape[1],
    )
    assert state["image_encoder.pos_embed"].shape == (1, 64, 64, width)
    assert state["image_encoder.blocks.0.attn.rel_pos_h"].shape == (27, head)
    n_global = sum(key.endswith("rel_pos_w") and value.shape[0] == 127 for key, value in state.items())
    assert n_global == 4
    assert state["image_encoder.neck.0.weight"].shape == (256, width, 1, 1)
    assert state["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"].shape == (2, 128)
    assert state["mask_decoder.transformer.layers.1.mlp.lin1.weight"].shape == (2048, 256)
    assert spec.weights.url is not None
    assert spec.weights.url.endswith(spec.weights.filename)


def test_normalisation_is_that_of_the_training() -> None:
    samples = pytest.importorskip("napari_sam.training.samples", reason="training is not in this install")
    assert (samples.PIXEL_MEAN, samples.PIXEL_STD) == (PIXEL_MEAN, PIXEL_STD)


def test_unknown_name_lists_the_known_and_guesses() -> None:
    with pytest.raises(UnknownModel) as caught:
        zoo.get("sam_vit_b.mete")
    message = str(caught.value)
    assert message.startswith("no model is named 'sam_vit_b.mete'; did you mean 'sam_vit_b.meta'?")
    for name in ("default", *zoo.names()):
        assert name in message


@pytest.mark.parametrize("name", ["tiny_sam.v2"])
def test_name_is_registered_once(name: str) -> None:
    before = zoo.get(name)
    with pytest.raises(SettingsError, match="registered already"):
        zoo.register(spec_of(name))
    assert zoo.get(name) is before


@pytest.mark.parametrize(
    "fields", [{"name": "NoTag"}, {"name": "a.b.c"}, {"side": 0}, {"prompts": frozenset({"scribble"})}]
)
def test_spec_is_checked(fields: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        spec_of(**fields)  # type: ignore[arg-type]


def test_digest_is_checked() -> None:
    with pytest.raises(SettingsError, match="64 hex digits"):
        Weights("a.pth", "MIT", "nobody", sha256="abc")


def test_preprocessing_version_names_what_changes_the_input() -> None:
    versions = {
        spec_of().preprocessing_version,
        spec_of(side=128).preprocessing_version,
        spec_of(mean=(0.0, 0.0, 0.0)).preprocessing_version,
        spec_of(std=(1.0, 1.0, 1.0)).preprocessing_version,
    }
    assert len(versions) == 4


def test_listing_models_loads_no_torch(repository: Path) -> None:
    code = "import sys; from napari_sam import zoo; zoo.get('default'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=repository, check=False).returncode == 0
