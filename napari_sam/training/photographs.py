"""Photographs and film: things of many parts and colours before busy ground, whole as one.

A thing is an animal, a person, a vehicle, a plant, furniture, a vessel, a tool, a sign, or nothing
known. It is one object with all that hangs on it; now and then a part is an object of its own as
well. Light has a direction, things cast shadows, some hide others, some look like their ground.
The second plane is another frame of the film: limbs, things and the camera have moved.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_sam.training.fields import blur, chance, smooth_noise, uniform, unit_grid, whole
from napari_sam.training.grounds import draw_ground
from napari_sam.training.scene import Scene
from napari_sam.training.things.animals import bird, creature
from napari_sam.training.things.easel import Easel, Piece, Stand
from napari_sam.training.things.household import furniture, sign, vessel
from napari_sam.training.things.instruments import instrument
from napari_sam.training.things.people import person, rider
from napari_sam.training.things.plants import fruit, plant
from napari_sam.training.things.unknown import assembly
from napari_sam.training.things.vehicles import bicycle, craft, vehicle

THINGS: tuple[tuple[float, Callable[[torch.Generator], list[Piece]]], ...] = (
    (0.18, creature),
    (0.17, person),
    (0.04, rider),
    (0.07, bird),
    (0.04, plant),
    (0.03, fruit),
    (0.10, vehicle),
    (0.06, bicycle),
    (0.04, craft),
    (0.06, furniture),
    (0.05, vessel),
    (0.07, instrument),
    (0.03, sign),
    (0.12, assembly),
)
"""Kinds of things with their share."""

PARTS_SHARE = 0.12
"""How often a part of a thing is an object of its own, too."""

ENDING_SHARE = 0.12
"""How often a thing is gone in the second plane."""


class _Film:
    """Two frames of film: what stands in them, and its roles."""

    def __init__(self, hw: tuple[int, int], rng: torch.Generator) -> None:
        self.hw, self.rng = hw, rng
        self.easel = Easel(hw, rng)
        self.parents: dict[int, int] = {}
        self.n_labels = 0
        self.pan = complex(uniform(-1, 1, rng), uniform(-0.5, 0.5, rng)) * uniform(0.0, 0.12, rng)
        self.tall, self.wide = hw[0] / max(hw), hw[1] / max(hw)

    def stand(self, place: complex, size: float, upright: bool) -> Stand:
        """Say how a thing of a size stands near a place, and how it moves."""
        rng = self.rng
        turn = uniform(-0.2, 0.2, rng) if upright else uniform(-math.pi, math.pi, rng)
        lasting = not chance(ENDING_SHARE, rng)
        move = self.pan + size * complex(uniform(-1, 1, rng), uniform(-1, 1, rng)) * uniform(0.0, 0.25, rng)
        if not lasting and chance(0.4, rng):  # it leaves the picture
            lasting, move = True, move + (2.2 if place.real > 0 else -2.2)
        grown = size * math.exp(uniform(-0.08, 0.08, rng))
        return Stand(
            (place, place + move),
            (turn, turn + uniform(-0.12, 0.12, rng)),
            (size, grown),
            chance(0.5, rng),
            math.exp(uniform(-0.15, 0.15, rng)),
            uniform(0.0, 0.03, rng),
            lasting,
        )

    def add(self, pieces: list[Piece], stand: Stand) -> None:
        """Paint a thing as one object, at times one of its parts as another."""
        rng = self.rng
        self.n_labels += 1
        label = self.n_labels
        names = sorted({piece.part for piece in pieces} - {""})
        parts: dict[str, int] = {}
        if names and chance(0.4 if "rider" in names else PARTS_SHARE, rng):
            self.n_labels += 1
            parts = {names[whole(0, len(names) - 1, rng)]: self.n_labels}
            self.parents[self.n_labels] = label
        self.easel.set(pieces, stand, label, parts)


def photographs(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw two frames of a film: one large thing, several of a sort, or some far away."""
    film = _Film(hw, rng)
    ground = _ground(film)
    layout = uniform(0, 1, rng)
    for _ in range(whole(0, 3, rng) if chance(0.6, rng) else 0):
        _add_any(film, uniform(0.08, 0.4, rng), 1.0)
    if layout < 0.55:
        _add_any(film, math.exp(uniform(math.log(0.35), math.log(1.0), rng)), 0.35)
    elif layout < 0.8:
        _add_many(film, whole(2, 7, rng))
    else:
        for _ in range(whole(1, 3, rng)):
            _add_any(film, uniform(0.07, 0.25, rng), 0.9)
    for _ in range(whole(1, 2, rng) if chance(0.3, rng) else 0):
        _add_any(film, uniform(0.15, 0.5, rng), 1.1)
    labels = film.easel.labels
    image = _develop(film, ground, labels)
    return Scene(
        labels, "photographs", film.parents, whole=frozenset(range(1, film.n_labels + 1)), image=image
    )


def _ground(film: _Film) -> Tensor:
    """Draw a ground, out of focus at times, and cut what the camera sees of it; ``(2, 3, H, W)``."""
    rng, (height, width) = film.rng, film.hw
    half = max(film.hw) / 2
    down, right = round(film.pan.imag * half), round(film.pan.real * half)
    larger = (height + abs(down), width + abs(right))
    ground = draw_ground(larger, rng).clamp(0, 1)
    if chance(0.5, rng):
        ground = blur(ground, uniform(0.3, 4.0, rng) * max(film.hw) / 256)
    starts = [(max(down, 0), max(right, 0)), (max(-down, 0), max(-right, 0))]
    return torch.stack([ground[:, r : r + height, c : c + width] for r, c in starts])


def _draw_thing(rng: torch.Generator) -> Callable[[torch.Generator], list[Piece]]:
    ticket = uniform(0, sum(share for share, _ in THINGS), rng)
    for share, thing in THINGS:
        ticket -= share
        if ticket < 0:
            return thing
    return assembly


def _add_any(film: _Film, size: float, spread: float) -> None:
    """Add a thing of any kind near the middle, or as far away as `spread` says."""
    rng, thing = film.rng, _draw_thing(film.rng)
    place = complex(uniform(-1, 1, rng) * film.wide, uniform(-1, 1, rng) * film.tall) * spread
    upright = chance(0.85, rng) and thing not in (instrument, assembly)
    film.add(thing(rng), film.stand(place, size, upright))


def _add_many(film: _Film, n_things: int) -> None:
    """Add several of one kind, those further down before those further up."""
    rng, thing = film.rng, _draw_thing(film.rng)
    size, alike = uniform(0.5, 0.9, rng) / math.sqrt(n_things), chance(0.5, rng)
    first = thing(rng)
    rows = sorted(uniform(-0.8, 0.8, rng) * film.tall for _ in range(n_things))
    for row in rows:
        place = complex(uniform(-0.9, 0.9, rng) * film.wide, row)
        pieces = first if alike else thing(rng)
        film.add(pieces, film.stand(place, size * uniform(0.7, 1.3, rng), True))


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
    image = (image * cast.view(1, 3, 1, 1) * uniform(0.75, 1.25, rng)).clamp(0, 1)
    if chance(0.25, rng):
        low = uniform(0, 0.4, rng)
        image = low + image * uniform(0.3, 1 - low, rng)
    if chance(0.12, rng):
        image = image.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    return image
