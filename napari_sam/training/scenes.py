"""Families of generated scenes: two neighbouring planes of labels each, with their share.

About two thirds look like something: CT and MR of `abdomen`, `pelvis`, `chest`, `short_axis` of the
heart, `brain`, `spine` and `cord`. The others are anything, for breadth. How labels look is
`napari_sam.training.appearance`, or the family paints itself.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from napari_sam.training.abdomen import abdomen, pelvis
from napari_sam.training.anything import anatomy, cells, figures, regions, rings, vessels
from napari_sam.training.chest import chest, short_axis
from napari_sam.training.fields import uniform
from napari_sam.training.head import brain
from napari_sam.training.scene import Scene
from napari_sam.training.spine import cord, spine

SCENES: tuple[tuple[float, Callable[[tuple[int, int], torch.Generator], Scene]], ...] = (
    (0.13, abdomen),
    (0.04, pelvis),
    (0.08, chest),
    (0.07, short_axis),
    (0.13, brain),
    (0.05, spine),
    (0.04, cord),
    (0.04, regions),
    (0.12, anatomy),
    (0.06, rings),
    (0.08, cells),
    (0.02, vessels),
    (0.14, figures),
)
"""Families of scenes with their share."""


def draw_scene(hw: tuple[int, int], rng: torch.Generator) -> Scene:
    """Draw a scene of a random family at height and width `hw` in pixels."""
    ticket = uniform(0.0, sum(share for share, _ in SCENES), rng)
    for share, family in SCENES:
        ticket -= share
        if ticket < 0:
            return family(hw, rng)
    return regions(hw, rng)
