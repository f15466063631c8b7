"""From things before a ground to a photograph: light, shadows, mirrors, what moves, lens and camera.

None of it is the object: a shadow or a mirrored image on wet ground belongs to the ground, and what is
smeared by its own motion is where it was in the middle of the exposure.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_sam.training.fields import blur, chance, smooth_noise, uniform, unit_grid, whole
from napari_sam.training.things.easel import Easel

MOVING_SHARE = 0.15
"""How often a thing is smeared by its own motion."""

MIRRORED_SHARE = 0.1
"""How often a thing is mirrored on the ground that it stands on."""

LYING_SHARE = 0.5
"""How often shadows lie on the ground from the things' feet; else they are cast on a wall behind."""


def develop(easel: Easel, ground: Tensor, rng: torch.Generator) -> Tensor:
    """Light, shade and take a photograph.

    Parameters
    ----------
    easel : Easel
        The things.
    ground : Tensor
        ``(2, 3, H, W)``, 0 to 1.
    rng : torch.Generator
        Where chance comes from.

    Returns
    -------
    Tensor
        ``(2, 3, H, W)``, 0 to 1.
    """
    hw, labels = easel.hw, easel.labels
    side = uniform(-math.pi, 0.2, rng)
    slant = uniform(0.2, 0.9, rng)
    light = slant * math.sin(side), slant * math.cos(side), math.sqrt(1 - slant * slant)
    some = _some_things(labels, rng)
    if chance(0.65, rng):
        if chance(LYING_SHARE, rng):
            for label in some:
                ground = _lay_shadow(ground, labels == label, rng)
        else:
            ground = _cast_shadows(ground, labels, light, rng)
    image = easel.paint(ground, light, uniform(0.15, 0.75, rng))
    if some and chance(MIRRORED_SHARE, rng):
        image = _mirror(image, labels, some[0], rng)
    if some and chance(MOVING_SHARE, rng):
        image = _smear(image, ground, labels == some[0], rng)
    if chance(0.3, rng):  # spots of sun and shade
        dapple = torch.sigmoid(4 * smooth_noise(1, hw, uniform(2, 10, rng), rng)[0])
        image = image * (1 - uniform(0.1, 0.6, rng) * dapple)
    return _expose(image, rng)


def _some_things(labels: Tensor, rng: torch.Generator) -> list[int]:
    """Choose up to two of the things in the first plane, larger ones rather."""
    areas = torch.bincount(labels[0, ::2, ::2].flatten()).float()
    areas[0] = 0.0
    n_there = int((areas > 0).sum())
    if not n_there:
        return []
    return [int(i) for i in torch.multinomial(areas, min(2, n_there), generator=rng)]


def _lay_shadow(ground: Tensor, solid: Tensor, rng: torch.Generator) -> Tensor:
    """Darken the ground where a thing ``(2, H, W)`` keeps the light off: its shape, leaning and flat."""
    hw = (solid.shape[1], solid.shape[2])
    rows = torch.nonzero(solid[0].any(dim=1))[:, 0]
    if not len(rows):
        return ground
    small = F.avg_pool2d(solid.float()[:, None], 2, ceil_mode=True)
    feet = 2 * (int(rows[-1]) - uniform(0.0, 0.12, rng) * len(rows)) / hw[0] - 1
    height, lean = uniform(0.1, 0.6, rng) * (1 if chance(0.6, rng) else -1), uniform(-1.2, 1.2, rng)
    turned = torch.tensor(
        [[1.0, -lean, lean * feet], [0.0, -1 / height, feet + feet / height]], device=ground.device
    )
    at = F.affine_grid(turned.expand(2, 2, 3), list(small.shape), align_corners=False)
    soft = blur(F.grid_sample(small, at, align_corners=False)[:, 0], uniform(0.4, 3.5, rng))
    soft = F.interpolate(soft[:, None], scale_factor=2, mode="bilinear", align_corners=False)
    return ground * (1 - uniform(0.15, 0.75, rng) * soft[:, :, : hw[0], : hw[1]])


def _cast_shadows(
    ground: Tensor, labels: Tensor, light: tuple[float, float, float], rng: torch.Generator
) -> Tensor:
    """Darken the ground away from the light."""
    hw = (labels.shape[1], labels.shape[2])
    solid = F.avg_pool2d((labels > 0).float()[:, None], 2, ceil_mode=True)
    reach = uniform(0.01, 0.12, rng) * max(hw) / 2
    solid = torch.roll(solid[:, 0], (round(-light[0] * reach), round(-light[1] * reach)), dims=(1, 2))
    solid = blur(solid, uniform(0.5, 4.0, rng))
    soft = F.interpolate(solid[:, None], scale_factor=2, mode="bilinear", align_corners=False)
    return ground * (1 - uniform(0.1, 0.7, rng) * soft[:, :, : hw[0], : hw[1]])


