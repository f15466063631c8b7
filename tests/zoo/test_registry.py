from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from napari_sam import zoo
from napari_sam.errors import SettingsError, UnknownModel
from napari_sam.models.efficient_sam import N_POINTS
from napari_sam.models.sam import Sam
from napari_sam.models.tiny_encoder import TINY_SIDE
from napari_sam.zoo.builtin import PIXEL_MEAN, PIXEL_STD
from napari_sam.zoo.spec import Weights
from tests.tiny_models import spec_of


def test_default_is_the_model_that_ships() -> None:
    spec = zoo.get("default")
    assert spec.name == "tiny_sam.v6"
    assert spec is zoo.get("tiny_sam.v6")
    assert spec.weights.embedded is not None
    assert spec.weights.embedded.name == "tiny_sam_v6.safetensors"
    assert spec.side == TINY_SIDE


def test_names_are_those_of_this_version() -> None:
    assert zoo.names() == (
        "efficient_sam_s.yformer",
        "efficient_sam_ti.yformer",
        "mobile_sam.micro_sam_em_organelles",
        "mobile_sam.micro_sam_lm",
        "mobile_sam.vit_t",
        "sam_vit_b.medsam",
        "sam_vit_b.meta",
        "sam_vit_b.micro_sam_em_organelles",
        "sam_vit_b.micro_sam_histopathology",
        "sam_vit_b.micro_sam_lm",
        "sam_vit_b.micro_sam_medical_imaging",
        "sam_vit_h.meta",
        "sam_vit_h.micro_sam_histopathology",
        "sam_vit_l.meta",
        "sam_vit_l.micro_sam_em_organelles",
        "sam_vit_l.micro_sam_histopathology",
        "sam_vit_l.micro_sam_lm",
        "tiny_sam.v6",
    )


def _empty(name: str) -> Sam:
    with torch.device("meta"):
        return zoo.get(name).build()


@pytest.mark.parametrize(
    ("name", "n_keys", "n_parameters"),
    [
        ("sam_vit_b.meta", 314, 93_735_472),
        ("sam_vit_l.meta", 482, 312_342_832),
        ("sam_vit_h.meta", 594, 641_090_608),
    ],
)
def test_published_models_have_the_published_layout(name: str, n_keys: int, n_parameters: int) -> None:
    spec, model = zoo.get(name), _empty(name)
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


@pytest.mark.parametrize(
    ("name", "n_keys", "n_parameters", "some"),
    [
        ("mobile_sam.vit_t", 435, 9_808_452, {
            "image_encoder.patch_embed.seq.2.bn.running_var": (64,),
            "image_encoder.layers.0.blocks.1.conv2.c.weight": (256, 1, 3, 3),
            "image_encoder.layers.0.downsample.conv2.bn.num_batches_tracked": (),
            "image_encoder.layers.1.blocks.1.attn.attention_biases": (4, 49),
            "image_encoder.layers.2.blocks.5.attn.attention_biases": (5, 196),
            "image_encoder.layers.2.downsample.conv3.c.weight": (320, 320, 1, 1),
            "image_encoder.layers.3.blocks.0.local_conv.c.weight": (320, 1, 3, 3),
            "image_encoder.layers.3.blocks.1.mlp.fc1.weight": (1280, 320),
            "image_encoder.neck.0.weight": (256, 320, 1, 1),
            "mask_decoder.iou_prediction_head.layers.2.weight": (4, 256),
        }),
        ("efficient_sam_ti.yformer", 278, 10_223_204, {"image_encoder.pos_embed": (1, 197, 192)}),
        ("efficient_sam_s.yformer", 278, 26_413_028, {
            "image_encoder.pos_embed": (1, 197, 384),
            "image_encoder.blocks.11.attn.qkv.weight": (1152, 384),
            "prompt_encoder.bbox_top_left_embeddings.weight": (1, 256),
            "mask_decoder.transformer.layers.1.mlp.layers.0.0.weight": (2048, 256),
            "mask_decoder.transformer.layers.1.mlp.fc.weight": (256, 2048),
            "mask_decoder.final_output_upscaling_layers.0.1.weight": (64,),
            "mask_decoder.final_output_upscaling_layers.1.0.weight": (64, 32, 2, 2),
            "mask_decoder.output_hypernetworks_mlps.3.layers.1.0.weight": (256, 256),
            "mask_decoder.iou_prediction_head.fc.weight": (4, 256),
        }),
    ],
)  # fmt: skip
def test_smaller_models_have_the_published_layout(
    name: str, n_keys: int, n_parameters: int, some: dict[str, tuple[int, ...]]
) -> None:
    model = _empty(name)
    state = model.state_dict()
    assert len(state) == n_keys
    assert sum(parameter.numel() for parameter in model.parameters()) == n_parameters
    assert {key: tuple(state[key].shape) for key in some} == some


