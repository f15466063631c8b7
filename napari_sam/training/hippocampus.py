"""Close crops of the hippocampus: two parts of one grey, head and the rest, that only anatomy separates.

Such crops are 30 to 60 voxels wide. Along it the hippocampus is a bent club, across it an oval;
amygdala and cortex touch it and look alike, fluid and white matter lie beside it.
"""

from __future__ import annotations

import math

import torch

from napari_sam.training.canvas import Canvas, near
from napari_sam.training.fields import chance, uniform
from napari_sam.training.scene import Scene
from napari_sam.training.shapes import LASTING, Lump, Patch, Pose, lay_frame


def hippocampus(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a crop around a hippocampus, along or across it; half the crop's longer side is 1."""
    turn = uniform(-0.5, 0.5, rng) + (math.pi / 2 if hw[0] > hw[1] else 0.0)
    centre = uniform(-0.15, 0.15, rng), uniform(-0.15, 0.15, rng)
    pose = Pose(uniform(0.8, 1.25, rng), turn, centre, chance(0.5, rng), uniform(0.85, 1.2, rng), 0.15)
    canvas = Canvas(lay_frame(hw, pose, rng), rng)
    along = chance(0.65, rng)
    _paint_around(canvas)
    lumps = _club(rng) if along else [near(rng, (0.0, 0.0), (0.2, 0.33), 0.0, 0.12)]
    patch = _together(canvas, lumps)
    if chance(0.6, rng):  # fibres around it
        canvas.back("white", patch, -uniform(0.03, 0.08, rng))
    for _ in (0, 1):  # fluid beside it, which its outline cuts
        place = uniform(-0.5, 0.1, rng), uniform(-0.7, 0.7, rng)
        canvas.put("csf", near(rng, place, (0.1, 0.3), uniform(-0.5, 0.5, rng), 0.2), target=False)
    if chance(0.6, rng):  # the amygdala before its head
        touching = uniform(-0.02, 0.06, rng)
        at = near(rng, (-0.1, -0.85 - touching), (0.28, 0.3), 0.0, 0.15)
        canvas.fill(canvas.depth(at), canvas.new("grey"))
    _paint_parts(canvas, patch, along)
    return canvas.scene("brain")


def _paint_around(canvas: Canvas) -> None:
    """Paint white matter with bands of cortex, and at times fluid on one side."""
    rng = canvas.rng
    everywhere = canvas.depth(Lump(0.0, 0.0, 4.0, 4.0, 0.0, 0.0, True, LASTING, 0.0))
    white = canvas.fill(everywhere, canvas.new("white", target=False))
    canvas.branches("grey", white, uniform(0.25, 0.7, rng), uniform(0.3, 0.6, rng))
    for _ in range(1 + chance(0.5, rng)):
        side, y = (1 if chance(0.5, rng) else -1), uniform(-0.6, 0.9, rng)
        canvas.put("csf", near(rng, (y, side * 0.95), (0.4, 0.25), 0.0, 0.2, LASTING), target=False)


def _club(rng: torch.Generator) -> list[Lump]:
    """Give a thick head, a body and a thin tail along a bow, the head to the left."""
    bow, size = uniform(-0.35, 0.35, rng), uniform(0.85, 1.15, rng)
    n_planes = math.exp(uniform(math.log(4), math.log(35), rng))  # as many as such a crop has
    lumps = []
    for x, ry, rx in ((-0.42, 0.21, 0.27), (-0.12, 0.16, 0.25), (0.18, 0.14, 0.25), (0.45, 0.11, 0.22)):
        radius = ry * size * uniform(0.85, 1.15, rng)
        lumps.append(Lump(bow * (x * x - 0.1), x, radius, rx, 2 * bow * x, 0.1, n_planes=n_planes, slant=0.1))
    return lumps


def _together(canvas: Canvas, lumps: list[Lump]) -> Patch:
    """Join lumps; a patch over the whole picture."""
    depth = torch.full_like(canvas.frame.y, -1.0)
    for lump in lumps:
        patch = canvas.depth(lump)
        patch.of(depth).copy_(torch.maximum(patch.of(depth), patch.depth))
    return Patch(slice(0, canvas.frame.hw[0]), slice(0, canvas.frame.hw[1]), depth)


def _paint_parts(canvas: Canvas, patch: Patch, along: bool) -> None:
    """Paint the head and the rest, cut straight across, as objects each and as one."""
    rng = canvas.rng
    both = canvas.new("grey", whole=True)
    rest = canvas.fill(patch, canvas.new("grey", parent=both))
    if along:
        lean = uniform(-0.4, 0.4, rng)
        cut = uniform(-0.3, 0.0, rng) + lean * canvas.frame.y - canvas.frame.x
        head = patch.with_depth(torch.minimum(patch.depth, cut))
        canvas.fill(head, canvas.new("grey", parent=both), over=rest)
