"""Families of generated scenes: two neighbouring planes of labels each, with their share.

About two thirds look like something: CT and MR of `abdomen`, `pelvis`, `chest`, the whole trunk along
its axis (`coronal`), the heart's `short_axis`, `brain`, `spine`, `cord` and a `joint`; lungs of
`gas_lungs`; X-ray pictures (`chest_film`, `limb_film`); `ultrasound`; microscopy: `nuclei`,
`embryo`, `blood`, `axons`, `membranes`; and `photographs` of things of many parts. The others are
anything, for breadth. How labels look is `napari_sam.training.appearance`, or the family paints itself.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from napari_sam.training.abdomen import abdomen, pelvis
from napari_sam.training.anything import anatomy, cells, figures, regions, rings, vessels
from napari_sam.training.chest import chest, short_axis
from napari_sam.training.cuts import coronal, gas_lungs, joint
from napari_sam.training.echoes import ultrasound
from napari_sam.training.electrons import axons, membranes
from napari_sam.training.fields import uniform
from napari_sam.training.head import brain
from napari_sam.training.photographs import photographs
from napari_sam.training.radiographs import chest_film, limb_film
from napari_sam.training.scene import Scene
from napari_sam.training.slides import blood, embryo, nuclei
from napari_sam.training.spine import cord, spine

SCENES: tuple[tuple[float, Callable[[tuple[int, int], torch.Generator], Scene]], ...] = (
    (0.12, abdomen),
    (0.04, pelvis),
    (0.07, chest),
    (0.06, short_axis),
    (0.11, brain),
    (0.04, spine),
    (0.03, cord),
    (0.05, coronal),
    (0.03, joint),
    (0.02, gas_lungs),
    (0.03, chest_film),
    (0.02, limb_film),
    (0.06, ultrasound),
    (0.03, nuclei),
    (0.05, embryo),
    (0.04, blood),
    (0.04, axons),
    (0.03, membranes),
    (0.02, regions),
    (0.08, anatomy),
    (0.05, rings),
    (0.04, cells),
    (0.02, vessels),
    (0.04, figures),
    (0.10, photographs),
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
