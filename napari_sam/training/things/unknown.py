"""Things that are nothing known."""

from __future__ import annotations

import math

import torch

from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.things.bench import Bench
from napari_sam.training.things.easel import Piece
from napari_sam.training.things.forms import Oval, Place, beyond, still
from napari_sam.training.things.looks import Look, draw_colour, draw_look


def assembly(rng: torch.Generator) -> list[Piece]:
    """Draw a thing that is nothing known: bars, ovals and facets that hang together."""
    bench = Bench(rng)
    looks = [draw_look(rng) for _ in range(whole(1, 4, rng))]
    places: list[Place] = [still(0.0, 0.0)]
    for number in range(whole(3, 14, rng)):
        look, base = looks[whole(0, len(looks) - 1, rng)], places[whole(0, len(places) - 1, rng)]
        size, angle = uniform(0.06, 0.4, rng) * (1.3 if number == 0 else 1.0), uniform(-math.pi, math.pi, rng)
        end, part = beyond(base, bench.angles(angle), uniform(0.15, 0.6, rng)), f"part {number}"
        if max(abs(end[0]), abs(end[1])) > 0.95:
            continue
        kind = uniform(0, 1, rng)
        if kind < 0.45:
            bench.bar(base, end, (0.5 * size, size * uniform(0.1, 0.7, rng)), look, part)
        elif kind < 0.75:
            turns, rim = bench.angles(angle), uniform(0.2, 0.6, rng) if chance(0.15, rng) else 0.0
            bench.oval(
                Oval(base, size, size * uniform(0.5, 1.5, rng), turns, chance(0.3, rng), rim), look, part
            )
        else:
            spin = [angle + s * uniform(0.3, 1.2, rng) for s in (-1, 1)]
            corners = [base, *(beyond(base, (s, s), size * uniform(1, 2, rng)) for s in spin)]
            bench.facet(corners, look, (uniform(-0.6, 0.6, rng), uniform(-0.6, 0.6, rng)), part)
        places.append(end)
    if not bench.pieces:
        bench.oval(Oval(still(0, 0), 0.5, 0.5), Look(draw_colour(rng), draw_colour(rng)))
    return bench.pieces
