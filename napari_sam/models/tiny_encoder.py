"""The small image encoder of the embedded default model.

Convolutions down to a sixteenth of the input, a short transformer at a
thirty-second for the view of the whole picture, and a pyramid back up
(Lin et al., "Feature Pyramid Networks", 2017) that hands the mask decoder two
finer levels for sharp edges, as SAM 2's decoder takes them (Ravi et al., 2024).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.grouping import GROUPING, N_CHANNELS
from napari_sam.models.layers import LayerNorm2d
from napari_sam.models.sam import FINE_FULL, FINE_HALF, IMAGE_EMBEDDING

_LEVELS = ("image_encoder.level4.", "image_encoder.level8.", "image_encoder.level16.")

_COARSE = "image_encoder.", ("level32.", "norm32.", "lateral32.", "lateral16.", "norm16.")
_SMOOTH = "image_encoder.smooth16.weight"

TINY_SIDE = 384
"""Side of the default model's square input, in pixels."""


class ConvNorm(nn.Sequential):
    """A convolution without bias, batch normalisation and, on request, ReLU."""

    def __init__(self, n_in: int, n_out: int, kernel: int = 3, stride: int = 1, relu: bool = True) -> None:
        super().__init__(
            nn.Conv2d(n_in, n_out, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(inplace=True) if relu else nn.Identity(),
        )


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with a shortcut (He et al., 2016)."""

    def __init__(self, n_channels: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(n_channels, n_channels)
        self.conv2 = ConvNorm(n_channels, n_channels, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (B, C, H, W)`` to the same shape."""
        return F.relu(x + self.conv2(self.conv1(x)))


class GlobalBlock(nn.Module):
    """Attention over the whole grid, with a depth-wise convolution that tells the tokens their place.

    Parameters
    ----------
    dim, n_heads : int
        Width and heads.
    mlp_ratio : int
        Hidden width of the perceptron over `dim`.
    """

    def __init__(self, dim: int, n_heads: int, mlp_ratio: int = 2) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.place = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        self.norm1 = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp_ratio * dim), nn.GELU(), nn.Linear(mlp_ratio * dim, dim))

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (B, C, H, W)`` to the same shape."""
        batch, dim, height, width = x.shape
        tokens = (x + self.place(x)).flatten(2).transpose(1, 2)
        qkv = self.qkv(self.norm1(tokens)).reshape(batch, -1, 3, self.n_heads, dim // self.n_heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, -1, dim)
        tokens = tokens + self.proj(attended)
        tokens = tokens + self.mlp(self.norm2(tokens))
        image: Tensor = tokens.transpose(1, 2).reshape(batch, dim, height, width)
        return image


class TinyEncoder(nn.Module):
    """Encode a square picture at three levels.

    Parameters
    ----------
    out_dim : int
        Channels ``C`` of the image embedding.
    widths : tuple of int
        Channels at a quarter, an eighth, a sixteenth and a thirty-second of the input.
    depths : tuple of int
        Blocks at these four levels; the last are `GlobalBlock`.
    """

    def __init__(
        self,
        out_dim: int = 128,
        widths: tuple[int, int, int, int] = (32, 64, 144, 256),
        depths: tuple[int, int, int, int] = (2, 3, 5, 4),
    ) -> None:
        super().__init__()
        w4, w8, w16, w32 = widths
        self.stem = ConvNorm(3, 24, stride=2)
        self.level4 = self._level(24, w4, depths[0])
        self.level8 = self._level(w4, w8, depths[1])
        self.level16 = self._level(w8, w16, depths[2])
        self.down32 = ConvNorm(w16, w32, stride=2)
        self.level32 = nn.Sequential(*[GlobalBlock(w32, w32 // 32) for _ in range(depths[3])])
        self.norm32 = LayerNorm2d(w32)
        self.lateral32 = nn.Conv2d(w32, out_dim, 1)
        self.lateral16 = nn.Conv2d(w16, out_dim, 1)
        self.norm16 = LayerNorm2d(out_dim)
        self.smooth16 = nn.Conv2d(out_dim, out_dim, 3, padding=1)
        self.lateral8 = nn.Conv2d(w8, out_dim // 4, 1)
        self.narrow8 = nn.Conv2d(out_dim, out_dim // 4, 1)
        self.smooth8 = nn.Conv2d(out_dim // 4, out_dim // 4, 3, padding=1)
        self.lateral4 = nn.Conv2d(w4, out_dim // 8, 1)
        self.narrow4 = nn.Conv2d(out_dim // 4, out_dim // 8, 1)
        self.smooth4 = nn.Conv2d(out_dim // 8, out_dim // 8, 3, padding=1)
        n_inner = 32
        self.group16 = nn.Conv2d(out_dim, n_inner, 1)
        self.group8 = nn.Conv2d(out_dim // 4, n_inner, 1)
        self.group4 = nn.Conv2d(w4, n_inner, 1)
        self.grouping = nn.Sequential(
            ConvNorm(n_inner, n_inner),
            nn.Conv2d(n_inner, n_inner, 1),
            nn.ReLU(),
            nn.Conv2d(n_inner, N_CHANNELS, 1),
        )

    @staticmethod
    def _level(n_in: int, n_out: int, depth: int) -> nn.Sequential:
        return nn.Sequential(ConvNorm(n_in, n_out, stride=2), *[ResidualBlock(n_out) for _ in range(depth)])

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        """Encode ``pixels (B, 3, S, S)``; ``S`` is a multiple of 32.

        Returns
        -------
        dict of Tensor
            ``image_embedding (B, C, S/16, S/16)``, ``fine_8 (B, C // 4, S/8, S/8)``,
            ``fine_4 (B, C // 8, S/4, S/4)``, ``grouping_4 (B, 17, S/4, S/4)``
            (see `napari_sam.models.grouping`).
        """
        x4 = self.level4(self.stem(pixels))
        x8 = self.level8(x4)
        x16 = self.level16(x8)
        x32 = self.level32(self.down32(x16))
        coarse = self.lateral16(x16) + _double(self.lateral32(self.norm32(x32)))
        embedding = self.smooth16(F.relu(self.norm16(coarse)))  # without the norm all may fall below 0
        fine8 = self.smooth8(F.relu(self.lateral8(x8) + _double(self.narrow8(embedding))))
        fine4 = self.smooth4(F.relu(self.lateral4(x4) + _double(self.narrow4(fine8))))
        context = _double(self.group8(fine8) + _double(self.group16(embedding)))
        grouping = self.grouping(F.relu(self.group4(x4) + context))
        return {IMAGE_EMBEDDING: embedding, FINE_HALF: fine8, FINE_FULL: fine4, GROUPING: grouping}


def _double(x: Tensor) -> Tensor:
    """Double the grid of ``x (B, C, H, W)`` bilinearly."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def with_missing_blocks(state: Mapping[str, Tensor], full: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Complete the weights of a network that lacks residual blocks or norms, so that it answers as before.

    The blocks that are added give nothing (the last normalisation's weight and bias are zero), until they
    are trained. In networks without `norm16` nothing comes through the ReLU of the coarse levels, whatever
    the picture: they begin anew, and silent.

    Parameters
    ----------
    state : mapping of str to Tensor
        Weights of the network, or of one with fewer blocks.
    full : mapping of str to Tensor
        All weights of the network: the added blocks' other numbers come from here.

    Returns
    -------
    dict of str to Tensor
    """
    complete = dict(state)
    for name, value in full.items():
        if name not in state and name.startswith(_LEVELS):
            silent = name.endswith((".conv2.1.weight", ".conv2.1.bias"))
            complete[name] = torch.zeros_like(value) if silent else value.clone()
    if _SMOOTH in state and "image_encoder.norm16.weight" not in state:
        encoder, parts = _COARSE
        fresh = {name: value for name, value in full.items() if name.startswith(encoder)}
        complete |= {
            name: value.clone() for name, value in fresh.items() if name[len(encoder) :].startswith(parts)
        }
        complete[_SMOOTH] = torch.zeros_like(state[_SMOOTH])
    return complete
