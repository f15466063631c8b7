"""The trunk of a body across its axis: what abdomen, chest and pelvis share.

Skin, a layer of fat, a wall of muscle with ribs in it, the spine with its canal and the muscles of
the back. The body's half width is about 1, down is its back.
"""

from __future__ import annotations

import math

import torch

from napari_sam.training.canvas import Canvas, near
from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.shapes import LASTING, Lump, Patch, Pose, lay_frame

UPSIDE_DOWN_SHARE = 0.3
"""How often the back is up: volumes whose rows run from back to front are shown that way."""

RIBS_SHARE = 0.4
"""How often ribs are objects: there are many, and each is small."""


def body_pose(rng: torch.Generator, zoom: float = 2.6) -> Pose:
    """Draw how a trunk lies: mostly upright and whole, at times a part of it, turned or mirrored."""
    scale, centre = uniform(0.75, 1.05, rng), (0.0, 0.0)
    if chance(0.4, rng):
        scale = math.exp(uniform(0.0, math.log(zoom), rng))
        centre = uniform(-0.3, 0.3, rng), uniform(-0.5, 0.5, rng)
    turn = uniform(-0.15, 0.15, rng)
    if chance(0.12, rng):
        turn += whole(1, 3, rng) * math.pi / 2
    stretch = uniform(0.85, 1.15, rng) * (-1.0 if chance(UPSIDE_DOWN_SHARE, rng) else 1.0)
    return Pose(scale, turn, centre, chance(0.3, rng), stretch, uniform(0.01, 0.09, rng))


def start_trunk(hw: tuple[int, int], rng: torch.Generator) -> Canvas:
    """Lay a frame through a trunk, empty as yet."""
    return Canvas(lay_frame(hw, body_pose(rng), rng), rng)


def paint_walls(canvas: Canvas, lining: str = "fat") -> Patch:
    """Paint skin, fat and the muscle wall; what lies inside is `lining`. Gives the body's depth."""
    rng = canvas.rng
    body = Lump(
        0.0, 0.0, uniform(0.58, 0.75, rng), uniform(0.9, 1.0, rng), 0.0, 0.04, chance(0.3, rng), LASTING
    )
    outer = canvas.depth(body)
    canvas.fill(outer, canvas.new("skin", target=False))
    skin = uniform(0.006, 0.015, rng)
    canvas.fill(outer, canvas.new("fat", target=False), above=skin)
    fat = skin + uniform(0.01, 0.16, rng)
    canvas.fill(outer, canvas.new("muscle", target=False), above=fat)
    wall = fat + uniform(0.03, 0.08, rng)
    canvas.fill(outer, canvas.new(lining, target=False), above=wall)
    cavity = outer.depth > wall
    canvas.limit = torch.zeros_like(canvas.labels, dtype=torch.bool)
    outer.of(canvas.limit).copy_(cavity)
    canvas.body = torch.zeros_like(canvas.limit)
    outer.of(canvas.body).copy_(outer.depth > skin)
    if chance(0.15, rng):
        _paint_couch(canvas)
    return outer.with_depth(outer.depth - (fat + wall) / 2)


def _paint_couch(canvas: Canvas) -> None:
    """Draw the scanner's couch, a thin bow below the body."""
    rng = canvas.rng
    y, x, at = canvas.frame.y, canvas.frame.x, uniform(0.75, 0.9, rng)
    bow = (y + uniform(0.0, 0.3, rng) * x * x - at).abs() < uniform(0.006, 0.02, rng)
    label = canvas.new("plastic", target=False)
    canvas.labels.masked_fill_(bow & (canvas.labels == 0) & (x.abs() < 0.8), label)


def paint_spine(canvas: Canvas, y: float = 0.3) -> None:
    """Paint a vertebra, or the disc between two, with canal, cord and processes, and back muscles."""
    rng, limit = canvas.rng, canvas.limit
    canvas.limit = None
    size = uniform(0.85, 1.2, rng)
    for side in (-1, 1):
        muscle = near(rng, (y + 0.17, side * 0.17), (0.1 * size, 0.13 * size), n_planes=LASTING)
        patch = canvas.depth(muscle)
        canvas.fill(patch, canvas.new("fat", target=False), above=-0.01)
        canvas.fill(patch, canvas.new("muscle", target=chance(0.4, rng)))
    bone = canvas.new("compact")
    arch = Lump(y + 0.12 * size, 0.0, 0.075 * size, 0.085 * size, n_planes=LASTING, wobble=0.15)
    canvas.fill(canvas.depth(arch), bone)
    for turn, side in ((0.0, 0), (1.2, -1), (-1.2, 1)):
        reach = 0.1 * size if side else 0.17 * size
        spike = near(rng, (y + reach, side * 0.12 * size), (0.1 * size, 0.022 * size), turn)
        canvas.fill(canvas.depth(spike), bone)
    body = canvas.depth(near(rng, (y, 0.0), (0.1 * size, 0.13 * size), n_planes=LASTING, wobble=0.05))
    disc = chance(0.2, rng)
    canvas.fill(body, canvas.new("disc") if disc else bone)
    if not disc:
        body_is_part = chance(0.5, rng)  # of the vertebra, which is never asked for without it
        marrow = canvas.new("marrow", parent=bone, target=body_is_part, part=body_is_part)
        canvas.fill(body, marrow, above=uniform(0.006, 0.02, rng))
    canal = canvas.depth(Lump(y + 0.13 * size, 0.0, 0.045 * size, 0.055 * size, n_planes=LASTING))
    canvas.fill(canal, canvas.new("csf"))
    canvas.fill(canal, canvas.new("cord"), above=uniform(0.012, 0.022, rng) * size)
    canvas.limit = limit


def paint_ribs(canvas: Canvas, wall: Patch, n_most: int = 12) -> None:
    """Cut ribs, slanted, along the wall: bone around marrow."""
    rng = canvas.rng
    angle = torch.atan2(wall.of(canvas.frame.y), wall.of(canvas.frame.x))
    n_ribs = whole(5, n_most, rng)
    phase, thickness = uniform(0, 2 * math.pi, rng), uniform(0.012, 0.024, rng)
    bend = canvas.frame.field(0.3, (angle.shape[1], angle.shape[2]), rng)
    shift = torch.tensor([0.0, canvas.frame.step * uniform(-6, 6, rng)], device=angle.device).view(2, 1, 1)
    along = torch.cos(angle * n_ribs + phase + shift + 0.5 * bend) - uniform(0.0, 0.6, rng)
    rib = wall.with_depth(torch.minimum(thickness - wall.depth.abs(), along * 0.05))
    label = canvas.fill(rib, canvas.new("compact", target=chance(RIBS_SHARE, rng)), free=True)
    canvas.fill(rib, canvas.new("marrow", parent=label, target=False), above=thickness * 0.45, over=label)
