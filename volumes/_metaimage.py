"""MetaImage in and out: ``.mha``, and ``.mhd`` with its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._metaimage_header import geometry_of, is_metaimage, read_header, stored_array
from volumes._replacing import replacing
from volumes._stored_images import Opened, StoredImages
from volumes._written import IMAGE_LEVEL, LABEL_LEVEL, check_written, deflated, voxel_bytes
from volumes.errors import UnsupportedImage
from volumes.geometry import Geometry
from volumes.lazy import LazyArray
from volumes.segments import Segment
from volumes.series import ReadOptions, SeriesInfo
from volumes.volume import Provenance, Volume

__all__ = ["MetaImageReader", "MetaImageWriter", "open_metaimage"]

_LARGEST_AXES = 4
_LENGTH_DIGITS = 20
_TYPES = {
    "b1": "MET_UCHAR", "u1": "MET_UCHAR", "i1": "MET_CHAR", "u2": "MET_USHORT",
    "i2": "MET_SHORT", "u4": "MET_UINT", "i4": "MET_INT", "u8": "MET_ULONG_LONG", "i8": "MET_LONG_LONG",
    "f4": "MET_FLOAT", "f8": "MET_DOUBLE",
}  # fmt: skip


@dataclass(frozen=True)
class MetaImageReader:
    """MetaImage: ``.mha``, and ``.mhd`` with its files. Large uncompressed volumes stay in their file."""

    name: str = "MetaImage"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the first bytes are a MetaImage header."""
        return is_metaimage(head)

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """List its volumes; reads no voxels."""
        return open_metaimage(path).images.list_series()

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read one of its volumes."""
        return open_metaimage(path).read(options)


def open_metaimage(path: Path) -> Opened:
    """Read the header.

    Raises
    ------
    UnsupportedImage
        If it has more dimensions than three of space and one of time.
    """
    header = read_header(path)
    stored = stored_array(header)
    sizes, n_values = header.sizes, header.n_values
    if max(sizes[_LARGEST_AXES:], default=1) > 1:
        raise UnsupportedImage(
            f"{path} has {len(sizes)} dimensions, {'x'.join(map(str, sizes))}, and up to four are read; "
            "save one of its volumes as a 3-D file"
        )
    columns, rows, planes, times = (*sizes, 1, 1, 1)[:_LARGEST_AXES]
    is_colour = n_values in (3, 4) and stored.dtype.kind == "u" and stored.dtype.itemsize <= 2
    stored = replace(stored, shape=(times, planes, rows, columns, n_values))
    images = StoredImages(stored, "tPRC" + ("r" if is_colour else "c"))
    geometry, notes = geometry_of(header)
    return Opened(images, geometry, Provenance("MetaImage", notes=(*images.notes, *notes)))


@dataclass(frozen=True)
class MetaImageWriter:
    """Labels and images as one compressed ``.mha``; any affine has a place, and segments' names have none."""

    suffixes: tuple[str, ...] = (".mha",)

    def write(self, path: Path, labels: NDArray[Any], like: Volume, segments: Sequence[Segment]) -> None:
        """Write labels (P, R, C) with the geometry of `like`.

        Raises
        ------
        UnwritableOutput
            If the file cannot be written, or does not read back as it was meant.
        """
        _write(path, labels, like.geometry, labels)

    def write_image(self, path: Path, volume: Volume) -> None:
        """Write grey values or colours as they are, plane by plane.

        Raises
        ------
        UnsupportedImage
            If MetaImage has no such number type.
        UnwritableOutput
            As `write`.
        """
        _write(path, volume.data, volume.geometry, None)


def _write(
    path: Path, data: NDArray[Any] | LazyArray, geometry: Geometry, check: NDArray[Any] | None
) -> None:
    """Write voxels with their geometry, and read back what matters."""
    top, rest = _header(data, geometry)
    with replacing(path, ".mha") as temporary:
        with temporary.open("wb") as stream:
            stream.write(top + b" " * _LENGTH_DIGITS + rest)
            n_bytes = deflated(voxel_bytes(data), stream, IMAGE_LEVEL if check is None else LABEL_LEVEL)
            stream.seek(len(top))
            stream.write(b"%*d" % (_LENGTH_DIGITS, n_bytes))
        check_written(path, lambda: open_metaimage(temporary), geometry, check)


def _header(data: NDArray[Any] | LazyArray, geometry: Geometry) -> tuple[bytes, bytes]:
    """Return the text up to the length of the packed voxels, and the text after it."""
    number = _TYPES.get(np.dtype(data.dtype).str[1:])
    if number is None:
        raise UnsupportedImage(
            f"MetaImage has no numbers of type {data.dtype}; convert the image's values first"
        )
    directions = geometry.directions[:, ::-1].T.ravel()
    before = [
        "ObjectType = Image",
        "NDims = 3",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = True",
        "CompressedDataSize = ",
    ]
    after = [
        "",
        f"TransformMatrix = {_numbers(directions)}",
        f"Offset = {_numbers(geometry.affine[:3, 3])}",
        "CenterOfRotation = 0 0 0",
        f"ElementSpacing = {_numbers(geometry.spacing_mm[::-1])}",
        f"DimSize = {' '.join(map(str, geometry.shape[::-1]))}",
        *(["ElementNumberOfChannels = 3"] if data.ndim == 4 else []),
        f"ElementType = {number}",
        "ElementDataFile = LOCAL\n",
    ]
    return "\n".join(before).encode(), "\n".join(after).encode()


def _numbers(values: Sequence[float] | NDArray[np.float64]) -> str:
    return " ".join(repr(float(value)) for value in values)
