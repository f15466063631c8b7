"""Random smooth fields: what generated pictures are built from.

Every function takes the random generator that it draws from and runs on that
generator's device, so that one seed gives one picture.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F


def uniform(low: float, high: float, rng: torch.Generator) -> float:
    """Draw one number from ``low`` to ``high``."""
    return low + (high - low) * float(torch.rand((), generator=rng, device=rng.device))


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
    height, width = hw
    cell = max(height, width) / max(n_cells, 1.0)
    coarse_hw = (max(2, round(height / cell) + 1), max(2, round(width / cell) + 1))
    if coarse_hw[0] >= height and coarse_hw[1] >= width:
        return torch.randn(n_fields, height, width, generator=rng, device=rng.device)
    coarse = torch.randn(1, n_fields, *coarse_hw, generator=rng, device=rng.device)
    return F.interpolate(coarse, size=hw, mode="bicubic", align_corners=False)[0]


def octaves(hw: tuple[int, int], n_cells: float, n_octaves: int, rng: torch.Generator) -> Tensor:
    """Add up noise of doubling frequency and falling strength; gives ``(H, W)``, about unit variance."""
    total = torch.zeros(hw, device=rng.device)
    for octave in range(n_octaves):
        total = total + smooth_noise(1, hw, n_cells * 2**octave, rng)[0] / 1.6**octave
    return total / (total.std() + 1e-6)


def rotate_noise(first: Tensor, second: Tensor, angle: float) -> Tensor:
    """Move along a third axis: noise fields a small angle apart are alike, as neighbouring planes are."""
    return math.cos(angle) * first + math.sin(angle) * second


def blur(image: Tensor, sigma: float) -> Tensor:
    """Blur ``(C, H, W)`` with a Gaussian of `sigma` pixels; nearly none leaves it as it is."""
    if sigma < 0.25:
        return image
    radius = max(1, math.ceil(2.5 * sigma))
    radius = min(radius, min(image.shape[-2:]) - 1)
    x = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    kernel = torch.exp(-0.5 * (x / sigma) ** 2)
    kernel = kernel / kernel.sum()
    stack = F.pad(image.unsqueeze(1), (radius, radius, radius, radius), mode="reflect")
    stack = F.conv2d(F.conv2d(stack, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))
    return stack.squeeze(1)


def unit_grid(hw: tuple[int, int], device: torch.device) -> tuple[Tensor, Tensor]:
    """Give the rows' and columns' positions, the longer side from -1 to 1; each ``(H, W)``."""
    height, width = hw
    longest = max(hw)
    y = (torch.arange(height, device=device) + 0.5 - height / 2) * (2 / longest)
    x = (torch.arange(width, device=device) + 0.5 - width / 2) * (2 / longest)
    yy, xx = torch.meshgrid(y, x, indexing="ij")
    return yy, xx
