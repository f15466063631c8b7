"""Pelvis, across the body's axis: hip bones with layers of muscle, femurs, bladder, gland and rectum.

High up, the gluteal muscles lie around the iliac bone like leaves, with little fat between; low down,
the femur is one bone of head, neck and trochanter.
"""

from __future__ import annotations

import torch

from napari_sam.training.abdomen import paint_bone, paint_bowel, paint_hollow
from napari_sam.training.canvas import Canvas, near
from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import LASTING, Lump
from napari_sam.training.trunk import paint_walls, start_trunk

LEAVES = ((0.05, 0.1, 0.6), (0.13, 0.15, 0.85), (0.16, 0.85, 0.65))
"""Thickness, middle and half width (radians from the side towards the back) of the three gluteal muscles."""


def pelvis(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a cut through the pelvis."""
    canvas = start_trunk(hw, rng)
    paint_walls(canvas)
    paint_bowel(canvas, whole(0, 6, rng), (-0.4, 0.0))
    low = chance(0.5, rng)
    for side in (-1, 1):
        canvas.limit = None
        if low:
            _paint_hip_joint(canvas, side)
        else:
            _paint_wing(canvas, side)
    paint_bone(canvas, near(rng, (0.42, 0.0), (0.06, 0.1 if low else 0.22), 0.0, 0.2))
    _paint_bladder(canvas)
    if chance(0.7, rng):
        canvas.lined("gland", near(rng, (0.05, 0.0), (0.1, 0.13), 0.0, 0.1))
    if chance(0.8, rng):
        paint_hollow(canvas, near(rng, (0.24, 0.0), (0.09, 0.08)), wall=0.02)
    for side in (-1, 1):
        for _ in range(whole(1, 3, rng)):
            canvas.put("vessel", near(rng, (-0.2, side * 0.4), (0.028, 0.028), 0.0, 0.05))
    return canvas.scene("body")


def _paint_bladder(canvas: Canvas) -> None:
    """Paint a bladder: urine in a thin or thick wall, contrast medium that sinks to the back at times."""
    rng = canvas.rng
    lump = near(rng, (-0.2, 0.0), (0.18, 0.22), 0.0, 0.08)
    bladder, patch = canvas.lined("wall" if chance(0.5, rng) else "fluid", lump)
    wall = uniform(0.006, 0.03, rng)
    canvas.fill(patch, canvas.new("fluid", parent=bladder, target=False), above=wall)
    if chance(0.25, rng):
        below = patch.of(canvas.frame.y) - lump.y - uniform(-0.5, 0.6, rng) * lump.ry
        sunk = patch.with_depth(torch.minimum(patch.depth - wall, below))
        canvas.fill(sunk, canvas.new("contrast", parent=bladder, target=False))


def _paint_hip_joint(canvas: Canvas, side: int) -> None:
    """Paint the femur's upper end in its socket, the ischium, and muscles before and behind."""
    rng = canvas.rng
    canvas.lined("muscle", near(rng, (0.38, side * 0.42), (0.16, 0.32), -side * 0.3, 0.1, LASTING))
    canvas.lined("muscle", near(rng, (-0.2, side * 0.55), (0.16, 0.14), 0.0, 0.1))
    canvas.lined("muscle", near(rng, (-0.1, side * 0.38), (0.09, 0.11), 0.0, 0.1))
    paint_bone(canvas, near(rng, (0.05, side * 0.4), (0.2, 0.045), side * 0.2, 0.15))
    head = near(rng, (0.02, side * 0.55), (0.11, 0.11), 0.0, 0.05, LASTING)
    lumps = [head]
    if chance(0.6, rng):
        drop = uniform(-0.02, 0.12, rng)
        neck = Lump(head.y + drop / 2, head.x + side * 0.12, 0.07, 0.16, side * drop, 0.05, n_planes=LASTING)
        end = (uniform(0.07, 0.12, rng), uniform(0.05, 0.08, rng))
        lumps += [neck, Lump(head.y + drop, head.x + side * 0.25, *end, 0.0, 0.1, n_planes=LASTING)]
    patches = [canvas.depth(lump) for lump in lumps]
    bone, shell = canvas.new("compact"), uniform(0.01, 0.03, rng)
    for patch in patches:
        canvas.fill(patch, bone)
    marrow = canvas.new("marrow", parent=bone, target=False)
    for patch in patches:
        canvas.fill(patch, marrow, above=shell)


def _paint_wing(canvas: Canvas, side: int) -> None:
    """Paint the iliac bone, a bowed plate, three leaves of muscle on it, and the muscle within."""
    rng, frame = canvas.rng, canvas.frame
    canvas.lined("muscle", near(rng, (0.0, side * 0.36), (0.15, 0.09), side * 0.4, 0.1, LASTING))
    around = canvas.depth(Lump(0.05, 0.0, 0.62, 0.85, 0.0, 0.04, n_planes=LASTING))
    y, x = around.of(frame.y) - 0.05, side * around.of(frame.x)
    out = torch.where(x > 0, uniform(0.24, 0.32, rng) - around.depth, -1.0)
    angle = torch.atan2(y, x)
    plate = uniform(0.03, 0.07, rng) * (1 - ((angle - 0.3) / uniform(0.6, 0.9, rng)) ** 2).clamp(min=0)
    bone = around.with_depth(torch.minimum(out, plate - out))
    label = canvas.fill(bone, canvas.new("compact"))
    canvas.fill(bone, canvas.new("marrow", parent=label, target=False), above=uniform(0.005, 0.012, rng))
    below, gap = plate, uniform(0.003, 0.015, rng)
    for thickness, middle, half in LEAVES:
        away = (angle - middle - uniform(-0.15, 0.15, rng)) / (half * uniform(0.8, 1.2, rng))
        leaf = uniform(0.7, 1.3, rng) * thickness * (1 - away**2).clamp(min=0)
        low = below + gap
        canvas.fill(around.with_depth(torch.minimum(out - low, low + leaf - out)), canvas.new("muscle"))
        below = torch.where(leaf > 0, low + leaf, below)
