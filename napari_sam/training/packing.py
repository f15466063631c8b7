"""Batches as bytes and bits: a sixth of the size, for the way between processes and to a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_sam.training.batches import Batch
from napari_sam.training.samples import PlanePair
from napari_sam.zoo.builtin import PIXEL_MEAN, PIXEL_STD

__all__ = ["PackedBatch", "pack"]


@dataclass(frozen=True)
class PackedBatch:
    """A `napari_sam.training.batches.Batch` as bytes and bits.

    Attributes
    ----------
    pixels : Tensor
        ``(2, P, 3, S, S)`` uint8, before normalising.
    filled_hw : Tensor
        ``(P, 2)`` int64 height and width of what is not padding, which lies below and on the right.
    bits : Tensor
        ``(2, N, S, S / 8)`` uint8, eight pixels of the masks in a byte.
    pair : Tensor
        ``(N,)`` which pair an object is of.
    """

    pixels: Tensor
    filled_hw: Tensor
    bits: Tensor
    pair: Tensor

    @property
    def side(self) -> int:
        """Side ``S`` in pixels."""
        return self.pixels.shape[-1]

    def to(self, device: torch.device) -> PackedBatch:
        """Move to a device."""
        parts = (self.pixels, self.filled_hw, self.bits, self.pair)
        return PackedBatch(*(part.to(device, non_blocking=True) for part in parts))

    def unpack(self, varied: bool = False) -> Batch:
        """Give pixels and masks as the network takes them.

        Parameters
        ----------
        varied : bool
            Mirror what is in the pictures, swap their axes, and change their brightness and contrast, by
            chance from torch's own generator: for batches that are seen again.
        """
        masks = _from_bits(self.bits)
        grey, filled_hw = self.pixels.float() / 255, self.filled_hw
        if varied:
            grey, masks = _mirror(grey, masks, filled_hw, self.pair)
            if float(torch.rand(())) < 0.5:
                grey, masks = grey.transpose(-1, -2), masks.transpose(-1, -2)
                filled_hw = filled_hw.flip(1)
            grey = _relight(grey)
        mean = grey.new_tensor(PIXEL_MEAN).view(3, 1, 1)
        std = grey.new_tensor(PIXEL_STD).view(3, 1, 1)
        pixels = (grey * 255 - mean) / std * _filled(filled_hw, self.side)[:, None]
        pixels = pixels.flatten(0, 1).contiguous(memory_format=torch.channels_last)
        return Batch(pixels, masks.contiguous(), self.pair)


def pack(pairs: Sequence[PlanePair]) -> PackedBatch:
    """Join pairs into a batch and pack it.

    Parameters
    ----------
    pairs : sequence of PlanePair
        All of one side, a multiple of 8.
    """
    pixels = torch.stack([pair.pixels for pair in pairs], dim=1)
    filled = (pixels[0] != 0).any(dim=1)  # the mean is no whole number, so that only padding is 0
    filled_hw = torch.stack([filled.any(dim=2).sum(dim=1), filled.any(dim=1).sum(dim=1)], dim=1)
    mean = pixels.new_tensor(PIXEL_MEAN).view(3, 1, 1)
    std = pixels.new_tensor(PIXEL_STD).view(3, 1, 1)
    pixels = (pixels * std + mean).round().clamp(0, 255).to(torch.uint8)
    numbers = [torch.full((pair.masks.shape[1],), i) for i, pair in enumerate(pairs)]
    bits = _to_bits(torch.cat([pair.masks for pair in pairs], dim=1))
    return PackedBatch(pixels, filled_hw, bits, torch.cat(numbers))


def _to_bits(masks: Tensor) -> Tensor:
    """Pack ``masks (…, S)`` into ``(…, S / 8)`` bytes."""
    eights = masks.reshape(*masks.shape[:-1], -1, 8).to(torch.uint8)
    packed = eights[..., 0]
    for place in range(1, 8):
        packed = packed | (eights[..., place] << place)
    return packed


def _from_bits(bits: Tensor) -> Tensor:
    """Undo `_to_bits`."""
    places = torch.arange(8, dtype=torch.uint8, device=bits.device)
    return ((bits[..., None] >> places) & 1).bool().flatten(-2)


def _filled(filled_hw: Tensor, side: int) -> Tensor:
    """Mark what is not padding; ``(P, S, S)`` bool."""
    place = torch.arange(side, device=filled_hw.device)
    return (place < filled_hw[:, :1])[:, :, None] & (place < filled_hw[:, 1:])[:, None, :]


def _mirror(grey: Tensor, masks: Tensor, filled_hw: Tensor, pair: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror each pair in its rows, its columns, both or neither; the padding stays where it is."""
    side = grey.shape[-1]
    place = torch.arange(side, device=grey.device)
    for axis in (0, 1):
        n = filled_hw[:, axis : axis + 1]
        turned = torch.rand(len(filled_hw), 1, device=grey.device) < 0.5
        source = torch.where(turned & (place < n), n - 1 - place, place)
        shape = (1, len(filled_hw), 1, side, 1) if axis == 0 else (1, len(filled_hw), 1, 1, side)
        grey = grey.gather(3 + axis, source.view(shape).expand_as(grey))
        own = source[pair].view((1, len(pair), side, 1) if axis == 0 else (1, len(pair), 1, side))
        masks = masks.gather(2 + axis, own.expand_as(masks))
    return grey, masks


def _relight(grey: Tensor) -> Tensor:
    """Change gamma, contrast and brightness of each pair a little; at times the negative."""
    n_pairs = grey.shape[1]

    def drawn(low: float, high: float) -> Tensor:
        return torch.empty(n_pairs, 1, 1, 1, device=grey.device).uniform_(low, high)

    grey = grey ** drawn(-0.4, 0.4).exp()
    grey = grey * drawn(0.75, 1.15) + drawn(-0.08, 0.08)
    grey = torch.where(drawn(0, 1) < 0.15, 1 - grey, grey)
    return grey.clamp(0, 1)
