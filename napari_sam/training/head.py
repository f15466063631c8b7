"""Head and brain: with or without skull, whole or a small part of it, in any direction of cutting.

Scalp, skull and fluid around folded grey matter over white matter, ventricles, deep nuclei, small
grey bodies like the hippocampus, lesions bright or dark with or without a rim.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from napari_sam.training.canvas import Canvas, near
from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.folds import paint_even_folds
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import LASTING, Lump, Patch, Pose, lay_frame

EVEN_SHARE = 0.7
"""How often the ribbon of grey matter is equally thick everywhere; else it is anything."""


def brain(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a cut through a head or a skull-stripped brain, at times only a small part of it."""
    scale, centre = uniform(0.8, 1.1, rng), (0.0, 0.0)
    if chance(0.35, rng):
        scale = math.exp(uniform(math.log(1.5), math.log(6.0), rng))
        centre = uniform(-0.4, 0.4, rng), uniform(-0.45, 0.45, rng)
    turn = uniform(-0.2, 0.2, rng) + (whole(0, 3, rng) * math.pi / 2 if chance(0.3, rng) else 0.0)
    pose = Pose(scale, turn, centre, chance(0.5, rng), uniform(0.9, 1.1, rng), uniform(0.02, 0.1, rng))
    canvas = Canvas(lay_frame(hw, pose, rng), rng)
    across = uniform(0.68, 0.9, rng)
    surface = _paint_skull(canvas, Lump(0.0, 0.0, 0.92, across, 0.0, 0.03, chance(0.2, rng), LASTING))
    whole_brain = _paint_brain(canvas, surface, across)
    before = len(canvas.tissues)
    _paint_ventricles(canvas)
    _paint_nuclei(canvas)
    _paint_lesions(canvas)
    canvas.adopt(range(before, len(canvas.tissues)), whole_brain)  # which has no holes
    return canvas.scene("brain")


def _paint_skull(canvas: Canvas, head: Lump) -> Patch:
    """Paint scalp, bone and fluid, or none of them; gives the brain's depth."""
    rng = canvas.rng
    if chance(0.2, rng):  # at times close to the top of the head
        head = replace(head, n_planes=None)
    if chance(0.4, rng):
        patch = canvas.depth(replace(head, ry=0.9 * head.ry, rx=0.9 * head.rx, wobble=0.04))
        canvas.back("csf" if chance(0.4, rng) else "air", patch)
        return patch.with_depth(patch.depth - 0.01)
    outer = canvas.depth(head)
    canvas.back("skin", outer)
    canvas.back("fat", outer, 0.01)
    skull = uniform(0.03, 0.07, rng)
    bone = canvas.fill(outer, canvas.new("compact"), above=skull)
    thickness = uniform(0.03, 0.07, rng)
    canvas.fill(outer, canvas.new("marrow", parent=bone, target=False), above=skull + thickness * 0.3)
    canvas.fill(outer, canvas.new("compact", parent=bone, target=False), above=skull + thickness * 0.7)
    inside = skull + thickness
    canvas.back("csf", outer, inside)
    return outer.with_depth(outer.depth - inside - uniform(0.005, 0.03, rng))


def _paint_brain(canvas: Canvas, surface: Patch, across: float) -> int:
    """Paint folded grey over white matter and the cerebellum; gives the brain's label."""
    rng = canvas.rng
    fold = paint_even_folds if chance(EVEN_SHARE, rng) else _paint_uneven_folds
    brain = fold(canvas, surface)
    if chance(0.3, rng):  # cerebellum: finer leaves
        at = near(rng, (0.62, 0.0), (0.24, 0.5 * across), 0.0, 0.06)
        patch = canvas.depth(at)
        canvas.back("csf", patch, -0.02)
        leaves = canvas.fill(patch, canvas.new("grey", parent=brain))
        canvas.branches("white", leaves, 0.5, 0.04)
    limit = torch.zeros_like(canvas.labels, dtype=torch.bool)
    surface.of(limit).copy_(surface.depth > 0)
    canvas.limit = limit
    canvas.labels.masked_fill_(limit & (canvas.labels == 0), brain)
    return brain


