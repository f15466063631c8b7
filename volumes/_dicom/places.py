"""Where each frame lies: position, directions and distances, from whichever element a kind of image uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from volumes._dicom.elements import Elements
from volumes._dicom.functional_groups import FrameElements
from volumes._dicom.header_warnings import SenselessElement, tag_name

_UNIT_TOLERANCE = 5e-4
_UNIT_LIMIT = 1e-2
_CENTIMETRES = 3  # PhysicalUnitsXDirection
_MM_PER_CM = 10.0
_AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


@dataclass(frozen=True)
class Place:
    """Where one frame lies in LPS mm; None for what the file does not say.

    ``thickness_mm`` is the distance of planes for a single plane, ``between_mm`` what the file says of the
    distance of neighbouring planes.
    """

    position_mm: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing_hw_mm: tuple[float, float] | None
    thickness_mm: float | None
    between_mm: float | None


def places_of(frames: Sequence[FrameElements]) -> tuple[Place, ...]:
    """Return where the frames of one file lie.

    Raises
    ------
    SenselessElement
        If a position or a direction makes no sense.
    """
    file = frames[0].file
    offsets = _offsets(file, len(frames))
    return tuple(_place(frame, None if offsets is None else offsets[at]) for at, frame in enumerate(frames))


def _place(frame: FrameElements, offset: tuple[Elements, float] | None) -> Place:
    """Return where one frame lies; `offset` is where the first frame's place stands, and how far behind."""
    between = frame.spare_number("SpacingBetweenSlices")
    thickness = frame.spare_number("SliceThickness")
    distances = [abs(distance) for distance in (between, thickness, _grid_step(frame.file)) if distance]
    if offset is None:
        position, orientation = frame.vector("ImagePositionPatient", 3), None
        if position is not None:
            orientation = _directions(frame.vector("ImageOrientationPatient", 6), frame.file)
    else:
        position, orientation = _moved(*offset)
    if orientation is None:
        position = None
    elif offset is None and frame.holder("ImagePositionPatient")[1] == "ImagePositionVolume":
        frame.file.notes.add("positions are those in the volume's own frame, not the patient's")
    return Place(
        position, orientation, _pixel_spacing(frame), distances[0] if distances else None, between or None
    )


def _offsets(file: Elements, n_frames: int) -> Sequence[tuple[Elements, float] | None] | None:
    """Return the first frame's place and each frame's distance along the normal; None for own places.

    Only a dose grid and a nuclear medicine reconstruction may give one place for all their frames.
    """
    grid = file.numbers("GridFrameOffsetVector")
    if grid and n_frames > 1:
        return [(file, offset) for offset in _grid_offsets(file, grid, n_frames)]
    slices = file.numbers("SliceVector")
    detector = file.item("DetectorInformationSequence")
    if slices and detector is not None and detector.has("ImagePositionPatient"):
        step = file.number("SpacingBetweenSlices")
        if step and len(slices) >= n_frames:
            return [(detector, (number - 1) * step) for number in slices[:n_frames]]
    if n_frames > 1 and not file.has("PerFrameFunctionalGroupsSequence"):
        return (
            [None] * n_frames if not file.has("ImagePositionPatient") else [(_nowhere(file), 0.0)] * n_frames
        )
    return None


def _grid_step(file: Elements) -> float | None:
    """Distance of the first two planes of a dose grid, of which a file may hold one."""
    grid = file.numbers("GridFrameOffsetVector")
    return grid[1] - grid[0] if len(grid) > 1 else None


def _nowhere(file: Elements) -> Elements:
    """Return elements without a place, for a file that gives one place for all its frames."""
    from pydicom.dataset import Dataset

    file.notes.add(f"{tag_name('ImagePositionPatient')} is one for all frames; it was left out")
    return Elements(Dataset(), file.notes)


def _grid_offsets(file: Elements, grid: tuple[float, ...], n_frames: int) -> tuple[float, ...]:
    """Distances of a dose grid's frames from the first, in mm; they may be given as places along z."""
    if len(grid) < n_frames:
        raise SenselessElement(
            f"{tag_name('GridFrameOffsetVector')} describes {len(grid)} of {n_frames} frames"
        )
    position = file.vector("ImagePositionPatient", 3)
    if grid[0] == 0 or position is None:
        return grid[:n_frames]
    directions = file.vector("ImageOrientationPatient", 6) or ()
    if not np.allclose(grid[0], position[2], atol=1e-3) or not np.allclose(directions, _AXIAL, atol=1e-3):
        raise SenselessElement(f"{tag_name('GridFrameOffsetVector')} does not start at the first frame")
    return tuple(offset - grid[0] for offset in grid[:n_frames])


