"""The network of the embedded default: Segment Anything with its prompts also drawn on the plane.

Beside the published prompt tokens, clicks, box and mask prompt are drawn as a small picture
(`napari_sam.models.prompt_drawing`). It joins the dense prompts and the finer levels of the decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from napari_sam.models.convolutions import added, convolved, laid_out
from napari_sam.models.far_look import (
    farther,
    farther_points,
    nearer_mask,
    the_likelier,
    with_far_candidate,
)
from napari_sam.models.grouping import GROUPING
from napari_sam.models.layers import MLP, LayerNorm2d
from napari_sam.models.mask_decoder import N_CANDIDATES, Decoded, MaskDecoder
from napari_sam.models.prompt_drawing import draw_groups, draw_prompts
from napari_sam.models.prompt_encoder import Columns, PromptEncoder
from napari_sam.models.sam import FINE_FULL, FINE_HALF, IMAGE_EMBEDDING, PlaneFeatures, Sam
from napari_sam.models.second_look import second_prompts
from napari_sam.models.tiny_encoder import TINY_SIDE, TinyEncoder
from napari_sam.models.two_way_transformer import TwoWayTransformer


class MeetingBlock(nn.Module):
    """Two 3 x 3 convolutions with a shortcut, where image and prompts meet on a grid.

    Parameters
    ----------
    n_channels, n_inner : int
        Channels of input and output, and between the convolutions.
    """

    def __init__(self, n_channels: int, n_inner: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_channels, n_inner, 3, padding=1)
        self.conv2 = nn.Conv2d(n_inner, n_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x (N, C, H, W)`` to the same shape."""
        return added(convolved(convolved(x, self.conv1, gelu=True), self.conv2), x)


def look_at_masks(logits: Tensor, upscaled: Tensor) -> Tensor:
    """Describe masks by what lies in them, what lies on their outline, and how sure they are.

    Parameters
    ----------
    logits : Tensor
        ``(N, M, H, W)``.
    upscaled : Tensor
        ``(N, C, H, W)`` features.

    Returns
    -------
    Tensor
        ``(N, M, 2 * C + 4)``: mean features inside and along the outline, share of the plane on a
        log scale, stability (Kirillov et al., 2023, section 5), mean sureness inside, highest logit.
    """
    logits, upscaled = logits.float(), upscaled.float()
    inside = logits.sigmoid().flatten(2)
    outline = inside * (1 - inside)
    features = upscaled.flatten(2).transpose(1, 2)
    area, edge = inside.sum(dim=2, keepdim=True), outline.sum(dim=2, keepdim=True)
    means = [inside @ features / (area + 1), outline @ features / (edge + 1)]
    flat = logits.flatten(2)
    sure = (flat > 1).sum(dim=2, keepdim=True).float()
    unsure = (flat > -1).sum(dim=2, keepdim=True).float()
    numbers = [
        (area / flat.shape[2] + 1e-4).log() / 4,
        (sure + 1) / (unsure + 1),
        1 - 4 * edge / (area + 1),
        flat.amax(dim=2, keepdim=True).clamp(-10, 10) / 5,
    ]
    return torch.cat([*means, *numbers], dim=2)


