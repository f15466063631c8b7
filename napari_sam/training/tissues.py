"""How tissues look to a CT scanner, an MR scanner or a gamma-like unknown one.

A tissue has a number in Hounsfield units and, for each kind of MR contrast, a grey from 0 to 1. A
picture draws one contrast, moves every tissue a little (more for contrast medium and lesions), adds
texture and partial volume, and shows it in a window as `napari_sam.training.scanners` does.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from napari_sam.training.fields import blur, chance, looked_up, octaves, uniform, whole
from napari_sam.training.scanners import scan_ct, scan_mr
from napari_sam.training.scene import Scene

HOUNSFIELD: dict[str, tuple[float, float, float]] = {
    "air": (-1000, 0, 0), "gas": (-950, 30, 5), "lung": (-830, 60, 25), "fat": (-100, 10, 8),
    "skin": (0, 30, 5), "muscle": (52, 8, 8), "liver": (58, 12, 4), "spleen": (50, 6, 4),
    "pancreas": (40, 8, 12), "cortex": (38, 5, 4), "medulla": (34, 5, 4), "wall": (40, 10, 6),
    "fluid": (10, 10, 2), "stool": (30, 60, 50), "contrast": (250, 150, 15), "node": (40, 10, 4),
    "gland": (45, 10, 8), "zone": (42, 8, 5), "vessel": (45, 5, 3), "vein": (42, 5, 3),
    "vessel_soft": (35, 25, 5),
    "blood": (45, 5, 3), "blood_right": (45, 5, 3), "myocardium": (48, 5, 4), "compact": (750, 250, 60),
    "marrow": (200, 80, 40), "disc": (85, 20, 8), "csf": (8, 4, 2), "cord": (35, 6, 3),
    "cord_grey": (39, 4, 2), "grey": (38, 2, 2), "white": (29, 2, 2), "deep": (37, 2, 2),
    "stem": (31, 2, 2), "cartilage": (110, 30, 5), "plastic": (-200, 200, 5),
    "lesion_dark": (20, 15, 6), "lesion_bright": (75, 25, 8),
}  # fmt: skip
"""Mean, spread between pictures and texture within one, without contrast medium."""

ENHANCEMENT: dict[str, tuple[float, float, float]] = {
    "vessel": (260, 120, 90), "vein": (30, 110, 90), "vessel_soft": (120, 90, 60), "blood": (230, 110, 80),
    "blood_right": (150, 110, 80), "cortex": (130, 140, 100), "medulla": (30, 110, 110),
    "liver": (10, 50, 35), "spleen": (60, 70, 40), "pancreas": (50, 45, 30), "wall": (25, 35, 25),
    "myocardium": (40, 60, 40), "muscle": (5, 12, 10), "gland": (20, 30, 25), "zone": (10, 20, 20),
    "node": (15, 35, 25),
    "lesion_dark": (5, 15, 15), "lesion_bright": (60, 50, 30),
}  # fmt: skip
"""What an artery's, the portal vein's and a late phase add at most."""

MR_NAMES = (
    "fat", "muscle", "liver", "spleen", "cortex", "medulla", "wall", "fluid", "vessel", "marrow",
    "disc", "cord", "grey", "white", "myocardium", "blood", "lesion_dark", "lesion_bright",
)  # fmt: skip
MR_TONES: tuple[tuple[int, ...], ...] = (
    # T1
    (95, 38, 48, 40, 45, 36, 38, 14, 15, 75, 35, 55, 45, 62, 38, 30, 30, 55),
    # T1 with contrast medium, fat suppressed
    (12, 38, 62, 60, 75, 68, 52, 16, 95, 20, 30, 50, 42, 52, 48, 85, 30, 92),
    # T2
    (75, 18, 30, 48, 55, 62, 35, 98, 12, 45, 40, 38, 55, 40, 32, 40, 42, 85),
    # T2 with fat suppressed
    (15, 20, 30, 60, 62, 70, 40, 98, 12, 15, 50, 40, 55, 42, 35, 45, 45, 92),
    # balanced steady state (cine)
    (70, 25, 32, 45, 50, 55, 30, 90, 85, 35, 35, 40, 50, 42, 28, 85, 30, 60),
    # FLAIR
    (80, 30, 35, 45, 45, 50, 35, 6, 10, 45, 30, 48, 58, 45, 35, 25, 30, 95),
    # T1, fat suppressed
    (12, 45, 56, 48, 52, 42, 45, 12, 15, 25, 40, 52, 45, 58, 42, 35, 32, 62),
    # T1 prepared by an inversion, of the head
    (92, 34, 45, 40, 44, 38, 38, 6, 20, 62, 38, 55, 36, 68, 40, 30, 28, 58),
    # diffusion
    (6, 18, 20, 75, 58, 62, 36, 32, 10, 14, 30, 56, 60, 48, 38, 18, 40, 96),
    # proton density, gradient echo
    (60, 50, 50, 55, 55, 55, 50, 80, 75, 40, 55, 55, 62, 52, 50, 70, 45, 75),
)
"""Greys of 100 by kind of contrast, in the order of `MR_NAMES`."""

MR_LIKE = {
    "pancreas": "liver", "node": "spleen", "gland": "cortex", "zone": "medulla", "vein": "vessel",
    "blood_right": "blood",
    "csf": "fluid", "contrast": "fluid", "stool": "wall", "vessel_soft": "vessel", "skin": "muscle",
    "deep": "grey", "stem": "white", "cord_grey": "grey", "cartilage": "disc",
}  # fmt: skip
SOFT = (
    "muscle",
    "liver",
    "spleen",
    "cortex",
    "medulla",
    "wall",
    "marrow",
    "disc",
    "myocardium",
    "lesion_dark",
)
"""Tissues whose greys come near each other in some pictures."""

ALIKE_SHARE = 0.3
"""How often organs have nearly the same grey in MR, and only fat, fluid and vessels stand out."""

OPPOSED_SHARE = 0.06
"""How often fat and water cancel each other along outlines."""

MR_DARK = ("air", "gas", "lung", "compact", "plastic")

CT_SHARES = {
    "body": 0.6, "thorax": 0.5, "brain": 0.12, "heart": 0.08, "spine": 0.25, "prostate": 0.1, "joint": 0.3,
}  # fmt: skip
"""How often a kind of scene is seen by CT; else it is MR."""

WINDOWS = (
    (0.54, -160, 240), (0.1, -80, 200), (0.12, -1350, 150), (0.08, -500, 1300), (0.12, -250, 500),
    (0.04, -1000, 2500),
)  # fmt: skip
"""Share, low and high end in Hounsfield units."""

BRAIN_WINDOWS = ((0.6, 0, 80), (0.25, -20, 120), (0.15, -500, 1300))


def paint_tissues(scene: Scene, rng: torch.Generator) -> Tensor:
    """Show a scene's tissues as CT, as MR, or in tones of no known scanner; ``(2, 3, H, W)``, 0 to 1."""
    grey = _paint_ct(scene, rng) if chance(CT_SHARES[scene.kind], rng) else _paint_mr(scene, rng)
    return grey.unsqueeze(1).expand(-1, 3, -1, -1)


