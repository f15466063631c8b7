"""Write labels and images as NRRD."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._nrrd.reader import open_nrrd
from volumes._nrrd.segments import keys_of
from volumes._replacing import replacing
from volumes._written import IMAGE_LEVEL, LABEL_LEVEL, check_written, gzipped, voxel_bytes
from volumes.errors import UnsupportedImage
from volumes.geometry import Geometry
from volumes.lazy import LazyArray
from volumes.segments import Segment
from volumes.volume import Volume

__all__ = ["NrrdWriter"]

_TYPES = {
    "b1": "uint8", "u1": "uint8", "i1": "int8", "u2": "uint16", "i2": "int16", "u4": "uint32", "i4": "int32",
    "u8": "uint64", "i8": "int64", "f4": "float", "f8": "double",
}  # fmt: skip


@dataclass(frozen=True)
class NrrdWriter:
    """Labels and images as NRRD: LPS mm, gzip, any affine, and segments by 3D Slicer's keys."""

    suffixes: tuple[str, ...] = (".nrrd",)

    def write(self, path: Path, labels: NDArray[Any], like: Volume, segments: Sequence[Segment]) -> None:
        """Write labels (P, R, C) with the geometry of `like`; ``.seg.nrrd`` is Slicer's name for it.

        Raises
        ------
        UnwritableOutput
            If the file cannot be written, or does not read back as it was meant.
        """
        _write(path, labels, like.geometry, keys_of(segments, labels), labels)

    def write_image(self, path: Path, volume: Volume) -> None:
        """Write grey values or colours as they are, plane by plane.

        Raises
        ------
        UnsupportedImage
            If NRRD has no such number type.
        UnwritableOutput
            As `write`.
        """
        _write(path, volume.data, volume.geometry, {}, None)


def _write(
    path: Path,
    data: NDArray[Any] | LazyArray,
    geometry: Geometry,
    keys: Mapping[str, str],
    check: NDArray[Any] | None,
) -> None:
    """Write voxels with their geometry, and read back what matters."""
    top = _header(data, geometry, keys)
    with replacing(path, ".nrrd") as temporary:
        with temporary.open("wb") as stream:
            stream.write(top)
            with gzipped(stream, IMAGE_LEVEL if check is None else LABEL_LEVEL) as packed:
                for chunk in voxel_bytes(data):
                    packed.write(chunk)
        check_written(path, lambda: open_nrrd(temporary)[0], geometry, check)


def _header(data: NDArray[Any] | LazyArray, geometry: Geometry, keys: Mapping[str, str]) -> bytes:
    """Return the text above the voxels, with the empty line that ends it."""
    number = _TYPES.get(np.dtype(data.dtype).str[1:])
    if number is None:
        raise UnsupportedImage(f"NRRD has no numbers of type {data.dtype}; convert the image's values first")
    planes, rows, columns = geometry.shape
    sizes, kinds = f"{columns} {rows} {planes}", "domain domain domain"
    directions = " ".join(_vector(geometry.affine[:3, axis]) for axis in (2, 1, 0))
    if data.ndim == 4:
        sizes, kinds, directions = f"3 {sizes}", f"RGB-color {kinds}", f"none {directions}"
    lines = [
        "NRRD0005",
        f"type: {number}",
        f"dimension: {data.ndim}",
        "space: left-posterior-superior",
        f"sizes: {sizes}",
        f"space directions: {directions}",
        f"kinds: {kinds}",
        "endian: little",
        "encoding: gzip",
        f"space origin: {_vector(geometry.affine[:3, 3])}",
        *(f"{key}:={_one_line(value)}" for key, value in keys.items()),
    ]
    return ("\n".join(lines) + "\n\n").encode()


def _vector(numbers: NDArray[np.float64]) -> str:
    return "(" + ",".join(repr(float(number)) for number in numbers) + ")"


def _one_line(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\r", " ").replace("\n", "\\n")
