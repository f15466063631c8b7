"""SAM's image encoder: a vision transformer that attends in windows and, in some blocks, over the whole grid.

Plain ViT backbone for dense tasks after Li et al., "Exploring Plain Vision Transformer Backbones for Object
Detection" (2022), with decomposed relative positions after Li et al., "MViTv2" (2022). Parameter names and
shapes are those of the published Segment Anything checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.layers import LayerNorm2d

MAX_LOGITS_AT_ONCE = 2**24
"""Attention runs over some heads at a time: its table of logits stays below this many numbers (64 MB)."""


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


class GridAttention(nn.Module):
    """Self-attention over a square grid of tokens, with a learned bias for each row and column distance.

    Parameters
    ----------
    width, n_heads : int
        Channels of a token, and heads they are split into.
    grid : int
        Side of the grid; the tables of relative positions hold ``2 * grid - 1`` rows.
    """

    def __init__(self, width: int, n_heads: int, grid: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.grid = grid
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * grid - 1, width // n_heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * grid - 1, width // n_heads))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (B, g, g, C)`` to the same shape."""
        batch, side = x.shape[:2]
        qkv = self.qkv(x).reshape(batch, side * side, 3, self.n_heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).flatten(1, 2)
        rows, columns = self._distance_tables()
        n_at_once = max(1, MAX_LOGITS_AT_ONCE // (side * side) ** 2)
        parts = zip(q.split(n_at_once), k.split(n_at_once), v.split(n_at_once), strict=True)
        attended = torch.cat([_attend(*part, rows, columns) for part in parts])
        merged = attended.reshape(batch, self.n_heads, side, side, -1).permute(0, 2, 3, 1, 4).flatten(3)
        out: Tensor = self.proj(merged)
        return out

    def _distance_tables(self) -> tuple[Tensor, Tensor]:
        """Lay the learned vectors out by query and key: two ``(g, g, d)``, for rows and for columns."""
        index = torch.arange(self.grid, device=self.rel_pos_h.device)
        distance = index[:, None] - index[None, :] + (self.grid - 1)
        return self.rel_pos_h[distance], self.rel_pos_w[distance]


def _attend(q: Tensor, k: Tensor, v: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Attend from ``q`` to ``k``, ``v``, each ``(n, g * g, d)``, with tables ``(g, g, d)`` of distances."""
    side = len(rows)
    q_grid = q.reshape(len(q), side, side, -1)
    by_row = torch.einsum("nyxd,ykd->nyxk", q_grid, rows)
    by_column = torch.einsum("nyxd,xkd->nyxk", q_grid, columns)
    bias = (by_row[..., :, None] + by_column[..., None, :]).reshape(len(q), side * side, side * side)
    return F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=bias[None])[0]


class BlockMLP(nn.Module):
    """The perceptron of a block (GELU)."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(width, hidden)
        self.lin2 = nn.Linear(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (..., C)`` to the same shape."""
        out: Tensor = self.lin2(F.gelu(self.lin1(x)))
        return out


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
        self.window = window
        self.norm1 = nn.LayerNorm(shape.width, eps=1e-6)
        self.attn = GridAttention(shape.width, shape.n_heads, window or shape.grid)
        self.norm2 = nn.LayerNorm(shape.width, eps=1e-6)
        self.mlp = BlockMLP(shape.width, int(shape.width * shape.mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (B, h, w, C)`` to the same shape."""
        normalised = self.norm1(x)
        if self.window:
            windows = to_windows(normalised, self.window)
            attended = from_windows(self.attn(windows), self.window, (x.shape[1], x.shape[2]))
        else:
            attended = self.attn(normalised)
        x = x + attended
        out: Tensor = x + self.mlp(self.norm2(x))
        return out


def to_windows(x: Tensor, window: int) -> Tensor:
    """Cut ``x (B, h, w, C)``, padded with zeros to whole windows, into ``(B * n, window, window, C)``."""
    batch, height, width, n_channels = x.shape
    x = F.pad(x, (0, 0, 0, -width % window, 0, -height % window))
    cut = x.reshape(batch, x.shape[1] // window, window, x.shape[2] // window, window, n_channels)
    return cut.transpose(2, 3).reshape(-1, window, window, n_channels)


def from_windows(windows: Tensor, window: int, grid_hw: tuple[int, int]) -> Tensor:
    """Put windows of `to_windows` together again, and cut the padding off; gives ``(B, h, w, C)``."""
    height, width = grid_hw
    n_down, n_across = -(-height // window), -(-width // window)
    cut = windows.reshape(-1, n_down, n_across, window, window, windows.shape[-1]).transpose(2, 3)
    return cut.reshape(-1, n_down * window, n_across * window, windows.shape[-1])[:, :height, :width]


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
