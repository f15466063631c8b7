"""EfficientSAM: encode an image once, decode a mask at every prompt of points and boxes.

Xiong et al., "EfficientSAM: Leveraged Masked Image Pretraining for Efficient Segment Anything" (2023).
Parameter names and shapes are those of the published checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from napari_sam.models.efficient_sam_decoder import EfficientMaskDecoder, PlacedTransformer
from napari_sam.models.efficient_sam_encoder import PlainVit, PlainVitShape
from napari_sam.models.mask_decoder import Decoded, MaskDecoder
from napari_sam.models.prompt_encoder import (
    BOX_FIRST,
    BOX_SECOND,
    PAD,
    POSITIVE,
    Columns,
    PromptEncoder,
    RandomPositionEncoding,
)
from napari_sam.models.sam import IMAGE_EMBEDDING, Sam

N_POINTS = 6
"""Points and box corners that a prompt has, filled up with padding; a box counts twice."""

_PAD_AT = -1.0
"""Where padding points lie, in pixels of the model's input: unlike SAM's they keep their position."""


class EfficientPromptEncoder(nn.Module):
    """Turn points and boxes into tokens.

    There is no embedding of a negative point: it is told by its position alone, as in the published code.

    Parameters
    ----------
    embed_dim : int
        Channels of the tokens and of the image embedding.
    """

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        self.pe_layer = RandomPositionEncoding(embed_dim // 2)
        self.invalid_points = nn.Embedding(1, embed_dim)
        self.point_embeddings = nn.Embedding(1, embed_dim)
        self.bbox_top_left_embeddings = nn.Embedding(1, embed_dim)
        self.bbox_bottom_right_embeddings = nn.Embedding(1, embed_dim)

    def sparse(self, points_xy: Tensor, point_labels: Tensor, input_hw: tuple[int, int]) -> Tensor:
        """Encode points and box corners.

        Parameters
        ----------
        points_xy : Tensor
            ``(N, K, 2)`` positions in pixels of the model's input, x then y.
        point_labels : Tensor
            ``(N, K)``; see `napari_sam.models.prompt_encoder`.
        input_hw : tuple of int
            Height and width of the model's input in pixels.

        Returns
        -------
        Tensor
            ``(N, max(K, 6), C)``.
        """
        n_missing = max(0, N_POINTS - points_xy.shape[1])
        filling = points_xy.new_full((len(points_xy), n_missing, 2), _PAD_AT)
        points_xy = torch.cat([points_xy, filling], dim=1)
        point_labels = torch.cat([point_labels, point_labels.new_full(filling.shape[:2], PAD)], dim=1)
        tokens: Tensor = self.pe_layer((points_xy + 0.5) / points_xy.new_tensor([input_hw[1], input_hw[0]]))
        for label, kind in (
            (PAD, self.invalid_points),
            (POSITIVE, self.point_embeddings),
            (BOX_FIRST, self.bbox_top_left_embeddings),
            (BOX_SECOND, self.bbox_bottom_right_embeddings),
        ):
            tokens = tokens + (point_labels == label)[..., None] * kind.weight
        return tokens

    def dense_pe(self, grid_hw: tuple[int, int]) -> Tensor:
        """Give the position encoding ``(1, C, h, w)`` of the image embedding's grid."""
        return self.pe_layer.grid(*grid_hw).unsqueeze(0)


class EfficientSam(Sam):
    """EfficientSAM's network under the published names.

    Parameters
    ----------
    image_encoder : nn.Module
        Maps ``(B, 3, S, S)`` to ``(B, C, h, w)``.
    prompt_encoder : EfficientPromptEncoder
        Encodes points and boxes.
    mask_decoder : EfficientMaskDecoder
        Decodes masks.
    side : int
        ``S``, the side of the square input in pixels.
    """

    def __init__(
        self,
        image_encoder: nn.Module,
        prompt_encoder: EfficientPromptEncoder,
        mask_decoder: EfficientMaskDecoder,
        side: int,
    ) -> None:
        # What else these two have in SAM is asked for in `Sam.decode_all` alone, which is not used here.
        super().__init__(
            image_encoder, cast("PromptEncoder", prompt_encoder), cast("MaskDecoder", mask_decoder), side
        )

    def decode_all(
        self,
        features: Mapping[str, Tensor],
        points_xy: Tensor,
        point_labels: Tensor,
        mask_inputs: Tensor | None = None,
        input_hw: tuple[int, int] | None = None,
        columns: Columns | None = None,
    ) -> Decoded:
        """Decode as `Sam.decode_all` does.

        Raises
        ------
        ValueError
            A mask prompt, which these models do not take.
        """
        if mask_inputs is not None:
            raise ValueError(
                f"EfficientSAM takes no mask of shape {tuple(mask_inputs.shape)}; give it points or a box"
            )
        embedding = features[IMAGE_EMBEDDING]
        height, width = embedding.shape[-2:]
        sparse = self.prompt_encoder.sparse(points_xy, point_labels, input_hw or (self.side, self.side))
        decoded: Decoded = self.mask_decoder(embedding, self.prompt_encoder.dense_pe((height, width)), sparse)
        return decoded


def build_efficient_sam(width: int, n_heads: int) -> EfficientSam:
    """Build a published EfficientSAM from the numbers that differ; the rest is as published."""
    shape = PlainVitShape(width, n_heads)
    transformer = PlacedTransformer(depth=2, dim=shape.out_dim, n_heads=8, mlp_dim=2048)
    decoder = EfficientMaskDecoder(shape.out_dim, transformer)
    return EfficientSam(PlainVit(shape), EfficientPromptEncoder(shape.out_dim), decoder, shape.side)
