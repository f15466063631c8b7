"""Where the voxels of an array lie in space: LPS millimetres, as in DICOM and ITK."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from volumes.box import Box
from volumes.errors import InvalidBox, InvalidGeometry

# Normalised volume of the voxel's parallelepiped below which its axes count as lying in one plane.
_FLAT = 1e-6
# Beyond it a number is no position, and its square may overflow.
_FAR_MM = 1e12


@dataclass(frozen=True, eq=False)
class Geometry:
    """A grid of voxels in space.

    Parameters
    ----------
    shape : tuple of int
        Number of (planes, rows, columns).
    affine : array_like of shape (4, 4)
        Maps a voxel index (plane, row, column, 1) to (x, y, z, 1) in LPS mm, at voxel centres. Kept as a
        read-only copy.
    frame_uid : str, optional
        DICOM frame of reference, where known.

    Raises
    ------
    InvalidGeometry
        If the shape is not three positive integers, or the affine not a finite, invertible (4, 4) matrix
        whose last row is 0 0 0 1.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]
    frame_uid: str | None = None

    def __post_init__(self) -> None:
        shape = tuple(int(length) for length in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise InvalidGeometry(
                f"the shape is {shape}; it needs three lengths of 1 or more (planes, rows, columns)"
            )
        affine = np.array(self.affine, dtype=np.float64)
        affine += 0.0  # turns -0.0 into 0.0, for stable digests
        _check_affine(affine)
        affine.flags.writeable = False
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @classmethod
    def from_spacing(
        cls,
        shape: tuple[int, int, int],
        spacing_mm: Sequence[float] = (1.0, 1.0, 1.0),
        origin_mm: Sequence[float] = (0.0, 0.0, 0.0),
    ) -> Geometry:
        """Grid along the world's axes: columns run along x, rows along y, planes along z.

        Parameters
        ----------
        shape : tuple of int
            Number of (planes, rows, columns).
        spacing_mm : three float
            Distance of (planes, rows, columns) in mm.
        origin_mm : three float
            Centre of the first voxel, (x, y, z) LPS mm.
        """
        affine = np.zeros((4, 4))
        plane_mm, row_mm, column_mm = spacing_mm
        affine[2, 0], affine[1, 1], affine[0, 2] = plane_mm, row_mm, column_mm
        affine[:, 3] = (*origin_mm, 1.0)
        return cls(shape, affine)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Geometry):
            return NotImplemented
        return (self.shape, self.frame_uid) == (other.shape, other.frame_uid) and np.array_equal(
            self.affine, other.affine
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.frame_uid, self.affine.tobytes()))

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Distance between neighbouring (planes, rows, columns) in mm."""
        plane, row, column = (float(length) for length in np.linalg.norm(self.affine[:3, :3], axis=0))
        return plane, row, column

    @property
    def directions(self) -> NDArray[np.float64]:
        """Unit vectors (LPS) of the plane, row and column axes, as the columns of a (3, 3) matrix."""
        return np.asarray(self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0))

    def index_to_mm(self, at_idx: ArrayLike) -> NDArray[np.float64]:
        """Positions of voxel indices.

        Parameters
        ----------
        at_idx : array_like of shape (..., 3)
            (plane, row, column), fractions allowed; integers are voxel centres.

        Returns
        -------
        ndarray of shape (..., 3)
            (x, y, z) in LPS mm.
        """
        points = _points(at_idx, "the index")
        return np.asarray(points @ self.affine[:3, :3].T + self.affine[:3, 3])

    def mm_to_index(self, at_mm: ArrayLike) -> NDArray[np.float64]:
        """Voxel indices of positions: the inverse of `index_to_mm`.

        Parameters
        ----------
        at_mm : array_like of shape (..., 3)
            (x, y, z) in LPS mm.

        Returns
        -------
        ndarray of shape (..., 3)
            (plane, row, column), with fractions, not clipped.
        """
        points = _points(at_mm, "the position") - self.affine[:3, 3]
        return np.asarray(points @ np.linalg.inv(self.affine[:3, :3]).T)

    def crop(self, box: Box) -> Geometry:
        """Geometry of ``array[box.slices()]``.

        Raises
        ------
        InvalidBox
            If the box is empty or leaves the grid.
        """
        if box.is_empty or box.clip(self.shape) != box:
            raise InvalidBox(
                f"the box {box.start}..{box.stop} is empty or leaves the shape {self.shape}; clip it first"
            )
        affine = self.affine.copy()
        affine[:3, 3] = self.index_to_mm(box.start)
        return Geometry(box.shape, affine, self.frame_uid)

    def permute(self, axes: Sequence[int]) -> Geometry:
        """Geometry of ``np.transpose(array, axes)``.

        Raises
        ------
        InvalidGeometry
            If the axes are not a permutation of 0, 1, 2.
        """
        order = tuple(axes)
        if sorted(order) != [0, 1, 2]:
            raise InvalidGeometry(f"axes {order} are no permutation of (0, 1, 2)")
        first, second, third = (self.shape[axis] for axis in order)
        return Geometry((first, second, third), self.affine[:, [*order, 3]], self.frame_uid)

    def flip(self, axis: int) -> Geometry:
        """Geometry of ``np.flip(array, axis)``.

        Raises
        ------
        InvalidGeometry
            If the axis is not 0, 1 or 2.
        """
        if axis not in (0, 1, 2):
            raise InvalidGeometry(f"axis {axis} cannot be flipped; pass 0 (planes), 1 (rows) or 2 (columns)")
        affine = self.affine.copy()
        affine[:3, 3] += (self.shape[axis] - 1) * affine[:3, axis]
        affine[:3, axis] *= -1.0
        return Geometry(self.shape, affine, self.frame_uid)

    def is_close(self, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
        """Whether both have one shape, and no voxel centre lies further apart than the tolerance (mm)."""
        if self.shape != other.shape:
            return False
        corners_idx = np.stack(
            np.meshgrid(*((0, length - 1) for length in self.shape), indexing="ij"), axis=-1
        )
        apart_mm = np.linalg.norm(self.index_to_mm(corners_idx) - other.index_to_mm(corners_idx), axis=-1)
        return bool(apart_mm.max() <= tolerance_mm)


@np.errstate(all="ignore")
def _check_affine(affine: NDArray[np.float64]) -> None:
    """Raise InvalidGeometry unless the matrix maps a grid into space."""
    if affine.shape != (4, 4):
        raise InvalidGeometry(f"the affine has shape {affine.shape}; it needs (4, 4)")
    if not np.isfinite(affine).all():
        raise InvalidGeometry(
            f"the affine holds values that are not finite: {affine.tolist()}; mend the file's header"
        )
    if not np.array_equal(affine[3], (0.0, 0.0, 0.0, 1.0)):
        raise InvalidGeometry(f"the affine's last row is {affine[3].tolist()}; it needs to be 0 0 0 1")
    if np.abs(affine).max() > _FAR_MM:
        raise InvalidGeometry(
            f"the affine holds {np.abs(affine).max():.3g} mm, which is no place on earth; mend the header"
        )
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if lengths.min() <= 0.0 or abs(np.linalg.det(affine[:3, :3] / lengths)) < _FLAT:
        raise InvalidGeometry(
            f"the affine {affine[:3, :3].tolist()} is flat: a spacing is zero or two axes are parallel; "
            "mend the header"
        )


def _points(values: ArrayLike, what: str) -> NDArray[np.float64]:
    """Return an array of shape (..., 3), or say which shape came."""
    points: NDArray[Any] = np.asarray(values, dtype=np.float64)
    if points.ndim == 0 or points.shape[-1] != 3:
        raise InvalidGeometry(f"{what} has shape {points.shape}; its last axis needs three values")
    return points
