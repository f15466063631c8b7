"""How ends look between two planes of a volume: slabs have a thickness, and something comes in the place.

A plane shows a slab. So the last plane of an object is pale, a plane or two beyond it there may be a
ghost, and where an object shrinks its old outline shines through. What is less than half there is
gone, as people draw it: ghosts stay below half of the object's contrast, what goes on stays above.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from napari_sam.training.fields import blur, chance, uniform
from napari_sam.training.scene import Scene

FLAT = frozenset({"photographs", "figures", "blood", "film", "ultrasound", "regions", "vessels"})
"""Kinds of scenes whose second plane is no slab beside the first."""

MOST = 3
"""Most objects of a pair that are softened towards their ends: it takes time."""

CHANGING = 0.25
"""Part of the pairs in which an object that goes on changes its grey."""

LEAST_AREA = 16
"""Least area in the first plane, in pixels, of an object that is softened."""

SHRINKING = 0.8
"""An object that keeps less of its area than this is softened."""

_MARGIN = 5


class _Window(NamedTuple):
    """A label in its window, ``(2, h, w)`` bool, and its grey less that around it, ``(C, 1, 1)``."""

    rows: slice
    columns: slice
    here: Tensor
    contrast: Tensor


def soften_ends(image: Tensor, scene: Scene, rng: torch.Generator) -> Tensor:
    """Show the slabs' thickness where objects end or are near their end.

    Parameters
    ----------
    image : Tensor
        ``(2, 3, H, W)``, 0 to 1, as painted.
    scene : Scene
        What was painted.
    rng : torch.Generator
        Where chance comes from.

    Returns
    -------
    Tensor
        ``(2, 3, H, W)``, 0 to 1; the same where there is nothing to soften.
    """
    if scene.kind in FLAT or not chance(0.8, rng):
        return image
    labels = scene.labels
    found, going_on = _near_ends(scene)
    changing = _some(going_on, rng, 1) if chance(CHANGING, rng) else []
    if not found and not changing:
        return image
    grey = image[:, :1] if image.stride(1) == 0 else image
    grey = grey.clone()
    for label in changing:
        _change(grey, labels, label, uniform(-0.45, 0.35, rng))
    ghost, paling = uniform(0.05, 0.5, rng), uniform(0.0, 0.5, rng)
    for label in _some(found, rng, MOST):
        _soften(grey, labels, label, (ghost, paling), rng)
    return grey.clamp_(0, 1).expand(-1, 3, -1, -1)


def _near_ends(scene: Scene) -> tuple[list[int], list[int]]:
    """List objects that end or shrink, and those that go on, as a quarter of the pixels tell."""
    few = scene.labels[:, ::2, ::2]
    n_labels = int(few.max()) + 1
    areas = torch.stack([torch.bincount(plane.flatten(), minlength=n_labels) for plane in few])
    areas[:, [0, *(label for label in scene.backdrop if label < n_labels)]] = 0
    fit = (4 * areas[0] >= LEAST_AREA) & (areas[0] < 0.5 * few[0].numel())
    less = areas[1] < SHRINKING * areas[0]
    return torch.nonzero(fit & less)[:, 0].tolist(), torch.nonzero(fit & ~less)[:, 0].tolist()


def _some(found: list[int], rng: torch.Generator, most: int) -> list[int]:
    order = torch.randperm(len(found), generator=rng, device=rng.device)[:most]
    return [found[index] for index in order.tolist()]


def _change(grey: Tensor, labels: Tensor, label: int, amount: float) -> None:
    """Let an object that goes on stand out less or more in the second plane of ``grey``, in place."""
    found = _look(grey, labels, label)
    if found is not None:
        here = blur(found.here[1:].float(), 0.6)
        grey[1, :, found.rows, found.columns] += amount * here * found.contrast


def _soften(grey: Tensor, labels: Tensor, label: int, how: tuple[float, float], rng: torch.Generator) -> None:
    """Change ``grey (2, C, H, W)`` in place: `how` is the ghost's share and the paling."""
    found = _look(grey, labels, label)
    if found is None:
        return
    ghost, paling = how
    planes = grey[:, :, found.rows, found.columns]
    sigma = min(uniform(0.5, 0.12 * min(found.here.shape[1:]) + 0.6, rng), 2.4)
    first, second = blur(found.here.float(), sigma)
    step = planes[0] - planes[1]
    if not bool((labels[1] == label).any()):  # it ended
        smaller = uniform(0.0, 0.5, rng)  # the body tapers within the slab
        left = ((first - smaller) / (1 - smaller)).clamp(min=0)
        planes[1] += ghost * uniform(0.6, 1.0, rng) * left * step
        planes[0] -= paling * uniform(0.2, 1.0, rng) * first * step
    else:
        planes[1] += ghost * uniform(0.3, 1.0, rng) * (first - second).clamp(min=0) * step
        planes[1] -= paling * uniform(0.3, 1.0, rng) * second * found.contrast


def _look(grey: Tensor, labels: Tensor, label: int) -> _Window | None:
    """Cut a label's window in the first plane, a little larger, and measure how it stands out."""
    mask = labels[0] == label
    rows, columns = (torch.nonzero(mask.any(dim=dim))[:, 0] for dim in (1, 0))
    height, width = labels.shape[1:]
    window = (
        slice(max(int(rows[0]) - _MARGIN, 0), min(int(rows[-1]) + 1 + _MARGIN, height)),
        slice(max(int(columns[0]) - _MARGIN, 0), min(int(columns[-1]) + 1 + _MARGIN, width)),
    )
    here = labels[:, window[0], window[1]] == label
    inside = here[0].float()
    around = F.max_pool2d(inside[None], 7, stride=1, padding=3)[0] - inside
    if float(around.sum()) < 1:
        return None
    first = grey[0][:, window[0], window[1]]
    contrast = (first * inside).sum((1, 2)) / inside.sum() - (first * around).sum((1, 2)) / around.sum()
    return _Window(*window, here, contrast.view(-1, 1, 1))
