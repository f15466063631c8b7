"""Generated label maps of two neighbouring planes: what is where.

Each scene gives an integer map ``(2, H, W)``: 0 is nothing to prompt for, and an
object keeps its number from the first plane to the second, where it may have
changed its outline or ended. How things look is `napari_sam.training.appearance`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from napari_sam.training.abdomen import abdomen, pelvis
from napari_sam.training.chest import chest, short_axis
from napari_sam.training.fields import chance, rotate_noise, smooth_noise, uniform, unit_grid, whole
from napari_sam.training.head import brain
from napari_sam.training.scene import Scene
from napari_sam.training.spine import cord, spine


def regions(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Divide the plane among smooth fields: the largest at a pixel owns it."""
    n_regions = whole(3, 14, rng)
    n_cells = uniform(1.5, 9.0, rng)
    first = smooth_noise(n_regions, hw, n_cells, rng)
    second = smooth_noise(n_regions, hw, n_cells, rng)
    if chance(0.4, rng):
        detail = smooth_noise(n_regions, hw, 4 * n_cells, rng) * uniform(0.05, 0.35, rng)
        first, second = first + detail, second + detail
    angle = uniform(0.02, 0.35, rng)
    planes = torch.stack([first, rotate_noise(first, second, angle)])
    return Scene(planes.argmax(dim=1) + 1, "regions", {})


@dataclass(frozen=True)
class _Blob:
    """A wobbly ellipsoid cut by two planes; lengths in units of half the longer side."""

    centre_yx: tuple[float, float]
    radii_yx: tuple[float, float]
    tilt: float
    height: float
    step: float
    wobble: float
    n_cells: float


def _draw_blob(
    rng: torch.Generator, centre_range: float, radius: tuple[float, float], wobble: float = 0.3
) -> _Blob:
    size = math.exp(uniform(math.log(radius[0]), math.log(radius[1]), rng))
    aspect = math.exp(uniform(-0.6, 0.6, rng))
    return _Blob(
        centre_yx=(uniform(-centre_range, centre_range, rng), uniform(-centre_range, centre_range, rng)),
        radii_yx=(size * math.sqrt(aspect), size / math.sqrt(aspect)),
        tilt=uniform(0, math.pi, rng),
        height=uniform(0.0, 0.8, rng),
        step=uniform(-0.25, 0.35, rng),
        wobble=uniform(0.0, wobble, rng),
        n_cells=uniform(1.0, 3.0, rng) / max(size, 0.1),
    )


def _paint(labels: Tensor, blob: _Blob, label: int, rng: torch.Generator, inside: int | None = None) -> None:
    """Write a blob into ``labels (2, H, W)``, where asked only inside another label."""
    hw = (labels.shape[1], labels.shape[2])
    yy, xx = unit_grid(hw, labels.device)
    cos, sin = math.cos(blob.tilt), math.sin(blob.tilt)
    wobble = smooth_noise(2, hw, blob.n_cells, rng) * blob.wobble
    angle = uniform(0.05, 0.4, rng)
    drift = uniform(-0.15, 0.15, rng) * max(blob.radii_yx), uniform(-0.15, 0.15, rng) * max(blob.radii_yx)
    for plane in range(2):
        z = blob.height + plane * blob.step
        y, x = yy - blob.centre_yx[0] - plane * drift[0], xx - blob.centre_yx[1] - plane * drift[1]
        u, v = (cos * y + sin * x) / blob.radii_yx[0], (cos * x - sin * y) / blob.radii_yx[1]
        noise = wobble[0] if plane == 0 else rotate_noise(wobble[0], wobble[1], angle)
        covered = u * u + v * v + z * z < (1 + noise).clamp(min=0.1) ** 2
        if inside is not None:
            covered = covered & (labels[plane] == inside)
        labels[plane][covered] = label


