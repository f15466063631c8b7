"""Made volumes of more kinds, at varied greys, steps and sizes: what networks that see pictures learn from.

Bent tubes that lie in all directions, folded sheets with what they enclose, and organs with vessels and
lesions in them, among tissues of several greys.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmarks._made_volumes import (
    KINDS,
    SIDE,
    BoolVolume,
    Floats,
    MadeVolume,
    Shape,
    _cells_of,
    _field,
    _lump,
    _photographed,
    followable,
    make_volume,
)
from benchmarks._slab_volumes import SLAB_KINDS, _seen_in_slabs, make_slabs
from volumes import Geometry, Provenance, Volume

LEAST_PLANES, LEAST_MIDDLE_PX = 4, 40
"""Of an object that is followed, once planes were left out and pixels made larger."""

STEPS_MM = 1.0, 2.0, 4.0


def make_varied(kind: str, seed: int) -> MadeVolume:
    """Make a volume of a kind of `VARIED_KINDS`, at other greys, steps and sizes; the same for the same seed.

    Kinds that begin with ``sharp`` show no slabs.
    """
    rng = np.random.default_rng([seed, VARIED_KINDS.index(kind), 6])
    if kind in _MORE_KINDS:
        made = _make_more(kind, seed)
    elif kind in SLAB_KINDS:
        made = make_slabs(kind, seed)
    else:
        made = make_volume(kind.removeprefix("sharp "), seed)
    return _varied(made, rng)


def _make_more(kind: str, seed: int) -> MadeVolume:
    rng = np.random.default_rng([seed, sorted(_MORE_KINDS).index(kind), 99])
    tones, labels = _MORE_KINDS[kind](rng)
    grey = _photographed(rng, tones, labels).astype(np.float64)
    if rng.random() < 0.6:
        grey = _seen_in_slabs(rng, grey)
    return _as_volume(kind, grey, followable(labels), float(rng.choice(STEPS_MM)))


def _varied(made: MadeVolume, rng: np.random.Generator) -> MadeVolume:
    """Show a volume in other greys, and at times with fewer planes, other pixels, or uneven light."""
    data, objects = np.asarray(made.volume.data).astype(np.float64), list(made.objects)
    low, high = np.percentile(data, [0.5, 99.5])
    grey = np.clip((data - low) / (high - low), 0, 1)
    step_mm = float(made.volume.geometry.spacing_mm[0])
    if rng.random() < 0.3:
        grey = 1 - grey
    if rng.random() < 0.4:
        grey = grey ** rng.uniform(0.5, 1.8)
    if rng.random() < 0.3 and len(grey) >= 20:
        grey, objects, step_mm = grey[::2], [one[::2] for one in objects], 2 * step_mm
    if rng.random() < 0.5:
        zoom = (1.0, *[float(rng.uniform(0.6, 1.7))] * 2)
        grey = ndimage.zoom(grey, zoom, order=1)
        objects = [ndimage.zoom(one.astype(np.uint8), zoom, order=0) > 0 for one in objects]
    if rng.random() < 0.3:
        grey = grey * (1 + rng.uniform(0.05, 0.25) * _field(rng, grey.shape, (3, 12, 12)))
    left = tuple(one for one in objects if _can_be_followed(one))
    return _as_volume(made.kind, 1000 * np.clip(grey, 0, 1.3), left, step_mm)


def _can_be_followed(mask: BoolVolume) -> bool:
    planes = np.flatnonzero(mask.any(axis=(1, 2)))
    if len(planes) < LEAST_PLANES:
        return False
    return int(np.count_nonzero(mask[planes[len(planes) // 2]])) > LEAST_MIDDLE_PX


def _as_volume(kind: str, grey: Floats, objects: tuple[BoolVolume, ...], step_mm: float) -> MadeVolume:
    geometry = Geometry.from_spacing(grey.shape, (step_mm, 1.0, 1.0))
    return MadeVolume(kind, Volume(grey.astype(np.int16), geometry, Provenance("made")), objects)


def _tissues(rng: np.random.Generator, shape: Shape) -> tuple[Floats, BoolVolume]:
    """Return the greys of a body of several tissues, and where it is."""
    _, owner = _cells_of(rng, shape, int(rng.integers(4, 14)), (float(rng.uniform(1, 3)), 1.0, 1.0))
    tones = rng.uniform(0.3, 0.7) + rng.uniform(0.03, 0.15) * rng.standard_normal(owner.max() + 1)
    grey = ndimage.gaussian_filter(tones[owner], (0.5, 1, 1))
    middle = (shape[0] / 2, SIDE / 2, SIDE / 2)
    body = _lump(rng, shape, middle, (shape[0] * 2, 0.47 * SIDE, 0.45 * SIDE), 0.05)
    mottled = grey + rng.uniform(0, 0.06) * _field(rng, shape, (1, 3, 3))
    return np.where(body, mottled, rng.uniform(0, 0.15)), body


def _bent(rng: np.random.Generator) -> tuple[Floats, NDArray[np.int32]]:
    """Tubes that taper at both ends and lie in all directions, brighter or darker than what they lie in."""
    shape = (int(rng.integers(28, 44)), SIDE, SIDE)
    grey, body = _tissues(rng, shape)
    labels, stretch = np.zeros(shape, np.int32), float(rng.uniform(1, 3))
    for value in range(1, int(rng.integers(3, 6))):
        tube = _tube(rng, shape, stretch) & body & (labels == 0)
        labels[tube] = value
        if tube.any():
            tone = np.clip(grey[tube].mean() + rng.choice([-1, 1]) * rng.uniform(0.08, 0.3), 0, 1)
            grey[tube] = tone + rng.uniform(0, 0.05) * _field(rng, shape, (1, 2, 2))[tube]
    return grey, labels


def _tube(rng: np.random.Generator, shape: Shape, stretch: float) -> BoolVolume:
    """Return balls along a smooth path; `stretch` is a step between planes, in pixels."""
    n_balls = 60
    ways = ndimage.gaussian_filter1d(rng.standard_normal((n_balls, 3)), 8, axis=0)
    ways /= np.linalg.norm(ways, axis=1, keepdims=True) + 1e-9
    path = np.cumsum(ways * rng.uniform(30, 90) / n_balls, axis=0)
    middle = rng.uniform(0.3, 0.7) * shape[0] * stretch, *rng.uniform(40, SIDE - 40, 2)
    path += middle - path.mean(axis=0)
    swell = 3 * ndimage.gaussian_filter1d(rng.standard_normal(n_balls), 6)
    tips = np.minimum(np.arange(n_balls) + 1, n_balls - np.arange(n_balls)) / 8
    radii = rng.uniform(4, 11) * np.exp(0.35 * swell) * np.clip(tips, 0, 1) ** 0.5
    planes, rows, cols = np.ogrid[: shape[0], : shape[1], : shape[2]]
    tube = np.zeros(shape, np.bool_)
    for (plane, row, col), radius in zip(path, radii, strict=True):
        away = (planes * stretch - plane) ** 2 + (rows - row) ** 2 + (cols - col) ** 2
        tube |= away < radius**2
    return tube


def _sheets(rng: np.random.Generator) -> tuple[Floats, NDArray[np.int32]]:
    """Folded sheets of one grey in a lump of another, and the largest piece of what is left of it."""
    shape = (int(rng.integers(26, 40)), SIDE, SIDE)
    grey, _ = _tissues(rng, shape)
    radii = shape[0] * rng.uniform(0.45, 0.9), rng.uniform(30, 58), rng.uniform(30, 58)
    lump = _lump(rng, shape, (shape[0] / 2, SIDE / 2, SIDE / 2), radii, 0.1)
    scale = rng.uniform(6, 14)
    folds = _field(rng, shape, (scale / rng.uniform(1, 3), scale, scale))
    tone = rng.uniform(0.3, 0.7)
    if rng.random() < 0.5:
        depth = ndimage.distance_transform_edt(lump, sampling=(2, 1, 1))
        sheet = lump & (depth + rng.uniform(3, 8) * folds < rng.uniform(4, 9) + 2)
    else:
        sheet = lump & (np.abs(folds) < rng.uniform(0.35, 0.8))
    grey[lump] = tone
    grey[sheet] = tone + rng.choice([-1, 1]) * rng.uniform(0.1, 0.3)
    grey += rng.uniform(0, 0.04) * _field(rng, shape, (1, 2, 2))
    pieces, n_pieces = ndimage.label(lump & ~sheet)
    labels = sheet.astype(np.int32)
    if n_pieces:
        labels[pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:])] = 2
    return grey, labels


def _nests(rng: np.random.Generator) -> tuple[Floats, NDArray[np.int32]]:
    """Organs with vessels or lesions in them that belong to them, beside others of nearly their grey."""
    shape = (int(rng.integers(28, 40)), SIDE, SIDE)
    grey, body = _tissues(rng, shape)
    labels, usual = np.zeros(shape, np.int32), float(grey[body].mean())
    for value in range(1, int(rng.integers(3, 6))):
        middle = rng.uniform(0.3, 0.7) * shape[0], rng.uniform(40, 104), rng.uniform(40, 104)
        radii = rng.uniform(6, 16), rng.uniform(14, 38), rng.uniform(14, 38)
        organ = _lump(rng, shape, middle, radii, rng.uniform(0, 0.25)) & body & (labels == 0)
        labels[organ] = value
        tone = usual + rng.choice([-1, 1]) * rng.uniform(0.06, 0.3)
        grey[organ] = tone + rng.uniform(0, 0.05) * _field(rng, shape, (1, 3, 3))[organ]
        spots = _field(rng, shape, (2, 3, 3))
        if organ.any():
            spotted = organ & (spots > np.quantile(spots[organ], rng.uniform(0.85, 0.97)))
            grey[spotted] = tone + rng.choice([-1, 1]) * rng.uniform(0.05, 0.25)
    return grey, labels


_MORE_KINDS: dict[str, Callable[[np.random.Generator], tuple[Floats, NDArray[np.int32]]]] = {
    "bent": _bent,
    "nests": _nests,
    "sheets": _sheets,
}

VARIED_KINDS = (
    *SLAB_KINDS, *(f"sharp {kind}" for kind in sorted(KINDS) if kind != "film"), *sorted(_MORE_KINDS),
)  # fmt: skip
