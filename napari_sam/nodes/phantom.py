"""A small CT-like volume drawn by formulas, with the truth: the sample that ships with the package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from volumes import Geometry, Provenance, Volume

__all__ = ["PHANTOM_NAMES", "make_phantom"]

PHANTOM_NAMES: dict[int, str] = {
    1: "liver",
    2: "right kidney",
    3: "left kidney",
    4: "spleen",
    5: "spine",
    6: "aorta",
    7: "vena cava",
}
"""Name of each label value of the phantom."""

_SHAPE = (40, 160, 160)
_SPACING_MM = (3.0, 1.5, 1.5)
_AIR_HU, _FAT_HU, _MUSCLE_HU = -1000.0, -95.0, 55.0
_SCANNER_BLUR_MM = (0.9, 0.9, 0.9)
_NOISE_HU = 16.0
_NOISE_GRAIN_MM = 1.1
_SEED = 20_240_607

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class _Blob:
    """An ellipsoid: centre and half axes in mm as (z, y, x) from the volume's centre, turned about z."""

    centre_mm: Triple
    half_axes_mm: Triple
    turn_deg: float = 0.0


@dataclass(frozen=True)
class _Tube:
    """A round tube through points (z, y, x) in mm from the volume's centre."""

    points_mm: tuple[Triple, ...]
    radius_mm: float


@dataclass(frozen=True)
class _Organ:
    """One thing to draw: the union of parts, less the holes, inside `within`; label 0 takes labels away."""

    label: int
    hu: float
    parts: tuple[_Blob | _Tube, ...]
    holes: tuple[_Blob | _Tube, ...] = ()
    within: tuple[_Blob | _Tube, ...] = ()


def make_phantom() -> tuple[Volume, NDArray[np.uint8]]:
    """Draw the phantom; the same voxels every time.

    Returns
    -------
    volume : Volume
        int16 (40, 160, 160) in Hounsfield units, 3 × 1.5 × 1.5 mm, LPS: columns run to the patient's left,
        rows to the back, planes to the head.
    labels : NDArray[uint8], shape (40, 160, 160)
        The truth, values as in `PHANTOM_NAMES`: a voxel belongs to an organ where that fills half of it.
    """
    at_mm = _voxel_centres_mm()
    hu = np.full(_SHAPE, _AIR_HU)
    labels = np.zeros(_SHAPE, dtype=np.uint8)
    for organ in _ORGANS:
        inside = _coverage(organ.parts, at_mm)
        if organ.holes:
            inside = np.minimum(inside, 1.0 - _coverage(organ.holes, at_mm))
        if organ.within:
            inside = np.minimum(inside, _coverage(organ.within, at_mm))
        hu += inside * (organ.hu - hu)
        labels[inside >= 0.5] = organ.label
    data = np.rint(_scanned(hu)).astype(np.int16)
    origin_mm = tuple(-(n - 1) / 2 * step for n, step in zip(_SHAPE, _SPACING_MM, strict=True))
    geometry = Geometry.from_spacing(_SHAPE, _SPACING_MM, origin_mm[::-1])
    provenance = Provenance(format="phantom", modality="CT", notes=("drawn by formulas; no patient",))
    return Volume(data, geometry, provenance, suggested_window=(-160.0, 240.0)), labels


