"""Order the planes of one DICOM series and say where they lie, or why they make no volume."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.headers import PlaneHeader
from volumes.errors import DuplicateSlices, InvalidGeometry, MissingSlices, TiltedGantry, UnevenSpacing
from volumes.geometry import Geometry

# Headers round positions; a gap may differ from the usual one by this much, or by this part of it.
_GAP_TOLERANCE_MM = 0.06
_GAP_TOLERANCE = 0.02
_GAP_TO_NOTE_MM = 0.01
# Planes nearer than this part of the widest gap lie at one position.
_SAME_POSITION = 0.01
_N_NAMED = 3
# A sideways shift over the whole stack below this part of a pixel is rounding.
_SHIFT_TOLERANCE_PX = 0.5
_ORTHONORMAL_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Stack:
    """Planes in order, where they lie, and what was assumed."""

    planes: tuple[PlaneHeader, ...]
    geometry: Geometry
    notes: tuple[str, ...]


def stack_planes(planes: Sequence[PlaneHeader]) -> Stack:
    """Order planes by their position along the slice normal (row direction x column direction), increasing.

    Parameters
    ----------
    planes : sequence of PlaneHeader
        Planes of one series, of one size, orientation and pixel spacing.

    Raises
    ------
    DuplicateSlices, MissingSlices, UnevenSpacing, TiltedGantry
        If the planes make no regular stack.
    InvalidGeometry
        If the row and column directions are not unit vectors at a right angle.
    """
    first = planes[0]
    notes = [] if first.spacing_hw_mm else ["the files hold no pixel size; 1 mm was assumed"]
    row_mm, column_mm = first.spacing_hw_mm or (1.0, 1.0)
    if first.orientation is None:
        return _without_position(planes, (row_mm, column_mm), notes)
    row_direction, column_direction, normal = _axes(first)
    positions = np.array([plane.position_mm for plane in planes], dtype=np.float64)
    order = np.argsort(positions @ normal, kind="stable")
    ordered, positions = tuple(planes[index] for index in order), positions[order]
    if len(planes) == 1:
        gap_mm = first.thickness_mm or 1.0
        if first.thickness_mm is None:
            notes.append("the file holds no slice thickness; 1 mm was assumed")
    else:
        gap_mm = _gap_mm(ordered, positions @ normal, notes)
        _check_shift(positions, normal, min(row_mm, column_mm), str(first.path.parent))
    affine = np.eye(4)
    affine[:3] = np.column_stack(
        [normal * gap_mm, column_direction * row_mm, row_direction * column_mm, positions[0]]
    )
    return Stack(ordered, Geometry((len(planes), *first.shape_hw), affine, first.frame_uid), tuple(notes))


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
    return Stack(ordered, geometry, (*notes, place))


def _gap_mm(planes: Sequence[PlaneHeader], along_mm: NDArray[np.float64], notes: list[str]) -> float:
    """Distance of neighbouring planes, for planes in order; `along_mm` are positions along the normal."""
    gaps_mm = np.diff(along_mm)
    where = planes[0].path.parent
    apart = gaps_mm[gaps_mm > _SAME_POSITION * float(gaps_mm.max())]
    if apart.size < gaps_mm.size or gaps_mm.max() <= 0:
        raise DuplicateSlices(
            f"{where} has {len(planes)} planes at {apart.size + 1} positions (heart phases, repeats …); "
            "copy the files of one phase into a folder of its own"
        )
    usual_mm = float(np.median(gaps_mm))
    tolerance_mm = max(_GAP_TOLERANCE_MM, _GAP_TOLERANCE * usual_mm)
    if np.abs(gaps_mm - usual_mm).max() <= tolerance_mm:
        if float(np.ptp(gaps_mm)) > _GAP_TO_NOTE_MM:
            notes.append(f"plane distances vary by {np.ptp(gaps_mm):.3g} mm; their mean was taken")
        return float((along_mm[-1] - along_mm[0]) / len(gaps_mm))
    n_steps = np.round(gaps_mm / gaps_mm.min())
    if np.abs(gaps_mm - n_steps * gaps_mm.min()).max() <= tolerance_mm * n_steps.max():
        raise MissingSlices(
            f"{where} lacks {int((n_steps - 1).sum())} planes: {_odd_gaps(along_mm, float(gaps_mm.min()))}; "
            "add the missing files, or keep one unbroken part in a folder of its own"
        )
    raise UnevenSpacing(
        f"{where} has unevenly spaced planes: {_odd_gaps(along_mm, usual_mm)}; "
        "keep one evenly spaced part in a folder of its own, or resample the series first"
    )


def _odd_gaps(along_mm: NDArray[np.float64], usual_mm: float) -> str:
    """Name the first gaps that differ most from the usual one."""
    gaps_mm = np.diff(along_mm)
    odd = np.flatnonzero(np.abs(gaps_mm - usual_mm) > max(_GAP_TOLERANCE_MM, _GAP_TOLERANCE * usual_mm))
    named = "; ".join(f"planes {at} and {at + 1} are {gaps_mm[at]:.4g} mm apart" for at in odd[:_N_NAMED])
    more = f" (and {odd.size - _N_NAMED} more)" if odd.size > _N_NAMED else ""
    return f"{named}{more}, the others {usual_mm:.4g} mm"


def _check_shift(
    positions: NDArray[np.float64], normal: NDArray[np.float64], pixel_mm: float, where: str
) -> None:
    """Raise TiltedGantry where planes in order (N, 3) move sideways by more than a part of a pixel."""
    steps = positions - positions[0]
    shifts_mm = np.linalg.norm(steps - np.outer(steps @ normal, normal), axis=1)
    worst = int(np.argmax(shifts_mm))
    if shifts_mm[worst] <= _SHIFT_TOLERANCE_PX * pixel_mm:
        return
    degrees = math.degrees(math.atan2(shifts_mm[worst], float(steps[worst] @ normal)))
    raise TiltedGantry(
        f"{where} has planes that shift sideways by {shifts_mm[worst]:.4g} mm over the stack "
        f"({degrees:.3g} degrees, gantry tilt); straighten the series first, for example with dcm2niix, "
        "and read the NIfTI it writes"
    )
