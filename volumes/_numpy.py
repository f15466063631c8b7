"""NumPy's ``.npy`` and ``.npz`` as volumes of 1 mm voxels."""

from __future__ import annotations

import warnings
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np

from volumes._image2d import NO_SIZE
from volumes._stored_images import Opened, StoredImages
from volumes._voxel_files import VoxelFiles, reading_failed
from volumes.errors import BrokenFile, UnsupportedImage
from volumes.geometry import Geometry
from volumes.series import ReadOptions, SeriesInfo
from volumes.volume import Provenance, Volume

__all__ = ["NumpyReader"]

_MAGIC = b"\x93NUMPY"
_ZIP = b"PK\x03\x04"
_NAME_LENGTH_AT, _NAME_AT = 26, 30
_LONGEST_HEADER = 10_000
_COLOURS = (3, 4)
_Header: TypeAlias = tuple[tuple[int, ...], bool, np.dtype[Any], int]


@dataclass(frozen=True)
class NumpyReader:
    """``.npy``, and ``.npz`` with one array: (R, C), (P, R, C), (T, P, R, C), each with colours last or not.

    Nothing is unpickled. A large ``.npy`` stays in its file.
    """

    name: str = "NumPy"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the first bytes are an array's, or those of a zip file that starts with an array."""
        if head.startswith(_ZIP) and len(head) > _NAME_AT:
            length = int.from_bytes(head[_NAME_LENGTH_AT : _NAME_LENGTH_AT + 2], "little")
            return head[_NAME_AT : _NAME_AT + length].endswith(b".npy")
        return head.startswith(_MAGIC)

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """List its volumes; reads no voxels."""
        return _opened(path, head).images.list_series()

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read one of its volumes."""
        return _opened(path, head).read(options)


def _opened(path: Path, head: bytes) -> Opened:
    """Read the header of the array."""
    is_zip = head.startswith(_ZIP)
    try:
        shape, is_fortran, dtype, at = _header_in_zip(path) if is_zip else _header_in_file(path)
    except OSError as error:
        raise reading_failed(path, error) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BrokenFile(f"{path} is a damaged zip file ({error}); get an undamaged copy") from error
    axes, shape = _axes(shape, dtype, path)
    if is_fortran:
        axes, shape = axes[::-1], shape[::-1]
    voxels = VoxelFiles(path, (path,), dtype, shape, "zip" if is_zip else "raw", skip=at)
    images = StoredImages(voxels, axes)
    notes = (*images.notes, NO_SIZE)
    return Opened(images, Geometry.from_spacing(images.shape), Provenance("NumPy", notes=notes))


def _header_in_file(path: Path) -> _Header:
    with path.open("rb") as stream:
        return _header(stream, path)


def _header_in_zip(path: Path) -> _Header:
    """Read the header of the one array of a ``.npz`` file."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) != 1:
            names = ", ".join(member.filename for member in members[:8])
            raise UnsupportedImage(
                f"{path} holds {len(members)} arrays ({names[:200]!r}); save one of them alone"
            )
        with archive.open(members[0]) as stream:
            return _header(stream, path)


def _header(stream: IO[bytes], path: Path) -> _Header:
    """Read shape, whether it is in Fortran's order, type, and the first byte of an array.

    Raises
    ------
    BrokenFile
        If there is no sound header.
    UnsupportedImage
        If it holds no plain numbers.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            version = np.lib.format.read_magic(stream)
            parse = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, is_fortran, dtype = parse(stream, max_header_size=_LONGEST_HEADER)
    except zipfile.BadZipFile:
        raise
    except Exception as error:  # numpy evaluates the header's text, which may hold anything
        raise BrokenFile(f"{path} has no sound NumPy header; get an undamaged copy") from error
    if dtype.kind not in "biuf" or dtype.itemsize > 8 or min(shape, default=0) < 1:
        raise UnsupportedImage(
            f"{path} holds an array of {str(dtype)[:60]} of shape {shape}; "
            "save whole or real numbers, at least one"
        )
    plain = np.dtype(np.uint8) if dtype.kind == "b" else dtype
    return tuple(int(length) for length in shape), bool(is_fortran), plain, stream.tell()


def _axes(shape: tuple[int, ...], dtype: np.dtype[Any], path: Path) -> tuple[str, tuple[int, ...]]:
    """Name the axes, and put in that of the planes where it is missing."""
    is_small = dtype.kind == "u" and dtype.itemsize <= 2
    colour = shape[-1:] if len(shape) > 2 and shape[-1] in _COLOURS and is_small else ()
    rest = shape[: len(shape) - len(colour)]
    if not 2 <= len(rest) <= 4:
        raise UnsupportedImage(
            f"{path} holds an array of {len(shape)} axes, {shape[:8]}; save (planes, rows, columns)"
        )
    rest = (1, *rest) if len(rest) == 2 else rest
    return "tPRC"[-len(rest) :] + "r" * len(colour), (*rest, *colour)
