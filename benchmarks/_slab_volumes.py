"""Made volumes whose planes show slabs, as scanners' and microscopes' do: what ends are fitted on.

The kinds of `_made_volumes` with what lies above and below mixed into each plane, so that objects are pale
where they end, and at times with what else volumes have: light that fades with depth, uneven slices, mottle.
And two kinds more: nuclei, bright in the dark, and cords that go through most of a long volume.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks._made_volumes import (
    KINDS,
    SIDE,
    Floats,
    MadeVolume,
    Shape,
    _field,
    _lump,
    followable,
    make_volume,
)
from volumes import Geometry, Provenance, Volume

SLAB_KINDS = (*sorted(kind for kind in KINDS if kind != "film"), "cords", "nuclei")


def make_slabs(kind: str, seed: int) -> MadeVolume:
    """Make a volume of a kind of `SLAB_KINDS`; the same for the same seed. Every third is sharp."""
    rng = np.random.default_rng([seed, SLAB_KINDS.index(kind), 77])
    if kind in KINDS:
        made = make_volume(kind, seed)
        grey = np.asarray(made.volume.data).astype(np.float64)
        objects, geometry = made.objects, made.volume.geometry
    else:
        tones, labels = (_cords if kind == "cords" else _nuclei)(rng)
        grey, objects = 1000 * tones, followable(labels)
        spacing_mm = (float(rng.choice([1.0, 2.0, 4.0])), 1.0, 1.0)
        geometry = Geometry.from_spacing(labels.shape, spacing_mm)
    if seed % 3:
        grey = _seen_in_slabs(rng, grey)
    data = np.clip(grey, -500, 4000).astype(np.int16)
    return MadeVolume(kind, Volume(data, geometry, Provenance("made")), objects)


def _seen_in_slabs(rng: np.random.Generator, grey: Floats) -> Floats:
    """Mix planes with those beside them, and add what the mixing took of the noise, and a fault at times."""
    noise = np.std(np.diff(grey, axis=0)) / 4
    grey = ndimage.gaussian_filter1d(grey, rng.uniform(0.5, 1.1), axis=0)
    grey += rng.uniform(0.2, 1.0) * noise * rng.standard_normal(grey.shape)
    fault = rng.integers(0, 5)
    if fault == 0:
        away = np.arange(len(grey)) - len(grey) / 2
        grey = grey * np.exp(rng.uniform(-0.04, 0.04) * away)[:, None, None]
    elif fault == 1:
        grey = grey + rng.uniform(30, 90) * _field(rng, grey.shape, (1, 2.5, 2.5))
    elif fault == 2:
        grey = grey * (1 + 0.06 * rng.standard_normal(len(grey)))[:, None, None]
    return grey


def _nuclei(rng: np.random.Generator) -> tuple[Floats, NDArray[np.int32]]:
    """Bright lumps in the dark, some of them touching, blurred along the microscope's axis most."""
    shape = (32, SIDE, SIDE)
    labels, n_nuclei = np.zeros(shape, np.int32), int(rng.integers(8, 22))
    bright, flat = rng.uniform(0.35, 0.8), rng.uniform(0.25, 0.7)
    tones = bright * rng.uniform(0.6, 1.4, n_nuclei + 1)
    tones[0] = rng.uniform(0.02, 0.15)
    for value in range(1, n_nuclei + 1):
        radius = rng.uniform(7, 17)
        radii = radius * flat, radius * rng.uniform(0.75, 1.3), radius * rng.uniform(0.75, 1.3)
        lump = _lump(rng, shape, _place(rng, shape, 0.15, 14), radii, rng.uniform(0, 0.12))
        labels[lump & (labels == 0)] = value
    grey = tones[labels] + (labels > 0) * bright * rng.uniform(0, 0.2) * _field(rng, shape, (1, 2, 2))
    grey = ndimage.gaussian_filter(grey, (rng.uniform(0.3, 0.9), *[rng.uniform(0.6, 1.4)] * 2))
    grain = rng.uniform(0.005, 0.05) * np.sqrt(np.clip(grey, 0.02, 1) / 0.3)
    return grey + grain * rng.standard_normal(shape), labels


def _cords(rng: np.random.Generator) -> tuple[Floats, NDArray[np.int32]]:
    """Cords in a sheath, whose outline and brightness change slowly along a long volume."""
    shape = (64, SIDE, SIDE)
    rows, cols = np.ogrid[:SIDE, :SIDE]
    labels, n_cords = np.zeros(shape, np.int32), int(rng.integers(1, 4))
    around = rng.uniform(0.2, 0.7)
    grey = around + rng.uniform(0.0, 0.08) * _field(rng, shape, (2, 6, 6))
    for value in range(1, n_cords + 1):
        tone, sheath = around + rng.choice([-1, 1], 2) * rng.uniform(0.08, 0.3, 2)
        path = np.cumsum(_slow(rng, 2, 6), axis=0) * rng.uniform(0.05, 0.5) + rng.uniform(40, SIDE - 40, 2)
        radius = rng.uniform(5, 14) * np.exp(rng.uniform(0.05, 0.3) * _slow(rng, 1, 10)[:, 0])
        flat = rng.uniform(0.7, 1.4) * np.exp(0.15 * _slow(rng, 1, 10)[:, 0])
        drift = 1 + rng.uniform(0.0, 0.3) * _slow(rng, 1, 12)[:, 0]
        if rng.random() < 0.4:  # it tapers off; most go on to where the volume ends
            middle, half, tip = rng.uniform(20, 44), rng.uniform(14, 30), rng.uniform(0.1, 0.5)
            away = np.abs(np.arange(shape[0]) - middle) / half
            radius = radius * np.clip((1 - away) / tip, 0, 1) ** 0.5
        for index in np.flatnonzero(radius > 2):
            away = ((rows - path[index, 0]) / flat[index]) ** 2 + ((cols - path[index, 1]) * flat[index]) ** 2
            free = labels[index] == 0
            grey[index][free & (away < (radius[index] + 3) ** 2)] = sheath
            there = free & (away < radius[index] ** 2)
            grey[index][there] = around + (tone - around) * drift[index]
            labels[index][there] = value
    grey = ndimage.gaussian_filter(grey, (rng.uniform(0.2, 0.6), *[rng.uniform(0.6, 1.3)] * 2))
    grey *= (1 + 0.25 * rng.random() * _slow(rng, 1, 16))[:, :, None]
    return grey + rng.uniform(0.01, 0.06) * rng.standard_normal(shape), labels


def _slow(rng: np.random.Generator, n_fields: int, planes: float) -> Floats:
    """Return noise ``(64, n)`` along the volume's axis, of standard deviation about 1."""
    noise = ndimage.gaussian_filter1d(rng.standard_normal((64, n_fields)), planes, axis=0)
    return np.asarray(noise / (noise.std(axis=0) + 1e-9))


def _place(rng: np.random.Generator, shape: Shape, share: float, rim: float) -> tuple[float, float, float]:
    plane = rng.uniform(share, 1 - share) * shape[0]
    row, col = (rng.uniform(rim, size - rim) for size in shape[1:])
    return plane, row, col
