"""What can be measured of one object: its size, place, shape and grey values.

`docs/measurements.md` defines each quantity. All is in mm, mm², ml and LPS mm of the geometry, which may be
oblique or sheared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.cleaning import pixel_mm2, voxel_mm3
from napari_sam.core.diameters import Diameter, PlaneDiameters, longest_diameter, plane_diameters
from napari_sam.core.masks import BoxedMask
from napari_sam.core.surface_area import surface_area_mm2
from napari_sam.errors import InvalidEdit
from volumes import Box, Geometry

__all__ = [
    "PERCENTILES",
    "ClassTotal",
    "Intensities",
    "ObjectMeasures",
    "class_totals",
    "measure_intensities",
    "measure_object",
]

PERCENTILES = (5.0, 25.0, 50.0, 75.0, 95.0)
"""Which percentiles of the grey values are measured; the third is the median."""


@dataclass(frozen=True)
class Intensities:
    """The grey values of an object, in the image's unit.

    Attributes
    ----------
    n : int
        Voxels whose value is a number.
    mean, spread : float
        Mean, and standard deviation of the values there are (divided by `n`).
    low, high : float
        The least and the greatest.
    percentiles : tuple of float
        At `PERCENTILES`, with straight lines between the values.
    """

    n: int
    mean: float
    spread: float
    low: float
    high: float
    percentiles: tuple[float, ...]

    @property
    def median(self) -> float:
        """The value in the middle."""
        return self.percentiles[PERCENTILES.index(50.0)]


@dataclass(frozen=True)
class ObjectMeasures:
    """All measures of one object.

    Attributes
    ----------
    voxels : int
        Number of voxels.
    volume_ml : float
        Voxels times the volume of one.
    axis : int
        The array axis that "planes" cut across.
    areas_mm2 : dict of int to float
        Area in each plane that has voxels, by the plane's index.
    centroid_lps_mm : (x, y, z)
        Mean place of the voxels' centres.
    box : Box
        Tight, half-open, in voxels of the volume.
    surface_mm2 : float
        See `surface_area_mm2`.
    longest : Diameter
        The longest diameter in space.
    in_plane : PlaneDiameters
        The longest diameter in a plane, and the longest across it.
    intensities : Intensities or None
        None without an image of grey values, or where no value is a number.
    """

    voxels: int
    volume_ml: float
    axis: int
    areas_mm2: dict[int, float]
    centroid_lps_mm: tuple[float, float, float]
    box: Box
    surface_mm2: float
    longest: Diameter
    in_plane: PlaneDiameters
    intensities: Intensities | None

    @property
    def largest_area_mm2(self) -> float:
        """Area in the plane where it is largest."""
        return max(self.areas_mm2.values())

    @property
    def largest_plane(self) -> int:
        """Index of that plane; the first of equals."""
        return max(self.areas_mm2, key=lambda index: (self.areas_mm2[index], -index))

    @property
    def equivalent_diameter_mm(self) -> float:
        """Diameter of a ball of the same volume."""
        return float(np.cbrt(6.0 * self.volume_ml * 1000.0 / np.pi))

    @property
    def sphericity(self) -> float:
        """Surface of a ball of the same volume, divided by this surface: 1 for a ball (Wadell, 1932)."""
        return float(np.pi * self.equivalent_diameter_mm**2 / self.surface_mm2)


@dataclass(frozen=True)
class ClassTotal:
    """All objects of a class together."""

    name: str
    n_objects: int
    voxels: int
    volume_ml: float


def measure_object(
    mask: BoxedMask, geometry: Geometry, values: NDArray[Any] | None = None, axis: int = 0
) -> ObjectMeasures:
    """Measure an object.

    Parameters
    ----------
    mask : BoxedMask
        The object, in three dimensions.
    geometry : Geometry
        Of the volume.
    values : NDArray, shape `mask.box.shape`, optional
        The image in the mask's box; None, or an RGB image, for no intensities.
    axis : int
        The array axis that "planes" cut across.

    Raises
    ------
    InvalidEdit
        A mask without a voxel.
    """
    tight = Box.of_mask(mask.bits, offset=mask.box.start)
    if tight is None:
        raise InvalidEdit("an object without a voxel has no measures; leave it out")
    cut = tuple(
        slice(low - start, high - start)
        for low, high, start in zip(tight.start, tight.stop, mask.box.start, strict=True)
    )
    mask, values = BoxedMask(tight, mask.bits[cut]), None if values is None else values[cut]
    per_axis = [
        np.count_nonzero(mask.bits, axis=tuple(other for other in range(3) if other != one))
        for one in range(3)
    ]
    voxels = int(per_axis[0].sum())
    at_idx = [
        start + float(counts @ np.arange(len(counts))) / voxels
        for counts, start in zip(per_axis, tight.start, strict=True)
    ]
    x, y, z = (float(mm) for mm in geometry.index_to_mm(at_idx))
    longest, in_plane = longest_diameter(mask, geometry), plane_diameters(mask, geometry, axis)
    if longest is None or in_plane is None:  # for the type checker: the mask is not empty
        raise InvalidEdit("an object without a voxel has no measures; leave it out")
    pixel = pixel_mm2(geometry, axis)
    areas = {tight.start[axis] + at: int(n) * pixel for at, n in enumerate(per_axis[axis]) if n}
    return ObjectMeasures(
        voxels=voxels,
        volume_ml=voxels * voxel_mm3(geometry) / 1000.0,
        axis=axis,
        areas_mm2=areas,
        centroid_lps_mm=(x, y, z),
        box=tight,
        surface_mm2=surface_area_mm2(mask.bits, geometry),
        longest=longest,
        in_plane=in_plane,
        intensities=measure_intensities(mask.bits, values),
    )


def measure_intensities(bits: NDArray[np.bool_], values: NDArray[Any] | None) -> Intensities | None:
    """Measure grey values where a mask is True; values that are no numbers are left out."""
    if values is None or values.ndim != bits.ndim:
        return None
    inside = values[bits].astype(np.float64)
    inside = inside[np.isfinite(inside)]
    if not len(inside):
        return None
    at = tuple(float(value) for value in np.percentile(inside, PERCENTILES))
    low, high = float(inside.min()), float(inside.max())
    return Intensities(len(inside), float(inside.mean()), float(inside.std()), low, high, at)


def class_totals(
    measures: Mapping[int, ObjectMeasures], classes: Mapping[int, str], absent: Iterable[str] = ()
) -> tuple[ClassTotal, ...]:
    """Count objects, voxels and ml of each class, in the order of the names.

    Parameters
    ----------
    measures : mapping of int to ObjectMeasures
        By object.
    classes : mapping of int to str
        The name of each object's class; "" where one is missing.
    absent : iterable of str
        Classes that are listed though no object has them.
    """
    names = sorted({classes.get(value, "") for value in measures} | set(absent))
    totals = []
    for name in names:
        own = [one for value, one in measures.items() if classes.get(value, "") == name]
        totals.append(
            ClassTotal(name, len(own), sum(one.voxels for one in own), sum(one.volume_ml for one in own))
        )
    return tuple(totals)