def test_efficient_sam_declares_what_it_cannot_do() -> None:
    for name in ("efficient_sam_ti.yformer", "efficient_sam_s.yformer"):
        spec = zoo.get(name)
        assert spec.prompts == {"point", "box"}
        assert (spec.resize, spec.max_points, spec.single_mask) == ("stretch", N_POINTS, False)


def test_medsam_takes_boxes_and_each_pictures_own_range() -> None:
    spec = zoo.get("sam_vit_b.medsam")
    assert spec.prompts == {"box"}
    assert (spec.resize, spec.scaling) == ("stretch_cubic", "picture")
    assert (spec.mean, spec.std) == ((0, 0, 0), (255, 255, 255))


@pytest.mark.parametrize("name", [name for name in zoo.names() if "micro_sam" in name])
def test_fine_tunes_of_micro_sam_are_fed_as_what_they_came_from(name: str) -> None:
    spec = zoo.get(name)
    architecture, _, _ = name.partition(".")
    base = zoo.get("mobile_sam.vit_t" if architecture == "mobile_sam" else f"{architecture}.meta")
    for field in ("side", "mean", "std", "prompts", "resize", "scaling", "convert", "single_mask"):
        assert getattr(spec, field) == getattr(base, field)
    assert _empty(name).state_dict().keys() == _empty(base.name).state_dict().keys()
    assert spec.weights.xxh128 is not None
    assert spec.weights.url is not None


def test_no_two_models_share_a_file() -> None:
    filenames = [zoo.get(name).weights.filename for name in zoo.names()]
    assert len(set(filenames)) == len(filenames)


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


@pytest.mark.parametrize("name", ["tiny_sam.v6"])
def test_name_is_registered_once(name: str) -> None:
    before = zoo.get(name)
    with pytest.raises(SettingsError, match="registered already"):
        zoo.register(spec_of(name))
    assert zoo.get(name) is before


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "NoTag"}, {"name": "a.b.c"}, {"side": 0}, {"prompts": frozenset({"scribble"})},
        {"max_points": 2}, {"zoom": True, "resize": "stretch"},
    ],
)  # fmt: skip
def test_spec_is_checked(fields: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        spec_of(**fields)  # type: ignore[arg-type]


def test_xxh128_is_checked() -> None:
    with pytest.raises(SettingsError, match="32 hex digits"):
        Weights("a.pth", "MIT", "nobody", xxh128="0" * 64)
    assert Weights("a.pth", "MIT", "nobody").digest is None
    assert Weights("a.pth", "MIT", "nobody", xxh128="0" * 32).digest == ("xxh128", "0" * 32)
    assert Weights("a.pth", "MIT", "nobody", "1" * 64, xxh128="0" * 32).digest == ("sha256", "1" * 64)


@pytest.mark.parametrize(
    "name", ["", "../a.pth", "/etc/a.pth", "b/a.pth", "..", ".a", "b\\\\a.pth", "c:a.pth"]
)
def test_a_file_of_weights_cannot_lie_elsewhere(name: str) -> None:
    with pytest.raises(SettingsError, match="plain file name"):
        Weights(name, "MIT", "nobody")


def test_digest_is_checked() -> None:
    with pytest.raises(SettingsError, match="64 hex digits"):
        Weights("a.pth", "MIT", "nobody", sha256="abc")
    with pytest.raises(SettingsError, match="32 hex digits"):
        Weights("a.pth", "MIT", "nobody", xxh128="abc")


def test_preprocessing_version_names_what_changes_the_input() -> None:
    versions = {
        spec_of().preprocessing_version,
        spec_of(side=128).preprocessing_version,
        spec_of(mean=(0.0, 0.0, 0.0)).preprocessing_version,
        spec_of(std=(1.0, 1.0, 1.0)).preprocessing_version,
        spec_of(resize="stretch").preprocessing_version,
        spec_of(resize="stretch_cubic").preprocessing_version,
        spec_of(scaling="picture").preprocessing_version,
    }
    assert len(versions) == 7


def test_listing_models_loads_no_torch(repository: Path) -> None:
    code = "import sys; from napari_sam import zoo; zoo.get('default'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=repository, check=False).returncode == 0
