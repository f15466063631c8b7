"""What boxes and clicks were answered, drawn anew at the object's own scale; see `napari_sam.models.refiner`.

All is done on the grid of the model's low-resolution logits: candidates are looked up there, and what the
refiner changes is added there, so that masks, hints and outlines are made of it as of any other answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_sam.engine.frame import Frame
from napari_sam.engine.model_prompts import ModelPrompts
from napari_sam.engine.squares import Square, looked_up
from napari_sam.models.prompt_encoder import POSITIVE
from napari_sam.models.refiner import CROP_SIDE, HELD, MOST_CLICKS, NOWHERE, Refiner, Refiners, Seen

__all__ = ["refine", "see", "square_for"]

SHARE = 0.6
"""How much of what the refiner changes is taken of boxes alone; the rest stays as the model has it."""

SHARES, UNSURE, SURE_OF_IT = (0.4, 0.8), 0.8, 0.9
"""The same with clicks: the larger one up to the first predicted IoU, the smaller one from the second on."""

CLICK_PX = 2.0
"""Room around clicks, in pixels of the model's input."""


def square_for(frame: Frame, prompts: ModelPrompts, answer: Tensor) -> Square:
    """Lay a square around a box; where there are clicks, around all that was asked and answered.

    Parameters
    ----------
    frame : Frame
        How the plane lies in the model's input.
    prompts : ModelPrompts
        Box, clicks, or both.
    answer : Tensor
        ``(h, w)`` low-resolution logits of the model's padded input.
    """
    clicks, box = prompts.clicks_xy, prompts.box_xy
    corners = [*box]
    if clicks:
        corners += [(x - CLICK_PX, y - CLICK_PX) for x, y in clicks]
        corners += [(x + CLICK_PX, y + CLICK_PX) for x, y in clicks]
        corners += _corners(answer > 0, frame.side)
    xs, ys = zip(*corners, strict=True)
    return Square.around(frame, ((min(xs), min(ys)), (max(xs), max(ys))))


def _corners(is_in: Tensor, side: int) -> list[tuple[float, float]]:
    """Give two corners of what lies around marked cells, in pixels of an input; none where none is marked."""
    if not is_in.any():
        return []
    rows, cols = (is_in.any(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    down, across = (side / n for n in is_in.shape)
    first = float(cols[0]) * across - 0.5, float(rows[0]) * down - 0.5
    return [first, (float(cols[-1] + 1) * across - 0.5, float(rows[-1] + 1) * down - 0.5)]


def see(
    planes: Sequence[NDArray[np.uint8]],
    frames: Sequence[Frame],
    asked: Sequence[ModelPrompts],
    logits: Tensor,
    scores: Tensor,
) -> tuple[list[Square], Seen]:
    """Say where a refiner looks, and what it sees there.

    Parameters
    ----------
    planes : sequence of NDArray[uint8], shape (H, W) or (H, W, 3)
        One for each of ``N`` objects.
    frames : sequence of Frame
        How they lie in the model's input.
    asked : sequence of ModelPrompts
        What was answered; all with a mask, or none.
    logits : Tensor
        ``(N, 3, h, w)`` of the candidates, the answer so far first.
    scores : Tensor
        ``(N, 3)`` predicted IoU.

    Returns
    -------
    squares : list of Square
        Around each object.
    seen : Seen
        What there is in them, on the device of the logits.
    """
    squares = [square_for(frame, *one) for frame, *one in zip(frames, asked, logits[:, 0], strict=True)]
    device = logits.device
    boxes = torch.full((len(squares), 4), NOWHERE)
    clicks = torch.zeros(len(squares), MOST_CLICKS, 3)
    for row, (square, prompts) in enumerate(zip(squares, asked, strict=True)):
        if prompts.box_xy:
            boxes[row] = torch.tensor([square.seen_from(corner) for corner in prompts.box_xy]).flatten()
        newest = list(zip(prompts.clicks_xy, prompts.labels, strict=False))[-MOST_CLICKS:]
        for number, (at, label) in enumerate(newest):
            clicks[row, number] = torch.tensor([*square.seen_from(at), 1.0 if label == POSITIVE else -1.0])
    masks = [prompts.mask_logits for prompts in asked if prompts.mask_logits is not None]
    if masks:
        before = looked_up(squares, torch.stack(masks)[:, None].float().to(device))
    else:
        before = torch.zeros(len(squares), 1, CROP_SIDE, CROP_SIDE, device=device)
    pictures = torch.stack([square.picture(plane) for square, plane in zip(squares, planes, strict=True)])
    picture, box, click = (one.to(device) for one in (pictures, boxes, clicks))
    return squares, Seen(picture, box, click, looked_up(squares, logits), before, scores)


def refine(
    refiner: Refiner | Refiners, squares: Sequence[Square], seen: Seen, answers: Tensor
) -> tuple[Tensor, Tensor]:
    """Draw answers anew.

    Parameters
    ----------
    refiner : Refiner or Refiners
        One network or both, in evaluation mode.
    squares : sequence of Square
        Around each object.
    seen : Seen
        What there is in them.
    answers : Tensor
        ``(N, h, w)`` logits of the answers so far, which are the first of the candidates seen.

    Returns
    -------
    logits : Tensor
        ``(N, h, w)`` of the answers.
    scores : Tensor
        ``(N,)`` their predicted IoU.
    """
    low_hw = int(answers.shape[-2]), int(answers.shape[-1])
    found = refiner(seen)
    change = found.mask_logits - seen.candidates[:, 0].clamp(-HELD, HELD)
    places = torch.stack([square.places(low_hw) for square in squares]).to(answers.device)
    added = F.grid_sample(change[:, None], places, mode="bilinear", align_corners=False)
    own = (found.scores[:, 0].sigmoid() + seen.scores[:, 0]) / 2
    return answers.clamp(-HELD, HELD) + _shares(seen)[:, None, None] * added[:, 0], own


def _shares(seen: Seen) -> Tensor:
    """Say how much of each change is taken: with clicks less where the model is sure, ``(N,)``."""
    if not seen.clicks.any():
        return torch.full_like(seen.scores[:, 0], SHARE)
    least, most = SHARES
    doubt = (SURE_OF_IT - seen.scores[:, 0]) / (SURE_OF_IT - UNSURE)
    return least + (most - least) * doubt.clamp(0.0, 1.0)
