"""Several plane pairs as one batch, and which of its objects are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_sam.training.fields import chance
from napari_sam.training.samples import PlanePair

_FEW = 16

GROUP_CELL = 4
"""Side of a cell of the encoder's grouping, in pixels of the input."""

ENDED_WEIGHT = 1.25
"""How much rather an object is prompted for that ends in the second plane."""


@dataclass(frozen=True)
class Batch:
    """Several pairs as one batch.

    Attributes
    ----------
    pixels : Tensor
        ``(2P, 3, S, S)``: the first planes of all pairs, then the second ones.
    masks : Tensor
        ``(2, N, S, S)`` bool, objects of all pairs in the first and in the second plane.
    pair : Tensor
        ``(N,)`` which pair an object is of.
    """

    pixels: Tensor
    masks: Tensor
    pair: Tensor

    @property
    def n_pairs(self) -> int:
        """Number of pairs ``P``."""
        return len(self.pixels) // 2

    def to(self, device: torch.device) -> Batch:
        """Move to a device, pixels with channels last."""
        pixels = self.pixels.to(device, memory_format=torch.channels_last)
        return Batch(pixels, self.masks.to(device), self.pair.to(device))


def collate(pairs: Sequence[PlanePair]) -> Batch:
    """Join pairs into a batch."""
    pixels = torch.stack([pair.pixels for pair in pairs], dim=1).flatten(0, 1)
    numbers = [torch.full((pair.masks.shape[1],), i) for i, pair in enumerate(pairs)]
    return Batch(pixels, torch.cat([pair.masks for pair in pairs], dim=1), torch.cat(numbers))


def choose_objects(batch: Batch, max_objects: int) -> Batch:
    """Keep some objects of a batch, rather those that end in the second plane, and rather larger ones.

    A weighted draw without replacement, after Efraimidis and Spirakis, "Weighted random sampling with a
    reservoir" (2006).

    Parameters
    ----------
    batch : Batch
        Pairs of planes.
    max_objects : int
        How many to keep.
    """
    if len(batch.pair) <= max_objects:
        return batch
    area = batch.masks[0].flatten(1).float().mean(dim=1)
    ended = ~batch.masks[1].flatten(1).any(dim=1)
    weights = area.clamp(min=1e-4) ** 0.2 * torch.where(ended, ENDED_WEIGHT, 1.0)
    keys = torch.rand(len(batch.pair), device=batch.pair.device) ** (1 / weights)
    kept = keys.argsort(descending=True)[:max_objects]
    return Batch(batch.pixels, batch.masks[:, kept], batch.pair[kept])


@dataclass(frozen=True)
class Question:
    """What one step of training asks of a batch: all that chance and the pictures decide beforehand.

    Shapes depend on the numbers of pictures and objects alone, so that a GPU can repeat a recorded step.

    Attributes
    ----------
    pixels : Tensor
        ``(2P, 3, S, S)``: the first planes of all pairs, then the second ones.
    masks : Tensor
        ``(2, N, S, S)`` bool, objects that are prompted for, in the first and in the second plane.
    pair : Tensor
        ``(N,)`` which pair an object is of.
    cells : Tensor
        ``(G, S / 4, S / 4)`` float, 0 to 1: objects that teach the grouping of cells.
    cells_image : Tensor
        ``(G,)`` the picture that they are in.
    """

    pixels: Tensor
    masks: Tensor
    pair: Tensor
    cells: Tensor
    cells_image: Tensor

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """All of it."""
        return self.pixels, self.masks, self.pair, self.cells, self.cells_image


def ask(batch: Batch, max_objects: int = 24, n_grouped: int | None = None) -> Question:
    """Decide what is asked of a batch.

    Parameters
    ----------
    batch : Batch
        Pairs of planes.
    max_objects : int
        Objects that are prompted for; see `choose_objects`.
    n_grouped : int, optional
        Objects that teach the grouping, counted in both planes and drawn by chance; all where it is left out.
    """
    present = batch.masks.flatten(2).any(dim=2).flatten()
    if n_grouped is None:
        drawn = present.nonzero()[:, 0]
    else:
        order = (torch.rand(len(present), device=present.device) + ~present).argsort()
        drawn = order[torch.arange(n_grouped, device=present.device) % present.sum()]
    masks = batch.masks.flatten(0, 1).index_select(0, drawn)
    plane, number = drawn // len(batch.pair), drawn % len(batch.pair)
    image = batch.pair[number] + plane * batch.n_pairs
    chosen = choose_objects(batch, max_objects)
    cells = F.avg_pool2d(masks.float()[:, None], GROUP_CELL)[:, 0]
    return Question(batch.pixels, chosen.masks, chosen.pair, cells, image)


def draw_some(n: int, share: float, rng: torch.Generator, device: torch.device) -> Tensor:
    """Draw about a share of some objects.

    Many objects come in round numbers, so that a GPU meets the same shapes again and again: it prepares
    convolutions anew for each shape.

    Parameters
    ----------
    n : int
        How many there are.
    share : float
        Part of them, 0 to 1.
    rng : Generator
        Decides how many, where there are few.
    device : torch.device
        Where the numbers are wanted.

    Returns
    -------
    Tensor
        ``(K,)`` int64, their numbers.
    """
    if n <= _FEW:
        n_kept = sum(chance(share, rng) for _ in range(n))
    else:
        lot = 32 if n > 128 else 8
        n_kept = min(max(1, round(n * share / lot)) * lot, n // lot * lot)
    return torch.rand(n, device=device).argsort()[:n_kept]
