"""The package's networks in the small sizes of the golden tests, with the recipe's numbers."""

from __future__ import annotations

from torch import nn

from napari_sam.models.efficient_sam import EfficientPromptEncoder, EfficientSam
from napari_sam.models.efficient_sam_decoder import EfficientMaskDecoder, PlacedTransformer
from napari_sam.models.efficient_sam_encoder import PlainVit, PlainVitShape
from napari_sam.models.image_encoder import EncoderShape, ImageEncoder
from napari_sam.models.mask_decoder import MaskDecoder
from napari_sam.models.prompt_encoder import PromptEncoder
from napari_sam.models.sam import Sam
from napari_sam.models.tiny_vit import TinyVit, TinyVitShape
from napari_sam.models.two_way_transformer import TwoWayTransformer
from napari_sam.zoo.registry import get
from napari_sam.zoo.spec import ModelSpec
from tests.golden.recipe import SAM_GLOBAL, SAM_WINDOW, SIZES, TINY_WINDOWS, Sizes, fill
from tests.tiny_models import spec_of

PUBLISHED = {
    "segment_anything": "sam_vit_b.meta",
    "mobile_sam": "mobile_sam.vit_t",
    "efficient_sam_ti": "efficient_sam_ti.yformer",
    "efficient_sam_s": "efficient_sam_s.yformer",
}
"""A model of the zoo that is fed as the family's golden answers were made."""


def small_model(family: str) -> Sam:
    """Build a family's small model."""
    sizes = SIZES[family]
    model = _efficient_sam(sizes) if family.startswith("efficient") else _sam(sizes, family)
    fill(model.requires_grad_(False).state_dict())
    return model.eval()


def small_spec(family: str) -> ModelSpec:
    """Describe a family's small model: fed as the published ones, but on a smaller square."""
    like = get(PUBLISHED[family])
    return spec_of(
        f"{family}.small", lambda: small_model(family), side=SIZES[family].side, mean=like.mean, std=like.std,
        prompts=like.prompts, resize=like.resize, max_points=like.max_points, single_mask=like.single_mask,
    )  # fmt: skip


def _sam(sizes: Sizes, family: str) -> Sam:
    encoder: nn.Module
    if family == "mobile_sam":
        shape = TinyVitShape(sizes.widths, sizes.depths, sizes.heads, TINY_WINDOWS, sizes.side, sizes.dim)
        encoder = TinyVit(shape)
    else:
        encoder = ImageEncoder(
            EncoderShape(
                sizes.widths[0], sizes.depths[0], sizes.heads[0], SAM_GLOBAL,
                side=sizes.side, window=SAM_WINDOW, out_dim=sizes.dim,
            )
        )  # fmt: skip
    transformer = TwoWayTransformer(2, sizes.dim, sizes.decoder_heads, sizes.mlp_dim)
    decoder = MaskDecoder(sizes.dim, transformer, iou_hidden_dim=sizes.iou_hidden)
    return Sam(encoder, PromptEncoder(sizes.dim), decoder, sizes.side)


def _efficient_sam(sizes: Sizes) -> Sam:
    shape = PlainVitShape(
        sizes.widths[0], sizes.heads[0], sizes.depths[0], side=sizes.side, out_dim=sizes.dim
    )
    transformer = PlacedTransformer(2, sizes.dim, sizes.decoder_heads, sizes.mlp_dim)
    decoder = EfficientMaskDecoder(sizes.dim, transformer, iou_hidden_dim=sizes.iou_hidden)
    return EfficientSam(PlainVit(shape), EfficientPromptEncoder(sizes.dim), decoder, sizes.side)
