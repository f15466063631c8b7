"""An object's counts and sums, plane by plane: after a click only one plane is counted again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.cleaning import pixel_mm2, voxel_mm3
from napari_sam.core.masks import BoxedMask
from volumes import Geometry

__all__ = ["PlaneSum", "PlaneSums"]


@dataclass(frozen=True)
class PlaneSum:
    """What one plane of an object adds up to.

    Attributes
    ----------
    n : int
        Voxels.
    rows, columns : float
        Sum of the voxels' indices along the plane's first and second axis, in the volume.
    n_values : int
        Voxels whose grey value is a number.
    values, deviations : float
        Sum of these grey values, and of their squared distances from their own mean.
    low, high : float
        Their range; infinities (high below low) where there is none.
    """

    n: int
    rows: float
    columns: float
    n_values: int = 0
    values: float = 0.0
    deviations: float = 0.0
    low: float = np.inf
    high: float = -np.inf

    @classmethod
    def of(
        cls, bits: NDArray[np.bool_], start: tuple[int, int], values: NDArray[Any] | None = None
    ) -> PlaneSum:
        """Add a plane up.

        Parameters
        ----------
        bits : NDArray[bool], shape (H, W)
            The object in the plane, or in a part of it that holds it.
        start : tuple of int
            Where the part begins in the plane: row and column.
        values : NDArray, shape (H, W), optional
            The grey values there.
        """
        by_row, by_column = bits.sum(axis=1), bits.sum(axis=0)
        n = int(by_row.sum())
        rows = float(by_row @ np.arange(len(by_row))) + n * start[0]
        columns = float(by_column @ np.arange(len(by_column))) + n * start[1]
        if values is None or n == 0:
            return cls(n, rows, columns)
        inside = values[bits].astype(np.float64)
        inside = inside[np.isfinite(inside)]
        if not len(inside):
            return cls(n, rows, columns)
        apart = inside - inside.mean()
        sums = float(inside.sum()), float(apart @ apart), float(inside.min()), float(inside.max())
        return cls(n, rows, columns, len(inside), *sums)


@dataclass(frozen=True)
class PlaneSums:
    """The planes of an object along one axis.

    Attributes
    ----------
    geometry : Geometry
        Of the volume.
    axis : int
        The array axis that the planes cut across.
    planes : mapping of int to PlaneSum
        By index; only those where the object has voxels.
    """

    geometry: Geometry
    axis: int
    planes: Mapping[int, PlaneSum] = field(default_factory=dict)

    @classmethod
    def of(
        cls, mask: BoxedMask, geometry: Geometry, values: NDArray[Any] | None = None, axis: int = 0
    ) -> PlaneSums:
        """Add up an object; `values` are the grey values in the mask's box, `mask.box.shape`."""
        row, column = (low for one, low in enumerate(mask.box.start) if one != axis)
        found = {}
        for at in range(mask.box.shape[axis]):
            bits = np.take(mask.bits, at, axis=axis)
            if bits.any():
                there = None if values is None else values.take(at, axis)
                found[at + mask.box.start[axis]] = PlaneSum.of(bits, (row, column), there)
        return cls(geometry, axis, found)

    def with_plane(self, index: int, plane: PlaneSum) -> PlaneSums:
        """Return the same with one plane counted again; one without voxels is dropped."""
        planes = {at: one for at, one in self.planes.items() if at != index}
        if plane.n:
            planes[index] = plane
        return PlaneSums(self.geometry, self.axis, dict(sorted(planes.items())))

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return sum(one.n for one in self.planes.values())

    @property
    def volume_ml(self) -> float:
        """Volume in ml: voxels times the volume of one."""
        return self.voxels * voxel_mm3(self.geometry) / 1000.0

    @property
    def areas_mm2(self) -> dict[int, float]:
        """Area of each plane in mm², by index."""
        pixel = pixel_mm2(self.geometry, self.axis)
        return {index: one.n * pixel for index, one in self.planes.items()}

    @property
    def centroid_lps_mm(self) -> tuple[float, float, float] | None:
        """Mean place of the voxels' centres, LPS mm; None without a voxel."""
        n = self.voxels
        if n == 0:
            return None
        at = [
            sum(one.rows for one in self.planes.values()) / n,
            sum(one.columns for one in self.planes.values()) / n,
        ]
        at.insert(self.axis, sum(index * one.n for index, one in self.planes.items()) / n)
        x, y, z = (float(mm) for mm in self.geometry.index_to_mm(at))
        return x, y, z

    @property
    def mean(self) -> float | None:
        """Mean of the grey values; None where there are none."""
        n = sum(one.n_values for one in self.planes.values())
        return sum(one.values for one in self.planes.values()) / n if n else None

    @property
    def spread(self) -> float | None:
        """Standard deviation of the grey values (of the voxels there are: divided by their number)."""
        mean = self.mean
        if mean is None:
            return None
        counted = [one for one in self.planes.values() if one.n_values]
        total = sum(
            one.deviations + one.n_values * (one.values / one.n_values - mean) ** 2 for one in counted
        )
        return float(np.sqrt(total / sum(one.n_values for one in counted)))
