"""Volumes made by numbers alone, with their objects: what rules of propagation are fitted and compared on.

Six kinds, each with what makes following hard: organs that end, neighbours of nearly the same grey, cells
that touch, vessels that wander, lesions with soft outlines, and film in which object and camera move.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import KDTree

from volumes import Geometry, Provenance, Volume

BoolVolume = NDArray[np.bool_]
Floats = NDArray[np.float64]
Shape = tuple[int, int, int]

SIDE = 144
LEAST_PLANES = 6
LEAST_MIDDLE_PX = 60


@dataclass(frozen=True, eq=False)
class MadeVolume:
    """A volume of one kind, and the masks (P, R, C) of its objects."""

    kind: str
    volume: Volume
    objects: tuple[BoolVolume, ...]


def make_volume(kind: str, seed: int) -> MadeVolume:
    """Make a volume of a kind of `KINDS`; the same for the same seed."""
    rng = np.random.default_rng([seed, sorted(KINDS).index(kind)])
    grey, labels = KINDS[kind](rng)
    objects = followable(labels, in_pieces=kind == "film")
    spacing_mm = (float(rng.choice([1.0, 2.0, 4.0])), 1.0, 1.0)
    volume = Volume(grey, Geometry.from_spacing(labels.shape, spacing_mm), Provenance("made"))
    return MadeVolume(kind, volume, objects)


def followable(labels: NDArray[np.int32], *, in_pieces: bool = False) -> tuple[BoolVolume, ...]:
    """Return masks (P, R, C) of labels with planes and pixels enough, of each its largest piece or all."""
    objects = []
    for value in range(1, int(labels.max()) + 1):
        mask = labels == value
        if not in_pieces:
            parts, n_parts = ndimage.label(mask)
            mask = parts == 1 + int(np.argmax(np.bincount(parts.ravel())[1:])) if n_parts else mask
        planes = np.flatnonzero(mask.any(axis=(1, 2)))
        if len(planes) >= LEAST_PLANES and mask[planes[len(planes) // 2]].sum() > LEAST_MIDDLE_PX:
            objects.append(mask)
    return tuple(objects)


def _organs(rng: np.random.Generator) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
    """Lumps of one grey each in a body."""
    return _lumps(rng, (32, SIDE, SIDE), int(rng.integers(3, 8)), (6, 34), 0.06)


def _neighbours(rng: np.random.Generator) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
    """Lumps of nearly one grey that fill a body and touch."""
    shape = (32, SIDE, SIDE)
    _, labels = _cells_of(rng, shape, int(rng.integers(8, 16)), (2.0, 1.0, 1.0))
    labels[~_lump(rng, shape, (16, 72, 72), (22, 60, 62), 0.1)] = 0
    tones = rng.uniform(0.35, 0.65) + rng.uniform(-0.16, 0.16, labels.max() + 1)
    tones[0] = rng.uniform(0.05, 0.2)
    return _photographed(rng, tones[labels], labels), labels


def _cells(rng: np.random.Generator) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
    """Cells that fill everything, with a membrane between them, some with a nucleus."""
    shape = (28, SIDE, SIDE)
    wall, labels = _cells_of(rng, shape, int(rng.integers(25, 60)), (float(rng.uniform(1.5, 4.0)), 1.0, 1.0))
    inside, membrane = rng.uniform(0.3, 0.8), rng.uniform(0.1, 0.9)
    while abs(inside - membrane) < 0.15:
        membrane = rng.uniform(0.1, 0.9)
    tones = inside + rng.uniform(0.0, 0.08) * rng.standard_normal(labels.max() + 1)
    width = rng.uniform(1.0, 2.5)
    grey = np.where(wall < width, membrane, tones[labels])
    if rng.random() < 0.5:
        grey = np.where(wall > rng.uniform(6.0, 10.0), grey + rng.uniform(-0.2, 0.2), grey)
    grey += rng.uniform(0.0, 0.07) * _field(rng, shape, (1, 2, 2))
    labels = np.where(wall < 0.5 * width, 0, labels).astype(np.int32)
    return _photographed(rng, grey, labels), labels


def _vessels(rng: np.random.Generator) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
    """Tubes through most planes that wander, swell and shrink."""
    shape = (36, SIDE, SIDE)
    labels = np.zeros(shape, np.int32)
    rows, cols = np.ogrid[:SIDE, :SIDE]
    n_tubes = int(rng.integers(3, 7))
    for value in range(1, n_tubes + 1):
        path = np.cumsum(ndimage.gaussian_filter1d(rng.standard_normal((shape[0], 2)), 4, axis=0), axis=0)
        path = rng.uniform(30, SIDE - 30, 2) + path * rng.uniform(0.5, 5.0)
        swell = ndimage.gaussian_filter1d(rng.standard_normal(shape[0]), 4)
        radius = np.clip(rng.uniform(4, 13) * (1 + 1.2 * swell), 2.5, 20)
        flat = rng.uniform(0.6, 1.6)
        start = int(rng.integers(0, 10))
        for index in range(start, start + int(rng.integers(12, 36))):
            if index < shape[0]:
                away = ((rows - path[index, 0]) / flat) ** 2 + ((cols - path[index, 1]) * flat) ** 2
                labels[index][(away < radius[index] ** 2) & (labels[index] == 0)] = value
    tones = rng.uniform(0.55, 0.95) + rng.uniform(-0.08, 0.08, n_tubes + 1)
    tones[0] = rng.uniform(0.1, 0.45)
    grey = tones[labels] + rng.uniform(0.0, 0.06) * _field(rng, shape, (1, 5, 5))
    return _photographed(rng, grey, labels), labels


def _lesions(rng: np.random.Generator) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
    """Small lumps with soft outlines in mottled tissue."""
    return _lumps(rng, (28, SIDE, SIDE), int(rng.integers(3, 6)), (6, 15), rng.uniform(0.03, 0.12), soft=True)


def _film(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Patterned objects that move, turn and come nearer before a background that moves too."""
    n_planes, wide = 26, 2 * SIDE
    labels = np.zeros((n_planes, SIDE, SIDE), np.int32)
    behind = _pattern(rng, (wide, wide))
    camera = np.cumsum(rng.uniform(-3, 3, 2) + rng.uniform(-1, 1, (n_planes, 2)), axis=0)
    picture = np.stack([_shifted(behind, np.clip(at, -70, 70)) for at in camera])
    for value in range(1, int(rng.integers(2, 4))):
        pattern, mask = _pattern(rng, (wide, wide)), _flat_shape(rng, wide)
        speed, turn, growth = rng.uniform(-4, 4, 2), rng.uniform(-0.06, 0.06), rng.uniform(-0.02, 0.025)
        start = rng.uniform(-25, 25, 2) - speed * n_planes / 2 * rng.uniform(0.2, 1.0)
        shake = ndimage.gaussian_filter1d(rng.standard_normal((n_planes, 2)), 1, axis=0) * 2
        for index in range(n_planes):
            place = start + speed * index + shake[index]
            turned = (turn * index, (1 + growth) ** index, place)
            seen = _turned(mask.astype(float), *turned) > 0.5
            picture[index][seen] = np.stack([_turned(one, *turned) for one in np.moveaxis(pattern, 2, 0)], 2)[
                seen
            ]
            labels[index][seen] = value
    picture = ndimage.gaussian_filter(picture, (0, 0.7, 0.7, 0)) + 0.02 * rng.standard_normal(picture.shape)
    return np.clip(picture * 255, 0, 255).astype(np.uint8), labels


