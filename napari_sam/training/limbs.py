"""Limbs across their axis: muscles that touch, with thin fat between, around one bone or two."""

from __future__ import annotations

import math

import torch

from napari_sam.training.abdomen import paint_bone
from napari_sam.training.canvas import Canvas, near
from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.neighbours import Neighbours
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import LASTING, Lump, Pose, lay_frame


def limb(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a thigh, lower leg or arm, at times two side by side."""
    two = chance(0.3, rng)
    scale = uniform(0.42, 0.5, rng) if two else math.exp(uniform(math.log(0.7), math.log(1.8), rng))
    centre = (0.0, 0.0) if two else (uniform(-0.2, 0.2, rng), uniform(-0.2, 0.2, rng))
    pose = Pose(scale, uniform(-0.3, 0.3, rng), centre, chance(0.5, rng), uniform(0.85, 1.15, rng), 0.1)
    canvas = Canvas(lay_frame(hw, pose, rng), rng)
    muscles, bones = whole(5, 12, rng), _bones(rng)
    for side in (-1, 1) if two else (0,):
        _paint_limb(canvas, 1.05 * side, muscles, [(y, x * (side or 1), size) for y, x, size in bones])
    return canvas.scene("joint")


def _bones(rng: torch.Generator) -> list[tuple[float, float, float]]:
    """Draw where bones lie, and their radii: one thick, or two."""
    if chance(0.6, rng):
        return [(uniform(-0.15, 0.15, rng), uniform(-0.2, 0.2, rng), uniform(0.1, 0.2, rng))]
    first = (uniform(-0.3, -0.05, rng), uniform(-0.3, 0.1, rng), uniform(0.13, 0.22, rng))
    return [first, (first[0] + uniform(0.1, 0.3, rng), 0.45, uniform(0.06, 0.12, rng))]


def _paint_limb(canvas: Canvas, x: float, n_muscles: int, bones: list[tuple[float, float, float]]) -> None:
    """Paint skin, fat, muscles around bones, and vessels between them."""
    rng = canvas.rng
    outer = canvas.depth(Lump(0.0, x, 0.95, uniform(0.8, 0.98, rng), 0.0, 0.04, n_planes=LASTING))
    canvas.back("skin", outer)
    fat = uniform(0.02, 0.25, rng)
    canvas.back("fat", outer, 0.015)
    hull = outer.with_depth(outer.depth - fat)
    canvas.limit = torch.zeros_like(canvas.labels, dtype=torch.bool)
    hull.of(canvas.limit).copy_(hull.depth > 0)
    if chance(0.5, rng):  # what lies between muscles is one of them, or fat
        canvas.back("muscle", hull)
    others = Neighbours(canvas, uniform(0.1, 0.5, rng))
    start = uniform(0, 2 * math.pi, rng)
    placed = []
    for i in range(n_muscles):
        angle, away = start + 2 * math.pi * i / n_muscles, (0.75 - fat) * uniform(0.55, 1.0, rng)
        place = away * math.sin(angle), x + away * math.cos(angle)
        size = uniform(0.15, 0.3, rng)
        radii = size * uniform(0.5, 1.0, rng), size
        lasts = None if chance(0.6, rng) else LASTING
        placed.append(others.add(near(rng, place, radii, angle + math.pi / 2, 0.15, lasts)))
    gap, apart = uniform(0.002, 0.014, rng), chance(0.7, rng)
    for number in placed:
        patch = others.patch(number)
        canvas.fill(patch, canvas.new("muscle"), above=gap if apart or chance(0.5, rng) else 0.0)
    for y, aside, size in bones:
        paint_bone(
            canvas, Lump(y, x + aside, size, size * uniform(0.8, 1.2, rng), 0.0, 0.08, n_planes=LASTING)
        )
    for _ in range(whole(1, 5, rng)):
        place = uniform(-0.5, 0.5, rng), x + uniform(-0.5, 0.5, rng)
        canvas.put("vessel" if chance(0.6, rng) else "vein", near(rng, place, (0.035, 0.035)))
    canvas.limit = None