def anatomy(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a body with organs, bones and vessels in it, and lesions in some organs."""
    labels = torch.zeros(2, *hw, dtype=torch.int64, device=rng.device)
    parents: dict[int, int] = {}
    label = 1
    body = _Blob((0, 0), (uniform(0.6, 1.3, rng), uniform(0.7, 1.4, rng)), 0.0, 0.0, 0.0, 0.12, 2.0)
    _paint(labels, body, label, rng)
    for _ in range(whole(3, 16, rng)):
        label += 1
        _paint(labels, _draw_blob(rng, 0.75, (0.06, 0.5)), label, rng, inside=1 if chance(0.6, rng) else None)
        if chance(0.3, rng):
            organ = label
            for _ in range(whole(1, 3, rng)):
                label += 1
                parents[label] = organ
                _paint(labels, _draw_blob(rng, 0.8, (0.04, 0.2)), label, rng, inside=organ)
    for _ in range(whole(0, 12, rng)):
        label += 1
        _paint(labels, _draw_blob(rng, 0.8, (0.02, 0.08), 0.15), label, rng)
    return Scene(labels, "anatomy", parents)


def rings(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Nested structures: a wall around a cavity, a cell with its nucleus, an axon in its sheath."""
    labels = torch.zeros(2, *hw, dtype=torch.int64, device=rng.device)
    parents: dict[int, int] = {}
    label = 0
    n_rings = whole(1, 14, rng)
    for _ in range(n_rings):
        label += 1
        size = 0.7 / math.sqrt(n_rings)
        outer = _draw_blob(rng, 0.8, (0.6 * size, 1.3 * size), 0.2)
        _paint(labels, outer, label, rng)
        shrink = uniform(0.35, 0.85, rng)
        shift = [uniform(-0.5, 0.5, rng) * (1 - shrink) * r for r in outer.radii_yx]
        inner = _Blob(
            (outer.centre_yx[0] + shift[0], outer.centre_yx[1] + shift[1]),
            (outer.radii_yx[0] * shrink, outer.radii_yx[1] * shrink),
            outer.tilt,
            outer.height,
            outer.step,
            uniform(0.0, 0.2, rng),
            outer.n_cells,
        )
        label += 1
        parents[label] = label - 1
        _paint(labels, inner, label, rng, inside=label - 1)
    return Scene(labels, "rings", parents)


def cells(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Many cells, apart or touching: each pixel belongs to the nearest centre within its radius."""
    n_cells = round(math.exp(uniform(math.log(6), math.log(120), rng)))
    spread = uniform(0.35, 1.1, rng)
    size = spread * math.sqrt(4 / (math.pi * n_cells))
    yx = torch.rand(n_cells, 2, generator=rng, device=rng.device) * 2 - 1
    log_aspect = (torch.rand(n_cells, generator=rng, device=rng.device) - 0.5) * uniform(0.0, 1.4, rng)
    tilt = torch.rand(n_cells, generator=rng, device=rng.device) * math.pi
    radius = size * torch.exp((torch.rand(n_cells, generator=rng, device=rng.device) - 0.5) * 0.7)
    grow = 1 + (torch.rand(n_cells, generator=rng, device=rng.device) - 0.6) * uniform(0.0, 0.8, rng)
    yy, xx = unit_grid(hw, rng.device)
    wobble = smooth_noise(1, hw, 2 / max(size, 0.05), rng)[0] * uniform(0.0, 0.2, rng)
    yy, xx = yy + wobble * size, xx + smooth_noise(1, hw, 2 / max(size, 0.05), rng)[0] * size * 0.1
    stretch = torch.exp(log_aspect)
    cos, sin = tilt.cos(), tilt.sin()
    dy, dx = yy[None] - yx[:, 0, None, None], xx[None] - yx[:, 1, None, None]
    u = (cos[:, None, None] * dy + sin[:, None, None] * dx) * stretch[:, None, None]
    v = (cos[:, None, None] * dx - sin[:, None, None] * dy) / stretch[:, None, None]
    distance = torch.sqrt(u * u + v * v)
    planes = []
    for plane_radius in (radius, radius * grow.clamp(min=0.01)):
        nearest, owner = (distance / plane_radius[:, None, None]).min(dim=0)
        planes.append(torch.where(nearest < 1, owner + 1, 0))
    labels = torch.stack(planes)
    if chance(0.35, rng):
        labels = _separate(labels)
    return Scene(labels, "cells", {})


def _separate(labels: Tensor) -> Tensor:
    """Open a one-pixel gap between touching objects."""
    same_row = labels[:, :, 1:] == labels[:, :, :-1]
    same_column = labels[:, 1:, :] == labels[:, :-1, :]
    kept = labels.clone()
    kept[:, :, 1:][~same_row] = 0
    kept[:, 1:, :][~same_column] = 0
    return kept


def vessels(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Winding bands where a smooth field is near zero, over a few regions."""
    background = regions(hw, rng).labels
    n_cells = uniform(2.0, 6.0, rng)
    fields = smooth_noise(2, hw, n_cells, rng)
    width = uniform(0.05, 0.22, rng)
    moved = rotate_noise(fields[0], fields[1], uniform(0.02, 0.15, rng))
    bands = torch.stack([fields[0], moved]).abs() < width
    top = int(background.max()) + 1
    return Scene(torch.where(bands, top, torch.where(background % 3 == 0, background, 0)), "vessels", {})


def figures(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a few figures of several limbs, or polygons, in front of a divided background."""
    background = regions(hw, rng).labels
    share = 4 if chance(0.5, rng) else int(background.max()) + 1
    labels = torch.where(background % share == 0, background, 0)
    label = int(background.max())
    for _ in range(whole(1, 6, rng)):
        label += 1
        if chance(0.5, rng):
            _paint_polygon(labels, label, rng)
            continue
        trunk = _draw_blob(rng, 0.7, (0.08, 0.4), 0.25)
        _paint(labels, trunk, label, rng)
        for _ in range(whole(0, 5, rng)):
            reach = max(trunk.radii_yx)
            centre = tuple(c + uniform(-reach, reach, rng) for c in trunk.centre_yx)
            limb = _draw_blob(rng, 0.0, (0.2 * reach, 0.6 * reach), 0.2)
            _paint(labels, _Blob((centre[0], centre[1]), *_rest(limb, trunk)), label, rng)
    return Scene(labels, "figures", {})


def _rest(limb: _Blob, trunk: _Blob) -> tuple[tuple[float, float], float, float, float, float, float]:
    return limb.radii_yx, limb.tilt, trunk.height, trunk.step, limb.wobble, limb.n_cells


def _paint_polygon(labels: Tensor, label: int, rng: torch.Generator) -> None:
    """Write a convex polygon as the overlap of half planes, a little moved in the second plane."""
    yy, xx = unit_grid((labels.shape[1], labels.shape[2]), labels.device)
    cy, cx = uniform(-0.7, 0.7, rng), uniform(-0.7, 0.7, rng)
    n_sides, turn, size = whole(3, 7, rng), uniform(0, math.pi, rng), uniform(0.08, 0.45, rng)
    sides = [
        (turn + 2 * math.pi * (i + uniform(-0.3, 0.3, rng)) / n_sides, size * uniform(0.6, 1.2, rng))
        for i in range(n_sides)
    ]
    move = uniform(-0.1, 0.1, rng) * size
    for plane in range(2):
        inside = torch.ones(labels.shape[1:], dtype=torch.bool, device=labels.device)
        for angle, reach in sides:
            along_y, along_x = yy - cy - plane * move, xx - cx + plane * move
            inside &= math.cos(angle) * along_y + math.sin(angle) * along_x < reach
        labels[plane][inside] = label


SCENES: tuple[tuple[float, Callable[[tuple[int, int], torch.Generator], Scene]], ...] = (
    (0.13, abdomen),
    (0.04, pelvis),
    (0.08, chest),
    (0.07, short_axis),
    (0.13, brain),
    (0.05, spine),
    (0.04, cord),
    (0.04, regions),
    (0.12, anatomy),
    (0.06, rings),
    (0.08, cells),
    (0.02, vessels),
    (0.14, figures),
)
"""Families of scenes with their share."""


def draw_scene(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a scene of a random family at height and width `hw` in pixels."""
    ticket = uniform(0.0, sum(share for share, _ in SCENES), rng)
    for share, family in SCENES:
        ticket -= share
        if ticket < 0:
            return family(hw, rng)
    return regions(hw, rng)
