"""Order the planes of one DICOM volume and say where they lie, or why they make no volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.headers import PlaneHeader
from volumes._dicom.spacing import PlaneGrid, is_finite, plane_grid
from volumes._dicom.tilt import shift_per_mm, tilt_note
from volumes._limits import check_memory
from volumes.errors import InvalidGeometry
from volumes.geometry import Geometry
from volumes.series import ReadOptions

__all__ = ["Stack", "along_normal_mm", "spread", "stack_planes"]

_ORTHONORMAL_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Stack:
    """Planes in order, where they lie, and what was assumed.

    Parameters
    ----------
    planes : tuple of PlaneHeader
        Planes in order, without those that are filled in.
    geometry : Geometry
        Of the whole volume, filled-in planes included; sheared where `is_tilted`.
    grid : PlaneGrid
        Which plane of the volume each is.
    is_tilted : bool
        Whether the planes shift sideways.
    notes : tuple of str
    """

    planes: tuple[PlaneHeader, ...]
    geometry: Geometry
    grid: PlaneGrid
    is_tilted: bool
    notes: tuple[str, ...]


def stack_planes(planes: Sequence[PlaneHeader], options: ReadOptions) -> Stack:
    """Order planes by their position along the slice normal (row direction x column direction), increasing.

    Parameters
    ----------
    planes : sequence of PlaneHeader
        Planes of one series, of one size, orientation and pixel spacing.
    options : ReadOptions
        Whether to keep the places of missing planes and to put uneven ones on an even grid; whether a tilted
        stack will be straightened (for the note: its geometry is the sheared one).

    Raises
    ------
    DuplicateSlices, MissingSlices, UnevenSpacing, TiltedGantry
        If the planes make no regular stack.
    InvalidGeometry
        If the row and column directions are not unit vectors at a right angle, or positions make no sense.
    """
    first = planes[0]
    notes = [] if first.spacing_hw_mm else ["the files hold no pixel size; 1 mm was assumed"]
    row_mm, column_mm = first.spacing_hw_mm or (1.0, 1.0)
    if first.orientation is None:
        return _without_position(planes, (row_mm, column_mm), notes)
    row_direction, column_direction, normal = _axes(first)
    positions = _positions(planes)
    order = np.argsort(positions @ normal, kind="stable")
    ordered, positions = tuple(planes[index] for index in order), positions[order]
    where = first.path.parent
    shear = np.zeros(3)
    if len(planes) == 1:
        if first.thickness_mm is None:
            notes.append("the file holds no slice thickness; 1 mm was assumed")
        grid = PlaneGrid(first.thickness_mm or 1.0, (0,))
    else:
        grid = plane_grid(positions @ normal, where, allow_gaps=options.allow_gaps)
        shear = shift_per_mm(positions, normal, min(row_mm, column_mm), where)
        tilt = tilt_note(shear, first.tags.tilt_deg, straighten=options.straighten)
        notes += [*grid.notes, *([tilt] if tilt else [])]
    affine = np.eye(4)
    affine[:3] = np.column_stack(
        [(normal + shear) * grid.step_mm, column_direction * row_mm, row_direction * column_mm, positions[0]]
    )
    geometry = Geometry((grid.n_places, *first.shape_hw), affine, first.frame_uid)
    return Stack(ordered, geometry, grid, bool(shear.any()), tuple(notes))


def along_normal_mm(planes: Sequence[PlaneHeader]) -> NDArray[np.float64]:
    """Positions (N,) of planes of one orientation along their normal.

    Raises
    ------
    InvalidGeometry
        As `stack_planes`.
    """
    return np.asarray(_positions(planes) @ _axes(planes[0])[2])


def spread(data: NDArray[Any], grid: PlaneGrid) -> NDArray[Any]:
    """Put planes on their places, and fill those between.

    Parameters
    ----------
    data : ndarray of shape (N, R, C) or (N, R, C, 3)
        The planes that there are.
    grid : PlaneGrid
        Their N places.

    Returns
    -------
    ndarray of shape (P, R, C) or (P, R, C, 3)
        The lowest value in places without a plane, or values between those of the neighbours.
    """
    if grid.is_full:
        return data
    check_memory(Path("the volume with its gaps"), grid.n_places * data[0].nbytes)
    out = np.empty((grid.n_places, *data.shape[1:]), data.dtype)
    if not grid.is_interpolated:
        out[:] = data.min()
        out[list(grid.places_idx)] = data
        return out
    for at, (low, high) in enumerate(zip(grid.places_idx, grid.places_idx[1:], strict=False)):
        out[low] = data[at]
        for place in range(low + 1, high):
            part = (place - low) / (high - low)
            between = data[at] * (1 - part) + data[at + 1] * part
            out[place] = np.rint(between) if data.dtype.kind in "iu" else between
    out[-1] = data[-1]
    return out


def _positions(planes: Sequence[PlaneHeader]) -> NDArray[np.float64]:
    """Positions (N, 3) of planes, LPS mm."""
    positions = np.array([plane.position_mm for plane in planes], dtype=np.float64)
    if not is_finite(positions):
        raise InvalidGeometry(
            f"{planes[0].path.parent} has planes at impossible positions; mend their headers"
        )
    return positions


def _axes(plane: PlaneHeader) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return unit vectors (LPS) of the row direction, the column direction, and their normal."""
    row_direction, column_direction = np.reshape(np.array(plane.orientation), (2, 3))
    lengths = np.linalg.norm(row_direction), np.linalg.norm(column_direction)
    if abs(row_direction @ column_direction) > _ORTHONORMAL_TOLERANCE or not np.allclose(
        lengths, 1.0, atol=_ORTHONORMAL_TOLERANCE
    ):
        raise InvalidGeometry(
            f"{plane.path} has the orientation {plane.orientation}, "
            "which is no pair of unit vectors at a right angle; mend its header"
        )
    row_direction, column_direction = row_direction / lengths[0], column_direction / lengths[1]
    normal = np.cross(row_direction, column_direction)
    return row_direction, column_direction, normal / np.linalg.norm(normal)


def _without_position(
    planes: Sequence[PlaneHeader], pixel_mm: tuple[float, float], notes: list[str]
) -> Stack:
    """Stack planes that have no place in space, such as an ultrasound film, by number, file and frame."""
    ordered = tuple(sorted(planes, key=lambda plane: (plane.number or 0, str(plane.path), plane.frame)))
    gap_mm = planes[0].thickness_mm or 1.0
    geometry = Geometry.from_spacing((len(planes), *planes[0].shape_hw), (gap_mm, *pixel_mm))
    place = "the files hold no position; planes are in the order of their numbers, from an arbitrary origin"
    grid = PlaneGrid(gap_mm, tuple(range(len(planes))))
    return Stack(ordered, geometry, grid, False, (*notes, place))
