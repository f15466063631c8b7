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
from torch.nn import functional as F

from napari_sam.training.crowds import add_crowd
from napari_sam.training.fields import blur, chance, smooth_noise, uniform, unit_grid, whole
from napari_sam.training.grounds import draw_ground
from napari_sam.training.scene import Scene
from napari_sam.training.things.animals import bird, creature
from napari_sam.training.things.bench import DOWN, Bench
from napari_sam.training.things.easel import Easel, Piece, Stand
from napari_sam.training.things.forms import beyond, still
from napari_sam.training.things.household import furniture, sign, vessel
from napari_sam.training.things.instruments import instrument
from napari_sam.training.things.looks import Colour, blend, draw_look, vary
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

HIDDEN_SHARE = 0.2
"""How often things have nearly the colours of their ground."""

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
            pieces = _hide(pieces, self.tones, uniform(0.5, 0.95, rng))
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
        _add_any(film, math.exp(uniform(math.log(0.5), math.log(1.6), rng)), 0.3)
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
    image = _develop(film, ground, labels)
    everything, parts = frozenset(range(1, film.n_labels + 1)), frozenset(film.parents)
    return Scene(labels, "photographs", film.parents, whole=everything, image=image, parts=parts)


def _pick_tones(ground: Tensor, rng: torch.Generator) -> tuple[Colour, Colour]:
    """Pick the colours of two places of the ground ``(2, 3, H, W)``."""
    height, width = ground.shape[2:]
    places = [(whole(0, height - 1, rng), whole(0, width - 1, rng)) for _ in (0, 1)]
    first, second = (ground[0, :, row, column].tolist() for row, column in places)
    return (first[0], first[1], first[2]), (second[0], second[1], second[2])


def _hide(pieces: list[Piece], tones: tuple[Colour, Colour], share: float) -> list[Piece]:
    """Bring the colours of pieces near two others."""
    hidden = []
    for piece in pieces:
        look = piece.look
        first, second = blend(look.first, tones[0], share), blend(look.second, tones[1], share)
        hidden.append(replace(piece, look=replace(look, first=first, second=second)))
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


def _develop(film: _Film, ground: Tensor, labels: Tensor) -> Tensor:
    """Light, shade and take the photograph; ``(2, 3, H, W)``, 0 to 1."""
    rng, hw = film.rng, film.hw
    side = uniform(-math.pi, 0.2, rng)
    slant = uniform(0.2, 0.9, rng)
    light = slant * math.sin(side), slant * math.cos(side), math.sqrt(1 - slant * slant)
    ground = _cast_shadows(ground, labels, light, rng)
    image = film.easel.paint(ground, light, uniform(0.15, 0.75, rng))
    if chance(0.3, rng):  # spots of sun and shade
        dapple = torch.sigmoid(4 * smooth_noise(1, hw, uniform(2, 10, rng), rng)[0])
        image = image * (1 - uniform(0.1, 0.6, rng) * dapple)
    return _expose(image, rng)


def _cast_shadows(
    ground: Tensor, labels: Tensor, light: tuple[float, float, float], rng: torch.Generator
) -> Tensor:
    """Darken the ground away from the light."""
    if chance(0.35, rng):
        return ground
    hw = (labels.shape[1], labels.shape[2])
    solid = F.avg_pool2d((labels > 0).float()[:, None], 2, ceil_mode=True)
    reach = uniform(0.01, 0.12, rng) * max(hw) / 2
    solid = torch.roll(solid[:, 0], (round(-light[0] * reach), round(-light[1] * reach)), dims=(1, 2))
    solid = blur(solid, uniform(0.5, 4.0, rng))
    soft = F.interpolate(solid[:, None], scale_factor=2, mode="bilinear", align_corners=False)
    return ground * (1 - uniform(0.1, 0.7, rng) * soft[:, :, : hw[0], : hw[1]])


def _expose(image: Tensor, rng: torch.Generator) -> Tensor:
    """Lens and camera: blur, vignette, cast of colour, contrast, blocks, grey; 0 to 1."""
    hw = (image.shape[2], image.shape[3])
    image = blur(image.flatten(0, 1), uniform(0.3, 1.0, rng) * max(hw) / 256).reshape(image.shape)
    if chance(0.15, rng):  # the camera shakes
        shift = (whole(0, 2, rng), whole(1, 3, rng))
        image = (
            image + torch.roll(image, shift, (2, 3)) + torch.roll(image, (-shift[0], -shift[1]), (2, 3))
        ) / 3
    if chance(0.25, rng):
        yy, xx = unit_grid(hw, rng.device)
        image = image * (1 - uniform(0.1, 0.6, rng) * (yy * yy + xx * xx))
    cast = 1 + torch.randn(3, generator=rng, device=rng.device) * (0.15 if chance(0.3, rng) else 0.04)
    gain = (
        uniform(0.28, 0.65, rng) / image.mean().clamp(min=0.02)
        if chance(0.7, rng)
        else uniform(0.75, 1.25, rng)
    )
    image = (image * (cast * gain).view(1, 3, 1, 1)).clamp_(0, 1)
    if chance(0.25, rng):
        low = uniform(0, 0.4, rng)
        image.mul_(uniform(0.3, 1 - low, rng)).add_(low)
    if chance(0.15, rng):
        image = _compress(image, uniform(0.015, 0.12, rng))
    if chance(0.1, rng):
        image = image.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    return image


def _compress(image: Tensor, step: float) -> Tensor:
    """Round the frequencies of blocks of 8 by 8 pixels, the high ones more coarsely, as JPEG does."""
    height, width = image.shape[2:]
    padded = F.pad(image, (0, -width % 8, 0, -height % 8), mode="replicate")
    rows, columns = padded.shape[2] // 8, padded.shape[3] // 8
    blocks = padded.reshape(2, -1, rows, 8, columns, 8).transpose(3, 4)
    order = torch.arange(8, device=image.device, dtype=torch.float32)
    waves = torch.cos(math.pi * order[:, None] * (order[None] + 0.5) / 8) / 2
    waves[0] = math.sqrt(1 / 8)
    steps = step * (1 + order[:, None] + order[None])
    # one side of the blocks at a time, then turned: many small products in one
    rounded = ((blocks @ waves.T).transpose(-1, -2) @ waves.T).div_(steps).round_().mul_(steps)
    blocks = ((rounded @ waves).transpose(-1, -2) @ waves).transpose(3, 4)
    return blocks.reshape(padded.shape)[:, :, :height, :width].clamp(0, 1)
