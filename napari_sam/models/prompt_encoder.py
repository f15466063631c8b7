"""Points, boxes and mask prompts as tokens and as a dense map."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from napari_sam.models.layers import LayerNorm2d

PAD, NEGATIVE, POSITIVE, BOX_FIRST, BOX_SECOND = -1, 0, 1, 2, 3
"""Labels of a point: padding, background, foreground, first and second corner of a box."""


@dataclass(frozen=True)
class Columns:
    """What the columns of prompts ``(N, K)`` hold: asking their labels makes a GPU wait.

    Attributes
    ----------
    has_box : bool
        Whether any prompt has a box.
    clicks : slice or Tensor
        Which columns hold clicks; a tensor ``(C,)`` of int64 numbers, or a slice.
    """

    has_box: bool
    clicks: slice | Tensor

    @classmethod
    def of(cls, point_labels: Tensor) -> Columns:
        """Look at labels ``(N, K)``."""
        is_click = (point_labels == POSITIVE) | (point_labels == NEGATIVE)
        return cls(bool((point_labels >= BOX_FIRST).any()), is_click.any(dim=0).nonzero()[:, 0])


def box_labels(like: Tensor, n: int) -> Tensor:
    """Give the labels ``(n, 2)`` int64 of the two corners of boxes, on the device of a tensor."""
    kinds = [like.new_full((n,), kind, dtype=torch.int64) for kind in (BOX_FIRST, BOX_SECOND)]
    return torch.stack(kinds, dim=1)


class RandomPositionEncoding(nn.Module):
    """Random Fourier features of a position (Tancik et al., 2020).

    Parameters
    ----------
    n_frequencies : int
        Number of random directions; the encoding has twice as many channels.
    """

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, n_frequencies: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, n_frequencies))

    def forward(self, unit_xy: Tensor) -> Tensor:
        """Encode positions ``(..., 2)``, x then y, each from 0 to 1; gives ``(..., 2 * n_frequencies)``."""
        matrix = self.positional_encoding_gaussian_matrix
        phase = 2 * math.pi * ((2 * unit_xy.to(matrix.dtype) - 1) @ matrix)
        return torch.cat([phase.sin(), phase.cos()], dim=-1)

    def grid(self, height: int, width: int) -> Tensor:
        """Encode the cell centres of a grid; gives ``(C, height, width)``."""
        matrix = self.positional_encoding_gaussian_matrix
        y = (torch.arange(height, device=matrix.device, dtype=matrix.dtype) + 0.5) / height
        x = (torch.arange(width, device=matrix.device, dtype=matrix.dtype) + 0.5) / width
        yy, xx = torch.meshgrid(y, x, indexing="ij")
        encoded: Tensor = self(torch.stack([xx, yy], dim=-1))
        return encoded.permute(2, 0, 1)


class PromptEncoder(nn.Module):
    """Turn prompts into what the mask decoder attends to.

    Parameters
    ----------
    embed_dim : int
        Channels of the tokens and of the image embedding.
    mask_channels : int
        Channels of the last hidden layer that a mask prompt passes.
    pads_always : bool
        Whether a mask alone gets a padding token as well. Not so in the published models.

    Notes
    -----
    Parameter names and shapes are those of the published checkpoints.
    """

    def __init__(self, embed_dim: int, mask_channels: int = 16, pads_always: bool = False) -> None:
        super().__init__()
        self.embed_dim = embed_dim
        self.pads_always = pads_always
        self.pe_layer = RandomPositionEncoding(embed_dim // 2)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, embed_dim) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, embed_dim)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, mask_channels // 4, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels // 4),
            nn.GELU(),
            nn.Conv2d(mask_channels // 4, mask_channels, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels),
            nn.GELU(),
            nn.Conv2d(mask_channels, embed_dim, kernel_size=1),
        )
        self.no_mask_embed = nn.Embedding(1, embed_dim)

    def sparse(
        self,
        points_xy: Tensor,
        point_labels: Tensor,
        input_hw: tuple[int, int],
        columns: Columns | None = None,
    ) -> Tensor:
        """Encode points and box corners.

        Parameters
        ----------
        points_xy : Tensor
            ``(N, K, 2)`` positions in pixels of the model's input, x then y; whole
            numbers are the upper left corners of pixels' index, half a pixel is added.
        point_labels : Tensor
            ``(N, K)`` of `PAD`, `NEGATIVE`, `POSITIVE`, `BOX_FIRST`, `BOX_SECOND`.
            Where there are points and no row has a box, one padding token is
            appended to each, as in training of the published models.
        input_hw : tuple of int
            Height and width of the model's input in pixels.
        columns : Columns, optional
            What the columns hold, where that is known.

        Returns
        -------
        Tensor
            ``(N, K or K + 1, C)``.
        """
        has_points = self.pads_always or point_labels.shape[1] > 0
        if has_points and not (columns or Columns.of(point_labels)).has_box:
            points_xy = torch.cat([points_xy, points_xy.new_zeros(len(points_xy), 1, 2)], dim=1)
            point_labels = torch.cat(
                [point_labels, point_labels.new_full((len(point_labels), 1), PAD)], dim=1
            )
        size_xy = torch.stack([points_xy.new_full((), n) for n in input_hw[::-1]])
        encoded: Tensor = self.pe_layer((points_xy + 0.5) / size_xy)
        is_pad = (point_labels == PAD).unsqueeze(-1)
        kinds = torch.cat([e.weight for e in (self.not_a_point_embed, *self.point_embeddings)])
        return torch.where(is_pad, 0.0, encoded) + kinds[point_labels + 1]

    def dense(self, mask_inputs: Tensor | None, n_prompts: int, grid_hw: tuple[int, int]) -> Tensor:
        """Encode mask prompts.

        Parameters
        ----------
        mask_inputs : Tensor or None
            ``(N, 1, 4h, 4w)`` logits, or None for no mask prompt.
        n_prompts : int
            ``N``.
        grid_hw : tuple of int
            ``(h, w)`` of the image embedding.

        Returns
        -------
        Tensor
            ``(N, C, h, w)``.
        """
        if mask_inputs is not None:
            dense: Tensor = self.mask_downscaling(mask_inputs)
            return dense
        return self.no_mask_embed.weight.reshape(1, -1, 1, 1).expand(n_prompts, -1, *grid_hw)

    def dense_pe(self, grid_hw: tuple[int, int]) -> Tensor:
        """Give the position encoding ``(1, C, h, w)`` of the image embedding's grid."""
        return self.pe_layer.grid(*grid_hw).unsqueeze(0)
