"""Furniture, vessels and signs."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.things.bench import BLACK, DOWN, METAL, Bench
from napari_sam.training.things.easel import Piece
from napari_sam.training.things.forms import Oval, Place, beyond, shifted, still
from napari_sam.training.things.looks import Look, draw_colour, draw_look, made_of, vary


def _block(bench: Bench, corner: Place, size: tuple[float, float, float], look: Look) -> None:
    """Add a box whose front's upper left corner is given: front, side and top of three brightnesses."""
    wide, high, deep = size
    lift, aside = 0.45 * deep, 0.6 * deep
    a, b, c, d = corner, shifted(corner, wide, 0), shifted(corner, wide, high), shifted(corner, 0, high)
    back = [shifted(p, aside, -lift) for p in (a, b, c)]
    bench.facet([a, b, back[1], back[0]], look, (-0.85, 0.0))
    bench.facet([b, back[1], back[2], c], look, (0.0, 0.8))
    bench.facet([a, b, c, d], look, (0.15, -0.2))


def furniture(rng: torch.Generator) -> list[Piece]:
    """Draw a box, a chair, a table, a sofa or a lamp."""
    bench, kind = Bench(rng), uniform(0, 1, rng)
    look = made_of(draw_look(rng), rng, "wood", "cloth", "soft")
    wide, deep, thin = uniform(0.5, 1.2, rng), uniform(0.3, 0.8, rng), uniform(0.02, 0.07, rng)
    left = -0.5 * (wide + 0.6 * deep)
    if kind < 0.3:
        high = uniform(0.3, 1.2, rng)
        _block(bench, still(left, -0.4 * high), (wide, high, deep), look)
        for i in range(whole(0, 4, rng)):  # drawers, labels, screens
            panel = still(left + 0.5 * wide, -0.4 * high + (i + 0.7) * high / 5)
            bench.oval(Oval(panel, 0.08 * high, 0.38 * wide, boxy=True, flat=0.9), draw_look(rng))
    elif kind < 0.75:
        _chair(bench, (wide, deep, thin), look, kind < 0.55)
    elif kind < 0.88:
        _block(bench, still(left, -0.5), (wide, 0.6, 0.2), look)
        _block(bench, still(left, 0.0), (wide, 0.45, 0.5), replace(look, first=vary(look.first, rng)))
        for x in (left, left + wide):
            bench.bar(still(x, -0.05), still(x, 0.4), (0.12, 0.12), look)
    else:
        head = still(uniform(-0.3, 0.3, rng), -0.6)
        bench.bar(still(0, 0.85), head, (thin, thin), METAL)
        bench.oval(Oval(still(0, 0.87), 0.08, 0.3), look)
        shade = [shifted(head, x, y) for x, y in ((-0.15, -0.25), (0.15, -0.25), (0.4, 0.15), (-0.4, 0.15))]
        bench.facet(shade, replace(draw_look(rng), glow=uniform(0, 0.4, rng)), (0.2, 0.2))
    return bench.pieces


def _chair(bench: Bench, size: tuple[float, float, float], look: Look, backed: bool) -> None:
    """Add legs and a seat, and a back of slats where it has one."""
    rng, (wide, deep, thin) = bench.rng, size
    level, left = uniform(-0.1, 0.3, rng), -0.5 * (wide + 0.6 * deep)
    aside, lift = 0.6 * deep, -0.4 * deep
    for x, y in ((left + aside, lift), (left + wide + aside, lift), (left, 0.0), (left + wide, 0.0)):
        bench.bar(still(x, level + y), still(x * 1.05, 0.85 + y), (thin, 0.8 * thin), look, "legs")
    if backed:
        top, n_slats = uniform(-0.95, -0.5, rng), whole(2, 6, rng)
        for i in range(n_slats):
            x = left + aside + wide * i / (n_slats - 1)
            bench.bar(still(x, level + lift), still(x, top), (thin, thin), look, "back")
        rail = still(left + aside, top), still(left + wide + aside, top)
        bench.bar(*rail, (1.5 * thin, 1.5 * thin), look, "back")
    cushion = draw_look(rng) if chance(0.4, rng) else look
    _block(bench, still(left, level), (wide, 2 * thin, deep), cushion)


