"""EfficientSAM's image encoder: a plain vision transformer that attends over the whole grid in each block.

Xiong et al., "EfficientSAM: Leveraged Masked Image Pretraining for Efficient Segment Anything" (2023).
Parameter names and shapes are those of the published checkpoints.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.image_encoder import PatchEmbedding
from napari_sam.models.layers import LayerNorm2d

PRETRAINED_SIDE = 224
"""Side in pixels of the pictures that the position embedding was first trained on."""


@dataclass(frozen=True)
class PlainVitShape:
    """The numbers in which EfficientSAM's encoders differ.

    Attributes
    ----------
    width, n_heads
        Channels of a token, and heads of each attention; Ti has 192 and 3, S has 384 and 6.
    depth
        Number of blocks.
    side
        Side of the square input in pixels; a multiple of `patch`.
    patch
        Side of a token's patch in pixels.
    out_dim
        Channels of the image embedding.
    """

    width: int
    n_heads: int
    depth: int = 12
    side: int = 1024
    patch: int = 16
    out_dim: int = 256


class FullAttention(nn.Module):
    """Self-attention among all tokens."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (B, N, C)`` to the same shape."""
        batch, n_tokens, width = x.shape
        qkv = self.qkv(x).reshape(batch, n_tokens, 3, self.n_heads, width // self.n_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.proj(attended.transpose(1, 2).reshape(x.shape))
        return out


class TokenPerceptron(nn.Module):
    """The perceptron of a block: four times as wide inside (GELU)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (..., C)`` to the same shape."""
        out: Tensor = self.fc2(F.gelu(self.fc1(x)))
        return out


class PlainBlock(nn.Module):
    """Attention and perceptron, each on normalised input and added to it."""

    def __init__(self, width: int, n_heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = FullAttention(width, n_heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = TokenPerceptron(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (B, N, C)`` to the same shape."""
        x = x + self.attn(self.norm1(x))
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


class PlainVit(nn.Module):
    """Encode a square picture as a grid of features, as EfficientSAM does.

    Parameters
    ----------
    shape : PlainVitShape
        Widths and sizes.

    Notes
    -----
    ``pos_embed (1, 1 + n * n, C)`` is that of the first training, on a grid of ``n = 224 / patch`` with a
    token for the class in front; the latter is left out, the rest is resized to the grid at hand.
    """

    def __init__(self, shape: PlainVitShape) -> None:
        super().__init__()
        if shape.side % shape.patch or shape.width % shape.n_heads:
            raise ValueError(
                f"{shape} does not divide: side must be a multiple of patch, and width of n_heads; change one"
            )
        self.shape = shape
        self.patch_embed = PatchEmbedding(shape.patch, shape.width)
        n_places = 1 + (PRETRAINED_SIDE // shape.patch) ** 2
        self.pos_embed = nn.Parameter(torch.zeros(1, n_places, shape.width))
        self.blocks = nn.ModuleList(PlainBlock(shape.width, shape.n_heads) for _ in range(shape.depth))
        self.neck = nn.Sequential(
            nn.Conv2d(shape.width, shape.out_dim, kernel_size=1, bias=False),
            LayerNorm2d(shape.out_dim),
            nn.Conv2d(shape.out_dim, shape.out_dim, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(shape.out_dim),
        )

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
        grid = side // self.shape.patch
        tokens = (self.patch_embed(pixels) + self._places(grid)).flatten(1, 2)
        for block in self.blocks:
            tokens = block(tokens)
        embedding: Tensor = self.neck(tokens.transpose(1, 2).unflatten(2, (grid, grid)))
        return embedding

    def _places(self, grid: int) -> Tensor:
        """Give the position embedding of a grid, ``(1, grid, grid, C)``."""
        trained = self.pos_embed[:, 1:]
        side = math.isqrt(trained.shape[1])
        square = trained.reshape(1, side, side, -1)
        if side == grid:
            return square
        resized = F.interpolate(
            square.permute(0, 3, 1, 2), size=(grid, grid), mode="bicubic", align_corners=False
        )
        return resized.permute(0, 2, 3, 1)
