"""What things are made of: colours, patterns, roughness and gloss."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass, replace

import torch

from napari_sam.training.fields import chance, uniform
from napari_sam.training.things.stuff import draw_kind

Colour = tuple[float, float, float]
"""Red, green and blue, 0 to 1."""


@dataclass(frozen=True)
class Look:
    """What a form is made of.

    Attributes
    ----------
    first, second : tuple of float
        Two colours that the pattern lies between.
    waves : float
        Stripes over the thing's length, in radians for one length; 0 is none.
    turn : float
        Their direction in radians.
    dots : float
        How much the stripes are cut into spots, 0 or 1.
    patches : float
        How much the pattern follows noise.
    edge : float
        How sharp it is.
    level : float
        Above what the second colour shows.
    grain : float
        Strength of the fine texture.
    bump : float
        How uneven the surface is.
    gloss : float
        Strength of highlights.
    glow : float
        How much it shines by itself, 0 to 1.
    stuff : int
        Which tile its texture and bumps are of, see `napari_sam.training.things.stuff`.
    fine : float
        How often that tile lies side by side over two of the thing's lengths.
    """

    first: Colour
    second: Colour
    waves: float = 0.0
    turn: float = 0.0
    dots: float = 0.0
    patches: float = 0.0
    edge: float = 4.0
    level: float = 0.0
    grain: float = 0.1
    bump: float = 0.1
    gloss: float = 0.1
    glow: float = 0.0
    stuff: int = 0
    fine: float = 1.0

    def row(self) -> list[float]:
        """List all numbers."""
        angle = cmath.rect(self.waves, self.turn)
        numbers = [angle.real, angle.imag, self.dots, self.patches, self.edge, self.level]
        surface = [self.grain, self.bump, self.gloss, self.glow, float(self.stuff), self.fine]
        return [*self.first, *self.second, *numbers, *surface]


TINTS: tuple[Colour, ...] = (
    (0.45, 0.3, 0.18), (0.25, 0.16, 0.1), (0.75, 0.6, 0.42), (0.12, 0.12, 0.13), (0.88, 0.87, 0.84),
    (0.5, 0.5, 0.5), (0.8, 0.58, 0.46), (0.25, 0.38, 0.15), (0.45, 0.5, 0.2), (0.6, 0.35, 0.15),
    (0.7, 0.12, 0.1), (0.12, 0.2, 0.5), (0.85, 0.7, 0.2), (0.3, 0.45, 0.6),
)  # fmt: skip
"""Colours that animals, clothes, paint and stones have."""


def draw_colour(rng: torch.Generator) -> Colour:
    """Draw a colour: often one that is common, at times any."""
    if chance(0.3, rng):
        level, strength = uniform(0.05, 0.95, rng), uniform(0.1, 1.0, rng)
        red, green, blue = (level + strength * (uniform(0, 1, rng) - level) for _ in range(3))
        return red, green, blue
    tint = TINTS[int(uniform(0, len(TINTS) - 1e-3, rng))]
    level = math.exp(uniform(-0.5, 0.4, rng))
    return vary(tint, rng, 0.06, level)


def vary(colour: Colour, rng: torch.Generator, loose: float = 0.08, level: float = 1.0) -> Colour:
    """Change a colour a little."""
    red, green, blue = (min(max(c * level + uniform(-loose, loose, rng), 0.02), 0.98) for c in colour)
    return red, green, blue


def blend(first: Colour, second: Colour, share: float) -> Colour:
    """Mix two colours, the second with a share from 0 to 1."""
    red, green, blue = (a + (b - a) * share for a, b in zip(first, second, strict=True))
    return red, green, blue


def draw_look(rng: torch.Generator, colour: Colour | None = None) -> Look:
    """Draw a look: plain, striped, spotted or in patches, dull or glossy."""
    first = colour or draw_colour(rng)
    second = vary(first, rng, 0.1) if chance(0.4, rng) else draw_colour(rng)
    look = Look(first, second, grain=0.35 * uniform(0, 1, rng) ** 2, bump=uniform(0.0, 0.3, rng))
    look = made_of(look, rng) if chance(0.5, rng) else made_of(look, rng, "soft")
    look = replace(look, gloss=uniform(0.0, 0.3, rng) if chance(0.6, rng) else uniform(0.3, 1.0, rng))
    kind = uniform(0, 1, rng)
    if kind < 0.5:
        return replace(look, patches=0.4, edge=1.0, second=vary(first, rng, 0.1))
    edge, turn = math.exp(uniform(0.5, 3.0, rng)), uniform(0, math.pi, rng)
    if kind < 0.7:
        waves, dots = math.exp(uniform(1.5, 3.8, rng)), float(chance(0.4, rng))
        return replace(look, waves=waves, turn=turn, dots=dots, edge=edge, level=uniform(-0.5, 0.5, rng))
    if kind < 0.88:
        return replace(look, patches=uniform(0.5, 1.2, rng), edge=edge, level=uniform(-0.6, 0.6, rng))
    return replace(look, waves=uniform(1.0, 3.0, rng), turn=turn, edge=uniform(1.0, 3.0, rng))


def made_of(look: Look, rng: torch.Generator, *names: str) -> Look:
    """Give a look another stuff: any, or one of those named."""
    return replace(look, stuff=draw_kind(rng, *names), fine=math.exp(uniform(-0.4, 0.9, rng)))
