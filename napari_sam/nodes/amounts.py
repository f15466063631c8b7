"""The units that people read sizes in: mm and ml, or µm and µm³ under a microscope."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MICRO", "MILLI", "Units", "units_for"]

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


MILLI = Units("mm", "mm²", "ml")
MICRO = Units("µm", "µm²", "µm³", 1e3, 1e6, 1e12)


def units_for(voxel_mm3: float) -> Units:
    """Return the units for an image whose voxels have this volume in mm³."""
    return MICRO if 0.0 < voxel_mm3 < _MICRO_BELOW_MM3 else MILLI
