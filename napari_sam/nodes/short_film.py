"""A short film, drawn by formulas, and its truth: a sample of the package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from volumes import Geometry, Provenance, Volume

__all__ = ["FILM_NAMES", "make_short_film"]

FILM_NAMES: dict[int, str] = {1: "fish"}
"""Name of each label value of the film."""

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]

_N_FRAMES, _HEIGHT, _WIDTH = 28, 192, 288
_SEED = 20_261_128
_POST_COLUMNS, _POST_SLANT = (143.0, 199.0), 0.04
_POST: Colour = (0.36, 0.27, 0.2)
_FIRST_COLUMN, _STEP_PX = 42.0, 8.0
_WAVE_PX, _WAVE_FRAMES = 22.0, 5.0
_BLUR_PX, _NOISE = 0.6, 0.012


@dataclass(frozen=True)
class _Patch:
    """An ellipse of one colour: centre and half axes in pixels as (along, across) the fish, turned."""

    centre_px: tuple[float, float]
    half_px: tuple[float, float]
    colour: Colour
    turn_deg: float = 0.0


def make_short_film() -> tuple[Volume, NDArray[np.uint8]]:
    """Draw a fish that swims from left to right, turns, and is hidden by a post; the same every time.

    Returns
    -------
    volume : Volume
        uint8 (28, 192, 288, 3): frames, rows, columns, and red, green and blue.
    labels : NDArray[uint8], shape (28, 192, 288)
        The truth, values as in `FILM_NAMES`: what can be seen of the fish. There are frames without it.
    """
    random = np.random.default_rng(_SEED)
    ground, post = _ground(random), _post()
    frames = np.empty((_N_FRAMES, _HEIGHT, _WIDTH, 3), dtype=np.uint8)
    labels = np.zeros((_N_FRAMES, _HEIGHT, _WIDTH), dtype=np.uint8)
    for index in range(_N_FRAMES):
        picture = ground.copy()
        seen = np.zeros((_HEIGHT, _WIDTH))
        for patch, share in _fish_at(index):
            picture += share[..., None] * (np.array(patch.colour) - picture)
            seen = np.maximum(seen, share)
        picture += post[..., None] * (_grain(post.shape)[..., None] * _POST - picture)
        labels[index][np.minimum(seen, 1.0 - post) >= 0.5] = 1
        frames[index] = _photographed(picture, index, random)
    notes = ("drawn by formulas", "the planes are frames, taken as 1 mm apart")
    geometry = Geometry.from_spacing(labels.shape)
    return Volume(frames, geometry, Provenance(format="drawn", notes=notes)), labels


def _fish_at(index: int) -> list[tuple[_Patch, Floats]]:
    """Return the parts of the fish in a frame, each with the share of every pixel that it fills."""
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH].astype(np.float64)
    phase = index / _WAVE_FRAMES
    middle = (100.0 + _WAVE_PX * np.sin(phase), _FIRST_COLUMN + _STEP_PX * index)
    turn = np.arctan2(_WAVE_PX / _WAVE_FRAMES * np.cos(phase), _STEP_PX)
    shortened = 0.88 + 0.12 * np.cos(index / 4.0)
    along = ((columns - middle[1]) * np.cos(turn) + (rows - middle[0]) * np.sin(turn)) / shortened
    across = (rows - middle[0]) * np.cos(turn) - (columns - middle[1]) * np.sin(turn)
    wag_deg = 18.0 * np.sin(index * 1.1)
    drawn = []
    for patch in _FISH:
        swing = wag_deg if patch in _TAIL else 0.0
        drawn.append((patch, _share(patch, along, across, swing)))
    return drawn


def _share(patch: _Patch, along: Floats, across: Floats, swing_deg: float) -> Floats:
    """Return the share of each pixel that an ellipse fills, 0 to 1."""
    turn = np.deg2rad(patch.turn_deg + swing_deg)
    u, v = along - patch.centre_px[0], across - patch.centre_px[1]
    u, v = u * np.cos(turn) + v * np.sin(turn), v * np.cos(turn) - u * np.sin(turn)
    long, short = patch.half_px
    level = np.hypot(u / long, v / short)
    slope = np.hypot(u / long**2, v / short**2) + 1e-9
    return np.asarray(np.clip(0.5 - level * (level - 1.0) / slope, 0.0, 1.0))


def _ground(random: np.random.Generator) -> Floats:
    """Return water with stones and weeds, (H, W, 3) from 0 to 1."""
    rows = np.linspace(0.0, 1.0, _HEIGHT)[:, None, None]
    picture = np.broadcast_to((0.16, 0.42, 0.5) + rows * np.array((0.2, -0.06, -0.2)), (_HEIGHT, _WIDTH, 3))
    picture = picture + 0.05 * _cloud(random, 14.0)[..., None]
    y, x = np.mgrid[:_HEIGHT, :_WIDTH].astype(np.float64)
    for number in range(26):
        is_weed = number % 2 == 0
        half = (random.uniform(16, 34), random.uniform(2, 4)) if is_weed else tuple(random.uniform(5, 14, 2))
        place = (random.uniform(0, _WIDTH), random.uniform(0.35 * _HEIGHT, _HEIGHT))
        tone = random.uniform(0.75, 1.25)
        colour = np.array((0.2, 0.42, 0.2) if is_weed else (0.42, 0.42, 0.44)) * tone
        tilt_deg = random.uniform(60, 120) if is_weed else random.uniform(0, 180)
        blot = _Patch((0.0, 0.0), (float(half[0]), float(half[1])), (0.0, 0.0, 0.0), float(tilt_deg))
        share = _share(blot, x - place[0], y - place[1], 0.0)
        picture += share[..., None] * (colour - picture)
    return np.asarray(picture + 0.025 * _cloud(random, 2.0)[..., None])


def _cloud(random: np.random.Generator, grain_px: float) -> Floats:
    """Return smooth noise (H, W) of standard deviation 1."""
    noise = ndimage.gaussian_filter(random.standard_normal((_HEIGHT, _WIDTH)), grain_px)
    return np.asarray(noise / noise.std())


def _post() -> Floats:
    """Return the share of each pixel (H, W) that the post before the fish fills."""
    rows, columns = np.mgrid[:_HEIGHT, :_WIDTH].astype(np.float64)
    shifted = columns - _POST_SLANT * (rows - _HEIGHT / 2)
    left, right = _POST_COLUMNS
    return np.asarray(np.clip(np.minimum(shifted - left, right - shifted) + 0.5, 0.0, 1.0))


def _grain(shape: tuple[int, ...]) -> Floats:
    """Return the grain of wood along the columns, around 1."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float64)
    return np.asarray(1.0 + 0.12 * np.sin(columns * 0.9 + 1.5 * np.sin(rows / 23.0)))


