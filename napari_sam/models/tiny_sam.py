"""The network of the embedded default: Segment Anything with its prompts also drawn on the plane.

Beside the published prompt tokens, clicks, box and mask prompt are drawn as a small
picture on the grid of the mask logits, as click-based segmentation networks take them
(Sofiiuk et al., "Reviving Iterative Training with Mask Guidance", 2022). It joins the
dense prompts and the finer levels of the decoder, so that a small network need not
learn from scratch where a token's Fourier features lie.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from napari_sam.models.grouping import GROUPING, mask_of_share, masks_of_cells
from napari_sam.models.layers import MLP, LayerNorm2d
from napari_sam.models.mask_decoder import N_CANDIDATES, Decoded, MaskDecoder
from napari_sam.models.prompt_encoder import BOX_FIRST, BOX_SECOND, NEGATIVE, POSITIVE, PromptEncoder
from napari_sam.models.sam import FINE_FULL, FINE_HALF, IMAGE_EMBEDDING, Sam
from napari_sam.models.tiny_encoder import TINY_SIDE, TinyEncoder
from napari_sam.models.two_way_transformer import TwoWayTransformer

CLICK_SIGMA_CELLS = 1.5
"""Spread of a click's spot, in cells of the logits' grid."""

LOGIT_SCALE = 5.0
"""Mask logits of this size are drawn at about three quarters of full strength."""


def draw_prompts(
    points_xy: Tensor, point_labels: Tensor, mask_inputs: Tensor | None, grid_hw: tuple[int, int], cell: float
) -> Tensor:
    """Draw prompts as a picture.

    Parameters
    ----------
    points_xy : Tensor
        ``(N, K, 2)`` in pixels of the model's input, whole numbers at pixel centres.
    point_labels : Tensor
        ``(N, K)``; see `napari_sam.models.prompt_encoder`.
    mask_inputs : Tensor or None
        ``(N, 1, H, W)`` logits of a mask prompt.
    grid_hw : tuple of int
        ``(H, W)`` of the picture.
    cell : float
        Pixels of the model's input along a side of a cell of the picture.

    Returns
    -------
    Tensor
        ``(N, 4, H, W)``: spots of positive clicks, of negative clicks (0 to 1), the box
        (1 inside, -1 outside, 0 without a box), the mask (-1 to 1, 0 without one).
    """
    height, width = grid_hw
    y = torch.arange(height, device=points_xy.device) + 0.5
    x = torch.arange(width, device=points_xy.device) + 0.5
    placed = (points_xy + 0.5) / cell
    down = torch.exp(-((y - placed[..., 1:]) ** 2) / (2 * CLICK_SIGMA_CELLS**2))
    across = torch.exp(-((x - placed[..., :1]) ** 2) / (2 * CLICK_SIGMA_CELLS**2))
    spots = down[..., :, None] * across[..., None, :]
    layers = [
        (spots * (point_labels == sign)[..., None, None]).sum(dim=1).clamp(max=1)
        for sign in (POSITIVE, NEGATIVE)
    ]
    layers.append(_draw_box(placed, point_labels, y, x))
    layers.append(
        torch.zeros_like(layers[0]) if mask_inputs is None else torch.tanh(mask_inputs[:, 0] / LOGIT_SCALE)
    )
    return torch.stack(layers, dim=1)


def _draw_box(placed: Tensor, point_labels: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Draw the boxes whose corners ``placed (N, K, 2)`` holds, in cells; ``(N, H, W)``."""
    first = (placed * (point_labels == BOX_FIRST)[..., None]).sum(dim=1)
    second = (placed * (point_labels == BOX_SECOND)[..., None]).sum(dim=1)
    rows = _between(y, first[:, 1:], second[:, 1:])
    columns = _between(x, first[:, :1], second[:, :1])
    has_box = (point_labels == BOX_SECOND).any(dim=1)[:, None, None]
    return (2 * rows[:, :, None] * columns[:, None, :] - 1) * has_box


