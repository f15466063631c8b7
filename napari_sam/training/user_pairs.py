"""Plane pairs from a person's own labelled images: each drawn from its number and the seed alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from napari_sam.core.labelled_folder import INSTANCE_PER_SLICE, SEMANTIC
from napari_sam.errors import InvalidDataset
from napari_sam.training.appearance import degrade, resize_pair
from napari_sam.training.fields import chance, smooth_noise, uniform, unit_grid, whole
from napari_sam.training.samples import PlanePair
from napari_sam.training.seeds import mixed_seed
from napari_sam.training.user_data import LabelledPlanes
from napari_sam.training.user_objects import choose_labelled
from napari_sam.zoo.builtin import PIXEL_MEAN, PIXEL_STD

__all__ = ["PairSettings", "UserPairs"]

MAX_STEP = 4
"""Planes of a pair lie at most this far apart."""

_MAX_TRIES = 200


@dataclass(frozen=True)
class PairSettings:
    """How pairs are drawn.

    Attributes
    ----------
    side : int
        ``S``, side of the model's input in pixels.
    n_objects : int
        Largest number of objects of one pair.
    min_area : int
        Smallest object in pixels of the input.
    mean, std : tuple of float
        Normalisation per channel, on the 0..255 scale.
    """

    side: int
    n_objects: int = 6
    min_area: int = 24
    mean: tuple[float, float, float] = PIXEL_MEAN
    std: tuple[float, float, float] = PIXEL_STD


@dataclass(frozen=True)
class _View:
    """Where a plane is looked at: turned by radians, `zoom` of it seen, around a centre in -1 to 1."""

    turn: float = 0.0
    zoom: float = 1.0
    centre_xy: tuple[float, float] = (0.0, 0.0)
    flip_xy: tuple[float, float] = (1.0, 1.0)

    def grid(self, hw: tuple[int, int], device: torch.device) -> Tensor:
        """Give sampling positions ``(H, W, 2)``, x then y, the longer side from -1 to 1."""
        yy, xx = unit_grid(hw, device)
        cos, sin = math.cos(self.turn) * self.zoom, math.sin(self.turn) * self.zoom
        xx, yy = xx * self.flip_xy[0], yy * self.flip_xy[1]
        x, y = cos * xx - sin * yy + self.centre_xy[0], sin * xx + cos * yy + self.centre_xy[1]
        return torch.stack([x, y], dim=-1)


class UserPairs:
    """Draws pairs of planes 0 to 4 apart with the same objects.

    A volume's second plane lies 1 to 4 planes away. A single picture, and a volume whose labels mean nothing
    from plane to plane, is its own second plane, slightly turned, shifted and bent.

    Parameters
    ----------
    items : sequence of LabelledPlanes
        What to draw from, each as often as the others.
    settings : PairSettings
        How to draw.
    seed : int
        Together with a pair's number, the only source of chance.
    """

    def __init__(self, items: Sequence[LabelledPlanes], settings: PairSettings, seed: int) -> None:
        self._items, self.settings, self._seed = items, settings, seed
        self._limits = settings.n_objects, settings.min_area

    def draw(self, number: int) -> PlanePair:
        """Draw the pair of that number, turned, scaled, mirrored and degraded.

        Raises
        ------
        InvalidDataset
            No object large enough was found in many tries.
        """
        return self._draw(number, plain=False)

    def draw_plain(self, number: int) -> PlanePair:
        """Draw the pair of that number from whole planes as they are; items take turns."""
        return self._draw(number, plain=True)

    def _draw(self, number: int, plain: bool) -> PlanePair:
        rng = torch.Generator().manual_seed(mixed_seed(self._seed, int(plain), number))
        for attempt in range(_MAX_TRIES):
            n_items = len(self._items)
            item = self._items[(number + attempt) % n_items if plain else whole(0, n_items - 1, rng)]
            image, labels = self._see(item, plain, rng)
            image, labels = resize_pair(image, labels, self.settings.side)
            labels = labels.masked_fill(image.isnan().any(dim=1), 0)
            masks = choose_labelled(labels, item.mask_type == SEMANTIC, self._limits, rng)
            if masks is not None:
                return PlanePair(self._normalise(image), masks)
        raise InvalidDataset(
            f"in {_MAX_TRIES} views no object covered {self.settings.min_area} pixels of the model's "
            f"{self.settings.side} × {self.settings.side}, or left enough around it; "
            "raise --side, cut the images smaller, or check the labels"
        )

    def _see(self, item: LabelledPlanes, plain: bool, rng: torch.Generator) -> tuple[Tensor, Tensor]:
        """Look at two planes: image ``(2, 3, H, W)``, 0 to 1, NaN beyond it, and labels ``(2, H, W)``."""
        planes, is_still = _draw_planes(item, rng)
        labels = planes[0][1]
        view = _View() if plain else _draw_view(labels, rng)
        longest = min(round(max(labels.shape) * min(view.zoom, 1.0)), 2 * self.settings.side)
        scale = max(longest, min(32, max(labels.shape))) / max(labels.shape)
        hw = (max(1, round(labels.shape[0] * scale)), max(1, round(labels.shape[1] * scale)))
        grids = [view.grid(hw, rng.device)] * 2
        if is_still:
            grids[1] = _worn_grid(view, hw, rng)
        seen = [_look_up(*plane, grid) for plane, grid in zip(planes, grids, strict=True)]
        image = torch.stack([pixels for pixels, _, _ in seen]).expand(-1, 3, -1, -1)
        numbers = torch.stack([named for _, named, _ in seen])
        outside = torch.stack([beyond for _, _, beyond in seen])[:, None]
        image = image if plain else degrade(image, rng, strength=0.5)
        return torch.where(outside, math.nan, image), numbers

    def _normalise(self, image: Tensor) -> Tensor:
        mean, std = (image.new_tensor(v).view(1, 3, 1, 1) for v in (self.settings.mean, self.settings.std))
        return torch.nan_to_num(((image * 255).round() - mean) / std, nan=0.0)


def _draw_planes(
    item: LabelledPlanes, rng: torch.Generator
) -> tuple[list[tuple[NDArray[np.uint8], NDArray[Any]]], bool]:
    """Draw a labelled plane and another one near it; also whether both are the same."""
    axes = list(item.labelled)
    axis = axes[whole(0, len(axes) - 1, rng)]
    labelled = item.labelled[axis]
    first = int(labelled[whole(0, len(labelled) - 1, rng)])
    second = first
    if item.mask_type != INSTANCE_PER_SLICE:
        second = _neighbour(first, item.labels.shape[axis], rng)
    at = [(slice(None),) * axis + (index,) for index in (first, second)]
    return [(item.image[place], item.labels[place]) for place in at], first == second


def _neighbour(first: int, n_planes: int, rng: torch.Generator) -> int:
    """Draw a plane 1 to `MAX_STEP` away, near ones more often; `first` itself where it is alone."""
    weights = torch.tensor([0.5**step for step in range(MAX_STEP)])
    step = 1 + int(torch.multinomial(weights, 1, generator=rng))
    step = min(step, max(first, n_planes - 1 - first))
    sign = 1 if chance(0.5, rng) else -1
    return first + sign * step if 0 <= first + sign * step < n_planes else first - sign * step


def _draw_view(labels: NDArray[Any], rng: torch.Generator) -> _View:
    """Draw a view: the whole plane at times, else a part of it around a labelled pixel."""
    turn = uniform(-0.35, 0.35, rng) if chance(0.6, rng) else 0.0
    flip_xy = (-1.0 if chance(0.5, rng) else 1.0, -1.0 if chance(0.25, rng) else 1.0)
    if chance(0.4, rng):
        return _View(turn, uniform(0.95, 1.2, rng), flip_xy=flip_xy)
    zoom = math.exp(uniform(-1.1, 0.0, rng))
    rows, columns = np.nonzero(labels)
    height, width = labels.shape
    pick = whole(0, len(rows) - 1, rng)
    y, x = ((2 * int(rows[pick]) + 1 - height), (2 * int(columns[pick]) + 1 - width))
    longest = max(height, width)
    reach_y, reach_x = (max(0.0, (n / longest) * (1 - zoom)) for n in (height, width))
    centre_xy = tuple(
        min(max(place / longest + uniform(-0.4, 0.4, rng) * zoom, -reach), reach)
        for place, reach in ((x, reach_x), (y, reach_y))
    )
    return _View(turn, zoom, (centre_xy[0], centre_xy[1]), flip_xy)


def _worn_grid(view: _View, hw: tuple[int, int], rng: torch.Generator) -> Tensor:
    """Move a view slightly and bend it, as the next plane of a volume would look."""
    worn = uniform(0.2, 1.0, rng)
    shift = [worn * view.zoom * uniform(-0.04, 0.04, rng) for _ in range(2)]
    moved = _View(
        view.turn + worn * uniform(-0.1, 0.1, rng),
        view.zoom * (1 + worn * uniform(-0.1, 0.1, rng)),
        (view.centre_xy[0] + shift[0], view.centre_xy[1] + shift[1]),
        view.flip_xy,
    )
    bend = smooth_noise(2, hw, uniform(2, 6, rng), rng) * uniform(0.0, 0.02, rng) * view.zoom
    return moved.grid(hw, rng.device) + bend.permute(1, 2, 0)


def _look_up(image: NDArray[np.uint8], labels: NDArray[Any], grid: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Look up a plane at ``grid (H, W, 2)``: ``(1 or 3, H, W)``, labels ``(H, W)``, and what is beyond it."""
    height, width = labels.shape
    longest = max(height, width)
    placed = (grid * grid.new_tensor([longest / width, longest / height]))[None]
    pixels = torch.from_numpy(np.array(image, dtype=np.float32)) / 255
    pixels = pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
    numbers = torch.from_numpy(np.array(labels, dtype=np.float32))[None]
    look_up = partial(F.grid_sample, align_corners=False)
    seen = look_up(pixels[None], placed, mode="bilinear", padding_mode="border")[0].clamp(0, 1)
    named = look_up(numbers[None], placed, mode="nearest")[0, 0].long()
    beyond = (placed[0].abs() > 1).any(dim=-1)
    return seen, named.masked_fill(beyond, 0), beyond
