"""The rounds of interaction that one batch of plane pairs goes through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_sam.models.sam import IMAGE_EMBEDDING, Sam
from napari_sam.training.fields import chance, uniform
from napari_sam.training.interaction import Prompts, carry_over, correct, draw_boxes, draw_clicks
from napari_sam.training.losses import interaction_loss, true_iou
from napari_sam.training.samples import PlanePair


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


@dataclass(frozen=True)
class _View:
    """A model and each object's own image, as features ``(N, …)``."""

    model: Sam
    features: Mapping[str, Tensor]

    def decode(self, prompts: Prompts) -> tuple[Tensor, Tensor]:
        """Decode each object; ``(N, 4, h, w)`` logits and ``(N, 4)`` scores."""
        height, width = self.features[IMAGE_EMBEDDING].shape[-2:]
        return self.model.decode_all(
            self.features,
            prompts.points_xy,
            prompts.point_labels,
            prompts.mask_logits,
            (16 * height, 16 * width),
        )[:2]


def _views(model: Sam, features: Mapping[str, Tensor], images: Tensor) -> _View:
    """Look at the images of ``images (N,)``."""
    return _View(model, {name: level[images] for name, level in features.items()})


def best_logits(logits: Tensor, iou_scores: Tensor) -> Tensor:
    """Choose each object's candidate by its predicted IoU; ``(N, h, w)``."""
    chosen = iou_scores[:, 1:].argmax(dim=1) + 1
    return logits[torch.arange(len(logits), device=logits.device), chosen]


def training_loss(model: Sam, batch: Batch, rng: torch.Generator) -> Tensor:
    """Run the rounds of one batch and add up their losses.

    First prompts on both planes (boxes for some pairs' objects, points for the others),
    one corrective click on all, a second on some, and the first plane's masks carried
    over to the second, where objects may have ended.
    """
    features = model.encode(batch.pixels)
    present = batch.masks.flatten(2).any(dim=2)
    planes, objects = torch.nonzero(present, as_tuple=True)
    by_box = torch.rand(len(objects), device=objects.device) < 0.55
    losses: list[tuple[Tensor, int]] = []
    carried = torch.zeros_like(batch.pair, dtype=torch.bool)
    hints: Tensor | None = None
    for with_box in (True, False):
        some = torch.nonzero(by_box == with_box)[:, 0]
        if not len(some):
            continue
        image = batch.pair[objects[some]] + planes[some] * batch.n_pairs
        view = _views(model, features, image)
        masks = batch.masks[planes[some], objects[some]]
        logits = _first_rounds(view, masks, with_box, rng, losses)
        hints = logits.new_zeros(len(batch.pair), *logits.shape[-2:]) if hints is None else hints
        first = planes[some] == 0
        hints[objects[some][first]] = logits[first]
        carried[objects[some][first]] = True
    if hints is not None and bool(carried.any()):
        which = torch.nonzero(carried)[:, 0]
        view = _views(model, features, batch.pair[which] + batch.n_pairs)
        losses.append(_carry_round(view, batch.masks[1, which], hints[which], rng))
    total = sum(n for _, n in losses)
    return torch.stack([loss * (n / total) for loss, n in losses]).sum()


def _first_rounds(
    view: _View, masks: Tensor, with_box: bool, rng: torch.Generator, losses: list[tuple[Tensor, int]]
) -> Tensor:
    """Prompt afresh and correct once or twice; gives the last logits ``(N, h, w)``."""
    looseness = uniform(0.0, 0.06, rng)
    prompts = draw_boxes(masks, looseness) if with_box else draw_clicks(masks, cell=4)
    n_rounds = 1 + chance(0.35, rng) + chance(0.15, rng)
    logits, scores = view.decode(prompts)
    losses.append((interaction_loss(logits, scores, masks), len(masks)))
    chosen = best_logits(logits, scores).detach().float()
    for _ in range(n_rounds - 1):
        prompts = correct(prompts, chosen, masks)
        logits, scores = view.decode(prompts)
        losses.append((interaction_loss(logits, scores, masks), len(masks)))
        chosen = best_logits(logits, scores).detach().float()
    return chosen


def _carry_round(view: _View, masks: Tensor, hints: Tensor, rng: torch.Generator) -> tuple[Tensor, int]:
    """Carry masks from the first plane to the second."""
    use_mask = chance(0.85, rng)
    use_box = chance(0.85, rng)
    prompts = carry_over(
        hints,
        masks.shape[-1],
        margin=uniform(0.0, 0.12, rng),
        use_box=use_box,
        use_point=chance(0.75, rng),
        use_mask=use_mask,
    )
    logits, scores = view.decode(prompts)
    return interaction_loss(logits, scores, masks), len(masks)


@torch.no_grad()
def measure(model: Sam, batches: Sequence[Batch], seed: int = 0) -> dict[str, float]:
    """Measure mean IoU after a box, a point, a point and two corrections, and after carrying over.

    Returns
    -------
    dict of str to float
        ``box``, ``point``, ``point_3`` and ``carried``: means over objects; ``score_error``
        is the mean absolute error of the predicted IoU after carrying over, ended objects included.
    """
    torch.manual_seed(seed)
    sums: dict[str, list[Tensor]] = {}
    for batch in batches:
        features = model.encode(batch.pixels)
        first, second = batch.masks[0], batch.masks[1]
        here, there = (_views(model, features, batch.pair + i * batch.n_pairs) for i in (0, 1))
        boxed = best_logits(*here.decode(draw_boxes(first, looseness=0.03))).float()
        _note(sums, "box", boxed, first)
        prompts = draw_clicks(first, cell=4)
        clicked = best_logits(*here.decode(prompts)).float()
        _note(sums, "point", clicked, first)
        for _ in range(2):
            prompts = correct(prompts, clicked, first)
            clicked = best_logits(*here.decode(prompts)).float()
        _note(sums, "point_3", clicked, first)
        logits, scores = there.decode(carry_over(boxed, first.shape[-1], margin=0.05))
        left = second.flatten(1).any(dim=1)
        _note(sums, "carried", best_logits(logits, scores).float()[left], second[left])
        truth = true_iou(logits.float(), _pooled(second, logits.shape[-1]))
        sums.setdefault("score_error", []).append((scores.float() - truth).abs()[:, 1:].amin(dim=1))
    return {name: float(torch.cat(values).mean()) for name, values in sums.items()}


def _pooled(masks: Tensor, side: int) -> Tensor:
    return torch.nn.functional.avg_pool2d(masks.float()[:, None], masks.shape[-1] // side)[:, 0]


def _note(sums: dict[str, list[Tensor]], name: str, logits: Tensor, masks: Tensor) -> None:
    full = torch.nn.functional.interpolate(logits[:, None], size=masks.shape[-2:], mode="bilinear")
    sums.setdefault(name, []).append(true_iou(full, masks.float())[:, 0])
