"""Networks small enough to build in a test, with random numbers."""

from __future__ import annotations

import torch

from napari_sam.models.efficient_sam import EfficientPromptEncoder, EfficientSam
from napari_sam.models.efficient_sam_decoder import EfficientMaskDecoder, PlacedTransformer
from napari_sam.models.efficient_sam_encoder import PlainVit, PlainVitShape
from napari_sam.models.image_encoder import EncoderShape, ImageEncoder
from napari_sam.models.mask_decoder import MaskDecoder
from napari_sam.models.prompt_encoder import PromptEncoder
from napari_sam.models.sam import Sam
from napari_sam.models.tiny_encoder import TinyEncoder
from napari_sam.models.tiny_vit import TinyVit, TinyVitShape
from napari_sam.models.two_way_transformer import TwoWayTransformer
from napari_sam.zoo import registry
from napari_sam.zoo.spec import ModelSpec, Weights

SIDE, DIM = 64, 32
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def build_conv_sam() -> Sam:
    """As the embedded default: a convolutional encoder with two finer levels."""
    return _with_encoder(TinyEncoder(DIM, widths=(8, 8), depths=(1, 1)))


def build_vit_sam() -> Sam:
    """As the published models: windows, one block over the whole grid."""
    shape = EncoderShape(DIM, 2, 2, (1,), side=SIDE, window=3, out_dim=DIM)
    return _with_encoder(ImageEncoder(shape))


def build_mobile_sam() -> Sam:
    """As MobileSAM: convolutions first, then windows, some of them filled up."""
    shape = TinyVitShape((8, 8, 16, DIM), (1, 1, 2, 1), (1, 1, 2, 2), (3, 3, 3, 3), SIDE, DIM)
    return _with_encoder(TinyVit(shape))


def build_efficient_sam() -> Sam:
    """As EfficientSAM: a plain transformer, no mask prompts."""
    encoder = PlainVit(PlainVitShape(DIM, 2, 2, side=SIDE, out_dim=DIM))
    decoder = EfficientMaskDecoder(DIM, PlacedTransformer(1, DIM, 2, DIM), iou_hidden_dim=DIM)
    return EfficientSam(encoder, EfficientPromptEncoder(DIM), decoder, SIDE)


EFFICIENT = {
    "prompts": frozenset({"point", "box"}), "resize": "stretch", "max_points": 6, "single_mask": False,
}  # fmt: skip
"""What a description of an EfficientSAM says besides."""


def _with_encoder(encoder: torch.nn.Module) -> Sam:
    transformer = TwoWayTransformer(depth=1, dim=DIM, n_heads=2, mlp_dim=DIM)
    return Sam(encoder, PromptEncoder(DIM, 8), MaskDecoder(DIM, transformer, iou_hidden_dim=DIM), SIDE)


def random_sam(seed: int = 0, build: object = build_conv_sam) -> Sam:
    """Build with numbers that are the same in every run."""
    assert callable(build)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: Sam = build()
    return model.eval().requires_grad_(False)


def spec_of(name: str = "test_sam.random", build: object = build_conv_sam, **fields: object) -> ModelSpec:
    """Describe a tiny model; `fields` replace those of the spec."""
    weights = Weights("test_sam.safetensors", "Apache-2.0", "this test")
    known = {
        "name": name, "summary": "random numbers", "build": build, "weights": weights,
        "side": SIDE, "mean": MEAN, "std": STD,
    }  # fmt: skip
    return ModelSpec(**{**known, **fields})  # type: ignore[arg-type]


def registry_of(*specs: ModelSpec) -> registry.Registry:
    """Make a registry of these models; put in the place of `registry._registry`, every command knows them."""
    known = registry.Registry(lambda register: None)
    for spec in specs:
        known.register(spec)
    return known


def with_silent_levels(lean: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give the default model's weights in the form of versions 1 to 5: `smooth16`'s bias is the embedding."""
    older = {name: value.clone() for name, value in lean.items() if not name.endswith("everywhere")}
    sizes = {
        "level16.0.0.weight": (144, 64, 3, 3), "smooth16.weight": (128, 128, 3, 3), "smooth16.bias": (128,),
        "narrow8.weight": (32, 128, 1, 1), "narrow8.bias": (32,),
        "group16.weight": (32, 128, 1, 1), "group16.bias": (32,),
    }  # fmt: skip
    return older | {f"image_encoder.{name}": torch.randn(size) for name, size in sizes.items()}
