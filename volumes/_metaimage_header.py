"""The text at the top of a MetaImage file: where the voxels are, and where they lie."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from volumes._beside import file_beside, files_of_pattern
from volumes._voxel_files import VoxelFiles, reading_failed
from volumes.errors import BrokenFile, InvalidGeometry, UnsupportedImage
from volumes.geometry import Geometry

__all__ = ["MetaHeader", "geometry_of", "is_metaimage", "read_header", "stored_array"]

_LAST_KEY = "ElementDataFile"
_LARGEST_HEADER_BYTES = 1 << 20
_GEOMETRY_KEYS = (
    "Offset", "Position", "Origin", "TransformMatrix", "Rotation", "Orientation", "ElementSpacing",
    "ElementSize",
)  # fmt: skip
_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
_MM = {"mm": 1.0, "um": 1e-3, "cm": 10.0}


@dataclass(frozen=True)
class MetaHeader:
    """A MetaImage header: its lines as a table, the files it lists, and where it ends (bytes)."""

    path: Path
    fields: Mapping[str, str]
    names: tuple[str, ...]
    end: int

    def numbers(self, key: str) -> list[float] | None:
        """Numbers of a line; None where there is none.

        Raises
        ------
        InvalidGeometry
            If they are not finite numbers.
        """
        if key not in self.fields:
            return None
        try:
            numbers = [float(word) for word in self.fields[key].split()]
        except ValueError:
            numbers = [math.nan]
        if not all(math.isfinite(number) for number in numbers):
            raise InvalidGeometry(
                f"{self.path} has a value that is not finite in its header: "
                f"{f'{key} = {self.fields[key]}'[:80]!r}; mend it"
            )
        return numbers

    def is_true(self, key: str, otherwise: bool = False) -> bool:
        """Whether a line says true: by its first letter, as ITK takes it."""
        text = self.fields.get(key, "")
        return text[0] in "Tt1" if text else otherwise

    @property
    def sizes(self) -> tuple[int, ...]:
        """Lengths of the axes, fastest first.

        Raises
        ------
        BrokenFile
            If they are missing or not positive.
        """
        try:
            sizes = tuple(int(word) for word in self.fields["DimSize"].split())
            n_axes = int(self.fields["NDims"])
        except (KeyError, ValueError) as error:
            raise BrokenFile(f"{self.path} has no sound NDims and DimSize in its header; mend it") from error
        if len(sizes) != n_axes or not 1 <= n_axes <= 10 or min(sizes) < 1:
            raise BrokenFile(f"{self.path} says its {n_axes} dimensions are {sizes[:10]}; mend its header")
        return sizes

    @property
    def n_values(self) -> int:
        """Values a voxel.

        Raises
        ------
        BrokenFile
            If it is no number of 1 or more.
        """
        try:
            n_values = int(self.fields.get("ElementNumberOfChannels", "1"))
        except ValueError:
            n_values = 0
        if n_values < 1:
            raise BrokenFile(f"{self.path} has no sound ElementNumberOfChannels; mend its header")
        return n_values


def is_metaimage(head: bytes) -> bool:
    """Whether the first bytes are a MetaImage header's text."""
    start = head[:256].lstrip()
    return start.startswith((b"ObjectType", b"NDims", b"Comment")) and b"NDims" in head


def read_header(path: Path) -> MetaHeader:
    """Read the header.

    Raises
    ------
    BrokenFile
        If a line is no field, or the last one is missing.
    UnreadableFile
        If the system refuses the file.
    """
    try:
        with path.open("rb") as stream:
            top = stream.read(_LARGEST_HEADER_BYTES)
    except OSError as error:
        raise reading_failed(path, error) from error
    fields: dict[str, str] = {}
    at = 0
    while (end := top.find(b"\n", at)) >= 0:
        key, equals, value = top[at:end].decode("utf-8", "replace").partition("=")
        at = end + 1
        if not equals and key.strip():
            raise BrokenFile(f"{path} has a line in its header that is no field: {key[:60]!r}; mend it")
        fields[key.strip()] = value.strip()
        if key.strip() == _LAST_KEY:
            is_list = value.split()[:1] == ["LIST"]
            names = top[at:].decode("utf-8", "replace").split("\n") if is_list else []
            return MetaHeader(path, fields, tuple(name.strip() for name in names if name.strip()), at)
    raise BrokenFile(f"{path} has no line {_LAST_KEY} in its header; get a complete copy")


