"""DICOM structure sets (RTSTRUCT) as labels: contours filled on the planes of an image."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.coded import code_of, text_of
from volumes._dicom.references import check_frame, damage_as_error
from volumes._dicom.segmentation_in import MAX_NUMBER, ReferencedLabels, overlap_notes
from volumes._dtypes import smallest_label_type
from volumes._limits import check_memory
from volumes._outlines import fill_outlines, outline_box
from volumes.errors import ForeignLabels, UnsupportedImage
from volumes.geometry import Geometry
from volumes.segments import LabelVolume, Segment
from volumes.volume import Volume

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = ["STRUCTURE_SET_CLASS", "read_structure_set"]

STRUCTURE_SET_CLASS = "1.2.840.10008.5.1.4.1.1.481.3"

_WHAT = "a DICOM structure set"
_FLAT_PLANES = 0.25
"""A contour whose points spread over more than this part of the plane distance does not lie in a plane."""
_BETWEEN = 0.05
_FEW_PLANES = 2
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR", "CLOSED_PLANAR_XOR")


@dataclass
class _Fate:
    """What became of the contours of all regions, for the notes."""

    skipped: Counter[str]
    n_outside: int = 0
    n_across: int = 0
    n_between: int = 0
    n_doubled: int = 0


def read_structure_set(path: Path, like: Volume) -> ReferencedLabels:
    """Read a structure set onto an image.

    Parameters
    ----------
    path : Path
        The file.
    like : Volume
        The image; its planes are those on which the contours were drawn.

    Returns
    -------
    ReferencedLabels
        On the image's grid. The labels are the regions' numbers; where regions overlap the later one stays.

    Raises
    ------
    ForeignLabels
        If a region lies in another frame of reference than the image.
    UnsupportedImage
        If it holds no closed contour, or they do not lie in the image's planes.
    BrokenFile
        If it is damaged.
    """
    import pydicom

    with damage_as_error(path, _WHAT):
        dataset = pydicom.dcmread(path, force=True)
        if str(dataset.get("SOPClassUID")) != STRUCTURE_SET_CLASS:
            raise UnsupportedImage(f"{path} is no DICOM structure set; pass it to `read` if it is an image")
        series_uids = frozenset(_series_uids(dataset))
        regions = list(dataset.get("StructureSetROISequence") or ())
        segments = _segments(dataset, regions)
        stated = {str(item.get("ReferencedFrameOfReferenceUID") or "") for item in regions}
        check_frame(stated, series_uids, like, path)
        return ReferencedLabels(_drawn(dataset, regions, segments, like, path), series_uids)


def _series_uids(dataset: Dataset) -> Iterator[str]:
    """Series that it refers to."""
    for frame in dataset.get("ReferencedFrameOfReferenceSequence") or ():
        for study in frame.get("RTReferencedStudySequence") or ():
            for series in study.get("RTReferencedSeriesSequence") or ():
                yield str(series.get("SeriesInstanceUID"))


def _segments(dataset: Dataset, regions: list[Dataset]) -> dict[int, Segment]:
    """Segments by the regions' numbers, which are their values too unless one is no label."""
    colours = {
        int(item.ReferencedROINumber): item.get("ROIDisplayColor")
        for item in dataset.get("ROIContourSequence") or ()
        if item.get("ReferencedROINumber") is not None
    }
    kinds = {
        int(item.ReferencedROINumber): code_of(item.get("RTROIIdentificationCodeSequence"))
        for item in dataset.get("RTROIObservationsSequence") or ()
        if item.get("ReferencedROINumber") is not None
    }
    numbers = [int(item.ROINumber) for item in regions]
    are_labels = all(1 <= number <= MAX_NUMBER for number in numbers)
    segments = {}
    for place, (number, item) in enumerate(zip(numbers, regions, strict=True), start=1):
        segment = Segment(
            number if are_labels else place, text_of(item.get("ROIName")), _colour(colours.get(number))
        )
        kind = kinds.get(number)
        if str(item.get("ROIGenerationAlgorithm") or "MANUAL") != "MANUAL":
            algorithm = text_of(item.get("ROIGenerationDescription")) or "unnamed"
            segment = replace(segment, algorithm=algorithm)
        segments[number] = replace(segment, kind=kind) if kind else segment
    return segments


def _colour(value: Any) -> tuple[int, int, int] | None:
    """(red, green, blue) where the file has one."""
    if value is None or len(value) != 3 or not all(0 <= int(one) <= 255 for one in value):
        return None
    red, green, blue = (int(one) for one in value)
    return red, green, blue


