"""DICOM segmentations (SEG) as labels: binary, fractional and label maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.coded import code_of, colour_of, text_of
from volumes._dicom.references import check_frame, damage_as_error
from volumes._dicom.segmentation_frames import read_frames
from volumes._dicom.segmentation_grid import FrameGrid, lay_out
from volumes._dtypes import smallest_label_type
from volumes._limits import check_memory
from volumes.errors import BrokenFile, UnsupportedImage
from volumes.segments import LabelVolume, Segment
from volumes.volume import Volume

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

__all__ = [
    "MAX_NUMBER",
    "SEGMENTATION_CLASSES",
    "TRACKING",
    "ReferencedLabels",
    "overlap_notes",
    "read_segmentation",
]

SEGMENTATION_CLASSES = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
MAX_NUMBER = 65535
TRACKING = "label "
"""With this and its value a label is tracked that could not be its segment's number."""

_WHAT = "a DICOM SEG"
_HALF = 0.5
_N_NAMED = 3


@dataclass(frozen=True, eq=False)
class ReferencedLabels:
    """Labels, and the images that their file names.

    ``series_uids`` are the series it refers to; ``is_placed`` whether it says where the labels lie.
    """

    labels: LabelVolume
    series_uids: frozenset[str]
    is_placed: bool = True


@dataclass(frozen=True)
class _Header:
    """What the header says of the frames: the segment of each (0 in label maps), and where they lie.

    ``values`` are the labels that the segments stand for, ``full`` the stored value of a whole pixel of
    fractional segmentations, else 0.
    """

    numbers: tuple[int, ...]
    grid: FrameGrid
    segments: tuple[Segment, ...]
    values: tuple[int, ...]
    full: float


def read_segmentation(path: Path, like: Volume | None) -> ReferencedLabels:
    """Read a segmentation onto the planes of its image, or, where it lies elsewhere, onto its own grid.

    Parameters
    ----------
    path : Path
        The file.
    like : Volume, optional
        The image that it may belong to. Where the frames lie on its planes, the labels have its grid; else
        the grid is the file's own, with the planes between its frames filled in.

    Raises
    ------
    ForeignLabels
        If it lies in another frame of reference than the image.
    UnsupportedImage
        If it is tiled (of a slide), or its frames do not lie parallel.
    BrokenFile
        If it is damaged.
    UnevenSpacing
        If its frames lie at irregular distances and not on the image's planes.
    """
    import pydicom

    with damage_as_error(path, _WHAT):
        dataset = pydicom.dcmread(path, force=True)
        if str(dataset.get("SOPClassUID")) not in SEGMENTATION_CLASSES:
            raise UnsupportedImage(f"{path} is no DICOM SEG; pass it to `read` if it is an image")
        if "TransferSyntaxUID" not in dataset.file_meta:
            raise BrokenFile(f"{path} does not say how its pixels are encoded; get an undamaged copy")
        header = _header(dataset, path)
        series_uids = frozenset(
            str(item.get("SeriesInstanceUID")) for item in dataset.get("ReferencedSeriesSequence") or ()
        )
        if like is not None:
            check_frame({header.grid.frame_uid or ""}, series_uids, like, path)
        is_own = like is not None and (like.provenance.series_uid or "") in series_uids
        layout = lay_out(header.grid, like.geometry if like else None, path, is_own=is_own)
        if len(set(zip(header.numbers, layout.places, strict=True))) < len(header.numbers):
            raise UnsupportedImage(
                f"{path} has several frames of one segment at one place (time points, repeats …), which make "
                "no label array; export them separately"
            )
        notes = list(layout.notes)
        data = _composed(dataset, header, layout.places, layout.geometry.shape, path, notes)
    segments, data = _restored(header, data)
    labels = LabelVolume(smallest_label_type(data), layout.geometry, segments, tuple(notes))
    return ReferencedLabels(labels, series_uids, header.grid.positions is not None)


def _header(dataset: Dataset, path: Path) -> _Header:
    """Parse the header; raises whatever a damaged one makes Python raise."""
    organisation = str(dataset.get("DimensionOrganizationType") or "")
    if "TotalPixelMatrixRows" in dataset or organisation.startswith("TILED"):
        raise UnsupportedImage(
            f"{path} is a segmentation of a tiled slide, which this version does not put together; "
            "export it as TIFF or OME-Zarr"
        )
    n_frames = int(dataset.get("NumberOfFrames") or 1)
    own = list(dataset.get("PerFrameFunctionalGroupsSequence") or ())
    shared = next(iter(dataset.get("SharedFunctionalGroupsSequence") or ()), None)
    if n_frames < 1 or len(own) < n_frames:
        raise BrokenFile(
            f"{path} has {n_frames} frames and describes {len(own)} of them; get an undamaged copy"
        )
    is_map = str(dataset.get("SegmentationType")) == "LABELMAP"
    numbers = tuple(0 if is_map else _number(group, shared) for group in own[:n_frames])
    is_fractional = str(dataset.get("SegmentationType")) == "FRACTIONAL"
    full = float(dataset.get("MaximumFractionalValue") or 255) if is_fractional else 0.0
    items = {int(item.SegmentNumber): item for item in dataset.get("SegmentSequence") or ()}
    known = sorted({*items, *numbers} - {0})
    segments = tuple(_segment(number, items.get(number)) for number in known)
    values = tuple(_tracked(items.get(number), number) for number in known)
    frame_uid = str(dataset.get("FrameOfReferenceUID") or "") or None
    shape_hw = int(dataset.Rows), int(dataset.Columns)
    grid = FrameGrid.of_groups(own[:n_frames], shared, shape_hw, frame_uid, path)
    return _Header(numbers, grid, segments, values, full)