def _photographed(picture: Floats, index: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Light a frame as water does, blur it and add noise."""
    lit = picture * (1.0 + 0.03 * np.sin(index / 2.0))
    seen = ndimage.gaussian_filter(lit, (_BLUR_PX, _BLUR_PX, 0.0))
    noisy = np.clip(seen + _NOISE * random.standard_normal(seen.shape), 0.0, 1.0)
    return np.asarray((noisy * 255).astype(np.uint8))


_TAIL = (_Patch((-23.0, 0.0), (8.0, 12.0), (0.86, 0.18, 0.14)),)
_FISH = (
    *_TAIL,
    _Patch((-2.0, -10.0), (9.0, 5.0), (0.86, 0.18, 0.14)),
    _Patch((0.0, 0.0), (24.0, 13.0), (0.95, 0.62, 0.12)),
    _Patch((-8.0, 0.0), (4.0, 11.2), (0.97, 0.95, 0.9)),
    _Patch((6.0, 0.0), (3.6, 12.0), (0.97, 0.95, 0.9)),
    _Patch((0.0, 4.0), (7.0, 3.5), (0.86, 0.18, 0.14), 15.0),
    _Patch((15.0, -3.5), (3.2, 3.2), (0.97, 0.95, 0.9)),
    _Patch((15.8, -3.5), (1.6, 1.6), (0.05, 0.05, 0.08)),
)
