"""Stands things before the ground of a photograph and lights them.

Forms are written into maps first: whose form a pixel is, where its surface looks, where on the
thing it lies. Colours, patterns and light are then worked out once for all pixels.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_sam.training.fields import chance, octaves, smooth_noise, uniform, unit_grid
from napari_sam.training.forms import Form, Place

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

    def row(self) -> list[float]:
        """List all numbers."""
        angle = cmath.rect(self.waves, self.turn)
        numbers = [angle.real, angle.imag, self.dots, self.patches, self.edge, self.level]
        return [*self.first, *self.second, *numbers, self.grain, self.bump, self.gloss, self.glow]


@dataclass(frozen=True)
class Piece:
    """A form and its look; `part` names what it belongs to, empty for nothing of its own."""

    form: Form
    look: Look
    part: str = ""


@dataclass(frozen=True)
class Stand:
    """How a thing stands in both planes.

    Attributes
    ----------
    centres : tuple of complex
        Its middle in the picture, half of whose longer side is 1.
    turns, sizes : tuple of float
        Angles in radians and sizes in both planes.
    flip : bool
        Left for right.
    stretch : float
        Width over height.
    bend : float
        How uneven outlines are, in the thing's lengths.
    lasting : bool
        Whether it is still there in the second plane.
    """

    centres: Place
    turns: tuple[float, float]
    sizes: tuple[float, float]
    flip: bool = False
    stretch: float = 1.0
    bend: float = 0.02
    lasting: bool = True

    def place(self, where: Place) -> Place:
        """Take a place from the thing to the picture."""
        return self._put(where[0], 0), self._put(where[1], 1)

    def _put(self, where: complex, plane: int) -> complex:
        seen = complex(where.real * self.stretch * (-1 if self.flip else 1), where.imag / self.stretch)
        return self.centres[plane] + seen * cmath.rect(self.sizes[plane], self.turns[plane])


class Easel:
    """Collects forms in both planes.

    Parameters
    ----------
    hw : tuple of int
        Height and width in pixels.
    rng : torch.Generator
        Where chance comes from.
    """

    def __init__(self, hw: tuple[int, int], rng: torch.Generator) -> None:
        self.hw, self.rng = hw, rng
        self.forms = torch.zeros(2, *hw, dtype=torch.int64, device=rng.device)
        self._down, self._right, self._y, self._x = torch.zeros(4, 2, *hw, device=rng.device)
        self._grid = unit_grid(hw, rng.device)
        self._noise = smooth_noise(2, hw, 7.0, rng) + 0.4 * smooth_noise(2, hw, 20.0, rng)
        self._rows: list[list[float]] = [Look((0, 0, 0), (0, 0, 0)).row()]
        self._labels: list[int] = [0]

    @property
    def labels(self) -> Tensor:
        """Whose label each pixel has, ``(2, H, W)``."""
        return torch.tensor(self._labels, device=self.rng.device)[self.forms]

    def set(self, pieces: Sequence[Piece], stand: Stand, label: int, parts: dict[str, int]) -> None:
        """Paint a thing over what is there; some of its parts may have a label of their own."""
        first = len(self._rows)
        anchors = [a for piece in pieces for a in piece.form.anchors()]
        rows, columns = self._window(anchors, stand)
        y, x = self._coordinates(rows, columns, stand)
        if not y.numel():
            return
        for piece in pieces:
            here = self._window(piece.form.anchors(), stand)
            inner = slice(here[0].start - rows.start, here[0].stop - rows.start)
            across = slice(here[1].start - columns.start, here[1].stop - columns.start)
            self._rows.append(piece.look.row())
            self._labels.append(parts.get(piece.part, label))
            surface = piece.form.surface(y[:, inner, across], x[:, inner, across])
            inside = surface.depth > 0
            if not stand.lasting:
                inside[1] = False
            self.forms[:, here[0], here[1]].masked_fill_(inside, len(self._rows) - 1)
            self._write(self._down[:, here[0], here[1]], surface.down, inside)
            self._write(self._right[:, here[0], here[1]], surface.right, inside)
        mine = self.forms[:, rows, columns] >= first
        self._write(self._y[:, rows, columns], y, mine)
        self._write(self._x[:, rows, columns], x, mine)
        self._turn_normals(rows, columns, mine, stand)

    @staticmethod
    def _write(there: Tensor, values: Tensor, inside: Tensor) -> None:
        there.copy_(torch.where(inside, values, there))

    def _turn_normals(self, rows: slice, columns: slice, mine: Tensor, stand: Stand) -> None:
        """Let surfaces look where they do in the picture, not on the thing."""
        down, right = self._down[:, rows, columns], self._right[:, rows, columns]
        cos, sin = math.cos(stand.turns[0]), math.sin(stand.turns[0])
        flipped = -right if stand.flip else right
        turned = cos * down + sin * flipped, cos * flipped - sin * down
        self._write(down, turned[0], mine)
        self._write(right, turned[1], mine)

    def _window(self, anchors: Sequence[tuple[Place, float]], stand: Stand) -> tuple[slice, slice]:
        """Give rows and columns that hold discs in both planes."""
        half, size = max(self.hw) / 2, max(stand.sizes)
        wide = max(stand.stretch, 1 / stand.stretch)
        spans = []
        for place, radius in anchors:
            reach = (radius + 3 * stand.bend) * size * wide * half + 2
            spans += [(p * half, reach) for p in stand.place(place)]
        return (
            _span([(p.imag, r) for p, r in spans], self.hw[0]),
            _span([(p.real, r) for p, r in spans], self.hw[1]),
        )

    def _coordinates(self, rows: slice, columns: slice, stand: Stand) -> tuple[Tensor, Tensor]:
        """Give y and x on the thing, bent, ``(2, h, w)``."""
        yy, xx = self._grid[0][rows, columns], self._grid[1][rows, columns]
        noise = self._noise[:, rows, columns] * stand.bend
        ys, xs = [], []
        for centre, turn, size in zip(stand.centres, stand.turns, stand.sizes, strict=True):
            y, x = yy - centre.imag, xx - centre.real
            cos, sin = math.cos(turn) / size, math.sin(turn) / size
            flip = (-1 if stand.flip else 1) / stand.stretch
            ys.append((cos * y - sin * x) * stand.stretch + noise[0])
            xs.append((cos * x + sin * y) * flip + noise[1])
        return torch.stack(ys), torch.stack(xs)

    def paint(self, ground: Tensor, light: tuple[float, float, float], ambient: float) -> Tensor:
        """Colour and light all forms before a ground ``(2, 3, H, W)``.

        The light's direction points down, right and to the camera. Gives ``(2, 3, H, W)``.
        """
        shown = self.forms > 0
        which = self.forms[shown]
        if not len(which):
            return ground
        columns = torch.tensor(self._rows, device=ground.device).T.contiguous()
        look = columns[:, which]
        y, x = self._y[shown], self._x[shown]
        rough, fine, other = self._sample_noise(y, x)
        wave = torch.sin(look[6] * x + look[7] * y + 0.6 * rough)
        crossing = torch.sin(look[6] * y - look[7] * x + 0.6 * other)
        wave = wave * (1 + look[8] * (crossing - 1)) + look[9] * rough
        share = torch.sigmoid(look[10] * (wave - look[11]))
        colour = look[0:3] + (look[3:6] - look[0:3]) * share
        down, right = self._down[shown] + look[13] * fine, self._right[shown] + look[13] * other
        front = torch.sqrt((1 - down * down - right * right).clamp_(min=0.02))
        facing = (down * light[0] + right * light[1] + front * light[2]).clamp_(min=0)
        bright = ambient + (1.25 - ambient) * facing + look[15]
        shine = look[14] * facing**14
        seen = colour * (bright * (1 + look[12] * fine)) + shine
        image = ground.clone()
        planes = image.permute(1, 0, 2, 3)
        planes[:, shown] = seen
        return image

    def _sample_noise(self, y: Tensor, x: Tensor) -> Tensor:
        """Look up noise that is fixed to the things, coarse, fine and fine, ``(3, N)``."""
        rng = self.rng
        n_cells = uniform(3, 9, rng), uniform(20, 60, rng)
        tile = torch.stack([octaves((160, 160), n, 2, rng) for n in (*n_cells, n_cells[1])])
        at = torch.stack([x, y], dim=-1)[None, None] * 0.95
        found = F.grid_sample(tile[None], at, mode="bilinear", padding_mode="reflection", align_corners=False)
        return found[0, :, 0]


def _span(reaches: Sequence[tuple[float, float]], size: int) -> slice:
    low = min(p - r for p, r in reaches) + size / 2
    high = max(p + r for p, r in reaches) + size / 2
    start = min(max(math.floor(low), 0), size)
    return slice(start, min(max(math.ceil(high), start), size))


TINTS: tuple[Colour, ...] = (
    (0.45, 0.3, 0.18), (0.25, 0.16, 0.1), (0.75, 0.6, 0.42), (0.12, 0.12, 0.13), (0.88, 0.87, 0.84),
    (0.5, 0.5, 0.5), (0.8, 0.58, 0.46), (0.25, 0.38, 0.15), (0.45, 0.5, 0.2), (0.6, 0.35, 0.15),
    (0.7, 0.12, 0.1), (0.12, 0.2, 0.5), (0.85, 0.7, 0.2), (0.3, 0.45, 0.6),
)  # fmt: skip
"""Colours that animals, clothes, paint and stones have."""


def draw_colour(rng: torch.Generator) -> Colour:
    """Draw a colour: often one that is common, at times any."""
    if chance(0.3, rng):
        return (uniform(0, 1, rng), uniform(0, 1, rng), uniform(0, 1, rng))
    tint = TINTS[int(uniform(0, len(TINTS) - 1e-3, rng))]
    level = math.exp(uniform(-0.5, 0.4, rng))
    return vary(tint, rng, 0.06, level)


def vary(colour: Colour, rng: torch.Generator, loose: float = 0.08, level: float = 1.0) -> Colour:
    """Change a colour a little."""
    red, green, blue = (min(max(c * level + uniform(-loose, loose, rng), 0.02), 0.98) for c in colour)
    return red, green, blue


def draw_look(rng: torch.Generator, colour: Colour | None = None) -> Look:
    """Draw a look: plain, striped, spotted or in patches, dull or glossy."""
    first = colour or draw_colour(rng)
    second = vary(first, rng, 0.1) if chance(0.4, rng) else draw_colour(rng)
    look = Look(first, second, grain=uniform(0.02, 0.3, rng), bump=uniform(0.0, 0.35, rng))
    look = replace(look, gloss=uniform(0.0, 0.3, rng) if chance(0.6, rng) else uniform(0.3, 1.0, rng))
    kind = uniform(0, 1, rng)
    if kind < 0.4:
        return replace(look, patches=0.4, edge=1.0, second=vary(first, rng, 0.1))
    edge, turn = math.exp(uniform(0.5, 3.0, rng)), uniform(0, math.pi, rng)
    if kind < 0.65:
        waves, dots = math.exp(uniform(1.5, 3.8, rng)), float(chance(0.4, rng))
        return replace(look, waves=waves, turn=turn, dots=dots, edge=edge, level=uniform(-0.5, 0.5, rng))
    if kind < 0.85:
        return replace(look, patches=uniform(0.5, 1.2, rng), edge=edge, level=uniform(-0.6, 0.6, rng))
    return replace(look, waves=uniform(1.0, 3.0, rng), turn=turn, edge=uniform(1.0, 3.0, rng))
