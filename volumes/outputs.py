"""Write labels and images: which writer takes a file, by its suffix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from volumes._coco import CocoWriter
from volumes._dicom.segmentation_out import SegmentationWriter
from volumes._dicom.structure_set_out import StructureSetWriter
from volumes._dtypes import smallest_label_type
from volumes._image2d import PngWriter
from volumes._mesh import MeshWriter
from volumes._metaimage import MetaImageWriter
from volumes._nifti.writer import NiftiWriter
from volumes._nrrd.writer import NrrdWriter
from volumes._tiff import TiffWriter
from volumes._zarr.writer import OmeZarrWriter, is_label_place
from volumes.errors import ShapeMismatch, UnknownFormat
from volumes.segments import Segment
from volumes.volume import Volume

__all__ = ["caveats", "image_suffixes", "label_suffixes", "write", "write_image"]


class Writer(Protocol):
    """Writes labels in one or more formats."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Lower-case suffixes of the files it writes."""

    def write(self, path: Path, labels: NDArray[Any], like: Volume, segments: Sequence[Segment]) -> None:
        """Write labels (P, R, C) of an unsigned type with the geometry of `like`, whole or not at all.

        There is a segment for each value in the labels, in order of the values.
        """


class ImageWriter(Protocol):
    """Writes images in one or more formats."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Lower-case suffixes of the files it writes."""

    def write_image(self, path: Path, volume: Volume) -> None:
        """Write an image with its geometry, whole or not at all."""


@runtime_checkable
class CarefulWriter(Protocol):
    """A writer of formats that some programs read otherwise, or that leave something out."""

    def caveats(self, path: Path, like: Volume) -> tuple[str, ...]:
        """Say what a file with this image's geometry will lack, one sentence each."""


_AnyWriter = TypeVar("_AnyWriter", Writer, ImageWriter)

# The first with a fitting suffix writes, so the longer suffix comes first where one ends in another.
WRITERS: tuple[Writer, ...] = (
    NiftiWriter(),
    NrrdWriter(),
    MetaImageWriter(),
    TiffWriter(),
    PngWriter(),
    OmeZarrWriter(),
    StructureSetWriter(),
    SegmentationWriter(),
    CocoWriter(),
    MeshWriter(),
)
IMAGE_WRITERS: tuple[ImageWriter, ...] = (
    NiftiWriter(),
    NrrdWriter(),
    MetaImageWriter(),
    TiffWriter(),
    PngWriter(),
    OmeZarrWriter(),
)


def label_suffixes() -> tuple[str, ...]:
    """Suffixes that `write` takes."""
    return tuple(suffix for writer in WRITERS for suffix in writer.suffixes)


def image_suffixes() -> tuple[str, ...]:
    """Suffixes that `write_image` takes."""
    return tuple(suffix for writer in IMAGE_WRITERS for suffix in writer.suffixes)


def write(path: str | Path, labels: NDArray[Any], *, like: Volume, segments: Sequence[Segment] = ()) -> None:
    """Write labels with exactly the geometry of the image they belong to.

    Parameters
    ----------
    path : str or Path
        Ends in ``.nii.gz``, ``.nii``, ``.nrrd``, ``.mha``, ``.tif``, ``.tiff``, ``.zarr`` or ``.png`` (one
        plane), or is ``IMAGE.zarr/labels/NAME``. TIFF keeps the voxel size only, PNG and ``.json`` (COCO)
        nothing of the geometry. For DICOM images also ``.seg.dcm`` or any other ``.dcm`` (DICOM SEG, a
        segment a label), ``.labelmap.dcm`` (DICOM SEG as a label map) and ``.rtstruct.dcm`` (contours).
        Surfaces are ``.stl`` (one object) or ``.obj``. An older file is replaced at the very end.
    labels : ndarray of shape (P, R, C)
        Integers, 0 for background; stored in the smallest of uint8, uint16 and uint32 that holds them.
    like : Volume
        The image, of the same (P, R, C).
    segments : sequence of Segment, optional
        Names, colours and codes of the values, for formats that hold them; may leave values out.

    Raises
    ------
    ShapeMismatch
        If the shapes differ.
    InvalidLabels
        If the labels are no integers, negative, or too large for the format.
    UnknownFormat
        If no writer has the suffix.
    InvalidGeometry, UnsupportedImage
        If the format cannot hold the geometry.
    UnwritableOutput
        If the system refuses the file; nothing is left behind.
    """
    path = Path(path)
    if labels.shape != like.shape:
        raise ShapeMismatch(
            f"the labels have shape {labels.shape}, the image {like.shape}; pass labels of the image's shape"
        )
    writer = _by_suffix(WRITERS, path)
    compact = smallest_label_type(labels)
    writer.write(path, compact, like, _complete(segments, compact))


def caveats(path: str | Path, like: Volume) -> tuple[str, ...]:
    """Say what a person should know of a file before it is written, for the geometry of an image.

    Parameters
    ----------
    path : str or Path
        The output, as for `write` or `write_image`.
    like : Volume
        The image.

    Returns
    -------
    tuple of str
        One sentence each, such as which programs will refuse the file; mostly empty.

    Raises
    ------
    UnknownFormat
        If no writer has the suffix.
    """
    path = Path(path)
    holds_labels = path.name.lower().endswith(label_suffixes())
    writer: object = _by_suffix(WRITERS, path) if holds_labels else _by_suffix(IMAGE_WRITERS, path)
    return writer.caveats(path, like) if isinstance(writer, CarefulWriter) else ()


def write_image(path: str | Path, volume: Volume) -> None:
    """Write an image in another format.

    Parameters
    ----------
    path : str or Path
        Ends in one of `image_suffixes`. An older file is replaced at the very end.
    volume : Volume
        The image.

    Raises
    ------
    UnknownFormat
        If no writer has the suffix.
    InvalidGeometry, UnsupportedImage
        If the format cannot hold the geometry or the values.
    UnwritableOutput
        If the system refuses the file; nothing is left behind.
    """
    path = Path(path)
    _by_suffix(IMAGE_WRITERS, path).write_image(path, volume)


def _by_suffix(writers: Sequence[_AnyWriter], path: Path) -> _AnyWriter:
    """Return the first writer that takes the path's suffix."""
    name = "labels.zarr" if is_label_place(path) else path.name.lower()
    writer = next((writer for writer in writers if name.endswith(writer.suffixes)), None)
    if writer is None:
        known = ", ".join(suffix for writer in writers for suffix in writer.suffixes)
        raise UnknownFormat(f"cannot write {path}: no format has that suffix; choose one of {known}")
    return writer


def _complete(segments: Sequence[Segment], labels: NDArray[Any]) -> tuple[Segment, ...]:
    """Return one segment for each value that the labels hold, in order."""
    given = {segment.value: segment for segment in segments}
    # Plane by plane: to sort all at once takes more memory than a large volume leaves.
    values = {value for plane in labels if plane.any() for value in np.unique(plane).tolist() if value}
    return tuple(given.get(value, Segment(value)) for value in sorted(values))
