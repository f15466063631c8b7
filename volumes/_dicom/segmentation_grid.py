"""Where the frames of a DICOM segmentation lie: on the planes of an image, or on a grid of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._limits import PICTURE_CODEC, check_claim
from volumes.errors import BrokenFile, UnevenSpacing, UnsupportedImage
from volumes.geometry import Geometry

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["FrameGrid", "Layout", "lay_out"]

_SAME_DIRECTION = 1e-3
_SAME_SPACING = 1e-3
_SAME_POSITION_MM = 1e-3
_NEAR_PX = 0.5
"""Frames that name the image's series lie on its planes where they are so near, others `_NEAR_OTHER_PX`."""
_NEAR_OTHER_PX = 0.05
_TO_NOTE_MM = 0.01
_STEP_TOLERANCE, _STEP_TOLERANCE_MM = 0.02, 0.06


@dataclass(frozen=True, eq=False)
class FrameGrid:
    """Frames of one size and direction.

    ``positions`` (F, 3) are the first pixels' centres in LPS mm, ``directions`` the unit vectors of row and
    column direction (2, 3); both None where the file does not say. ``spacing_hw_mm`` is the distance of rows
    and of columns, ``gap_mm`` that of planes where the file says it, ``stored_bytes`` the file's size.
    """

    shape_hw: tuple[int, int]
    positions: NDArray[np.float64] | None
    directions: NDArray[np.float64] | None
    spacing_hw_mm: tuple[float, float]
    gap_mm: float | None
    frame_uid: str | None
    stored_bytes: int

    @classmethod
    def of_groups(
        cls,
        own: Sequence[Dataset],
        shared: Dataset | None,
        shape_hw: tuple[int, int],
        frame_uid: str | None,
        path: Path,
    ) -> FrameGrid:
        """Take the place of each frame from its functional groups, or the shared ones.

        Raises
        ------
        UnsupportedImage
            If the frames differ in direction or pixel size, or only some say where they lie.
        """
        placed = [
            _numbers(group, shared, "PlanePositionSequence", "ImagePositionPatient", 3) for group in own
        ]
        turned = [
            _numbers(group, shared, "PlaneOrientationSequence", "ImageOrientationPatient", 6) for group in own
        ]
        sized = [_numbers(group, shared, "PixelMeasuresSequence", "PixelSpacing", 2) for group in own]
        for values, what in ((turned, "directions"), (sized, "pixel sizes")):
            if not _are_alike(values):
                raise UnsupportedImage(
                    f"{path} has frames of different {what}, which make no grid; export them separately"
                )
        is_placed = all(one is not None for one in (*turned, *placed))
        directions = _unit(np.reshape(np.array(turned[0]), (2, 3)), path) if is_placed else None
        row_mm, column_mm = (1.0, 1.0) if sized[0] is None else (float(one) for one in sized[0])
        if min(row_mm, column_mm) <= 0:
            raise BrokenFile(f"{path} has pixels of {row_mm}x{column_mm} mm; mend its header")
        positions = np.array(placed, dtype=np.float64) if is_placed else None
        gap_mm = _gap_mm(own[0], shared)
        return cls(
            shape_hw, positions, directions, (row_mm, column_mm), gap_mm, frame_uid, path.stat().st_size
        )


@dataclass(frozen=True, eq=False)
class Layout:
    """The plane of each frame (None for one outside), the grid of the planes, and what was assumed."""

    places: tuple[int | None, ...]
    geometry: Geometry
    notes: tuple[str, ...] = ()


def lay_out(grid: FrameGrid, image: Geometry | None, path: Path, *, is_own: bool) -> Layout:
    """Give each frame a plane, of the image where they lie on it, else of the smallest grid that has them.

    Raises
    ------
    UnevenSpacing
        If they lie on no even grid.
    UnsupportedImage
        If several do not say where they lie.
    """
    n_frames = 1 if grid.positions is None else len(grid.positions)
    if image is not None:
        on_image = _on_image(grid, image, n_frames, is_own=is_own)
        if on_image is not None:
            return on_image
    if grid.positions is None or grid.directions is None:
        shape = (1, *grid.shape_hw)
        geometry = Geometry.from_spacing(shape, (grid.gap_mm or 1.0, *grid.spacing_hw_mm))
        return Layout((0,), geometry, ("the file does not say where it lies; an arbitrary origin was taken",))
    return _own_grid(grid, path)


