"""MobileSAM's image encoder: TinyViT, convolutions first and then attention in windows.

The network is that of Wu et al., "TinyViT: Fast Pretraining Distillation for Small Vision Transformers"
(2022), in the form of Zhang et al., "Faster Segment Anything" (2023): its last stage keeps the grid of the
third, a sixteenth of the input, and SAM's neck follows. Parameter names and shapes are those of the
published MobileSAM checkpoint, without the head that classified pictures.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.layers import LayerNorm2d

Four = tuple[int, int, int, int]

EXPANSION = 4
"""Hidden channels of the blocks over their width."""

GRID_STEP = 16
"""Pixels of the input along a side of a cell of the last grid."""


@dataclass(frozen=True)
class TinyVitShape:
    """The numbers in which TinyViT encoders differ.

    Attributes
    ----------
    widths
        Channels of the four stages.
    depths
        Blocks of the four stages; the first stage's are convolutions, the others attend.
    n_heads
        Heads of the attention in the four stages; the first number is not used.
    windows
        Sides of the attention windows in cells; the first number is not used.
    side
        Side of the square input in pixels; a multiple of 16.
    out_dim
        Channels of the image embedding.
    """

    widths: Four = (64, 128, 160, 320)
    depths: Four = (2, 2, 6, 2)
    n_heads: Four = (2, 4, 5, 10)
    windows: Four = (7, 7, 14, 7)
    side: int = 1024
    out_dim: int = 256


class BatchNormConv(nn.Sequential):
    """A convolution without bias, and batch normalisation of what it gives.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel, stride, groups : int
        As in `torch.nn.Conv2d`; the input is padded so that a stride of 1 keeps its size.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        conv = nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, groups=groups, bias=False)
        super().__init__(OrderedDict(c=conv, bn=nn.BatchNorm2d(n_out)))


class PatchStem(nn.Module):
    """Two convolutions that bring the picture to a quarter of its size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.seq = nn.Sequential(
            BatchNormConv(3, half, 3, stride=2), nn.GELU(), BatchNormConv(half, width, 3, stride=2)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Map ``pixels (B, 3, S, S)`` to ``(B, C, S/4, S/4)``."""
        out: Tensor = self.seq(pixels)
        return out


class BottleneckBlock(nn.Module):
    """Widen, convolve each channel by itself, narrow, and add (Sandler et al., "MobileNetV2", 2018)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = EXPANSION * width
        self.conv1 = BatchNormConv(width, hidden)
        self.conv2 = BatchNormConv(hidden, hidden, 3, groups=hidden)
        self.conv3 = BatchNormConv(hidden, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (B, C, h, w)`` to the same shape."""
        hidden = F.gelu(self.conv2(F.gelu(self.conv1(x))))
        return F.gelu(x + self.conv3(hidden))


class StageEnd(nn.Module):
    """Brings a stage's output to the width, and with a stride of 2 to the grid, of the next one."""

    def __init__(self, width: int, next_width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = BatchNormConv(width, next_width)
        self.conv2 = BatchNormConv(next_width, next_width, 3, stride=stride, groups=next_width)
        self.conv3 = BatchNormConv(next_width, next_width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (B, C, h, w)`` to ``(B, C', h / stride, w / stride)``."""
        out: Tensor = self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))
        return out


class WindowAttention(nn.Module):
    """Attention among the cells of a window, with a learned bias for each distance in rows and columns.

    Parameters
    ----------
    width, n_heads : int
        Channels of a cell, and heads they are split into.
    window : int
        Side of the window in cells.

    Notes
    -----
    ``attention_biases (n_heads, window * window)`` holds at ``dy * window + dx`` the bias of cells that lie
    ``dy`` rows and ``dx`` columns apart, whichever comes first.
    """

    def __init__(self, width: int, n_heads: int, window: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.window = window
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(n_heads, window * window))

    def forward(self, x: Tensor) -> Tensor:
        """Map windows ``x (N, window, window, C)`` to the same shape."""
        n_cells = self.window * self.window
        qkv = self.qkv(self.norm(x)).reshape(len(x), n_cells, self.n_heads, -1)
        q, k, v = qkv.transpose(1, 2).chunk(3, dim=-1)
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=self._biases()[None].to(q.dtype))
        out: Tensor = self.proj(attended.transpose(1, 2).reshape(x.shape))
        return out

    def _biases(self) -> Tensor:
        """Lay the biases out by query and key: ``(n_heads, window ** 2, window ** 2)``."""
        cell = torch.arange(self.window * self.window, device=self.attention_biases.device)
        row, column = cell // self.window, cell % self.window
        down, across = (row[:, None] - row).abs(), (column[:, None] - column).abs()
        return self.attention_biases[:, down * self.window + across]


