"""Plants, flowers, trees and fruit."""

from __future__ import annotations

from dataclasses import replace

import torch

from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.things.bench import DOWN, Bench
from napari_sam.training.things.easel import Piece
from napari_sam.training.things.forms import Oval, beyond, shifted, still
from napari_sam.training.things.looks import Look, draw_look, made_of, vary


def plant(rng: torch.Generator) -> list[Piece]:
    """Draw a plant in a pot, a flower or a tree."""
    bench = Bench(rng)
    leaf = draw_look(rng, vary((0.25, 0.4, 0.15), rng, 0.12, uniform(0.5, 1.6, rng)))
    leaf = replace(made_of(leaf, rng, "leaves", "soft"), grain=uniform(0.05, 0.4, rng))
    bloom, foot = draw_look(rng), still(0.0, 0.5)
    n_leaves, size = whole(3, 12, rng), uniform(0.15, 0.4, rng)
    stem = replace(leaf, first=vary((0.35, 0.27, 0.15), rng, 0.1), grain=0.3)
    stem = made_of(stem, rng, "cracks", "wood", "soft")
    thick = uniform(0.015, 0.09, rng)
    for i in range(n_leaves):
        angle = -DOWN + uniform(-1.3, 1.3, rng)
        end = beyond(
            shifted(foot, 0, -uniform(0.1, 0.5, rng)), bench.angles(angle, 0.4), uniform(0.3, 0.7, rng)
        )
        bench.bar(foot, end, (thick, 0.4 * thick + 0.005), stem)
        turns = angle, angle + 0.3 * bench.swing
        shade = replace(leaf, first=vary(leaf.first, rng, 0.04, uniform(0.7, 1.2, rng)))
        flower = i % 3 == 0 and chance(0.5, rng)
        bench.oval(
            Oval(end, size * uniform(0.3, 0.9, rng), size, turns, flat=0.3), bloom if flower else shade
        )
    if chance(0.6, rng):
        pot, wide = draw_look(rng), uniform(0.15, 0.35, rng)
        low = [still(0.7 * wide, 0.95), still(-0.7 * wide, 0.95)]
        bench.facet([still(-wide, 0.45), still(wide, 0.45), *low], pot, (0.1, 0.3), "pot")
        bench.bar(still(-wide, 0.45), still(wide, 0.45), (0.05, 0.05), pot, "pot")
    return bench.pieces


def fruit(rng: torch.Generator) -> list[Piece]:
    """Draw a fruit, a mushroom or a bunch of them."""
    bench = Bench(rng)
    skin = replace(draw_look(rng), gloss=uniform(0.1, 0.9, rng))
    n = 1 if chance(0.6, rng) else whole(3, 9, rng)
    for _ in range(n):
        away = 0.0 if n == 1 else 0.45
        place = still(uniform(-away, away, rng), uniform(-away, away, rng))
        radius = uniform(0.6, 0.9, rng) if n == 1 else uniform(0.2, 0.35, rng)
        one = replace(skin, first=vary(skin.first, rng, 0.05))
        bench.oval(
            Oval(place, radius, radius * uniform(0.6, 1.2, rng), bench.angles(uniform(0, 3, rng))), one
        )
    if chance(0.6, rng):
        top = still(0.0, -0.55)
        tip = beyond(top, bench.angles(-DOWN + uniform(-0.6, 0.6, rng)), uniform(0.2, 0.4, rng))
        bench.bar(top, tip, (0.05, 0.03), Look((0.3, 0.2, 0.1), (0.2, 0.3, 0.1)))
        if chance(0.5, rng):
            green = draw_look(rng, vary((0.2, 0.45, 0.15), rng))
            bench.oval(Oval(shifted(tip, 0.15, 0), 0.1, 0.2, bench.angles(0.4)), green, "leaf")
    return bench.pieces