def _voxel_centres_mm() -> tuple[NDArray[np.float64], ...]:
    """Coordinates z, y, x of the voxel centres, from the volume's centre, ready to broadcast."""
    axes = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(_SHAPE, _SPACING_MM, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    return z, y, x


def _coverage(parts: Sequence[_Blob | _Tube], at_mm: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
    """Share of each voxel (0..1) that the union of the parts fills: the partial volume of a scanner."""
    distance_mm = np.full(_SHAPE, np.inf)
    for part in parts:
        one = _blob_distance_mm(part, at_mm) if isinstance(part, _Blob) else _tube_distance_mm(part, at_mm)
        np.minimum(distance_mm, one, out=distance_mm)
    steps = np.gradient(distance_mm, *_SPACING_MM)
    length = np.sqrt(sum(step**2 for step in steps)) + 1e-9
    # How far a voxel reaches along the surface's normal.
    reach_mm = sum(abs(step) * size for step, size in zip(steps, _SPACING_MM, strict=True)) / length
    return np.asarray(np.clip(0.5 - distance_mm / (reach_mm + 1e-9), 0.0, 1.0))


def _blob_distance_mm(blob: _Blob, at_mm: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
    """Signed distance to an ellipsoid, good to first order near its surface."""
    z, y, x = (axis - centre for axis, centre in zip(at_mm, blob.centre_mm, strict=True))
    turn = np.deg2rad(blob.turn_deg)
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    half_z, half_y, half_x = blob.half_axes_mm
    level = np.sqrt((z / half_z) ** 2 + (across / half_y) ** 2 + (along / half_x) ** 2)
    slope = np.sqrt((z / half_z**2) ** 2 + (across / half_y**2) ** 2 + (along / half_x**2) ** 2) + 1e-9
    return np.asarray(level * (level - 1.0) / slope)


def _tube_distance_mm(tube: _Tube, at_mm: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
    """Signed distance to a chain of capsules."""
    nearest_mm: NDArray[np.float64] = np.full(_SHAPE, np.inf)
    for start, stop in zip(tube.points_mm, tube.points_mm[1:], strict=False):
        way = np.subtract(stop, start)
        offset = [axis - begin for axis, begin in zip(at_mm, start, strict=True)]
        share = sum(o * w for o, w in zip(offset, way, strict=True)) / float(way @ way)
        share = np.clip(share, 0.0, 1.0)
        gap = sum((o - share * w) ** 2 for o, w in zip(offset, way, strict=True))
        np.minimum(nearest_mm, np.sqrt(gap), out=nearest_mm)
    return nearest_mm - tube.radius_mm


def _scanned(hu: NDArray[np.float64]) -> NDArray[np.float64]:
    """Blur as a scanner's point spread does, and add noise with the grain of a soft kernel."""
    random = np.random.default_rng(_SEED)
    blur_px = [mm / step for mm, step in zip(_SCANNER_BLUR_MM, _SPACING_MM, strict=True)]
    sharp = ndimage.gaussian_filter(hu, blur_px)
    grain_px = [0.0, _NOISE_GRAIN_MM / _SPACING_MM[1], _NOISE_GRAIN_MM / _SPACING_MM[2]]
    noise = ndimage.gaussian_filter(random.standard_normal(_SHAPE), grain_px)
    return np.asarray(np.clip(sharp + noise * (_NOISE_HU / noise.std()), -1024.0, 3071.0))


def _ribs(n: int, radius_mm: float) -> tuple[_Tube, ...]:
    """Ribs as arcs in the body wall, falling towards the front."""
    arcs = []
    for side in (-1.0, 1.0):
        for rib in range(n):
            z0 = -48.0 + rib * 26.0
            angles = np.deg2rad(np.linspace(75.0, -40.0, 9))
            points = ((z0 + 10.0 * np.sin(a), 78.0 * np.sin(a), side * 102.0 * np.cos(a)) for a in angles)
            arcs.append(_Tube(tuple((float(z), float(y), float(x)) for z, y, x in points), radius_mm))
    return tuple(arcs)


# z up, y to the back, x to the patient's left; in painting order, later over earlier.
_BODY = (_Blob((0.0, 0.0, 0.0), (900.0, 88.0, 112.0)),)
_WALL = (_Blob((0.0, 2.0, 0.0), (800.0, 79.0, 103.0)),)
_CAVITY = (_Blob((0.0, -4.0, 0.0), (700.0, 66.0, 92.0)),)
_LIVER = (
    _Blob((22.0, -8.0, -46.0), (46.0, 50.0, 38.0), 12.0),
    _Blob((30.0, -30.0, -8.0), (24.0, 25.0, 44.0), -10.0),
    _Blob((-14.0, 14.0, -60.0), (30.0, 26.0, 20.0), 8.0),
)
_PORTAL = (
    _Tube(((-4.0, 2.0, -12.0), (16.0, -6.0, -34.0), (24.0, -4.0, -58.0)), 5.0),
    _Tube(((16.0, -6.0, -34.0), (30.0, -24.0, -38.0)), 3.6),
    _Tube(((38.0, 20.0, -22.0), (30.0, 4.0, -52.0)), 3.4),
)
_VERTEBRA = (
    _Blob((0.0, 46.0, 0.0), (600.0, 15.0, 19.0)),
    _Blob((0.0, 66.0, 0.0), (600.0, 16.0, 7.0)),
    _Blob((0.0, 60.0, 0.0), (600.0, 5.0, 26.0)),
)
_CANAL = (_Blob((0.0, 63.0, 0.0), (600.0, 6.5, 7.0)),)
_DISCS = tuple(_Blob((z, 45.0, 0.0), (3.6, 14.0, 18.0)) for z in (-51.0, -17.0, 17.0, 51.0))

_PSOAS = (_Blob((-10.0, 50.0, -32.0), (120.0, 13.0, 12.0)), _Blob((-10.0, 50.0, 32.0), (120.0, 13.0, 12.0)))
_STOMACH = (_Blob((16.0, -26.0, 44.0), (26.0, 26.0, 30.0), 25.0),)
_GAS = (_Blob((18.0, -41.0, 46.0), (15.0, 8.0, 14.0)),)
_COLON = (_Tube(((-40.0, -34.0, -40.0), (-44.0, -40.0, 0.0), (-38.0, -32.0, 44.0)), 12.0),)
_BOWEL = (_Tube(((-52.0, -6.0, -20.0), (-30.0, -14.0, 14.0), (-46.0, -8.0, 34.0)), 10.0),)
_PANCREAS = (_Tube(((-6.0, 2.0, -14.0), (-2.0, -4.0, 12.0), (6.0, 8.0, 46.0)), 8.5),)
_GALLBLADDER = (_Blob((-6.0, -30.0, -38.0), (13.0, 13.0, 10.0)),)
_SPLEEN = (_Blob((24.0, 26.0, 70.0), (30.0, 27.0, 16.0), -25.0),)
_RIGHT_KIDNEY = (_Blob((-24.0, 38.0, -50.0), (31.0, 18.0, 14.0), 30.0),)
_RIGHT_PELVIS = (_Blob((-24.0, 32.0, -41.0), (13.0, 9.0, 6.0)),)
_LEFT_KIDNEY = (_Blob((-14.0, 38.0, 52.0), (32.0, 18.0, 14.0), -30.0),)
_LEFT_PELVIS = (_Blob((-14.0, 32.0, 43.0), (13.0, 9.0, 6.0)),)
_AORTA = (_Tube(((-80.0, 25.0, 6.0), (0.0, 23.0, 8.0), (80.0, 25.0, 5.0)), 9.0),)
_CAVA = (_Tube(((-80.0, 24.0, -17.0), (0.0, 21.0, -19.0), (80.0, 14.0, -22.0)), 9.5),)

_ORGANS: tuple[_Organ, ...] = (
    _Organ(0, _FAT_HU, _BODY),
    _Organ(0, _MUSCLE_HU, _WALL),
    _Organ(0, _FAT_HU, _CAVITY),
    _Organ(0, 420.0, _ribs(4, 4.0)),
    _Organ(0, 58.0, _PSOAS),
    _Organ(0, 32.0, _STOMACH),
    _Organ(0, -850.0, _GAS),
    _Organ(0, 45.0, _COLON),
    _Organ(0, 40.0, _BOWEL),
    _Organ(0, 85.0, _PANCREAS),
    _Organ(1, 112.0, _LIVER),
    _Organ(1, 165.0, _PORTAL, within=_LIVER),
    _Organ(0, 12.0, _GALLBLADDER),
    _Organ(4, 124.0, _SPLEEN),
    _Organ(2, 178.0, _RIGHT_KIDNEY, _RIGHT_PELVIS),
    _Organ(3, 182.0, _LEFT_KIDNEY, _LEFT_PELVIS),
    _Organ(5, 260.0, _VERTEBRA, _CANAL),
    _Organ(0, 40.0, _CANAL),
    _Organ(5, 110.0, _DISCS),
    _Organ(6, 225.0, _AORTA),
    _Organ(7, 140.0, _CAVA),
)
