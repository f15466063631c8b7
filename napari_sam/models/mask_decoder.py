"""From an image embedding and prompts to mask logits and their predicted quality."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from napari_sam.models.layers import MLP, LayerNorm2d
from napari_sam.models.two_way_transformer import TwoWayTransformer

N_CANDIDATES = 3
"""Masks that an ambiguous prompt gets; one more token serves prompts that leave no doubt."""


class Decoded(NamedTuple):
    """What a decoder gives for ``N`` prompts.

    Attributes
    ----------
    mask_logits : Tensor
        ``(N, 4, 4h, 4w)``; index 0 is the single mask, 1 to 3 the candidates.
    iou_scores : Tensor
        ``(N, 4)`` predicted IoU.
    presence : Tensor or None
        ``(N,)`` logits of whether the object is in this plane at all; None from models that do not say.
    """

    mask_logits: Tensor
    iou_scores: Tensor
    presence: Tensor | None = None


class MaskDecoder(nn.Module):
    """The light decoder that runs at every prompt.

    Parameters
    ----------
    dim : int
        Channels of the image embedding and of the tokens.
    transformer : TwoWayTransformer
        Mixes tokens and image.
    iou_hidden_dim, iou_depth : int
        Hidden width and number of layers of the head that predicts each mask's IoU.

    Notes
    -----
    Parameter names and shapes are those of the published checkpoints.
    Token 0 is the single-mask token, tokens 1 to 3 the three candidates.
    """

    def __init__(
        self, dim: int, transformer: TwoWayTransformer, iou_hidden_dim: int = 256, iou_depth: int = 3
    ) -> None:
        super().__init__()
        n_masks = N_CANDIDATES + 1
        self.transformer = transformer
        self.iou_token = nn.Embedding(1, dim)
        self.mask_tokens = nn.Embedding(n_masks, dim)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(dim, dim // 4, kernel_size=2, stride=2),
            LayerNorm2d(dim // 4),
            nn.GELU(),
            nn.ConvTranspose2d(dim // 4, dim // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(MLP(dim, dim, dim // 8, 3) for _ in range(n_masks))
        self.iou_prediction_head = MLP(dim, iou_hidden_dim, n_masks, iou_depth)

    def forward(
        self,
        image_embedding: Tensor,
        image_pe: Tensor,
        sparse_prompts: Tensor,
        dense_prompts: Tensor,
        fine: tuple[Tensor, Tensor] | None = None,
    ) -> Decoded:
        """Decode all four masks of every prompt.

        Parameters
        ----------
        image_embedding : Tensor
            ``(N, C, h, w)``, or ``(1, C, h, w)`` shared by all prompts.
        image_pe : Tensor
            ``(1, C, h, w)`` position encoding of the grid.
        sparse_prompts : Tensor
            ``(N, K, C)``.
        dense_prompts : Tensor
            ``(N, C, h, w)``.
        fine : tuple of Tensor, optional
            Finer feature levels ``(N or 1, C // 4, 2h, 2w)`` and ``(N or 1, C // 8, 4h, 4w)``
            that are added while upscaling; an encoder without them gives None.

        Returns
        -------
        Decoded
            Without presence, as the published checkpoints.
        """
        n_prompts = len(sparse_prompts)
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own.expand(n_prompts, -1, -1), sparse_prompts], dim=1)
        source = image_embedding + dense_prompts
        state, flat = self.transformer(source, image_pe, tokens)
        upscaled = self._upscale(flat.transpose(1, 2).reshape(source.shape), fine)
        mask_state = state[:, 1 : 2 + N_CANDIDATES]
        per_mask = [mlp(mask_state[:, i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)]
        weights = torch.stack(per_mask, dim=1)
        logits = torch.einsum("nmc,nchw->nmhw", weights, upscaled)
        return Decoded(logits, self.iou_prediction_head(state[:, 0]))

    def _upscale(self, image: Tensor, fine: tuple[Tensor, Tensor] | None) -> Tensor:
        """Quadruple the grid: ``(N, C, h, w)`` to ``(N, C // 8, 4h, 4w)``."""
        first, norm, first_act, second, second_act = self.output_upscaling
        if fine is None:
            upscaled: Tensor = self.output_upscaling(image)
            return upscaled
        half = first_act(norm(first(image) + fine[0]))
        full: Tensor = second_act(second(half) + fine[1])
        return full
