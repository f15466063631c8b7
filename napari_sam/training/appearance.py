"""Paint and degrade: from labels to a picture as a scanner, microscope or camera might give it."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_sam.training.fields import (
    blur,
    chance,
    looked_up,
    octaves,
    smooth_noise,
    uniform,
    unit_grid,
    whole,
)
from napari_sam.training.scene import Scene
from napari_sam.training.tissues import paint_tissues


def paint(scene: Scene, textures: Tensor | None, rng: torch.Generator) -> Tensor:
    """Give each label a grey or colour, a texture and, at times, an outline.

    Parameters
    ----------
    scene : Scene
        Labels of two planes ``(2, H, W)``.
    textures : Tensor or None
        ``(T, H, W)`` pieces of real pictures with zero mean and unit variance,
        used beside generated noise as the stuff that things are made of.
    rng : torch.Generator
        Where chance comes from.

    Returns
    -------
    Tensor
        ``(2, 3, H, W)`` float32, mostly within 0 to 1.
    """
    if scene.image is not None:
        return scene.image if textures is None else _cover(scene.image, scene.labels, textures[0], rng)
    if scene.tissues:
        return paint_tissues(scene, rng)
    labels = scene.labels
    hw = (labels.shape[1], labels.shape[2])
    n_labels = int(labels.max()) + 1
    n_channels = 3 if chance(0.5 if scene.kind == "figures" else 0.2, rng) else 1
    tones = _tones(scene, n_labels, n_channels, rng)
    image = torch.stack([looked_up(tone, labels) for tone in tones.T], dim=1)
    stuff = _stuff(hw, textures, rng)
    strength = torch.rand(n_labels, len(stuff), generator=rng, device=rng.device) ** 2
    strength = strength * uniform(0.0, 0.35, rng) * (0.5 if len(stuff) > 1 else 1.0)
    for share, field in zip(strength.T, stuff, strict=True):
        image.add_(looked_up(share, labels).mul_(field).unsqueeze(1))
    if scene.kind in ("cells", "rings") and chance(0.5, rng):
        image = _shade(image, labels, rng)
    if scene.kind == "figures" and chance(0.6, rng):
        image = _place_outdoors(image, labels, rng)
    if chance(0.25, rng):
        image = image + uniform(-0.5, 0.5, rng) * _outline(labels, rng).unsqueeze(1)
    return image.expand(-1, 3, -1, -1)


def _cover(image: Tensor, labels: Tensor, texture: Tensor, rng: torch.Generator) -> Tensor:
    """Lay the texture ``(H, W)`` of a real picture over a painted one, on each label more or less."""
    strength = torch.rand(int(labels.max()) + 1, generator=rng, device=rng.device) ** 2 * uniform(0, 0.4, rng)
    return (image * looked_up(strength, labels).mul_(texture).add_(1).unsqueeze(1)).clamp_(0, 1)


def _tones(scene: Scene, n_labels: int, n_channels: int, rng: torch.Generator) -> Tensor:
    """Draw ``(n_labels, n_channels)`` greys or colours as the kind of scene has them."""
    tones = torch.rand(n_labels, n_channels, generator=rng, device=rng.device)
    if scene.kind == "anatomy":
        spread = uniform(0.08, 0.5, rng)
        tones = (uniform(0.25, 0.75, rng) + (tones - 0.5) * spread).clamp(0, 1)
        bright = torch.rand(n_labels, generator=rng, device=rng.device)
        tones[bright > 0.93] = uniform(0.8, 1.0, rng)
        tones[bright < 0.05] = uniform(0.0, 0.15, rng)
        tones[0] = uniform(0.0, 0.2, rng) if chance(0.8, rng) else uniform(0.0, 1.0, rng)
    elif scene.kind == "figures" and chance(0.5, rng):
        for child, parent in scene.parents.items():
            if max(child, parent) < n_labels:
                tones[child] = (tones[parent] + (tones[child] - 0.5) * 0.5).clamp(0, 1)
    elif scene.kind in ("cells", "rings"):
        level, spread = uniform(0.3, 1.0, rng), uniform(0.0, 0.6, rng)
        tones = (level + (tones - 0.5) * spread).clamp(0, 1)
        tones[0] = tones[0] * 0 + (uniform(0.0, 0.6, rng) * level)
        for child, parent in scene.parents.items():
            if max(child, parent) >= n_labels:  # painted over since
                continue
            step = (1 if chance(0.5, rng) else -1) * uniform(0.1, 0.5, rng)
            tones[child] = (tones[parent] + step).clamp(0, 1)
    return tones


def _stuff(hw: tuple[int, int], textures: Tensor | None, rng: torch.Generator) -> list[Tensor]:
    """Draw one to three texture fields ``(H, W)``."""
    fields = []
    for _ in range(whole(1, 3, rng)):
        if textures is not None and chance(0.5, rng):
            fields.append(textures[whole(0, len(textures) - 1, rng)])
        else:
            n_cells = math.exp(uniform(math.log(3), math.log(100), rng))
            fields.append(octaves(hw, n_cells, whole(1, 3, rng), rng))
    return fields


def _shade(image: Tensor, labels: Tensor, rng: torch.Generator) -> Tensor:
    """Let objects fade towards their border, as a fluorescent nucleus does."""
    filled = (labels > 0).float()
    depth = blur(filled, uniform(1.0, 0.02 * max(labels.shape[1:]) + 1.0, rng))
    strength = uniform(0.2, 1.0, rng)
    return image * (1 - strength + strength * torch.where(filled > 0, depth, 1.0)).unsqueeze(1)


def _place_outdoors(image: Tensor, labels: Tensor, rng: torch.Generator) -> Tensor:
    """Give the ground detail of every size, and light from one side to what stands before it."""
    hw = (labels.shape[1], labels.shape[2])
    n_channels = image.shape[1]
    ground = torch.rand(n_channels, 1, 1, generator=rng, device=rng.device).expand(-1, *hw)
    for _ in (0, 1):
        colour = torch.rand(n_channels, 1, 1, generator=rng, device=rng.device) - 0.3
        detail = octaves(hw, math.exp(uniform(0.5, 3.0, rng)), 5, rng)
        ground = ground + colour * detail * uniform(0.05, 0.4, rng)
    yy, _ = unit_grid(hw, image.device)
    ground = torch.where(yy < uniform(-1.5, 0.5, rng), ground * 0.3 + uniform(0.2, 0.7, rng), ground)
    behind = (labels == 0).unsqueeze(1)
    image = torch.where(behind, ground.clamp(0, 1), image)
    height = blur((labels > 0).float(), 0.02 * max(hw) + 0.3)
    turn, reach = uniform(0, 2 * math.pi, rng), max(1, round(0.015 * max(hw)))
    shifts = (round(reach * math.sin(turn)), round(reach * math.cos(turn)))
    slope = height - torch.roll(height, shifts, dims=(1, 2))
    return torch.where(behind, image, image * (1 + uniform(0.0, 2.0, rng) * slope.unsqueeze(1)).clamp(0.2, 2))


def _outline(labels: Tensor, rng: torch.Generator) -> Tensor:
    """Mark borders between labels; ``(2, H, W)`` from 0 to 1."""
    edge = torch.zeros(labels.shape, device=labels.device)
    edge[:, 1:] += (labels[:, 1:] != labels[:, :-1]).float()
    edge[:, :, 1:] += (labels[:, :, 1:] != labels[:, :, :-1]).float()
    return blur(edge.clamp(max=1), uniform(0.3, 1.5, rng)).clamp(0, 1)


def degrade(image: Tensor, rng: torch.Generator, strength: float = 1.0) -> Tensor:
    """Blur, uneven light, noise, streaks, contrast: the same for both planes but for the noise.

    Parameters
    ----------
    image : Tensor
        ``(2, 3, H, W)``, about 0 to 1.
    rng : torch.Generator
        Where chance comes from.
    strength : float
        Scales how much is done; real pictures want less.

    Returns
    -------
    Tensor
        ``(2, 3, H, W)`` from 0 to 1.
    """
    hw = (image.shape[2], image.shape[3])
    if image.stride(1) == 0:  # grey: all channels are one
        image = image[:, :1]
    if chance(0.6 * strength, rng):
        image = blur(image.flatten(0, 1), uniform(0.3, 2.2, rng)).reshape(image.shape)
    if chance(0.4 * strength, rng):
        image = image * torch.exp(smooth_noise(1, hw, uniform(1.0, 2.5, rng), rng) * uniform(0.05, 0.4, rng))
    if chance(0.15 * strength, rng):
        image = _fan(image, rng)
    image = _noise(image, rng, strength)
    if strength > 0.25 and chance(0.08 * strength, rng):  # photographs have none
        image = image + _streaks(hw, rng) * uniform(0.02, 0.15, rng)
    return _contrast(image, rng, strength).expand(-1, 3, -1, -1)


def _noise(image: Tensor, rng: torch.Generator, strength: float) -> Tensor:
    """Add white, grainy, Rician or speckle noise."""
    two_grey = (image.shape[0], 1, *image.shape[2:])
    if chance(0.75 * strength, rng):
        grain = torch.randn(two_grey, generator=rng, device=rng.device)
        if chance(0.4, rng):
            grain = blur(grain[:, 0], uniform(0.5, 1.5, rng)).unsqueeze(1)
            grain.div_(grain.std() + 1e-6)
        amount = uniform(0.0, 0.15, rng) * uniform(0.1, 1.0, rng)
        if chance(0.2, rng):
            other = torch.randn(two_grey, generator=rng, device=rng.device)
            return torch.sqrt((image + amount * grain) ** 2 + (amount * other) ** 2)
        image = torch.add(image, grain, alpha=amount)
    if chance(0.15 * strength, rng):
        speckle = torch.randn(two_grey, generator=rng, device=rng.device)[:, 0]
        speckle = blur(speckle, uniform(0.3, 1.8, rng)).unsqueeze(1)
        image = image * speckle.mul_(uniform(0.1, 0.5, rng) / (speckle.std() + 1e-6)).add_(1)
    return image


def _fan(image: Tensor, rng: torch.Generator) -> Tensor:
    """Darken with depth and cast shadows, as ultrasound does."""
    yy, xx = unit_grid((image.shape[2], image.shape[3]), image.device)
    light = torch.exp(-uniform(0.0, 1.0, rng) * (yy + 1) / 2)
    for _ in range(whole(0, 3, rng)):
        column, width, start = uniform(-1, 1, rng), uniform(0.03, 0.25, rng), uniform(-1, 0.5, rng)
        shadow = torch.sigmoid((width - (xx - column).abs()) * 30) * torch.sigmoid((yy - start) * 10)
        light = light * (1 - uniform(0.2, 0.8, rng) * shadow)
    return image * light


def _streaks(hw: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Draw stripes that run through one point or side by side; ``(H, W)``."""
    yy, xx = unit_grid(hw, rng.device)
    if chance(0.5, rng):
        angle = torch.atan2(yy - uniform(-0.5, 0.5, rng), xx - uniform(-0.5, 0.5, rng))
        return torch.sin(angle * whole(8, 60, rng) + uniform(0, 6, rng))
    turn = uniform(0, math.pi, rng)
    return torch.sin((math.cos(turn) * yy + math.sin(turn) * xx) * uniform(20, 200, rng))