def vessel(rng: torch.Generator) -> list[Piece]:
    """Draw a bottle, a vase, a jug or a cup, with a handle to see through, a label, a lid."""
    bench = Bench(rng)
    look = replace(draw_look(rng), gloss=uniform(0.1, 1.0, rng), bump=0.03)
    wide, high = uniform(0.2, 0.5, rng), uniform(0.4, 0.75, rng)
    if chance(0.5, rng):
        side, ring = (1 if chance(0.5, rng) else -1), uniform(0.4, 0.7, rng)
        handle = Oval(still(side * wide, 0.1), ring * high, 0.6 * wide, rim=uniform(0.2, 0.45, rng))
        bench.oval(handle, look, "handle")
    middle = still(0, 0.9 - high)
    if chance(0.5, rng):
        bench.oval(Oval(middle, high, wide, boxy=True), look)
    else:
        bench.bar(
            still(0, 0.85 - wide),
            still(0, 0.9 - 2 * high + wide),
            (wide, wide * uniform(0.5, 1.2, rng)),
            look,
        )
    if chance(0.5, rng):
        neck, top = wide * uniform(0.2, 0.7, rng), still(0, 0.9 - 2 * high - uniform(0.1, 0.5, rng))
        bench.bar(shifted(middle, 0, -0.5 * high), top, (neck * 1.3, neck), look)
        bench.oval(Oval(top, 0.08, neck * 1.15, boxy=True), draw_look(rng), "lid")
    else:
        rim = still(0, 0.92 - 2 * high)
        bench.oval(Oval(rim, 0.25 * wide, 0.95 * wide, flat=0.5), look)
        bench.oval(Oval(rim, 0.18 * wide, 0.8 * wide, flat=0.8), replace(BLACK, first=draw_colour(rng)))
    if chance(0.5, rng):
        label = Oval(shifted(middle, 0, 0.1), 0.35 * high, 0.85 * wide, boxy=True, flat=0.3)
        bench.oval(label, draw_look(rng), "label")
        _write(bench, shifted(middle, 0, 0.1), (0.3 * high, 0.6 * wide))
    return bench.pieces


def _write(bench: Bench, middle: Place, half: tuple[float, float]) -> None:
    """Add rows of marks like letters."""
    rng, ink = bench.rng, Look(draw_colour(bench.rng), draw_colour(bench.rng), gloss=0.0)
    n_rows = whole(1, 2, rng)
    for row in range(n_rows):
        n_marks, tall = whole(2, 5, rng), 0.6 * half[0] / n_rows
        y = (row - (n_rows - 1) / 2) * 2.2 * tall
        for i in range(n_marks):
            x = half[1] * (2 * (i + 0.5) / n_marks - 1)
            place, thin = shifted(middle, x, y), 0.2 * min(tall, half[1] / n_marks)
            angle = uniform(-math.pi, math.pi, rng)
            ends = (
                beyond(place, (angle, angle), 0.7 * tall),
                beyond(place, (angle + 3, angle + 3), 0.7 * tall),
            )
            bench.bar(*ends, (thin, thin), ink)


def sign(rng: torch.Generator) -> list[Piece]:
    """Draw a road sign on its post, a board, a screen or a book with marks on it."""
    bench = Bench(rng)
    plate, border = draw_look(rng), draw_look(rng)
    high, wide, middle = uniform(0.3, 0.6, rng), uniform(0.3, 0.6, rng), still(0, -0.35)
    if chance(0.6, rng):
        bench.bar(still(0, 1.0), middle, (0.04, 0.04), METAL, "post")
    boxy, kind = chance(0.6, rng), uniform(0, 1, rng)
    if kind < 0.75:
        bench.oval(Oval(middle, high, wide, boxy=boxy, flat=0.9), border)
        bench.oval(Oval(middle, 0.85 * high, 0.85 * wide, boxy=boxy, flat=0.9), plate)
    else:
        for scale, look in ((1.0, border), (0.75, plate)):
            corners = [beyond(middle, (a, a), scale * high * 1.2) for a in (-DOWN, 0.52, math.pi - 0.52)]
            bench.facet(corners, look)
    _write(bench, middle, (0.5 * high, 0.5 * wide))
    return bench.pieces
