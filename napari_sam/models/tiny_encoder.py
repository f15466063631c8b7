"""The small image encoder of the embedded default model.

Convolutions down to a quarter and an eighth of the input, and back up (Lin et al., "Feature Pyramid
Networks", 2017): two levels for sharp edges, as SAM 2's decoder takes them (Ravi et al., 2024), and a
grouping of cells.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.grouping import GROUPING, N_CHANNELS
from napari_sam.models.sam import FINE_FULL, FINE_HALF, IMAGE_EMBEDDING

TINY_SIDE = 384
"""Side of the default model's square input, in pixels."""

_ENCODER = "image_encoder."
_LEVELS = (f"{_ENCODER}level4.", f"{_ENCODER}level8.")
_SILENT = tuple(
    f"{_ENCODER}{part}."
    for part in (
        "level16", "down32", "level32", "norm32", "lateral32", "lateral16", "norm16", "smooth16",
        "narrow8", "group16",
    )
)  # fmt: skip
"""Parts of the encoder of older weights; nothing of the picture came through them."""


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


class TinyEncoder(nn.Module):
    """Encode a square picture at two levels.

    There is no level for the picture as a whole: the image embedding is the same learnt vector in all cells,
    and the decoder's cells differ by the prompts drawn on them. What lies far away is seen by looking
    at a smaller picture (`napari_sam.models.far_look`).

    Parameters
    ----------
    out_dim : int
        Channels ``C`` of the image embedding.
    widths : tuple of int
        Channels at a quarter and an eighth of the input.
    depths : tuple of int
        Blocks at these levels.
    """

    def __init__(
        self, out_dim: int = 128, widths: tuple[int, int] = (32, 64), depths: tuple[int, int] = (2, 3)
    ) -> None:
        super().__init__()
        w4, w8 = widths
        self.stem = ConvNorm(3, 24, stride=2)
        self.level4 = self._level(24, w4, depths[0])
        self.level8 = self._level(w4, w8, depths[1])
        self.everywhere = nn.Parameter(torch.empty(out_dim))
        nn.init.normal_(self.everywhere, std=0.02)
        self.lateral8 = nn.Conv2d(w8, out_dim // 4, 1)
        self.smooth8 = nn.Conv2d(out_dim // 4, out_dim // 4, 3, padding=1)
        self.lateral4 = nn.Conv2d(w4, out_dim // 8, 1)
        self.narrow4 = nn.Conv2d(out_dim // 4, out_dim // 8, 1)
        self.smooth4 = nn.Conv2d(out_dim // 8, out_dim // 8, 3, padding=1)
        n_inner = 32
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
        """Encode ``pixels (B, 3, S, S)``; ``S`` is a multiple of 16.

        Returns
        -------
        dict of Tensor
            ``image_embedding (B, C, S/16, S/16)``, ``fine_8 (B, C // 4, S/8, S/8)``,
            ``fine_4 (B, C // 8, S/4, S/4)``, ``grouping_4 (B, 17, S/4, S/4)``
            (see `napari_sam.models.grouping`).
        """
        x4 = self.level4(self.stem(pixels))
        x8 = self.level8(x4)
        fine8 = self.smooth8(F.relu(self.lateral8(x8)))
        fine4 = self.smooth4(F.relu(self.lateral4(x4) + _double(self.narrow4(fine8))))
        grouping = self.grouping(F.relu(self.group4(x4) + _double(self.group8(fine8))))
        cells = fine8.new_zeros(len(fine8), 1, fine8.shape[2] // 2, fine8.shape[3] // 2)
        embedding = cells + self.everywhere[:, None, None].to(cells.dtype)
        return {IMAGE_EMBEDDING: embedding, FINE_HALF: fine8, FINE_FULL: fine4, GROUPING: grouping}


def _double(x: Tensor) -> Tensor:
    """Double the grid of ``x (B, C, H, W)`` bilinearly."""
    return F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)


def with_missing_blocks(state: Mapping[str, Tensor], full: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Complete the weights of a network that lacks residual blocks, so that it answers as before.

    The blocks that are added give nothing (the last normalisation's weight and bias are zero), until they
    are trained.

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
    return complete


def without_silent_levels(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Take the levels at a sixteenth and a thirty-second off older weights, so that they answer as before.

    What came of these levels was the bias of ``smooth16`` in all cells of all pictures. It stays as the
    embedding, and what other levels made of it goes into their biases.

    Parameters
    ----------
    state : mapping of str to Tensor
        Weights; those without these levels, and those with levels that are heard, are given back as they are.

    Returns
    -------
    dict of str to Tensor
        Biases that changed as float32.
    """
    if f"{_ENCODER}smooth16.bias" not in state or _hears_coarse_levels(state):
        return dict(state)
    lean = {name: value for name, value in state.items() if not name.startswith(_SILENT)}
    embedding = state[f"{_ENCODER}smooth16.bias"].float()
    lean[f"{_ENCODER}everywhere"] = embedding
    for name, of_embedding in (("lateral8", "narrow8"), ("group8", "group16")):
        weight, bias = (state[f"{_ENCODER}{of_embedding}.{kind}"].float() for kind in ("weight", "bias"))
        own = state[f"{_ENCODER}{name}.bias"].float()
        lean[f"{_ENCODER}{name}.bias"] = own + weight[:, :, 0, 0] @ embedding + bias
    return lean


def _hears_coarse_levels(state: Mapping[str, Tensor]) -> bool:
    """Say whether something comes through: not before there was `norm16`, nor while what follows is zeros."""
    return f"{_ENCODER}norm16.weight" in state and bool(state[f"{_ENCODER}smooth16.weight"].any())
