"""Implicit shapes in a three-dimensional body, evaluated on two parallel planes only.

A `Frame` lays the planes through the body: every pixel's position in the body's own lengths, bent
by smooth noise so that outlines are organic. A `Lump` is an ellipsoid or a rounded box in that
frame, which reaches over 3 to 60 plane spacings along the third axis and so may end or begin between
the planes. `depth` gives how far pixels lie within it, in a window around it: thresholds of one depth
make shells (a wall around a cavity) that start and end together.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_sam.training.fields import chance, noise_pairs, uniform, unit_grid

N_CELLS = (3.0, 7.0, 16.0, 40.0)
"""Cells over the picture of the frame's noise fields, two fields of each."""

LASTING = 400.0
"""An extent in planes that does not end within a pair."""

NEAR_END = 0.33
"""Part of the lumps of no given extent that end close to the second plane, before or beyond it."""

BEYOND = 2.4
"""How far from the first plane such a lump ends at most, in distances of the two planes."""

BEGINNING = 0.07
"""Part of the lumps of no given extent that begin between the planes: what comes in another's place."""

SLIDING = 0.1
"""Part of the lumps that move three times as far sideways from plane to plane."""


@dataclass(frozen=True)
class Pose:
    """How a body lies in the picture.

    Attributes
    ----------
    scale : float
        Half the picture's longer side for one length of the body.
    turn : float
        Angle in radians.
    centre : tuple of float
        Position ``(y, x)`` in the body that lies in the picture's middle.
    flip : bool
        Left for right.
    stretch : float
        Height over width.
    bend : float
        Strength of the noise that bends the body, in cells of that noise.
    """

    scale: float = 1.0
    turn: float = 0.0
    centre: tuple[float, float] = (0.0, 0.0)
    flip: bool = False
    stretch: float = 1.0
    bend: float = 0.1


@dataclass(frozen=True)
class Patch:
    """A window of the picture and a field in it, ``(2, h, w)``."""

    rows: slice
    columns: slice
    depth: Tensor

    def of(self, planes: Tensor) -> Tensor:
        """Cut the window from ``(2, H, W)``; a view."""
        return planes[:, self.rows, self.columns]

    def with_depth(self, depth: Tensor) -> Patch:
        """Give the same window with another field."""
        return Patch(self.rows, self.columns, depth)


@dataclass(frozen=True)
class Lump:
    """An ellipsoid or rounded box; lengths are the body's, angles in radians.

    Attributes
    ----------
    y, x : float
        Centre.
    ry, rx : float
        Half the height and width before turning.
    turn : float
        Turns it.
    wobble : float
        How uneven its outline is, in radii.
    boxy : bool
        A rounded box instead of an ellipse.
    n_planes : float or None
        Extent along the third axis in plane spacings; None draws it.
    slant : float
        Largest move sideways for a step along the third axis.
    begins : bool
        Lies in the second plane only.
    """

    y: float
    x: float
    ry: float
    rx: float
    turn: float = 0.0
    wobble: float = 0.1
    boxy: bool = False
    n_planes: float | None = None
    slant: float = 0.4
    begins: bool = False


class FrameNoise:
    """Smooth fields in two planes, two of each of `N_CELLS`, drawn when they are first asked for.

    Parameters
    ----------
    hw : tuple of int
        Height and width in pixels.
    moved : float
        Distance of the planes in the longer side's halves: fields of small cells are less alike.
    """

    def __init__(self, hw: tuple[int, int], moved: float) -> None:
        self._hw, self._moved = hw, moved
        self._drawn: dict[tuple[int, bool], Tensor] = {}

    def of(self, level: int, rng: torch.Generator, hw: tuple[int, int] | None = None) -> Tensor:
        """Give fields of a level, ``(2, 2, H, W)``; where `hw` is enough, perhaps half as high and wide."""
        height, width = self._hw
        half = (height + 1) // 2, (width + 1) // 2
        small = level > 1 and hw is not None and hw[0] <= half[0] and hw[1] <= half[1]
        key = level, small
        if key not in self._drawn:
            size, n_cells = (half, N_CELLS[level] / 2) if small else (self._hw, N_CELLS[level])
            self._drawn[key] = noise_pairs(2, size, n_cells, min(1.2, self._moved * N_CELLS[level]), rng)
        return self._drawn[key]


@dataclass(frozen=True)
class Frame:
    """Two parallel planes through a body.

    Attributes
    ----------
    y, x : Tensor
        ``(2, H, W)`` positions in the body, bent.
    pose : Pose
        How the body lies.
    step, spacing : float
        Distance of the two planes, and of two neighbouring ones, in the body's lengths.
    noise : FrameNoise
        Smooth fields, alike in both planes.
    """

    y: Tensor
    x: Tensor
    pose: Pose
    step: float
    spacing: float
    noise: FrameNoise

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.y.shape[1], self.y.shape[2]

    def window(self, y: float, x: float, reach: float) -> tuple[slice, slice]:
        """Give rows and columns that hold everything within `reach` of a place, before bending."""
        pose, (height, width) = self.pose, self.hw
        across = (x - pose.centre[1]) * (-1 if pose.flip else 1)
        down = (y - pose.centre[0]) * pose.stretch
        cos, sin = math.cos(pose.turn), math.sin(pose.turn)
        half = max(height, width) / 2
        row = (cos * down + sin * across) * pose.scale * half + height / 2
        column = (cos * across - sin * down) * pose.scale * half + width / 2
        span = (reach * max(pose.stretch, 1.0) * pose.scale + 0.8 * pose.bend / N_CELLS[0]) * half + 2
        return _span(row, span, height), _span(column, span, width)

    def field(self, radius: float, hw: tuple[int, int], rng: torch.Generator) -> Tensor:
        """Cut noise that varies over about `radius` (body's lengths) anywhere; ``(2, h, w)``."""
        wanted = 1.4 / max(radius * self.pose.scale, 1e-3)
        nearest = min(range(len(N_CELLS)), key=lambda i: abs(math.log(N_CELLS[i] / wanted)))
        fields = self.noise.of(nearest, rng, hw)[int(chance(0.5, rng))]
        row = int(uniform(0, fields.shape[1] - hw[0], rng))
        column = int(uniform(0, fields.shape[2] - hw[1], rng))
        return fields[:, row : row + hw[0], column : column + hw[1]]


