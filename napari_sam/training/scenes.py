"""Families of generated scenes: two neighbouring planes of labels each, with their share.

About seven in eight look like something: CT and MR of `abdomen` and `viscera` (whose organs touch), `pelvis`,
`prostate`, `chest`, the whole trunk along its axis (`coronal`), the heart's `short_axis`, `brain`,
`hippocampus`, `spine`, `cord`, a `joint` and a `limb`; lungs of `gas_lungs`; X-ray pictures (`chest_film`,
`limb_film`); `ultrasound`; microscopy: `nuclei`, `dense_nuclei`, `embryo`, `blood`, `axons`, `membranes`; and
`photographs` of things of many parts. The others are anything, for breadth. How labels look is
`napari_sam.training.appearance`, or the family paints itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from napari_sam.training.abdomen import abdomen
from napari_sam.training.anything import anatomy, cells, figures, regions, rings, vessels
from napari_sam.training.chest import chest, short_axis
from napari_sam.training.cuts import coronal, gas_lungs, joint
from napari_sam.training.dense import dense_nuclei
from napari_sam.training.echoes import ultrasound
from napari_sam.training.electrons import axons, membranes
from napari_sam.training.fields import chance, uniform
from napari_sam.training.head import brain
from napari_sam.training.hippocampus import hippocampus
from napari_sam.training.limbs import limb
from napari_sam.training.pelvis import pelvis
from napari_sam.training.photographs import photographs
from napari_sam.training.prostate import prostate
from napari_sam.training.radiographs import chest_film, limb_film
from napari_sam.training.scene import Scene
from napari_sam.training.slides import blood, embryo, nuclei
from napari_sam.training.spine import cord, spine
from napari_sam.training.viscera import viscera

SCENES: tuple[tuple[float, Callable[[tuple[int, int], torch.Generator], Scene]], ...] = (
    (0.06, abdomen),
    (0.09, viscera),
    (0.05, pelvis),
    (0.07, chest),
    (0.06, short_axis),
    (0.11, brain),
    (0.05, hippocampus),
    (0.04, spine),
    (0.04, cord),
    (0.04, coronal),
    (0.03, joint),
    (0.03, limb),
    (0.04, prostate),
    (0.02, gas_lungs),
    (0.03, chest_film),
    (0.02, limb_film),
    (0.06, ultrasound),
    (0.03, nuclei),
    (0.05, dense_nuclei),
    (0.04, embryo),
    (0.04, blood),
    (0.04, axons),
    (0.03, membranes),
    (0.02, regions),
    (0.06, anatomy),
    (0.04, rings),
    (0.03, cells),
    (0.02, vessels),
    (0.02, figures),
    (0.22, photographs),
)
"""Families of scenes with their share."""


FEW_PIXELS = {hippocampus: (32, 64), cord: (40, 80), embryo: (80, 130), blood: (90, 130)}
"""Least and largest longer side of families that are mostly seen in small crops, in voxels."""

LEAST_PIXELS = dict.fromkeys((abdomen, viscera, pelvis, chest, brain, coronal, prostate), 100)
"""Least longer side of families that are hardly ever seen with fewer pixels: nothing could be told there."""

FEW_PIXELS_SHARE = 0.6
"""How often such a family is drawn that small, and enlarged."""

SHARP = (photographs, ultrasound)
"""Families whose pictures have more pixels than the model takes in."""

SHARP_SHARE = 0.75
"""How often they are drawn with all the pixels that the model takes in."""


def draw_scene(hw: tuple[int, int], rng: torch.Generator, side: int | None = None) -> Scene:
    """Draw a scene of a random family at about height and width `hw` in pixels.

    Where it is seen in small crops, or always sharply, the scene has the same shape at another size;
    `side` is the model's, the longer side of a sharp picture.
    """
    ticket = uniform(0.0, sum(share for share, _ in SCENES), rng)
    for share, family in SCENES:
        ticket -= share
        if ticket < 0:
            return family(_fit_size(family, hw, side or max(hw), rng), rng)
    return regions(hw, rng)


def _fit_size(
    family: Callable[..., Scene], hw: tuple[int, int], side: int, rng: torch.Generator
) -> tuple[int, int]:
    """Choose height and width in pixels as the family has them."""
    longest = max(hw)
    if family in FEW_PIXELS and chance(FEW_PIXELS_SHARE, rng):
        low, high = FEW_PIXELS[family]
        longest = min(longest, round(math.exp(uniform(math.log(low), math.log(high), rng))))
    elif family in LEAST_PIXELS:
        longest = max(longest, min(LEAST_PIXELS[family], side))
    elif family in SHARP and chance(SHARP_SHARE, rng):
        longest = side
    height, width = (max(16, round(size * longest / max(hw))) for size in hw)
    return height, width
