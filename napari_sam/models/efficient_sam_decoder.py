"""EfficientSAM's mask decoder: SAM's, with other perceptrons, another first block and another way up.

Parameter names and shapes are those of the published checkpoints (Xiong et al., "EfficientSAM", 2023).
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from napari_sam.models.mask_decoder import N_CANDIDATES, Decoded
from napari_sam.models.two_way_transformer import Attention

UPSCALED_DIMS = (64, 32)
"""Channels after each doubling of the grid."""


class ActivatedMLP(nn.Module):
    """Fully connected layers with GELU behind each but the last, which is called ``fc``.

    Parameters
    ----------
    in_dim, hidden_dim, out_dim : int
        Widths of the input, of every hidden layer and of the output.
    n_hidden : int
        Number of hidden layers, at least one.
    """

    def __init__(self, in_dim: int, hidden_dim: int, out_dim: int, n_hidden: int) -> None:
        super().__init__()
        widths = [in_dim, *[hidden_dim] * n_hidden]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(before, after), nn.GELU()) for before, after in pairwise(widths)
        )
        self.fc = nn.Linear(hidden_dim, out_dim)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (..., in_dim)`` to ``(..., out_dim)``."""
        for layer in self.layers:
            x = layer(x)
        out: Tensor = self.fc(x)
        return out


class PlacedBlock(nn.Module):
    """Self-attention of the tokens, tokens to image, perceptron, image to tokens.

    Unlike in SAM, the first block adds its self-attention to the tokens, and in the others the tokens keep
    their position encoding through it, values included.

    Parameters
    ----------
    dim, n_heads, mlp_dim : int
        Width, heads and hidden width of the perceptron.
    downsample_rate : int
        How much narrower the two cross attentions are than `dim`.
    first : bool
        Whether the tokens still are their own position encoding.
    """

    def __init__(self, dim: int, n_heads: int, mlp_dim: int, downsample_rate: int, first: bool) -> None:
        super().__init__()
        self.self_attn = Attention(dim, n_heads)
        self.norm1 = nn.LayerNorm(dim)
        self.cross_attn_token_to_image = Attention(dim, n_heads, downsample_rate)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = ActivatedMLP(dim, mlp_dim, dim, 1)
        self.norm3 = nn.LayerNorm(dim)
        self.cross_attn_image_to_token = Attention(dim, n_heads, downsample_rate)
        self.norm4 = nn.LayerNorm(dim)
        self.first = first

    def forward(
        self, tokens: Tensor, image: Tensor, token_pe: Tensor, image_pe: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Update ``tokens (B, N, C)`` and ``image (B, h*w, C)``, each with its position encoding."""
        placed = tokens if self.first else tokens + token_pe
        tokens = self.norm1(placed + self.self_attn(placed, placed, placed))
        image_placed = image + image_pe
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens + token_pe, image_placed, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.cross_attn_image_to_token(image_placed, tokens + token_pe, tokens))
        return tokens, image


class PlacedTransformer(nn.Module):
    """A stack of `PlacedBlock` and a last attention from the tokens to the image.

    Parameters
    ----------
    depth : int
        Number of blocks.
    dim, n_heads, mlp_dim : int
        Width, heads and hidden width of the perceptrons.
    downsample_rate : int
        How much narrower the cross attentions are than `dim`.
    """

    def __init__(self, depth: int, dim: int, n_heads: int, mlp_dim: int, downsample_rate: int = 2) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            PlacedBlock(dim, n_heads, mlp_dim, downsample_rate, first=i == 0) for i in range(depth)
        )
        self.final_attn_token_to_image = Attention(dim, n_heads, downsample_rate)
        self.norm_final_attn = nn.LayerNorm(dim)

    def forward(self, image: Tensor, image_pe: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Run the blocks.

        Parameters
        ----------
        image : Tensor
            ``(B or 1, C, h, w)`` image embedding.
        image_pe : Tensor
            ``(1, C, h, w)`` position encoding of the grid.
        tokens : Tensor
            ``(B, N, C)`` output tokens followed by the sparse prompts.

        Returns
        -------
        tuple of Tensor
            Tokens ``(B, N, C)`` and image ``(B, h*w, C)``.
        """
        flat, placed = (grid.flatten(2).transpose(1, 2) for grid in (image, image_pe))
        state = tokens
        for layer in self.layers:
            state, flat = layer(state, flat, tokens, placed)
        attended = self.final_attn_token_to_image(state + tokens, flat + placed, flat)
        return self.norm_final_attn(state + attended), flat


class EfficientMaskDecoder(nn.Module):
    """The light decoder that runs at every prompt.

    Parameters
    ----------
    dim : int
        Channels of the image embedding and of the tokens.
    transformer : PlacedTransformer
        Mixes tokens and image.
    iou_hidden_dim, n_iou_hidden : int
        Hidden width and number of hidden layers of the head that predicts each mask's IoU.
    """

    def __init__(
        self, dim: int, transformer: PlacedTransformer, iou_hidden_dim: int = 256, n_iou_hidden: int = 2
    ) -> None:
        super().__init__()
        n_masks = N_CANDIDATES + 1
        half, full = UPSCALED_DIMS
        self.transformer = transformer
        self.iou_token = nn.Embedding(1, dim)
        self.mask_tokens = nn.Embedding(n_masks, dim)
        self.final_output_upscaling_layers = nn.ModuleList(
            [
                # One group: the layer norm is over channels and the whole grid at once.
                nn.Sequential(nn.ConvTranspose2d(dim, half, 2, stride=2), nn.GroupNorm(1, half), nn.GELU()),
                nn.Sequential(nn.ConvTranspose2d(half, full, 2, stride=2), nn.Identity(), nn.GELU()),
            ]
        )
        per_mask = (ActivatedMLP(dim, dim, full, 2) for _ in range(n_masks))
        self.output_hypernetworks_mlps = nn.ModuleList(per_mask)
        self.iou_prediction_head = ActivatedMLP(dim, iou_hidden_dim, n_masks, n_iou_hidden)

    def forward(self, image_embedding: Tensor, image_pe: Tensor, sparse_prompts: Tensor) -> Decoded:
        """Decode all four masks of every prompt.

        Parameters
        ----------
        image_embedding : Tensor
            ``(N, C, h, w)``, or ``(1, C, h, w)`` shared by all prompts.
        image_pe : Tensor
            ``(1, C, h, w)`` position encoding of the grid.
        sparse_prompts : Tensor
            ``(N, K, C)``.

        Returns
        -------
        Decoded
            Without presence; only masks 1 to 3 are ever asked of the published models.
        """
        n_prompts = len(sparse_prompts)
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own.expand(n_prompts, -1, -1), sparse_prompts], dim=1)
        state, flat = self.transformer(image_embedding, image_pe, tokens)
        upscaled = flat.transpose(1, 2).reshape(n_prompts, *image_embedding.shape[1:])
        for layer in self.final_output_upscaling_layers:
            upscaled = layer(upscaled)
        per_mask = [mlp(state[:, 1 + i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)]
        logits = torch.einsum("nmc,nchw->nmhw", torch.stack(per_mask, dim=1), upscaled)
        return Decoded(logits, self.iou_prediction_head(state[:, 0]))
