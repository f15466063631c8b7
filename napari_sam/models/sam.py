"""The whole network: encode an image once, decode a mask at every prompt."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from napari_sam.models.image_encoder import ImageEncoder
from napari_sam.models.mask_decoder import Decoded, ImageSide, MaskDecoder
from napari_sam.models.prompt_encoder import Columns, PromptEncoder

IMAGE_EMBEDDING = "image_embedding"
FINE_HALF, FINE_FULL = "fine_8", "fine_4"
"""Names of an encoder's outputs: the embedding, and two finer levels where there are any."""


class PlaneFeatures(dict[str, Tensor]):
    """One image's features by name, which also keep what the decoder makes of them before any prompt.

    Attributes
    ----------
    image_side : ImageSide or None
        Without a mask prompt; filled in by the first prompt.
    image_pe : Tensor or None
        ``(1, C, h, w)`` position encoding of the grid; the same.
    far : PlaneFeatures or None
        Those of the image at half its size; see `napari_sam.models.far_look`.
    """

    image_side: ImageSide | None = None
    image_pe: Tensor | None = None
    far: PlaneFeatures | None = None


class Sam(nn.Module):
    """Image encoder, prompt encoder and mask decoder under the published names.

    Parameters
    ----------
    image_encoder : nn.Module
        Maps ``(B, 3, S, S)`` to ``(B, C, h, w)``, or to a mapping of named levels.
    prompt_encoder : PromptEncoder
        Encodes points, boxes and masks.
    mask_decoder : MaskDecoder
        Decodes masks.
    side : int
        ``S``, the side of the square input in pixels.

    Attributes
    ----------
    looks_again : bool
        Whether `answer` asks a second time with the first answer; see `napari_sam.models.second_look`.
    """

    looks_again = False

    def __init__(
        self, image_encoder: nn.Module, prompt_encoder: PromptEncoder, mask_decoder: MaskDecoder, side: int
    ) -> None:
        super().__init__()
        self.image_encoder = image_encoder
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder
        self.side = side
        self.precision = torch.float32

    def use_precision(self, dtype: torch.dtype) -> None:
        """Compute the large products in a precision from now on.

        Those are the products of the image encoder and of the image side of the mask decoder. Tokens, scores
        and all that is small stay float32, and so do the decoder's outputs.

        Parameters
        ----------
        dtype : torch.dtype
            ``torch.float32`` or ``torch.bfloat16``.
        """
        self.precision = dtype
        if isinstance(self.image_encoder, ImageEncoder):
            self.image_encoder.use_precision(dtype)

    def encode(self, pixels: Tensor) -> dict[str, Tensor]:
        """Encode normalised pixels ``(B, 3, S, S)``.

        Returns
        -------
        dict of Tensor
            ``image_embedding (B, C, h, w)`` and, for an encoder with finer levels,
            ``fine_8 (B, C // 4, 2h, 2w)`` and ``fine_4 (B, C // 8, 4h, 4w)``.
        """
        by_itself = isinstance(self.image_encoder, ImageEncoder) or self.precision == torch.float32
        lowered = nullcontext() if by_itself else torch.autocast(pixels.device.type, self.precision)
        with lowered:
            encoded = self.image_encoder(pixels)
        return dict(encoded) if isinstance(encoded, Mapping) else {IMAGE_EMBEDDING: encoded}

    def decode_all(
        self,
        features: Mapping[str, Tensor],
        points_xy: Tensor,
        point_labels: Tensor,
        mask_inputs: Tensor | None = None,
        input_hw: tuple[int, int] | None = None,
        columns: Columns | None = None,
    ) -> Decoded:
        """Decode the single mask and the three candidates of every prompt.

        Parameters
        ----------
        features : mapping of Tensor
            What `encode` gave, for one image or for one image a prompt.
        points_xy : Tensor
            ``(N, K, 2)`` in pixels of the model's input, x then y.
        point_labels : Tensor
            ``(N, K)``; see `napari_sam.models.prompt_encoder`.
        mask_inputs : Tensor, optional
            ``(N, 1, 4h, 4w)`` logits of a mask prompt.
        input_hw : tuple of int, optional
            Height and width of the input, where it is not ``(S, S)``.
        columns : Columns, optional
            What the columns of the prompts hold, where that is known.

        Returns
        -------
        Decoded
            Logits and scores of all four masks and, from models that say it, the object's presence.
        """
        sides = input_hw or (self.side, self.side)
        sparse = self.prompt_encoder.sparse(points_xy, point_labels, sides, columns)
        fine = (features[FINE_HALF], features[FINE_FULL]) if FINE_HALF in features else None
        return self.mask_decoder.decode(self._image_side(features, mask_inputs), sparse, fine)

    def _image_side(self, features: Mapping[str, Tensor], mask_inputs: Tensor | None) -> ImageSide:
        """Lay out what the decoder attends to; `PlaneFeatures` keep what does not depend on the prompt."""
        kept = features if isinstance(features, PlaneFeatures) else PlaneFeatures()
        if mask_inputs is None and kept.image_side is not None:
            return kept.image_side
        image_embedding = features[IMAGE_EMBEDDING].to(self.precision)
        height, width = image_embedding.shape[-2:]
        if kept.image_pe is None:
            kept.image_pe = self.prompt_encoder.dense_pe((height, width))
        dense = self.prompt_encoder.dense(mask_inputs, 1, (height, width)).to(image_embedding.dtype)
        side = ImageSide.of(image_embedding + dense, kept.image_pe)
        if mask_inputs is None:
            kept.image_side = side
        return side

    def answer(
        self,
        features: Mapping[str, Tensor],
        points_xy: Tensor,
        point_labels: Tensor,
        mask_inputs: Tensor | None = None,
        input_hw: tuple[int, int] | None = None,
    ) -> Decoded:
        """Answer prompts as a user sees it: `decode_all`, unless a model has more to say."""
        return self.decode_all(features, points_xy, point_labels, mask_inputs, input_hw)

    def decode(
        self,
        features: Mapping[str, Tensor],
        points_xy: Tensor,
        point_labels: Tensor,
        mask_inputs: Tensor | None = None,
        multimask: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """Decode as `decode_all` does, and keep the three candidates or the single mask.

        Returns
        -------
        tuple of Tensor
            ``mask_logits (N, M, 4h, 4w)`` and ``iou_scores (N, M)``; ``M`` is 3 or 1.
        """
        logits, scores, _presence = self.decode_all(features, points_xy, point_labels, mask_inputs)
        return (logits[:, 1:], scores[:, 1:]) if multimask else (logits[:, :1], scores[:, :1])
