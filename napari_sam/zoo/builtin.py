"""The models that the package knows by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from napari_sam.core.auto_plan import AutoMaskSettings
from napari_sam.zoo.ending_eye import load_ending_eye
from napari_sam.zoo.refiner import load_refiners
from napari_sam.zoo.registry import DEFAULT_MODEL, register
from napari_sam.zoo.spec import ModelSpec, Weights

if TYPE_CHECKING:
    from torch import Tensor

    from napari_sam.models.image_encoder import ImageEncoder
    from napari_sam.models.sam import Sam
    from napari_sam.models.tiny_vit import TinyVit

PIXEL_MEAN = (123.675, 116.28, 103.53)
PIXEL_STD = (58.395, 57.12, 57.375)
"""Normalisation of 0..255 RGB, that of the published Segment Anything models."""

SAM_SIDE = 1024
_DIM = 256
TINY_SIDE = 384
"""As in `models.tiny_encoder`, which loads torch and so is not imported here; a test compares the two."""

_EMBEDDED = Path(__file__).parent / "weights" / "tiny_sam_v6.safetensors"
_PUBLISHED = "https://dl.fbaipublicfiles.com/segment_anything/"
_META = "Meta AI, Segment Anything (Kirillov et al., 2023), trained on SA-1B"
_YFORMER = "Meta AI, EfficientSAM (Xiong et al., 2023), trained on SA-1B"

_CLASSIFIER = ("image_encoder.norm_head.", "image_encoder.head.")
_TABLES = (".attention_bias_idxs", ".ab")


def build_vit_sam(width: int, depth: int, n_heads: int, global_blocks: tuple[int, ...]) -> Sam:
    """Build a published SAM architecture from the numbers that differ; the rest is as published."""
    from napari_sam.models.image_encoder import EncoderShape, ImageEncoder

    return _with_sam_decoder(ImageEncoder(EncoderShape(width, depth, n_heads, global_blocks, side=SAM_SIDE)))


def build_mobile_sam() -> Sam:
    """Build MobileSAM: TinyViT with SAM's prompt encoder and mask decoder."""
    from napari_sam.models.tiny_vit import TinyVit

    return _with_sam_decoder(TinyVit())


