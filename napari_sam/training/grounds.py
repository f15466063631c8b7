"""Grounds of photographs: land and sky, streets, rooms, leaves, grass, water, folds of tissue, clutter."""

from __future__ import annotations

import math
from collections.abc import Callable

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
from napari_sam.training.things.looks import draw_colour, vary
from napari_sam.training.things.stuff import draw_kind, sheet, tiles


def draw_ground(hw: tuple[int, int], rng: torch.Generator) -> tuple[str, Tensor]:
    """Draw what stands behind the things in a photograph.

    Parameters
    ----------
    hw : tuple of int
        Height and width in pixels.
    rng : torch.Generator
        Where chance comes from.

    Returns
    -------
    tuple of str and Tensor
        What it is, as `GROUNDS` names it, and the picture ``(3, H, W)``, 0 to 1.
    """
    shares = torch.tensor([share for share, _, _ in GROUNDS], device=rng.device)
    _, name, draw = GROUNDS[int(torch.multinomial(shares, 1, generator=rng))]
    return name, draw(hw, rng).clamp(0, 1)


def _tint(
    hw: tuple[int, int], rng: torch.Generator, near: tuple[float, float, float] | None = None
) -> Tensor:
    """Draw a colour as ``(3, 1, 1)``."""
    colour = vary(near, rng, 0.1, math.exp(uniform(-0.6, 0.4, rng))) if near else draw_colour(rng)
    return torch.tensor(colour, device=rng.device).view(3, 1, 1)


def _mixed(share: Tensor, first: Tensor, second: Tensor) -> Tensor:
    return first + (second - first) * share


