"""Training samples: a pair of neighbouring planes with objects to prompt for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_sam.training.appearance import coarsen, degrade, paint, resize_pair
from napari_sam.training.closer import CLOSER_SHARE, look_closer
from napari_sam.training.endings import soften_ends
from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.natural_regions import NaturalRegions
from napari_sam.training.paste import can_paste, paste_pair, put_before_film
from napari_sam.training.real_images import LabelledFrames, draw_real_pair, draw_textures
from napari_sam.training.scenes import SHARP_SHARE, draw_scene
from napari_sam.training.targets import VISIBLE_STEP, Roles, choose
from napari_sam.zoo.builtin import PIXEL_MEAN, PIXEL_STD

REAL_SHARES = {"nuclei": 0.56, "video": 0.2, "ray": 0.18, "fundus": 0.06}
"""How often each kind of real picture is drawn, by a word in its modality."""

REAL_STEP = 0.012
"""Least difference of grey that is seen in real pictures, which may be dim, and between nuclei that touch."""

PASTED_SHARE = 0.3
"""Part of the real pictures whose objects are put before another ground."""


SHARP_PASTED_SHARE = 0.25
"""How often pictures with pasted objects have all the pixels that the model takes in."""

LOT = 8
"""Sizes are multiples of this: what depends on a size alone is worked out once."""

REGIONS_SHARE = 0.3
"""How often what stands out in a photograph is asked for, rather than the object that was labelled."""

FILM_GROUND_SHARE = 0.2
"""How often drawn things stand before a frame of a real film, where there is one."""


@dataclass(frozen=True)
class PlanePair:
    """Two neighbouring planes and the same objects in both.

    Attributes
    ----------
    pixels : Tensor
        ``(2, 3, S, S)`` float32, normalised, zero in the padding.
    masks : Tensor
        ``(2, M, S, S)`` bool; an object that has ended is empty in the second plane.
    """

    pixels: Tensor
    masks: Tensor


@dataclass(frozen=True)
class SampleSettings:
    """What samples are drawn.

    Attributes
    ----------
    side : int
        ``S``, side of the model's input in pixels.
    n_objects : int
        Largest number of objects of one pair.
    min_area : int
        Smallest object in pixels of the input.
    real_share : float
        Part of the samples that are real pictures, where there are any.
    """

    side: int = 256
    n_objects: int = 6
    min_area: int = 24
    real_share: float = 0.35


@dataclass(frozen=True)
class _Planes:
    """A drawn picture: image ``(2, 3, H, W)``, labels ``(2, H, W)``, and how well outlines must be seen."""

    image: Tensor
    labels: Tensor
    roles: Roles
    visible_step: float = VISIBLE_STEP


class PairSampler:
    """Draws pairs without end.

    Parameters
    ----------
    settings : SampleSettings
        What to draw.
    real : sequence of LabelledFrames
        Real pictures; may be empty.
    """

    def __init__(self, settings: SampleSettings, real: Sequence[LabelledFrames]) -> None:
        self.settings = settings
        self._real = real
        by_kind = {word: [i for i in real if word in i.kind] for word in REAL_SHARES}
        self._by_kind = {word: items for word, items in by_kind.items() if items}
        self._can_paste = can_paste(real)
        self._regions = NaturalRegions()

    def draw(self, rng: torch.Generator) -> PlanePair:
        """Draw one pair with at least one object."""
        limits = self.settings.n_objects, self.settings.min_area
        while True:
            drawn = self._draw_planes(rng)
            image, labels = drawn.image, drawn.labels
            if chance(CLOSER_SHARE, rng):
                image, labels = look_closer(image, labels, rng)
            image, labels = resize_pair(image, labels, self.settings.side)
            seen = _channels(image[0])
            masks = choose(labels.cpu().numpy(), drawn.roles, limits, rng, seen, drawn.visible_step)
            if masks is not None:
                return PlanePair(normalise(image), masks.to(image.device))

    def _draw_planes(self, rng: torch.Generator) -> _Planes:
        hw = self._draw_size(rng)
        if not (self._by_kind and chance(self.settings.real_share, rng)):
            return self._draw_generated(hw, rng)
        if self._can_paste and chance(PASTED_SHARE, rng):
            hw = self._sharpened(hw) if chance(SHARP_PASTED_SHARE, rng) else hw
            image, labels = paste_pair(self._real, hw, rng)
            return _Planes(degrade(image, rng, strength=0.4), labels, Roles())
        item = self._draw_item(rng)
        if "video" in item.kind:
            hw = self._sharpened(hw) if chance(SHARP_SHARE, rng) else hw
            item = self._regions.draw(item, rng) if chance(REGIONS_SHARE, rng) else item
        image, labels = draw_real_pair(item, hw, rng)
        if chance(0.2, rng):
            image = image.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
        pieces_count = "nuclei" in item.kind or chance(0.5, rng)
        whole_objects = frozenset() if pieces_count else frozenset(range(1, int(labels.max()) + 1))
        return _Planes(degrade(image, rng, strength=0.5), labels, Roles(whole=whole_objects), REAL_STEP)

    def _draw_generated(self, hw: tuple[int, int], rng: torch.Generator) -> _Planes:
        scene = draw_scene(hw, rng, self.settings.side)
        hw = scene.labels.shape[1], scene.labels.shape[2]
        roles = Roles(scene.parents, scene.backdrop, scene.whole, scene.parts)
        if scene.kind == "photographs":
            textures = draw_textures(self._real, hw, 1, rng) if self._real and chance(0.4, rng) else None
            image = paint(scene, textures, rng)
            if chance(FILM_GROUND_SHARE, rng):
                image = put_before_film(self._real, image, scene.labels, rng)
            return _Planes(degrade(image, rng, strength=0.2), scene.labels, roles)
        if scene.tissues or scene.image is not None:
            image, labels = soften_ends(paint(scene, None, rng), scene, rng), scene.labels
            if scene.tissues and chance(0.15, rng):
                image, labels = coarsen(image, labels, rng)
            step = REAL_STEP if scene.kind == "nuclei" else VISIBLE_STEP  # thin borders between many
            return _Planes(degrade(image, rng, strength=0.3), labels, roles, step)
        textures = draw_textures(self._real, hw, 2, rng) if self._real and chance(0.6, rng) else None
        image = soften_ends(paint(scene, textures, rng), scene, rng)
        return _Planes(degrade(image, rng, strength=0.7), scene.labels, roles)

    def _sharpened(self, hw: tuple[int, int]) -> tuple[int, int]:
        """Give a size all the pixels that the model takes in."""
        height, width = (max(16, round(size * self.settings.side / max(hw))) for size in hw)
        return height, width

    def _draw_item(self, rng: torch.Generator) -> LabelledFrames:
        words = list(self._by_kind)
        weights = torch.tensor([REAL_SHARES[word] for word in words], device=rng.device)
        word = words[int(torch.multinomial(weights, 1, generator=rng))]
        return self._by_kind[word][whole(0, len(self._by_kind[word]) - 1, rng)]

    def _draw_size(self, rng: torch.Generator) -> tuple[int, int]:
        """Draw height and width: often smaller than the input, as crops and coarse scans are."""
        side = self.settings.side
        longest = (
            side if chance(0.5, rng) else round(math.exp(uniform(math.log(side / 5), math.log(side), rng)))
        )
        shorter = longest if chance(0.4, rng) else round(longest * uniform(0.5, 1.0, rng))
        longest, shorter = (max(16, round(size / LOT) * LOT) for size in (longest, shorter))
        return (longest, shorter) if chance(0.5, rng) else (shorter, longest)


def normalise(image: Tensor) -> Tensor:
    """Turn ``(2, 3, S, S)`` from 0..1, NaN in the padding, into the network's input."""
    grey = image[:, :1] if image.stride(1) == 0 else image
    grey = (grey * 255).round_()
    pixels = torch.empty(image.shape, dtype=image.dtype, device=image.device)
    for channel, (mean, std) in enumerate(zip(PIXEL_MEAN, PIXEL_STD, strict=True)):
        seen = grey[:, min(channel, grey.shape[1] - 1)]
        torch.sub(seen, mean, out=pixels[:, channel]).div_(std)
    return pixels.nan_to_num_(nan=0.0)


def choose_objects(
    labels: Tensor, parents: dict[int, int], settings: SampleSettings, rng: torch.Generator
) -> Tensor | None:
    """Choose objects in the first plane and follow them into the second, trusting every outline.

    Parameters
    ----------
    labels : Tensor
        ``(2, S, S)`` int64.
    parents : dict of int to int
        Labels inside other objects: such an object may be asked for with or without them.
    settings : SampleSettings
        How many, and how small.
    rng : torch.Generator
        Where chance comes from.

    Returns
    -------
    Tensor or None
        ``(2, M, S, S)`` bool, or None where no object is large enough.
    """
    limits = settings.n_objects, settings.min_area
    chosen = choose(labels.cpu().numpy(), Roles(parents), limits, rng)
    return None if chosen is None else chosen.to(labels.device)


def _channels(plane: Tensor) -> NDArray[np.float32]:
    """Give ``(C, S, S)`` with a single channel where all are alike."""
    grey = plane.stride(0) == 0 or bool((plane[0] == plane[1]).logical_or(plane[0].isnan()).all())
    return np.asarray((plane[:1] if grey else plane).float().cpu().numpy())