class TinyMaskDecoder(MaskDecoder):
    """The mask decoder with convolutions on its two finer grids, heads that look at the masks, and presence.

    The predicted IoU is judged by the masks that came out, not by the token alone; one more token and
    head say whether the object is in the plane at all (as in SAM 2, Ravi et al., 2024).
    """

    def __init__(self, dim: int, transformer: TwoWayTransformer) -> None:
        super().__init__(dim, transformer, iou_hidden_dim=dim)
        self.meet_half = MeetingBlock(dim // 4, dim // 4)
        self.meet_full = MeetingBlock(dim // 8, dim // 8)
        self.presence_token = nn.Embedding(1, dim)
        seen = 2 * (dim // 8) + 4
        self.iou_judge = MLP(2 * dim + seen, dim, 1, 3)
        self.presence_head = MLP(dim + seen, dim, 1, 3)

    def forward(
        self,
        image_embedding: Tensor,
        image_pe: Tensor,
        sparse_prompts: Tensor,
        dense_prompts: Tensor,
        fine: tuple[Tensor, Tensor] | None = None,
    ) -> Decoded:
        """Decode as `MaskDecoder.forward` does, with presence."""
        n_own = N_CANDIDATES + 3
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight, self.presence_token.weight])
        tokens = torch.cat([own.expand(len(sparse_prompts), -1, -1), sparse_prompts], dim=1)
        source = laid_out(image_embedding + dense_prompts)
        state, flat = self.transformer(source, image_pe, tokens)
        upscaled = self._upscale(flat.transpose(1, 2).reshape(source.shape), fine)
        mask_state = state[:, 1 : n_own - 1]
        per_mask = [mlp(mask_state[:, i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)]
        logits = torch.stack(per_mask, dim=1) @ upscaled.flatten(2)
        logits = logits.reshape(*logits.shape[:2], *upscaled.shape[2:])
        seen = look_at_masks(logits.detach(), upscaled.detach())
        token = state[:, :1].expand(-1, N_CANDIDATES + 1, -1)
        judged = self.iou_judge(torch.cat([mask_state, token, seen.to(token.dtype)], dim=2))[..., 0]
        scores = self.iou_prediction_head(state[:, 0]) + judged
        presence = self.presence_head(torch.cat([state[:, n_own - 1], seen[:, 0].to(token.dtype)], dim=1))
        return Decoded(logits, scores, presence[:, 0])

    def _upscale(self, image: Tensor, fine: tuple[Tensor, Tensor] | None) -> Tensor:
        if fine is None:
            raise ValueError("the small decoder needs its encoder's finer levels; pass fine=(half, full)")
        first, norm, first_act, second, second_act = self.output_upscaling
        half = self.meet_half(first_act(norm(added(first(image), fine[0]))))
        full: Tensor = self.meet_full(second_act(added(second(half), fine[1])))
        return full


class TinySam(Sam):
    """A small Segment Anything model.

    Parameters
    ----------
    side : int
        Side of the square input in pixels, a multiple of 32.
    dim : int
        Channels of the image embedding, a multiple of 8.
    """

    looks_again = True

    def __init__(self, side: int = TINY_SIDE, dim: int = 128) -> None:
        transformer = TwoWayTransformer(depth=2, dim=dim, n_heads=4, mlp_dim=4 * dim)
        prompts = PromptEncoder(dim, pads_always=True)
        super().__init__(TinyEncoder(dim), prompts, TinyMaskDecoder(dim, transformer), side)
        half, full = dim // 4, dim // 8
        self.drawing_full = nn.Sequential(nn.Conv2d(8, full, 3, padding=1), nn.GELU())
        self.drawing_half = nn.Sequential(nn.Conv2d(full, half, 2, stride=2), LayerNorm2d(half), nn.GELU())
        self.drawing_dense = nn.Conv2d(half, dim, 2, stride=2)
        self.join_full = nn.Conv2d(full, full, 1)
        self.join_half = nn.Conv2d(half, half, 1)
        self.meet_dense = MeetingBlock(dim, dim // 4)

    def decode_all(
        self,
        features: Mapping[str, Tensor],
        points_xy: Tensor,
        point_labels: Tensor,
        mask_inputs: Tensor | None = None,
        input_hw: tuple[int, int] | None = None,
        columns: Columns | None = None,
    ) -> Decoded:
        """Decode as `Sam.decode_all` does, with the prompts drawn besides."""
        embedding, half_level, full_level = (
            laid_out(features[name]) for name in (IMAGE_EMBEDDING, FINE_HALF, FINE_FULL)
        )
        height, width = embedding.shape[-2:]
        input_hw = input_hw or (self.side, self.side)
        columns = columns or Columns.of(point_labels)
        sparse = self.prompt_encoder.sparse(points_xy, point_labels, input_hw, columns)
        dense = self.prompt_encoder.dense(mask_inputs, len(points_xy), (height, width))
        grid_hw = (4 * height, 4 * width)
        cell = input_hw[0] / grid_hw[0]
        drawing = [
            draw_prompts(points_xy, point_labels, mask_inputs, grid_hw, cell, columns),
            draw_groups(features[GROUPING].detach(), points_xy, point_labels, mask_inputs, cell, columns),
        ]
        first = cast("nn.Conv2d", self.drawing_full[0])
        full = convolved(laid_out(torch.cat(drawing, dim=1)), first, gelu=True)
        half = self.drawing_half(full)
        fine = (
            added(convolved(half, self.join_half), half_level),
            added(convolved(full, self.join_full), full_level),
        )
        dense = dense if mask_inputs is None else laid_out(dense)
        met = self.meet_dense(added(convolved(half, self.drawing_dense), embedding + dense))
        decoded: Decoded = self.mask_decoder(
            met, self._image_pe(features, (height, width)), sparse, met.new_zeros(()), fine
        )
        return decoded

    def _image_pe(self, features: Mapping[str, Tensor], grid_hw: tuple[int, int]) -> Tensor:
        """Give the position encoding ``(1, C, h, w)`` of the grid; `PlaneFeatures` keep it."""
        kept = features if isinstance(features, PlaneFeatures) else PlaneFeatures()
        if kept.image_pe is None:
            kept.image_pe = laid_out(self.prompt_encoder.dense_pe(grid_hw))
        return kept.image_pe

    def answer(
        self,
        features: Mapping[str, Tensor],
        points_xy: Tensor,
        point_labels: Tensor,
        mask_inputs: Tensor | None = None,
        input_hw: tuple[int, int] | None = None,
    ) -> Decoded:
        """Decode, and look again; see `napari_sam.models.second_look` and `napari_sam.models.far_look`.

        After a single click the candidate with the highest predicted IoU is asked for again with its own box
        and mask, and what comes of that takes its place; its score is the mean of both. Where the features
        have those of the image from afar, a click is answered there as well; other prompts are asked there
        with their first answer, and once more from near, and the likelier answer counts.
        """
        side = input_hw or (self.side, self.side)
        half = side[0] // 2, side[1] // 2
        far = features.far if isinstance(features, PlaneFeatures) else None
        if mask_inputs is None and points_xy.shape[1] == 1:
            near = self._answer_click(features, points_xy, point_labels, side)
            if far is None:
                return near
            from_afar = self._answer_click(far, farther_points(points_xy), point_labels, half)
            return with_far_candidate(near, from_afar)
        first = self.decode_all(features, points_xy, point_labels, mask_inputs, side)
        if far is None:
            return first
        shown = farther(first.mask_logits[:, :1].float())
        from_afar = self.decode_all(far, farther_points(points_xy), point_labels, shown, half)
        shown = nearer_mask(from_afar.mask_logits[:, :1].float())
        return the_likelier(first, self.decode_all(features, points_xy, point_labels, shown, side))

    def _answer_click(
        self,
        features: Mapping[str, Tensor],
        points_xy: Tensor,
        point_labels: Tensor,
        input_hw: tuple[int, int],
    ) -> Decoded:
        first = self.decode_all(features, points_xy, point_labels, None, input_hw)
        rows = torch.arange(len(points_xy), device=points_xy.device)
        best = first.iou_scores[:, 1:].argmax(dim=1) + 1
        shown = first.mask_logits[rows, best].float()
        prompts = second_prompts(points_xy, point_labels, shown, float(input_hw[0]))
        again = self.decode_all(features, *prompts, input_hw)
        masks, scores = first.mask_logits.clone(), first.iou_scores.clone()
        masks[rows, best] = again.mask_logits[:, 0]
        scores[rows, best] = (first.iou_scores[rows, best] + again.iou_scores[:, 0]) / 2
        return Decoded(masks, scores, first.presence)


def build_tiny_sam() -> TinySam:
    """Build the embedded default's network with fresh random numbers."""
    return TinySam()
