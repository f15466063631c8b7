"""From an image embedding and prompts to mask logits and their predicted quality."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.layers import MLP, LayerNorm2d
from napari_sam.models.products import is_on_processor, needs_gradient, product
from napari_sam.models.two_way_transformer import TwoWayTransformer

N_CANDIDATES = 3
"""Masks that an ambiguous prompt gets; one more token serves prompts that leave no doubt."""

LARGE_IMAGE = 2**19
"""Numbers of an image embedding from which on a processor decodes one prompt at a time."""


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


class ImageSide(NamedTuple):
    """What the decoder attends to, for one image or for one a prompt; the same for all prompts on a plane.

    Attributes
    ----------
    image : Tensor
        ``(N or 1, h*w, C)`` image embedding with the dense prompts added.
    placed : Tensor
        The same with the position encoding of the grid added.
    image_pe : Tensor
        ``(1, h*w, C)`` the position encoding.
    grid_hw : tuple of int
        ``(h, w)``.
    """

    image: Tensor
    placed: Tensor
    image_pe: Tensor
    grid_hw: tuple[int, int]

    @classmethod
    def of(cls, image: Tensor, image_pe: Tensor) -> ImageSide:
        """Lay out ``image (N or 1, C, h, w)`` and ``image_pe (1, C, h, w)``, in the image's precision."""
        grids = image, image_pe.to(image.dtype)
        flat, pe = (grid.flatten(2).transpose(1, 2).contiguous() for grid in grids)
        return cls(flat, flat + pe, pe, (image.shape[2], image.shape[3]))

    def row(self, index: int) -> ImageSide:
        """Give the image side of one prompt."""
        if len(self.image) == 1:
            return self
        one = slice(index, index + 1)
        return self._replace(image=self.image[one], placed=self.placed[one])


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
        return self.decode(ImageSide.of(image_embedding + dense_prompts, image_pe), sparse_prompts, fine)

    def decode(
        self, side: ImageSide, sparse_prompts: Tensor, fine: tuple[Tensor, Tensor] | None = None
    ) -> Decoded:
        """Decode all four masks of every prompt, with the image side laid out before.

        On a processor prompts are decoded one after the other: what is made of a large image for one of them
        then stays in the cache.

        Parameters
        ----------
        side : ImageSide
            Of one image, or of one image a prompt.
        sparse_prompts : Tensor
            ``(N, K, C)``.
        fine : tuple of Tensor, optional
            As in `forward`.
        """
        n_prompts = len(sparse_prompts)
        on_processor = is_on_processor(side.image) and side.image.shape[1:].numel() >= LARGE_IMAGE
        is_trained = needs_gradient(side.image, sparse_prompts, self.mask_tokens.weight)
        if n_prompts < 2 or fine is not None or is_trained or not on_processor:
            return self._decode(side, sparse_prompts, fine)
        parts = [self._decode(side.row(i), sparse_prompts[i : i + 1], None) for i in range(n_prompts)]
        return Decoded(torch.cat([p.mask_logits for p in parts]), torch.cat([p.iou_scores for p in parts]))

    def _decode(self, side: ImageSide, sparse_prompts: Tensor, fine: tuple[Tensor, Tensor] | None) -> Decoded:
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own.expand(len(sparse_prompts), -1, -1), sparse_prompts], dim=1)
        state, flat = self.transformer.mix(tokens, side.image, side.placed, side.image_pe)
        mask_state = state[:, 1 : 2 + N_CANDIDATES]
        per_mask = [mlp(mask_state[:, i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)]
        weights = torch.stack(per_mask, dim=1)
        if fine is None:
            logits = self._cell_logits(flat, weights, side.grid_hw)
        else:
            upscaled = self._upscale(flat.transpose(1, 2).reshape(len(flat), -1, *side.grid_hw), fine)
            logits = torch.einsum("nmc,nchw->nmhw", weights, upscaled)
        return Decoded(logits, self.iou_prediction_head(state[:, 0]))

    def _cell_logits(self, flat: Tensor, weights: Tensor, grid_hw: tuple[int, int]) -> Tensor:
        """Upscale and weight as `_upscale` and a product with `weights` do, cell by cell.

        The transposed convolutions do not overlap: each is one product of the cells with its weight, and the
        4 x 4 pixels of a cell stay together until the logits are there.

        Parameters
        ----------
        flat : Tensor
            ``(N, h*w, C)``.
        weights : Tensor
            ``(N, M, C // 8)``.
        grid_hw : tuple of int
            ``(h, w)``.

        Returns
        -------
        Tensor
            ``(N, M, 4h, 4w)`` in the dtype of `weights`.
        """
        first, norm, second = (self.output_upscaling[i] for i in (0, 1, 3))
        pixels = _doubled(flat, cast("nn.ConvTranspose2d", first)).reshape(len(flat), -1, flat.shape[2] // 4)
        half = F.gelu(cast("LayerNorm2d", norm).last(pixels))
        full = _doubled(half, cast("nn.ConvTranspose2d", second), gelu=True)
        full = full.reshape(len(flat), -1, flat.shape[2] // 8)
        per_pixel = torch.matmul(weights.to(full.dtype), full.transpose(1, 2)).to(weights.dtype)
        height, width = grid_hw
        cells = per_pixel.reshape(len(flat), -1, height, width, 2, 2, 2, 2)
        return cells.permute(0, 1, 2, 4, 6, 3, 5, 7).reshape(len(flat), -1, 4 * height, 4 * width)

    def _upscale(self, image: Tensor, fine: tuple[Tensor, Tensor]) -> Tensor:
        """Quadruple the grid: ``(N, C, h, w)`` to ``(N, C // 8, 4h, 4w)``."""
        first, norm, first_act, second, second_act = self.output_upscaling
        half = first_act(norm(first(image) + fine[0]))
        full: Tensor = second_act(second(half) + fine[1])
        return full


def _doubled(x: Tensor, layer: nn.ConvTranspose2d, gelu: bool = False) -> Tensor:
    """Apply a transposed convolution of stride 2 to cells ``(..., C)``; gives ``(..., 4 * C')``."""
    weight = layer.weight.to(x.dtype).permute(2, 3, 1, 0).flatten(0, 2)
    bias = None if layer.bias is None else layer.bias.to(x.dtype).repeat(4)
    return product(x, weight, bias, gelu)
