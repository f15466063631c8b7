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
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from napari_sam.training.fields import chance, looked_up, smooth_noise, uniform, unit_grid, whole

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
    return _by_channel(np.array(image, dtype=np.uint8)), np.array(labels, dtype=np.int32)


def _by_channel(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Keep ``(H, W, 3)`` channel by channel in memory, and a grey one once: both are read faster."""
    channels = np.ascontiguousarray(image.transpose(2, 0, 1))
    if (channels[0] == channels[1]).all() and (channels[0] == channels[2]).all():
        strides = (*channels[0].strides, 0)
        return np.lib.stride_tricks.as_strided(channels[0].copy(), image.shape, strides, writeable=True)
    return channels.transpose(1, 2, 0)


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
        y, x = _places(hw, turn + more_turn, zoom * more_zoom, rng)
        x = x * flip + (centre[0] + worn * uniform(-0.04, 0.04, rng))
        y = y + (centre[1] + worn * uniform(-0.04, 0.04, rng))
        if worn:
            bend = smooth_noise(2, hw, uniform(2, 6, rng), rng) * uniform(0.0, 0.02, rng)
            x, y = x + bend[0], y + bend[1]
        look_up = _LookUp(item.images[frame].shape[:2], y, x)
        images.append(look_up.pixels(item.images[frame]))
        labels.append(look_up.labels(item.labels[frame]))
    if all(image.stride(0) == 0 for image in images):  # grey: all channels are one
        return torch.stack([image[:1] for image in images]).expand(-1, 3, -1, -1), torch.stack(labels)
    return torch.stack(images), torch.stack(labels)


def _places(hw: tuple[int, int], turn: float, zoom: float, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Give sampling positions y and x, each ``(H, W)``, for a turned and scaled view."""
    yy, xx = unit_grid(hw, rng.device)
    yy, xx = yy[:, :1], xx[:1]
    cos, sin = math.cos(turn) * zoom, math.sin(turn) * zoom
    return sin * xx + cos * yy, cos * xx - sin * yy


class _LookUp:
    """Looks up a picture of a size at places ``(H, W)``, the longer side from -1 to 1; mirrored outside.

    Only the part of the picture that is seen is read.
    """

    def __init__(self, size: tuple[int, int], y: Tensor, x: Tensor) -> None:
        half = max(size) / 2
        self._y = _mirrored(y * half + size[0] / 2, size[0])
        self._x = _mirrored(x * half + size[1] / 2, size[1])
        self._rows, self._columns = _seen(self._y, size[0]), _seen(self._x, size[1])

    def pixels(self, image: NDArray[np.uint8]) -> Tensor:
        """Look up an ``(h, w, 3)`` picture between its pixels; ``(3, H, W)`` from 0 to 1."""
        if image.strides[2] == 0:
            return self.mean(image).expand(3, -1, -1)
        seen = torch.as_tensor(image[self._rows, self._columns]).to(self._y.device)
        return self._between(seen.permute(2, 0, 1).float().div_(255))

    def mean(self, image: NDArray[np.uint8]) -> Tensor:
        """Look up the mean of an ``(h, w, 3)`` picture's channels; ``(H, W)`` from 0 to 1."""
        grey = image.strides[2] == 0
        seen = torch.as_tensor(image[self._rows, self._columns, : 1 if grey else 3]).to(self._y.device)
        total = seen.sum(dim=2, dtype=torch.float32)
        return self._between(total.div_(255 * seen.shape[2])[None])[0]

    def labels(self, labels: NDArray[np.int32]) -> Tensor:
        """Look up the nearest of labels ``(h, w)``; ``(H, W)`` int64."""
        seen = torch.as_tensor(np.ascontiguousarray(labels[self._rows, self._columns])).to(self._y.device)
        row = (self._y - self._rows.start).round_().long()
        column = (self._x - self._columns.start).round_().long()
        return looked_up(seen.reshape(-1), row.mul_(seen.shape[1]).add_(column)).long()

    def _between(self, seen: Tensor) -> Tensor:
        height, width = seen.shape[1:]
        at = self._x.new_empty(*self._x.shape, 2)
        for axis, (place, start, size) in enumerate(
            ((self._x, self._columns.start, width), (self._y, self._rows.start, height))
        ):
            step = 2 / max(size - 1, 1)
            torch.mul(place, step, out=at[..., axis]).sub_(start * step + 1)
        return F.grid_sample(seen[None], at[None], padding_mode="border", align_corners=True)[0]


def _mirrored(place: Tensor, size: int) -> Tensor:
    """Bring places, from 0 to `size` within the picture, to the middles of pixels from 0 to `size` - 1."""
    low, high = torch.aminmax(place)
    if float(low) < -size or float(high) > 2 * size:
        place = place.remainder(2 * size)
    if float(low) < 0 or float(high) > size:
        place = (place.abs() - size).abs_().neg_().add_(size)
    return (place - 0.5).clamp_(0, size - 1)


def _seen(place: Tensor, size: int) -> slice:
    """Give the rows or columns that are looked at."""
    low, high = torch.aminmax(place)
    return slice(math.floor(float(low)), min(math.ceil(float(high)) + 1, size))


def draw_textures(
    items: Sequence[LabelledFrames], hw: tuple[int, int], n: int, rng: torch.Generator
) -> Tensor:
    """Cut grey pieces of real pictures, mean 0 and variance 1, ``(n, H, W)``."""
    pieces = []
    for _ in range(n):
        item = items[whole(0, len(items) - 1, rng)]
        y, x = _places(hw, uniform(-math.pi, math.pi, rng), math.exp(uniform(-2.0, 0.0, rng)), rng)
        grey = _LookUp(item.images[0].shape[:2], y, x).mean(item.images[0])
        pieces.append((grey - grey.mean()) / (grey.std() + 0.02))
    return torch.stack(pieces)