def _contrast(image: Tensor, rng: torch.Generator, strength: float) -> Tensor:
    """Window, gamma, and at times the negative."""
    if chance(0.6 * strength, rng):
        low, high = uniform(-0.1, 0.3, rng), uniform(0.7, 1.2, rng)
        image = (image - low).div_(high - low)
    image = image.clamp(0, 1)
    if chance(0.5 * strength, rng):
        image.pow_(math.exp(uniform(-0.7, 0.7, rng)))
    if chance(0.25 * strength, rng):
        image.neg_().add_(1)
    if chance(0.2 * strength, rng):
        low = uniform(0.0, 0.4, rng)
        image.mul_(uniform(0.3, 1.0 - low, rng)).add_(low)
    return image


def coarsen(image: Tensor, labels: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Make pixels two to four times as long in one direction, as cuts along a stack's axis have them.

    Parameters
    ----------
    image : Tensor
        ``(2, 3, H, W)``.
    labels : Tensor
        ``(2, H, W)`` int64.
    rng : torch.Generator
        Where chance comes from.

    Returns
    -------
    tuple of Tensor
        Image and labels in the sizes that they came in.
    """
    hw = (labels.shape[1], labels.shape[2])
    factor = uniform(2.0, 4.0, rng)
    coarse = (
        (max(8, round(hw[0] / factor)), hw[1]) if chance(0.7, rng) else (hw[0], max(8, round(hw[1] / factor)))
    )
    grey = image[:, :1] if image.stride(1) == 0 else image
    grey = F.interpolate(grey, size=coarse, mode="area")
    grey = F.interpolate(grey, size=hw, mode="bilinear", align_corners=False)
    return grey.expand(-1, 3, -1, -1), resize_labels(resize_labels(labels, coarse), hw)


def resize_pair(image: Tensor, labels: Tensor, side: int) -> tuple[Tensor, Tensor]:
    """Bring a pair to ``side`` at its longer edge and pad with nothing below and right.

    Parameters
    ----------
    image : Tensor
        ``(2, 3, H, W)``, 0 to 1.
    labels : Tensor
        ``(2, H, W)`` int64.
    side : int
        Side of the square result.

    Returns
    -------
    tuple of Tensor
        Image ``(2, 3, side, side)`` with NaN in the padding, labels ``(2, side, side)``.
    """
    height, width = image.shape[-2:]
    scale = side / max(height, width)
    new_hw = (max(1, round(height * scale)), max(1, round(width * scale)))
    grey = image[:, :1] if image.stride(1) == 0 else image
    if new_hw != (height, width):
        grey = F.interpolate(grey, size=new_hw, mode="bilinear", align_corners=False, antialias=scale < 1)
        labels = resize_labels(labels, new_hw)
    pad = (0, side - new_hw[1], 0, side - new_hw[0])
    if any(pad):
        grey, labels = F.pad(grey, pad, value=math.nan), F.pad(labels, pad)
    return grey.expand(-1, 3, -1, -1), labels


def resize_labels(labels: Tensor, hw: tuple[int, int]) -> Tensor:
    """Take the nearest label; ``(P, h, w)`` to ``(P, H, W)``."""
    rows, columns = (
        ((torch.arange(new, device=labels.device) + 0.5) * (old / new)).long().clamp_(max=old - 1)
        for new, old in zip(hw, labels.shape[1:], strict=True)
    )
    return labels.index_select(2, columns).index_select(1, rows)
