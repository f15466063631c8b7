"""SAM's image encoder: a vision transformer that attends in windows and, in some blocks, over the whole grid.

Plain ViT backbone for dense tasks after Li et al., "Exploring Plain Vision Transformer Backbones for Object
Detection" (2022), with decomposed relative positions after Li et al., "MViTv2" (2022). Parameter names and
shapes are those of the published Segment Anything checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.grid_attention import GridAttention
from napari_sam.models.layers import LayerNorm2d
from napari_sam.models.products import is_on_processor, linear

ROWS_AT_ONCE = 512
"""Tokens that pass the perceptron together on a processor: their hidden layer should stay in the cache."""


@dataclass(frozen=True)
class EncoderShape:
    """The numbers in which the image encoders differ.

    Attributes
    ----------
    width
        Channels of a token; a multiple of `n_heads`.
    depth
        Number of blocks.
    n_heads
        Heads of each attention.
    global_blocks
        Indices of the blocks that attend over the whole grid.
    side
        Side of the square input in pixels; a multiple of `patch`.
    patch
        Side of a token's patch in pixels.
    window
        Side of an attention window in tokens.
    out_dim
        Channels of the image embedding.
    """

    width: int
    depth: int
    n_heads: int
    global_blocks: tuple[int, ...]
    side: int = 1024
    patch: int = 16
    window: int = 14
    out_dim: int = 256
    mlp_ratio: float = 4.0

    @property
    def grid(self) -> int:
        """Side of the grid of tokens."""
        return self.side // self.patch


class PatchEmbedding(nn.Module):
    """Each patch of the picture as one token."""

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=patch, stride=patch)

    def forward(self, pixels: Tensor) -> Tensor:
        """Map ``pixels (B, 3, S, S)`` to tokens ``(B, S/patch, S/patch, C)``."""
        tokens: Tensor = self.proj(pixels)
        return tokens.permute(0, 2, 3, 1)


class BlockMLP(nn.Module):
    """The perceptron of a block (GELU)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (..., C)`` to the same shape, in the precision of the weights."""
        rows = x.reshape(-1, x.shape[-1])
        parts = torch.split(rows, ROWS_AT_ONCE if is_on_processor(x) else len(rows))
        return torch.cat([linear(linear(part, self.lin1, gelu=True), self.lin2) for part in parts]).view_as(x)


class Block(nn.Module):
    """Attention and perceptron, each on normalised input and added to it.

    Parameters
    ----------
    shape : EncoderShape
        Widths and sizes.
    window : int
        Side of the attention windows in tokens; 0 attends over the whole grid.
    """

    def __init__(self, shape: EncoderShape, window: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(shape.width, eps=1e-6)
        self.attn = GridAttention(shape.width, shape.n_heads, window or shape.grid)
        self.norm2 = nn.LayerNorm(shape.width, eps=1e-6)
        self.mlp = BlockMLP(shape.width, int(shape.width * shape.mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (B, h, w, C)`` to the same shape."""
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class ImageEncoder(nn.Module):
    """Encode a square picture as a grid of features.

    Parameters
    ----------
    shape : EncoderShape
        The numbers in which the published encoders differ.
    """

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        if shape.side % shape.patch or shape.width % shape.n_heads:
            raise ValueError(
                f"{shape} does not divide: side must be a multiple of patch, and width of n_heads; change one"
            )
        self.shape = shape
        self.patch_embed = PatchEmbedding(shape.patch, shape.width)
        self.pos_embed = nn.Parameter(torch.zeros(1, shape.grid, shape.grid, shape.width))
        self.blocks = nn.ModuleList(
            Block(shape, 0 if index in shape.global_blocks else shape.window) for index in range(shape.depth)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(shape.width, shape.out_dim, kernel_size=1, bias=False),
            LayerNorm2d(shape.out_dim),
            nn.Conv2d(shape.out_dim, shape.out_dim, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(shape.out_dim),
        )

    def use_precision(self, dtype: torch.dtype) -> None:
        """Keep the weights of the blocks' products in a precision, and compute them in it.

        What is added up over the blocks, norms and the logits of whole-grid attention stay float32.
        """
        for block in self.blocks:
            for layer in block.modules():
                if isinstance(layer, nn.Linear):
                    layer.to(dtype)

    @torch.no_grad()
    def change_side(self, side: int) -> None:
        """Take pictures of another side from now on: an approximation of the encoder as it was trained.

        The position embedding is interpolated (bicubic), and so are, linearly, the tables of relative
        positions of blocks that attend over the whole grid; windows keep their size in tokens.

        Parameters
        ----------
        side : int
            Side of the input in pixels, a multiple of the patch.
        """
        self.shape = replace(self.shape, side=side)
        grid = self.shape.grid
        placed = F.interpolate(self.pos_embed.permute(0, 3, 1, 2), (grid, grid), mode="bicubic")
        self.pos_embed = nn.Parameter(placed.permute(0, 2, 3, 1).contiguous(), self.pos_embed.requires_grad)
        for index in self.shape.global_blocks:
            cast("Block", self.blocks[index]).attn.change_grid(grid)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode normalised ``pixels (B, 3, S, S)``.

        Returns
        -------
        Tensor
            Image embedding ``(B, C, S/patch, S/patch)``.

        Raises
        ------
        ValueError
            Pixels of another shape.
        """
        side = self.shape.side
        if pixels.ndim != 4 or tuple(pixels.shape[1:]) != (3, side, side):
            raise ValueError(f"pixels of shape {tuple(pixels.shape)} do not fit; give (B, 3, {side}, {side})")
        x = self.patch_embed(pixels) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        embedding: Tensor = self.neck(x.permute(0, 3, 1, 2))
        return embedding