def _between(position: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Give how much of each cell ``position (L,)`` lies from `low` to `high` ``(N, 1)``; ``(N, L)``."""
    return (torch.minimum(position + 0.5, high) - torch.maximum(position - 0.5, low)).clamp(0, 1)


def draw_groups(
    grouping: Tensor, points_xy: Tensor, point_labels: Tensor, mask_inputs: Tensor | None, cell: float
) -> Tensor:
    """Draw the objects that the prompts lie in, as the encoder's grouping has them.

    Parameters
    ----------
    grouping : Tensor
        ``(N or 1, 17, H, W)``; see `napari_sam.models.grouping`.
    points_xy, point_labels, mask_inputs, cell
        As `draw_prompts` takes them.

    Returns
    -------
    Tensor
        ``(N, 4, H, W)`` from 0 to 1: objects of positive clicks, of negative clicks, of what lies
        around the middle of the box, of most of the mask; 0 where there is no such prompt.
    """
    height, width = grouping.shape[-2:]
    placed = (points_xy + 0.5) / cell
    column = placed[..., 0].floor().long().clamp(0, width - 1)
    row = placed[..., 1].floor().long().clamp(0, height - 1)
    clicked = masks_of_cells(grouping, row * width + column).sigmoid()
    nothing = clicked.new_zeros(len(points_xy), 1, height, width)
    layers = [
        torch.cat([clicked * (point_labels == sign)[..., None, None], nothing], dim=1).amax(dim=1)
        for sign in (POSITIVE, NEGATIVE)
    ]
    middle, has_box = _middle_of_box(placed, point_labels, (height, width))
    layers.append(mask_of_share(grouping, middle)[:, 0].sigmoid() * has_box[:, None, None])
    if mask_inputs is None:
        layers.append(torch.zeros_like(layers[0]))
    else:
        share = mask_inputs[:, 0].sigmoid()
        covered = share.amax(dim=(1, 2)) > 0.5
        layers.append(mask_of_share(grouping, share)[:, 0].sigmoid() * covered[:, None, None])
    return torch.stack(layers, dim=1)


def _middle_of_box(placed: Tensor, point_labels: Tensor, grid_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Weight the cells around the middle of each box ``(N, H, W)``; and say who has one ``(N,)``."""
    first = (placed * (point_labels == BOX_FIRST)[..., None]).sum(dim=1)
    second = (placed * (point_labels == BOX_SECOND)[..., None]).sum(dim=1)
    centre, size = (first + second) / 2, (second - first).abs().clamp(min=1.0)
    y = torch.arange(grid_hw[0], device=placed.device) + 0.5
    x = torch.arange(grid_hw[1], device=placed.device) + 0.5
    down = torch.exp(-(((y - centre[:, 1:]) / (0.2 * size[:, 1:] + 0.5)) ** 2) / 2)
    across = torch.exp(-(((x - centre[:, :1]) / (0.2 * size[:, :1] + 0.5)) ** 2) / 2)
    return down[:, :, None] * across[:, None, :], (point_labels == BOX_SECOND).any(dim=1)


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
        inner: Tensor = self.conv2(F.gelu(self.conv1(x)))
        return x + inner


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
        source = image_embedding + dense_prompts
        state, flat = self.transformer(source, image_pe, tokens)
        upscaled = self._upscale(flat.transpose(1, 2).reshape(source.shape), fine)
        mask_state = state[:, 1 : n_own - 1]
        per_mask = [mlp(mask_state[:, i]) for i, mlp in enumerate(self.output_hypernetworks_mlps)]
        logits = torch.einsum("nmc,nchw->nmhw", torch.stack(per_mask, dim=1), upscaled)
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
        half = self.meet_half(first_act(norm(first(image) + fine[0])))
        full: Tensor = self.meet_full(second_act(second(half) + fine[1]))
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
    ) -> Decoded:
        """Decode as `Sam.decode_all` does, with the prompts drawn besides."""
        embedding = features[IMAGE_EMBEDDING]
        height, width = embedding.shape[-2:]
        input_hw = input_hw or (self.side, self.side)
        sparse = self.prompt_encoder.sparse(points_xy, point_labels, input_hw)
        dense = self.prompt_encoder.dense(mask_inputs, len(points_xy), (height, width))
        grid_hw = (4 * height, 4 * width)
        cell = input_hw[0] / grid_hw[0]
        drawing = [
            draw_prompts(points_xy, point_labels, mask_inputs, grid_hw, cell),
            draw_groups(features[GROUPING].detach(), points_xy, point_labels, mask_inputs, cell),
        ]
        full = self.drawing_full(torch.cat(drawing, dim=1))
        half = self.drawing_half(full)
        fine = (features[FINE_HALF] + self.join_half(half), features[FINE_FULL] + self.join_full(full))
        met = self.meet_dense(embedding + dense + self.drawing_dense(half))
        decoded: Decoded = self.mask_decoder(
            met, self.prompt_encoder.dense_pe((height, width)), sparse, met.new_zeros(()), fine
        )
        return decoded


def build_tiny_sam() -> TinySam:
    """Build the embedded default's network with fresh random numbers."""
    return TinySam()
