"""The newest click is obeyed: an outline that has it on the wrong side moves past it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_sam.engine.frame import Frame
from napari_sam.engine.model_prompts import ModelPrompts
from napari_sam.models.prompt_encoder import POSITIVE

__all__ = ["obeying"]

LEAST_LOGIT = 0.25
"""On the click's own side of the outline; below, a click may be lost when the mask is drawn in pixels."""

GIVEN_LOGIT = 1.0
"""What the click gets that had less."""

SPREAD, LEAST_SPREAD = 0.1, 1.2
"""Spread of what is added, in radii of the disc of the answer's area, and at least in cells."""


def obeying(logits: Tensor, frames: Sequence[Frame], asked: Sequence[ModelPrompts]) -> Tensor:
    """Raise or lower answers around the newest click where they have it wrong, and leave all others.

    What is added is a bell curve, so that the outline moves past the click and farther where it was near.

    Parameters
    ----------
    logits : Tensor
        ``(N, h, w)`` low-resolution logits of the answers.
    frames : sequence of Frame
        How the planes lie in the model's input.
    asked : sequence of ModelPrompts
        What was answered.

    Returns
    -------
    Tensor
        ``(N, h, w)``.
    """
    rows = [_obeying(own, frame, one) for own, frame, one in zip(logits, frames, asked, strict=True)]
    return torch.stack(rows)


def _obeying(logits: Tensor, frame: Frame, prompts: ModelPrompts) -> Tensor:
    clicks = prompts.clicks_xy
    if not clicks:
        return logits
    sign = 1.0 if prompts.labels[len(clicks) - 1] == POSITIVE else -1.0
    place = (torch.tensor(clicks[-1], device=logits.device) + 0.5) / frame.side  # of the padded input
    told = sign * _at(logits, place)
    if told >= LEAST_LOGIT:
        return logits
    spread = max(LEAST_SPREAD, SPREAD * math.sqrt(float((logits > 0).sum()) / math.pi))
    across, down = (
        torch.exp(-((torch.arange(n, device=logits.device) + 0.5 - at * n) ** 2) / (2 * spread**2))
        for n, at in zip(reversed(logits.shape), place, strict=True)
    )
    added = down[:, None] * across
    return logits + sign * (GIVEN_LOGIT - told) / _at(added, place) * added


def _at(logits: Tensor, place: Tensor) -> float:
    """Look a place ``(x, y)``, 0 to 1, up between the cells; beyond the outer cells' middles they go on."""
    where = (2 * place - 1)[None, None, None]
    return float(F.grid_sample(logits[None, None], where, padding_mode="border", align_corners=False))
