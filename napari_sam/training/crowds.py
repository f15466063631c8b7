"""Crowds and parked rows in the ground of a photograph: many things alike that nobody asks for.

Streets, stands and gardens behind an object are as sharp and as many-coloured as it is, and often
hold things of its own kind. Without them, whatever stands out is the object.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.things.easel import Easel, Piece, Stand

MOST_IN_CROWD = 24
"""Most things of a crowd."""


def add_crowd(easel: Easel, thing: Callable[[torch.Generator], list[Piece]], pan: complex) -> None:
    """Stand one or two rows of things side by side, without labels.

    Parameters
    ----------
    easel : Easel
        Where they stand; what is added later stands before them.
    thing : callable
        Draws one of them.
    pan : complex
        How the camera moves between the planes.
    """
    rng = easel.rng
    tall, wide = (n / max(easel.hw) for n in easel.hw)
    size, row = uniform(0.14, 0.4, rng), uniform(-0.8, 0.2, rng) * tall
    apart = uniform(0.5, 1.2, rng)
    start, end = (-wide, wide) if chance(0.6, rng) else sorted(uniform(-wide, wide, rng) for _ in (0, 1))
    alike = [
        easel.sprite(thing(rng), Stand((0j, 0j), (uniform(-0.1, 0.1, rng),) * 2, (_vary(size, rng),) * 2))
        for _ in range(whole(1, 4, rng))
    ]
    for _ in range(MOST_IN_CROWD):
        if start > end:
            start, row = -wide + uniform(0, size, rng), row + 0.6 * size
            if chance(0.5, rng):
                return
        place = complex(start, row + uniform(-0.1, 0.1, rng) * size)
        one = alike[whole(0, len(alike) - 1, rng)]
        easel.stamp(one, (place, place + pan), mirrored=chance(0.5, rng))
        start += size * apart * uniform(0.6, 1.4, rng)


def _vary(size: float, rng: torch.Generator) -> float:
    return size * uniform(0.85, 1.15, rng)
