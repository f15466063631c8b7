"""Photographs and film: things of many parts and colours before busy ground, whole as one.

A thing is an animal, a person, a vehicle, a plant, furniture, a vessel, a tool, a sign, or nothing
known. It is one object with all that hangs on it; now and then a part is an object of its own as
well. Light has a direction, things cast shadows, some hide others, some look like their ground.
The second plane is another frame of the film: limbs, things and the camera have moved.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from napari_sam.training.crowds import add_crowd
from napari_sam.training.exposures import develop
from napari_sam.training.fields import blur, chance, uniform, whole
from napari_sam.training.grounds import draw_ground
from napari_sam.training.scene import Scene
from napari_sam.training.things.animals import bird, creature
from napari_sam.training.things.bench import DOWN, Bench
from napari_sam.training.things.easel import Easel, Piece, Stand
from napari_sam.training.things.forms import beyond, still
from napari_sam.training.things.household import furniture, sign, vessel
from napari_sam.training.things.instruments import instrument
from napari_sam.training.things.looks import Colour, Look, blend, draw_look, vary
from napari_sam.training.things.people import person, rider
from napari_sam.training.things.plants import fruit, plant
from napari_sam.training.things.unknown import assembly
from napari_sam.training.things.vehicles import bicycle, craft, motorcycle, vehicle

THINGS: tuple[tuple[float, Callable[[torch.Generator], list[Piece]]], ...] = (
    (0.18, creature),
    (0.17, person),
    (0.08, rider),
    (0.07, bird),
    (0.04, plant),
    (0.03, fruit),
    (0.10, vehicle),
    (0.04, bicycle),
    (0.06, motorcycle),
    (0.04, craft),
    (0.06, furniture),
    (0.05, vessel),
    (0.07, instrument),
    (0.03, sign),
    (0.10, assembly),
)
"""Kinds of things with their share."""

RIGID = (vehicle, bicycle, motorcycle, craft, furniture, vessel, instrument, sign)
"""Kinds of things with even outlines."""

PARTS_SHARE = 0.08
"""How often a part of a thing is an object of its own, too."""

HIDDEN_SHARE = 0.35
"""How often things have nearly the colours of their ground, all over or in parts."""

HALF_HIDDEN_SHARE = 0.6
"""How often only some of its looks are hidden: parts differ more from each other than from the ground."""

CROWD_SHARE = 0.35
"""How often a crowd stands, or things are parked, in the ground."""

CROWDS = (person, person, vehicle, motorcycle, plant, furniture, creature)
"""What crowds are of."""

ENDING_SHARE = 0.15
"""How often a thing is gone in the second plane."""


class _Film:
    """Two frames of film: what stands in them, and its roles."""

    def __init__(self, hw: tuple[int, int], rng: torch.Generator) -> None:
        self.hw, self.rng = hw, rng
        self.easel = Easel(hw, rng)
        self.parents: dict[int, int] = {}
        self.n_labels = 0
        self.tones: tuple[Colour, Colour] | None = None
        self.pan = complex(uniform(-1, 1, rng), uniform(-0.5, 0.5, rng)) * uniform(0.0, 0.12, rng)
        self.tall, self.wide = hw[0] / max(hw), hw[1] / max(hw)

    def stand(self, place: complex, size: float, turn: float) -> Stand:
        """Say how a thing of a size stands in a place, and how it moves."""
        rng = self.rng
        lasting = not chance(ENDING_SHARE, rng)
        move = self.pan + size * complex(uniform(-1, 1, rng), uniform(-1, 1, rng)) * uniform(0.0, 0.25, rng)
        if not lasting and chance(0.4, rng):  # it leaves the picture
            lasting, move = True, move + (2.2 if place.real > 0 else -2.2)
        grown = size * math.exp(uniform(-0.08, 0.08, rng))
        return Stand(
            (place, place + move),
            (turn, turn + uniform(-0.12, 0.12, rng)),
            (size, grown),
            abs(turn) < 0.3 and chance(0.5, rng),
            math.exp(uniform(-0.15, 0.15, rng)),
            uniform(0.0, 0.03, rng),
            lasting,
        )

    def reaching_in(self) -> Stand:
        """Say how a tool reaches in from beside the picture."""
        turn = uniform(-math.pi, math.pi, self.rng)
        tip = complex(uniform(-0.5, 0.5, self.rng), uniform(-0.5, 0.5, self.rng))
        size = uniform(0.4, 1.2, self.rng)
        return self.stand(tip - cmath.rect(0.6 * size, turn), size, turn)

    def add(self, pieces: list[Piece], stand: Stand) -> None:
        """Paint a thing as one object, at times one of its parts as another."""
        rng = self.rng
        self.n_labels += 1
        label = self.n_labels
        names = sorted({piece.part for piece in pieces} - {""})
        parts: dict[str, int] = {}
        if names and chance(0.3 if "rider" in names else PARTS_SHARE, rng):
            self.n_labels += 1
            parts = {names[whole(0, len(names) - 1, rng)]: self.n_labels}
            self.parents[self.n_labels] = label
        if self.tones:
            some_looks = chance(HALF_HIDDEN_SHARE, rng)
            pieces = _hide(pieces, self.tones, uniform(0.5, 0.95, rng), rng if some_looks else None)
        self.easel.set(pieces, stand, label, parts)


def photographs(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw two frames of a film: one large thing, several of a sort, or some far away."""
    film = _Film(hw, rng)
    place, ground = _ground(film)
    layout = uniform(0, 1, rng)
    if chance(HIDDEN_SHARE, rng):
        film.tones = _pick_tones(ground, rng)
    for _ in range(whole(1, 2, rng) if chance(0.35, rng) else 0):
        _add_any(film, uniform(0.1, 0.6, rng), 1.0)
    if place == "tissue" and chance(0.5, rng):
        for _ in range(whole(1, 3, rng)):
            film.add(instrument(rng), film.reaching_in())
    elif layout < 0.68:
        _add_any(film, math.exp(uniform(math.log(0.55), math.log(1.8), rng)), 0.3)
    elif layout < 0.9:
        _add_many(film, whole(2, 7, rng))
    else:
        for _ in range(whole(1, 3, rng)):
            _add_any(film, uniform(0.08, 0.25, rng), 0.9)
    if chance(0.2, rng):
        _add_any(film, uniform(0.15, 0.6, rng), 1.1)
    if chance(0.15, rng):
        _add_blades(film)
    labels = film.easel.labels
    image = develop(film.easel, ground, rng)
    everything, parts = frozenset(range(1, film.n_labels + 1)), frozenset(film.parents)
    return Scene(labels, "photographs", film.parents, whole=everything, image=image, parts=parts)


