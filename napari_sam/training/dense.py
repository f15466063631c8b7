"""Nuclei as close as they lie in tissue and in grown layers: touching, of one brightness or many.

Each is one object, however blotched it is within: bright or dark nucleoli, a rim of dense chromatin, a
dim border where it meets the next one.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_sam.training.anything import any_canvas
from napari_sam.training.canvas import Canvas
from napari_sam.training.fields import chance, looked_up, noise_pairs, uniform
from napari_sam.training.scene import Scene
from napari_sam.training.slides import glow, stain
from napari_sam.training.tessellation import Tessellation, tessellate

STAINED_SHARE = 0.45
"""How often nuclei are stained; else they glow."""


def dense_nuclei(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw nuclei, a few to some hundred, close together."""
    canvas = any_canvas(hw, rng, 0.45)
    n_cells = math.exp(uniform(math.log(4), math.log(20), rng))
    found = tessellate(canvas.frame, n_cells, rng, uniform(0.05, 0.35, rng), 0.6)
    n = found.n_owners
    missing = torch.rand(n, generator=rng, device=rng.device) < uniform(-0.1, 0.45, rng)
    size = uniform(0.3, 0.75, rng) + uniform(-0.15, 0.15, rng) * torch.rand(
        n, generator=rng, device=rng.device
    )
    depth = torch.minimum(found.depth - uniform(-0.01, 0.05, rng), looked_up(size, found.owner) - found.first)
    depth = depth + uniform(0.0, 0.06, rng) * noise_pairs(1, hw, 2.5 * n_cells, 0.2, rng)[0]
    inside = (depth > 0) & (found.depth > 0) & ~looked_up(missing, found.owner)
    _number(canvas, found, inside)
    profile = _profile(depth, n_cells, hw, rng)
    grain = uniform(0.0, 0.6, rng)
    is_stained = chance(STAINED_SHARE, rng)
    image = (
        stain(canvas, grain, profile) if is_stained else glow(canvas, grain, uniform(0.1, 0.9, rng), profile)
    )
    return canvas.scene("nuclei", image)


def _number(canvas: Canvas, found: Tessellation, inside: Tensor) -> None:
    """Give each nucleus a label of the canvas."""
    used = torch.zeros(found.n_owners, dtype=torch.int64, device=inside.device)
    used[found.owner[inside]] = 1
    canvas.labels = torch.where(inside, looked_up(used.cumsum(0), found.owner), 0)
    for _ in range(int(used.sum())):
        canvas.new("nucleus")


def _profile(depth: Tensor, n_cells: float, hw: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Say how strong light or dye is in a nucleus, by how deep a pixel lies in it; ``(2, H, W)``, about 1."""
    deep = depth.clamp(min=0)
    profile = 1 - uniform(0.0, 0.8, rng) * torch.exp(-deep / uniform(0.03, 0.12, rng))  # dim borders
    if chance(0.35, rng):  # a dense rim, pale within
        profile = profile - uniform(0.2, 0.65, rng) * torch.sigmoid((deep - uniform(0.05, 0.12, rng)) * 60)
    if chance(0.6, rng):  # nucleoli, or blotches
        spots = noise_pairs(1, hw, n_cells * uniform(2.0, 5.0, rng), 0.2, rng)[0]
        shown = torch.sigmoid((spots - uniform(0.5, 1.5, rng)) * 6) * (deep > 0.04)
        profile = profile * (1 + shown * (uniform(0.5, 2.0, rng) if chance(0.5, rng) else -0.6))
    return profile.clamp_(min=0.05)