def _plain(hw: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Draw a wall or cloth in uneven light."""
    light = smooth_noise(1, hw, uniform(1, 3, rng), rng)[0] * 0.5 + 0.5
    return _mixed(light, _tint(hw, rng), _tint(hw, rng)) + sheet(hw, rng, "soft", "cloth") * uniform(
        0, 0.05, rng
    )


def _rough(hw: tuple[int, int], rng: torch.Generator, *names: str) -> Tensor:
    """Stones, bark, earth or other stuff; ``(H, W)`` around 1."""
    names = names or ("soft", "cracks", "leaves", "specks", "fur")
    return (1 + sheet(hw, rng, *names) * uniform(0.05, 0.3, rng)).clamp_(0.15, 2)


def _streaked(hw: tuple[int, int], down: float, across: float, rng: torch.Generator) -> Tensor:
    """Noise drawn out in one direction; cells over the picture, ``(H, W)``."""
    few = (max(2, round(down)), max(2, round(across)))
    coarse = torch.randn(1, 1, *few, generator=rng, device=rng.device)
    return F.interpolate(coarse, size=hw, mode="bilinear", align_corners=False)[0, 0]


def _laid(
    hw: tuple[int, int], horizon: float, rng: torch.Generator, *names: str
) -> tuple[Tensor, Tensor, Tensor]:
    """Lay a plane of some stuff that runs to the horizon: it, and places across and away; each ``(H, W)``."""
    yy, xx = unit_grid(hw, rng.device)
    below = (yy - horizon).clamp(min=0.02)
    away = uniform(0.1, 0.4, rng) / below
    across = (xx - uniform(-0.3, 0.3, rng)) * away
    tile = tiles(rng.device)[draw_kind(rng, *names), 1]
    fine = uniform(0.8, 3.0, rng)
    at = torch.stack([across * fine, away * fine], dim=-1)[None]
    noise = F.grid_sample(tile[None, None], at, padding_mode="reflection", align_corners=False)[0, 0]
    return noise, across, away


def _outdoors(hw: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Sky, hills, trees or houses, and land, road, grass or water."""
    yy, _ = unit_grid(hw, rng.device)
    horizon = uniform(-0.7, 0.4, rng)
    sky = _mixed((yy + 1) / 2, _tint(hw, rng, (0.4, 0.6, 0.85)), _tint(hw, rng, (0.85, 0.87, 0.9)))
    if chance(0.6, rng):
        half = (hw[0] + 1) // 2, (hw[1] + 1) // 2
        cloud = torch.sigmoid(3 * octaves(half, uniform(2, 5, rng), 4, rng) + uniform(-2, 1, rng))
        cloud = F.interpolate(cloud[None, None], size=hw, mode="bilinear", align_corners=False)[0, 0]
        sky = _mixed(cloud * uniform(0.3, 1.0, rng), sky, _tint(hw, rng, (0.9, 0.9, 0.9)))
    image = sky
    for layer in range(whole(0, 3, rng)):
        line = (
            horizon
            - uniform(0.02, 0.6, rng) / (1 + layer)
            + 0.12 * _streaked((1, hw[1]), 1, uniform(3, 30, rng), rng)
        )
        stuff = _tint(hw, rng, (0.25, 0.35, 0.22)) * _rough(hw, rng)
        image = torch.where(yy > line, stuff if chance(0.8, rng) else _leaves(hw, rng), image)
    if chance(0.4, rng):
        image = _houses(image, horizon, rng)
    return torch.where(yy > horizon, _land(hw, horizon, rng), image)


def _land(hw: tuple[int, int], horizon: float, rng: torch.Generator) -> Tensor:
    """Draw what one stands on."""
    kind = uniform(0, 1, rng)
    names = ("soft", "cracks", "bricks") if kind < 0.3 else ("fur", "leaves", "specks", "soft")
    noise, across, away = _laid(hw, horizon, rng, *(names if kind < 0.8 else ("ripples",)))
    near = (0.4, 0.4, 0.4) if kind < 0.3 else (0.3, 0.42, 0.18) if kind < 0.65 else (0.55, 0.47, 0.35)
    if kind > 0.8:
        near = (0.25, 0.4, 0.5)
    spread = uniform(0.05, 0.35, rng)
    image = _tint(hw, rng, near) * (1 + spread * noise).clamp(0.2, 2)
    if chance(0.4, rng):
        image = _mixed((noise > uniform(-0.5, 1.5, rng)) * 0.7, image, _tint(hw, rng))
    if kind < 0.3 and chance(0.7, rng):
        painted = ((across - uniform(-0.3, 0.3, rng)).abs() < 0.02) & (torch.sin(away * 12) > -0.3)
        image = torch.where(painted, 0.85, image)
    if 0.3 <= kind < 0.65:
        image = image * (1 + uniform(0.1, 0.5, rng) * _streaked(hw, hw[0] / 10, hw[1] / 2, rng)).clamp(0.2, 2)
    if kind > 0.8:
        waves = _streaked(hw, hw[0] / 3, uniform(8, 30, rng), rng)
        image = image + uniform(0.05, 0.3, rng) * waves.clamp(min=0)
    return image + uniform(-0.2, 0.3, rng) / (1 + 3 / away)


def _houses(image: Tensor, horizon: float, rng: torch.Generator) -> Tensor:
    """Put buildings with rows of windows before the sky."""
    hw = (image.shape[1], image.shape[2])
    yy, xx = unit_grid(hw, rng.device)
    for _ in range(whole(1, 5, rng)):
        left, wide, top = uniform(-1.2, 0.8, rng), uniform(0.2, 1.0, rng), horizon - uniform(0.2, 1.2, rng)
        slant = uniform(-0.3, 0.3, rng)
        across, down = (xx - left) / wide, yy - top - slant * (xx - left)
        inside = (across > 0) & (across < 1) & (down > 0)
        rows, columns = uniform(4, 15, rng), whole(2, 9, rng)
        windows = ((across * columns).frac() - 0.5).abs() < uniform(0.15, 0.4, rng)
        windows &= ((down * rows).frac() - 0.5).abs() < uniform(0.15, 0.4, rng)
        wall = _tint(hw, rng) * (1 + 0.1 * _streaked(hw, 12, 12, rng))
        image = torch.where(inside, torch.where(windows, _tint(hw, rng, (0.25, 0.3, 0.35)), wall), image)
    return image


def _room(hw: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Draw a wall with tiles, pictures or shelves, and a floor of boards, tiles or cloth."""
    yy, xx = unit_grid(hw, rng.device)
    image = _plain(hw, rng)
    if chance(0.5, rng):
        rows, columns = uniform(2, 14, rng), uniform(1, 10, rng)
        shift = (yy * rows).floor() * (0.5 if chance(0.5, rng) else 0.0)
        seam = ((yy * rows).frac().abs() < 0.07 * rows / 8) | ((xx * columns + shift).frac().abs() < 0.07)
        image = image * (1 - uniform(0.05, 0.5, rng) * seam)
    for _ in range(whole(0, 14, rng)):
        image = _paste_box(image, rng)
    floor = uniform(-0.1, 1.2, rng)
    noise, across, away = _laid(hw, floor, rng, "wood", "cloth", "soft", "bricks")
    n = uniform(1, 6, rng)
    boards = ((across * n).floor() + (away * n).floor() * float(chance(0.5, rng))) % 2
    boards = boards * uniform(-0.3, 0.3, rng) + uniform(0.03, 0.2, rng) * noise
    return torch.where(yy > floor, _tint(hw, rng) * (1 + boards), image)


def _paste_box(image: Tensor, rng: torch.Generator) -> Tensor:
    """Put an upright box of one colour somewhere: a picture, a book, a door; changes `image`."""
    hw = (image.shape[1], image.shape[2])
    high, wide = (max(2, round(s * uniform(0.03, 0.35, rng))) for s in hw)
    row, column = whole(0, max(0, hw[0] - high), rng), whole(0, max(0, hw[1] - wide), rng)
    there = image[:, row : row + high, column : column + wide]
    shade = smooth_noise(1, (there.shape[1], there.shape[2]), uniform(1, 20, rng), rng)
    there.copy_(_tint(hw, rng) * (1 + uniform(0, 0.25, rng) * shade))
    return image


def _leaves(hw: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Leaves at several distances, with dark between them, or grass."""
    near = (0.25, 0.38, 0.12) if chance(0.8, rng) else None
    if chance(0.3, rng):
        blades = _streaked(hw, hw[0] / 14, hw[1] / 2, rng) + 0.5 * _streaked(hw, hw[0] / 7, hw[1] / 3, rng)
        deep = _tint(hw, rng, near) * (0.3 + 0.1 * sheet(hw, rng, "soft").clamp(-2, 2))
        return deep + _tint(hw, rng, near) * (0.5 + 0.35 * blades).clamp(0, 1)
    image = _tint(hw, rng, near) * (0.3 + 0.1 * sheet(hw, rng, "leaves", "soft"))
    for layer in range(whole(1, 3, rng)):
        leaf = sheet(hw, rng, "leaves")
        cover = torch.sigmoid(
            (leaf + smooth_noise(1, hw, uniform(3, 9, rng), rng)[0] - uniform(-0.5, 1, rng)) * 6
        )
        bright = (0.6 + 0.25 * layer + 0.25 * leaf).clamp_(0.1, 1.8)
        image = _mixed(cover, image, _tint(hw, rng, near) * bright)
    return image


def _surface(hw: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Brick, planks, cloth, fur, skin or gravel all over, unevenly lit."""
    stuff = _rough(hw, rng, "bricks", "wood", "cloth", "cracks", "fur", "specks")
    light = smooth_noise(1, hw, uniform(1, 4, rng), rng)[0]
    image = _mixed(torch.sigmoid(light), _tint(hw, rng), _tint(hw, rng)) * stuff
    if chance(0.4, rng):  # stains
        image = _mixed((sheet(hw, rng, "soft") > uniform(0.3, 2.0, rng)) * 0.6, image, _tint(hw, rng))
    return image * (1 + uniform(0.0, 0.35, rng) * light)


def _scenery(hw: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Things of all sizes and colours over each other, out of focus at times, of no shape that is known."""
    half = (hw[0] + 1) // 2, (hw[1] + 1) // 2
    base = draw_colour(rng)
    spread = uniform(0.1, 0.5, rng)
    image = _tint(hw, rng, base).expand(3, *half)
    for n_cells in (uniform(1.5, 4, rng), uniform(4, 10, rng), uniform(10, 24, rng))[: whole(2, 3, rng)]:
        fields = smooth_noise(3, half, n_cells, rng)
        kind = (fields[0] > 0).long() + 2 * (fields[1] > 0.2) + 4 * (fields[2] > uniform(-0.5, 0.5, rng))
        tones = [vary(base, rng, spread) if chance(0.7, rng) else draw_colour(rng) for _ in range(8)]
        colours = torch.tensor(tones, device=rng.device).T
        shown = torch.rand(8, generator=rng, device=rng.device) < 0.5
        layer = colours.index_select(1, kind.flatten()).view(3, *half)
        layer = layer * (1 + uniform(0, 0.25, rng) * fields[whole(0, 2, rng)])
        image = torch.where(looked_up(shown, kind), layer, image)
    image = F.interpolate(image[None], size=hw, mode="bilinear", align_corners=False)[0]
    return image * _rough(hw, rng)


def _folds(hw: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Wet folds of tissue, lit from the camera, dark in the depth; or cloth."""
    height = octaves(hw, uniform(1.5, 5, rng), 3, rng)
    ridge = torch.sin(height * uniform(1, 5, rng)) + 0.3 * octaves(hw, 20, 2, rng)
    slope = ridge - torch.roll(ridge, (1, 1), dims=(0, 1))
    light = 0.75 + 0.2 * ridge + slope * uniform(0.5, 2.5, rng)
    near = (0.72, 0.33, 0.3) if chance(0.75, rng) else None
    image = _mixed(torch.sigmoid(2 * height), _tint(hw, rng, near), _tint(hw, rng, near)) * light.clamp(
        0.1, 1.6
    )
    veins = (smooth_noise(1, hw, uniform(4, 10, rng), rng)[0].abs() < 0.06) * uniform(0.0, 0.4, rng)
    wet = (light > 1.15) * uniform(0.0, 0.7, rng)
    image = image * (1 - veins) + blur(wet[None].float(), 0.7)
    if chance(0.4, rng):
        yy, xx = unit_grid(hw, rng.device)
        away = torch.hypot(yy - uniform(-0.3, 0.3, rng), xx - uniform(-0.3, 0.3, rng))
        image = image * (0.25 + away).clamp(0.2, 1)
    return image


def _clutter(hw: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Stones or rubble, or a heap of boxes."""
    if chance(0.5, rng):
        share = torch.sigmoid(3 * smooth_noise(1, hw, uniform(3, 12, rng), rng)[0] + sheet(hw, rng))
        return _mixed(share, _tint(hw, rng), _tint(hw, rng)) * _rough(hw, rng)
    image = _plain(hw, rng)
    for _ in range(whole(15, 40, rng)):
        image = _paste_box(image, rng)
    return image


GROUNDS: tuple[tuple[float, str, Callable[[tuple[int, int], torch.Generator], Tensor]], ...] = (
    (0.40, "outdoors", _outdoors),
    (0.14, "room", _room),
    (0.09, "leaves", _leaves),
    (0.10, "tissue", _folds),
    (0.05, "clutter", _clutter),
    (0.05, "plain", _plain),
    (0.07, "surface", _surface),
    (0.10, "scenery", _scenery),
)
"""Kinds of grounds with their share."""
