"""Spine along its axis, or across it close by: cord in fluid, vertebrae, discs, muscles and fat."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_sam.training.canvas import Canvas, near
from napari_sam.training.fields import chance, uniform
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import LASTING, Lump, Patch, Pose, lay_frame

ENDING_SHARE = 0.4
"""How often the planes lie near the column's side, where vertebrae and discs end or begin."""


def spine(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw vertebrae one over the other with discs between and the canal behind them."""
    turn = uniform(-0.3, 0.3, rng) + (math.pi / 2 if chance(0.2, rng) else 0.0)
    scale = math.exp(uniform(math.log(0.7), math.log(2.5), rng))
    centre = uniform(-0.5, 0.5, rng), uniform(-0.2, 0.35, rng)
    pose = Pose(scale, turn, centre, chance(0.5, rng), 1.0, uniform(0.1, 0.3, rng))
    canvas = Canvas(lay_frame(hw, pose, rng), rng)
    bow = uniform(-0.2, 0.2, rng)
    x = canvas.frame.x + bow * canvas.frame.y**2
    _band(canvas, "fat", 0.95 - x)
    _band(canvas, "muscle", uniform(0.6, 0.85, rng) - x)
    _band(canvas, "wall", -0.25 - x)
    for at in (-0.6, -0.35):
        if chance(0.5, rng):
            _band(canvas, "vessel", uniform(0.04, 0.1, rng) - (x - at).abs(), target=True)
    front, width = uniform(-0.2, -0.15, rng), uniform(0.28, 0.4, rng)
    _paint_column(canvas, bow, front, width)
    _paint_canal(canvas, x, front + width + 0.03)
    return canvas.scene("spine")


def _paint_canal(canvas: Canvas, x: Tensor, behind: float) -> None:
    """Paint the canal: bone, fluid, and the cord, at times with a lesion."""
    rng = canvas.rng
    canal, cord = uniform(0.09, 0.16, rng), uniform(0.03, 0.07, rng)
    middle = x - behind - canal / 2
    _band(canvas, "compact", canal / 2 + 0.02 - middle.abs())
    fluid = _band(canvas, "csf", canal / 2 - middle.abs(), target=True)
    if not chance(0.9, rng):
        return
    shift = uniform(-0.4, 0.4, rng) * (canal / 2 - cord)
    half = torch.full((2, 1, 1), cord, device=x.device)
    if chance(0.3, rng):  # cut near its side: thinner in the second plane, or gone
        half[1] *= uniform(-0.6, 1.0, rng)
    label = _band(canvas, "cord", half - (middle - shift).abs(), target=True)
    canvas.adopt((label,), fluid)
    if chance(0.2, rng):
        at = Lump(uniform(-0.8, 0.8, rng), behind + canal / 2 + shift, uniform(0.03, 0.15, rng), 0.5 * cord)
        canvas.put("lesion_bright", at, over=label)


def _band(canvas: Canvas, tissue: str, depth: Tensor, *, target: bool = False) -> int:
    """Paint where a field over the whole picture is positive."""
    hw = canvas.frame.hw
    return canvas.fill(Patch(slice(0, hw[0]), slice(0, hw[1]), depth), canvas.new(tissue, target=target))


def _paint_column(canvas: Canvas, bow: float, front: float, width: float) -> None:
    """Paint vertebral bodies with shells and discs, and the spinous processes behind."""
    rng = canvas.rng
    height = uniform(0.24, 0.42, rng)
    start = -2.2 + uniform(0, height, rng)
    process = uniform(0.6, 0.9, rng) * height / 2
    lasts = None if chance(ENDING_SHARE, rng) else LASTING
    disc_share = uniform(0.12, 0.3, rng)
    for index in range(int(4.4 / height)):
        y = start + index * height
        middle = front + width / 2 - bow * y * y
        half = height * (1 - disc_share) / 2
        disc = Lump(
            y + height / 2, middle, height * disc_share * 0.5, width * 0.47, -2 * bow * y, 0.1, True, lasts
        )
        canvas.put("disc", disc)
        body = Lump(y, middle, half, width / 2, -2 * bow * y + uniform(-0.06, 0.06, rng), 0.04, True, lasts)
        patch = canvas.depth(body)
        bone = canvas.fill(patch, canvas.new("compact"))
        canvas.fill(patch, canvas.new("marrow", parent=bone, target=False), above=uniform(0.008, 0.02, rng))
        canvas.put(
            "marrow",
            near(rng, (y + 0.3 * height, middle + width / 2 + 0.42), (process * 0.5, 0.16), 0.3, 0.1),
        )


def cord(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw the cord cut across, close by: a grey butterfly in white matter in fluid, bone and muscle."""
    scale = math.exp(uniform(math.log(1.0), math.log(3.5), rng))
    centre = uniform(-0.1, 0.1, rng), uniform(-0.1, 0.1, rng)
    pose = Pose(scale, uniform(-0.2, 0.2, rng), centre, chance(0.5, rng), uniform(0.9, 1.2, rng), 0.15)
    canvas = Canvas(lay_frame(hw, pose, rng), rng)
    canvas.back("muscle", canvas.depth(Lump(0.0, 0.0, 2.5, 2.5, 0.0, 0.1, True, LASTING)))
    canvas.branches("fat", 1, uniform(0.1, 0.3, rng), 0.15)
    for y, x in ((-0.5, 0.55), (-0.5, -0.55), (0.7, 0.35), (0.7, -0.35)):
        canvas.put("muscle" if y > 0 else "vessel", near(rng, (y, x), (0.2, 0.2) if y > 0 else (0.07, 0.07)))
    canvas.back("compact", canvas.depth(near(rng, (0.0, 0.0), (0.34, 0.4), 0.0, 0.15, LASTING)))
    body = canvas.depth(near(rng, (-0.5, 0.0), (0.3, 0.42), 0.0, 0.06, LASTING))
    bone = canvas.fill(body, canvas.new("compact"))
    canvas.fill(body, canvas.new("marrow", parent=bone, target=False), above=0.03)
    size, wide = uniform(0.12, 0.2, rng), uniform(1.0, 1.9, rng)
    around = size * uniform(1.05, 1.6, rng), size * wide * uniform(1.05, 1.4, rng)
    sac = Lump(uniform(-0.2, 0.35, rng) * size, 0.0, *around, 0.0, 0.05)
    fluid = canvas.fill(canvas.depth(sac), canvas.new("csf"))
    patch = canvas.depth(
        Lump(uniform(-0.03, 0.03, rng), 0.0, size * 0.8, size * 0.8 * wide, 0.0, 0.04, n_planes=LASTING)
    )
    label = canvas.fill(patch, canvas.new("cord", parent=fluid))
    _paint_butterfly(canvas, label, size, wide)
    return canvas.scene("spine")


def _paint_butterfly(canvas: Canvas, label: int, size: float, wide: float) -> None:
    """Paint grey matter in the cord: stout horns in front, thin ones behind, and a bridge, one object."""
    rng = canvas.rng
    butterfly = canvas.new("cord_grey", parent=label, whole=True)
    thick, apart = uniform(0.08, 0.16, rng) * size, uniform(0.22, 0.36, rng) * size * wide
    for side in (-1, 1):
        for y, turn, share in ((-0.22, -0.35, 1.3), (0.25, 0.35, 0.7)):
            lean = -side * turn * uniform(0.3, 1.6, rng)
            horn = Lump(y * size, side * apart, 0.38 * size, thick * share, lean, 0.1)
            canvas.fill(canvas.depth(horn), butterfly, over=label)
    canvas.fill(canvas.depth(Lump(0.0, 0.0, 0.7 * thick, 1.1 * apart)), butterfly, over=label)
