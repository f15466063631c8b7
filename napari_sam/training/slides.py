"""Microscopes: nuclei in clumps, fluorescent or stained, blood smears, embryos and plants in depth.

Fluorescence adds light: dim and bright nuclei over a dark ground, some out of focus. Stains take
light away: a density of dye in two colours before a bright ground.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_sam.training.anything import any_canvas
from napari_sam.training.canvas import Canvas
from napari_sam.training.fields import blur, chance, looked_up, octaves, smooth_noise, uniform, whole
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import Lump


def _clumps(canvas: Canvas, n_nuclei: int, size: float) -> list[Lump]:
    """Place nuclei, many beside one that is already there; they hardly overlap."""
    rng = canvas.rng
    together, stretch = uniform(0.0, 0.9, rng), uniform(0.0, 0.7, rng)
    placed: list[Lump] = []
    for _ in range(n_nuclei):
        radius = size * math.exp(uniform(-0.35, 0.35, rng))
        y, x = uniform(-1, 1, rng), uniform(-1, 1, rng)
        if placed and chance(together, rng):
            beside, angle = placed[whole(0, len(placed) - 1, rng)], uniform(0, 2 * math.pi, rng)
            away = (radius + beside.rx) * uniform(0.85, 1.15, rng)
            y, x = beside.y + away * math.sin(angle), beside.x + away * math.cos(angle)
        if any((p.y - y) ** 2 + (p.x - x) ** 2 < (0.7 * (radius + p.rx)) ** 2 for p in placed):
            continue
        long = math.exp(uniform(0, stretch, rng))
        turn = uniform(0, math.pi, rng)
        placed.append(Lump(y, x, radius * long, radius / long, turn, uniform(0.0, 0.12, rng)))
    return placed


def nuclei(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw nuclei, fluorescent or stained, touching in clumps; stained ones may have a cell around."""
    canvas = any_canvas(hw, rng)
    n_nuclei = round(math.exp(uniform(math.log(5), math.log(70), rng)))
    size = uniform(0.35, 0.8, rng) * math.sqrt(0.8 / n_nuclei)
    stained = chance(0.4, rng)
    for lump in _clumps(canvas, n_nuclei, size):
        if stained and chance(0.6, rng):
            grown = uniform(1.2, 1.9, rng)
            around = Lump(lump.y, lump.x, lump.ry * grown, lump.rx * grown, lump.turn, 0.2)
            canvas.put("cell", around, target=False)
        nucleus = canvas.put("nucleus", lump)
        if chance(0.3, rng):
            core = Lump(lump.y, lump.x, 0.25 * lump.rx, 0.25 * lump.rx)
            canvas.put("nucleolus", core, over=nucleus, target=False)
    paint = stain if stained else glow
    return canvas.scene("nuclei", paint(canvas, uniform(0.0, 0.5, rng)))