def _drawn(
    dataset: Dataset, regions: list[Dataset], segments: dict[int, Segment], like: Volume, path: Path
) -> LabelVolume:
    """Fill the contours of all regions in their order."""
    geometry, fate, notes = like.geometry, _Fate(Counter()), []
    dtype = np.dtype(
        np.uint8 if max((one.value for one in segments.values()), default=1) < 256 else np.uint16
    )
    check_memory(path, int(np.prod(geometry.shape, dtype=np.int64)) * dtype.itemsize)
    data: NDArray[Any] = np.zeros(geometry.shape, dtype=dtype)
    overlaps: Counter[tuple[int, int]] = Counter()
    contours: dict[int, list[Dataset]] = {}
    for item in dataset.get("ROIContourSequence") or ():
        contours.setdefault(int(item.ReferencedROINumber), []).extend(item.get("ContourSequence") or ())
    order = {int(item.ROINumber): None for item in regions}
    n_drawn = 0
    for number in order:
        value = segments[number].value
        drawn = _by_plane(contours.get(number, ()), geometry, fate)
        if len(drawn) > _FEW_PLANES and np.diff(sorted(drawn)).min() > 1:
            notes.append(f"region {value} is drawn on every other plane or less; those between stay empty")
        for plane, outlines in drawn.items():
            _draw(data[plane], outlines, value, overlaps)
            n_drawn += 1
    if fate.n_across:
        raise UnsupportedImage(
            f"{path} has {fate.n_across} contours that do not lie in the image's planes; "
            "give the series that they were drawn on"
        )
    if not n_drawn:
        raise ForeignLabels(
            f"{path} has no closed contour on the image's planes ({fate.n_outside} lie outside); "
            "give the series that they were drawn on"
        )
    notes += _fate_notes(fate)
    notes += overlap_notes(overlaps, "regions")
    kept = sorted(segments.values(), key=lambda segment: segment.value)
    return LabelVolume(smallest_label_type(data), geometry, tuple(kept), tuple(notes))


def _draw(
    plane: NDArray[Any], outlines: list[NDArray[np.float64]], value: int, overlaps: Counter[tuple[int, int]]
) -> None:
    """Draw a region on a plane (R, C) over what is there, and count the overlaps."""
    box = outline_box(outlines, (plane.shape[0], plane.shape[1]))
    part = plane[box]
    corner = np.array([side.start for side in box])
    inside = fill_outlines([outline - corner for outline in outlines], (part.shape[0], part.shape[1]))
    under = part[inside]
    if under.any():
        for other, n_voxels in zip(*np.unique(under, return_counts=True), strict=True):
            if other:
                overlaps[int(other), value] += int(n_voxels)
    part[inside] = value


def _by_plane(contours: Any, geometry: Geometry, fate: _Fate) -> dict[int, list[NDArray[np.float64]]]:
    """Outlines (N, 2) of a region on each plane; of several levels near one plane, the nearest one's."""
    levels: dict[int, dict[float, list[NDArray[np.float64]]]] = {}
    for item in contours:
        kind = str(item.get("ContourGeometricType") or "")
        points = _contour_data(item)
        if kind not in _CLOSED or points.size < 9 or points.size % 3 or not np.isfinite(points).all():
            fate.skipped[
                kind.lower() if kind in ("POINT", "OPEN_PLANAR", "OPEN_NONPLANAR") else "unusable"
            ] += 1
            continue
        at_idx = geometry.mm_to_index(points.reshape(-1, 3))
        if np.ptp(at_idx[:, 0]) > _FLAT_PLANES and geometry.shape[0] > 1:
            fate.n_across += 1
            continue
        level = float(np.median(at_idx[:, 0]))
        plane = round(level)
        if not 0 <= plane < geometry.shape[0]:
            fate.n_outside += 1
            continue
        fate.n_between += abs(level - plane) > _BETWEEN
        levels.setdefault(plane, {}).setdefault(round(level, 2), []).append(at_idx[:, 1:])
    nearest = {}
    for plane, found in levels.items():
        level = min(found, key=lambda one: abs(one - plane))
        fate.n_doubled += sum(len(outlines) for other, outlines in found.items() if other != level)
        nearest[plane] = found[level]
    return nearest


def _contour_data(item: Dataset) -> NDArray[np.float64]:
    """Numbers of a contour, from the stored text where pydicom has not parsed it yet (which is slow)."""
    if "ContourData" not in item:
        return np.empty(0)
    stored = item.get_item("ContourData").value
    words: Any = stored.strip(b" \0").split(b"\\") if isinstance(stored, bytes) else stored or ()
    return np.array([float(word) for word in words], dtype=np.float64)


def _fate_notes(fate: _Fate) -> list[str]:
    """Say what was not drawn as it stands."""
    notes = [
        f"{n} contours of type {kind} were left out; only closed ones have an inside"
        for kind, n in sorted(fate.skipped.items())
    ]
    if fate.n_outside:
        notes.append(f"{fate.n_outside} contours lie beyond the image's planes and were left out")
    if fate.n_between:
        notes.append(f"{fate.n_between} contours lie between planes and were drawn on the nearest one")
    if fate.n_doubled:
        notes.append(
            f"{fate.n_doubled} contours were left out, others of their region lie nearer to the plane"
        )
    return notes
