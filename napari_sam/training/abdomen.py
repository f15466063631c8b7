"""Abdomen, across the body's axis: organs of nearly equal greys with thin fat between.

Loose templates: every organ may be missing, bigger, elsewhere or turned. The liver has vessels and
lesions, kidneys have cortex, medulla and sinus, stomach and bowel a wall, fluid and gas that rises.
"""

from __future__ import annotations

import torch

from napari_sam.training.canvas import Canvas, near
from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import Lump, Patch
from napari_sam.training.trunk import paint_ribs, paint_spine, paint_walls, start_trunk


def abdomen(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a cut through the abdomen."""
    canvas = start_trunk(hw, rng)
    wall = paint_walls(canvas)
    if chance(0.75, rng):
        paint_ribs(canvas, wall)
    paint_bowel(canvas, whole(0, 14, rng))
    _paint_colon(canvas)
    if chance(0.75, rng):
        _paint_stomach(canvas)
    if chance(0.6, rng):
        canvas.lined("pancreas", near(rng, (-0.05, 0.1), (0.045, 0.24), -0.3, 0.2))
    if chance(0.85, rng):
        _paint_liver(canvas)
    if chance(0.8, rng):
        _paint_spleen(canvas)
    for side in (-1, 1):
        canvas.put("muscle", near(rng, (0.3, side * 0.2), (0.09, 0.07)))
        if chance(0.85, rng):
            paint_kidney(canvas, near(rng, (0.2, side * 0.43), (0.17, 0.12), side * 0.4, 0.06))
    paint_great_vessels(canvas)
    paint_spine(canvas)
    return canvas.scene("body")


def _paint_liver(canvas: Canvas) -> None:
    """Paint two lobes as one, with vessels, lesions and at times the gall bladder."""
    rng = canvas.rng
    if chance(0.4, rng):  # it lies against the wall, and cannot be told from its muscle by its grey
        right = canvas.depth(near(rng, (-0.06, -0.55), (0.55, 0.48), 0.2, 0.1))
    else:
        right = canvas.depth(near(rng, (-0.03, -0.45), (0.42, 0.38), 0.2, 0.1))
    left = canvas.depth(near(rng, (-0.22, -0.1), (0.2, 0.36), uniform(-0.3, 0.3, rng), 0.12))
    liver = canvas.new("liver")
    if chance(0.7, rng):
        for lobe in (right, left):
            canvas.back("fat", lobe, -uniform(0.005, 0.02, rng))
    for lobe in (left, right) if chance(0.8, rng) else (right,):
        canvas.fill(lobe, liver)
    if chance(0.3, rng):
        canvas.back("fat", canvas.depth(near(rng, (0.02, -0.15), (0.02, 0.2), 0.2)))
    if chance(0.8, rng):
        canvas.branches("vessel", liver, uniform(0.05, 0.25, rng), uniform(0.08, 0.2, rng))
    canvas.lesions(liver, right, 4, uniform(0.03, 0.16, rng))
    if chance(0.4, rng):
        canvas.lined("fluid", near(rng, (-0.05, -0.28), (0.09, 0.07), 0.5), gap=0.008)


def _paint_spleen(canvas: Canvas) -> None:
    """Paint a crescent along the left wall."""
    rng = canvas.rng
    outer = canvas.depth(near(rng, (0.05, 0.68), (0.27, 0.14), 0.2, 0.08))
    bite = canvas.depth(near(rng, (0.0, 0.52), (0.2, 0.12), 0.2))
    depth = outer.depth.new_full(canvas.labels.shape, -1.0)
    outer.of(depth).copy_(outer.depth)
    bite.of(depth).copy_(torch.minimum(bite.of(depth), -bite.depth + 0.02))
    patch = outer.with_depth(outer.of(depth))
    if chance(0.7, rng):
        canvas.back("fat", patch, -uniform(0.004, 0.02, rng))
    spleen = canvas.fill(patch, canvas.new("spleen"))
    canvas.lesions(spleen, patch, 1, 0.06)


def paint_kidney(canvas: Canvas, lump: Lump) -> None:
    """Paint a kidney: cortex around pyramids of medulla around a sinus of fat and urine."""
    patch = canvas.depth(lump)
    canvas.back("fat", patch, -uniform(0.01, 0.05, canvas.rng))
    fill_kidney(canvas, patch, lump)


def fill_kidney(canvas: Canvas, patch: Patch, lump: Lump) -> None:
    """Paint a kidney where a patch is positive; its middle is the lump's."""
    rng = canvas.rng
    kidney = canvas.fill(patch, canvas.new("cortex"))
    size = min(lump.ry, lump.rx)
    if chance(0.6, rng):
        pyramids = canvas.frame.field(0.35 * size, (patch.depth.shape[1], patch.depth.shape[2]), rng)
        inner = patch.with_depth(torch.minimum(patch.depth - 0.25 * size, 0.1 * (pyramids + 0.3)))
        canvas.fill(inner, canvas.new("medulla", parent=kidney, target=False), over=kidney)
    if chance(0.75, rng):
        inwards = -0.35 if lump.x > 0 else 0.35
        middle = Lump(lump.y, lump.x + inwards * lump.rx, lump.ry * 0.45, lump.rx * 0.55, lump.turn, 0.25)
        sinus = canvas.depth(middle)
        is_open = chance(0.5, rng)  # towards the middle: no part of the organ
        within = canvas.new("fat", parent=0 if is_open else kidney, target=False)
        canvas.fill(sinus, within, over=None if is_open else kidney)
        urine = canvas.depth(Lump(middle.y, middle.x, 0.4 * middle.ry, 0.4 * middle.rx))
        canvas.fill(urine, canvas.new("fluid", parent=within, target=False), over=within)
    canvas.lesions(kidney, patch, 1, 0.07)


def _paint_stomach(canvas: Canvas) -> None:
    """Paint a stomach with food, fluid and gas."""
    rng = canvas.rng
    lump = near(rng, (-0.22, 0.38), (0.2, 0.25), uniform(-0.6, 0.6, rng), 0.12)
    paint_hollow(canvas, lump, wall=uniform(0.01, 0.04, rng))


def paint_hollow(canvas: Canvas, lump: Lump, wall: float, filling: str = "") -> None:
    """Paint a wall around fluid, food or stool (or what is asked for), and gas above a level."""
    patch = canvas.depth(lump)
    if chance(0.7, canvas.rng):
        canvas.back("fat", patch, -uniform(0.004, 0.015, canvas.rng))
    fill_hollow(canvas, patch, lump, wall, filling)


def fill_hollow(canvas: Canvas, patch: Patch, lump: Lump, wall: float, filling: str = "") -> None:
    """Paint a hollow organ where a patch is positive; its middle and height are the lump's."""
    rng = canvas.rng
    organ = canvas.fill(patch, canvas.new("wall"))
    filling = filling or ("fluid", "stool", "contrast", "wall")[min(3, int(4.5 * uniform(0, 1, rng)))]
    inside = canvas.fill(patch, canvas.new(filling, parent=organ, target=False), above=wall)
    if filling == "stool" and chance(0.6, rng):  # mottled with gas
        bubbles = canvas.frame.field(0.04, (patch.depth.shape[1], patch.depth.shape[2]), rng)
        mottled = patch.with_depth(torch.minimum(patch.depth - wall, bubbles - uniform(0.2, 1.2, rng)))
        canvas.fill(mottled, canvas.new("gas", parent=organ, target=False), over=inside)
    if chance(0.5, rng):
        level = lump.y + uniform(-0.9, 0.9, rng) * lump.ry
        above_level = (level - patch.of(canvas.frame.y)) * 2
        gas = patch.with_depth(torch.minimum(patch.depth - wall, above_level))
        canvas.fill(gas, canvas.new("gas", parent=organ, target=False))


def paint_bowel(canvas: Canvas, n_loops: int, y: tuple[float, float] = (-0.45, 0.2)) -> None:
    """Paint loops of bowel that touch each other in fat."""
    rng = canvas.rng
    for _ in range(n_loops):
        size = uniform(0.04, 0.11, rng)
        place = uniform(*y, rng), uniform(-0.65, 0.65, rng)
        lump = near(rng, place, (size, size * uniform(1.0, 1.8, rng)), uniform(0, 3, rng), 0.2)
        paint_hollow(canvas, lump, wall=size * uniform(0.1, 0.4, rng))


def _paint_colon(canvas: Canvas) -> None:
    """Paint the colon at both sides and, at times, across the front: thin walls, stool and gas."""
    rng = canvas.rng
    across = ((-0.35, uniform(-0.3, 0.3, rng)),) if chance(0.3, rng) else ()
    for y, x in ((uniform(-0.2, 0.2, rng), -0.6), (uniform(-0.1, 0.25, rng), 0.6), *across):
        if chance(0.6, rng):
            size = uniform(0.07, 0.15, rng)
            radii = (size, size * uniform(0.8, 1.3, rng)) if abs(x) > 0.5 else (size, 2.2 * size)
            filling = "stool" if chance(0.65, rng) else "gas"
            paint_hollow(canvas, near(rng, (y, x), radii, 0.0, 0.2), uniform(0.008, 0.02, rng), filling)


def paint_great_vessels(canvas: Canvas, over: int | None = None) -> None:
    """Paint aorta and cava before the spine, smaller vessels and nodes beside them, at most over a label."""
    rng = canvas.rng
    for _ in range(whole(0, 8, rng)):
        size = uniform(0.012, 0.03, rng)
        place = uniform(-0.25, 0.25, rng), uniform(-0.35, 0.35, rng)
        stretched = near(rng, place, (size, size * uniform(1.0, 4.0, rng)), uniform(0, 3, rng))
        canvas.put("vessel" if chance(0.7, rng) else "node", stretched, over=over)
    cava = near(rng, (0.12, -0.13), (0.045, 0.06), uniform(-0.5, 0.5, rng), 0.08)
    if chance(0.85, rng):
        canvas.lined("vein", cava, gap=0.008)
    aorta = near(rng, (0.13, 0.06), (0.05, 0.05), 0.0, 0.05)
    if chance(0.9, rng):
        label, patch = canvas.lined("vessel", aorta, gap=0.008)
        if chance(0.2, rng):
            canvas.fill(patch, canvas.new("lesion_dark", target=False), over=label)
            canvas.fill(patch, canvas.new("vessel", parent=label), above=uniform(0.005, 0.02, rng))


def paint_bone(canvas: Canvas, lump: Lump) -> int:
    """Paint a shell of compact bone around marrow, as one object."""
    rng = canvas.rng
    patch = canvas.depth(lump)
    bone = canvas.fill(patch, canvas.new("compact"))
    shell = min(lump.ry, lump.rx) * uniform(0.1, 0.35, rng)
    is_part = chance(0.3, rng)
    canvas.fill(patch, canvas.new("marrow", parent=bone, target=is_part, part=is_part), above=shell)
    return bone
