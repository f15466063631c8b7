"""Random smooth fields: what generated pictures are built from.

Every function takes the random generator that it draws from and runs on that
generator's device, so that one seed gives one picture.
"""

from __future__ import annotations

import math
import threading
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

_CUBIC = ((0.0, 1.0, 0.0, 0.0), (-0.75, 0.0, 0.75, 0.0), (1.5, -2.25, 1.5, -0.75), (-0.75, 1.25, -1.25, 0.75))
"""Weights of the four points around a place, by powers of how far it lies behind the second one."""


class _Cell(threading.local):
    """Where a thread draws single numbers, which are many: making a tensor for each takes twice as long."""

    def __init__(self) -> None:
        self.number = torch.zeros(())


_CELL = _Cell()


def uniform(low: float, high: float, rng: torch.Generator) -> float:
    """Draw one number from ``low`` to ``high``."""
    if rng.device.type != "cpu":
        return low + (high - low) * float(torch.rand((), generator=rng, device=rng.device))
    return low + (high - low) * float(_CELL.number.uniform_(generator=rng).item())


def chance(probability: float, rng: torch.Generator) -> bool:
    """Say yes with a probability."""
    return uniform(0.0, 1.0, rng) < probability


def whole(low: int, high: int, rng: torch.Generator) -> int:
    """Draw one whole number from ``low`` to ``high``, both included."""
    return int(torch.randint(low, high + 1, (), generator=rng, device=rng.device))


def smooth_noise(n_fields: int, hw: tuple[int, int], n_cells: float, rng: torch.Generator) -> Tensor:
    """Draw fields of about unit variance that vary over ``1 / n_cells`` of the longer side.

    Returns
    -------
    Tensor
        ``(n_fields, H, W)`` float32.
    """
    coarse_hw = _coarse(hw, n_cells)
    coarse = torch.randn(n_fields, *coarse_hw, generator=rng, device=rng.device)
    return coarse if coarse_hw == hw else _enlarge(coarse, hw)


def noise_pairs(
    n_fields: int, hw: tuple[int, int], n_cells: float, angle: float, rng: torch.Generator
) -> Tensor:
    """Draw smooth noise for two neighbouring planes, `angle` apart as in `rotate_noise`.

    Returns
    -------
    Tensor
        ``(n_fields, 2, H, W)`` float32.
    """
    coarse_hw = _coarse(hw, n_cells)
    first, other = torch.randn(2, n_fields, *coarse_hw, generator=rng, device=rng.device)
    both = torch.stack([first, rotate_noise(first, other, angle)], dim=1)
    return both if coarse_hw == hw else _enlarge(both, hw)


def _coarse(hw: tuple[int, int], n_cells: float) -> tuple[int, int]:
    """Give the size of the lattice that noise is drawn on, at most the picture's."""
    cell = max(hw) / max(n_cells, 1.0)
    rows, columns = (max(2, round(size / cell) + 1) for size in hw)
    return hw if rows >= hw[0] and columns >= hw[1] else (rows, columns)


def _enlarge(coarse: Tensor, hw: tuple[int, int]) -> Tensor:
    """Enlarge ``(…, h, w)`` to ``(…, H, W)`` with smooth (cubic) weights."""
    rows = _cubic_weights(coarse.shape[-2], hw[0], coarse.device)
    columns = _cubic_weights(coarse.shape[-1], hw[1], coarse.device)
    return rows @ (coarse @ columns.T)


@lru_cache(maxsize=2048)
def _cubic_weights(n: int, size: int, device: torch.device) -> Tensor:
    """Give what each of `n` lattice points contributes to each of `size` pixels; ``(size, n)``.

    Cubic convolution after Keys, "Cubic convolution interpolation for digital image processing" (1981).
    """
    place = torch.arange(0.5, size, device=device).mul_(n / size).sub_(0.5)
    before = place.floor()
    powers = torch.stack([torch.ones_like(place), place.sub_(before), place * place, place**3], dim=1)
    taps = powers @ torch.tensor(_CUBIC, device=device)
    points = (before.long()[:, None] + torch.arange(-1, 3, device=device)).clamp_(0, n - 1)
    return torch.zeros(size, n, device=device).scatter_add_(1, points, taps)


def octaves(hw: tuple[int, int], n_cells: float, n_octaves: int, rng: torch.Generator) -> Tensor:
    """Add up noise of doubling frequency and falling strength; gives ``(H, W)``, about unit variance."""
    total = torch.zeros(hw, device=rng.device)
    for octave in range(n_octaves):
        total.add_(smooth_noise(1, hw, n_cells * 2**octave, rng)[0], alpha=1 / 1.6**octave)
    return total.div_(total.std() + 1e-6)


def rotate_noise(first: Tensor, second: Tensor, angle: float) -> Tensor:
    """Move along a third axis: noise fields a small angle apart are alike, as neighbouring planes are."""
    return math.cos(angle) * first + math.sin(angle) * second


def looked_up(table: Tensor, labels: Tensor) -> Tensor:
    """Give each label's entry of a table ``(n,)``, in the shape of `labels` (int64)."""
    return table.index_select(0, labels.reshape(-1)).view(labels.shape)


def blur(image: Tensor, sigma: float) -> Tensor:
    """Blur ``(C, H, W)`` with a Gaussian of `sigma` pixels; nearly none leaves it as it is."""
    if sigma < 0.25:
        return image
    radius = min(max(1, math.ceil(2.5 * sigma)), min(image.shape[-2:]) - 1)
    weights = [math.exp(-0.5 * (i / sigma) ** 2) for i in range(radius + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    weights = [weight / total for weight in weights]
    blurred = torch.empty(image.shape, dtype=image.dtype, device=image.device)
    for i in range(len(image)):  # plane by plane, so that one stays in the cache
        _spread(_spread(image[i : i + 1], 1, weights), 2, weights, blurred[i : i + 1])
    return blurred


def _spread(plane: Tensor, dim: int, weights: list[float], out: Tensor | None = None) -> Tensor:
    """Weigh ``(1, H, W)`` with its mirrored neighbours along rows or columns."""
    radius, size = len(weights) - 1, plane.shape[dim]
    padding = (0, 0, radius, radius) if dim == 1 else (radius, radius, 0, 0)
    padded = F.pad(plane, padding, mode="reflect")
    out = torch.mul(padded.narrow(dim, radius, size), weights[0], out=out)
    for i in range(1, radius + 1):
        out.add_(padded.narrow(dim, radius - i, size), alpha=weights[i])
        out.add_(padded.narrow(dim, radius + i, size), alpha=weights[i])
    return out


def unit_grid(hw: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Give the rows' and columns' positions, the longer side from -1 to 1; each ``(H, W)``."""
    height, width = hw
    longest = max(hw)
    y = (torch.arange(height, device=device) + 0.5 - height / 2) * (2 / longest)
    x = (torch.arange(width, device=device) + 0.5 - width / 2) * (2 / longest)
    yy, xx = torch.meshgrid(y, x, indexing="ij")
    return yy, xx