KINDS: dict[str, Callable[[np.random.Generator], tuple[NDArray[np.generic], NDArray[np.int32]]]] = {
    "cells": _cells,
    "film": _film,
    "lesions": _lesions,
    "neighbours": _neighbours,
    "organs": _organs,
    "vessels": _vessels,
}


def _lumps(
    rng: np.random.Generator,
    shape: Shape,
    n_lumps: int,
    radii: tuple[float, float],
    mottle: float,
    soft: bool = False,
) -> tuple[NDArray[np.int16], NDArray[np.int32]]:
    n_planes, height, width = shape
    body = _lump(
        rng, shape, (n_planes / 2, height / 2, width / 2), (n_planes * 3, 0.47 * height, 0.47 * width), 0.05
    )
    labels = np.zeros(shape, np.int32)
    for value in range(1, n_lumps + 1):
        centre = (
            rng.uniform(0.2, 0.8) * n_planes,
            rng.uniform(0.25, 0.75) * height,
            rng.uniform(0.25, 0.75) * width,
        )
        size = rng.uniform(4, 14) * (0.6 if soft else 1.0), rng.uniform(*radii), rng.uniform(*radii)
        lump = _lump(rng, shape, centre, size, rng.uniform(0, 0.25)) & body
        labels[lump & ((labels == 0) | (rng.random() < 0.3))] = value
    tones = rng.uniform(0.25, 0.9, n_lumps + 1)
    tones[0] = rng.uniform(0.3, 0.7)
    for value in range(1, n_lumps + 1):
        while abs(tones[value] - tones[0]) < (0.1 if soft else 0.06):
            tones[value] = rng.uniform(0.2, 0.95)
    grey = np.where(body, tones[labels], rng.uniform(0, 0.1))
    if soft:
        grey = ndimage.gaussian_filter(grey, (0.7, *[rng.uniform(1.0, 2.0)] * 2))
        grey += mottle * _field(rng, shape, (1, 3, 3))
    elif rng.random() < 0.6:
        for value in range(1, n_lumps + 1):
            grey += (labels == value) * _field(rng, shape, (1, 3, 3)) * rng.uniform(0, mottle)
    return _photographed(rng, grey, labels), labels


