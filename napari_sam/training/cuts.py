"""Bodies along their axis, joints, and lungs filled with gas that is seen alone."""

from __future__ import annotations

import math

import torch

from napari_sam.training.abdomen import paint_bone, paint_bowel, paint_hollow, paint_kidney
from napari_sam.training.canvas import Canvas, near
from napari_sam.training.fields import chance, octaves, uniform, whole
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import LASTING, Lump, Pose, lay_frame


def coronal(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a trunk from the front or from the side: lungs, liver, spleen, kidneys, bowel, bladder."""
    scale, centre = uniform(0.8, 1.1, rng), (0.0, 0.0)
    if chance(0.45, rng):
        scale, centre = uniform(1.0, 2.5, rng), (uniform(-0.5, 0.5, rng), uniform(-0.3, 0.3, rng))
    pose = Pose(scale, uniform(-0.12, 0.12, rng), centre, chance(0.4, rng), uniform(0.9, 1.2, rng), 0.12)
    canvas = Canvas(lay_frame(hw, pose, rng), rng)
    trunk = canvas.depth(Lump(0.0, 0.0, 1.6, uniform(0.55, 0.72, rng), 0.0, 0.03, True, LASTING))
    fat = uniform(0.02, 0.12, rng)
    canvas.back("fat", trunk)
    canvas.back("muscle", trunk, fat)
    canvas.back("fat", trunk, fat + uniform(0.02, 0.06, rng))
    canvas.body = torch.zeros_like(canvas.labels, dtype=torch.bool)
    trunk.of(canvas.body).copy_(trunk.depth > fat)
    both = canvas.new("lung", whole=True)
    for side in (-1, 1):
        lung = canvas.fill(
            canvas.depth(near(rng, (-0.65, side * 0.3), (0.4, 0.22), 0.0, 0.06)),
            canvas.new("lung", parent=both),
        )
        canvas.branches("vessel_soft", lung, uniform(0.05, 0.15, rng), 0.07)
    canvas.lined("blood", near(rng, (-0.45, 0.08), (0.17, 0.19), 0.4, 0.06))
    _paint_belly(canvas)
    if chance(0.6, rng):
        _paint_column(canvas)
    return canvas.scene("body")


def _paint_belly(canvas: Canvas) -> None:
    """Paint what lies under the diaphragm."""
    rng = canvas.rng
    paint_bowel(canvas, whole(2, 14, rng), (0.2, 0.8))
    if chance(0.6, rng):
        paint_hollow(canvas, near(rng, (-0.12, 0.22), (0.17, 0.14), 0.5, 0.15), wall=uniform(0.01, 0.04, rng))
    liver, patch = canvas.lined("liver", near(rng, (-0.12, -0.24), (0.26, 0.3), 0.4, 0.1))
    canvas.branches("vessel", liver, uniform(0.05, 0.2, rng), 0.1)
    canvas.lesions(liver, patch, 3, uniform(0.03, 0.1, rng))
    canvas.lined("spleen", near(rng, (-0.08, 0.46), (0.17, 0.09), -0.2, 0.1))
    for side in (-1, 1):
        if chance(0.8, rng):
            paint_kidney(canvas, near(rng, (0.2, side * 0.3), (0.18, 0.09), -side * 0.25, 0.06))
        if chance(0.6, rng):
            canvas.lined("muscle", near(rng, (0.4, side * 0.15), (0.32, 0.07), -side * 0.25, 0.06))
        if chance(0.6, rng):
            paint_bone(canvas, near(rng, (0.72, side * 0.4), (0.26, 0.05), -side * 0.5, 0.15))
    if chance(0.7, rng):
        canvas.lined("fluid", near(rng, (0.9, 0.0), (0.12, 0.16), 0.0, 0.08))
    if chance(0.5, rng):
        canvas.put("vessel", near(rng, (0.1, 0.04), (0.5, 0.035), 0.0, 0.1))


def _paint_column(canvas: Canvas) -> None:
    """Paint vertebrae and discs up and down the middle."""
    rng = canvas.rng
    height, width = uniform(0.1, 0.15, rng), uniform(0.07, 0.11, rng)
    lasts = None if chance(0.3, rng) else LASTING
    for index in range(int(2.0 / height)):
        y = -1.0 + index * height
        canvas.put("disc", Lump(y + height / 2, 0.0, 0.15 * height, 0.9 * width, 0.0, 0.05, True, lasts))
        paint_bone(canvas, Lump(y, 0.0, 0.38 * height, width, 0.0, 0.05, True, lasts))


def joint(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a joint: two bones' ends with cartilage, discs of fibre, fluid, muscles and fat around."""
    turn = uniform(-0.4, 0.4, rng) + (math.pi / 2 if chance(0.3, rng) else 0.0)
    pose = Pose(uniform(0.8, 2.2, rng), turn, (uniform(-0.2, 0.2, rng), 0.0), chance(0.5, rng), 1.0, 0.15)
    canvas = Canvas(lay_frame(hw, pose, rng), rng)
    limb = canvas.depth(Lump(0, 0, 1.7, uniform(0.7, 0.95, rng), 0.0, 0.06, True, LASTING))
    canvas.back("fat", limb)
    canvas.back("muscle", limb, uniform(0.05, 0.2, rng))
    for _ in range(whole(2, 6, rng)):
        place = uniform(-0.9, 0.9, rng), uniform(-0.7, 0.7, rng)
        canvas.lined("muscle", near(rng, place, (0.4, 0.12), 0.0, 0.1), gap=0.02)
    canvas.back("fluid", canvas.depth(near(rng, (0.0, 0.0), (0.22, 0.5), 0.0, 0.2)))
    width = uniform(0.35, 0.5, rng)
    for end in (-1, 1):
        bone = canvas.new("compact")
        shaft = canvas.depth(Lump(end * 1.0, 0.0, 0.75, 0.6 * width, 0.0, 0.03, True, LASTING))
        knobs = [Lump(end * 0.3, side * 0.5 * width, 0.27, 0.55 * width, 0.0, 0.05) for side in (-1, 1)]
        heads = [canvas.depth(knob) for knob in knobs]
        for head in heads:
            canvas.fill(head, canvas.new("cartilage"), above=-uniform(0.01, 0.035, rng))
        parts = [shaft, *heads]
        for part in parts:
            canvas.fill(part, bone)
        marrow = canvas.new("marrow", parent=bone, target=False)
        for part in parts:
            canvas.fill(part, marrow, above=uniform(0.008, 0.02, rng))
    for side in (-1, 1):
        canvas.put("disc", near(rng, (0.0, side * 0.75 * width), (0.035, 0.14), 0.0, 0.1))
    if chance(0.5, rng):
        paint_bone(canvas, near(rng, (-0.35, 0.65), (0.2, 0.08), 0.0, 0.08))
    return canvas.scene("joint")


def gas_lungs(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw lungs that breathe a bright gas: nothing else is seen, and parts may be dark."""
    pose = Pose(
        uniform(0.8, 1.3, rng), uniform(-0.15, 0.15, rng), (0, 0), False, 1.0, uniform(0.05, 0.2, rng)
    )
    canvas = Canvas(lay_frame(hw, pose, rng), rng)
    both = canvas.new("gas", whole=True)
    light = torch.zeros_like(canvas.frame.y)
    texture = octaves(hw, uniform(6, 40, rng), 3, rng) * uniform(0.05, 0.45, rng)
    for side in (-1, 1):
        patch = canvas.depth(near(rng, (0.0, side * 0.4), (0.62, 0.28), -side * 0.08, 0.08))
        floor = 0.45 + 0.5 * (patch.of(canvas.frame.x) - side * 0.4) ** 2 - patch.of(canvas.frame.y)
        lung = patch.with_depth(torch.minimum(patch.depth, floor))
        canvas.fill(lung, canvas.new("gas", parent=both))
        bright = torch.sigmoid(lung.depth / uniform(0.006, 0.02, rng)) * uniform(0.5, 1.0, rng)
        patch.of(light).copy_(torch.maximum(patch.of(light), bright))
    light = light * (1 + texture).clamp(min=0.2) * torch.exp(0.3 * canvas.frame.noise.of(0, rng)[0])
    amount = uniform(0.01, 0.1, rng)
    noise = torch.randn(2, *light.shape, generator=rng, device=rng.device) * amount
    grey = torch.sqrt((light + noise[0]) ** 2 + noise[1] ** 2) * uniform(0.6, 1.1, rng)
    return canvas.scene("gas", grey.clamp(0, 1).unsqueeze(1).expand(-1, 3, -1, -1))
