"""X-ray pictures: everything along the beam adds up, so that ribs cross the lungs and the heart.

The thickness of soft tissue, air and bone is summed over the body; the lungs are objects each and as
a pair, the heart and, in limbs, the bones are too.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_sam.training.canvas import Canvas, near
from napari_sam.training.fields import blur, chance, octaves, uniform, whole
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import LASTING, Lump, Patch, Pose, lay_frame


def chest_film(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a chest from the front."""
    scale = uniform(0.9, 1.35, rng)
    pose = Pose(
        scale, uniform(-0.08, 0.08, rng), (0.0, 0.0), chance(0.5, rng), uniform(0.95, 1.15, rng), 0.08
    )
    canvas = Canvas(lay_frame(hw, pose, rng), rng)
    y, x = canvas.frame.y, canvas.frame.x
    trunk = (0.95 - x.abs() - 0.15 * (y + 0.2).clamp(max=0).abs()).clamp(min=0)
    soft = 1.3 * (1 - torch.exp(-4 * trunk))
    soft = soft + uniform(0.1, 0.6, rng) * torch.sigmoid((y - 0.5) * 9)
    both, lungs = canvas.new("lung", whole=True), []
    for side in (-1, 1):
        patch = _lung_field(canvas, side)
        canvas.fill(patch, canvas.new("lung", parent=both))
        thick = 1 - torch.exp(-patch.depth.clamp(min=0) / uniform(0.04, 0.12, rng))
        patch.of(soft).sub_(thick * uniform(0.75, 0.95, rng))
        lungs.append(patch)
    heart = canvas.depth(near(rng, (0.22, 0.13), (0.26, 0.27), 0.5, 0.04, LASTING))
    shadow = 1 - torch.exp(-heart.depth.clamp(min=0) / 0.06)
    heart.of(soft).add_(shadow * uniform(0.2, 0.55, rng))
    canvas.fill(heart, canvas.new("heart"))
    bone = _cage(canvas)
    vessels = octaves(hw, uniform(8, 20, rng), 3, rng).abs() * uniform(0.0, 0.12, rng)
    dense = soft + bone * uniform(0.15, 0.45, rng) + vessels
    return canvas.scene("film", _expose(canvas, dense))


def _lung_field(canvas: Canvas, side: int) -> Patch:
    """Cut a lung: narrow apex, wide base on a domed diaphragm, straight towards the middle."""
    rng = canvas.rng
    reach, height = uniform(0.3, 0.38, rng), uniform(0.55, 0.68, rng)
    middle = side * (reach + uniform(0.06, 0.14, rng))
    low = uniform(0.05, 0.2, rng)
    lump = Lump(low, middle, height + low, reach, side * uniform(-0.12, 0.02, rng), 0.02, False, LASTING, 0.1)
    patch = canvas.depth(lump)
    y, x = patch.of(canvas.frame.y), patch.of(canvas.frame.x)
    dome = uniform(0.38, 0.52, rng) + uniform(0.3, 1.2, rng) * (x - middle) ** 2 - y
    hilum = side * x - uniform(0.05, 0.12, rng)
    depth = torch.minimum(torch.minimum(patch.depth, dome), hilum)
    if side == 1 and chance(0.8, rng):  # room for the heart
        depth = torch.minimum(depth, side * x - 0.1 - 0.25 * torch.exp(-(((y - 0.25) / 0.22) ** 2)))
    return patch.with_depth(depth)


def _cage(canvas: Canvas) -> Tensor:
    """Draw how much bone lies along the beam: ribs, back and front, collar bones, spine."""
    rng = canvas.rng
    y, x = canvas.frame.y, canvas.frame.x
    away = x.abs()
    every, phase = uniform(0.11, 0.17, rng), uniform(0, 1, rng)
    bone = torch.zeros_like(y)
    bows = y - uniform(0.5, 1.4, rng) * (away - 0.3) ** 2, y + uniform(0.4, 0.9, rng) * away * (1.2 - away)
    for bow, strength in zip(bows, (1.0, uniform(0.2, 0.6, rng)), strict=True):
        wave = torch.cos((bow / every + phase) * 2 * math.pi)
        rib = torch.sigmoid((wave - uniform(0.2, 0.6, rng)) * 9)
        bone = bone + strength * rib * (away < 0.78) * (away > 0.08) * torch.sigmoid((0.5 - y) * 8) * (
            y > -0.75
        )
    collar = (y + 0.62 - 0.25 * (away - 0.35)).abs()
    bone = bone + 1.2 * torch.sigmoid((0.028 - collar) * 120) * (away > 0.08) * (away < 0.75)
    spine = torch.sigmoid((uniform(0.06, 0.1, rng) - away) * 60)
    return bone + spine * (1.2 + 0.3 * torch.cos(y * uniform(25, 40, rng)))


def limb_film(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw long bones with a marrow space and joints, in soft tissue."""
    pose = Pose(
        uniform(0.8, 1.6, rng), uniform(0, 2 * math.pi, rng), (0, 0), False, 1.0, uniform(0.05, 0.25, rng)
    )
    canvas = Canvas(lay_frame(hw, pose, rng), rng)
    dense = torch.zeros_like(canvas.frame.y)
    flesh = canvas.depth(Lump(0, 0, 2.0, uniform(0.4, 0.8, rng), 0.0, 0.05, True, LASTING))
    flesh.of(dense).add_((flesh.depth.clamp(min=0) * 2).sqrt() * 0.4)
    n_rows, joint = whole(1, 3, rng), uniform(-0.4, 0.4, rng)
    for row in range(n_rows):
        for end in (-1, 1):
            thick = uniform(0.08, 0.2, rng) / math.sqrt(n_rows)
            x = (row - (n_rows - 1) / 2) * uniform(0.3, 0.45, rng)
            bone = canvas.new("bone")
            shaft = Lump(joint + end * 0.82, x, 0.8, thick, 0.0, 0.03, True, LASTING)
            knob = Lump(joint + end * 0.12, x, 0.11, thick * uniform(1.2, 1.9, rng), 0.0, 0.08, True, LASTING)
            for lump in (shaft, knob):
                patch = canvas.depth(lump)
                canvas.fill(patch, bone)
                wall = patch.depth / (0.3 * thick)
                edge = torch.sigmoid(wall * 12)
                profile = edge * (1.2 - 0.45 * wall.clamp(0, 2).sub(0.5).clamp(min=0))
                here = patch.of(dense)
                here.copy_(torch.maximum(here, profile * uniform(0.7, 1.1, rng)))
    return canvas.scene("film", _expose(canvas, dense))


def _expose(canvas: Canvas, dense: Tensor) -> Tensor:
    """Turn thickness into grey: dense is bright, or dark as on a screen."""
    rng, hw = canvas.rng, canvas.frame.hw
    dense = blur(dense, uniform(0.4, 1.2, rng) * max(hw) / 256)
    dense = dense + octaves(hw, uniform(2, 8, rng), 3, rng) * uniform(0.0, 0.06, rng)
    low, high = torch.quantile(dense[0, ::4, ::4].flatten(), torch.tensor([0.02, 0.98], device=rng.device))
    grey: Tensor = ((dense - low) / (high - low + 1e-4)).clamp(0, 1) ** uniform(0.6, 1.3, rng)
    grey = grey + torch.randn(grey.shape, generator=rng, device=rng.device) * uniform(0.0, 0.04, rng)
    grey = grey if chance(0.85, rng) else 1 - grey
    return grey.clamp(0, 1).unsqueeze(1).expand(-1, 3, -1, -1)
