"""What the network that compares planes learns from: masks carried from one drawn plane to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_sam.models.plane_comparer import CROP_SIDE
from napari_sam.models.sam import Sam
from napari_sam.training.batches import collate
from napari_sam.training.fields import chance
from napari_sam.training.interaction import carry_over, draw_boxes, wear
from napari_sam.training.rounds import shown_logits, views
from napari_sam.training.samples import PlanePair

__all__ = ["CarriedMasks", "carry_masks", "roughen"]

ROOM = 1.6
"""Side of a crop, in longer sides of the mask that is carried; as in `napari_sam.engine.comparing`."""

LEAST_SIDE_PX = 16.0
WORN = 0.25
"""Part of the masks that are true ones, worn, in place of what the model found in the first plane."""

MARGIN = 0.05
"""Of the carried box, as propagation's."""

_TURNS: tuple[Callable[[Tensor], Tensor], ...] = (
    lambda one: one.flip(-1),
    lambda one: one.transpose(-1, -2),
    lambda one: one.flip(-2),
)


@dataclass(frozen=True)
class CarriedMasks:
    """Objects of the first plane, carried to the second: what a comparer is shown, and what is true.

    Attributes
    ----------
    before, now : Tensor
        ``(N, 1, 64, 64)`` uint8 grey levels.
    mask_before : Tensor
        ``(N, 1, 64, 64)`` bool, as the model found it, or worn.
    masks : Tensor
        ``(N, 3, 64, 64)`` bool: the candidates for the second plane, the single mask first.
    scores, presence : Tensor
        ``(N, 3)`` predicted IoU and ``(N,)`` logits, as the model has them.
    truth : Tensor
        ``(N, 1, 64, 64)`` bool: the object in the second plane.
    is_there : Tensor
        ``(N,)`` bool: whether it goes on there.
    """

    before: Tensor
    now: Tensor
    mask_before: Tensor
    masks: Tensor
    scores: Tensor
    presence: Tensor
    truth: Tensor
    is_there: Tensor

    def __len__(self) -> int:
        return len(self.is_there)

    def some(self, which: Tensor | slice) -> CarriedMasks:
        """Take some of them."""
        return CarriedMasks(**{one.name: getattr(self, one.name)[which] for one in fields(self)})

    @classmethod
    def of_all(cls, parts: Sequence[CarriedMasks]) -> CarriedMasks:
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
    def read(cls, path: Path) -> CarriedMasks:
        """Read what `write` wrote."""
        with np.load(path) as found:
            return cls(**{one.name: torch.from_numpy(found[one.name]) for one in fields(cls)})


@torch.no_grad()
def carry_masks(model: Sam, pair: PlanePair, grey: Tensor, rng: torch.Generator) -> CarriedMasks | None:
    """Ask for objects with boxes in the first plane of a pair, and carry what is found to the second.

    Parameters
    ----------
    model : Sam
        In evaluation mode.
    pair : PlanePair
        Two planes.
    grey : Tensor
        ``(2, 1, S, S)`` grey levels of both, 0 to 255.
    rng : torch.Generator
        Where chance comes from, but for that of `draw_boxes`.

    Returns
    -------
    CarriedMasks or None
        None where nothing was found.
    """
    batch = collate([pair])
    features = model.encode(batch.pixels)
    first, second = batch.masks[0], batch.masks[1]
    prompts = draw_boxes(first, looseness=0.04)
    logits = shown_logits(views(model, features, batch.pair).answer(prompts), prompts)
    is_worn = torch.tensor([chance(WORN, rng) for _ in first])
    worn = wear(first, logits.shape[-1], rng)
    logits = torch.where(is_worn[:, None, None], worn.to(logits.dtype), logits)
    side = first.shape[-1]
    mask = F.interpolate(logits[:, None], (side, side), mode="bilinear") > 0
    found = torch.nonzero(mask.flatten(1).any(dim=1))[:, 0]
    if not len(found):
        return None
    asked = carry_over(logits, side, margin=MARGIN)
    decoded = views(model, features, batch.pair + batch.n_pairs).decode(asked)
    scores = decoded.iou_scores.float()
    likeliest = 1 + scores[:, 1:].argsort(dim=1, descending=True)[:, :2]
    kept = torch.cat([torch.zeros_like(likeliest[:, :1]), likeliest], dim=1)
    candidates = decoded.mask_logits.float()[torch.arange(len(kept))[:, None], kept]
    presence = torch.zeros(len(first)) if decoded.presence is None else decoded.presence.float()
    places = _places(mask[found, 0])
    lookup = [grey[0].expand(len(found), -1, -1, -1), grey[1].expand(len(found), -1, -1, -1)]
    before, now = (_cropped(one, places).round().to(torch.uint8) for one in lookup)
    return CarriedMasks(
        before, now,
        _cropped(F.interpolate(logits[found, None], (side, side), mode="bilinear"), places) > 0,
        _cropped(F.interpolate(candidates[found], (side, side), mode="bilinear"), places) > 0,
        scores.gather(1, kept)[found], presence[found],
        _cropped(second[found, None].float(), places) > 0.5, second[found].flatten(1).any(dim=1),
    )  # fmt: skip


