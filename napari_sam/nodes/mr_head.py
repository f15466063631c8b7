"""A small MR-like head with a lesion, drawn by formulas, and its truth: a sample of the package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sam.nodes.drawn_shapes import Blob, Grid, Shape, Tube, coverage, distance_mm
from volumes import Geometry, Provenance, Volume

__all__ = ["HEAD_NAMES", "make_mr_head"]

HEAD_NAMES: dict[int, str] = {1: "brain", 2: "ventricles", 3: "lesion"}
"""Name of each label value of the head."""

Floats = NDArray[np.float64]

_GRID = Grid((30, 208, 176), (4.0, 1.0, 1.0))
_TILT_DEG = 12.0
_SEED = 20_261_126
_WHITE = 1000.0
_GREY, _FLUID = 0.5, 0.2
_CORTEX_MM, _FOLD_MM, _FURROW_MM, _FOLDED_MM = 2.6, 5.0, 0.7, 11.0
_BLUR_MM = 0.7
_SHADING = 0.28
_NOISE = 0.012


@dataclass(frozen=True)
class _Tissue:
    """One thing to draw: the union of parts, less the holes; a label of None leaves labels as they are."""

    tone: float
    parts: tuple[Shape, ...]
    holes: tuple[Shape, ...] = ()
    label: int | None = None


def make_mr_head() -> tuple[Volume, NDArray[np.uint8]]:
    """Draw the head, as T1-weighted MR with contrast agent shows one; the same voxels every time.

    Returns
    -------
    volume : Volume
        uint16 (30, 208, 176) in arbitrary units, 4 × 1 × 1 mm, LPS: columns run to the patient's left, rows
        to the back, planes to the head, tilted by 12 degrees about the columns as MR of a head often is. The
        coil sees the front better than the back, and the noise is Rician.
    labels : NDArray[uint8], shape (30, 208, 176)
        The truth, values as in `HEAD_NAMES`: a voxel belongs to what fills half of it. The brain is without
        ventricles and lesion; the lesion is its core and its rim.
    """
    random = np.random.default_rng(_SEED)
    tones = np.full(_GRID.shape, 0.01)
    labels = np.zeros(_GRID.shape, dtype=np.uint8)
    _draw(tones, labels, _OUTSIDE)
    _draw_brain(tones, labels, random)
    _draw(tones, labels, _INSIDE)
    data = np.rint(_WHITE * _scanned(tones, random)).astype(np.uint16)
    provenance = Provenance(format="phantom", modality="MR", notes=("drawn by formulas; no patient",))
    return Volume(data, _geometry(), provenance), labels


def _draw(tones: Floats, labels: NDArray[np.uint8], tissues: tuple[_Tissue, ...]) -> None:
    for tissue in tissues:
        inside = coverage(tissue.parts, _GRID)
        if tissue.holes:
            inside = np.minimum(inside, 1.0 - coverage(tissue.holes, _GRID))
        tones += inside * (tissue.tone - tones)
        if tissue.label is not None:
            labels[inside >= 0.5] = tissue.label


def _draw_brain(tones: Floats, labels: NDArray[np.uint8], random: np.random.Generator) -> None:
    """Draw cerebrum and cerebellum: white matter, a folded cortex, fluid in the furrows."""
    at_mm = _GRID.voxel_centres_mm()
    depth_mm = -np.min([distance_mm(part, at_mm) for part in (*_CEREBRUM, _CEREBELLUM)], axis=0)
    folds = _smooth_noise(random, _FOLD_MM)
    # Noise of this grain leaves its zeros by about 1 each grain: a distance, near enough, to the nearest one.
    to_fold_mm = _FOLD_MM * np.abs(folds) - _FURROW_MM + np.maximum(0.0, depth_mm - _FOLDED_MM)
    to_gap_mm = np.where(_is_between_halves(at_mm), -1.0, np.inf)
    to_fluid_mm = np.minimum(np.minimum(depth_mm, to_fold_mm), to_gap_mm)
    brain = np.clip(to_fluid_mm + 0.5, 0.0, 1.0)
    white = np.clip(to_fluid_mm - _CORTEX_MM + 0.5, 0.0, 1.0)
    matter = _GREY + white * (0.7 - _GREY)
    tones += brain * (matter - tones)
    labels[brain >= 0.5] = 1


def _is_between_halves(at_mm: tuple[Floats, ...]) -> NDArray[np.bool_]:
    """Return where the gap between the halves of the cerebrum is."""
    _, _, x = at_mm
    return (np.abs(x) < 1.0) & (distance_mm(_BRIDGE, at_mm) > 0) & (distance_mm(_CEREBELLUM, at_mm) > 0)


def _smooth_noise(random: np.random.Generator, grain_mm: float) -> Floats:
    """Return noise of standard deviation 1 with a grain in mm."""
    grain_px = [grain_mm / step for step in _GRID.spacing_mm]
    noise = ndimage.gaussian_filter(random.standard_normal(_GRID.shape), grain_px)
    return np.asarray(noise / noise.std())


def _scanned(tones: Floats, random: np.random.Generator) -> Floats:
    """Blur in the planes, shade by the coil's field, and add the noise of a magnitude image."""
    sharp = ndimage.gaussian_filter(tones, [0.0, _BLUR_MM, _BLUR_MM])
    z, y, x = (axis / 100.0 for axis in _GRID.voxel_centres_mm())
    field = 1.0 - _SHADING * (y - 0.5 * x + 0.6 * z + 0.4 * y * x)
    real = sharp * field + _NOISE * random.standard_normal(_GRID.shape)
    return np.asarray(np.hypot(real, _NOISE * random.standard_normal(_GRID.shape)))


