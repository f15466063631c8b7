"""What the network that draws boxed objects anew learns from: the model's own answers on drawn planes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from napari_sam.engine.frame import Frame
from napari_sam.engine.refining import Square, looked_up
from napari_sam.models.box_refiner import CROP_SIDE
from napari_sam.models.far_look import farther
from napari_sam.models.mask_decoder import Decoded
from napari_sam.models.sam import PlaneFeatures, Sam
from napari_sam.training.batches import collate
from napari_sam.training.fields import chance, uniform
from napari_sam.training.interaction import draw_boxes
from napari_sam.training.rounds import views
from napari_sam.training.samples import PlanePair

__all__ = ["BoxedObjects", "ask_boxes", "roughen"]

LEAST_AREA = 40
STEPS = 8
"""Logits are kept in steps of one over this."""

LOOSENESS, ROOMY, MOST_ROOM = 0.03, 0.35, 0.1
"""How far each side of a box is off, and how many boxes have room on all sides, and how much."""

_TURNS: tuple[
    tuple[Callable[[Tensor], Tensor], tuple[int, int, int, int], tuple[int, int, int, int]], ...
] = (
    (lambda one: one.flip(-1), (2, 1, 0, 3), (-1, 1, -1, 1)),
    (lambda one: one.transpose(-1, -2), (1, 0, 3, 2), (1, 1, 1, 1)),
    (lambda one: one.flip(-2), (0, 3, 2, 1), (1, -1, 1, -1)),
)
"""Ways to turn a picture, and what becomes of its box: which edges take each place, and with which sign."""


@dataclass(frozen=True)
class BoxedObjects:
    """Objects asked for by boxes: what a refiner is shown, and what is true.

    Attributes
    ----------
    picture : Tensor
        ``(N, 3, 64, 64)`` uint8.
    box : Tensor
        ``(N, 4)`` left, top, right and bottom edge in sides of the picture, from its middle.
    candidates : Tensor
        ``(N, 3, 64, 64)`` int8: eighths of the logits, the model's answer first.
    scores : Tensor
        ``(N, 3)`` predicted IoU.
    truth : Tensor
        ``(N, 1, 64, 64)`` uint8: how much of a cell is in the object, of 255.
    """

    picture: Tensor
    box: Tensor
    candidates: Tensor
    scores: Tensor
    truth: Tensor

    def __len__(self) -> int:
        return len(self.box)

    def some(self, which: Tensor | slice) -> BoxedObjects:
        """Take some of them."""
        return BoxedObjects(**{one.name: getattr(self, one.name)[which] for one in fields(self)})

    @classmethod
    def of_all(cls, parts: Sequence[BoxedObjects]) -> BoxedObjects:
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
    def read(cls, path: Path) -> BoxedObjects:
        """Read what `write` wrote."""
        with np.load(path) as found:
            return cls(**{one.name: torch.from_numpy(found[one.name]) for one in fields(cls)})


@torch.no_grad()
def ask_boxes(model: Sam, pair: PlanePair, levels: Tensor, lead: float, rng: torch.Generator) -> BoxedObjects:
    """Ask for all objects of a pair with boxes, from near and from afar as the engine does.

    Parameters
    ----------
    model : Sam
        In evaluation mode.
    pair : PlanePair
        Two planes; each is asked by itself.
    levels : Tensor
        ``(2, 3, S, S)`` uint8 grey levels of both.
    lead : float
        As `napari_sam.zoo.spec.ModelSpec.lead`.
    rng : torch.Generator
        Where chance comes from, but for that of `draw_boxes`.
    """
    batch, parts = collate([pair]), []
    for number, plane in enumerate(levels):
        masks = batch.masks[number]
        masks = masks[masks.flatten(1).sum(dim=1) >= LEAST_AREA]
        if not len(masks):
            continue
        side, pixels = masks.shape[-1], batch.pixels[number : number + 1]
        room = uniform(0.0, MOST_ROOM, rng) if chance(ROOMY, rng) else 0.0
        prompts = draw_boxes(masks, LOOSENESS, margin=room)
        shown = torch.zeros(len(masks), dtype=torch.long)
        features = PlaneFeatures(views(model, model.encode(pixels), shown).features)
        features.far = PlaneFeatures(views(model, model.encode(farther(pixels)), shown).features)
        answer = model.answer(features, prompts.points_xy, prompts.point_labels, None, (side, side))
        logits, scores = _in_order(answer, lead)
        corners = prompts.points_xy[:, -2:].tolist()
        squares = [Square.around(Frame((side, side), side), two) for two in corners]
        parts.append(_looked_at(squares, plane, masks, logits, scores))
    return BoxedObjects.of_all(parts)


def _in_order(answer: Decoded, lead: float) -> tuple[Tensor, Tensor]:
    """Give logits and scores of the answer, and of the next two candidates."""
    scores = answer.iou_scores.float()
    likeliest = 1 + scores[:, 1:].argsort(dim=1, descending=True)[:, :2]
    kept = torch.cat([torch.zeros_like(likeliest[:, :1]), likeliest], dim=1)
    leads = scores.gather(1, kept[:, 1:2]) > scores[:, :1] + lead
    kept = torch.where(leads, kept[:, [1, 0, 2]], kept)
    logits = answer.mask_logits.float()[torch.arange(len(kept))[:, None], kept]
    return logits, scores.gather(1, kept)


def _looked_at(
    squares: Sequence[Square], plane: Tensor, masks: Tensor, logits: Tensor, scores: Tensor
) -> BoxedObjects:
    picture = np.ascontiguousarray(plane.permute(1, 2, 0).numpy())
    seen = torch.stack([square.picture(picture) for square in squares]).to(torch.uint8)
    inside = (masks.to(torch.uint8) * 255).numpy()
    truth = torch.stack([square.picture(one)[:1] for square, one in zip(squares, inside, strict=True)])
    outside = torch.stack([square.is_outside() for square in squares])[:, None]
    return BoxedObjects(
        seen,
        torch.tensor([square.box for square in squares]),
        (STEPS * looked_up(squares, logits)).round().to(torch.int8),
        scores,
        truth.masked_fill(outside, 0.0).to(torch.uint8),
    )


def roughen(some: BoxedObjects) -> tuple[BoxedObjects, Tensor, Tensor]:
    """Turn, invert, brighten and add noise; let the model say less, or nothing.

    Returns
    -------
    tuple
        The same objects, turned, with their pictures ``(N, 3, 64, 64)`` and the candidates' logits as float32
        beside.
    """
    turned = some
    for turn, edges, signs in _TURNS:
        if torch.rand(()) < 0.5:
            names = ("picture", "candidates", "truth")
            box = turned.box[:, list(edges)] * torch.tensor(signs)
            turned = replace(turned, box=box, **{name: turn(getattr(turned, name)) for name in names})
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
    logits = turned.candidates.float() / STEPS
    weaker = torch.where(often(0.15), within(0.1, 0.6), torch.ones(()))
    return turned, levels, logits * weaker * ~often(0.08)
