"""Long thin tools."""

from __future__ import annotations

from dataclasses import replace

import torch

from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.things.bench import BLACK, METAL, Bench
from napari_sam.training.things.easel import Piece
from napari_sam.training.things.forms import Oval, beyond, still
from napari_sam.training.things.looks import draw_look, vary


def instrument(rng: torch.Generator) -> list[Piece]:
    """Draw a long thin tool of metal with jaws, a blade or a head, often reaching in from outside."""
    bench = Bench(rng)
    shaft = replace(
        METAL, first=vary(METAL.first, rng, 0.05, uniform(0.3, 1.4, rng)), gloss=uniform(0.3, 1, rng)
    )
    if chance(0.3, rng):
        shaft = draw_look(rng)
    thick, wrist = uniform(0.025, 0.1, rng), still(0.35, 0.0)
    start = still(-1.0 if chance(0.4, rng) else -2.5, 0.0)
    bench.bar(start, wrist, (thick * uniform(0.9, 1.3, rng), thick), shaft, "shaft")
    if chance(0.5, rng):
        grip = still(-0.95, 0), still(uniform(-0.6, -0.2, rng), 0)
        bench.bar(*grip, (thick * uniform(1.3, 2.2, rng), 1.5 * thick), draw_look(rng), "grip")
    for x in range(whole(0, 3, rng)):
        ring = still(0.2 - 0.2 * x, 0)
        bench.oval(Oval(ring, 1.15 * thick, 0.3 * thick, boxy=True), BLACK)
    bend = bench.angles(uniform(-0.8, 0.8, rng))
    knuckle = beyond(wrist, bend, uniform(0.05, 0.25, rng))
    bench.bar(wrist, knuckle, (thick, 0.9 * thick), METAL, "tip")
    kind, spread, long = uniform(0, 1, rng), uniform(0.05, 0.6, rng), uniform(0.15, 0.45, rng)
    if kind < 0.6:
        move = uniform(-0.2, 0.2, rng)
        for side in (-1, 1):
            angles = bend[0] + side * spread, bend[1] + side * (spread + move)
            bench.bar(knuckle, beyond(knuckle, angles, long), (0.7 * thick, 0.25 * thick), METAL, "tip")
    elif kind < 0.8:
        tip = beyond(knuckle, bend, long)
        bench.bar(knuckle, tip, (thick * uniform(1, 2.5, rng), 0.2 * thick), METAL, "tip")
    else:
        bench.oval(
            Oval(knuckle, 2.5 * thick, uniform(1.2, 4, rng) * thick, bend, chance(0.5, rng)), draw_look(rng)
        )
    if chance(0.25, rng):  # rings for the fingers
        for side in (-1, 1):
            ring = still(-1.05, side * 0.16)
            bench.bar(ring, wrist, (0.6 * thick, thick), shaft)
            bench.oval(Oval(ring, 0.15, 0.18, rim=0.35), draw_look(rng), "grip")
    return bench.pieces
