"""Animals on four legs, birds and fish."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.things.bench import DOWN, Bench
from napari_sam.training.things.easel import Piece
from napari_sam.training.things.forms import Oval, Place, beyond, shifted, still
from napari_sam.training.things.looks import Look, draw_look, made_of, vary


def creature(rng: torch.Generator) -> list[Piece]:
    """Draw an animal on four legs, seen from the side."""
    bench = Bench(rng)
    coat = draw_look(rng)
    if chance(0.75, rng):
        coat = replace(made_of(coat, rng, "fur", "fur", "soft"), grain=uniform(0.1, 0.4, rng), gloss=0.05)
    legs = coat if chance(0.6, rng) else replace(coat, first=vary(coat.first, rng, 0.1, 0.6), patches=0.0)
    dark = replace(legs, first=vary(legs.first, rng, 0.02, 0.7), second=vary(legs.second, rng, 0.02, 0.7))
    thick, reach = uniform(0.15, 0.33, rng), uniform(0.28, 0.5, rng)
    length, thin = uniform(0.2, 0.7, rng), uniform(0.035, 0.09, rng)
    rump, chest = still(-reach, uniform(-0.1, 0.1, rng)), still(reach, uniform(-0.15, 0.1, rng))
    stance = uniform(0.05, 0.5, rng)

    def leg(hip: Place, look: Look, knee: float) -> None:
        low = shifted(hip, uniform(-0.06, 0.06, rng), 0.4 * thick)
        _leg(bench, low, (length, thin), (DOWN + uniform(-1, 1, rng) * stance, knee), look)

    leg(rump, dark, uniform(0.0, 0.7, rng))
    leg(chest, dark, uniform(-0.5, 0.2, rng))
    _tail(bench, rump, thick, coat)
    lower = 1.0 if chance(0.6, rng) else uniform(0.6, 1.3, rng)
    bench.bar(rump, chest, (thick * lower, thick * uniform(0.85, 1.15, rng)), coat)
    if chance(0.5, rng):
        bench.oval(Oval(still(uniform(-0.2, 0.2, rng), 0.1), thick, 0.8 * reach), coat)
    for _ in range(whole(1, 2, rng) if chance(0.12, rng) else 0):
        hump = still(uniform(-0.6, 0.6, rng) * reach, -0.8 * thick)
        bench.oval(Oval(hump, thick * uniform(0.4, 0.8, rng), thick * uniform(0.4, 0.7, rng)), coat)
    leg(shifted(rump, 0.05, 0.02), legs, uniform(0.0, 0.7, rng))
    leg(shifted(chest, -0.05, 0.02), legs, uniform(-0.5, 0.2, rng))
    _head(bench, shifted(chest, 0.3 * thick, -0.4 * thick), thick, coat)
    return bench.pieces


def _leg(bench: Bench, hip: Place, size: tuple[float, float], lean: tuple[float, float], look: Look) -> None:
    """Add a leg of a length and thickness, the knee bent by the second angle, and a foot."""
    length, thin = size
    radii = [thin * uniform(1.2, 2.2, bench.rng), thin, 0.7 * thin]
    angles = [lean[0], lean[0] + lean[1]]
    foot = bench.chain(hip, angles, [0.5 * length, 0.5 * length], radii, [look, look], "legs")
    bench.bar(foot, shifted(foot, 0.06, 0.01), (0.8 * thin, 0.6 * thin), look, "legs")


def _tail(bench: Bench, rump: Place, thick: float, coat: Look) -> None:
    """Add a tail of three joints, thin, bushy or short."""
    rng = bench.rng
    start, angle, bow = (
        shifted(rump, -0.8 * thick, -0.3 * thick),
        uniform(1.7, 4.2, rng),
        uniform(-0.6, 0.6, rng),
    )
    length, wide = uniform(0.05, 0.25, rng), uniform(0.015, 0.06, rng)
    radii = [wide, wide, wide * uniform(0.7, 1.8, rng), 0.6 * wide]
    angles = [angle + i * bow for i in range(3)]
    bench.chain(start, angles, [length] * 3, radii, [coat] * 3, "tail")


def _head(bench: Bench, base: Place, thick: float, coat: Look) -> None:
    """Add neck, head, snout, ears or horns, and an eye."""
    rng = bench.rng
    length = uniform(0.02, 0.55, rng) if chance(0.85, rng) else uniform(0.5, 1.0, rng)
    size = thick * uniform(0.45, 0.85, rng)
    face = coat if chance(0.6, rng) else draw_look(rng, vary(coat.first, rng, 0.1, uniform(0.5, 1.4, rng)))
    skull = beyond(base, bench.angles(uniform(-1.6, 0.2, rng)), length + 0.5 * size)
    bench.bar(base, skull, (thick * uniform(0.45, 0.8, rng), 0.7 * size), coat, "head")
    up = uniform(0.3, 1.5, rng)
    for side in (-1, 1):
        ear = beyond(skull, bench.angles(-DOWN + 0.35 * side, 0.3), size * (0.8 + up))
        bench.bar(beyond(skull, (-DOWN, -DOWN), 0.5 * size), ear, (0.3 * size, 0.08 * size), face, "head")
    bench.oval(Oval(skull, size, size * uniform(0.9, 1.3, rng)), face, "head")
    snout = beyond(skull, bench.angles(uniform(-0.1, 0.8, rng), 0.3), size * uniform(0.8, 1.9, rng))
    bench.bar(skull, snout, (0.65 * size, 0.35 * size), face, "head")
    black = Look((0.05, 0.04, 0.04), (0.1, 0.1, 0.1), gloss=0.8)
    bench.oval(Oval(snout, 0.18 * size, 0.2 * size), black, "head")
    bench.oval(Oval(shifted(skull, 0.3 * size, -0.25 * size), 0.14 * size, 0.14 * size), black, "head")


def bird(rng: torch.Generator) -> list[Piece]:
    """Draw a bird, or a fish: a body, wings or fins, and a tail."""
    bench = Bench(rng)
    coat, wing = draw_look(rng), draw_look(rng)
    wing = coat if chance(0.4, rng) else wing
    long, high = uniform(0.4, 0.65, rng), uniform(0.16, 0.35, rng)
    fish, swims = chance(0.3, rng), chance(0.3, rng)
    tail, spread = still(-0.85 * long, 0.0), uniform(0.1, 0.35, rng)
    ends = [beyond(tail, bench.angles(math.pi + s * spread), uniform(0.25, 0.45, rng)) for s in (1, -1)]
    bench.facet([shifted(tail, 0.1, 0), *ends], wing, (0.1, 0.2), "tail")
    for _ in range(0 if fish or swims else whole(0, 2, rng)):
        hip = still(uniform(-0.15, 0.15, rng), 0.7 * high)
        lengths, angles = [0.15, 0.2], [DOWN + uniform(-0.4, 0.4, rng), DOWN + uniform(-0.4, 0.4, rng)]
        bench.chain(hip, angles, lengths, [0.035, 0.02, 0.02], [Look((0.8, 0.5, 0.2), (0.3, 0.2, 0.1))] * 2)
    flap = uniform(-2.4, -0.7, rng)
    if chance(0.5, rng):
        tip = beyond(still(0, 0), bench.angles(flap), uniform(0.4, 0.9, rng))
        bench.facet([still(-0.2, 0), tip, still(0.15, 0)], wing, (0.3, -0.2), "wing")
    bench.oval(Oval(still(0, 0), high, long, bench.angles(0.0, 0.2)), coat)
    face = still(0.8 * long, 0.0)
    if not fish:
        face = _long_neck(bench, (long, high), coat) if swims else _short_neck(bench, (long, high), coat)
    _beak(bench, face, high, coat, fish)
    if chance(0.6, rng):
        bench.oval(Oval(still(-0.1, 0.02), 0.6 * high, 0.5 * long, bench.angles(-0.3)), wing, "wing")
    return bench.pieces


def _short_neck(bench: Bench, size: tuple[float, float], coat: Look) -> Place:
    """Add a neck up and forward; gives where the head is."""
    long, high = size
    face = beyond(still(0.8 * long, 0.0), bench.angles(-0.8, 0.5), uniform(0.05, 0.3, bench.rng))
    bench.bar(still(0.6 * long, 0), face, (0.6 * high, 0.4 * high), coat, "head")
    return face


def _long_neck(bench: Bench, size: tuple[float, float], coat: Look) -> Place:
    """Add a thin neck in an S, as swans, geese and herons have; gives where the head is."""
    rng, (long, high) = bench.rng, size
    angles = [uniform(-1.2, -0.2, rng), uniform(-2.1, -1.2, rng), uniform(-2.0, -0.8, rng)]
    part, thin = uniform(0.22, 0.45, rng), high * uniform(0.3, 0.45, rng)
    radii = [1.5 * thin, thin, 0.8 * thin, 0.8 * thin]
    return bench.chain(still(0.75 * long, -0.1 * high), angles, [part] * 3, radii, [coat] * 3, "head")


def _beak(bench: Bench, face: Place, high: float, coat: Look, fish: bool) -> None:
    """Add a bird's head and beak, and the eye that a fish has, too."""
    rng = bench.rng
    if not fish:
        cap = coat if chance(0.5, rng) else draw_look(rng)
        bench.oval(Oval(face, 0.5 * high, 0.55 * high), cap, "head")
        beak = beyond(face, bench.angles(0.1, 0.3), uniform(0.6, 1.3, rng) * high)
        bench.bar(face, beak, (0.22 * high, 0.02), Look((0.85, 0.55, 0.15), (0.3, 0.2, 0.1)), "head")
    bench.oval(
        Oval(shifted(face, 0, -0.1 * high), 0.1 * high, 0.1 * high), Look((0.03,) * 3, (0.1,) * 3, gloss=0.9)
    )
