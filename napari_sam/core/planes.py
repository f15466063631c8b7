"""Planes of a volume: a 2-D cut of one voxel's thickness across one of the three array axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from napari_sam.errors import InvalidPrompt
from volumes import Box, LazyArray

__all__ = ["PlaneRef", "plane_range", "planes_outward"]


_INSIDE = (1, 2), (0, 2), (0, 1)
"""The two axes that a plane across each axis has."""


@dataclass(frozen=True, order=True)
class PlaneRef:
    """One plane of a volume.

    In a plane, (row, col) are the two remaining axes in array order: axis 0 leaves (row, column), axis 1
    (plane, column), axis 2 (plane, row).

    Parameters
    ----------
    axis : int
        The array axis that the plane cuts across: 0, 1 or 2.
    index : int
        The plane's index along that axis, from 0.

    Raises
    ------
    InvalidPrompt
        An axis other than 0, 1, 2, or a negative index.
    """

    axis: int
    index: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "axis", int(self.axis))
        object.__setattr__(self, "index", int(self.index))
        if self.axis not in (0, 1, 2):
            raise InvalidPrompt(f"a plane's axis is {self.axis}; give 0, 1 or 2")
        if self.index < 0:
            raise InvalidPrompt(f"a plane's index is {self.index}; give 0 or more")

    def take(self, array: NDArray[Any] | LazyArray) -> NDArray[Any]:
        """Return this plane of an array: a view, or for a lazy array what was read of it.

        Parameters
        ----------
        array : NDArray or LazyArray, shape (P, R, C) or (P, R, C, 3)

        Returns
        -------
        NDArray, shape (H, W) or (H, W, 3)
        """
        self.check(array.shape)
        plane: NDArray[Any] = array[(slice(None),) * self.axis + (self.index,)]
        return plane

    def check(self, volume_shape: Sequence[int]) -> None:
        """Raise InvalidPrompt where a volume of this shape has no such plane."""
        n_planes = volume_shape[self.axis]
        if self.index >= n_planes:
            raise InvalidPrompt(
                f"plane {self.index} on axis {self.axis} is outside the volume of shape "
                f"{tuple(volume_shape[:3])}; give an index from 0 to {n_planes - 1}"
            )

    def shape_hw(self, volume_shape: Sequence[int]) -> tuple[int, int]:
        """Return the plane's (height, width) in a volume of this shape."""
        height, width = (volume_shape[axis] for axis in self._inside)
        return height, width

    def rc(self, at: Sequence[float]) -> tuple[float, float]:
        """Drop the plane's axis from a (plane, row, column) voxel position."""
        row, col = (at[axis] for axis in self._inside)
        return row, col

    def at(self, row: float, col: float) -> tuple[float, float, float]:
        """Turn a position in the plane into a (plane, row, column) voxel position."""
        position = [row, col]
        position.insert(self.axis, self.index)
        return position[0], position[1], position[2]

    def box(self, volume_shape: Sequence[int]) -> Box:
        """Return the voxel box of the whole plane, one voxel thick along its axis."""
        self.check(volume_shape)
        return self.box_of((0, 0, *self.shape_hw(volume_shape)))

    def box_of(self, box_hw: tuple[int, int, int, int]) -> Box:
        """Return the voxel box of a half-open (row0, col0, row1, col1) in the plane."""
        (row0, col0, row1, col1), first, last = box_hw, self.index, self.index + 1
        if self.axis == 0:
            return Box((first, row0, col0), (last, row1, col1))
        if self.axis == 1:
            return Box((row0, first, col0), (row1, last, col1))
        return Box((row0, col0, first), (row1, col1, last))

    def box_hw(self, box: Box) -> tuple[int, int, int, int]:
        """Return the half-open (row0, col0, row1, col1) that a voxel box covers in the plane's axes."""
        (row, col), start, stop = self._inside, box.start, box.stop
        return start[row], start[col], stop[row], stop[col]

    def holds(self, box: Box) -> bool:
        """Return whether a voxel box is one voxel thick and lies in this plane."""
        return box.start[self.axis] == self.index and box.stop[self.axis] == self.index + 1

    def meets(self, box: Box) -> bool:
        """Return whether a voxel box reaches into this plane."""
        return box.start[self.axis] <= self.index < box.stop[self.axis]

    def neighbour(self, step: int) -> PlaneRef:
        """Return the plane `step` further along the axis.

        Raises
        ------
        InvalidPrompt
            The index would be negative.
        """
        return PlaneRef(self.axis, self.index + step)

    @property
    def _inside(self) -> tuple[int, int]:
        return _INSIDE[self.axis]


def plane_range(volume_shape: Sequence[int], axis: int, wanted: tuple[int, int] | None) -> tuple[int, int]:
    """Return the planes to work on, first and one after the last: those wanted, or all across the axis.

    Parameters
    ----------
    volume_shape : sequence of int
        (P, R, C).
    axis : int
        The array axis that the planes cut across.
    wanted : tuple[int, int], optional
        Half-open range of indices.

    Raises
    ------
    InvalidPrompt
        A range that is empty, or reaches beyond the volume.
    """
    n_planes = volume_shape[axis]
    first, last = (0, n_planes) if wanted is None else wanted
    if last == first + 1 and first >= n_planes:
        raise InvalidPrompt(
            f"plane {first} is outside the {n_planes} planes of axis {axis}; give 0 to {n_planes - 1}"
        )
    if not 0 <= first < last <= n_planes:
        raise InvalidPrompt(
            f"the range {first}:{last} does not fit the {n_planes} planes of axis {axis}; "
            f"give FIRST:LAST inside 0:{n_planes}, the last one excluded"
        )
    return first, last


def planes_outward(plane: PlaneRef, n: int, within: tuple[int, int] | None = None) -> tuple[PlaneRef, ...]:
    """List planes from one outward on both sides, nearest first, that one included.

    Parameters
    ----------
    plane : PlaneRef
        Where to begin.
    n : int
        How many planes the volume has along the plane's axis.
    within : tuple[int, int], optional
        Half-open range of indices to stay in; the whole axis when None.

    Returns
    -------
    tuple[PlaneRef, ...]
        Each plane of the range once; of two at the same distance the higher index comes first.
    """
    first, last = (0, n) if within is None else (max(within[0], 0), min(within[1], n))
    indices = sorted(range(first, last), key=lambda index: (abs(index - plane.index), -index))
    return tuple(PlaneRef(plane.axis, index) for index in indices)
