"""Electron microscopes: axons in sheaths of myelin that touch, and cells divided by thin membranes."""

from __future__ import annotations

import math

import torch

from napari_sam.training.anything import any_canvas
from napari_sam.training.fields import blur, chance, looked_up, noise_pairs, octaves, uniform
from napari_sam.training.scene import Scene
from napari_sam.training.tessellation import Tessellation, tessellate

NET_SHARE = 0.3
"""How often sheaths that touch are one object, as where all myelin has one label."""

AXONS_SHRINKING = 0.3
"""How often some axons shrink or end between the planes: fibres are long."""

FIBRE_SHARE = 0.4
"""How often a sheath is never an object without its axon."""


def axons(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw axons: each an inside, a sheath around it, and both together."""
    canvas = any_canvas(hw, rng)
    n_cells = math.exp(uniform(math.log(4), math.log(16), rng))
    found = tessellate(canvas.frame, n_cells, rng, uniform(0.2, 0.6, rng), AXONS_SHRINKING)
    n = found.n_owners
    draw = torch.rand(4, n, generator=rng, device=rng.device)
    gap, most = uniform(0.0, 0.06, rng), uniform(0.35, 0.6, rng)
    bare = looked_up(draw[0] < uniform(0.0, 0.3, rng), found.owner)
    border = torch.minimum(found.depth - gap, most - found.first) * (~bare | (found.depth > 0.1))
    thick = looked_up(uniform(0.03, 0.08, rng) + draw[1] * uniform(0.0, 0.12, rng), found.owner)
    sheath, inside = border > 0, border > torch.where(bare, 0.02, thick)
    labels = torch.where(sheath, 2 * found.owner + 1, 0)
    labels = torch.where(inside, 2 * found.owner + 2, labels)
    dark = uniform(0.0, 0.3, rng)
    image = torch.where(sheath, dark, uniform(0.4, 0.8, rng))
    tone = looked_up(uniform(0.5, 0.9, rng) + (draw[2] - 0.5) * uniform(0.0, 0.25, rng), found.owner)
    image = torch.where(inside, tone, image)
    spots = noise_pairs(1, hw, 3.5 * n_cells, 0.3, rng)[0]
    image = torch.where(inside & (spots > uniform(1.2, 2.5, rng)), tone - uniform(0.1, 0.4, rng), image)
    if chance(NET_SHARE, rng):
        labels = torch.where(labels > 0, 1 + (labels - 1) % 2, 0)
        return Scene(labels, "axons", {}, image=_finish(image, hw, rng))
    numbers, parents = _numbered(labels, n)
    parts = frozenset(parents) if chance(FIBRE_SHARE, rng) else frozenset()
    return Scene(numbers, "axons", parents, image=_finish(image, hw, rng), parts=parts)


def membranes(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw cells of all sizes divided by thin dark membranes, with organelles in them."""
    canvas = any_canvas(hw, rng, 0.8)
    n_cells = math.exp(uniform(math.log(3), math.log(10), rng))
    found = tessellate(canvas.frame, n_cells, rng, uniform(0.3, 0.8, rng))
    wall = uniform(0.012, 0.04, rng)
    inside = found.depth > wall
    tone = torch.rand(found.n_owners, generator=rng, device=rng.device)
    image = torch.where(
        inside, uniform(0.6, 0.8, rng) + 0.1 * looked_up(tone, found.owner), uniform(0.1, 0.4, rng)
    )
    labels = torch.where(inside, 2 * found.owner + 1, 0)
    if chance(0.8, rng):  # mitochondria and the like
        image, labels = _organelles(image, labels, found, n_cells, rng)
    numbers, parents = _numbered(labels, found.n_owners)
    return Scene(numbers, "membranes", parents, image=_finish(image, hw, rng))


def _organelles(
    image: torch.Tensor, labels: torch.Tensor, found: Tessellation, n_cells: float, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Put round dark things with darker rims where noise is high, away from membranes."""
    hw = (labels.shape[1], labels.shape[2])
    field = noise_pairs(1, hw, uniform(2.0, 4.0, rng) * n_cells, 0.3, rng)[0]
    level = uniform(0.6, 1.4, rng)
    deep = torch.minimum(field - level, 6 * (found.depth - 0.06))
    stripes = torch.sin(field * uniform(15, 40, rng)) * 0.05
    image = torch.where(deep > 0, uniform(0.2, 0.45, rng), image)
    image = torch.where(deep > 0.2, uniform(0.35, 0.6, rng) + stripes, image)
    return image, torch.where((deep > 0) & (labels > 0), 2 * found.owner + 2, labels)


def _numbered(labels: torch.Tensor, n_owners: int) -> tuple[torch.Tensor, dict[int, int]]:
    """Give labels small numbers; even ones lie in the odd one before them."""
    counts = torch.bincount(labels.flatten(), minlength=2 * n_owners + 3)
    used = torch.nonzero(counts)[:, 0].tolist()
    number = {label: i for i, label in enumerate([label for label in used if label], start=1)}
    table = torch.zeros(len(counts), dtype=torch.int64, device=labels.device)
    for label, small in number.items():
        table[label] = small
    pairs = [(label, label - 1) for label in number if label % 2 == 0 and label - 1 in number]
    return looked_up(table, labels), {number[child]: number[parent] for child, parent in pairs}


def _finish(image: torch.Tensor, hw: tuple[int, int], rng: torch.Generator) -> torch.Tensor:
    """Add texture, blur, noise, and at times show the negative; ``(2, 3, H, W)``."""
    image = image + octaves(hw, uniform(20, 90, rng), 3, rng) * uniform(0.0, 0.06, rng)
    image = blur(image, uniform(0.3, 1.0, rng))
    image = image + torch.randn(image.shape, generator=rng, device=rng.device) * uniform(0.0, 0.08, rng)
    image = image if chance(0.6, rng) else 1 - image
    return image.clamp(0, 1).unsqueeze(1).expand(-1, 3, -1, -1)
