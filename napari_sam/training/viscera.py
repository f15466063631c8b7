"""Abdomen as it mostly is: organs of nearly one grey that touch, with thin fat between them or none.

Liver against stomach, spleen and kidney, loops of bowel against each other, a lobulated pancreas along its
vein. What is asked for is what people label: whole organs, with the vessels and the food in them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from napari_sam.training.abdomen import fill_hollow, fill_kidney, paint_great_vessels
from napari_sam.training.canvas import Canvas, near
from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.neighbours import Neighbours
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import Lump, Patch
from napari_sam.training.trunk import paint_ribs, paint_spine, paint_walls, start_trunk

_Fill = Callable[[Canvas, Patch, Lump], None]


@dataclass(frozen=True)
class _Organ:
    """An organ's number among its neighbours, its first lump, and what fills it."""

    number: int
    lump: Lump
    fill: _Fill


def viscera(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a cut through an abdomen whose organs touch."""
    canvas = start_trunk(hw, rng)
    wall = paint_walls(canvas)
    if chance(0.75, rng):
        paint_ribs(canvas, wall)
    around = len(canvas.tissues) - 1
    others = Neighbours(canvas, uniform(0.0, 0.13, rng))
    organs: list[_Organ] = []

    def add(fill: _Fill, *lumps: Lump) -> None:
        organs.append(_Organ(others.add(*lumps), lumps[0], fill))

    _lay_large(rng, add)
    _lay_hollow(rng, add)
    _lay_behind(rng, add)
    lined = uniform(0.0, 1.0, rng)
    for organ in organs:
        patch = others.patch(organ.number)
        gap = uniform(0.0, 0.008, rng) if chance(lined, rng) else 0.0
        organ.fill(canvas, patch.with_depth(patch.depth - gap), organ.lump)
    if chance(0.6, rng):  # vessels of the mesentery
        canvas.branches("vessel_soft", around, uniform(0.05, 0.2, rng), uniform(0.05, 0.1, rng))
    paint_great_vessels(canvas, around)
    paint_spine(canvas)
    return canvas.scene("body")


def _lay_large(rng: torch.Generator, add: Callable[..., None]) -> None:
    """Put down liver, gall bladder, spleen and pancreas."""
    if chance(0.88, rng):
        wide = uniform(0.85, 1.2, rng)
        lobes = [near(rng, (-0.03, -0.5), (0.48 * wide, 0.4 * wide), 0.2, 0.1)]
        if chance(0.75, rng):
            lobes.append(near(rng, (-0.25, -0.05), (0.18, 0.38), uniform(-0.3, 0.3, rng), 0.12))
        add(_fill_liver, *lobes)
    if chance(0.35, rng):
        add(_fill_plain("fluid"), near(rng, (-0.08, -0.25), (0.1, 0.07), 0.5, 0.08))
    if chance(0.8, rng):
        lumps = [near(rng, (0.05, 0.68), (0.24, 0.13), 0.2, 0.08)]
        if chance(0.5, rng):
            lumps.append(near(rng, (-0.12, 0.66), (0.13, 0.12), 0.5, 0.1))
        add(_fill_spleen, *lumps)
    if chance(0.7, rng):
        n_lumps, bow = whole(3, 6, rng), uniform(-0.3, 0.1, rng)
        lumps = []
        for i in range(n_lumps):
            x = -0.18 + 0.52 * i / (n_lumps - 1)
            place = bow * x + uniform(-0.03, 0.03, rng), x
            lumps.append(near(rng, place, (uniform(0.03, 0.065, rng), 0.08), bow, 0.3))
        add(_fill_plain("pancreas"), *lumps)


def _lay_hollow(rng: torch.Generator, add: Callable[..., None]) -> None:
    """Put down stomach, duodenum, colon and loops of small bowel."""
    if chance(0.75, rng):
        lump = near(rng, (-0.25, 0.36), (0.2, 0.26), uniform(-0.6, 0.6, rng), 0.14)
        filling = ("fluid", "stool", "contrast", "wall")[whole(0, 3, rng)]
        add(_fill_gut(uniform(0.01, 0.035, rng), filling), lump)
    if chance(0.5, rng):
        lump = near(rng, (0.02, -0.2), (0.08, 0.06), 0.0, 0.2)
        add(_fill_gut(uniform(0.01, 0.03, rng)), lump)
    for y, x in ((uniform(-0.2, 0.2, rng), -0.62), (uniform(-0.1, 0.25, rng), 0.62)):
        if chance(0.6, rng):
            size = uniform(0.07, 0.14, rng)
            filling = "stool" if chance(0.65, rng) else "gas"
            lump = near(rng, (y, x), (size, size * uniform(0.8, 1.3, rng)), 0.0, 0.2)
            add(_fill_gut(uniform(0.008, 0.02, rng), filling), lump)
    low = uniform(-0.5, 0.0, rng)
    for _ in range(whole(0, 16, rng)):
        size = uniform(0.045, 0.1, rng)
        place = uniform(low, low + 0.45, rng), uniform(-0.6, 0.6, rng)
        lump = near(rng, place, (size, size * uniform(1.0, 2.2, rng)), uniform(0, 3, rng), 0.2)
        add(_fill_gut(size * uniform(0.12, 0.5, rng)), lump)


def _lay_behind(rng: torch.Generator, add: Callable[..., None]) -> None:
    """Put down what lies along the back: kidneys, adrenal glands, the psoas muscles."""
    for side in (-1, 1):
        if chance(0.85, rng):
            add(fill_kidney, near(rng, (0.2, side * 0.42), (0.17, 0.12), side * 0.4, 0.06))
        if chance(0.8, rng):
            add(_fill_plain("muscle"), near(rng, (0.3, side * 0.2), (0.1, 0.08)))
        if chance(0.25, rng):
            add(_fill_plain("gland"), near(rng, (0.08, side * 0.27), (0.07, 0.018), side * 0.5, 0.3))


def _fill_plain(tissue: str) -> _Fill:
    def fill(canvas: Canvas, patch: Patch, lump: Lump) -> None:
        canvas.fill(patch, canvas.new(tissue))

    return fill


def _fill_gut(wall: float, filling: str = "") -> _Fill:
    def fill(canvas: Canvas, patch: Patch, lump: Lump) -> None:
        fill_hollow(canvas, patch, lump, wall, filling)

    return fill


def _fill_liver(canvas: Canvas, patch: Patch, lump: Lump) -> None:
    """Paint the liver with its vessels and, at times, what is ill in it."""
    rng = canvas.rng
    liver = canvas.fill(patch, canvas.new("liver"))
    if chance(0.8, rng):
        canvas.branches("vessel" if chance(0.5, rng) else "vein", liver, uniform(0.05, 0.25, rng), 0.14)
    if chance(0.5, rng):
        canvas.lesions(liver, patch, 4, math.exp(uniform(math.log(0.03), math.log(0.16), rng)))


def _fill_spleen(canvas: Canvas, patch: Patch, lump: Lump) -> None:
    spleen = canvas.fill(patch, canvas.new("spleen"))
    canvas.lesions(spleen, patch, 1, 0.06)
