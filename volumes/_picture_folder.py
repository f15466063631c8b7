"""A folder of numbered pictures as the planes of one volume."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._block_cache import BlockCache
from volumes._dtypes import compact, converted_on_demand, type_on_demand
from volumes._image2d import NO_SIZE, PictureReader, picture_shape, read_picture
from volumes._limits import check_memory
from volumes._overview import sampled
from volumes._stored import IN_MEMORY_BYTES
from volumes._tiff import TiffReader
from volumes.errors import ShapeMismatch, UnreadableFile, UnsupportedImage
from volumes.geometry import Geometry
from volumes.lazy import LazyArray
from volumes.series import ReadOptions, SeriesInfo, one_series, refuse_series
from volumes.volume import Provenance, Volume


@dataclass(frozen=True)
class PictureFolderReader:
    """A folder of numbered pictures; a large one is read on demand."""

    name: str = "folder of pictures"

    def claims(self, folder: Path) -> bool:
        """Whether the folder holds a picture."""
        return bool(_pictures(folder))

    def list_series(self, folder: Path) -> tuple[SeriesInfo, ...]:
        """Describe its one volume."""
        return one_series(self.read(folder, ReadOptions()))

    def read(self, folder: Path, options: ReadOptions) -> Volume:
        """Read the pictures as planes."""
        refuse_series(options, folder)
        return read_picture_folder(_pictures(folder))


def _pictures(folder: Path) -> list[Path]:
    """Pictures of a folder, by content; hidden files are left out."""
    readers = (TiffReader(), PictureReader())
    found = []
    try:
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or not path.is_file():
                continue
            head = _head(path)
            if any(reader.claims(path, head) for reader in readers):
                found.append(path)
    except OSError as error:
        raise UnreadableFile(f"{folder} cannot be read: {error.strerror}; check its permissions") from error
    return found


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(16)


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Sort key under which ``plane2`` comes before ``plane10``."""
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name.lower()) if part
    ]


def read_picture_folder(files: list[Path]) -> Volume:
    """Read pictures of one size as the planes of a volume, in natural order of their names.

    Parameters
    ----------
    files : list of Path
        PNG, JPEG, BMP, WebP, GIF or single-page TIFF files.

    Raises
    ------
    ShapeMismatch
        If sizes differ, or grey and colour are mixed.
    UnsupportedImage
        If one of them is a TIFF of several pages.
    """
    ordered = sorted(files, key=lambda path: _natural_key(path.name))
    first, notes = _read_one(ordered[0])
    data: NDArray[Any] | LazyArray
    if first.nbytes * len(ordered) > IN_MEMORY_BYTES:
        for path in ordered[1:]:
            _check_like(path, _shape(path), ordered[0], first.shape[:2])
        data = LazyArray(_FolderSource(tuple(ordered), (len(ordered), *first.shape), first.dtype))
    else:
        check_memory(ordered[0].parent, 2 * first.nbytes * len(ordered))
        planes = [first]
        for path in ordered[1:]:
            pixels, found = _read_one(path)
            _check_like(path, pixels.shape, ordered[0], first.shape)
            planes.append(pixels)
            notes |= found
        data = compact(np.stack(planes), str(ordered[0].parent))
    notes.pop(NO_SIZE, None)
    provenance = Provenance(
        "pictures", notes=("the planes were taken as 1 mm apart, with 1 mm a pixel", *notes)
    )
    return Volume(data, Geometry.from_spacing((len(ordered), first.shape[0], first.shape[1])), provenance)


def _read_one(path: Path) -> tuple[NDArray[Any], dict[str, None]]:
    """Pixels of one picture, and its notes."""
    tiff, head = TiffReader(), _head(path)
    if not tiff.claims(path, head):
        pixels, found = read_picture(path)
        return pixels, dict.fromkeys(found)
    page = tiff.read(path, head, ReadOptions())
    if page.shape[0] > 1:
        raise UnsupportedImage(
            f"{path} has {page.shape[0]} pages in a folder of single pictures; pass it alone"
        )
    return np.asarray(page.data[0]), dict.fromkeys(page.provenance.notes)


def _shape(path: Path) -> tuple[int, ...]:
    """(rows, columns) of a picture, without reading its pixels."""
    tiff, head = TiffReader(), _head(path)
    if not tiff.claims(path, head):
        return picture_shape(path)
    return tiff.list_series(path, head)[0].shape[1:]


def _check_like(path: Path, shape: Sequence[int], first: Path, wanted: Sequence[int]) -> None:
    if tuple(shape) != tuple(wanted):
        raise ShapeMismatch(
            f"{path.name} has shape {tuple(shape)}, {first.name} has {tuple(wanted)}; "
            "keep pictures of one size and colour in the folder, or pass one file"
        )


@dataclass(frozen=True)
class _FolderSource:
    """Pictures of a folder for a `LazyArray`."""

    files: tuple[Path, ...]
    shape: tuple[int, ...]
    stored: np.dtype[Any]
    cache: BlockCache = field(default_factory=BlockCache)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return type_on_demand(self.stored, str(self.files[0].parent))

    def read_box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> NDArray[Any]:
        """Read the pictures of a box."""
        lengths = [high - low for low, high in zip(start, stop, strict=True)]
        check_memory(self.files[0].parent, int(np.prod(lengths, dtype=np.float64)) * self.dtype.itemsize)
        box = np.empty(lengths, dtype=self.dtype)
        inner = tuple(slice(low, high) for low, high in zip(start[1:], stop[1:], strict=True))
        for index in range(start[0], stop[0]):
            box[index - start[0]] = self._plane(index)[inner]
        return box

    def overview(self) -> NDArray[Any]:
        """Read some of the pictures."""
        return sampled(self)

    def _plane(self, index: int) -> NDArray[Any]:
        kept = self.cache.get(index)
        if kept is not None:
            return kept
        path = self.files[index]
        plane = converted_on_demand(_read_one(path)[0], str(path))
        _check_like(path, plane.shape, self.files[0], self.shape[1:])
        if not np.can_cast(plane.dtype, self.dtype, "safe"):
            raise ShapeMismatch(
                f"{path.name} holds {plane.dtype}, {self.files[0].name} {self.dtype}; "
                "keep pictures of one kind in the folder"
            )
        self.cache.put(index, plane)
        return plane
