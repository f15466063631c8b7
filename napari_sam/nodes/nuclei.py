"""A small stack of fluorescent nuclei, drawn by formulas, and its truth: a sample of the package."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.nodes.drawn_shapes import Blob, Grid, coverage, distance_mm
from volumes import Geometry, Provenance, Volume

__all__ = ["TOUCHING_NUCLEI", "make_nuclei"]

TOUCHING_NUCLEI: tuple[tuple[int, int], ...] = ((1, 2), (3, 4), (5, 6))
"""Pairs of label values of nuclei that touch."""

Floats = NDArray[np.float64]

_UM = 1e-3
_GRID = Grid((20, 208, 208), (1.0 * _UM, 0.4 * _UM, 0.4 * _UM))
_SEED = 20_261_127
_N_SINGLE = 18
_RADII_UM = (4.4, 7.6)
_APART_UM = 0.8
_BLUR_UM = (1.1, 0.35, 0.35)
_COUNTS = 320.0
_HAZE = 0.05
_OFFSET, _PER_PHOTON, _READ_NOISE = 100.0, 4.0, 5.0


def make_nuclei() -> tuple[Volume, NDArray[np.uint8]]:
    """Draw nuclei of several sizes, some of which touch, as a light microscope shows them.

    Returns
    -------
    volume : Volume
        uint16 (20, 208, 208), counts of a camera; planes 1 µm, rows and columns 0.4 µm apart. It is brighter
        in the middle than at the edges, and blurred more across the planes than in them.
    labels : NDArray[uint8], shape (20, 208, 208)
        The truth: a number for each nucleus; `TOUCHING_NUCLEI` are the pairs.
    """
    random = np.random.default_rng(_SEED)
    nuclei = _placed(random)
    light = np.full(_GRID.shape, _HAZE)
    labels = np.zeros(_GRID.shape, dtype=np.uint8)
    nearest_mm = np.full(_GRID.shape, np.inf)
    at_mm = _GRID.voxel_centres_mm()
    texture = _smooth_noise(random, 0.9)
    for value, nucleus in enumerate(nuclei, start=1):
        away_mm = distance_mm(nucleus, at_mm)
        share = coverage((nucleus,), _GRID)
        own = (share >= 0.5) & (away_mm < nearest_mm)
        labels[own] = value
        np.minimum(nearest_mm, away_mm, out=nearest_mm)
        tone = random.uniform(0.6, 1.0)
        light = np.maximum(light, share * tone * (1.0 + 0.16 * texture))
    data = np.rint(_photographed(light, random)).astype(np.uint16)
    geometry = Geometry.from_spacing(_GRID.shape, _GRID.spacing_mm)
    return Volume(data, geometry, Provenance(format="drawn", notes=("drawn by formulas",))), labels


def _placed(random: np.random.Generator) -> tuple[Blob, ...]:
    """Place the touching pairs first, then single nuclei where there is room."""
    half_um = np.array(_GRID.shape) * _GRID.spacing_mm / _UM / 2
    nuclei: list[Blob] = []
    for row_um, column_um, turn_deg in _PAIRS:
        radii_um = random.uniform(*_RADII_UM, 2)
        apart_um = 0.92 * radii_um.sum()
        turn = np.deg2rad(turn_deg)
        away_um = np.array([0.6, apart_um * np.sin(turn), apart_um * np.cos(turn)])
        centre_um = np.array([0.0, row_um, column_um])
        nuclei += [_nucleus(centre_um - away_um / 2, radii_um[0], 0.0)]
        nuclei += [_nucleus(centre_um + away_um / 2, radii_um[1], 0.0)]
    while len(nuclei) < _N_SINGLE + 2 * len(_PAIRS):
        radius_um = random.uniform(*_RADII_UM)
        centre_um = random.uniform(-1.0, 1.0, 3) * (half_um - [5.0, radius_um + 1, radius_um + 1])
        if _has_room(centre_um, radius_um, nuclei):
            nuclei.append(_nucleus(centre_um, radius_um, random.uniform(0.0, 180.0)))
    return tuple(nuclei)


def _nucleus(centre_um: Floats, radius_um: float, turn_deg: float) -> Blob:
    """Return a nucleus that is flatter along the planes, and oval where it is turned."""
    long = 1.18 if turn_deg else 1.0
    z, y, x = (float(at) * _UM for at in centre_um)
    radius_mm = radius_um * _UM
    return Blob((z, y, x), (0.85 * radius_mm, radius_mm / long, radius_mm * long), turn_deg)


def _has_room(centre_um: Floats, radius_um: float, nuclei: list[Blob]) -> bool:
    """Return whether a nucleus would stay clear of the others, seen from above."""
    for other in nuclei:
        apart_um = np.linalg.norm(centre_um[1:] - np.array(other.centre_mm[1:]) / _UM)
        if apart_um < 1.1 * (radius_um + other.half_axes_mm[2] / _UM) + _APART_UM:
            return False
    return True


def _smooth_noise(random: np.random.Generator, grain_um: float) -> Floats:
    """Return noise of standard deviation 1 with a grain in µm."""
    grain_px = [grain_um * _UM / step for step in _GRID.spacing_mm]
    noise = ndimage.gaussian_filter(random.standard_normal(_GRID.shape), grain_px)
    return np.asarray(noise / noise.std())


def _photographed(light: Floats, random: np.random.Generator) -> Floats:
    """Light unevenly, blur as a lens does, and count photons with a camera."""
    _, y, x = (axis / _UM / 40.0 for axis in _GRID.voxel_centres_mm())
    lit = light * (1.0 - 0.28 * (y**2 + x**2) + 0.12 * x)
    blur_px = [um * _UM / step for um, step in zip(_BLUR_UM, _GRID.spacing_mm, strict=True)]
    seen = np.maximum(ndimage.gaussian_filter(lit, blur_px), 0.0)
    counts = random.poisson(_COUNTS * seen)
    noise = _READ_NOISE * random.standard_normal(seen.shape)
    return np.asarray(np.maximum(_OFFSET + _PER_PHOTON * counts + noise, 0.0))


# Row and column of the middle of each touching pair in µm from the stack's middle, and its direction.
_PAIRS = ((-17.0, -16.0, 20.0), (4.0, 15.0, -50.0), (20.0, -17.0, 100.0))
