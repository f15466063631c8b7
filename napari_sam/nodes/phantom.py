"""A small CT-like volume drawn by formulas, with the truth: the sample that ships with the package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.nodes.drawn_shapes import Blob, Grid, Shape, Tube, coverage
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
_GRID = Grid(_SHAPE, _SPACING_MM)
_AIR_HU, _FAT_HU, _MUSCLE_HU = -1000.0, -95.0, 55.0
_SCANNER_BLUR_MM = (0.9, 0.9, 0.9)
_NOISE_HU = 16.0
_NOISE_GRAIN_MM = 1.1
_SEED = 20_240_607


@dataclass(frozen=True)
class _Organ:
    """One thing to draw: the union of parts, less the holes, inside `within`; label 0 takes labels away."""

    label: int
    hu: float
    parts: tuple[Shape, ...]
    holes: tuple[Shape, ...] = ()
    within: tuple[Shape, ...] = ()


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
    hu = np.full(_SHAPE, _AIR_HU)
    labels = np.zeros(_SHAPE, dtype=np.uint8)
    for organ in _ORGANS:
        inside = coverage(organ.parts, _GRID)
        if organ.holes:
            inside = np.minimum(inside, 1.0 - coverage(organ.holes, _GRID))
        if organ.within:
            inside = np.minimum(inside, coverage(organ.within, _GRID))
        hu += inside * (organ.hu - hu)
        labels[inside >= 0.5] = organ.label
    data = np.rint(_scanned(hu)).astype(np.int16)
    origin_mm = tuple(-(n - 1) / 2 * step for n, step in zip(_SHAPE, _SPACING_MM, strict=True))
    geometry = Geometry.from_spacing(_SHAPE, _SPACING_MM, origin_mm[::-1])
    provenance = Provenance(format="phantom", modality="CT", notes=("drawn by formulas; no patient",))
    return Volume(data, geometry, provenance, suggested_window=(-160.0, 240.0)), labels


def _scanned(hu: NDArray[np.float64]) -> NDArray[np.float64]:
    """Blur as a scanner's point spread does, and add noise with the grain of a soft kernel."""
    random = np.random.default_rng(_SEED)
    blur_px = [mm / step for mm, step in zip(_SCANNER_BLUR_MM, _SPACING_MM, strict=True)]
    sharp = ndimage.gaussian_filter(hu, blur_px)
    grain_px = [0.0, _NOISE_GRAIN_MM / _SPACING_MM[1], _NOISE_GRAIN_MM / _SPACING_MM[2]]
    noise = ndimage.gaussian_filter(random.standard_normal(_SHAPE), grain_px)
    return np.asarray(np.clip(sharp + noise * (_NOISE_HU / noise.std()), -1024.0, 3071.0))


def _ribs(n: int, radius_mm: float) -> tuple[Tube, ...]:
    """Ribs as arcs in the body wall, falling towards the front."""
    arcs = []
    for side in (-1.0, 1.0):
        for rib in range(n):
            z0 = -48.0 + rib * 26.0
            angles = np.deg2rad(np.linspace(75.0, -40.0, 9))
            points = ((z0 + 10.0 * np.sin(a), 78.0 * np.sin(a), side * 102.0 * np.cos(a)) for a in angles)
            arcs.append(Tube(tuple((float(z), float(y), float(x)) for z, y, x in points), radius_mm))
    return tuple(arcs)


# z up, y to the back, x to the patient's left; in painting order, later over earlier.
_BODY = (Blob((0.0, 0.0, 0.0), (900.0, 88.0, 112.0)),)
_WALL = (Blob((0.0, 2.0, 0.0), (800.0, 79.0, 103.0)),)
_CAVITY = (Blob((0.0, -4.0, 0.0), (700.0, 66.0, 92.0)),)
_LIVER = (
    Blob((22.0, -8.0, -46.0), (46.0, 50.0, 38.0), 12.0),
    Blob((30.0, -30.0, -8.0), (24.0, 25.0, 44.0), -10.0),
    Blob((-14.0, 14.0, -60.0), (30.0, 26.0, 20.0), 8.0),
)
_PORTAL = (
    Tube(((-4.0, 2.0, -12.0), (16.0, -6.0, -34.0), (24.0, -4.0, -58.0)), 5.0),
    Tube(((16.0, -6.0, -34.0), (30.0, -24.0, -38.0)), 3.6),
    Tube(((38.0, 20.0, -22.0), (30.0, 4.0, -52.0)), 3.4),
)
_VERTEBRA = (
    Blob((0.0, 46.0, 0.0), (600.0, 15.0, 19.0)),
    Blob((0.0, 66.0, 0.0), (600.0, 16.0, 7.0)),
    Blob((0.0, 60.0, 0.0), (600.0, 5.0, 26.0)),
)
_CANAL = (Blob((0.0, 63.0, 0.0), (600.0, 6.5, 7.0)),)
_DISCS = tuple(Blob((z, 45.0, 0.0), (3.6, 14.0, 18.0)) for z in (-51.0, -17.0, 17.0, 51.0))

_PSOAS = (Blob((-10.0, 50.0, -32.0), (120.0, 13.0, 12.0)), Blob((-10.0, 50.0, 32.0), (120.0, 13.0, 12.0)))
_STOMACH = (Blob((16.0, -26.0, 44.0), (26.0, 26.0, 30.0), 25.0),)
_GAS = (Blob((18.0, -41.0, 46.0), (15.0, 8.0, 14.0)),)
_COLON = (Tube(((-40.0, -34.0, -40.0), (-44.0, -40.0, 0.0), (-38.0, -32.0, 44.0)), 12.0),)
_BOWEL = (Tube(((-52.0, -6.0, -20.0), (-30.0, -14.0, 14.0), (-46.0, -8.0, 34.0)), 10.0),)
_PANCREAS = (Tube(((-6.0, 2.0, -14.0), (-2.0, -4.0, 12.0), (6.0, 8.0, 46.0)), 8.5),)
_GALLBLADDER = (Blob((-6.0, -30.0, -38.0), (13.0, 13.0, 10.0)),)
_SPLEEN = (Blob((24.0, 26.0, 70.0), (30.0, 27.0, 16.0), -25.0),)
_RIGHT_KIDNEY = (Blob((-24.0, 38.0, -50.0), (31.0, 18.0, 14.0), 30.0),)
_RIGHT_PELVIS = (Blob((-24.0, 32.0, -41.0), (13.0, 9.0, 6.0)),)
_LEFT_KIDNEY = (Blob((-14.0, 38.0, 52.0), (32.0, 18.0, 14.0), -30.0),)
_LEFT_PELVIS = (Blob((-14.0, 32.0, 43.0), (13.0, 9.0, 6.0)),)
_AORTA = (Tube(((-80.0, 25.0, 6.0), (0.0, 23.0, 8.0), (80.0, 25.0, 5.0)), 9.0),)
_CAVA = (Tube(((-80.0, 24.0, -17.0), (0.0, 21.0, -19.0), (80.0, 14.0, -22.0)), 9.5),)

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
