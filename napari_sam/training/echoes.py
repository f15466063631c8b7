"""Ultrasound: speckle in layers of tissue, lesions with soft borders, shadows, and the fan."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_sam.training.canvas import Canvas
from napari_sam.training.fields import blur, chance, noise_pairs, octaves, uniform, unit_grid, whole
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import Lump, Patch, Pose, lay_frame

RAGGED_SHARE = 0.35
"""How often there is a large ragged tumour, too."""


def ultrasound(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw lesions or organs in layers; the sound comes from above."""
    canvas = Canvas(lay_frame(hw, Pose(bend=uniform(0.1, 0.4, rng), flip=chance(0.5, rng)), rng), rng)
    echo, shade = _layers(canvas), torch.zeros_like(canvas.frame.y)
    dark = uniform(0.02, 0.3, rng)
    for _ in range(whole(1, 3, rng)):
        size = math.exp(uniform(math.log(0.07), math.log(0.55), rng))
        place = uniform(-0.55, 0.6, rng), uniform(-0.7, 0.7, rng)
        ry = size * uniform(0.45, 1.0, rng)
        lump = Lump(*place, ry, size, uniform(-0.4, 0.4, rng), uniform(0.02, 0.25, rng))
        patch = canvas.depth(lump)
        canvas.fill(patch, canvas.new("lesion"))
        _soften(
            canvas, echo, patch, dark * uniform(0.5, 2.0, rng) if chance(0.85, rng) else uniform(1.5, 4, rng)
        )
        if chance(0.6, rng):
            shade = shade + _below(canvas, lump) * uniform(-2.0, 1.2, rng)
    if chance(RAGGED_SHARE, rng):
        _paint_ragged(canvas, echo, dark)
    return canvas.scene("ultrasound", _listen(canvas, echo * torch.exp(shade)))


def _soften(canvas: Canvas, echo: Tensor, patch: Patch, tone: float) -> None:
    """Give what lies in a patch a loudness, with a soft and at times a bright border."""
    rng = canvas.rng
    deepest = float(patch.depth.max().clamp(min=0.01)) if patch.depth.numel() else 0.01
    soft = torch.sigmoid(patch.depth / (deepest * uniform(0.02, 0.15, rng)))
    here = patch.of(echo)
    here.mul_(1 - soft).add_(soft * tone)
    if chance(0.35, rng):  # a bright border
        rim = torch.exp(-((patch.depth / (0.06 * deepest)) ** 2))
        here.add_(rim * uniform(0.5, 2.0, rng))


def _paint_ragged(canvas: Canvas, echo: Tensor, dark: float) -> None:
    """Paint a large ragged tumour of several lumps, its shadow at times a part of it, as people draw it."""
    rng = canvas.rng
    y, x, size = uniform(-0.5, 0.1, rng), uniform(-0.4, 0.4, rng), uniform(0.15, 0.5, rng)
    depth = torch.full_like(echo, -1.0)
    lumps = []
    for _ in range(whole(2, 5, rng)):
        radius = size * uniform(0.4, 1.0, rng)
        at = y + uniform(-0.5, 0.5, rng) * size, x + uniform(-0.7, 0.7, rng) * size
        lumps.append(Lump(*at, radius * uniform(0.5, 1.0, rng), radius, uniform(-0.6, 0.6, rng), 0.3))
    if chance(0.4, rng):  # what it hides
        reach = uniform(0.4, 1.0, rng)
        lumps.append(Lump(y + reach, x, reach, size * uniform(0.3, 0.8, rng), 0.0, 0.15, True))
    label, core = canvas.new("lesion", whole=True), uniform(0.3, 1.0, rng)
    for lump in lumps:
        patch = canvas.depth(lump)
        canvas.fill(patch, label)
        patch.of(depth).copy_(torch.maximum(patch.of(depth), patch.depth))
    everywhere = Patch(slice(0, echo.shape[1]), slice(0, echo.shape[2]), depth)
    _soften(canvas, echo, everywhere, dark * uniform(0.7, 2.5, rng))
    echo.mul_(1 - (1 - core) * torch.sigmoid((depth - uniform(0.0, 0.3, rng) * size) / (0.1 * size)))


