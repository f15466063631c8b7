"""Scenes of nothing in particular: random nests, rings, cells, bands and figures, for breadth.

Their labels are painted in random tones and textures (`napari_sam.training.appearance`).
"""

from __future__ import annotations

import math

import torch

from napari_sam.training.canvas import Canvas
from napari_sam.training.fields import chance, looked_up, noise_pairs, uniform, unit_grid, whole
from napari_sam.training.neighbours import Neighbours
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import LASTING, Lump, Patch, Pose, lay_frame
from napari_sam.training.tessellation import tessellate


def any_canvas(hw: tuple[int, int], rng: torch.Generator, bend: float = 0.35) -> Canvas:
    """Lay an empty canvas with random turn and bend, half the longer side 1."""
    pose = Pose(turn=uniform(0, 2 * math.pi, rng), bend=uniform(0.0, bend, rng), flip=chance(0.5, rng))
    return Canvas(lay_frame(hw, pose, rng), rng)


def any_lump(
    rng: torch.Generator, radius: tuple[float, float], place: tuple[float, float] | None = None
) -> Lump:
    """Draw a lump anywhere, or near a place, its radius within a range."""
    size = math.exp(uniform(math.log(radius[0]), math.log(radius[1]), rng))
    aspect = math.exp(uniform(-0.6, 0.6, rng))
    y, x = place or (uniform(-0.85, 0.85, rng), uniform(-0.85, 0.85, rng))
    turn, wobble = uniform(0, math.pi, rng), uniform(0.0, 0.25, rng)
    return Lump(y, x, size * math.sqrt(aspect), size / math.sqrt(aspect), turn, wobble, chance(0.2, rng))


