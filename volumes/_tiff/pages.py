"""Boxes of TIFF pages, read strip by strip or tile by tile; the file is open only while it is read."""

from __future__ import annotations

import errno
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from volumes._block_cache import BlockCache
from volumes._limits import check_claim
from volumes._stored import Ranges
from volumes._tiff.codecs import decode_strip
from volumes._tiff.layout import Layout, Page, numbers
from volumes.errors import BrokenFile, UnreadableFile, VolumeError

__all__ = ["LoadedArray", "MappedArray", "PagedArray"]


@dataclass(frozen=True)
class LoadedArray:
    """An array that is in memory already."""

    data: NDArray[Any]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of its axes."""
        return self.data.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of its values."""
        return self.data.dtype

    def read(self, ranges: Ranges) -> NDArray[Any]:
        """Return a part of it."""
        return self.data[tuple(slice(*one) for one in ranges)]


@dataclass(frozen=True)
class MappedArray:
    """An array that lies in a file as it does in memory, uncompressed.

    Parameters
    ----------
    path : Path
        The file.
    offset : int
        Where in it the first value is.
    shape : tuple of int
        Lengths of the axes.
    dtype : numpy.dtype
        Type of the values, with their byte order.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, ranges: Ranges) -> NDArray[Any]:
        """Read a half-open box.

        Raises
        ------
        BrokenFile, UnreadableFile
            If the file is shorter than it says, or the system refuses it.
        """
        try:
            stored_bytes = self.path.stat().st_size - self.offset
            check_claim(self.path, self.shape, self.dtype.itemsize, stored_bytes)
            whole = np.memmap(self.path, self.dtype, "r", self.offset, self.shape)
            return np.array(whole[tuple(slice(*one) for one in ranges)])
        except OSError as error:
            if isinstance(error, VolumeError):
                raise
            raise UnreadableFile(
                f"{self.path} cannot be read: {error.strerror}; check the file and its permissions"
            ) from error


@dataclass(frozen=True)
class PagedArray:
    """An array whose last axes are pages of a TIFF.

    Parameters
    ----------
    shape : tuple of int
        Lengths of all axes.
    dtype : numpy.dtype
        Type of the values.
    layout : Layout
        Of every page.
    pages : tuple of Page
        In order of the leading axes.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    layout: Layout
    pages: tuple[Page, ...]
    cache: BlockCache = field(default_factory=BlockCache)

    def read(self, ranges: Ranges) -> NDArray[Any]:
        """Read a half-open box; only strips and tiles that meet it are decoded.

        Raises
        ------
        BrokenFile, UnreadableFile
            If one is damaged, or the system refuses the file.
        """
        n_axes = 2 if self.layout.samples == 1 else 3
        leading, inner = ranges[: len(ranges) - n_axes], ranges[len(ranges) - n_axes :]
        lengths = self.shape[: len(leading)]
        out = np.empty([high - low for low, high in ranges], dtype=self.dtype)
        for at in itertools.product(*(range(*one) for one in leading)):
            index = int(np.ravel_multi_index(at, lengths)) if at else 0
            place = tuple(one - low for one, (low, _) in zip(at, leading, strict=True))
            out[place] = self._read_page(index, inner)
        return out

    def _read_page(self, index: int, ranges: Ranges) -> NDArray[Any]:
        """Read a box of a page of shape (R, C), (R, C, S) or (S, R, C)."""
        layout, page = self.layout, self.pages[index]
        if layout.samples == 1:
            rows, columns, samples = (*ranges, (0, 1))
        elif layout.plane_wise:
            samples, rows, columns = ranges
        else:
            rows, columns, samples = ranges
        out = np.empty([high - low for low, high in (samples, rows, columns)], dtype=self.dtype)
        try:
            with page.path.open("rb") as stream:
                self._fill(out, index, stream, (samples, rows, columns))
        except VolumeError:
            raise
        except OSError as error:
            if error.errno in (None, errno.EINVAL):  # Pillow's own, or an offset that cannot be
                raise _damaged(page.path, error) from error
            raise UnreadableFile(
                f"{page.path} cannot be read: {error.strerror}; check the file and its permissions"
            ) from error
        except Exception as error:  # each codec has errors of its own
            raise _damaged(page.path, error) from error
        if layout.samples == 1:
            return np.asarray(out[0])
        return out if layout.plane_wise else np.moveaxis(out, 0, -1)

    def _fill(self, out: NDArray[Any], index: int, stream: BinaryIO, ranges: Ranges) -> None:
        """Decode into a box (S, R, C) of a page."""
        (first, last), (top, bottom), (left, right) = ranges
        height, width = self.layout.chunk
        down, across = self.layout.grid
        parts = range(first, last) if self.layout.plane_wise else (0,)
        for part in parts:
            for row in range(top // height, -(-bottom // height)):
                for column in range(left // width, -(-right // width)):
                    segment = (part * down + row) * across + column
                    tile = self._tile(index, segment, row, stream)
                    chosen = tile if self.layout.plane_wise else tile[first:last]
                    into = out[part - first : part - first + 1] if self.layout.plane_wise else out
                    _paste(into, chosen, (row * height - top, column * width - left))

    def _tile(self, index: int, segment: int, row: int, stream: BinaryIO) -> NDArray[Any]:
        """Decode one strip or tile as (S, R, C)."""
        kept = self.cache.get((index, segment))
        if kept is not None:
            return kept
        layout, page = self.layout, self.pages[index]
        rows = layout.chunk[0]
        if not layout.is_tiled:
            rows = min(rows, layout.rows - row * rows)
        strip = layout.strip if rows == layout.strip.rows else replace(layout.strip, rows=rows)
        if page.counts[segment] == 0:  # left out: a tile of zeros
            return np.zeros((strip.samples, rows, layout.chunk[1]), self.dtype)
        stream.seek(page.offsets[segment])
        stored = stream.read(page.counts[segment])
        if len(stored) < page.counts[segment]:
            raise BrokenFile(f"{page.path} is cut off inside a page; get a complete copy")
        tile = numbers(decode_strip(stored, strip), strip, layout)
        if strip.compression != 1:
            self.cache.put((index, segment), tile)
        return tile


def _paste(out: NDArray[Any], tile: NDArray[Any], at: Sequence[int]) -> None:
    """Copy what a tile (S, R, C) at (row, column) and a box have in common."""
    spans = []
    for start, size, length in zip(at, tile.shape[1:], out.shape[1:], strict=True):
        low, high = max(0, start), min(length, start + size)
        spans.append((slice(low, high), slice(low - start, high - start)))
    (rows, from_rows), (columns, from_columns) = spans
    out[:, rows, columns] = tile[:, from_rows, from_columns]


def _damaged(path: Path, error: Exception) -> BrokenFile:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return BrokenFile(f"{path} cannot be read as TIFF: a page is damaged ({reason}); get an undamaged copy")
