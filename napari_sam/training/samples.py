"""Training samples: a pair of neighbouring planes with objects to prompt for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.utils.data import IterableDataset

from napari_sam.training.appearance import degrade, paint, resize_pair
from napari_sam.training.fields import chance, uniform, whole
from napari_sam.training.real_images import LabelledFrames, draw_real_pair, draw_textures
from napari_sam.training.scenes import Scene, draw_scene
from napari_sam.zoo.builtin import PIXEL_MEAN, PIXEL_STD

REAL_SHARES = {"nuclei": 0.55, "video": 0.25, "ray": 0.16, "fundus": 0.04}
"""How often each kind of real picture is drawn, by a word in its modality."""


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
    real_share: float = 0.4


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

    def draw(self, rng: torch.Generator) -> PlanePair:
        """Draw one pair with at least one object."""
        while True:
            image, labels, parents = self._draw_planes(rng)
            image, labels = resize_pair(image, labels, self.settings.side)
            masks = choose_objects(labels, parents, self.settings, rng)
            if masks is not None:
                return PlanePair(normalise(image), masks)

    def _draw_planes(self, rng: torch.Generator) -> tuple[Tensor, Tensor, dict[int, int]]:
        hw = self._draw_size(rng)
        if self._by_kind and chance(self.settings.real_share, rng):
            image, labels = draw_real_pair(self._draw_item(rng), hw, rng)
            if chance(0.2, rng):
                image = image.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
            return degrade(image, rng, strength=0.5), labels, {}
        scene: Scene = draw_scene(hw, rng)
        textures = draw_textures(self._real, hw, 2, rng) if self._real and chance(0.6, rng) else None
        return degrade(paint(scene, textures, rng), rng, strength=0.7), scene.labels, scene.parents

    def _draw_item(self, rng: torch.Generator) -> LabelledFrames:
        words = list(self._by_kind)
        weights = torch.tensor([REAL_SHARES[word] for word in words])
        word = words[int(torch.multinomial(weights, 1, generator=rng))]
        return self._by_kind[word][whole(0, len(self._by_kind[word]) - 1, rng)]

    def _draw_size(self, rng: torch.Generator) -> tuple[int, int]:
        """Draw height and width: often smaller than the input, as crops and coarse scans are."""
        side = self.settings.side
        longest = (
            side if chance(0.5, rng) else round(math.exp(uniform(math.log(side / 5), math.log(side), rng)))
        )
        shorter = longest if chance(0.4, rng) else round(longest * uniform(0.5, 1.0, rng))
        return (longest, shorter) if chance(0.5, rng) else (shorter, longest)


def normalise(image: Tensor) -> Tensor:
    """Turn ``(2, 3, S, S)`` from 0..1, NaN in the padding, into the network's input."""
    mean = image.new_tensor(PIXEL_MEAN).view(1, 3, 1, 1)
    std = image.new_tensor(PIXEL_STD).view(1, 3, 1, 1)
    return torch.nan_to_num(((image * 255).round() - mean) / std, nan=0.0)


def choose_objects(
    labels: Tensor, parents: dict[int, int], settings: SampleSettings, rng: torch.Generator
) -> Tensor | None:
    """Choose objects in the first plane and follow them into the second.

    Parameters
    ----------
    labels : Tensor
        ``(2, S, S)`` int64.
    parents : dict of int to int
        Labels inside other objects: such an object counts with or without them.
    settings : SampleSettings
        How many, and how small.
    rng : torch.Generator
        Where chance comes from.

    Returns
    -------
    Tensor or None
        ``(2, M, S, S)`` bool, or None where no object is large enough.
    """
    planes = labels.cpu().numpy()
    if parents and chance(0.5, rng):
        planes = _with_children(planes, parents)
    pieces = [_pieces(plane) for plane in planes]
    areas = np.bincount(pieces[0].ravel())
    areas[0] = 0
    found = np.flatnonzero((areas >= settings.min_area) & (areas < 0.7 * planes[0].size))
    if not len(found):
        return None
    weights = torch.as_tensor(areas[found].astype(np.float64) ** 0.3)
    n_chosen = min(settings.n_objects, len(found))
    chosen = found[torch.multinomial(weights, n_chosen, generator=rng).numpy()]
    both = [np.stack([pieces[0] == piece for piece in chosen])]
    both.append(np.stack([_follow(mask, planes, pieces[1]) for mask in both[0]]))
    return torch.as_tensor(np.stack(both))


def _pieces(plane: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give each 4-connected piece of equal labels a number from 1; 0 stays 0."""
    pieces = np.zeros_like(plane)
    n_pieces = 0
    for number, box in enumerate(ndimage.find_objects(plane), start=1):
        if box is None:
            continue
        found, n_found = ndimage.label(plane[box] == number)
        pieces[box][found > 0] = found[found > 0] + n_pieces
        n_pieces += n_found
    return pieces


def _with_children(planes: NDArray[np.int64], parents: dict[int, int]) -> NDArray[np.int64]:
    """Give inner objects the number of what they lie in."""
    lookup = np.arange(int(planes.max()) + 1)
    for child, parent in sorted(parents.items()):
        if child < len(lookup):
            lookup[child] = lookup[parent] if parent < len(lookup) else parent
    return lookup[planes]


def _follow(
    mask: NDArray[np.bool_], planes: NDArray[np.int64], pieces: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Find an object of the first plane in the second: pieces of the same label that overlap it."""
    label = planes[0][mask][0]
    same = planes[1] == label
    touched = np.unique(pieces[mask & same])
    return np.asarray(same & np.isin(pieces, touched[touched > 0]))


class PairStream(IterableDataset[PlanePair]):
    """An endless stream of pairs for a data loader; each worker draws its own.

    Parameters
    ----------
    sampler : PairSampler
        Draws the pairs.
    seed : int
        Together with the worker's number, seeds the stream.
    """

    def __init__(self, sampler: PairSampler, seed: int) -> None:
        self.sampler = sampler
        self.seed = seed

    def __iter__(self) -> Iterator[PlanePair]:
        info = torch.utils.data.get_worker_info()
        rng = torch.Generator().manual_seed(self.seed * 1009 + (info.id if info else 0))
        while True:
            yield self.sampler.draw(rng)
