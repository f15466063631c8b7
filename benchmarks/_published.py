"""The published network beside ours, with the same numbers in both."""

from __future__ import annotations

import importlib
import sys
import types
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from napari_sam.models.sam import Sam
from napari_sam.zoo.builtin import build_vit_sam


class Size(NamedTuple):
    """The numbers of one published encoder."""

    width: int
    depth: int
    n_heads: int
    global_blocks: tuple[int, ...]


SIZES = {
    "b": Size(768, 12, 12, (2, 5, 8, 11)),
    "l": Size(1024, 24, 16, (5, 11, 17, 23)),
    "h": Size(1280, 32, 16, (7, 15, 23, 31)),
}


class MissingReference(RuntimeError):
    """`segment-anything` is neither installed nor where it was looked for."""


def reference_networks(folder: Path | None) -> Any:
    """Import the networks of `segment-anything` alone, which need torch and numpy and no torchvision.

    Parameters
    ----------
    folder : Path or None
        A copy of its repository; None takes the installed package.
    """
    name = "segment_anything"
    if folder is not None:
        if not (folder / name / "modeling").is_dir():
            raise MissingReference(f"there is no {name}/modeling in {folder}; pass a copy of its repository")
        package = types.ModuleType(name)
        package.__path__ = [str(folder / name)]
        sys.modules[name] = package
    try:
        return importlib.import_module(f"{name}.modeling")
    except ImportError as error:
        raise MissingReference(
            f"the reference cannot be imported ({error}); pip install segment-anything, or pass --reference"
        ) from error


def build_reference_encoder(networks: Any, size: Size) -> nn.Module:
    """Build the published image encoder."""
    encoder: nn.Module = networks.ImageEncoderViT(
        depth=size.depth,
        embed_dim=size.width,
        num_heads=size.n_heads,
        global_attn_indexes=size.global_blocks,
        img_size=1024,
        patch_size=16,
        window_size=14,
        out_chans=256,
        mlp_ratio=4,
        qkv_bias=True,
        use_rel_pos=True,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
    )
    return encoder.eval().requires_grad_(False)


def build_reference(networks: Any, size: Size) -> nn.Module:
    """Build the published model whole."""
    transformer = networks.TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8)
    model: nn.Module = networks.Sam(
        build_reference_encoder(networks, size),
        networks.PromptEncoder(256, (64, 64), (1024, 1024), 16),
        networks.MaskDecoder(
            transformer_dim=256,
            transformer=transformer,
            num_multimask_outputs=3,
            iou_head_depth=3,
            iou_head_hidden_dim=256,
        ),
    )
    return model.eval().requires_grad_(False)


def build_ours(size: Size) -> Sam:
    """Build our network of that size."""
    return build_vit_sam(*size).eval().requires_grad_(False)


def fill(model: nn.Module, seed: int = 0) -> None:
    """Give a model random numbers of the size that training starts with; what starts at 0 gets some too."""
    random = torch.Generator().manual_seed(seed)
    embeddings = {id(part.weight) for part in model.modules() if isinstance(part, nn.Embedding)}
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if tensor.ndim == 1 and name.endswith("weight"):
                tensor.uniform_(0.8, 1.2, generator=random)
            elif tensor.ndim == 1 or "rel_pos" in name or "pos_embed" in name:
                tensor.normal_(0, 0.05, generator=random)
            elif id(tensor) in embeddings:
                tensor.normal_(0, 1, generator=random)
            else:
                tensor.normal_(0, 0.6 / max(tensor[0].numel(), 1) ** 0.5, generator=random)
