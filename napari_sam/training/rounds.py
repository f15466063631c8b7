"""The rounds of interaction that one batch of plane pairs goes through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from napari_sam.models.grouping import GROUPING
from napari_sam.models.mask_decoder import Decoded
from napari_sam.models.sam import IMAGE_EMBEDDING, Sam
from napari_sam.training.batches import Question, draw_some
from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.interaction import (
    Prompts,
    carry_over,
    correct,
    draw_boxes,
    draw_clicks,
    look_again,
    wear,
)
from napari_sam.training.losses import grouping_loss, interaction_loss

N_CORRECTIONS = 7
"""Most corrective clicks after the first prompt: eight rounds in all."""

MANY = 100
"""More planes of objects than this are all prompted in one way: half as many calls of the decoder."""

SLACK = 0.1
"""Most room that a box leaves on all sides of its object, as a part of its size; half leave none."""

GOING_ON = 0.4
"""Part of the objects that is corrected once more after each round, unless told otherwise."""

LOOKED_AT_AGAIN = 0.6
"""Part of the first answers that are looked at again, by models that do so."""


@dataclass(frozen=True)
class View:
    """A model and each object's own image, as features ``(N, …)``."""

    model: Sam
    features: Mapping[str, Tensor]

    def decode(self, prompts: Prompts) -> Decoded:
        """Decode each object, once."""
        return self.model.decode_all(*self._asked(prompts), columns=prompts.columns)

    def answer(self, prompts: Prompts) -> Decoded:
        """Answer as a user sees it, with a second look where the model takes one."""
        return self.model.answer(*self._asked(prompts))

    def _asked(
        self, prompts: Prompts
    ) -> tuple[Mapping[str, Tensor], Tensor, Tensor, Tensor | None, tuple[int, int]]:
        height, width = self.features[IMAGE_EMBEDDING].shape[-2:]
        input_hw = (16 * height, 16 * width)
        return self.features, prompts.points_xy, prompts.point_labels, prompts.mask_logits, input_hw

    def only(self, which: Tensor) -> View:
        """Keep some objects."""
        return views(self.model, self.features, which)


def views(model: Sam, features: Mapping[str, Tensor], images: Tensor) -> View:
    """Look at the images of ``images (N,)``."""
    return View(model, {name: _of_images(level, images) for name, level in features.items()})


def _of_images(level: Tensor, images: Tensor) -> Tensor:
    """Take ``level (B, C, h, w)`` of ``images (N,)``, laid out as it is."""
    if level.is_contiguous(memory_format=torch.channels_last):
        return level.permute(0, 2, 3, 1).index_select(0, images).permute(0, 3, 1, 2)
    return level.index_select(0, images)


@dataclass
class _Answers:
    """The model's answers of all rounds, and what they should have been."""

    decoded: list[Decoded] = field(default_factory=list)
    masks: list[Tensor] = field(default_factory=list)

    def add(self, decoded: Decoded, masks: Tensor) -> None:
        """Add a round."""
        self.decoded.append(decoded)
        self.masks.append(masks)

    def loss(self) -> Tensor | float:
        """Give the mean loss over all objects of all rounds, computed at once."""
        if not self.decoded:
            return 0.0
        presence = [one.presence for one in self.decoded if one.presence is not None]
        joined = Decoded(
            torch.cat([one.mask_logits for one in self.decoded]),
            torch.cat([one.iou_scores for one in self.decoded]),
            torch.cat(presence) if presence else None,
        )
        return interaction_loss(joined, torch.cat(self.masks))


def best_logits(logits: Tensor, iou_scores: Tensor) -> Tensor:
    """Choose each object's candidate by its predicted IoU; ``(N, h, w)``."""
    chosen = iou_scores[:, 1:].argmax(dim=1) + 1
    return logits[torch.arange(len(logits), device=logits.device), chosen]


def training_loss(model: Sam, question: Question, rng: torch.Generator, going_on: float = GOING_ON) -> Tensor:
    """Encode a batch and run its rounds; see `rounds_loss`.

    Parameters
    ----------
    model, question, rng, going_on
        As there.
    """
    return rounds_loss(model, model.encode(question.pixels), question, rng, going_on)