def _mirror(image: Tensor, labels: Tensor, label: int, rng: torch.Generator) -> Tensor:
    """Show a thing upside down below its feet, paler with depth, on wet ground or a polished table."""
    strength, fade = uniform(0.25, 0.8, rng), uniform(0.5, 3.0, rng)
    image = image.clone()
    for plane in (0, 1):
        mine = labels[plane] == label
        rows = torch.nonzero(mine.any(dim=1))[:, 0]
        if not len(rows):
            continue
        feet = int(rows[-1]) + 1
        n_rows = min(feet, labels.shape[1] - feet, len(rows))
        if n_rows < 2:
            continue
        above, below = slice(feet - n_rows, feet), slice(feet, feet + n_rows)
        depth = torch.arange(n_rows, device=image.device) / len(rows)
        share = (
            strength * torch.exp(-fade * depth)[:, None] * mine[above].flip(0) * (labels[plane, below] == 0)
        )
        image[plane, :, below] = torch.lerp(image[plane, :, below], image[plane, :, above].flip(1), share)
    return image


def _smear(image: Tensor, ground: Tensor, mine: Tensor, rng: torch.Generator) -> Tensor:
    """Smear a thing ``(2, H, W)`` along its motion over the ground."""
    turn, far = uniform(0, math.pi, rng), uniform(0.008, 0.04, rng) * max(mine.shape)
    steps = [
        (round(s * far * math.sin(turn)), round(s * far * math.cos(turn))) for s in (-1, -0.5, 0, 0.5, 1)
    ]
    solid = mine[:, None].float()
    alone = image * solid
    share, moved = torch.zeros_like(solid), torch.zeros_like(image)
    for step in steps:
        share += torch.roll(solid, step, (2, 3))
        moved += torch.roll(alone, step, (2, 3))
    behind = torch.where(mine[:, None], ground, image)
    return behind * (1 - share / len(steps)) + moved / len(steps)


def _expose(image: Tensor, rng: torch.Generator) -> Tensor:
    """Lens and camera: blur, vignette, cast of colour, contrast, blocks, grey; 0 to 1."""
    hw = (image.shape[2], image.shape[3])
    image = blur(image.flatten(0, 1), uniform(0.3, 1.0, rng) * max(hw) / 256).reshape(image.shape)
    if chance(0.15, rng):  # the camera shakes
        shift = (whole(0, 2, rng), whole(1, 3, rng))
        image = (
            image + torch.roll(image, shift, (2, 3)) + torch.roll(image, (-shift[0], -shift[1]), (2, 3))
        ) / 3
    if chance(0.25, rng):
        yy, xx = unit_grid(hw, rng.device)
        image = image * (1 - uniform(0.1, 0.6, rng) * (yy * yy + xx * xx))
    cast = 1 + torch.randn(3, generator=rng, device=rng.device) * (0.15 if chance(0.3, rng) else 0.04)
    gain = (
        uniform(0.28, 0.65, rng) / image.mean().clamp(min=0.02)
        if chance(0.7, rng)
        else uniform(0.75, 1.25, rng)
    )
    image = (image * (cast * gain).view(1, 3, 1, 1)).clamp_(0, 1)
    if chance(0.25, rng):
        low = uniform(0, 0.4, rng)
        image.mul_(uniform(0.3, 1 - low, rng)).add_(low)
    if chance(0.15, rng):
        image = _compress(image, uniform(0.015, 0.12, rng))
    if chance(0.1, rng):
        image = image.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    elif chance(0.35, rng):  # dull weather
        image = torch.lerp(image.mean(dim=1, keepdim=True), image, uniform(0.25, 0.9, rng))
    return image


def _compress(image: Tensor, step: float) -> Tensor:
    """Round the frequencies of blocks of 8 by 8 pixels, the high ones more coarsely, as JPEG does."""
    height, width = image.shape[2:]
    padded = F.pad(image, (0, -width % 8, 0, -height % 8), mode="replicate")
    rows, columns = padded.shape[2] // 8, padded.shape[3] // 8
    blocks = padded.reshape(2, -1, rows, 8, columns, 8).transpose(3, 4)
    order = torch.arange(8, device=image.device, dtype=torch.float32)
    waves = torch.cos(math.pi * order[:, None] * (order[None] + 0.5) / 8) / 2
    waves[0] = math.sqrt(1 / 8)
    steps = step * (1 + order[:, None] + order[None])
    # one side of the blocks at a time, then turned: many small products in one
    rounded = ((blocks @ waves.T).transpose(-1, -2) @ waves.T).div_(steps).round_().mul_(steps)
    blocks = ((rounded @ waves).transpose(-1, -2) @ waves).transpose(3, 4)
    return blocks.reshape(padded.shape)[:, :, :height, :width].clamp(0, 1)