class CellMLP(nn.Module):
    """Normalisation and a perceptron with one hidden layer (GELU), for each cell by itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, EXPANSION * width)
        self.fc2 = nn.Linear(EXPANSION * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (..., C)`` to the same shape."""
        out: Tensor = self.fc2(F.gelu(self.fc1(self.norm(x))))
        return out


class WindowBlock(nn.Module):
    """Attention in windows, a convolution of each channel by itself, and a perceptron.

    Cells that fill up the last windows are zeros before the normalisation, so that they take part in the
    attention with the normalisation's bias; the published numbers were trained so.

    Parameters
    ----------
    width, n_heads, window : int
        As in `WindowAttention`.
    """

    def __init__(self, width: int, n_heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = WindowAttention(width, n_heads, window)
        self.local_conv = BatchNormConv(width, width, 3, groups=width)
        self.mlp = CellMLP(width)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (B, C, h, w)`` to the same shape."""
        cells = x.permute(0, 2, 3, 1)
        cells = cells + self._attended(cells)
        cells = self.local_conv(cells.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        out: Tensor = cells + self.mlp(cells)
        return out.permute(0, 3, 1, 2)

    def _attended(self, cells: Tensor) -> Tensor:
        """Attend within the windows of ``cells (B, h, w, C)``, the last ones filled up with zeros."""
        batch, height, width, n_channels = cells.shape
        filled = F.pad(cells, (0, 0, 0, -width % self.window, 0, -height % self.window))
        n_down, n_across = filled.shape[1] // self.window, filled.shape[2] // self.window
        cut = filled.reshape(batch, n_down, self.window, n_across, self.window, n_channels).transpose(2, 3)
        attended: Tensor = self.attn(cut.reshape(-1, self.window, self.window, n_channels))
        together = attended.reshape(cut.shape).transpose(2, 3).reshape(filled.shape)
        return together[:, :height, :width]


class Stage(nn.Module):
    """Blocks of one width on one grid, and the way to the next stage (``downsample``), if there is one."""

    def __init__(self, blocks: list[nn.Module], downsample: StageEnd | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (B, C, h, w)`` to the input of the next stage."""
        for block in self.blocks:
            x = block(x)
        out: Tensor = x if self.downsample is None else self.downsample(x)
        return out


class TinyVit(nn.Module):
    """Encode a square picture as a grid of features, as MobileSAM does.

    Parameters
    ----------
    shape : TinyVitShape
        Widths and sizes; the published ones by default.
    """

    def __init__(self, shape: TinyVitShape | None = None) -> None:
        super().__init__()
        self.shape = shape = shape or TinyVitShape()
        if shape.side % GRID_STEP:
            raise ValueError(f"a side of {shape.side} pixels is no multiple of {GRID_STEP}; change it")
        self.patch_embed = PatchStem(shape.widths[0])
        self.layers = nn.ModuleList(_stage(shape, number) for number in range(4))
        self.neck = nn.Sequential(
            nn.Conv2d(shape.widths[3], shape.out_dim, kernel_size=1, bias=False),
            LayerNorm2d(shape.out_dim),
            nn.Conv2d(shape.out_dim, shape.out_dim, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(shape.out_dim),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode normalised ``pixels (B, 3, S, S)``.

        Returns
        -------
        Tensor
            Image embedding ``(B, C, S/16, S/16)``.

        Raises
        ------
        ValueError
            Pixels of another shape.
        """
        side = self.shape.side
        if pixels.ndim != 4 or tuple(pixels.shape[1:]) != (3, side, side):
            raise ValueError(f"pixels of shape {tuple(pixels.shape)} do not fit; give (B, 3, {side}, {side})")
        x = self.patch_embed(pixels)
        for stage in self.layers:
            x = stage(x)
        embedding: Tensor = self.neck(x)
        return embedding


def _stage(shape: TinyVitShape, number: int) -> Stage:
    width = shape.widths[number]
    blocks: list[nn.Module] = [
        WindowBlock(width, shape.n_heads[number], shape.windows[number]) if number else BottleneckBlock(width)
        for _ in range(shape.depths[number])
    ]
    if number == 3:
        return Stage(blocks, None)
    return Stage(blocks, StageEnd(width, shape.widths[number + 1], stride=1 if number == 2 else 2))
