"""The units that people read sizes in: mm and ml, µm and µm³ under a microscope, pixels of a photograph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_sam.core.cleaning import pixel_mm2, voxel_mm3
from napari_sam.nodes.info import is_placed
from volumes import Geometry, Volume

__all__ = ["MICRO", "MILLI", "PIXELS", "Units", "digits", "size_of", "units_for", "units_in", "units_of"]

_MICRO_BELOW_MM3 = 1e-6
"""Voxels smaller than a cube of 10 µm are those of a microscope."""


@dataclass(frozen=True)
class Units:
    """Names of units, and how many of them make one mm, mm² and ml."""

    length: str
    area: str
    volume: str
    per_mm: float = 1.0
    per_mm2: float = 1.0
    per_ml: float = 1.0

    @property
    def cube(self) -> str:
        """Name of the cube of the length: that in which a person types the size of a hole."""
        return f"{self.length}³"

    @property
    def per_mm3(self) -> float:
        """How many of these cubes make one mm³."""
        return self.per_mm**3


MILLI = Units("mm", "mm²", "ml")
MICRO = Units("µm", "µm²", "µm³", 1e3, 1e6, 1e12)
PIXELS = Units("px", "px²", "px³", per_ml=1e3)
"""Of an image that says nothing of its size: its voxels count as 1 mm wide."""


def units_for(voxel_mm3: float) -> Units:
    """Return the units for an image whose voxels have this volume in mm³."""
    return MICRO if 0.0 < voxel_mm3 < _MICRO_BELOW_MM3 else MILLI


def digits(size: float) -> str:
    """Write a size with four digits that count, and a large one in full."""
    return f"{size:.0f}" if size >= 1000 else f"{size:.4g}"


def units_in(geometry: Geometry) -> Units:
    """Return the units for places in a geometry, whose voxels may be sheared."""
    return units_for(float(abs(np.linalg.det(geometry.affine[:3, :3]))))


def units_of(volume: Volume) -> Units:
    """Return the units for sizes in a volume: pixels where it does not say how large they are."""
    geometry = volume.geometry
    is_told = is_placed(volume.provenance.format, geometry) or any(
        step != 1.0 for step in geometry.spacing_mm
    )
    return units_in(geometry) if is_told else PIXELS


def size_of(volume: Volume, n_voxels: int) -> str:
    """Say how large so many voxels are: their volume or, in a single plane, their area; "" of none."""
    if n_voxels == 0:
        return ""
    units, geometry = units_of(volume), volume.geometry
    if volume.shape[0] == 1:
        return f"{digits(n_voxels * pixel_mm2(geometry, axis=0) * units.per_mm2)} {units.area}"
    return f"{digits(n_voxels * voxel_mm3(geometry) / 1000 * units.per_ml)} {units.volume}"
