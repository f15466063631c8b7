"""What the network that draws answers anew learns from: what it saw in the engine, and what was true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_sam.models.refiner import CROP_SIDE, NOWHERE, Seen

__all__ = ["RefinerSamples", "roughen"]

STEPS = 8
"""Logits are kept in steps of one over this."""

_TURNS: tuple[tuple[Callable[[Tensor], Tensor], tuple[int, ...], tuple[int, ...]], ...] = (
    (lambda one: one.flip(-1), (0, 1), (-1, 1)),
    (lambda one: one.transpose(-1, -2), (1, 0), (1, 1)),
    (lambda one: one.flip(-2), (0, 1), (1, -1)),
)
"""Ways to turn a picture, and what becomes of a place (x, y): which comes first, and with which signs."""


@dataclass(frozen=True)
class RefinerSamples:
    """Answers, as the refiner sees them, and what is true; see `napari_sam.models.refiner.Seen`.

    Attributes
    ----------
    picture : Tensor
        ``(N, 3, 64, 64)`` uint8.
    box : Tensor
        ``(N, 4)``.
    clicks : Tensor
        ``(N, 8, 3)``.
    candidates, before : Tensor
        ``(N, 3, 64, 64)`` and ``(N, 1, 64, 64)`` int8: eighths of the logits.
    scores : Tensor
        ``(N, 3)`` predicted IoU.
    truth : Tensor
        ``(N, 1, 64, 64)`` uint8: how much of a cell is in the object, of 255.
    beyond : Tensor
        ``(N,)`` float32: how many cells more the object would fill outside the picture.
    """

    picture: Tensor
    box: Tensor
    clicks: Tensor
    candidates: Tensor
    before: Tensor
    scores: Tensor
    truth: Tensor
    beyond: Tensor

    @classmethod
    def of(cls, seen: Seen, truth: Tensor, n_cells: Tensor) -> RefinerSamples:
        """Keep what was seen, beside the truth ``(N, 1, 64, 64)`` from 0 to 255, and its size ``(N,)``."""
        beyond = (n_cells - truth.flatten(1).sum(dim=1) / 255).clamp(min=0)
        picture, truth = seen.picture.to(torch.uint8), truth.to(torch.uint8)
        candidates, before = ((STEPS * one).round().to(torch.int8) for one in (seen.candidates, seen.before))
        return cls(picture, seen.box, seen.clicks, candidates, before, seen.scores, truth, beyond)

    def __len__(self) -> int:
        return len(self.scores)

    def some(self, which: Tensor | slice) -> RefinerSamples:
        """Take some of them."""
        return RefinerSamples(**{one.name: getattr(self, one.name)[which] for one in fields(self)})

    @classmethod
    def of_all(cls, parts: Sequence[RefinerSamples]) -> RefinerSamples:
        """Put several together."""
        names = [one.name for one in fields(cls)]
        return cls(**{name: torch.cat([getattr(part, name) for part in parts]) for name in names})

    def write(self, path: Path) -> None:
        """Write to an ``.npz`` file, whole or not at all."""
        beside = path.with_name(f"{path.name}.part")
        with beside.open("wb") as file:
            np.savez(file, **{one.name: getattr(self, one.name).numpy() for one in fields(self)})
        beside.replace(path)

    @classmethod
    def read(cls, path: Path) -> RefinerSamples:
        """Read what `write` wrote."""
        with np.load(path) as found:
            return cls(**{one.name: torch.from_numpy(found[one.name]) for one in fields(cls)})


def roughen(some: RefinerSamples) -> tuple[Seen, Tensor]:
    """Turn, invert, brighten and add noise; let the model say less, or nothing where a box was drawn.

    Returns
    -------
    tuple
        What a network is shown, float32, and the truth from 0 to 1.
    """
    turned = some
    for turn, order, signs in _TURNS:
        if torch.rand(()) < 0.5:
            turned = _turned(turned, turn, order, signs)
    n = len(turned)

    def often(share: float) -> Tensor:
        return torch.rand(n, 1, 1, 1) < share

    def within(low: float, high: float) -> Tensor:
        return torch.rand(n, 1, 1, 1) * (high - low) + low

    levels = turned.picture.float()
    levels = torch.where(often(0.3), 255 - levels, levels)
    levels = 255 * (levels / 255) ** torch.exp(0.25 * torch.randn(n, 1, 1, 1))
    noise = torch.randn(n, 1, CROP_SIDE, CROP_SIDE)
    noise = torch.where(often(0.5), noise, 2.5 * F.avg_pool2d(noise, 3, 1, 1))
    levels = levels + noise * torch.where(often(0.4), within(0, 12), torch.zeros(()))
    levels = torch.where(often(0.2), levels.mean(dim=1, keepdim=True), levels)
    candidates, before = (logits.float() / STEPS for logits in (turned.candidates, turned.before))
    is_boxed = (turned.clicks[:, 0, 2] == 0)[:, None, None, None]
    weaker = torch.where(often(0.12), within(0.1, 0.7), torch.ones(()))
    candidates = candidates * weaker * ~(often(0.08) & is_boxed)
    seen = Seen(levels, turned.box, turned.clicks, candidates, before, turned.scores)
    return seen, turned.truth.float() / 255


def _turned(
    some: RefinerSamples, turn: Callable[[Tensor], Tensor], order: tuple[int, ...], signs: tuple[int, ...]
) -> RefinerSamples:
    """Turn pictures, boxes and clicks; a box that was not drawn stays nowhere."""
    sign = torch.tensor(signs)
    corners = some.box.view(-1, 2, 2)[..., list(order)] * sign
    box = torch.cat([corners.amin(dim=1), corners.amax(dim=1)], dim=1)
    clicks = torch.cat([some.clicks[..., list(order)] * sign, some.clicks[..., 2:]], dim=2)
    is_drawn = (some.box != NOWHERE).any(dim=1, keepdim=True)
    pictures = {name: turn(getattr(some, name)) for name in ("picture", "candidates", "before", "truth")}
    return replace(some, box=torch.where(is_drawn, box, some.box), clicks=clicks, **pictures)
