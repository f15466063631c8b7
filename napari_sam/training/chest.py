"""Chest: across the body's axis, and the heart across its own.

Lungs with vessels, at times one object as a pair, heart with chambers and muscle, great vessels,
airways. The heart's short axis shows a bright cavity in a dark ring with a crescent beside it.
"""

from __future__ import annotations

import math

import torch

from napari_sam.training.canvas import Canvas, near
from napari_sam.training.fields import chance, uniform, unit_grid, whole
from napari_sam.training.neighbours import Neighbours
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import LASTING, Lump, Patch, Pose, lay_frame
from napari_sam.training.trunk import paint_ribs, paint_spine, paint_walls, start_trunk

LOBES_SHARE = 0.4
"""How often a lung's lobes are objects of their own."""

RING_SHARE = 0.45
"""How often the ring of muscle without its cavity is an object."""

VENTRICLE_SHARE = 0.7
"""How often muscle and cavity are one object where the ring is one, too; else they always are."""


def chest(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a cut through the chest."""
    canvas = start_trunk(hw, rng)
    wall = paint_walls(canvas)
    paint_ribs(canvas, wall, 14)
    _paint_lungs(canvas)
    upper = chance(0.4, rng)
    if upper:
        _paint_upper(canvas)
    else:
        _paint_heart(canvas)
    if chance(0.9, rng):
        canvas.lined("vessel", near(rng, (0.2, 0.11), (0.055, 0.055), 0.0, 0.05), gap=0.006)
    if chance(0.6, rng):
        canvas.put("wall", near(rng, (0.16, 0.02), (0.025, 0.03)))
    if chance(0.25, rng):
        canvas.put("liver", near(rng, (-0.02, -0.4), (0.26, 0.26), 0.0, 0.06))
    paint_spine(canvas, 0.32)
    return canvas.scene("thorax")


def _paint_lungs(canvas: Canvas) -> None:
    """Paint two lungs, objects each and as a pair, with vessels and at times a nodule or fluid."""
    rng = canvas.rng
    both = canvas.new("lung", whole=True)
    for side in (-1, 1):
        patch = canvas.depth(near(rng, (0.02, side * 0.44), (0.44, 0.32), 0.0, 0.05))
        lung = canvas.fill(patch, canvas.new("lung", parent=both))
        below = paint_lobe(canvas, lung) if chance(LOBES_SHARE, rng) else 0
        if chance(0.9, rng):
            width, distance = uniform(0.05, 0.2, rng), uniform(0.04, 0.09, rng)
            for lobe in (lung, below) if below else (lung,):
                canvas.branches("vessel_soft", lobe, width, distance)
        if chance(0.4, rng):
            size = math.exp(uniform(math.log(0.015), math.log(0.12), rng))
            place = uniform(-0.3, 0.3, rng), side * uniform(0.3, 0.65, rng)
            canvas.put("node", near(rng, place, (size, size), 0.0, 0.2))
        if chance(0.15, rng):
            canvas.put("fluid", near(rng, (0.35, side * 0.5), (0.12, 0.3), 0.0, 0.1))


def paint_lobe(canvas: Canvas, lung: int) -> int:
    """Split the lower or rear lobe off a lung along a bowed fissure, hardly seen, or thin and bright.

    Gives the lobe's label. The lung itself is then its upper lobe, or both with what lies in it.
    """
    rng, frame = canvas.rng, canvas.frame
    lean, bow = uniform(-0.8, 0.8, rng), uniform(-0.6, 0.6, rng)
    beyond = (
        frame.y - uniform(-0.15, 0.2, rng) - lean * (frame.x.abs() - 0.44) - bow * (frame.x.abs() - 0.44) ** 2
    )
    below = canvas.new("lung", parent=lung)
    mine = canvas.labels == lung
    canvas.labels.masked_fill_(mine & (beyond > 0), below)
    if chance(0.5, rng):
        fissure = canvas.new("vessel_soft", parent=lung, target=False)
        canvas.labels.masked_fill_(mine & (beyond.abs() < uniform(0.003, 0.008, rng)), fissure)
    return below


def _paint_heart(canvas: Canvas) -> None:
    """Paint the heart in its fat: muscle, two ventricles, two atria, a root of the aorta."""
    rng = canvas.rng
    heart = near(rng, (-0.1, 0.12), (0.32, 0.36), 0.4, 0.05)
    patch = canvas.depth(heart)
    canvas.back("fat", patch, -uniform(0.005, 0.03, rng))
    organ = canvas.fill(patch, canvas.new("myocardium"))
    rooms = ((-0.05, 0.28, 0.17, 0.1, 0.5), (-0.22, 0.05, 0.15, 0.11, 0.9), (-0.08, -0.1, 0.14, 0.1, 0.2))
    wide, others = uniform(0.95, 1.3, rng), Neighbours(canvas, uniform(0.0, 0.08, rng))
    placed = [  # with muscle all around, or so wide that they meet
        others.add(near(rng, (y, x), (ry * wide, rx * wide), turn, 0.1)) for y, x, ry, rx, turn in rooms
    ]
    atrium = [near(rng, (0.1, 0.1), (0.09 * wide, 0.16 * wide), 0.0, 0.1)]
    for side in (-1, 1):  # veins of the lungs run into it
        if chance(0.5, rng):
            vein = (0.1 + uniform(-0.06, 0.06, rng), 0.1 + side * uniform(0.14, 0.22, rng))
            atrium.append(near(rng, vein, (0.03, 0.1), side * uniform(-0.5, 0.5, rng), 0.15))
    placed.append(others.add(*atrium))
    septum, filled = uniform(0.002, 0.015, rng), chance(0.6, rng)
    for number in placed:
        tissue = "blood" if number in (placed[0], placed[-1]) else "blood_right"
        canvas.fill(
            others.patch(number), canvas.new(tissue, parent=organ, part=filled), above=septum, over=organ
        )
    if chance(0.4, rng):
        canvas.put("vessel", near(rng, (-0.06, 0.08), (0.07, 0.07), 0.0, 0.05))


def _paint_upper(canvas: Canvas) -> None:
    """Paint what lies above the heart: arch or ascending aorta, cava, pulmonary trunk, airways."""
    rng = canvas.rng
    canvas.back("fat", canvas.depth(near(rng, (-0.05, 0.0), (0.35, 0.16), 0.0, 0.1, LASTING)))
    if chance(0.5, rng):
        canvas.put("vessel", near(rng, (-0.02, 0.06), (0.24, 0.055), 0.25, 0.06))
    else:
        canvas.put("vessel", near(rng, (-0.15, -0.06), (0.08, 0.08), 0.0, 0.05))
        canvas.put("vessel", near(rng, (-0.1, 0.1), (0.07, 0.14), 0.3, 0.1))
    canvas.put("vein", near(rng, (-0.1, -0.17), (0.045, 0.04), 0.0, 0.05))
    apart = uniform(0.0, 0.12, rng)
    for side in (-1, 1) if apart > 0.05 else (0,):
        airway = canvas.depth(near(rng, (0.08, side * apart), (0.05, 0.05), 0.0, 0.05))
        label = canvas.fill(airway, canvas.new("wall"))
        canvas.fill(airway, canvas.new("gas", parent=label), above=0.008)
    for _ in range(whole(0, 4, rng)):
        canvas.put("node", near(rng, (uniform(-0.2, 0.15, rng), uniform(-0.15, 0.15, rng)), (0.025, 0.02)))


def short_axis(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a cut across the heart's axis within a chest that is mostly dark."""
    scale = math.exp(uniform(math.log(0.8), math.log(4.0), rng))
    move = 0.5 / scale
    centre = uniform(-move, move, rng), uniform(-move, move, rng)
    pose = Pose(scale, uniform(0, 2 * math.pi, rng), centre, chance(0.5, rng), 1.0, 0.1)
    canvas = Canvas(lay_frame(hw, pose, rng), rng)
    canvas.back("fat", canvas.depth(Lump(0.1, 0.1, 0.85, 0.95, 0.0, 0.1, True, LASTING)))
    canvas.back("muscle", canvas.depth(Lump(0.1, 0.1, 0.75, 0.85, 0.0, 0.12, True, LASTING)))
    for side in (-1, 1):
        lung = canvas.fill(
            canvas.depth(near(rng, (0.0, side * 0.5), (0.5, 0.3), 0.0, 0.1)), canvas.new("lung")
        )
        canvas.branches("vessel_soft", lung, 0.1, 0.08)
    canvas.put("liver", near(rng, (0.5, -0.2), (0.25, 0.4), 0.2, 0.1))
    if chance(0.5, rng):
        canvas.put("stool", near(rng, (0.45, 0.3), (0.15, 0.2), 0.0, 0.2))
    _paint_ventricles(canvas)
    canvas.put("vessel", near(rng, (0.2, 0.45), (0.05, 0.05), 0.0, 0.05))
    if chance(0.3, rng):  # only a disc of it is imaged
        y, x = unit_grid(hw, rng.device)
        canvas.labels.mul_(torch.hypot(y, x) < uniform(0.85, 1.05, rng) * min(hw) / max(hw))
    return canvas.scene("heart")


def _paint_ventricles(canvas: Canvas) -> None:
    """Paint a ring of muscle around the left cavity with papillary muscles, and the right's crescent."""
    rng = canvas.rng
    size = uniform(0.14, 0.24, rng)
    if chance(0.4, rng):
        canvas.back("fat", canvas.depth(Lump(0.0, -0.3 * size, 1.3 * size, 1.8 * size, 0.0, 0.1)))
    n_planes = math.exp(uniform(math.log(4), math.log(30), rng))  # of 8 to 10 mm, or thinner ones
    right = Lump(
        -0.1 * size, -0.95 * size, size, 0.9 * size, uniform(-0.4, 0.4, rng), 0.08, n_planes=n_planes
    )
    outer = canvas.depth(right)
    wall = canvas.fill(outer, canvas.new("myocardium", target=False))
    canvas.fill(outer, canvas.new("blood_right"), above=0.12 * size, over=wall)
    left = Lump(0.0, 0.0, size, size * uniform(0.85, 1.1, rng), uniform(0, 3, rng), 0.04, n_planes=n_planes)
    ring = canvas.depth(left)
    as_ring = chance(RING_SHARE, rng)
    muscle, cavity = canvas.new("myocardium", target=as_ring), canvas.new("blood")
    if not as_ring or chance(VENTRICLE_SHARE, rng):
        canvas.adopt((muscle, cavity), canvas.new("myocardium"))
    canvas.fill(ring, muscle)
    thickness = size * uniform(0.12, 0.5, rng)
    canvas.fill(_rough(canvas, ring, 0.1 * size), cavity, above=thickness)
    for _ in range(whole(0, 4, rng)):
        angle, reach = uniform(0, 2 * math.pi, rng), uniform(0.3, 0.75, rng) * size
        radius = uniform(0.06, 0.18, rng) * size
        place = near(rng, (reach * math.sin(angle), reach * math.cos(angle)), (radius, radius))
        part_of = cavity if chance(0.75, rng) else muscle
        patch = canvas.depth(place)
        canvas.fill(patch, canvas.new("myocardium", parent=part_of, target=False), over=cavity)


def _rough(canvas: Canvas, patch: Patch, size: float) -> Patch:
    """Make a cavity's wall uneven by beams of muscle of about a size, at times."""
    rng = canvas.rng
    if chance(0.5, rng) or not patch.depth.numel():
        return patch
    beams = canvas.frame.field(size, (patch.depth.shape[1], patch.depth.shape[2]), rng)
    return patch.with_depth(patch.depth - uniform(0.3, 1.2, rng) * size * beams.clamp(min=0))
