"""Stacks whose planes shift sideways, as those of a tilted CT gantry do."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._limits import check_memory
from volumes.errors import TiltedGantry
from volumes.geometry import Geometry

__all__ = ["shift_per_mm", "straightened", "tilt_note"]

# A sideways shift over the whole stack below this part of a pixel is rounding, and no tilt.
_ROUNDING_PX = 0.1
# From an even shift, a plane may differ by this part of a pixel.
_UNEVEN_PX = 0.5
_SAME_ANGLE_DEG = 0.5


def shift_per_mm(
    positions_mm: NDArray[np.float64], normal: NDArray[np.float64], pixel_mm: float, where: Path
) -> NDArray[np.float64]:
    """Find how far planes shift sideways for each millimetre along their normal.

    Parameters
    ----------
    positions_mm : ndarray of shape (N, 3)
        Centres of the first voxel of each plane (LPS), in order along the normal.
    normal : ndarray of shape (3,)
        Unit vector.
    pixel_mm : float
        Size of a pixel.
    where : Path
        Folder of the planes, for the message.

    Returns
    -------
    ndarray of shape (3,)
        A vector at right angles to the normal; zero where the planes lie above each other.

    Raises
    ------
    TiltedGantry
        If the planes shift unevenly, so that no sheared grid holds them.
    """
    steps = positions_mm - positions_mm[0]
    along_mm = steps @ normal
    shifts = steps - np.outer(along_mm, normal)
    if np.linalg.norm(shifts, axis=1).max() <= _ROUNDING_PX * pixel_mm:
        return np.zeros(3)
    shear = shifts.T @ along_mm / (along_mm @ along_mm)
    off_mm = np.linalg.norm(shifts - np.outer(along_mm, shear), axis=1)
    worst = int(np.argmax(off_mm))
    if off_mm[worst] > _UNEVEN_PX * pixel_mm:
        raise TiltedGantry(
            f"{where} has planes that shift sideways unevenly: plane {worst} lies {off_mm[worst]:.4g} mm "
            "beside the line of the others; read an evenly shifted part from a folder of its own"
        )
    return np.asarray(shear)


def tilt_note(shear: NDArray[np.float64], stated_deg: float | None, *, straighten: bool) -> str | None:
    """Say what the stack's tilt is, and whether the header's tag agrees; None where there is nothing to say.

    Parameters
    ----------
    shear : ndarray of shape (3,)
        Sideways shift in mm for each mm along the normal.
    stated_deg : float or None
        GantryDetectorTilt, of which only the size counts: its sign depends on how the patient lies.
    straighten : bool
        Whether the stack will be resampled.
    """
    degrees = math.degrees(math.atan(float(np.linalg.norm(shear))))
    said = ""
    if stated_deg is not None and abs(abs(stated_deg) - degrees) > _SAME_ANGLE_DEG:
        said = f"; the tag GantryDetectorTilt says {stated_deg:.3g}, the planes' positions were taken"
    if degrees == 0.0:
        return f"the planes do not shift sideways{said}" if said else None
    done = (
        "they were resampled onto axes at right angles"
        if straighten
        else "the voxels are untouched, the affine is sheared (straighten=True, --straighten resamples them)"
    )
    return f"the planes shift sideways by a tilt of {degrees:.3g} degrees{said}; {done}"


def straightened(data: NDArray[Any], geometry: Geometry) -> tuple[NDArray[Any], Geometry]:
    """Resample a sheared stack onto axes at right angles; each plane stays in its own plane.

    Values are interpolated linearly within the plane. Rows and columns are added so that nothing is lost,
    and what lies outside a plane gets the lowest value of all.

    Parameters
    ----------
    data : ndarray of shape (P, R, C) or (P, R, C, 3)
        Voxels.
    geometry : Geometry
        Of shape (P, R, C), with rows and columns at a right angle.

    Returns
    -------
    data : ndarray of shape (P, R + m, C + n) or (P, R + m, C + n, 3)
    geometry : Geometry
        The same planes, along their normal.
    """
    _, row_mm, column_mm = geometry.spacing_mm
    step, down, right = (
        geometry.affine[:3, 0],
        geometry.affine[:3, 1] / row_mm,
        geometry.affine[:3, 2] / column_mm,
    )
    per_plane_px = np.array([step @ down / row_mm, step @ right / column_mm])
    shifts_px = np.outer(np.arange(len(data)), per_plane_px)
    first_px = np.floor(shifts_px.min(axis=0) + 1e-6)
    shape_hw = (
        np.array(data.shape[1:3]) + np.ceil(shifts_px.max(axis=0) - 1e-6).astype(int) - first_px.astype(int)
    )
    affine = geometry.affine.copy()
    affine[:3, 0] = step - (step @ down) * down - (step @ right) * right
    affine[:3, 3] += affine[:3, 1:3] @ first_px
    shape = (len(data), int(shape_hw[0]), int(shape_hw[1]))
    check_memory(Path("the straightened volume"), math.prod(shape) * data[0, 0, 0].nbytes)
    out = np.full((*shape, *data.shape[3:]), data.min(), data.dtype)
    for place, shift_px in enumerate(shifts_px - first_px):
        _shift_into(out[place], data[place], float(shift_px[0]), float(shift_px[1]))
    return out, Geometry(shape, affine, geometry.frame_uid)


def _shift_into(target: NDArray[Any], plane: NDArray[Any], rows_px: float, columns_px: float) -> None:
    """Write a plane moved by a part of its pixels into a larger one."""
    values, top = _shifted(plane, rows_px, 0)
    values, left = _shifted(values, columns_px, 1)
    if target.dtype.kind in "iu":
        values = np.rint(values)
    target[top : top + values.shape[0], left : left + values.shape[1]] = values


def _shifted(plane: NDArray[Any], shift_px: float, axis: int) -> tuple[NDArray[Any], int]:
    """Interpolate a plane at whole numbers after a shift along an axis; return where the first of them is."""
    start = math.ceil(shift_px - 1e-6)
    part = start - shift_px  # how far behind its first pixel the first whole number lies
    if part < 1e-6:
        return plane, start
    before = np.take(plane, range(plane.shape[axis] - 1), axis).astype(np.float64)
    after = np.take(plane, range(1, plane.shape[axis]), axis)
    return before * (1 - part) + after * part, start
