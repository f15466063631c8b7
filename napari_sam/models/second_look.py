"""A second look: the same question again, with the first answer as mask prompt.

The decoder sees its own mask, drawn on its finest grid, and can straighten it out, as cascades of
click-based segmentation do (Sofiiuk et al., "Reviving Iterative Training with Mask Guidance", 2022).
Where a click alone said what was meant, the first answer's box says now how large it is.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_sam.models.prompt_encoder import Columns, box_labels

MARGIN = 0.03
"""Part of its size by which the box of a first answer is grown."""


def boxes_of_logits(logits: Tensor, side: float, margin: float = MARGIN) -> Tensor:
    """Give the corners of the boxes around masks.

    Parameters
    ----------
    logits : Tensor
        ``(N, h, w)``; inside where above 0, and at the highest cell in any case.
    side : float
        Side of the model's input in pixels.
    margin : float
        Part of its size by which a box is grown on each side, at least a pixel of the input.

    Returns
    -------
    Tensor
        ``(N, 2, 2)``: first and second corner, x then y, in pixels of the input, whole at their centres.
    """
    inside = (logits > 0) | (logits >= logits.flatten(1).amax(dim=1)[:, None, None])
    cell = side / logits.shape[-1]
    edges = [_ends(inside.any(dim=axis)) for axis in (1, 2)]
    corners = torch.stack([torch.stack([low, high], dim=1) for low, high in edges], dim=2) * cell
    grow = (margin * (corners[:, 1] - corners[:, 0])).clamp(min=1.0)
    return torch.stack([corners[:, 0] - grow, corners[:, 1] + grow], dim=1).clamp(0, side) - 0.5


def _ends(marks: Tensor) -> tuple[Tensor, Tensor]:
    """Give the first marked cell and the one after the last of each of ``marks (N, L)``, as floats."""
    first = marks.int().argmax(dim=1)
    after = marks.shape[1] - marks.flip(1).int().argmax(dim=1)
    return first.float(), after.float()


def second_prompts(
    points_xy: Tensor,
    point_labels: Tensor,
    logits: Tensor,
    side: float,
    margin: float = MARGIN,
    columns: Columns | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Ask again.

    Parameters
    ----------
    points_xy, point_labels : Tensor
        ``(N, K, 2)`` and ``(N, K)``: what the first answer was given to.
    logits : Tensor
        ``(N, h, w)`` of the first answer.
    side, margin : float
        As `boxes_of_logits` takes them.
    columns : Columns, optional
        What the columns hold, where that is known.

    Returns
    -------
    tuple of Tensor
        Points, labels, and the mask prompt ``(N, 1, h, w)``. Where there was no box there is the answer's.
    """
    if (columns or Columns.of(point_labels)).has_box:
        return points_xy, point_labels, logits[:, None]
    corners = boxes_of_logits(logits, side, margin)
    labels = box_labels(point_labels, len(logits))
    return torch.cat([points_xy, corners], dim=1), torch.cat([point_labels, labels], dim=1), logits[:, None]