def _span(middle: float, reach: float, size: int) -> slice:
    start = min(max(math.floor(middle - reach), 0), size)
    return slice(start, min(max(math.ceil(middle + reach) + 1, start), size))


def lay_frame(hw: tuple[int, int], pose: Pose, rng: torch.Generator) -> Frame:
    """Lay two planes, one to four plane spacings apart, through a body.

    Parameters
    ----------
    hw : tuple of int
        Height and width in pixels.
    pose : Pose
        How the body lies in the picture.
    rng : torch.Generator
        Where chance comes from.
    """
    spacing = math.exp(uniform(math.log(0.006), math.log(0.03), rng))
    step = spacing * (1 + int(4 * uniform(0, 1, rng) ** 2))
    moved = step * pose.scale * 0.8
    noise = FrameNoise(hw, moved)
    coarse, finer = noise.of(0, rng), noise.of(1, rng)
    yy, xx = unit_grid(hw, rng.device)
    yy, xx = yy[:, :1], xx[:1]
    cos, sin = math.cos(pose.turn), math.sin(pose.turn)
    down, across = cos * yy - sin * xx, cos * xx + sin * yy
    flip = -1.0 if pose.flip else 1.0
    strength = [pose.bend / n_cells / pose.scale for n_cells in (N_CELLS[0], N_CELLS[1])]
    down.mul_(1 / (pose.scale * pose.stretch)).add_(pose.centre[0])
    across.mul_(flip / pose.scale).add_(pose.centre[1])
    y = torch.add(down, coarse[0], alpha=strength[0]).add_(finer[0], alpha=strength[1])
    x = torch.add(across, coarse[1], alpha=strength[0]).add_(finer[1], alpha=strength[1])
    return Frame(y, x, pose, step, spacing, noise)


def depth(frame: Frame, lump: Lump, rng: torch.Generator, margin: float = 0.0) -> Patch:
    """Say how far each pixel lies within a lump, in the body's lengths; negative is outside.

    The window is `margin` larger on every side than what may lie within.
    """
    reach = max(lump.ry, lump.rx) * (1.05 + 2.2 * lump.wobble) * (1.2 if lump.boxy else 1.0) + margin
    slant = lump.slant * (3.0 if chance(SLIDING, rng) else 1.0)
    shift = [frame.step * uniform(-slant, slant, rng) for _ in (0, 1)]
    rows, columns = frame.window(lump.y, lump.x, reach + max(abs(shift[0]), abs(shift[1])))
    y, x = frame.y[:, rows, columns], frame.x[:, rows, columns]
    least = min(lump.ry, lump.rx)
    cos, sin = math.cos(lump.turn), math.sin(lump.turn)
    middles = [(lump.y, lump.x), (lump.y + shift[0], lump.x + shift[1])]
    off_u = [-(cos * cy + sin * cx) / lump.ry for cy, cx in middles]
    off_v = [-(cos * cx - sin * cy) / lump.rx for cy, cx in middles]
    offsets = y.new_tensor([off_u, off_v, _ends(frame, lump, rng)]).view(3, 2, 1, 1)
    u = torch.add(offsets[0], y, alpha=cos / lump.ry).add_(x, alpha=sin / lump.ry)
    v = torch.add(offsets[1], x, alpha=cos / lump.rx).add_(y, alpha=-sin / lump.rx)
    if lump.boxy:
        u, v = u.mul_(u), v.mul_(v)
        away = u.mul_(u).addcmul_(v, v).sqrt_().add_(offsets[2]).sqrt_()
    else:
        away = u.mul_(u).addcmul_(v, v).add_(offsets[2]).sqrt_()
    if lump.wobble:
        hw = (away.shape[1], away.shape[2])
        away.add_(frame.field(least, hw, rng), alpha=lump.wobble)
    return Patch(rows, columns, away.mul_(-least).add_(least))


def _ends(frame: Frame, lump: Lump, rng: torch.Generator) -> tuple[float, float]:
    """Draw what the third axis adds to the squared distance from a lump's middle in both planes."""
    n_planes = lump.n_planes or math.exp(uniform(math.log(3), math.log(60), rng))
    fate = uniform(0.0, 1.0, rng) if lump.n_planes is None else 1.0
    is_near_end = BEGINNING <= fate < BEGINNING + NEAR_END
    if is_near_end:
        half = max(n_planes, 4) ** 0.8 * frame.spacing / 2
        middle = min(frame.step * uniform(0.15, BEYOND, rng), 1.9 * half) - half
    else:
        if lump.n_planes is None and chance(0.75, rng):  # mostly about as long as wide
            n_planes = max(n_planes, min(60.0, 1.5 * min(lump.ry, lump.rx) / frame.spacing))
        half = n_planes * frame.spacing / 2
        middle = uniform(-0.92, 0.92, rng) * half if n_planes < LASTING else 0.0
    power = 2.0 if chance(0.7 if is_near_end else 0.4, rng) else 5.0
    if lump.begins or fate < BEGINNING:
        return 1e6, uniform(0.0, 0.8, rng)
    return (abs(middle) / half) ** power, min((abs(frame.step - middle) / half) ** power, 1e6)
