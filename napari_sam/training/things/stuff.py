"""Stuff that things and grounds are made of: fur, cloth, bricks, leaves, cracks, ripples, wood, noise.

Tiles are worked out once, the same in every process, and then only looked up: that is richer than noise
drawn for each picture, and takes less time.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_sam.training.fields import chance, octaves, smooth_noise, uniform, whole

SIDE = 160
"""Side of a tile in pixels."""

KINDS = (
    "soft", "soft", "soft", "soft", "fur", "fur", "fur", "cloth", "cloth", "bricks",
    "leaves", "leaves", "cracks", "ripples", "wood", "specks",
)  # fmt: skip
"""What each tile is of."""

_SEED = 20260


@lru_cache(maxsize=2)
def tiles(device: torch.device) -> Tensor:
    """Give all tiles, ``(len(KINDS), 3, SIDE, SIDE)``, each field with mean 0 and variance 1.

    The first field is coarse noise, the second what the kind looks like, the third another noise as fine as
    it: surfaces are bumped by both.
    """
    rng = torch.Generator().manual_seed(_SEED)
    found = []
    for kind in KINDS:
        fine = _DRAWN[kind](rng)
        coarse, other = octaves((SIDE, SIDE), uniform(3, 9, rng), 2, rng), octaves((SIDE, SIDE), 40, 2, rng)
        found.append(
            torch.stack([_even(field) for field in (coarse, fine, 0.6 * _even(fine).roll(3, 0) + other)])
        )
    return torch.stack(found).to(device)


@lru_cache(maxsize=2)
def atlas(device: torch.device) -> Tensor:
    """Give all tiles side by side, ``(1, 3, SIDE, len(KINDS) * SIDE)``."""
    return tiles(device).permute(1, 2, 0, 3).reshape(1, 3, SIDE, -1).contiguous()


def draw_kind(rng: torch.Generator, *names: str) -> int:
    """Draw the number of a tile, of any kind or of those named."""
    numbers = [n for n, kind in enumerate(KINDS) if not names or kind in names]
    return numbers[whole(0, len(numbers) - 1, rng)]


def sheet(hw: tuple[int, int], rng: torch.Generator, *names: str) -> Tensor:
    """Cover a picture with a tile of any kind or of those named, larger or smaller; ``(H, W)``."""
    tile = tiles(rng.device)[draw_kind(rng, *names), 1]
    n_tiles = math.exp(uniform(math.log(0.5), math.log(2.2), rng))
    high, wide = (max(8, round(SIDE * n_tiles * size / max(hw))) for size in hw)
    tile = tile.T if chance(0.3, rng) else tile
    tile = torch.cat([tile, tile.flip(0)], dim=0)
    tile = torch.cat([tile, tile.flip(1)], dim=1)  # its ends fit each other
    tile = tile.roll((whole(0, 2 * SIDE - 1, rng), whole(0, 2 * SIDE - 1, rng)), (0, 1))
    tile = tile.repeat(-(-high // (2 * SIDE)), -(-wide // (2 * SIDE)))
    return F.interpolate(tile[None, None, :high, :wide], size=hw, mode="bilinear", align_corners=False)[0, 0]


def _even(field: Tensor) -> Tensor:
    return (field - field.mean()) / (field.std() + 1e-6)


def _grid() -> tuple[Tensor, Tensor]:
    line = (torch.arange(SIDE) + 0.5) / SIDE
    y, x = torch.meshgrid(line, line, indexing="ij")
    return y, x


def _bent(field: Tensor, amount: float, n_cells: float, rng: torch.Generator) -> Tensor:
    """Bend a field ``(SIDE, SIDE)`` by smooth noise."""
    y, x = _grid()
    shift = smooth_noise(2, (SIDE, SIDE), n_cells, rng) * amount
    at = torch.stack([2 * (x + shift[0]) - 1, 2 * (y + shift[1]) - 1], dim=-1)
    return F.grid_sample(field[None, None], at[None], padding_mode="reflection", align_corners=False)[0, 0]


def _soft(rng: torch.Generator) -> Tensor:
    return octaves((SIDE, SIDE), uniform(15, 60, rng), 3, rng)


def _fur(rng: torch.Generator) -> Tensor:
    """Hairs along a flow: noise drawn out, in locks, bent."""
    hairs = torch.zeros(SIDE, SIDE)
    for across, along in ((uniform(60, 80, rng), 16), (uniform(20, 34, rng), 8)):
        few = torch.randn(1, 1, round(across), along, generator=rng)
        hairs = hairs + F.interpolate(few, size=(SIDE, SIDE), mode="bicubic", align_corners=False)[0, 0]
    return _bent(hairs, uniform(0.02, 0.06, rng), uniform(2, 5, rng), rng)


def _cloth(rng: torch.Generator) -> Tensor:
    """Threads over and under each other, in folds."""
    y, x = _grid()
    n = uniform(18, 34, rng)
    over = ((y * n).floor() + (x * n).floor()) % 2 == 0
    threads = torch.where(over, torch.sin(math.pi * n * y).abs(), torch.sin(math.pi * n * x).abs())
    folds = octaves((SIDE, SIDE), uniform(2, 5, rng), 3, rng)
    return _bent(threads, 0.01, 5, rng) * uniform(0.5, 1.5, rng) + folds * uniform(0.2, 0.8, rng)


def _bricks(rng: torch.Generator) -> Tensor:
    """Rows of bricks or tiles, each of its own brightness, with joints between."""
    y, x = _grid()
    rows, columns = 10, 5
    row = (y * rows).floor()
    column = x * columns + 0.5 * (row % 2)
    tone = torch.randn(rows, columns + 1, generator=rng)
    face = tone[row.long(), column.floor().long()] * 0.5
    joint = ((y * rows).frac() < 0.14) | (column.frac() < 0.08)
    return torch.where(joint, -1.8, face) + 0.35 * octaves((SIDE, SIDE), 40, 3, rng)


def _leaves(rng: torch.Generator) -> Tensor:
    """Leaves over each other: cells of their own brightness, lighter on one side, dark where they end."""
    first, second, number, side = _cells(whole(12, 20, rng), rng)
    tone = torch.randn(int(number.max()) + 1, generator=rng)
    gap = (second - first).clamp(max=0.3) / 0.3
    return tone[number] * 0.7 + 0.9 * side + 1.2 * gap


def _cracks(rng: torch.Generator) -> Tensor:
    """Plates with dark lines between, as of mud, bark, stone or skin."""
    first, second, number, _ = _cells(whole(9, 16, rng), rng)
    tone = torch.randn(int(number.max()) + 1, generator=rng)
    line = torch.exp(-(((second - first) / 0.12) ** 2))
    return _bent(0.5 * tone[number] - 2 * line, 0.015, 12, rng) + 0.5 * octaves((SIDE, SIDE), 40, 3, rng)


def _ripples(rng: torch.Generator) -> Tensor:
    """Waves of water: long across, short away, with bright crests."""
    few = torch.randn(1, 1, 44, 9, generator=rng)
    waves = F.interpolate(few, size=(SIDE, SIDE), mode="bicubic", align_corners=False)[0, 0]
    waves = _bent(waves, 0.02, 5, rng)
    return waves + 1.5 * (waves - 1.0).clamp(min=0)


def _wood(rng: torch.Generator) -> Tensor:
    """Rings of wood, cut along."""
    y, x = _grid()
    rings = torch.sin(90 * y + 3 * smooth_noise(1, (SIDE, SIDE), 2.5, rng)[0] + 2 * x)
    return _bent(rings, 0.03, 3, rng) + 0.5 * _fur(rng)


def _specks(rng: torch.Generator) -> Tensor:
    """Grains of gravel, flowers or foam."""
    first, _, number, side = _cells(whole(22, 34, rng), rng)
    tone = torch.randn(int(number.max()) + 1, generator=rng).clamp(min=-0.5)
    return tone[number] * (first < 0.5) + 0.5 * side


def _cells(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Scatter centres, one in each square of a lattice.

    Gives each pixel's distance to the nearest and the next one in cells, the nearest one's number, and
    how far the pixel lies on the lit side of it.
    """
    y, x = _grid()
    centres = torch.rand(2, n, n, generator=rng)
    turn = uniform(0, 2 * math.pi, rng)
    row, column = (y * n).floor(), (x * n).floor()
    first = torch.full((SIDE, SIDE), 9.0)
    second, number, side = first.clone(), torch.zeros(SIDE, SIDE, dtype=torch.int64), torch.zeros(SIDE, SIDE)
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            r, c = ((row + down) % n).long(), ((column + across) % n).long()
            off_y, off_x = row + down + centres[0, r, c] - y * n, column + across + centres[1, r, c] - x * n
            away = torch.hypot(off_y, off_x)
            second = torch.minimum(second, torch.maximum(first, away))
            nearer = away < first
            number = torch.where(nearer, r * n + c, number)
            side = torch.where(nearer, math.sin(turn) * off_y + math.cos(turn) * off_x, side)
            first = torch.minimum(first, away)
    return first, second, number, side


_DRAWN = {
    "soft": _soft,
    "fur": _fur,
    "cloth": _cloth,
    "bricks": _bricks,
    "leaves": _leaves,
    "cracks": _cracks,
    "ripples": _ripples,
    "wood": _wood,
    "specks": _specks,
}