def stored_array(header: MetaHeader) -> VoxelFiles:
    """Say where the voxels are: an array with the slowest axis first, and the values of a voxel last.

    Raises
    ------
    BrokenFile
        If the header contradicts itself, or names a file outside its folder.
    UnsupportedImage
        For a number type without a size.
    """
    path = header.path
    kind = header.fields.get("ElementType", "").removesuffix("_ARRAY")
    if kind not in _TYPES:
        raise UnsupportedImage(f"{path} has voxels of the type {kind[:40]!r}; save numbers")
    is_big = header.is_true("BinaryDataByteOrderMSB") or header.is_true("ElementByteOrderMSB")
    dtype: np.dtype[Any] = np.dtype((">" if is_big else "<") + _TYPES[kind])
    shape = (*header.sizes[::-1], header.n_values)
    parts = _parts(header)
    if math.prod(shape) % len(parts):
        raise BrokenFile(f"{path} divides sizes {header.sizes} among {len(parts)} files; mend its header")
    encoding = "raw" if header.is_true("BinaryData", True) else "text"
    if header.is_true("CompressedData"):
        encoding = "deflate"
    stored = VoxelFiles(path, parts, dtype, shape, encoding, _start(header))
    if header.fields.get("HeaderSize") == "-1" and encoding == "raw":
        stored.check()
        rest = min(part.stat().st_size for part in parts) - stored.nbytes // len(parts)
        stored = VoxelFiles(path, parts, dtype, shape, encoding, rest)
    return stored


def _start(header: MetaHeader) -> int:
    """First byte of the voxels, in this file or in the others."""
    if header.fields[_LAST_KEY].upper() == "LOCAL":
        return header.end
    try:
        return max(int(header.fields.get("HeaderSize", "0")), 0)
    except ValueError as error:
        raise BrokenFile(f"{header.path} has no whole number as its HeaderSize; mend it") from error


def _parts(header: MetaHeader) -> tuple[Path, ...]:
    """Files with the voxels."""
    where = header.fields[_LAST_KEY]
    words = where.split()
    if where.upper() == "LOCAL":
        return (header.path,)
    if words[:1] == ["LIST"]:
        if not header.names or len(header.names) > (1 << 16):
            raise BrokenFile(f"{header.path} lists {len(header.names)} files with voxels; mend its header")
        return tuple(file_beside(header.path, name) for name in header.names)
    if "%" in where and len(words) >= 3:
        return files_of_pattern(header.path, words[0], words[1:4])
    return (file_beside(header.path, where),)


@np.errstate(all="ignore")  # a damaged header holds any number
def geometry_of(header: MetaHeader) -> tuple[Geometry, tuple[str, ...]]:
    """Say where the voxels of the first three axes lie, with notes on what was assumed.

    Raises
    ------
    InvalidGeometry
        If a number is not finite, one is missing, or the axes are flat.
    """
    sizes, notes = header.sizes, []
    n_axes = len(sizes)
    given = {key: header.numbers(key) for key in _GEOMETRY_KEYS}
    spacing = given["ElementSpacing"] or given["ElementSize"]
    if spacing is None:
        spacing = [1.0] * n_axes
        notes.append("no voxel size; 1 mm was taken")
    origin = given["Offset"] or given["Position"] or given["Origin"] or [0.0] * n_axes
    matrix = (
        given["TransformMatrix"]
        or given["Rotation"]
        or given["Orientation"]
        or np.eye(n_axes).ravel().tolist()
    )
    if (len(spacing), len(origin), len(matrix)) != (n_axes, n_axes, n_axes * n_axes):
        raise InvalidGeometry(
            f"{header.path} has {len(spacing)} sizes, {len(origin)} coordinates and {len(matrix)} numbers "
            f"of a matrix for {n_axes} dimensions; mend its header"
        )
    unit = header.fields.get("DistanceUnits", "").lower()
    factor = _MM.get(unit, 1.0)
    if factor != 1.0:
        notes.append(f"lengths in {unit} were converted to millimetres")
    used = min(n_axes, 3)
    columns = np.eye(3)
    columns[:used, :used] = np.reshape(matrix, (n_axes, n_axes))[:used, :used].T * spacing[:used] * factor
    affine = np.eye(4)
    affine[:3, :3] = columns[:, ::-1]
    affine[:used, 3] = np.array(origin[:used]) * factor
    column, row, plane = (*sizes, 1, 1)[:3]
    try:
        return Geometry((plane, row, column), affine), tuple(notes)
    except InvalidGeometry as error:
        raise InvalidGeometry(f"{header.path}: {error}") from error
