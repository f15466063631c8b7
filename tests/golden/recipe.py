"""Weights, pictures and prompts that are the same numbers wherever they are made.

Nothing here comes from a random number generator of a library: each number is a hash of a name and of its
place, in whole-number arithmetic. So the small models of the golden tests need not be stored, only what a
reference implementation answers with them.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks._answers import Asked

N_SAMPLED = 512
"""Numbers that are kept of a large array."""


def uniform(name: str, n: int) -> NDArray[np.float64]:
    """Give `n` numbers from -1 to 1 that depend on a name alone (SplitMix64, Steele et al., 2014)."""
    seed = np.uint64(zlib.crc32(name.encode()))
    with np.errstate(over="ignore"):
        state = (seed << np.uint64(32)) + np.arange(1, n + 1, dtype=np.uint64)
        state = state * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state = state ^ (state >> np.uint64(31))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-52 - 1.0


def fill(state: Mapping[str, Tensor]) -> None:
    """Overwrite the tensors of a model's state, each with numbers that depend on its name and shape.

    Their spreads are such that signals neither vanish nor explode, and that every part has a say.
    """
    for name, tensor in state.items():
        if not tensor.is_floating_point():
            tensor.zero_()
            continue
        centre, spread = _centre_and_spread(name, tensor)
        values = centre + spread * uniform(name, tensor.numel())
        tensor.copy_(torch.from_numpy(values).reshape(tensor.shape))


def _centre_and_spread(name: str, tensor: Tensor) -> tuple[float, float]:
    if name.endswith("running_var"):
        return 1.0, 0.3
    if name.endswith("positional_encoding_gaussian_matrix"):
        return 0.0, 1.7
    if "pos" in name or "attention_biases" in name:
        return 0.0, 0.5
    if tensor.ndim == 1:
        return (1.0 if name.endswith("weight") else 0.0), 0.2
    return 0.0, 1.2 * math.sqrt(3 / tensor[0].numel())


def picture(name: str, height: int, width: int, n_channels: int | None) -> NDArray[np.uint8]:
    """Make a picture of blocks with noise; ``(H, W)`` or ``(H, W, 3)`` uint8."""
    rows, columns = np.indices((height, width))
    channels = []
    for channel in range(n_channels or 1):
        n_across = width // 7 + 1
        blocks = uniform(f"{name} {channel} blocks", (height // 9 + 1) * n_across)
        coarse = blocks[(rows // 9) * n_across + columns // 7]
        noise = uniform(f"{name} {channel} noise", height * width).reshape(height, width)
        channels.append(np.floor(127.5 + 100 * coarse + 20 * noise).astype(np.uint8))
    return channels[0] if n_channels is None else np.stack(channels, axis=-1)


PICTURES: dict[str, tuple[int, int, int | None]] = {
    "square": (60, 60, None), "oblong": (41, 90, 3), "large": (310, 270, None), "tiny": (5, 7, 3),
}  # fmt: skip

_POINTS = ((20.0, 30.25, True), (33.5, 12.0, False), (9.0, 41.0, True))
_BOX = (8, 10, 35, 52)

CASES: dict[str, tuple[str, Asked]] = {
    "point": ("square", Asked(((_POINTS[0],),))),
    "negative point": ("square", Asked(((_POINTS[1],),))),
    "points": ("square", Asked((_POINTS,))),
    "box": ("square", Asked(boxes=(_BOX,))),
    "box and points": ("oblong", Asked((_POINTS,), (_BOX,))),
    "point, oblong": ("oblong", Asked(((_POINTS[0],),))),
    "point, large": ("large", Asked((((200.0, 121.5, True),),))),
    "box, tiny": ("tiny", Asked(boxes=((1, 2, 4, 6),))),
    "point and mask": ("square", Asked(((_POINTS[0],),), with_mask=True)),
    "box and mask": ("oblong", Asked(boxes=(_BOX,), with_mask=True)),
    "mask": ("square", Asked(with_mask=True)),
    "three at once": ("square", Asked(tuple((point, _POINTS[0]) for point in _POINTS))),
    "two boxes at once": ("oblong", Asked(boxes=(_BOX, (2, 30, 22, 88)))),
}
"""A picture's name and prompts, by the name of the case."""


def mask_input(side: int) -> Tensor:
    """Give the low-resolution logits ``(1, 1, side, side)`` of a mask prompt."""
    return torch.from_numpy(8 * uniform("mask", side * side).reshape(1, 1, side, side)).float()


def sampled(values: Tensor | NDArray[np.generic]) -> NDArray[np.float32]:
    """Keep at most about `N_SAMPLED` numbers of an array, spread over all its axes."""
    flat = np.asarray(values, dtype=np.float32).reshape(-1)
    return flat[:: max(1, len(flat) // N_SAMPLED) | 1]


@dataclass(frozen=True)
class Sizes:
    """A small configuration of an architecture; numbers of no meaning in it are not used.

    Attributes
    ----------
    side, dim
        Side of the input in pixels, channels of the image embedding.
    widths, depths, heads
        Of the encoder; one number where it has one stage.
    decoder_heads, mlp_dim, iou_hidden
        Of the mask decoder.
    """

    side: int
    dim: int
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    decoder_heads: int = 4
    mlp_dim: int = 64
    iou_hidden: int = 48


SAM_WINDOW, SAM_GLOBAL = 3, (1, 3)
TINY_WINDOWS = (7, 7, 14, 7)

SIZES: dict[str, Sizes] = {
    "segment_anything": Sizes(128, 32, (32,), (4,), (4,)),
    # The reference fixes 1024 pixels, 256 channels, and 320 in the last stage.
    "mobile_sam": Sizes(1024, 256, (16, 24, 32, 320), (1, 1, 2, 1), (1, 2, 2, 10), decoder_heads=8),
    "efficient_sam_ti": Sizes(256, 32, (24,), (3,), (3,)),
    "efficient_sam_s": Sizes(256, 32, (48,), (2,), (6,)),
}

FEW = ("point", "box and points", "point, large", "box, tiny", "point and mask", "three at once")
"""What is asked of MobileSAM, whose decoder is SAM's and whose small form is large."""


def cases_of(family: str) -> dict[str, tuple[str, Asked]]:
    """Give the cases that an architecture can take."""
    if family == "mobile_sam":
        return {name: CASES[name] for name in FEW}
    if family.startswith("efficient"):
        return {name: case for name, case in CASES.items() if not case[1].with_mask}
    return CASES
