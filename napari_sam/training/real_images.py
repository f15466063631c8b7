"""Real labelled pictures for training, listed in an ``INDEX.tsv``.

The index is tab separated with at least ``path``, ``mask_path`` and ``modality``;
paths are relative to it, and a folder is a film whose frames and masks pair up in
the order of their names. Pixel values of a mask are object numbers, 0 is nothing.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from napari_sam.training.fields import chance, smooth_noise, uniform, unit_grid, whole

LONGEST_SIDE = 640
"""Pictures are kept no larger than this, to bound memory."""


@dataclass(frozen=True)
class LabelledFrames:
    """One picture, or the frames of one film.

    Attributes
    ----------
    images : tuple of ndarray
        ``(H, W, 3)`` uint8.
    labels : tuple of ndarray
        ``(H, W)`` int32.
    kind : str
        Modality as the index says it.
    name : str
        Path in the index.
    """

    images: tuple[NDArray[np.uint8], ...]
    labels: tuple[NDArray[np.int32], ...]
    kind: str
    name: str


def read_index(folder: Path) -> list[LabelledFrames]:
    """Read every picture that the folder's ``INDEX.tsv`` lists."""
    with (folder / "INDEX.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [_read_row(folder, row) for row in rows]


def _read_row(folder: Path, row: dict[str, str]) -> LabelledFrames:
    image_path, mask_path = folder / row["path"], folder / row["mask_path"]
    if image_path.is_dir():
        pairs = list(zip(_pictures(image_path), _pictures(mask_path), strict=True))
    else:
        pairs = [(image_path, mask_path)]
    images, labels = zip(*(_read_pair(*pair) for pair in pairs), strict=True)
    return LabelledFrames(images, labels, row["modality"], row["path"])


def _pictures(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in (".png", ".jpg", ".jpeg", ".tif"))


def _read_pair(image_path: Path, mask_path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    with Image.open(image_path) as picture:
        image = picture.convert("RGB")
    with Image.open(mask_path) as picture:
        mask = np.asarray(picture)
    mask = mask[..., 0] if mask.ndim == 3 else mask
    labels = Image.fromarray(mask.astype(np.int32))
    scale = LONGEST_SIDE / max(image.size)
    if scale < 1:
        size = (round(image.width * scale), round(image.height * scale))
        image = image.resize(size, Image.Resampling.BOX)
        labels = labels.resize(size, Image.Resampling.NEAREST)
    return np.array(image, dtype=np.uint8), np.array(labels, dtype=np.int32)


def held_out(
    items: Sequence[LabelledFrames], every: int = 10
) -> tuple[list[LabelledFrames], list[LabelledFrames]]:
    """Split into training and validation: every tenth picture of each kind is held out.

    Films are never split, and none is held out where a kind has fewer than `every` items.
    """
    train: list[LabelledFrames] = []
    validation: list[LabelledFrames] = []
    seen: dict[str, int] = {}
    for item in items:
        seen[item.kind] = seen.get(item.kind, 0) + 1
        (validation if seen[item.kind] % every == 0 else train).append(item)
    return train, validation


def draw_real_pair(item: LabelledFrames, hw: tuple[int, int], rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Cut two neighbouring views of a picture, turned, scaled and bent.

    Returns
    -------
    tuple of Tensor
        Image ``(2, 3, H, W)`` from 0 to 1 and labels ``(2, H, W)`` int64.
    """
    n_frames = len(item.images)
    first = whole(0, n_frames - 1, rng)
    second = min(max(first + (1 if chance(0.5, rng) else -1), 0), n_frames - 1)
    still = "ray" in item.kind or "video" in item.kind
    turn = uniform(-0.25, 0.25, rng) if still else uniform(-math.pi, math.pi, rng)
    zoom = math.exp(uniform(-0.9, 0.25, rng)) if not still else math.exp(uniform(-0.5, 0.15, rng))
    flip = -1.0 if chance(0.5, rng) else 1.0
    centre = (uniform(-1, 1, rng) * max(0.0, 1 - zoom), uniform(-1, 1, rng) * max(0.0, 1 - zoom))
    images, labels = [], []
    for plane, frame in enumerate((first, second)):
        worn = plane * uniform(0.2, 1.0, rng) * (1.0 if first == second else 0.3)
        more_turn, more_zoom = worn * uniform(-0.1, 0.1, rng), 1 + worn * uniform(-0.1, 0.1, rng)
        grid = _grid(hw, turn + more_turn, zoom * more_zoom, rng)
        grid[..., 0] = grid[..., 0] * flip + centre[0] + worn * uniform(-0.04, 0.04, rng)
        grid[..., 1] = grid[..., 1] + centre[1] + worn * uniform(-0.04, 0.04, rng)
        if worn:
            bend = smooth_noise(2, hw, uniform(2, 6, rng), rng) * uniform(0.0, 0.02, rng)
            grid = grid + bend.permute(1, 2, 0)
        image, label = _sample(item.images[frame], item.labels[frame], grid)
        images.append(image)
        labels.append(label)
    return torch.stack(images), torch.stack(labels)


def _grid(hw: tuple[int, int], turn: float, zoom: float, rng: torch.Generator) -> Tensor:
    """Give sampling positions ``(H, W, 2)``, x then y, for a turned and scaled view."""
    yy, xx = unit_grid(hw, rng.device)
    cos, sin = math.cos(turn) * zoom, math.sin(turn) * zoom
    return torch.stack([cos * xx - sin * yy, sin * xx + cos * yy], dim=-1)


def _sample(image: NDArray[np.uint8], labels: NDArray[np.int32], grid: Tensor) -> tuple[Tensor, Tensor]:
    """Look up a picture at ``grid (H, W, 2)``, the longer side from -1 to 1; mirrored outside."""
    height, width = labels.shape
    longest = max(height, width)
    stretch = grid.new_tensor([longest / width, longest / height])
    placed = (grid * stretch)[None]
    pixels = torch.as_tensor(image, device=grid.device).permute(2, 0, 1)[None].float() / 255
    numbers = torch.as_tensor(labels, device=grid.device)[None, None].double()
    look_up = partial(F.grid_sample, padding_mode="reflection", align_corners=False)
    seen = look_up(pixels, placed, mode="bilinear")
    named = look_up(numbers, placed.double(), mode="nearest")
    return seen[0], named[0, 0].long()


def draw_textures(
    items: Sequence[LabelledFrames], hw: tuple[int, int], n: int, rng: torch.Generator
) -> Tensor:
    """Cut grey pieces of real pictures, mean 0 and variance 1, ``(n, H, W)``."""
    pieces = []
    for _ in range(n):
        item = items[whole(0, len(items) - 1, rng)]
        grid = _grid(hw, uniform(-math.pi, math.pi, rng), math.exp(uniform(-2.0, 0.0, rng)), rng)
        pixels, _labels = _sample(item.images[0], item.labels[0], grid)
        grey = pixels.mean(dim=0)
        pieces.append((grey - grey.mean()) / (grey.std() + 0.02))
    return torch.stack(pieces)
