"""Ultrasound: speckle in layers of tissue, lesions with soft borders, shadows, and the fan."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_sam.training.canvas import Canvas
from napari_sam.training.fields import blur, chance, noise_pairs, octaves, uniform, unit_grid, whole
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import Lump, Pose, lay_frame


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
        label = canvas.new("lesion")
        canvas.fill(patch, label)
        soft = torch.sigmoid(patch.depth / (ry * uniform(0.02, 0.15, rng)))
        tone = dark * uniform(0.5, 2.0, rng) if chance(0.85, rng) else uniform(1.5, 4.0, rng)
        here = patch.of(echo)
        here.mul_(1 - soft).add_(soft * tone)
        if chance(0.35, rng):  # a bright border
            rim = torch.exp(-((patch.depth / (0.06 * size)) ** 2))
            here.add_(rim * uniform(0.5, 2.0, rng))
        if chance(0.6, rng):
            shade = shade + _below(canvas, lump) * uniform(-2.0, 1.2, rng)
    return canvas.scene("ultrasound", _listen(canvas, echo * torch.exp(shade)))


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
    lobules = octaves(hw, uniform(3, 12, rng), 2, rng)
    echo = echo * torch.exp(lobules * uniform(0.1, 0.7, rng))
    return torch.where(y < -0.95 + uniform(0.0, 0.1, rng), 1.5, echo)


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