def _paint_ct(scene: Scene, rng: torch.Generator) -> Tensor:
    """Give Hounsfield units, noise as filtered back projection has it, and a window."""
    phase = whole(-1, 2, rng)
    dose = uniform(0.5, 1.1, rng)
    means, textures = [], []
    for name in scene.tissues:
        mean, spread, texture = HOUNSFIELD[name]
        medium = ENHANCEMENT[name][phase] * dose if phase >= 0 and name in ENHANCEMENT else 0.0
        means.append(mean + medium + uniform(-1.0, 1.0, rng) * spread)
        textures.append(texture)
    image = _fill(scene, means, textures, rng)
    amount = math.exp(uniform(math.log(2), math.log(5 if scene.kind == "brain" else 38), rng))
    image = scan_ct(image, amount, rng)
    low, high = _draw_window(BRAIN_WINDOWS if scene.kind == "brain" else WINDOWS, rng)
    low, high = low + uniform(-0.1, 0.1, rng) * (high - low), high + uniform(-0.15, 0.15, rng) * (high - low)
    return image.sub_(low).div_(high - low).clamp_(0, 1)


def _draw_window(
    windows: tuple[tuple[float, float, float], ...], rng: torch.Generator
) -> tuple[float, float]:
    ticket = uniform(0, 1, rng)
    for share, low, high in windows:
        ticket -= share
        if ticket <= 0:
            return low, high
    return windows[0][1:]