def _below(canvas: Canvas, lump: Lump) -> Tensor:
    """Give what lies in a lump's shadow, from 0 to 1; ``(2, H, W)``."""
    y, x = canvas.frame.y, canvas.frame.x
    beside = (lump.rx * 0.9 - (x - lump.x).abs()) / (0.15 * lump.rx)
    return torch.sigmoid(beside) * torch.sigmoid((y - lump.y - 0.5 * lump.ry) / (0.3 * lump.ry))


def _layers(canvas: Canvas) -> Tensor:
    """Draw how loud layers of skin, fat, gland and muscle are, with bright fibres; ``(2, H, W)``."""
    rng, hw = canvas.rng, canvas.frame.hw
    y = canvas.frame.y + 0.05 * noise_pairs(1, hw, uniform(1.5, 4.0, rng), 0.2, rng)[0]
    echo = torch.full_like(y, uniform(0.3, 1.0, rng))
    for _ in range(whole(1, 4, rng)):
        echo = torch.where(y > uniform(-0.9, 0.9, rng), math.exp(uniform(-1.2, 0.4, rng)), echo)
    flat = noise_pairs(1, hw, uniform(8, 25, rng), 0.2, rng)[0]
    fibre = torch.sin(y * uniform(15, 60, rng) + flat)
    echo = echo * torch.exp(uniform(0.0, 0.8, rng) * fibre * torch.sigmoid(3 * flat))
    if chance(0.6, rng):
        echo = echo * torch.exp(uniform(0.5, 1.6, rng) * _fibres(hw, rng))
    lobules = octaves(hw, uniform(3, 12, rng), 2, rng)
    echo = echo * torch.exp(lobules * uniform(0.1, 0.7, rng))
    return torch.where(y < -0.95 + uniform(0.0, 0.1, rng), 1.5, echo)


def _fibres(hw: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Draw bright threads that lie across the sound, long and thin; 0 to 1, ``(2, H, W)``."""
    narrow = (hw[0], max(8, round(hw[1] / uniform(2.5, 6.0, rng))))
    field = noise_pairs(1, narrow, uniform(8, 22, rng), 0.2, rng)
    field = torch.nn.functional.interpolate(field, size=hw, mode="bilinear", align_corners=False)[0]
    return torch.exp(-((field / uniform(0.12, 0.35, rng)) ** 2))


def _listen(canvas: Canvas, echo: Tensor) -> Tensor:
    """Make speckle of the echoes, wider across than along the sound, compress, and cut the fan."""
    rng, (height, width) = canvas.rng, canvas.frame.hw
    scatter = torch.randn(4, height, width, generator=rng, device=rng.device)
    grain = uniform(0.5, 1.3, rng) * max(height, width) / 256
    scatter = blur(scatter, grain)
    across = uniform(1.0, 3.6, rng)
    coarse = scatter[:, :, :: max(1, round(across))]
    scatter = torch.nn.functional.interpolate(coarse[None], size=(height, width), mode="bilinear")[0]
    loud = scatter[::2].square().addcmul_(scatter[1::2], scatter[1::2]).sqrt_()
    fine = uniform(0.35, 1.0, rng)
    loud = (loud / (loud.mean() + 1e-6)) ** fine * blur(echo, uniform(0.5, 1.5, rng)).clamp(min=1e-3)
    y = canvas.frame.y
    loud = loud * torch.exp(-uniform(0.0, 0.9, rng) * (y + 1))
    reach = uniform(25, 55, rng)
    top = float(loud.mean()) * uniform(2.5, 7.0, rng)
    image = (1 + 20 * torch.log10(loud.clamp(min=1e-4) / top) / reach).clamp(0, 1)
    image = blur(image, uniform(0.3, 0.9, rng))
    if chance(0.4, rng):
        image = image * _fan(canvas)
    return image.unsqueeze(1).expand(-1, 3, -1, -1)


def _fan(canvas: Canvas) -> Tensor:
    """Cut a sector with its apex above the picture, and the labels with it; ``(H, W)``."""
    rng = canvas.rng
    y, x = unit_grid(canvas.frame.hw, rng.device)
    apex, half = uniform(-1.6, -0.95, rng), uniform(0.5, 1.1, rng)
    angle, away = torch.atan2(x, y - apex), torch.hypot(x, y - apex)
    inside = (angle.abs() < half) & (away < uniform(0.85, 1.0, rng) - apex) & (away > -0.9 - apex)
    canvas.labels.mul_(inside)
    return inside.float()