def rounds_loss(
    model: Sam,
    features: Mapping[str, Tensor],
    question: Question,
    rng: torch.Generator,
    going_on: float = GOING_ON,
) -> Tensor:
    """Run the rounds of one batch and add up their losses.

    First prompts (boxes for some objects, clicks for the others) in both planes (an object that is in the
    first alone is asked for there twice), corrective clicks on fewer and fewer of them, and the first
    plane's masks carried over to the second, where objects may have ended. Where the encoder groups cells,
    more objects teach it that. Nothing here waits for a GPU, and all shapes follow from those of the
    question and from `rng`.

    Parameters
    ----------
    model : Sam
        In training mode.
    features : mapping of str to Tensor
        What its encoder makes of the question's pixels.
    question : Question
        What is asked.
    rng : Generator
        Where chance comes from; masks and clicks draw from torch's own.
    going_on : float
        Part of the objects that is corrected once more after each round.
    """
    extra: Tensor | float = cells_loss(features, question) if GROUPING in features else 0.0
    (first, second), n_pairs, n = question.masks, len(question.pixels) // 2, len(question.pair)
    goes_on = second.flatten(1).any(dim=1)
    masks = torch.cat([first, torch.where(goes_on[:, None, None], second, first)])
    image = torch.cat([question.pair, question.pair + goes_on * n_pairs])
    answers = _Answers()
    shown: Tensor | None = None
    for with_box, some in _by_prompt(2 * n, rng, masks.device):
        view, own = views(model, features, image[some]), masks.index_select(0, some)
        logits = _first_rounds(view, own, (with_box, going_on), rng, answers)
        shown = logits.new_zeros(2 * n, *logits.shape[-2:]) if shown is None else shown
        shown = shown.index_copy(0, some, logits)
    if shown is not None:
        view = views(model, features, question.pair + n_pairs)
        _carry_round(view, question.masks, shown[:n], rng, answers)
    return torch.as_tensor(answers.loss() + extra)


def cells_loss(features: Mapping[str, Tensor], question: Question) -> Tensor:
    """Give the loss of what single cells of the finest level say about their objects."""
    return grouping_loss(features[GROUPING].index_select(0, question.cells_image), question.cells, 3)


def _by_prompt(n: int, rng: torch.Generator, device: torch.device) -> list[tuple[bool, Tensor]]:
    """Say who is asked for by a box and who by a click: half each, or many all in one way."""
    order = torch.rand(n, device=device).argsort()
    if n > MANY:
        return [(chance(0.5, rng), order)]
    return [
        (with_box, half)
        for with_box, half in zip((True, False), order.tensor_split(2), strict=True)
        if len(half)
    ]


def _first_rounds(
    view: View, masks: Tensor, how: tuple[bool, float], rng: torch.Generator, answers: _Answers
) -> Tensor:
    """Prompt afresh and correct up to seven times, fewer objects each time; the last logits ``(N, h, w)``.

    `how` is whether the first prompt is a box, and the part of the objects that goes on after each round.
    """
    with_box, share = how
    looseness = uniform(0.0, 0.06, rng)
    prompts = draw_boxes(masks, looseness, slack=SLACK) if with_box else draw_clicks(masks, cell=4)
    decoded = view.decode(prompts)
    answers.add(decoded, masks)
    last = chosen = shown_logits(decoded, prompts)
    if view.model.looks_again:
        last = chosen = _look_again(view, prompts, chosen, masks, rng, answers)
    left = torch.arange(len(masks), device=masks.device)
    for _ in range(whole(2, N_CORRECTIONS, rng) if len(masks) > MANY else N_CORRECTIONS):
        going_on = draw_some(len(left), share, rng, masks.device)
        if not len(going_on):
            break
        left, view, prompts = left[going_on], view.only(going_on), prompts.only(going_on)
        prompts = correct(prompts, chosen[going_on], masks[left])
        decoded = view.decode(prompts)
        answers.add(decoded, masks[left])
        chosen = shown_logits(decoded, prompts)
        last = last.index_copy(0, left, chosen)
    return last


def _look_again(
    view: View, prompts: Prompts, shown: Tensor, masks: Tensor, rng: torch.Generator, answers: _Answers
) -> Tensor:
    """Give some of the first answers back to the model with the same prompts; the logits after that."""
    some = draw_some(len(shown), LOOKED_AT_AGAIN, rng, shown.device)
    if not len(some):
        return shown
    again = look_again(prompts.only(some), shown[some], masks.shape[-1], uniform(0.0, 0.08, rng))
    decoded = view.only(some).decode(again)
    answers.add(decoded, masks[some])
    return shown.index_copy(0, some, decoded.mask_logits.detach().float()[:, 0])


def shown_logits(decoded: Decoded, prompts: Prompts) -> Tensor:
    """Give the logits that a user sees: after one click the best candidate, else the single mask."""
    logits = decoded.mask_logits.detach().float()
    if prompts.points_xy.shape[1] == 1:
        return best_logits(logits, decoded.iou_scores)
    return logits[:, 0]


def _carry_round(view: View, masks: Tensor, hints: Tensor, rng: torch.Generator, answers: _Answers) -> None:
    """Carry masks from the first plane to the second; at times the true ones, worn."""
    if chance(0.35, rng):
        hints = wear(masks[0], hints.shape[-1], rng)
    prompts = carry_over(
        hints,
        masks.shape[-1],
        margin=uniform(0.0, 0.12, rng),
        use_box=chance(0.85, rng),
        use_point=chance(0.75, rng),
        use_mask=chance(0.85, rng),
    )
    answers.add(view.decode(prompts), masks[1])
