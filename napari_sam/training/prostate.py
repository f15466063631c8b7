"""The prostate close by: bright outer and mottled inner zone, between bladder, rectum and muscles."""

from __future__ import annotations

import math

import torch

from napari_sam.training.abdomen import paint_bone, paint_hollow
from napari_sam.training.canvas import Canvas, near
from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import LASTING, Lump, Patch, Pose, lay_frame


def prostate(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a cut across a small pelvis, down is its back; half the longer side is about 7 cm."""
    scale = math.exp(uniform(math.log(0.75), math.log(2.0), rng))
    pose = Pose(scale, uniform(-0.1, 0.1, rng), (0.0, 0.0), chance(0.5, rng), uniform(0.85, 1.15, rng), 0.12)
    canvas = Canvas(lay_frame(hw, pose, rng), rng)
    canvas.back("fat", canvas.depth(Lump(0.0, 0.0, 1.9, 1.9, 0.0, 0.0, True, LASTING)))
    for side in (-1, 1):
        paint_bone(canvas, near(rng, (-0.45, side * 0.45), (0.14, 0.4), side * 0.5, 0.1, LASTING))
        canvas.lined("muscle", near(rng, (0.0, side * 0.68), (0.45, 0.13), -side * 0.2, 0.1))
        canvas.lined("muscle", near(rng, (0.62, side * 0.6), (0.25, 0.4), -side * 0.4, 0.1))
        levator = near(rng, (0.25, side * 0.36), (0.32, 0.035), -side * 0.15, 0.15)
        canvas.put("muscle", levator, target=False)
    if chance(0.6, rng):  # veins before and beside it
        canvas.branches("vein", 1, uniform(0.05, 0.2, rng), 0.06)
    paint_hollow(canvas, near(rng, (0.52, 0.0), (0.16, 0.18), 0.0, 0.12), uniform(0.02, 0.06, rng))
    if chance(0.4, rng):
        canvas.lined("fluid", near(rng, (-0.3, 0.0), (0.18, 0.26), 0.0, 0.1))
    if chance(0.3, rng):
        for side in (-1, 1):
            canvas.put("fluid", near(rng, (0.3, side * 0.2), (0.06, 0.17), side * 0.3, 0.3))
    _paint_gland(canvas)
    return canvas.scene("prostate")


def _paint_gland(canvas: Canvas) -> None:
    """Paint a gland with a capsule, a crescent behind and a nodular zone in front: parts, and one whole."""
    rng = canvas.rng
    size = uniform(0.18, 0.36, rng)
    n_planes = math.exp(uniform(math.log(5), math.log(30), rng))
    lump = near(rng, (0.02, 0.0), (size * uniform(0.75, 1.0, rng), size), 0.0, 0.06, n_planes)
    patch = canvas.depth(lump)
    if chance(0.6, rng):
        canvas.back("muscle", patch, -uniform(0.008, 0.02, rng))
    gland = canvas.new("zone", whole=True)
    in_zones = chance(0.7, rng)
    outer = canvas.fill(patch, canvas.new("zone", parent=gland, target=in_zones, part=True))
    middle = Lump(lump.y - size * uniform(0.1, 0.35, rng), lump.x, 0.72 * lump.ry, 0.75 * lump.rx, 0.0, 0.1)
    inner = canvas.depth(middle)
    inner = inner.with_depth(torch.minimum(inner.depth, _depth_in(canvas, patch, inner) - 0.05 * size))
    zone = canvas.new("gland", parent=gland, target=in_zones, part=True)
    canvas.fill(inner, zone)
    for _ in range(whole(0, 7, rng)):
        radius = size * uniform(0.08, 0.3, rng)
        place = middle.y + uniform(-0.5, 0.5, rng) * size, middle.x + uniform(-0.5, 0.5, rng) * size
        tissue = ("zone", "muscle", "lesion_bright", "gland")[whole(0, 3, rng)]
        nodule = canvas.depth(near(rng, place, (radius, radius), 0.0, 0.15))
        rim = canvas.fill(nodule, canvas.new("muscle", parent=zone, target=False), over=zone)
        canvas.fill(nodule, canvas.new(tissue, parent=rim, target=False), above=0.15 * radius, over=rim)
    if chance(0.3, rng):
        place = lump.y + 0.6 * lump.ry, lump.x + uniform(-0.6, 0.6, rng) * lump.rx
        lesion = canvas.new("lesion_dark", parent=outer, part=True)
        at = near(rng, place, (0.2 * size, 0.25 * size), 0.0, 0.2)
        canvas.fill(canvas.depth(at), lesion, over=outer)


def _depth_in(canvas: Canvas, patch: Patch, other: Patch) -> torch.Tensor:
    """Give a patch's field in the window of another one, negative where it has none."""
    everywhere = torch.full_like(canvas.frame.y, -1.0)
    patch.of(everywhere).copy_(patch.depth)
    return other.of(everywhere)