def _paint_mr(scene: Scene, rng: torch.Generator) -> Tensor:
    """Give a contrast's greys or, at times, greys of no known contrast, as a scanner shows them."""
    image = _fill(scene, *_mr_tones(scene, rng), rng)
    if "fat" in scene.tissues and chance(OPPOSED_SHARE, rng):
        image = _darken_around_fat(image, scene, rng)
    return scan_mr(image, rng)


def _darken_around_fat(image: Tensor, scene: Scene, rng: torch.Generator) -> Tensor:
    """Draw a dark line where fat meets water, as where the signals of both cancel each other."""
    is_fat = torch.tensor([name == "fat" for name in scene.tissues], device=image.device).float()
    fat = blur(looked_up(is_fat, scene.labels), uniform(0.5, 1.2, rng))
    return image * (1 - uniform(0.5, 1.0, rng) * 4 * fat * (1 - fat))


def _mr_tones(scene: Scene, rng: torch.Generator) -> tuple[list[float], list[float]]:
    """Draw each label's grey and its texture."""
    row = MR_TONES[whole(0, len(MR_TONES) - 1, rng)]
    if scene.kind == "heart" and chance(0.7, rng):
        row = MR_TONES[4]
    unknown = chance(0.2, rng)
    tones = {name: grey / 100 for name, grey in zip(MR_NAMES, row, strict=True)}
    if scene.kind != "brain" and chance(ALIKE_SHARE, rng):
        tones = _brought_together(tones, uniform(0.25, 0.8, rng))
    loose = 0.06 if not unknown else 0.25
    by_tissue: dict[str, float] = {}
    means, textures = [], []
    for name in scene.tissues:
        if name not in by_tissue:
            known = uniform(0.0, 0.06, rng) if name in MR_DARK else tones[MR_LIKE.get(name, name)]
            moved = known + uniform(-loose, loose, rng) * (1.0 if name not in MR_DARK else 0.1)
            by_tissue[name] = moved + (0.05 if name in MR_LIKE else 0.0) * uniform(-1, 1, rng)
        means.append(max(0.0, by_tissue[name] + uniform(-0.025, 0.025, rng) * (name not in MR_DARK)))
        textures.append(0.0 if name == "air" else 0.015 + 0.05 * by_tissue[name] * uniform(0.2, 1.0, rng))
    return means, textures


def _brought_together(tones: dict[str, float], share: float) -> dict[str, float]:
    """Bring the greys of organs near each other, those of fat, fluid and vessels left as they are."""
    middle = sum(tones[name] for name in SOFT) / len(SOFT)
    return {name: grey + share * (middle - grey) * (name in SOFT) for name, grey in tones.items()}


def _fill(scene: Scene, means: list[float], textures: list[float], rng: torch.Generator) -> Tensor:
    """Look up each label's mean and texture, softened as by partial volume; ``(2, H, W)``."""
    labels = scene.labels
    hw = (labels.shape[1], labels.shape[2])
    table = torch.tensor([means, textures], device=labels.device)
    image = looked_up(table[0], labels)
    stuff = octaves(hw, math.exp(uniform(math.log(8), math.log(60), rng)), 2, rng)
    image.add_(looked_up(table[1], labels).mul_(stuff), alpha=uniform(0.3, 1.5, rng))
    return blur(image, uniform(0.3, 1.1, rng))
