"""Forms that things in a photograph are put together from, in both planes of a pair.

A place is a pair of complex numbers ``x + iy``, one a plane, in the thing's own lengths: it lies
within about 1 of its middle. A form says how far pixels lie within it and where its surface looks.
"""

from __future__ import annotations

import cmath
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

Place = tuple[complex, complex]
"""A place in the first and in the second plane."""


def still(x: float, y: float) -> Place:
    """Give a place that is the same in both planes."""
    return complex(x, y), complex(x, y)


def beyond(place: Place, angles: tuple[float, float], length: float) -> Place:
    """Go from a place at an angle in each plane, 0 to the right and a quarter turn down."""
    return place[0] + cmath.rect(length, angles[0]), place[1] + cmath.rect(length, angles[1])


def shifted(place: Place, x: float, y: float) -> Place:
    """Give a place moved alike in both planes."""
    return place[0] + complex(x, y), place[1] + complex(x, y)


@dataclass(frozen=True)
class Surface:
    """What a form looks like from the front, each ``(2, h, w)``.

    Attributes
    ----------
    depth : Tensor
        How far a pixel lies within, in the thing's lengths; negative is outside.
    down, right : Tensor
        The surface's direction, as parts of a unit vector; the rest points to the camera.
    """

    depth: Tensor
    down: Tensor
    right: Tensor


class Form(Protocol):
    """A shape in the thing's own coordinates."""

    def anchors(self) -> list[tuple[Place, float]]:
        """List places and radii whose discs hold the form between them."""
        ...

    def surface(self, y: Tensor, x: Tensor) -> Surface:
        """Evaluate at positions ``(2, h, w)``."""
        ...

    def moved(self, by: Place, size: float) -> Form:
        """Give it `size` times as large, then moved."""
        ...


def _moved(place: Place, by: Place, size: float) -> Place:
    return place[0] * size + by[0], place[1] * size + by[1]


def _parts(place: Place, like: Tensor) -> tuple[Tensor, Tensor]:
    """Give y and x of a place as ``(2, 1, 1)``."""
    both = torch.tensor([[p.imag, p.real] for p in place], dtype=like.dtype).to(like.device)
    return both[:, :1, None], both[:, 1:, None]


@dataclass(frozen=True)
class Bar:
    """A round bar from one place to another whose radius goes from `radius` to `tip`."""

    start: Place
    end: Place
    radius: float
    tip: float

    def anchors(self) -> list[tuple[Place, float]]:
        """List both ends."""
        return [(self.start, self.radius), (self.end, self.tip)]

    def moved(self, by: Place, size: float) -> Bar:
        """Give it `size` times as large, then moved."""
        ends = _moved(self.start, by, size), _moved(self.end, by, size)
        return Bar(*ends, self.radius * size, self.tip * size)

    def surface(self, y: Tensor, x: Tensor) -> Surface:
        """Measure from the nearest place of the bar's axis."""
        start_y, start_x = _parts(self.start, y)
        end_y, end_x = _parts(self.end, y)
        long_y, long_x = end_y - start_y, end_x - start_x
        y, x = y - start_y, x - start_x
        squared = (long_y * long_y + long_x * long_x).clamp(min=1e-6)
        along = (y * (long_y / squared) + x * (long_x / squared)).clamp_(0, 1)
        y, x = y - along * long_y, x - along * long_x
        radius = along * (self.tip - self.radius) + self.radius
        away = torch.sqrt(y * y + x * x)
        return Surface(radius - away, y / radius, x / radius)


@dataclass(frozen=True)
class Oval:
    """An ellipse, or a rounded box, at times only a rim of it.

    Attributes
    ----------
    centre : tuple of complex
        Its middle.
    ry, rx : float
        Half its height and width before turning.
    turns : tuple of float
        Angles in both planes in radians.
    boxy : bool
        A rounded box.
    rim : float
        Width of the rim in radii; 0 fills it.
    flat : float
        How much of its roundness is left out, 0 to 1.
    """

    centre: Place
    ry: float
    rx: float
    turns: tuple[float, float] = (0.0, 0.0)
    boxy: bool = False
    rim: float = 0.0
    flat: float = 0.0

    def anchors(self) -> list[tuple[Place, float]]:
        """List the middle."""
        return [(self.centre, max(self.ry, self.rx) * (1.2 if self.boxy else 1.0))]

    def moved(self, by: Place, size: float) -> Oval:
        """Give it `size` times as large, then moved."""
        return replace(self, centre=_moved(self.centre, by, size), ry=self.ry * size, rx=self.rx * size)

    def surface(self, y: Tensor, x: Tensor) -> Surface:
        """Measure in radii from the middle."""
        centre_y, centre_x = _parts(self.centre, y)
        turned = cmath.rect(1, self.turns[0]), cmath.rect(1, self.turns[1])
        sin, cos = _parts(turned, y)
        y, x = y - centre_y, x - centre_x
        v = y * (cos / self.ry) - x * (sin / self.ry)
        u = x * (cos / self.rx) + y * (sin / self.rx)
        if self.boxy:
            v, u = v * v * v, u * u * u
            away = (v * v + u * u) ** (1 / 6)
        else:
            away = torch.sqrt(v * v + u * u)
        down, right = v * cos + u * sin, u * cos - v * sin
        least = min(self.ry, self.rx)
        if not self.rim:
            return Surface((1 - away) * least, down * (1 - self.flat), right * (1 - self.flat))
        across = (away - (1 - self.rim / 2)) / (self.rim / 2)
        scale = across / away.clamp(min=1e-3)
        return Surface((1 - across.abs()) * (0.5 * self.rim * least), down * scale, right * scale)


@dataclass(frozen=True)
class Facet:
    """A flat convex polygon, its corners in order, that looks `down` and `right`."""

    corners: tuple[Place, ...]
    down: float = 0.0
    right: float = 0.0

    def anchors(self) -> list[tuple[Place, float]]:
        """List the corners."""
        return [(corner, 0.0) for corner in self.corners]

    def moved(self, by: Place, size: float) -> Facet:
        """Give it `size` times as large, then moved."""
        return replace(self, corners=tuple(_moved(corner, by, size) for corner in self.corners))

    def surface(self, y: Tensor, x: Tensor) -> Surface:
        """Measure from the nearest side."""
        n = len(self.corners)
        spots = [_parts(corner, y) for corner in self.corners]
        flat = [corner[0] for corner in self.corners]
        twice = sum((flat[i - 1].conjugate() * flat[i]).imag for i in range(n))
        sign = 1.0 if twice > 0 else -1.0
        depth: Tensor | None = None
        for i in range(n):
            (y0, x0), (y1, x1) = spots[i], spots[(i + 1) % n]
            long_y, long_x = y1 - y0, x1 - x0
            length = torch.sqrt(long_y * long_y + long_x * long_x).clamp(min=1e-6) * sign
            side = (y - y0) * (long_x / length) - (x - x0) * (long_y / length)
            depth = side if depth is None else torch.minimum(depth, side)
        found = depth if depth is not None else torch.zeros_like(y)
        return Surface(found, torch.full_like(found, self.down), torch.full_like(found, self.right))
