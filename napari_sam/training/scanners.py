"""What CT and MR scanners do to a picture: thick slices, noise with a grain, bias, cut frequencies, rays.

MR scanners measure frequencies, fewer than the picture has pixels, and fill the others with zeros: edges
ring, noise is as coarse as the measurement, and small things are smooth and wavy. CT noise has the grain of
the reconstruction's filter and runs out into stripes where few rays came through; metal throws rays.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from napari_sam.training.fields import blur, chance, smooth_noise, uniform, unit_grid, whole

THICK_SHARE = 0.35
"""How often a plane shows some of the next one, as thick slices do."""

CUT_SHARE = 0.4
"""How often an MR picture has far fewer frequencies than pixels."""

STRIPED_SHARE = 0.12
"""How often CT noise runs out into stripes."""

METAL_SHARE = 0.03
"""How often there is metal in a CT picture."""


def thicken(image: Tensor, rng: torch.Generator) -> Tensor:
    """Mix some of the other plane into each, ``(2, H, W)``: slices are thicker than their distance."""
    if not chance(THICK_SHARE, rng):
        return image
    share = uniform(0.05, 0.25, rng)
    return torch.lerp(image, image.flip(0), share)


def scan_mr(image: Tensor, rng: torch.Generator) -> Tensor:
    """Show tones as an MR scanner does.

    Parameters
    ----------
    image : Tensor
        ``(2, H, W)``, about 0 to 1.
    rng : torch.Generator
        Where chance comes from.

    Returns
    -------
    Tensor
        ``(2, H, W)`` from 0 to 1, the brightest pixels cut.
    """
    hw = (image.shape[1], image.shape[2])
    image = _bias(thicken(image, rng), rng)
    noise = torch.randn(2, *image.shape, generator=rng, device=rng.device)
    amount = math.exp(uniform(math.log(0.004), math.log(0.07), rng))
    noise.mul_(amount)[0].add_(image)
    if min(hw) >= 16 and chance(CUT_SHARE, rng):
        noise[0] = _cut_frequencies(noise[0], rng)
    image = noise.square_().sum(dim=0).sqrt_()
    high = torch.quantile(image[:, ::4, ::4].flatten(), uniform(0.96, 0.999, rng)).clamp(min=0.2)
    return (image / high).clamp_(0, 1)


def _bias(image: Tensor, rng: torch.Generator) -> Tensor:
    """Light a picture unevenly: weakly everywhere, or strongly near a surface coil."""
    hw = (image.shape[1], image.shape[2])
    if chance(0.7, rng):
        field = smooth_noise(1, hw, uniform(1.0, 2.5, rng), rng)
        image = image * torch.exp(field * uniform(0.05, 0.35, rng))
    if chance(0.25, rng):
        coil = smooth_noise(1, hw, 1.2, rng)
        image = image * torch.sigmoid(1.0 + coil * uniform(0.5, 2.0, rng))
    elif chance(0.12, rng):  # one that lies on a side, and sees a few centimetres deep
        yy, xx = unit_grid(hw, rng.device)
        turn, reach = uniform(0, 2 * math.pi, rng), uniform(0.6, 1.6, rng)
        away = torch.hypot(yy - 1.1 * math.sin(turn), xx - 1.1 * math.cos(turn))
        image = image * (0.15 + 2.0 * torch.exp(-away / reach))
    return image


def _cut_frequencies(image: Tensor, rng: torch.Generator) -> Tensor:
    """Keep the low frequencies of ``(2, H, W)``, in one direction at times fewer than in the other."""
    kept = uniform(0.25, 0.9, rng)
    fewer = uniform(0.6, 1.0, rng)
    shares = (kept, kept * fewer) if chance(0.5, rng) else (kept * fewer, kept)
    soft = whole(0, 3, rng)  # how smoothly the measurement's edge is weighed down
    rows, columns = (
        _low_pass(size, max(8, round(size * share / 4) * 4), soft, image.device)
        for size, share in zip(image.shape[1:], shares, strict=True)
    )
    if chance(0.3, rng):  # only one direction is coarse
        return image @ columns if chance(0.5, rng) else rows @ image
    return rows @ image @ columns


@lru_cache(maxsize=96)
def _low_pass(size: int, n_kept: int, soft: int, device: torch.device) -> Tensor:
    """Give the matrix ``(size, size)`` that leaves `n_kept` frequencies of a mirrored row of pixels.

    With `soft` from 0 to 3 the highest ones are weakened more, which rings less.
    """
    n_kept = min(n_kept, size)
    order = torch.arange(n_kept, device=device, dtype=torch.float32)
    place = torch.arange(size, device=device, dtype=torch.float32)
    waves = torch.cos(math.pi / size * order[:, None] * (place[None] + 0.5)) * math.sqrt(2 / size)
    waves[0] = math.sqrt(1 / size)
    weights = 1 - soft / 3 * 0.9 * torch.sin(math.pi / 2 * order / n_kept).square()
    return (waves.T * weights) @ waves


def scan_ct(image: Tensor, noise_hu: float, rng: torch.Generator) -> Tensor:
    """Show Hounsfield units ``(2, H, W)`` as a CT scanner does, with noise of a strength; changes them."""
    image = thicken(image, rng)
    noise = torch.randn(image.shape, generator=rng, device=rng.device)
    noise = blur(noise, uniform(0.3, 1.5, rng))
    if chance(STRIPED_SHARE, rng):
        noise = noise.div_(noise.std() + 1e-6).add_(_stripes(image, rng))
    image = image.add(noise.mul_(noise_hu / (noise.std() + 1e-6)))
    return _with_metal(image, rng) if chance(METAL_SHARE, rng) else image


def _stripes(image: Tensor, rng: torch.Generator) -> Tensor:
    """Draw stripes across a body, strongest in its middle, where the fewest rays come through."""
    hw = (image.shape[1], image.shape[2])
    wide = max(2, round(hw[1] / uniform(12, 60, rng)))
    few = torch.randn(2, hw[0], wide, generator=rng, device=rng.device)
    drawn = torch.nn.functional.interpolate(few, size=hw[1], mode="linear")
    yy, _ = unit_grid(hw, rng.device)
    band = torch.exp(-(((yy[:, :1] - uniform(-0.3, 0.3, rng)) / uniform(0.15, 0.8, rng)) ** 2))
    return drawn.mul_(band * uniform(0.5, 3.0, rng))


def _with_metal(image: Tensor, rng: torch.Generator) -> Tensor:
    """Put a piece of metal into Hounsfield units, and the dark and bright rays that it throws."""
    hw = (image.shape[1], image.shape[2])
    yy, xx = unit_grid(hw, rng.device)
    yy, xx = yy - uniform(-0.5, 0.5, rng), xx - uniform(-0.6, 0.6, rng)
    away = torch.hypot(yy, xx)
    angle = torch.atan2(yy, xx)
    size = uniform(0.01, 0.05, rng)
    rays = torch.sin(angle * whole(2, 9, rng) + uniform(0, 6, rng)) ** 3
    rays += 0.5 * torch.sin(angle * whole(15, 60, rng) + uniform(0, 6, rng))
    strength = uniform(40, 400, rng) / (1 + away / (2 * size))
    return torch.where(away < size, 3000.0, image + rays * strength)
