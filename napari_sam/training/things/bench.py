"""Where the pieces of a thing are put together, back to front."""

from __future__ import annotations

import math

import torch

from napari_sam.training.fields import uniform
from napari_sam.training.things.easel import Piece
from napari_sam.training.things.forms import Bar, Facet, Oval, Place, beyond
from napari_sam.training.things.looks import Look

DOWN = math.pi / 2
"""The angle that points down."""


BLACK = Look((0.06, 0.06, 0.07), (0.14, 0.14, 0.15), gloss=0.15)
"""Rubber and shade."""

METAL = Look((0.62, 0.63, 0.66), (0.4, 0.4, 0.43), waves=2.0, edge=1.0, gloss=0.9, bump=0.02, grain=0.03)
"""Bare metal."""


class Bench:
    """Where a thing's pieces are put together, back to front.

    Parameters
    ----------
    rng : torch.Generator
        Where chance comes from.
    """

    def __init__(self, rng: torch.Generator) -> None:
        self.rng = rng
        self.pieces: list[Piece] = []
        self.swing = 0.5 * uniform(0.0, 1.0, rng) ** 2

    def bar(self, start: Place, end: Place, radii: tuple[float, float], look: Look, part: str = "") -> None:
        """Add a bar."""
        self.pieces.append(Piece(Bar(start, end, *radii), look, part))

    def oval(self, form: Oval, look: Look, part: str = "") -> None:
        """Add an oval."""
        self.pieces.append(Piece(form, look, part))

    def facet(
        self, corners: list[Place], look: Look, facing: tuple[float, float] = (0.0, 0.0), part: str = ""
    ) -> None:
        """Add a polygon that looks down and right as far as `facing` says."""
        self.pieces.append(Piece(Facet(tuple(corners), *facing), look, part))

    def angles(self, angle: float, swing: float = 1.0) -> tuple[float, float]:
        """Give an angle in both planes: joints move."""
        return angle, angle + uniform(-1, 1, self.rng) * self.swing * swing

    def chain(
        self,
        start: Place,
        angles: list[float],
        lengths: list[float],
        radii: list[float],
        looks: list[Look],
        part: str = "",
    ) -> Place:
        """Add bars end to end, a joint between; gives the last end."""
        turned = 0.0
        for i, (angle, length, look) in enumerate(zip(angles, lengths, looks, strict=True)):
            turned += uniform(-1, 1, self.rng) * self.swing
            end = beyond(start, (angle, angle + turned), length)
            self.bar(start, end, (radii[i], radii[i + 1]), look, part)
            start = end
        return start
