"""Folds of the brain: a ribbon of grey matter of even thickness along furrows, white matter under it.

Furrows are the zero lines of a smooth field. The field over its slope is about the distance from
them, so that the ribbon is equally thick everywhere, as cortex is, and white matter forms thin
branching ridges that hang together in each half of the brain.
"""

from __future__ import annotations

import torch
from torch import Tensor

from napari_sam.training.canvas import Canvas
from napari_sam.training.fields import chance, uniform
from napari_sam.training.shapes import Patch

FURROW_DISTANCE = 0.09
"""Size of the field that furrows follow, in the body's lengths (of about 9 cm): folds are 1 to 2 cm wide."""

BRANCHING_SHARE = 0.5
"""How often furrows follow two fields, so that they branch and ridges are narrow."""


def paint_even_folds(canvas: Canvas, surface: Patch) -> int:
    """Paint grey and white matter within a surface; gives the brain's label.

    Grey and white matter are objects whole and by connected pieces: where the two halves do not
    hang together, the white matter of each is one, too.
    """
    rng = canvas.rng
    away = torch.minimum(_from_furrow(canvas, surface), _from_cleft(canvas, surface))
    thickness = uniform(0.026, 0.05, rng)  # 2.5 to 4.5 mm
    width = uniform(-0.012, 0.02, rng)  # closed in the young, open in the old
    brain = canvas.new("white", whole=True)
    all_white = canvas.new("white", parent=brain, whole=True)
    all_grey = canvas.new("grey", parent=brain, whole=True)
    canvas.fill(surface, canvas.new("white", parent=all_white))
    grey = torch.minimum(surface.depth, thickness + width - torch.minimum(away, surface.depth - 0.006))
    canvas.fill(surface.with_depth(grey), canvas.new("grey", parent=all_grey))
    if width > 0:
        fluid = torch.minimum(surface.depth, width - away)
        belongs = chance(0.5, rng)  # as people draw brains, with their furrows
        canvas.fill(
            surface.with_depth(fluid), canvas.new("csf", parent=brain if belongs else 0, target=False)
        )
    return brain


def _from_furrow(canvas: Canvas, surface: Patch) -> Tensor:
    """Give about the distance from the nearest furrow, which reaches down from the surface; ``(2, h, w)``."""
    rng, frame = canvas.rng, canvas.frame
    hw = (surface.depth.shape[1], surface.depth.shape[2])
    if min(hw) < 2:
        return torch.full_like(surface.depth, 1.0)
    aside = _from_zero(canvas, hw)
    if chance(BRANCHING_SHARE, rng):
        aside = torch.minimum(aside, _from_zero(canvas, hw))
    reach = uniform(0.12, 0.45, rng) * torch.exp(0.35 * frame.field(0.4, hw, rng))
    return torch.hypot(aside, (surface.depth - reach).clamp(min=0))


def _from_zero(canvas: Canvas, hw: tuple[int, int]) -> Tensor:
    """Give about the distance from the zero lines of a field; ``(2, h, w)``."""
    field = canvas.frame.field(FURROW_DISTANCE, hw, canvas.rng)
    pixel = 2 / (max(canvas.frame.hw) * canvas.frame.pose.scale)
    down, right = torch.gradient(field, spacing=pixel, dim=(1, 2))
    least = 0.3 / FURROW_DISTANCE  # where the field is flat, it is no distance
    return field.abs() / torch.sqrt(down * down + right * right + least * least)


def _from_cleft(canvas: Canvas, surface: Patch) -> Tensor:
    """Give the distance from the cleft between the halves, open all along or only in front and behind."""
    rng = canvas.rng
    bridge = uniform(0.25, 0.5, rng) if chance(0.6, rng) else 0.0
    within = (bridge - surface.of(canvas.frame.y).abs()).clamp(min=0)
    return torch.hypot(surface.of(canvas.frame.x), within)
