"""Read labels back, and put them onto the image they belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from volumes import formats
from volumes._coco_in import looks_like_json, read_coco
from volumes._dicom.headers import looks_like_dicom
from volumes._dicom.references import damage_as_error
from volumes._dicom.segmentation_in import SEGMENTATION_CLASSES, read_segmentation
from volumes._dicom.structure_set_in import STRUCTURE_SET_CLASS, read_structure_set
from volumes._dtypes import smallest_label_type
from volumes._limits import check_memory
from volumes._zarr.store import is_address
from volumes.errors import ForeignLabels, InvalidLabels, UnsupportedImage
from volumes.geometry import Geometry
from volumes.segments import LabelVolume, Segment
from volumes.series import ReadOptions, refuse_series
from volumes.volume import Volume

__all__ = ["NamesReader", "read_labels"]

# Formats that say where their voxels lie even at the origin along the world's axes.
_PLACED = ("NIfTI", "Analyze", "NRRD", "MetaImage", "MGH", "AFNI", "DICOM")
_SAME_PLACE = 0.01
"""Grids that differ by less than this part of a voxel are one."""
_N_NAMED = 8


@runtime_checkable
class NamesReader(Protocol):
    """A reader of a format that can hold names, colours and codes of label values."""

    def read_segments(self, path: Path, head: bytes) -> tuple[Segment, ...]:
        """Describe the values of a file or folder that it claims; empty where nothing is said of them."""


@dataclass(frozen=True, eq=False)
class _Found:
    """Labels as their file has them, and whether it says where they lie."""

    labels: LabelVolume
    is_placed: bool


def read_labels(path: str | Path, *, like: Volume | None = None, series: str | None = None) -> LabelVolume:
    """Read labels, on their own grid or on that of the image they belong to.

    Parameters
    ----------
    path : str or Path
        DICOM SEG, DICOM RTSTRUCT (needs `like`), COCO JSON, or any file or folder that `read` takes, with
        whole numbers in it.
    like : Volume, optional
        The image. Labels on another grid are brought onto its own by nearest neighbour, with a note. A DICOM
        SEG or RTSTRUCT has to lie in the image's frame of reference or to name its series; other files have
        to have its shape, or lie on it.
    series : str, optional
        Which of several volumes, as `read` takes it; for COCO JSON the name or id of a picture.

    Returns
    -------
    LabelVolume
        With `like`, of its geometry. Where objects overlap in the file, a voxel is given to the later one:
        the higher number in a DICOM SEG, the one further down the list in an RTSTRUCT or COCO JSON.

    Raises
    ------
    InvalidLabels
        If the file holds fractions, colours or negative numbers.
    ForeignLabels
        If the labels belong to another image.
    VolumeError
        As `read`.
    """
    if is_address(path):
        found = _of_volume(formats.read(path, series=series), path)
    elif Path(path).is_dir():
        volume = formats.read(path, series=series)
        found = _named(_of_volume(volume, path), formats.folder_reader_for(Path(path)), Path(path), b"")
    else:
        found = _read(Path(path), like, series)
    return found.labels if like is None else _onto(found, like, Path(path))


def _read(path: Path, like: Volume | None, series: str | None) -> _Found:
    """Read a file by its content."""
    reader, head = formats.reader_for(path)
    if looks_like_json(head):
        return _Found(read_coco(path, like, series), is_placed=like is not None)
    sop_class = _sop_class(path) if looks_like_dicom(head) else ""
    if sop_class in (*SEGMENTATION_CLASSES, STRUCTURE_SET_CLASS):
        refuse_series(ReadOptions(series), path)
    if sop_class in SEGMENTATION_CLASSES:
        read = read_segmentation(path, like)
        return _Found(read.labels, read.is_placed)
    if sop_class == STRUCTURE_SET_CLASS:
        if like is None:
            raise UnsupportedImage(
                f"{path} is a DICOM structure set, whose contours have no grid; "
                "give the image that they were drawn on (like, --like)"
            )
        return _Found(read_structure_set(path, like).labels, is_placed=True)
    return _named(_of_volume(formats.read(path, series=series), path), reader, path, head)


def _named(found: _Found, reader: object, path: Path, head: bytes) -> _Found:
    """Add what the file says of the values that the labels hold."""
    if not isinstance(reader, NamesReader):
        return found
    labels = found.labels
    held = {value for plane in labels.data for value in np.unique(plane).tolist()}
    segments = tuple(one for one in reader.read_segments(path, head) if one.value in held)
    return replace(found, labels=replace(labels, segments=segments))


def _sop_class(path: Path) -> str:
    """SOP class of a DICOM file; empty where it says none."""
    import pydicom

    with damage_as_error(path, "DICOM"):
        header = pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=["SOPClassUID"])
        return str(header.get("SOPClassUID") or header.file_meta.get("MediaStorageSOPClassUID") or "")


def _of_volume(volume: Volume, path: str | Path) -> _Found:
    """Take an image of whole numbers for labels."""
    if volume.is_rgb:
        raise InvalidLabels(f"{path} holds colours, which are no labels; save one whole number a voxel")
    check_memory(Path(path), volume.data.dtype.itemsize * int(np.prod(volume.shape, dtype=np.int64)))
    data, notes = np.asarray(volume.data), list(volume.provenance.notes)
    if data.dtype.kind == "f":
        data = _whole(data, path)
        notes.append("whole numbers stored as real ones were taken for labels")
    if data.size and int(data.min()) < 0:
        raise InvalidLabels(f"{path} holds {int(data.min())}; labels start at 1, and 0 is background")
    labels = LabelVolume(smallest_label_type(data), volume.geometry, notes=tuple(notes))
    is_placed = volume.provenance.format.startswith(_PLACED) or _is_off_origin(volume.geometry)
    return _Found(labels, is_placed)


def _whole(data: NDArray[Any], path: str | Path) -> NDArray[Any]:
    """Real numbers that are whole, as integers."""
    if not np.isfinite(data).all() or (data != np.rint(data)).any():
        raise InvalidLabels(f"{path} holds fractions, which are no labels; save whole numbers")
    if data.size and max(abs(float(data.min())), abs(float(data.max()))) > np.iinfo(np.uint32).max:
        raise InvalidLabels(
            f"{path} holds {float(data.max()):.6g}; labels go up to {np.iinfo(np.uint32).max}"
        )
    return data.astype(np.int64)


def _is_off_origin(geometry: Geometry) -> bool:
    """Whether a geometry says more than spacings."""
    plain = Geometry.from_spacing(geometry.shape, geometry.spacing_mm)
    return not plain.is_close(geometry, 1e-6)


def _onto(found: _Found, like: Volume, path: Path) -> LabelVolume:
    """Bring labels onto the grid of an image."""
    labels, grid = found.labels, like.geometry
    if labels.geometry.is_close(grid, _SAME_PLACE * min(grid.spacing_mm)):
        return replace(labels, geometry=grid)
    if not found.is_placed:
        if labels.geometry.shape != grid.shape:
            raise ForeignLabels(
                f"{path} does not say where its voxels lie, and has shape {labels.geometry.shape}, the image "
                f"{grid.shape}; give the image it was drawn on"
            )
        note = "the file does not say where its voxels lie; they were taken for those of the image"
        return replace(labels, geometry=grid, notes=(*labels.notes, note))
    check_memory(path, int(np.prod(grid.shape, dtype=np.int64)) * labels.data.dtype.itemsize)
    n_labelled, n_outside = _count_outside(labels, grid)
    if n_labelled and n_outside == n_labelled:
        raise ForeignLabels(
            f"{path} has all {n_labelled} labelled voxels outside the image; give the image it was drawn on"
        )
    data = _resampled(labels, grid)
    spacing = "x".join(f"{one:.4g}" for one in labels.geometry.spacing_mm)
    notes = [f"the labels were brought from voxels of {spacing} mm onto the image's by nearest neighbour"]
    if n_outside:
        notes.append(f"{n_outside} of {n_labelled} labelled voxels lie outside the image and were left out")
    lost = sorted(set(np.unique(labels.data).tolist()) - set(np.unique(data).tolist()) - {0})
    if lost:
        named = ", ".join(map(str, lost[:_N_NAMED])) + (" …" if len(lost) > _N_NAMED else "")
        notes.append(f"no voxel of the image's grid is nearest to one of {named}; they are lost")
    return LabelVolume(data, grid, labels.segments, (*labels.notes, *notes))


def _count_outside(labels: LabelVolume, grid: Geometry) -> tuple[int, int]:
    """Count labelled voxels, and those of them whose centres lie outside a grid."""
    n_labelled = n_outside = 0
    upper = np.array(grid.shape) - 0.5
    for index, plane in enumerate(labels.data):
        rows, columns = np.nonzero(plane)
        at_idx = np.column_stack([np.full(rows.size, index), rows, columns])
        on_grid = grid.mm_to_index(labels.geometry.index_to_mm(at_idx))
        n_labelled += rows.size
        n_outside += int(((on_grid < -0.5) | (on_grid >= upper)).any(axis=1).sum())
    return n_labelled, n_outside


def _resampled(labels: LabelVolume, grid: Geometry) -> NDArray[Any]:
    """Value of the nearest labelled voxel at each voxel of a grid; 0 outside the labels."""
    from scipy.ndimage import affine_transform

    to_labels = np.linalg.inv(labels.geometry.affine) @ grid.affine
    resampled: NDArray[Any] = affine_transform(
        labels.data,
        to_labels[:3, :3],
        to_labels[:3, 3],
        output_shape=grid.shape,
        order=0,
        mode="grid-constant",
        cval=0,
    )
    return resampled