def _pick_tones(ground: Tensor, rng: torch.Generator) -> tuple[Colour, Colour]:
    """Pick the colours of two places of the ground ``(2, 3, H, W)``."""
    height, width = ground.shape[2:]
    places = [(whole(0, height - 1, rng), whole(0, width - 1, rng)) for _ in (0, 1)]
    first, second = (ground[0, :, row, column].tolist() for row, column in places)
    return (first[0], first[1], first[2]), (second[0], second[1], second[2])


def _hide(
    pieces: list[Piece], tones: tuple[Colour, Colour], share: float, rng: torch.Generator | None = None
) -> list[Piece]:
    """Bring the colours of pieces near two others, with a generator only some of the looks."""
    chosen: dict[Look, bool] = {}
    hidden = []
    for piece in pieces:
        look = piece.look
        if look not in chosen:
            chosen[look] = rng is None or chance(0.5, rng)
        if chosen[look]:
            first, second = blend(look.first, tones[0], share), blend(look.second, tones[1], share)
            look = replace(look, first=first, second=second)
        hidden.append(replace(piece, look=look))
    return hidden


def _ground(film: _Film) -> tuple[str, Tensor]:
    """Draw a ground, out of focus at times or with a crowd, and cut what is seen; ``(2, 3, H, W)``."""
    rng, (height, width) = film.rng, film.hw
    half = max(film.hw) / 2
    down, right = round(film.pan.imag * half), round(film.pan.real * half)
    name, ground = draw_ground((height + abs(down), width + abs(right)), rng)
    if chance(0.5, rng):
        ground = blur(ground, uniform(0.3, 4.0, rng) * max(film.hw) / 256)
    if name != "tissue" and chance(CROWD_SHARE, rng):
        add_crowd(film.easel, CROWDS[whole(0, len(CROWDS) - 1, rng)], film.pan)
    starts = [(max(down, 0), max(right, 0)), (max(-down, 0), max(-right, 0))]
    return name, torch.stack([ground[:, r : r + height, c : c + width] for r, c in starts])


def _draw_thing(rng: torch.Generator) -> Callable[[torch.Generator], list[Piece]]:
    shares = torch.tensor([share for share, _ in THINGS], device=rng.device)
    return THINGS[int(torch.multinomial(shares, 1, generator=rng))][1]


def _add_any(film: _Film, size: float, spread: float) -> None:
    """Add a thing of any kind near the middle, or as far away as `spread` says."""
    rng, thing = film.rng, _draw_thing(film.rng)
    if thing is instrument and chance(0.6, rng):
        film.add(thing(rng), film.reaching_in())
        return
    place = complex(uniform(-1, 1, rng) * film.wide, uniform(-1, 1, rng) * film.tall) * spread
    turned = thing in (instrument, assembly) or chance(0.12, rng)
    stand = film.stand(place, size, uniform(-math.pi, math.pi, rng) if turned else uniform(-0.2, 0.2, rng))
    film.add(thing(rng), replace(stand, bend=0.2 * stand.bend) if thing in RIGID else stand)


def _add_many(film: _Film, n_things: int) -> None:
    """Add several of one kind, those further down, and larger, before those further up."""
    rng, thing = film.rng, _draw_thing(film.rng)
    size, alike = uniform(0.6, 1.2, rng) / math.sqrt(n_things), chance(0.5, rng)
    first, slope = thing(rng), uniform(-0.1, 0.6, rng)
    rows = sorted(uniform(-0.8, 0.8, rng) for _ in range(n_things))
    for row in rows:
        place = complex(uniform(-0.9, 0.9, rng) * film.wide, row * film.tall)
        grown = size * (1 + slope * row) * uniform(0.8, 1.2, rng)
        film.add(first if alike else thing(rng), film.stand(place, grown, uniform(-0.2, 0.2, rng)))


def _add_blades(film: _Film) -> None:
    """Put grass or twigs before everything; they are no objects."""
    rng, bench = film.rng, Bench(film.rng)
    look, long = draw_look(rng, vary((0.3, 0.4, 0.15), rng, 0.15)), uniform(0.2, 0.9, rng)
    for _ in range(whole(4, 14, rng)):
        root = still(uniform(-1, 1, rng) * film.wide, film.tall)
        tip = beyond(root, bench.angles(-DOWN + uniform(-0.5, 0.5, rng), 0.3), long * uniform(0.5, 1.2, rng))
        bench.bar(root, tip, (uniform(0.008, 0.035, rng), 0.004), look)
    film.easel.set(bench.pieces, Stand((0j, film.pan), (0.0, 0.0), (1.0, 1.0)), 0, {})