def _number(group: Dataset, shared: Dataset | None) -> int:
    """Segment of one frame."""
    for place in (group, shared):
        if place is not None and place.get("SegmentIdentificationSequence"):
            number = int(place.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
            if number < 1:
                raise ValueError("a segment number below 1")
            return number
    raise ValueError("a frame without a segment")


def _segment(number: int, item: Dataset | None) -> Segment:
    """Describe one segment."""
    if item is None:
        return Segment(number)
    plain = Segment(number)
    return Segment(
        number,
        text_of(item.get("SegmentLabel")),
        colour_of(item.get("RecommendedDisplayCIELabValue")),
        code_of(item.get("SegmentedPropertyCategoryCodeSequence")) or plain.category,
        code_of(item.get("SegmentedPropertyTypeCodeSequence")) or plain.kind,
        text_of(item.get("SegmentAlgorithmName")),
    )


def _tracked(item: Dataset | None, number: int) -> int:
    """Label of a segment: its number, or the one that this package had to track."""
    tracked = "" if item is None else text_of(item.get("TrackingID"))
    value = tracked.removeprefix(TRACKING)
    if tracked.startswith(TRACKING) and value.isdecimal() and 1 <= int(value) <= MAX_NUMBER:
        return int(value)
    return number


def _composed(
    dataset: Dataset,
    header: _Header,
    places: Sequence[int | None],
    shape: tuple[int, int, int],
    path: Path,
    notes: list[str],
) -> NDArray[Any]:
    """Put all frames into one array; where segments overlap the one with the higher number stays."""
    highest = max((one.value for one in header.segments), default=1)
    dtype = np.uint8 if highest < 256 and int(dataset.BitsAllocated) <= 8 else np.uint16
    check_memory(path, int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize)
    data: NDArray[Any] = np.zeros(shape, dtype=dtype)
    overlaps: dict[tuple[int, int], int] = {}
    n_between = 0
    frames = read_frames(dataset, len(header.numbers), path)
    n_read = 0
    for frame, number, place in zip(frames, header.numbers, places, strict=False):
        n_read += 1
        if place is None:
            continue
        if number == 0:
            data[place] = frame
            continue
        if header.full:
            n_between += int(((frame > 0) & (frame < header.full)).sum())
        inside = frame >= header.full * _HALF if header.full else frame > 0
        _lay_over(data[place], inside, number, overlaps)
    if n_read < len(header.numbers):
        raise BrokenFile(f"{path} has {n_read} frames of {len(header.numbers)}; get a complete copy")
    notes += overlap_notes(overlaps, "segments")
    if header.full:
        notes.append(f"fractions were cut at one half; {n_between} voxels lay between 0 and 1")
    return data


def overlap_notes(overlaps: Mapping[tuple[int, int], int], what: str) -> list[str]:
    """Say which objects share how many voxels, the first few pairs of many."""
    pairs = sorted(overlaps.items(), key=lambda pair: -pair[1])
    notes = [
        f"{what} {one} and {other} overlap in {n_voxels} voxels, which were given to the later one"
        for (one, other), n_voxels in pairs[:_N_NAMED]
    ]
    if len(pairs) > _N_NAMED:
        n_voxels = sum(n for _, n in pairs[_N_NAMED:])
        notes.append(
            f"{len(pairs) - _N_NAMED} more pairs of {what} overlap in {n_voxels} voxels in the same way"
        )
    return notes


def _lay_over(
    plane: NDArray[Any], inside: NDArray[np.bool_], number: int, overlaps: dict[tuple[int, int], int]
) -> None:
    """Draw a segment on a plane (R, C) under the higher and over the lower ones, and count the overlaps."""
    there = plane[inside]
    if not there.any():
        plane[inside] = number
        return
    for other, n_voxels in zip(*np.unique(there, return_counts=True), strict=True):
        if other and other != number:
            pair = (min(int(other), number), max(int(other), number))
            overlaps[pair] = overlaps.get(pair, 0) + int(n_voxels)
    plane[inside & (plane < number)] = number


def _restored(header: _Header, data: NDArray[Any]) -> tuple[tuple[Segment, ...], NDArray[Any]]:
    """Give segments that this package had to number the labels back that they had."""
    numbers, values = [one.value for one in header.segments], list(header.values)
    if numbers == values or len(set(values)) != len(values):
        return header.segments, data
    table = np.arange(np.iinfo(data.dtype).max + 1, dtype=np.uint32)
    table[numbers] = values
    renamed = (replace(one, value=value) for one, value in zip(header.segments, values, strict=True))
    return tuple(sorted(renamed, key=lambda one: one.value)), table[data]