def _paint_uneven_folds(canvas: Canvas, surface: Patch) -> int:
    """Paint white matter under a folded ribbon of grey of any thickness; gives the brain's label."""
    rng, frame = canvas.rng, canvas.frame
    inside = surface.depth > 0
    hw = (inside.shape[1], inside.shape[2])
    folds = frame.field(uniform(0.05, 0.11, rng), hw, rng)
    fade = 1 - (surface.depth / uniform(0.18, 0.5, rng)).clamp(0, 1)
    middle = surface.of(frame.x).abs() / (0.012 + 0.1 * uniform(0, 1, rng) ** 3)
    furrow = torch.minimum(folds.abs() / (0.02 + fade), middle * 0.6 + 0.1)
    sulcus, ribbon = uniform(0.02, 0.25, rng), uniform(0.35, 0.9, rng)
    brain = canvas.new("white", whole=True)
    canvas.fill(surface, canvas.new("white", parent=brain, whole=True))
    grey = canvas.new("grey", parent=brain, whole=True)
    shell = surface.depth - uniform(0.02, 0.06, rng)
    ribbon_depth = torch.maximum(ribbon * (fade > 0) - furrow, -shell)
    canvas.fill(surface.with_depth(torch.where(inside, ribbon_depth, -1.0)), grey)
    canvas.fill(
        surface.with_depth(torch.where(inside, sulcus - furrow, -1.0)),
        canvas.new("csf", parent=brain if chance(0.5, rng) else 0, target=False),
    )
    return brain


def _paint_ventricles(canvas: Canvas) -> None:
    """Paint two horns and the third ventricle, one object in pieces."""
    rng = canvas.rng
    if chance(0.15, rng):
        return
    size = uniform(0.5, 1.6, rng)
    ventricles = canvas.new("csf", whole=True)
    for side in (-1, 1):
        front = near(rng, (-0.25, side * 0.1), (0.16, 0.05 * size), -side * 0.25, 0.12)
        back = near(rng, (0.25, side * 0.17), (0.2, 0.05 * size), side * 0.35, 0.12)
        for horn in (front, back):
            canvas.fill(canvas.depth(horn), ventricles)
    if chance(0.6, rng):
        canvas.put("csf", near(rng, (0.02, 0.0), (0.12, 0.018 * size)))


def _paint_nuclei(canvas: Canvas) -> None:
    """Paint caudate, putamen, thalamus and a small grey body in pairs, and the stem."""
    rng = canvas.rng
    places = (
        ("deep", (-0.2, 0.17), (0.12, 0.05), 0.2, 0.7),
        ("deep", (-0.05, 0.3), (0.18, 0.06), -0.25, 0.7),
        ("deep", (0.1, 0.12), (0.14, 0.09), 0.4, 0.7),
        ("grey", (0.22, 0.33), (0.05, 0.11), 0.4, 0.8),
        ("grey", (0.1, 0.36), (0.06, 0.05), 0.0, 0.4),
    )
    for tissue, (y, x), radii, turn, share in places:
        if not chance(share, rng):
            continue
        for side in (-1, 1):
            lump = near(rng, (y, side * x), radii, side * turn, 0.2)
            if tissue == "grey" and chance(0.7, rng):  # the hippocampus lies between fluid and white matter
                patch = canvas.depth(lump)
                canvas.back("white", patch, -0.025)
                canvas.put("csf", near(rng, (y - 0.05, side * (x + 0.06)), (0.03, 0.07)), target=False)
                canvas.fill(patch, canvas.new("grey"))
            else:
                canvas.put(tissue, lump)
    if chance(0.3, rng):
        canvas.lined("stem", near(rng, (0.35, 0.0), (0.13, 0.14), 0.0, 0.08), "csf")


def _paint_lesions(canvas: Canvas) -> None:
    """Paint a tumour with core, rim and swelling, or many small spots in the white matter."""
    rng = canvas.rng
    place = uniform(-0.5, 0.5, rng), uniform(-0.45, 0.45, rng)
    if chance(0.45, rng):
        size = math.exp(uniform(math.log(0.04), math.log(0.25), rng))
        lump = near(rng, place, (size, size), uniform(0, 3, rng), 0.25)
        around = 0
        if chance(0.5, rng):  # with what is in it, or without
            swelling = Lump(lump.y, lump.x, 1.5 * lump.ry, 1.5 * lump.rx, 0.0, 0.4, n_planes=60.0)
            around = canvas.put("lesion_dark" if chance(0.6, rng) else "lesion_bright", swelling)
        patch = canvas.depth(lump)
        tissue = "lesion_bright" if chance(0.75, rng) else "lesion_dark"
        tumour = canvas.new(tissue, parent=around, part=chance(0.6, rng))
        canvas.fill(patch, tumour)
        if chance(0.6, rng):
            canvas.core(patch, tumour, size * uniform(0.12, 0.5, rng))
    if chance(0.35, rng):
        for _ in range(whole(2, 12, rng)):
            size = uniform(0.015, 0.05, rng)
            at = uniform(-0.5, 0.5, rng), uniform(-0.4, 0.4, rng)
            if chance(0.5, rng):  # beside the ventricles
                at = uniform(-0.45, 0.45, rng), (1 if chance(0.5, rng) else -1) * uniform(0.1, 0.25, rng)
            canvas.put("lesion_bright", near(rng, at, (size, size * 1.5), uniform(0, 3, rng), 0.3))
