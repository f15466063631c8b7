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

from napari_sam.training.fields import looked_up, smooth_noise, uniform, unit_grid
from napari_sam.training.things.forms import Form, Place
from napari_sam.training.things.looks import Look
from napari_sam.training.things.stuff import KINDS, SIDE, atlas

_CHUNK = 1 << 15
"""Pixels that are coloured at once."""


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


@dataclass(frozen=True)
class Sprite:
    """A thing that is drawn once and put down several times: maps of the easel ``(2, h, w)``, 0 beside it."""

    forms: Tensor
    others: tuple[Tensor, ...]


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
        return looked_up(torch.tensor(self._labels, device=self.rng.device), self.forms)

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

    def sprite(self, pieces: Sequence[Piece], stand: Stand) -> Sprite:
        """Draw a thing as large and turned as it would stand here, without a label, to put it down often."""
        half = max(self.hw) / 2
        side = max(8, math.ceil(2.6 * max(stand.sizes) * half))
        small = Easel((side, side), self.rng)
        small._rows, small._labels = self._rows, self._labels
        grown = (stand.sizes[0] * half * 2 / side, stand.sizes[1] * half * 2 / side)
        small.set(pieces, replace(stand, centres=(0j, 0j), sizes=grown), 0, {})
        return Sprite(small.forms, (small._down, small._right, small._y, small._x))

    def stamp(self, sprite: Sprite, centres: Place, *, mirrored: bool = False) -> None:
        """Put a sprite down over what is there, its middle in a place in each plane."""
        side, half = sprite.forms.shape[1], max(self.hw) / 2
        for plane, centre in enumerate(centres):
            top = round(centre.imag * half + self.hw[0] / 2 - side / 2)
            left = round(centre.real * half + self.hw[1] / 2 - side / 2)
            rows = slice(max(top, 0), max(min(top + side, self.hw[0]), 0))
            columns = slice(max(left, 0), max(min(left + side, self.hw[1]), 0))
            cut = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
            if rows.start >= rows.stop or columns.start >= columns.stop:
                continue
            forms = (sprite.forms[plane].flip(1) if mirrored else sprite.forms[plane])[cut]
            mine = forms > 0
            mine_maps = (self._down, self._right, self._y, self._x)
            for number, (there, values) in enumerate(zip(mine_maps, sprite.others, strict=True)):
                seen = (values[plane].flip(1) if mirrored else values[plane])[cut]
                if mirrored and number == 1:  # surfaces that looked right look left
                    seen = -seen
                self._write(there[plane, rows, columns], seen, mine)
            self._write(self.forms[plane, rows, columns], forms, mine)

    @staticmethod
    def _write(there: Tensor, values: Tensor, inside: Tensor) -> None:
        torch.where(inside, values, there, out=there)

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
        shown = self.forms.flatten().nonzero()[:, 0]
        if not len(shown):
            return ground
        columns = torch.tensor(self._rows, device=ground.device).T.contiguous()
        shift = uniform(0.0, 2.0, self.rng), uniform(0.0, 2.0, self.rng)
        fields = (self.forms, self._y, self._x, self._down, self._right)
        maps = [field.view(-1).index_select(0, shown) for field in fields]
        seen = [  # some pixels at a time, so that they stay in the cache
            _shade(columns.index_select(1, part[0]), part[1:], shift, (*light, ambient))
            for part in zip(*(field.split(_CHUNK) for field in maps), strict=True)
        ]
        image = ground.transpose(0, 1).clone(memory_format=torch.contiguous_format)
        for plane, colours in zip(image.view(3, -1), torch.cat(seen, dim=1), strict=True):
            plane.index_copy_(0, shown, colours)
        return image.transpose(0, 1)


def _sample_stuff(look: Tensor, y: Tensor, x: Tensor, shift: tuple[float, float]) -> Tensor:
    """Look up the tiles that looks ``(2, N)`` name: coarse, fine and other fields, ``(3, N)``."""
    at = x.new_empty(1, 1, len(x), 2)
    inset = 1 - 1 / SIDE
    for axis, place in enumerate((x, y)):  # from 0 to 1 in the tile, mirrored at its ends
        within = (place * look[1] + shift[axis]).mul_(0.5).remainder_(1.0).mul_(2).sub_(1).abs_()
        at[0, 0, :, axis] = within.mul_(inset).add_(0.5 / SIDE)
    at[..., 0] += look[0]
    at[..., 0] /= len(KINDS)
    at.mul_(2).sub_(1)
    return F.grid_sample(atlas(x.device), at, mode="bilinear", align_corners=False)[0, :, 0]


def _shade(
    look: Tensor,
    maps: Sequence[Tensor],
    shift: tuple[float, float],
    light: tuple[float, float, float, float],
) -> Tensor:
    """Colour and light pixels.

    Their looks are ``(18, N)``, the maps y and x on the thing and the surface's direction down and
    right, each ``(N,)``, the shift says where tiles begin; the light ends with how strong it is in the
    shade. Gives ``(3, N)``.
    """
    y, x, down, right = maps
    rough, fine, other = _sample_stuff(look[16:18], y, x, shift)
    ambient = light[3]
    wave = torch.sin(look[6] * x + look[7] * y + 0.6 * rough)
    crossing = torch.sin(look[6] * y - look[7] * x + 0.6 * other)
    wave = wave * (1 + look[8] * (crossing - 1)) + look[9] * rough
    share = torch.sigmoid(look[10] * (wave - look[11]))
    colour = torch.lerp(look[0:3], look[3:6], share)
    down, right = down + look[13] * fine, right + look[13] * other
    front = torch.sqrt((1 - down * down - right * right).clamp_(min=0.02))
    facing = (down * light[0] + right * light[1] + front * light[2]).clamp_(min=0)
    bright = ambient + (1.25 - ambient) * facing + look[15]
    squared = facing * facing
    fourth = squared * squared
    shine = fourth * fourth * fourth * squared * look[14]  # the 14th power
    return colour.mul_(bright * (1 + look[12] * fine)).add_(shine)


def _span(reaches: Sequence[tuple[float, float]], size: int) -> slice:
    low = min(p - r for p, r in reaches) + size / 2
    high = max(p + r for p, r in reaches) + size / 2
    start = min(max(math.floor(low), 0), size)
    return slice(start, min(max(math.ceil(high), start), size))
