"""What a user would get of a model: figures on fixed batches of plane pairs that it is not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from napari_sam.models.grouping import GROUPING, masks_of_cells
from napari_sam.models.mask_decoder import Decoded
from napari_sam.models.sam import Sam
from napari_sam.training.batches import Batch
from napari_sam.training.interaction import Prompts, carry_over, correct, draw_boxes, draw_clicks
from napari_sam.training.losses import fine_iou
from napari_sam.training.rounds import shown_logits, views

ROOM = 0.1
"""What a roomy box leaves on each side of its object, as a part of its size."""


@torch.no_grad()
def measure(model: Sam, batches: Sequence[Batch], seed: int = 0) -> dict[str, float]:
    """Measure what a user would get from a box, clicks, and carrying a mask over.

    Returns
    -------
    dict of str to float
        ``box``, ``roomy_box`` (a tenth of its size larger on each side), ``point``, ``point_3`` (after two
        corrections), ``point_best`` (best of the three candidates) and ``carried``: mean IoU over objects.
        ``score_error``: mean absolute error of the predicted IoU of what is shown. ``presence_auc``: how
        well presence tells objects that go on from those that have ended, 0.5 for models that do not say.
        ``cell``: mean IoU of the grouping of the clicked cell alone, where the encoder groups.
    """
    torch.manual_seed(seed)
    sums: dict[str, list[Tensor]] = {}
    there_is: list[tuple[Tensor, Tensor]] = []
    for batch in batches:
        features = model.encode(batch.pixels)
        first, second = batch.masks[0], batch.masks[1]
        here, there = (views(model, features, batch.pair + i * batch.n_pairs) for i in (0, 1))
        prompts = draw_boxes(first, looseness=0.03)
        boxed = _note(sums, "box", here.answer(prompts), prompts, first)
        prompts = draw_boxes(first, looseness=0.03, margin=ROOM)
        decoded = here.answer(prompts)
        roomy = shown_logits(decoded, prompts)[:, None]
        sums.setdefault("roomy_box", []).append(fine_iou(roomy, first)[:, 0])
        prompts = draw_clicks(first, cell=4)
        if GROUPING in here.features:
            sums.setdefault("cell", []).append(_cell_iou(here.features[GROUPING], prompts, first))
        decoded = here.answer(prompts)
        sums.setdefault("point_best", []).append(
            fine_iou(decoded.mask_logits.float(), first)[:, 1:].amax(dim=1)
        )
        clicked = _note(sums, "point", decoded, prompts, first)
        for _ in range(2):
            prompts = correct(prompts, clicked, first)
            clicked = shown_logits(here.decode(prompts), prompts)
        sums.setdefault("point_3", []).append(fine_iou(clicked[:, None], first)[:, 0])
        prompts = carry_over(boxed, first.shape[-1], margin=0.05)
        decoded = there.decode(prompts)
        left = second.flatten(1).any(dim=1)
        carried = shown_logits(decoded, prompts)[:, None]
        sums.setdefault("carried", []).append(fine_iou(carried, second)[left, 0])
        if decoded.presence is not None:
            there_is.append((decoded.presence.float(), left))
    results = {name: float(torch.cat(values).mean()) for name, values in sums.items()}
    results["presence_auc"] = _auc(there_is)
    return results


def _note(
    sums: dict[str, list[Tensor]], name: str, decoded: Decoded, prompts: Prompts, masks: Tensor
) -> Tensor:
    """Note the IoU of what is shown and the error of its score; gives its logits."""
    is_click = prompts.points_xy.shape[1] == 1
    scores = decoded.iou_scores[:, 1:].amax(dim=1) if is_click else decoded.iou_scores[:, 0]
    shown = shown_logits(decoded, prompts)
    truth = fine_iou(shown[:, None], masks)[:, 0]
    sums.setdefault(name, []).append(truth)
    sums.setdefault("score_error", []).append((scores.float() - truth).abs())
    return shown


def _cell_iou(grouping: Tensor, prompts: Prompts, masks: Tensor) -> Tensor:
    side = grouping.shape[-1]
    xy = ((prompts.points_xy[:, :1] + 0.5) * side / masks.shape[-1]).long().clamp(0, side - 1)
    return fine_iou(masks_of_cells(grouping, xy[..., 1] * side + xy[..., 0]), masks)[:, 0]


def _auc(answers: Sequence[tuple[Tensor, Tensor]]) -> float:
    """Give the area under the curve of ``(score, truth)``: how often a true one is above a false one."""
    if not answers:
        return 0.5
    scores = torch.cat([score for score, _ in answers])
    truth = torch.cat([true for _, true in answers])
    yes, no = scores[truth], scores[~truth]
    if not len(yes) or not len(no):
        return 0.5
    above = (yes[:, None] > no[None]).float() + 0.5 * (yes[:, None] == no[None]).float()
    return float(above.mean())
