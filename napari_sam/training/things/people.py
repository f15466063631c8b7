"""People in clothes of several colours, and riders."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from napari_sam.training.fields import chance, uniform
from napari_sam.training.things.animals import creature
from napari_sam.training.things.bench import DOWN, Bench
from napari_sam.training.things.easel import Piece
from napari_sam.training.things.forms import Oval, Place, beyond, shifted, still
from napari_sam.training.things.looks import Look, draw_look, made_of, vary


@dataclass(frozen=True)
class _Outfit:
    """What a person wears, how wide they are, and how wildly they move."""

    skin: Look
    shirt: Look
    sleeve: Look
    trousers: Look
    shin: Look
    shoes: Look
    wide: float
    wild: float
    seated: bool


def _dress(rng: torch.Generator, seated: bool) -> _Outfit:
    skin = Look(vary((0.75, 0.55, 0.42), rng, 0.08, uniform(0.35, 1.2, rng)), (0.6, 0.4, 0.3), patches=0.2)
    shirt = made_of(draw_look(rng), rng, "cloth", "soft")
    trousers = shirt if chance(0.2, rng) else made_of(draw_look(rng), rng, "cloth", "soft")
    sleeve = shirt if chance(0.6, rng) else skin
    shin = trousers if chance(0.7, rng) else skin
    wide, wild = uniform(0.12, 0.2, rng), uniform(0.2, 1.3, rng)
    return _Outfit(skin, shirt, sleeve, trousers, shin, draw_look(rng), wide, wild, seated)


def person(rng: torch.Generator, *, seated: bool = False) -> list[Piece]:
    """Draw a person in clothes of several colours, standing, walking, leaping or seated."""
    bench, outfit = Bench(rng), _dress(rng, seated)
    wide, hips = outfit.wide, still(0.0, 0.08)
    neck = beyond(hips, bench.angles(-DOWN + uniform(-0.4, 0.4, rng), 0.3), 0.46)
    _arm(bench, neck, -1.0, outfit)
    _leg(bench, hips, -1.0, outfit)
    _leg(bench, hips, 1.0, outfit)
    if chance(0.25, rng):  # a skirt or a coat
        hem = [shifted(hips, s * wide * uniform(1.2, 2.2, rng), uniform(0.2, 0.5, rng)) for s in (1, -1)]
        waist = [shifted(hips, -wide, -0.05), shifted(hips, wide, -0.05)]
        bench.facet([*waist, *hem], outfit.trousers, (0.2, 0.2))
    bench.bar(hips, shifted(neck, 0, 0.1), (wide * uniform(0.8, 1.1, rng), wide), outfit.shirt, "shirt")
    if chance(0.3, rng):
        bench.oval(Oval(shifted(neck, -wide, 0.2), 0.17, 0.1, boxy=True), draw_look(rng), "bag")
    _face(bench, neck, wide, outfit.skin)
    _arm(bench, neck, 1.0, outfit)
    return bench.pieces


def _leg(bench: Bench, hips: Place, side: float, outfit: _Outfit) -> None:
    """Add thigh, shin and shoe."""
    rng, thigh = bench.rng, outfit.wide * uniform(0.5, 0.75, bench.rng)
    start = shifted(hips, 0.4 * outfit.wide * side, 0.0)
    upper = DOWN + uniform(-1, 1, rng) * outfit.wild * 0.7 - 0.1 * side
    lower = upper + uniform(0.0, 1.0, rng) * outfit.wild
    if outfit.seated:
        upper, lower = uniform(0.3, 1.2, rng), uniform(1.4, 2.2, rng)
    radii, looks = [thigh, 0.75 * thigh, 0.45 * thigh], [outfit.trousers, outfit.shin]
    foot = bench.chain(start, [upper, lower], [0.4, 0.4], radii, looks, "trousers")
    toe = shifted(foot, 0.09 if chance(0.8, rng) else -0.05, 0.02)
    bench.bar(foot, toe, (0.55 * thigh, 0.4 * thigh), outfit.shoes)


def _arm(bench: Bench, neck: Place, side: float, outfit: _Outfit) -> None:
    """Add an arm and a hand, at times with something in it."""
    rng, arm = bench.rng, outfit.wide * uniform(0.3, 0.45, bench.rng)
    start = shifted(neck, 0.8 * outfit.wide * side, 0.08)
    upper = DOWN + uniform(-1, 1, rng) * outfit.wild - 0.2 * side
    lower = upper - uniform(0.0, 1.0, rng) * outfit.wild
    if outfit.seated:
        upper, lower = uniform(0.4, 1.2, rng), uniform(-0.2, 0.9, rng)
    radii, looks = [arm, 0.85 * arm, 0.6 * arm], [outfit.shirt, outfit.sleeve]
    hand = bench.chain(start, [upper, lower], [0.25, 0.23], radii, looks, "shirt")
    bench.oval(Oval(hand, 0.75 * arm, 0.75 * arm), outfit.skin)
    if chance(0.2, rng):
        held = beyond(hand, bench.angles(uniform(-3, 3, rng)), uniform(0.15, 0.7, rng))
        bench.bar(hand, held, (0.025, uniform(0.01, 0.06, rng)), draw_look(rng), "held")


def _face(bench: Bench, neck: Place, wide: float, skin: Look) -> None:
    """Add neck, hair, face and, at times, a hat or helmet."""
    rng = bench.rng
    size = uniform(0.1, 0.14, rng)
    head = beyond(neck, bench.angles(-DOWN, 0.3), 0.14 + 0.3 * size)
    bench.bar(neck, head, (0.4 * wide, 0.35 * wide), skin, "head")
    hair = draw_look(rng, vary((0.3, 0.2, 0.12), rng, 0.1, uniform(0.2, 1.8, rng)))
    aside = uniform(-0.3, 0.3, rng) * size
    if chance(0.85, rng):
        low = uniform(-0.3, 0.5, rng) * size
        bench.oval(Oval(shifted(head, -aside, low), size * 1.15, size * 0.95), hair, "head")
    bench.oval(Oval(shifted(head, aside, 0.1 * size), size * 0.95, size * 0.75), skin, "head")
    if chance(0.3, rng):
        hat = draw_look(rng)
        bench.oval(
            Oval(shifted(head, 0, -0.55 * size), size * 0.6, size * uniform(0.8, 1.0, rng)), hat, "head"
        )
        if chance(0.5, rng):
            brim = shifted(head, -1.2 * size, -0.35 * size), shifted(head, 1.2 * size, -0.35 * size)
            bench.bar(*brim, (0.12 * size, 0.12 * size), hat, "head")


def rider(rng: torch.Generator) -> list[Piece]:
    """Draw an animal with a person on it, one thing together."""
    size = uniform(0.55, 0.95, rng)
    return [*creature(rng), *seat(person(rng, seated=True), still(0.0, -0.15 - 0.1 * size), size)]


def seat(pieces: list[Piece], place: Place, size: float) -> list[Piece]:
    """Put a person, `size` times as large, in a place as the rider of something."""
    return [Piece(piece.form.moved(place, size), piece.look, "rider") for piece in pieces]