def _moved(holder: Elements, offset_mm: float) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Return the place that lies so far along the normal from the one that an element gives."""
    position = holder.vector("ImagePositionPatient", 3)
    orientation = _directions(holder.vector("ImageOrientationPatient", 6), holder)
    if position is None or orientation is None:
        return None, None
    normal = np.cross(orientation[:3], orientation[3:])
    return tuple((np.array(position) + offset_mm * normal).tolist()), orientation


def _directions(found: tuple[float, ...] | None, header: Elements) -> tuple[float, ...] | None:
    """Return row and column directions as unit vectors; None where there are none.

    Vectors that are far from unit length are left as they are, for the stack to refuse.
    """
    name = tag_name("ImageOrientationPatient")
    if found is None:
        return None
    if not any(found):
        header.notes.add(f"{name} is all zero; the position was left out")
        return None
    vectors = np.reshape(np.array(found), (2, 3))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    off = float(np.abs(lengths - 1).max())
    if off <= _UNIT_TOLERANCE or off > _UNIT_LIMIT:
        return found
    header.notes.add(f"{name} holds no unit vectors (off by {off:.2g}); they were made so")
    return tuple((vectors / lengths).ravel().tolist())


def _pixel_spacing(frame: FrameElements) -> tuple[float, float] | None:
    """Distance of rows and columns in mm: at the patient, at the detector, or on the scanned film."""
    spacing = _usable(*frame.holder("PixelSpacing"))
    if spacing is not None:
        return spacing
    file = frame.file
    spacing = _usable(*frame.holder("ImagerPixelSpacing"))
    if spacing is not None:
        return _at_patient(spacing, file)
    spacing = _usable(file, "NominalScannedPixelSpacing")
    if spacing is not None:
        file.notes.add(
            f"{tag_name('PixelSpacing')} is missing; {tag_name('NominalScannedPixelSpacing')}, "
            "measured on the film, was taken"
        )
        return spacing
    return _of_ultrasound(file)


def _at_patient(spacing: tuple[float, float], file: Elements) -> tuple[float, float]:
    """Return the detector's spacing, with the magnification taken off where the file says it."""
    taken = (
        f"{tag_name('PixelSpacing')} is missing; {tag_name('ImagerPixelSpacing')}, measured at the detector,"
    )
    factor = file.spare_number("EstimatedRadiographicMagnificationFactor")
    if factor is None or factor <= 0 or factor == 1:
        file.notes.add(f"{taken} was taken")
        return spacing
    file.notes.add(f"{taken} was divided by the magnification of {factor:.4g}")
    return spacing[0] / factor, spacing[1] / factor


def _of_ultrasound(file: Elements) -> tuple[float, float] | None:
    """Distance of rows and columns of an ultrasound image all of whose regions agree on it."""
    found = set()
    for region in file.items("SequenceOfUltrasoundRegions"):
        units = [region.spare_number(f"PhysicalUnits{axis}Direction") for axis in "XY"]
        deltas = [region.spare_number(f"PhysicalDelta{axis}") for axis in "YX"]
        if units != [_CENTIMETRES, _CENTIMETRES]:
            continue
        row_cm, column_cm = (abs(delta or 0.0) for delta in deltas)
        found.add((row_cm * _MM_PER_CM, column_cm * _MM_PER_CM))
    if len(found) != 1:
        return None
    row_mm, column_mm = found.pop()
    if min(row_mm, column_mm) <= 0:
        return None
    file.notes.add(f"the pixel size is that of {tag_name('SequenceOfUltrasoundRegions')}")
    return row_mm, column_mm


def _usable(holder: Elements, keyword: str) -> tuple[float, float] | None:
    """Return two positive distances; None, and a note where there is something else."""
    if not holder.has(keyword):
        return None
    try:
        numbers = holder.numbers(keyword)
    except SenselessElement:
        numbers = ()
    if len(numbers) == 2 and min(numbers) > 0:
        return numbers[0], numbers[1]
    holder.notes.add(f"{tag_name(keyword)} does not hold two positive numbers; it was left out")
    return None