def _places(masks: Tensor) -> Tensor:
    """Give middle x, middle y and side of the crop around each mask ``(N, S, S)``, in pixels."""
    places = []
    for mask in masks:
        rows, cols = (torch.nonzero(mask.any(dim=axis))[:, 0] for axis in (1, 0))
        longest = max(int(rows[-1] - rows[0]), int(cols[-1] - cols[0])) + 1
        middle = [float(cols[0] + cols[-1] + 1) / 2, float(rows[0] + rows[-1] + 1) / 2]
        places.append([*middle, max(LEAST_SIDE_PX, ROOM * longest)])
    return torch.tensor(places)


def _cropped(fields: Tensor, places: Tensor) -> Tensor:
    """Cut crops ``(N, C, 64, 64)`` out of ``(N, C, S, S)``, linearly; edges go on outside."""
    cells = (torch.arange(CROP_SIDE) + 0.5) / CROP_SIDE - 0.5
    along = (places[:, :2, None] + places[:, 2:, None] * cells) / fields.shape[-1] * 2 - 1
    across = along[:, 0, None, :].expand(-1, CROP_SIDE, -1)
    down = along[:, 1, :, None].expand(-1, -1, CROP_SIDE)
    grid = torch.stack([across, down], dim=3)
    return F.grid_sample(fields, grid, mode="bilinear", padding_mode="border", align_corners=False)


def roughen(some: CarriedMasks) -> tuple[CarriedMasks, Tensor, Tensor]:
    """Turn, invert, brighten, blur and add noise, both planes mostly alike.

    Returns
    -------
    tuple
        The same objects, turned, with their grey levels as ``before, now (N, 1, 64, 64)`` float32 beside.
    """
    turned = some
    for turn in _TURNS:
        if torch.rand(()) < 0.5:
            names = ("before", "now", "mask_before", "masks", "truth")
            turned = replace(turned, **{name: turn(getattr(turned, name)) for name in names})
    n = len(turned)

    def often(share: float) -> Tensor:
        return torch.rand(n, 1, 1, 1) < share

    def within(low: float, high: float) -> Tensor:
        return torch.rand(n, 1, 1, 1) * (high - low) + low

    inverted, gamma = often(0.3), torch.exp(0.25 * torch.randn(n, 1, 1, 1))
    planes = []
    for grey in (turned.before.float(), turned.now.float()):
        levels = torch.where(inverted, 255 - grey, grey)
        planes.append(255 * (levels / 255) ** gamma)
    before, now = planes
    now = torch.where(often(0.3), now * within(0.85, 1.15) + within(-12, 12), now)
    noise = torch.randn(n, 2, CROP_SIDE, CROP_SIDE)
    noise = torch.where(often(0.5), noise, 2.5 * F.avg_pool2d(noise, 3, 1, 1))
    noise = noise * torch.where(often(0.4), within(0, 12), torch.zeros(()))
    is_blurred = often(0.25)
    before, now = (
        torch.where(is_blurred, F.avg_pool2d(F.pad(one, (1, 1, 1, 1), mode="replicate"), 3, 1), one)
        for one in (before + noise[:, :1], now + noise[:, 1:])
    )
    unsaid = torch.rand(n) < 0.15
    return replace(turned, presence=turned.presence.masked_fill(unsaid, 0.0)), before, now
