"""The pictures on which sessions are played: what was drawn, as a viewer may show it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_sam.zoo.builtin import PIXEL_MEAN, PIXEL_STD

__all__ = ["as_picture", "as_pictures", "as_shown"]

WINDOWED, BRIGHTENED, INVERTED, COLOURED = 0.3, 0.3, 0.1, 0.15
"""How often a picture is seen in a window of its levels, brighter or darker, inverted, and in colours."""

CUT_OFF = 0.06
"""At most so many of the darkest pixels, and of the brightest, are beyond a window."""

LEAST_WIDTH = 40.0
"""Of a window, in levels."""

BRIGHTNESS = 0.35
"""Spread of the logarithm of gamma."""

DARK, BRIGHT = (0.0, 90.0), (140.0, 255.0)
"""Between what the darkest and the brightest colour lie, in each channel."""


def as_pictures(pixels: Tensor) -> NDArray[np.uint8]:
    """Turn inputs ``(N, 3, S, S)`` into pictures: ``(N, S, S)`` if all are grey, else ``(N, S, S, 3)``."""
    pictures = [as_picture(one) for one in pixels]
    if any(one.ndim == 3 for one in pictures):
        pictures = [one if one.ndim == 3 else np.repeat(one[..., None], 3, axis=2) for one in pictures]
    return np.stack(pictures)


def as_picture(pixels: Tensor) -> NDArray[np.uint8]:
    """Turn a model's input ``(3, S, S)`` into the picture that it was, ``(S, S)`` where it is grey."""
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (PIXEL_MEAN, PIXEL_STD))
    levels = (pixels * std + mean).round().clamp(0, 255).to(torch.uint8).numpy()
    is_grey = bool((levels == levels[0]).all())
    return np.ascontiguousarray(levels[0] if is_grey else levels.transpose(1, 2, 0))


def as_shown(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Show a picture as people may: in a window, brighter or darker, inverted, in colours, or as it is.

    Parameters
    ----------
    picture : NDArray[uint8], shape (H, W) or (H, W, 3)
        What was drawn.
    rng : numpy.random.Generator
        Where chance comes from.

    Returns
    -------
    NDArray[uint8]
        Of the same shape, or ``(H, W, 3)`` where a grey one was coloured.
    """
    levels = picture.astype(np.float64)
    if rng.random() < WINDOWED:
        low, high = np.quantile(levels, [rng.uniform(0, CUT_OFF), rng.uniform(1 - CUT_OFF, 1)])
        levels = 255 * ((levels - low) / max(LEAST_WIDTH, high - low)).clip(0, 1)
    if rng.random() < BRIGHTENED:
        levels = 255 * (levels / 255) ** np.exp(BRIGHTNESS * rng.standard_normal())
    if rng.random() < INVERTED:
        levels = 255 - levels
    if picture.ndim == 2 and rng.random() < COLOURED:
        ends = rng.uniform(*DARK, 3), rng.uniform(*BRIGHT, 3)
        dark, bright = ends if rng.random() < 0.5 else ends[::-1]
        levels = dark + (bright - dark) * (levels[..., None] / 255)
    return levels.round().clip(0, 255).astype(np.uint8)