def embryo(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw large blurred nuclei of an embryo or a plant: few photons, uneven depth."""
    canvas = any_canvas(hw, rng)
    n_nuclei = whole(4, 40, rng)
    size = uniform(0.5, 0.95, rng) * math.sqrt(0.8 / n_nuclei)
    for lump in _clumps(canvas, n_nuclei, min(size, 0.3)):
        canvas.put("nucleus", lump)
    return canvas.scene("nuclei", glow(canvas, uniform(0.3, 1.0, rng), uniform(0.4, 1.5, rng)))


def _strengths(canvas: Canvas, strength: dict[str, float], spread: float) -> Tensor:
    """Draw how much light or dye each label has; ``(n_labels,)``."""
    rng = canvas.rng
    names = canvas.tissues
    return torch.tensor(
        [strength.get(n, 0.0) * math.exp(uniform(-spread, spread, rng)) for n in names], device=rng.device
    )


def glow(canvas: Canvas, grain: float, haze: float = 0.4, profile: Tensor | None = None) -> Tensor:
    """Paint fluorescence, ``(2, 3, H, W)``.

    `grain` from 0 to 1 says how few photons there were, `haze` how much light comes from other depths at
    most: through thick specimens nearly as much as from nuclei. A `profile` ``(2, H, W)`` weighs the light.
    """
    rng, hw = canvas.rng, canvas.frame.hw
    table = _strengths(canvas, {"nucleus": 1.0, "nucleolus": uniform(0.4, 1.3, rng)}, uniform(0.0, 0.7, rng))
    light = looked_up(table, canvas.labels)
    if profile is not None:
        light = light * profile
    blotches = octaves(hw, math.exp(uniform(math.log(6), math.log(70), rng)), 2, rng)
    light = light * (1 + blotches * uniform(0.0, 0.4, rng)).clamp(min=0.1)
    sigma = uniform(0.4, 1.5, rng) + (grain > 0.5) * uniform(0.0, 1.5, rng)
    light = blur(light, sigma * max(hw) / 256)
    if chance(0.5, rng):  # light from other depths
        light = light + uniform(0.05, haze, rng) * blur(light, 0.03 * max(hw))
    if chance(0.5, rng):
        light = light * torch.exp(smooth_noise(1, hw, 1.5, rng) * uniform(0.1, 0.5, rng))
    ground = uniform(0.0, 0.25, rng) if haze < 1.0 else uniform(0.0, 0.8, rng)
    light = light + ground * (1 + 0.3 * smooth_noise(1, hw, 3, rng))
    high = torch.quantile(light[0, ::3, ::3].flatten(), 0.98).clamp(min=0.2)
    # a speck that outshines all leaves the others dim
    shown = uniform(0.3, 1.25, rng) if chance(0.75, rng) else uniform(0.1, 0.3, rng)
    light = (light * (shown / high)).clamp(min=0)
    photons = math.exp(uniform(math.log(100), math.log(2000), rng) * (1 - grain) + math.log(4) * grain)
    seen = torch.normal(light, (light / photons + 1e-5).sqrt(), generator=rng)
    return seen.clamp(0, 1).unsqueeze(1).expand(-1, 3, -1, -1)


DYES = ((0.75, 1.0, 0.35), (0.35, 1.0, 0.55), (1.0, 0.7, 0.25), (0.2, 0.45, 1.0), (0.9, 0.9, 0.9))
"""How much red, green and blue a dye takes away."""


def stain(canvas: Canvas, grain: float, profile: Tensor | None = None) -> Tensor:
    """Paint stained tissue or cells before a bright ground; ``(2, 3, H, W)``.

    A `profile` ``(2, H, W)`` weighs the dark dye.
    """
    rng, hw = canvas.rng, canvas.frame.hw
    dark = {"nucleus": 1.0, "nucleolus": 1.4, "lobe": 1.2}
    pale = {"cell": 1.0, "granular": 1.0, "nucleus": 0.3, "red": 1.0, "pallor": uniform(0.2, 0.8, rng)}
    strength = uniform(0.5, 1.8, rng), uniform(0.1, 0.6, rng)
    image = torch.ones(2, 3, *hw, device=rng.device)
    ground = octaves(hw, uniform(3, 12, rng), 3, rng).clamp(min=-0.5) * uniform(
        0.0, 0.1 if "red" in canvas.tissues else 0.4, rng
    )
    for names, amount in ((dark, strength[0]), (pale, strength[1])):
        dye = torch.tensor(DYES[whole(0, len(DYES) - 1, rng)], device=rng.device)
        dye = dye * (0.7 + 0.6 * torch.rand(3, generator=rng, device=rng.device))
        density = looked_up(_strengths(canvas, names, 0.25) * amount, canvas.labels)
        if profile is not None and names is dark:
            density = density * profile
        n_cells = math.exp(uniform(math.log(6), math.log(90), rng))
        texture = octaves(hw, n_cells, 2, rng) * uniform(0.05, 0.4, rng)
        density = density * (1 + texture).clamp(min=0.1) + (ground.clamp(min=0) if names is pale else 0.0)
        density = blur(density, uniform(0.4, 1.4, rng) * max(hw) / 256)
        image = image * torch.exp(-density.unsqueeze(1) * dye.view(1, 3, 1, 1))
    warm = 1 - torch.rand(3, generator=rng, device=rng.device) * torch.tensor(
        [0.1, 0.2, 0.45], device=rng.device
    )
    image = image * warm.view(1, 3, 1, 1) * uniform(0.75, 1.05, rng)
    return image + torch.randn(2, 1, *hw, generator=rng, device=rng.device) * 0.04 * grain


def blood(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw white blood cells, with lobes of a nucleus in their plasma, among red cells."""
    canvas = any_canvas(hw, rng)
    if chance(0.45, rng):  # a crop around one cell
        size = uniform(0.35, 0.75, rng)
    else:
        size = math.exp(uniform(math.log(0.1), math.log(0.6), rng))
    red = size * uniform(0.4, 0.8, rng)
    for _ in range(min(60, round(uniform(0.0, 0.9, rng) / red**2))):
        radius = red * uniform(0.85, 1.1, rng)
        lump = Lump(
            uniform(-1, 1, rng), uniform(-1, 1, rng), radius, radius * uniform(0.8, 1.2, rng), 0.0, 0.06
        )
        patch = canvas.depth(lump)
        cell = canvas.fill(patch, canvas.new("red"))
        if chance(0.7, rng):
            canvas.fill(patch, canvas.new("pallor", parent=cell, target=False), above=0.5 * radius)
    for _ in range(whole(1, 1 if size > 0.3 else 5, rng)):
        _paint_white_cell(canvas, size)
    return canvas.scene("blood", stain(canvas, uniform(0.0, 0.5, rng)))


def _paint_white_cell(canvas: Canvas, size: float) -> None:
    """Paint plasma and a nucleus of one to five lobes that hang together, one object."""
    rng = canvas.rng
    room = max(0.0, 0.9 - size)
    y, x = uniform(-room, room, rng), uniform(-room, room, rng)
    n_planes = math.exp(uniform(math.log(4), math.log(60), rng))
    around = Lump(y, x, size, size * uniform(0.85, 1.15, rng), 0.0, 0.06, n_planes=n_planes)
    cell = canvas.fill(canvas.depth(around), canvas.new("granular"))
    nucleus = canvas.new("lobe", parent=cell, whole=True, part=chance(0.6, rng))
    n_lobes = whole(1, 5, rng)
    angle, turn = uniform(0, 6, rng), uniform(0.5, 1.3, rng)
    for lobe in range(n_lobes):
        reach = size * (0.42 if n_lobes > 1 else 0.12)
        place = y + reach * math.sin(angle + lobe * turn), x + reach * math.cos(angle + lobe * turn)
        radius = size * (uniform(0.25, 0.38, rng) if n_lobes > 1 else uniform(0.55, 0.85, rng))
        lump = Lump(*place, radius, radius * uniform(0.8, 1.2, rng), 0.0, 0.1, n_planes=n_planes)
        canvas.fill(canvas.depth(lump), nucleus, over=None if n_lobes == 1 and chance(0.2, rng) else cell)