def _geometry() -> Geometry:
    """Return the grid in space: its middle at the origin, its planes tilted about the x axis."""
    turn = np.deg2rad(_TILT_DEG)
    plane_mm, row_mm, column_mm = _GRID.spacing_mm
    affine = np.eye(4)
    affine[:3, 0] = np.array([0.0, -np.sin(turn), np.cos(turn)]) * plane_mm
    affine[:3, 1] = np.array([0.0, np.cos(turn), np.sin(turn)]) * row_mm
    affine[:3, 2] = (column_mm, 0.0, 0.0)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(_GRID.shape) - 1) / 2)
    return Geometry(_GRID.shape, affine)


# z to the head, y to the back, x to the patient's left; in painting order, later over earlier.
_CEREBRUM = (
    Blob((-2.0, 0.0, 0.0), (52.0, 80.0, 64.0)),
    *(Blob((-34.0, -16.0, side * 34.0), (22.0, 36.0, 24.0)) for side in (-1.0, 1.0)),
)
_CEREBELLUM = Blob((-46.0, 44.0, 0.0), (22.0, 26.0, 42.0))
_BRIDGE = Blob((-4.0, 2.0, 0.0), (30.0, 46.0, 30.0))

_OUTSIDE: tuple[_Tissue, ...] = (
    _Tissue(0.84, (Blob((-8.0, 0.0, 0.0), (76.0, 98.0, 81.0)),)),
    _Tissue(0.4, (Blob((-8.0, 0.0, 0.0), (71.0, 93.5, 76.5)),)),
    _Tissue(0.06, (Blob((-6.0, 0.0, 0.0), (66.0, 91.5, 74.5)),)),
    _Tissue(0.34, (Blob((-6.0, 0.0, 0.0), (63.0, 88.0, 71.0)),)),
    _Tissue(0.06, (Blob((-6.0, 0.0, 0.0), (61.0, 86.0, 69.0)),)),
    _Tissue(_FLUID, (Blob((-4.0, 0.0, 0.0), (57.0, 83.5, 66.5)), _CEREBELLUM)),
)
_LATERAL = tuple(
    Tube(
        (
            (2.0, -34.0, side * 9.0),
            (12.0, -10.0, side * 8.0),
            (10.0, 16.0, side * 13.0),
            (0.0, 36.0, side * 22.0),
        ),
        5.5,
    )
    for side in (-1.0, 1.0)
)
_THIRD = (Blob((-8.0, -2.0, 0.0), (10.0, 13.0, 2.4)),)
_THALAMI = tuple(Blob((-6.0, 2.0, side * 13.0), (11.0, 15.0, 9.0), side * -15.0) for side in (-1.0, 1.0))
_NUCLEI = tuple(Blob((0.0, -14.0, side * 24.0), (12.0, 17.0, 5.5), side * -18.0) for side in (-1.0, 1.0))
_STEM = (Tube(((-90.0, 14.0, 0.0), (-40.0, 8.0, 0.0), (-20.0, 2.0, 0.0)), 12.0),)
_LESION = (
    Blob((20.0, -24.0, -32.0), (17.0, 15.0, 12.5), 25.0),
    Blob((30.0, -12.0, -36.0), (11.0, 11.0, 10.0)),
)
_CORE = (
    Blob((20.0, -24.0, -32.0), (12.0, 11.5, 9.0), 25.0),
    Blob((30.0, -12.0, -36.0), (7.0, 7.5, 6.5)),
)
_SWELLING = (Blob((22.0, -16.0, -34.0), (24.0, 29.0, 20.0), 25.0),)

_INSIDE: tuple[_Tissue, ...] = (
    _Tissue(0.62, _STEM, label=1),
    _Tissue(0.54, _THALAMI + _NUCLEI, label=1),
    _Tissue(0.18, _LATERAL + _THIRD, label=2),
    _Tissue(0.58, _SWELLING),
    _Tissue(0.98, _LESION, label=3),
    _Tissue(0.74, _CORE, label=3),
)