def without_classifier(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Leave out of a MobileSAM checkpoint what encodes nothing.

    That is the head for classes of pictures, which the published file carries along, and the tables of
    places in a window, which some writers of checkpoints store and which follow from the window's size.
    """
    return {
        key: value
        for key, value in state.items()
        if not key.startswith(_CLASSIFIER)
        and not (key.startswith("image_encoder.layers.") and key.endswith(_TABLES))
    }


def _with_sam_decoder(encoder: ImageEncoder | TinyVit) -> Sam:
    from napari_sam.models.mask_decoder import MaskDecoder
    from napari_sam.models.prompt_encoder import PromptEncoder
    from napari_sam.models.sam import Sam
    from napari_sam.models.two_way_transformer import TwoWayTransformer

    transformer = TwoWayTransformer(depth=2, dim=_DIM, n_heads=8, mlp_dim=2048)
    decoder = MaskDecoder(_DIM, transformer, iou_hidden_dim=256, iou_depth=3)
    return Sam(encoder, PromptEncoder(_DIM), decoder, SAM_SIDE)


def _build_efficient(width: int, n_heads: int) -> Sam:
    from napari_sam.models.efficient_sam import build_efficient_sam

    return build_efficient_sam(width, n_heads)


def _build_tiny() -> Sam:
    from napari_sam.models.tiny_sam import build_tiny_sam

    return build_tiny_sam()


def _of_older_weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take weights of the encoders that the model had up to its fifth version as well."""
    import torch

    from napari_sam.models.tiny_encoder import with_missing_blocks, without_silent_levels

    lean = without_silent_levels(state)
    is_older = lean.keys() != state.keys()
    if not is_older or "image_encoder.level8.3.conv1.0.weight" in lean:
        return lean
    with torch.random.fork_rng(devices=[]):  # the caller's random numbers are not ours to draw
        torch.default_generator.manual_seed(0)  # what is added is the same at every start
        return with_missing_blocks(lean, _build_tiny().state_dict())


def _register_efficient(size: str, width: int, n_heads: int, weights: Weights, n_parameters: str) -> None:
    register(
        ModelSpec(
            name=f"efficient_sam_{size}.yformer",
            summary=f"EfficientSAM-{size.capitalize()}, {n_parameters} parameters; weights not included",
            build=partial(_build_efficient, width, n_heads),
            weights=weights,
            side=SAM_SIDE,
            mean=PIXEL_MEAN,
            std=PIXEL_STD,
            prompts=frozenset({"point", "box"}),
            resize="stretch",
            max_points=6,
            single_mask=False,
        )
    )


def _register_published(
    size: str, build: Callable[[], Sam], filename: str, sha256: str, n_bytes: int | None, n_parameters: str
) -> None:
    register(
        ModelSpec(
            name=f"sam_vit_{size}.meta",
            summary=f"Segment Anything, ViT-{size.upper()}, {n_parameters} parameters; weights not included",
            build=build,
            weights=Weights(filename, "Apache-2.0", _META, sha256, _PUBLISHED + filename, n_bytes),
            side=SAM_SIDE,
            mean=PIXEL_MEAN,
            std=PIXEL_STD,
        )
    )


register(
    ModelSpec(
        name=DEFAULT_MODEL,
        summary="the small model that ships with the package",
        build=_build_tiny,
        weights=Weights(_EMBEDDED.name, "Apache-2.0", "this project", embedded=_EMBEDDED),
        side=TINY_SIDE,
        mean=PIXEL_MEAN,
        std=PIXEL_STD,
        convert=_of_older_weights,
        lead=0.04,
        zoom=True,
        afar=True,
        refiner=load_refiners,
        ending_eye=load_ending_eye,
        tidy=0.03,
        auto_masks=AutoMaskSettings(
            points_per_side=14,
            pred_iou_threshold=0.5,
            stability_score_threshold=0.6,
            crop_n_layers=None,
            crop_n_points_downscale_factor=2,
            seeds=True,
        ),
    )
)
_register_published(
    "b",
    partial(build_vit_sam, 768, 12, 12, (2, 5, 8, 11)),
    "sam_vit_b_01ec64.pth",
    "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    375_042_383,
    "94 million",
)
_register_published(
    "l",
    partial(build_vit_sam, 1024, 24, 16, (5, 11, 17, 23)),
    "sam_vit_l_0b3195.pth",
    "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    None,
    "312 million",
)
_register_published(
    "h",
    partial(build_vit_sam, 1280, 32, 16, (7, 15, 23, 31)),
    "sam_vit_h_4b8939.pth",
    "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    2_564_550_879,
    "641 million",
)
register(
    ModelSpec(
        name="mobile_sam.vit_t",
        summary="MobileSAM, TinyViT encoder, 10 million parameters; weights not included",
        build=build_mobile_sam,
        weights=Weights(
            "mobile_sam.pt",
            "Apache-2.0",
            "Kyung Hee University, MobileSAM (Zhang et al., 2023), distilled from Segment Anything",
            "6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
            "https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
            40_728_226,
        ),
        side=SAM_SIDE,
        mean=PIXEL_MEAN,
        std=PIXEL_STD,
        convert=without_classifier,
    )
)
_register_efficient(
    "ti",
    192,
    3,
    Weights(
        "efficient_sam_vitt.pt",
        "Apache-2.0",
        _YFORMER,
        url="https://github.com/yformer/EfficientSAM/raw/main/weights/efficient_sam_vitt.pt",
    ),
    "10 million",
)
_register_efficient(
    "s",
    384,
    6,
    Weights(
        "efficient_sam_vits.pt",
        "Apache-2.0",
        f"{_YFORMER}; unzip weights/efficient_sam_vits.pt.zip of github.com/yformer/EfficientSAM",
    ),
    "26 million",
)