def _field(rng: np.random.Generator, shape: tuple[int, ...], sigma: tuple[float, ...]) -> Floats:
    """Return smooth noise of standard deviation 1."""
    noise = ndimage.gaussian_filter(rng.standard_normal(shape), sigma)
    return np.asarray(noise / noise.std())


def _lump(
    rng: np.random.Generator,
    shape: Shape,
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
    wobble: float,
) -> BoolVolume:
    """Return a rounded box or ellipsoid that drifts from plane to plane and whose outline wobbles."""
    planes, rows, cols = np.ogrid[: shape[0], : shape[1], : shape[2]]
    drift = ndimage.gaussian_filter1d(rng.standard_normal((shape[0], 2)), 3, axis=0).cumsum(axis=0)
    drift = drift * rng.uniform(0, 1.0)
    drift -= drift[int(np.clip(centre[0], 0, shape[0] - 1))]
    power = rng.uniform(1.6, 3.0)
    row, col = (centre[1 + k] + drift[:, k][:, None, None] for k in (0, 1))
    away = np.abs((planes - centre[0]) / radii[0]) ** power + np.abs((rows - row) / radii[1]) ** power
    away = (away + np.abs((cols - col) / radii[2]) ** power) ** (1 / power)
    return np.asarray(away + wobble * _field(rng, shape, (2, 8, 8)) < 1)


def _cells_of(
    rng: np.random.Generator, shape: Shape, n_cells: int, stretch: tuple[float, float, float]
) -> tuple[Floats, NDArray[np.int32]]:
    """Share a volume out among points; returns how far each voxel is from the wall, and whose it is."""
    size = np.array(shape) * stretch
    points = rng.uniform(0, 1, (n_cells, 3)) * size
    at = np.stack(
        np.meshgrid(*[np.arange(n) * s for n, s in zip(shape, stretch, strict=True)], indexing="ij"), -1
    )
    bend = np.stack([_field(rng, shape, (2, 7, 7)) for _ in range(3)], -1) * rng.uniform(0.5, 2.5)
    away, owner = KDTree(points).query(at + bend, k=2)
    return np.asarray(away[..., 1] - away[..., 0]), (owner[..., 0] + 1).astype(np.int32)


def _photographed(rng: np.random.Generator, grey: Floats, labels: NDArray[np.int32]) -> NDArray[np.int16]:
    """Blur, light unevenly and add noise; 0 to 1 becomes 0 to 1000."""
    seen = ndimage.gaussian_filter(grey, (rng.uniform(0.2, 0.9), *[rng.uniform(0.5, 1.3)] * 2))
    seen *= 1 + 0.12 * rng.random() * _field(rng, labels.shape, (20, 40, 40))
    seen += rng.uniform(0.01, 0.08) * rng.standard_normal(labels.shape)
    return np.asarray(np.clip(seen * 1000, -200, 1500).astype(np.int16))


def _pattern(rng: np.random.Generator, hw: tuple[int, int]) -> Floats:
    """Return a coloured pattern ``(H, W, 3)``: blotches of a few colours and fine grain."""
    n_colours = int(rng.integers(2, 6))
    scale = rng.uniform(3, 18)
    blotch = np.argmax([_field(rng, hw, (scale, scale)) for _ in range(n_colours)], axis=0)
    colours = np.clip(
        rng.uniform(0.1, 0.9) + rng.uniform(0.05, 0.25) * rng.standard_normal((n_colours, 3)), 0, 1
    )
    return np.asarray(colours[blotch] + rng.uniform(0.01, 0.08) * _field(rng, hw, (1, 1))[..., None])


def _flat_shape(rng: np.random.Generator, side: int) -> BoolVolume:
    """Return a lump, often with a second one joined to it, in the middle of a square."""
    rows, cols = np.ogrid[:side, :side]
    shape = np.zeros((side, side), np.bool_)
    for offset in ((0.0, 0.0), tuple(rng.uniform(-16, 16, 2))):
        high, wide = rng.uniform(9, 24, 2)
        away = ((rows - side / 2 - offset[0]) / high) ** 2 + ((cols - side / 2 - offset[1]) / wide) ** 2
        shape |= away + 0.25 * _field(rng, (side, side), (6, 6)) < 1
    return shape


def _shifted(picture: Floats, by: Floats) -> Floats:
    row, col = (round(float(SIDE / 2 + one)) for one in by)
    return picture[row : row + SIDE, col : col + SIDE].copy()


def _turned(picture: Floats, angle: float, scale: float, place: Floats) -> Floats:
    """Return the middle of a square picture, turned, enlarged and moved."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) / scale
    middle = np.full(2, picture.shape[0] / 2)
    offset = middle - turn @ (np.full(2, SIDE / 2) + place)
    return np.asarray(ndimage.affine_transform(picture, turn, offset, (SIDE, SIDE), order=1))