def _on_image(grid: FrameGrid, image: Geometry, n_frames: int, *, is_own: bool) -> Layout | None:
    """Frames on the planes of an image; None where they are not on its grid."""
    if grid.shape_hw != image.shape[1:]:
        return None
    if grid.positions is None or grid.directions is None:
        return Layout((0,) * n_frames, image) if is_own and image.shape[0] == 1 else None
    if not np.allclose(grid.spacing_hw_mm, image.spacing_mm[1:], rtol=_SAME_SPACING, atol=0):
        return None
    if np.abs(grid.directions - image.directions[:, [2, 1]].T).max() > _SAME_DIRECTION:
        return None
    planes = np.round(image.mm_to_index(grid.positions)[:, 0])
    expected = image.index_to_mm(np.column_stack([planes, 0 * planes, 0 * planes]))
    apart_mm = np.linalg.norm(grid.positions - expected, axis=1).max()
    near_px = _NEAR_PX if is_own else _NEAR_OTHER_PX
    if apart_mm > near_px * min(image.spacing_mm) or planes.min() < 0 or planes.max() >= image.shape[0]:
        return None
    notes: tuple[str, ...] = ()
    if apart_mm > _TO_NOTE_MM:
        notes = (f"frames lie up to {apart_mm:.2g} mm off the image's planes; they were taken as on them",)
    return Layout(tuple(int(plane) for plane in planes), image, notes)


def _own_grid(grid: FrameGrid, path: Path) -> Layout:
    """Smallest even grid that has all frames, with planes between them filled in."""
    positions, directions = grid.positions, grid.directions
    if positions is None or directions is None:
        raise BrokenFile(f"{path} does not say where its frames lie; get an undamaged copy")
    normal = np.cross(directions[0], directions[1])
    along = positions @ normal
    order = np.argsort(along, kind="stable")
    steps = np.diff(along[order])
    first, last = positions[order[0]], positions[order[-1]]
    gap_mm = _step_mm(steps[steps > _SAME_POSITION_MM], grid.gap_mm)
    n_steps = np.round((along - along.min()) / gap_mm)
    n_planes = int(n_steps.max()) + 1
    check_claim(path, (n_planes, *grid.shape_hw), 1, grid.stored_bytes, PICTURE_CODEC)
    step = normal * gap_mm if n_planes == 1 else (last - first) / (n_planes - 1)
    off_mm = np.linalg.norm(first + n_steps[:, None] * step - positions, axis=1).max()
    if off_mm > max(_STEP_TOLERANCE_MM, _STEP_TOLERANCE * gap_mm):
        raise UnevenSpacing(
            f"{path} has frames at uneven distances, up to {off_mm:.3g} mm off planes {gap_mm:.4g} mm apart; "
            "give the image that it belongs to"
        )
    affine = np.eye(4)
    row_mm, column_mm = grid.spacing_hw_mm
    affine[:3] = np.column_stack([step, directions[1] * row_mm, directions[0] * column_mm, first])
    geometry = Geometry((n_planes, *grid.shape_hw), affine, grid.frame_uid)
    n_filled = n_planes - len(set(n_steps.tolist()))
    notes = (f"{n_filled} planes between the frames are empty in the file",) if n_filled else ()
    return Layout(tuple(int(step) for step in n_steps), geometry, notes)


def _step_mm(steps: NDArray[np.float64], stated: float | None) -> float:
    """Distance of planes: what the file says where the frames fit it, else their smallest distance."""
    if not steps.size:
        return stated or 1.0
    if stated is not None:
        n_steps = np.round(steps / stated)
        if n_steps.min() >= 1 and np.abs(steps - n_steps * stated).max() <= _STEP_TOLERANCE * stated:
            return stated
    return float(steps.min())


def _numbers(
    group: Dataset, shared: Dataset | None, macro: str, keyword: str, n_values: int
) -> tuple[float, ...] | None:
    """Numbers of a frame's own or the shared functional group; None where there are none."""
    for place in (group, shared):
        if place is not None and place.get(macro) and place[macro][0].get(keyword):
            numbers = tuple(float(one) for one in place[macro][0].get(keyword))
            if len(numbers) != n_values or not np.isfinite(numbers).all():
                raise ValueError("numbers that are too few or not finite")
            return numbers
    return None


def _are_alike(values: Sequence[tuple[float, ...] | None]) -> bool:
    """Whether all frames have nearly the same numbers, or none has any."""
    known = [one for one in values if one is not None]
    if len(known) not in (0, len(values)):
        return False
    return not known or float(np.ptp(np.array(known), axis=0).max()) <= _SAME_DIRECTION


def _gap_mm(group: Dataset, shared: Dataset | None) -> float | None:
    """Distance of planes by the header; None where it does not say."""
    for keyword in ("SpacingBetweenSlices", "SliceThickness"):
        for place in (group, shared):
            measures: Any = place.get("PixelMeasuresSequence") if place is not None else None
            if measures and measures[0].get(keyword):
                gap_mm = abs(float(measures[0].get(keyword)))
                if 0 < gap_mm < np.inf:
                    return gap_mm
    return None


def _unit(directions: NDArray[np.float64], path: Path) -> NDArray[np.float64]:
    """Row and column direction (2, 3) as unit vectors at a right angle."""
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    if np.abs(lengths - 1).max() > _SAME_DIRECTION or abs(directions[0] @ directions[1]) > _SAME_DIRECTION:
        raise BrokenFile(f"{path} has row and column directions that are no unit vectors at a right angle")
    return np.asarray(directions / lengths)