def regions(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Divide the plane among smooth fields: the largest at a pixel owns it."""
    n_regions, n_cells, angle = whole(3, 9, rng), uniform(1.5, 7.0, rng), uniform(0.02, 0.35, rng)
    fields = noise_pairs(n_regions, hw, n_cells, angle, rng)
    if chance(0.4, rng):
        fields = fields + noise_pairs(n_regions, hw, 4 * n_cells, angle, rng) * uniform(0.05, 0.3, rng)
    best, labels = fields[0], torch.ones(2, *hw, dtype=torch.int64, device=rng.device)
    for label, field in enumerate(fields[1:], start=2):
        labels.masked_fill_(field > best, label)
        best = torch.maximum(best, field)
    return Scene(labels, "regions", {})


def anatomy(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a body with organs and small round things in it, and lesions in some organs."""
    canvas = any_canvas(hw, rng)
    body = Lump(0, 0, uniform(0.6, 1.3, rng), uniform(0.7, 1.4, rng), 0.0, 0.08, n_planes=LASTING)
    trunk = canvas.put("any", body)
    lumps = [any_lump(rng, (0.06, 0.5)) for _ in range(whole(3, 16, rng))]
    for lump, patch in zip(lumps, _patches(canvas, lumps), strict=True):
        organ = canvas.new("any")
        canvas.fill(patch, organ, over=trunk if chance(0.6, rng) else None)
        for _ in range(whole(1, 3, rng) if chance(0.3, rng) else 0):
            place = lump.y + uniform(-1, 1, rng) * lump.ry, lump.x + uniform(-1, 1, rng) * lump.rx
            canvas.put("any", any_lump(rng, (0.03, 0.2), place), over=organ)
    for _ in range(whole(0, 12, rng)):
        canvas.put("any", any_lump(rng, (0.025, 0.08)))
    return canvas.scene("anatomy", plain=True)


def _patches(canvas: Canvas, lumps: list[Lump]) -> list[Patch]:
    """Evaluate lumps: each by itself, or so that they touch, with lines between them or none."""
    rng = canvas.rng
    if chance(0.5, rng):
        return [canvas.depth(lump) for lump in lumps]
    others, gap = Neighbours(canvas, uniform(0.0, 0.2, rng)), uniform(0.0, 0.02, rng)
    numbers = [others.add(lump) for lump in lumps]
    gaps = [gap if chance(0.6, rng) else 0.0 for _ in numbers]
    patches = [others.patch(number) for number in numbers]
    return [patch.with_depth(patch.depth - free) for patch, free in zip(patches, gaps, strict=True)]


def rings(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Nested structures: a wall around a cavity, at times with something in it."""
    canvas = any_canvas(hw, rng)
    n_rings = whole(1, 14, rng)
    size = 0.7 / math.sqrt(n_rings)
    for _ in range(n_rings):
        lump = any_lump(rng, (0.6 * size, 1.3 * size))
        outer = canvas.new("any")
        patch = canvas.depth(lump)
        canvas.fill(patch, outer)
        wall = min(lump.ry, lump.rx) * uniform(0.15, 0.65, rng)
        inner = canvas.new("any", parent=outer, part=chance(0.7, rng))  # a ring alone is asked for less
        canvas.fill(patch, inner, above=wall)
        if chance(0.3, rng):
            canvas.put("any", any_lump(rng, (0.2 * size, 0.4 * size), (lump.y, lump.x)), over=inner)
    return canvas.scene("rings", plain=True)


def cells(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Many cells, apart or touching: each pixel belongs to the nearest centre within its radius."""
    canvas = any_canvas(hw, rng)
    n_cells = math.exp(uniform(math.log(3), math.log(12), rng))
    found = tessellate(canvas.frame, n_cells, rng, uniform(0.1, 0.5, rng))
    hidden = torch.rand(found.n_owners, generator=rng, device=rng.device) < uniform(-0.3, 0.6, rng)
    inside = (found.first < uniform(0.1, 0.6, rng)) & looked_up(~hidden, found.owner)
    if chance(0.5, rng):
        inside = inside & (found.depth > uniform(0.01, 0.06, rng))
    numbers = torch.where(inside, found.owner + 1, 0)
    return Scene(_renumbered(numbers, found.n_owners), "cells", {})


def _renumbered(numbers: torch.Tensor, n_most: int) -> torch.Tensor:
    """Give labels small numbers."""
    used = torch.zeros(n_most + 1, dtype=torch.int64, device=numbers.device)
    used[numbers.flatten()] = 1
    used[0] = 0
    return looked_up(used.cumsum(0) * used, numbers)


def vessels(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Winding bands where a smooth field is near zero, over a few regions."""
    background = regions(hw, rng).labels
    fields = noise_pairs(1, hw, uniform(2.0, 6.0, rng), uniform(0.02, 0.15, rng), rng)[0]
    top = int(background.max()) + 1
    kept = torch.where(background % 3 == 0, background, 0)
    return Scene(torch.where(fields.abs() < uniform(0.05, 0.22, rng), top, kept), "vessels", {})


def figures(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw figures of a trunk and limbs in several colours, or polygons, before a divided background."""
    canvas = any_canvas(hw, rng, 0.2)
    background = regions(hw, rng)
    share = 4 if chance(0.5, rng) else 99
    canvas.labels = torch.where(background.labels % share == 0, background.labels, 0)
    for _ in range(int(background.labels.max())):
        canvas.new("any")
    for _ in range(whole(1, 5, rng)):
        figure = canvas.new("any", whole=True)
        if chance(0.35, rng):
            _paint_polygon(canvas, figure)
            continue
        trunk = any_lump(rng, (0.08, 0.4))
        reach, n_planes = max(trunk.ry, trunk.rx), math.exp(uniform(math.log(4), math.log(60), rng))
        for part in range(whole(1, 7, rng)):
            away = reach if part else 0.0
            place = trunk.y + uniform(-away, away, rng), trunk.x + uniform(-away, away, rng)
            limb = any_lump(rng, (0.2 * reach, (1.0 if not part else 0.6) * reach), place)
            limb = Lump(limb.y, limb.x, limb.ry, limb.rx, limb.turn, limb.wobble, limb.boxy, n_planes)
            coloured = chance(0.4, rng)
            label = canvas.new("any", parent=figure, target=False) if coloured else figure
            canvas.fill(canvas.depth(limb), label)
    return canvas.scene("figures", plain=True)


def _paint_polygon(canvas: Canvas, label: int) -> None:
    """Write a convex polygon as the overlap of half planes, a little moved in the second plane."""
    rng = canvas.rng
    yy, xx = unit_grid(canvas.frame.hw, rng.device)
    cy, cx = uniform(-0.7, 0.7, rng), uniform(-0.7, 0.7, rng)
    n_sides, turn, size = whole(3, 7, rng), uniform(0, math.pi, rng), uniform(0.08, 0.45, rng)
    move = uniform(-0.15, 0.15, rng) * size
    shifts = torch.tensor([0.0, move], device=rng.device).view(2, 1, 1)
    y, x = yy - cy - shifts, xx - cx + shifts
    inside = torch.ones_like(canvas.labels, dtype=torch.bool)
    for i in range(n_sides):
        angle = turn + 2 * math.pi * (i + uniform(-0.3, 0.3, rng)) / n_sides
        inside &= math.cos(angle) * y + math.sin(angle) * x < size * uniform(0.6, 1.2, rng)
    canvas.labels.masked_fill_(inside, label)
