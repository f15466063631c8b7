"""Voxels that lie in files one after another, plain or compressed: read all, a part, or on demand."""

from __future__ import annotations

import bz2
import errno
import math
import mmap
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from volumes._limits import DEFLATE, PICTURE_CODEC, check_claim, check_memory
from volumes.errors import BrokenFile, UnreadableFile

__all__ = ["VoxelFiles", "is_gzip", "reading_failed"]

_CHUNK_BYTES = 1 << 20
_CHECKED_BEYOND_BYTES = 1 << 26  # of what follows the voxels, so much is read to come to the checksum
_SPELT_BYTES = 100  # of memory that a number takes while it is text
_GZIP = b"\x1f\x8b"
_RATIOS = {"raw": 1.0, "deflate": DEFLATE, "bzip2": PICTURE_CODEC, "zip": DEFLATE}


@dataclass(frozen=True)
class VoxelFiles:
    """An array in files: where it starts, how it is packed, and its shape.

    Parameters
    ----------
    path : Path
        The file that the user named, for messages.
    parts : tuple of Path
        The files with the voxels; each holds an equal share, in order.
    dtype : dtype
        Of the values, with the byte order of the file.
    shape : tuple of int
        Slowest axis first.
    encoding : str
        ``"raw"``, ``"deflate"`` (gzip or zlib), ``"bzip2"``, ``"zip"`` (its first member), ``"text"``
        (numbers) or ``"hex"``.
    start : int
        Byte of each file at which the packed voxels start.
    skip : int
        Bytes of the unpacked content before the first voxel.
    """

    path: Path
    parts: tuple[Path, ...]
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    encoding: str = "raw"
    start: int = 0
    skip: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes of all values."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def is_mappable(self) -> bool:
        """Whether boxes of it can be read without the rest."""
        return self.encoding == "raw" and len(self.parts) == 1

    def check(self) -> None:
        """Raise BrokenFile unless the files are there and can hold what is claimed."""
        share = (math.prod(self.shape) // len(self.parts),)
        for part in self.parts:
            stored = _size(part, self.path) - self.start
            if stored < 0:
                raise BrokenFile(
                    f"{self.path} says its voxels start at byte {self.start:.6g}, after its end; "
                    "get a complete copy"
                )
            if self.encoding in _RATIOS:
                stored -= self.skip if self.encoding == "raw" else 0
                check_claim(self.path, share, self.dtype.itemsize, max(stored, 0), _RATIOS[self.encoding])
            else:  # a number that is written out takes a byte and more
                check_claim(self.path, share, 1, stored)

    def mapped(self, is_scattered: bool = False) -> NDArray[Any]:
        """Map the file into memory: bytes are read when they are looked at.

        Parameters
        ----------
        is_scattered : bool
            Whether little is looked at here and there, so that reading ahead would be in vain.

        Raises
        ------
        BrokenFile
            If the file has become shorter.
        UnreadableFile
            If the system refuses it.
        """
        try:
            with self.parts[0].open("rb") as stream:
                content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            if is_scattered and hasattr(mmap, "MADV_RANDOM"):
                content.madvise(mmap.MADV_RANDOM)
            values = np.frombuffer(content, self.dtype, math.prod(self.shape), self.start + self.skip)
            return values.reshape(self.shape)
        except ValueError as error:
            raise BrokenFile(
                f"{self.path} is shorter than it was when it was opened; open it again"
            ) from error
        except OSError as error:
            raise reading_failed(self.path, error) from error

    def read(self, lead: tuple[int, ...] = ()) -> NDArray[Any]:
        """Read the array at the given indices of its first axes.

        Parameters
        ----------
        lead : tuple of int
            Indices of the slowest axes; empty for all of it.

        Returns
        -------
        ndarray
            Of the remaining axes, in memory.

        Raises
        ------
        BrokenFile
            If the files are cut off, damaged, or smaller than the header says.
        UnsupportedImage
            If this machine has not the memory for it.
        """
        self.check()
        shape = self.shape[len(lead) :]
        n_bytes = math.prod(shape) * self.dtype.itemsize
        check_memory(self.path, n_bytes)
        place = int(np.ravel_multi_index(lead, self.shape[: len(lead)])) if lead else 0
        try:
            if self.encoding in ("text", "hex"):
                return np.asarray(self._spelt_out().reshape(self.shape)[lead])
            voxels = np.empty(n_bytes, np.uint8)
            copy = self._copy if self.encoding == "raw" else self._fill
            copy(voxels.data, place * n_bytes)
        except OSError as error:
            raise reading_failed(self.path, error) from error
        except (EOFError, zlib.error, ValueError, zipfile.BadZipFile) as error:
            raise BrokenFile(f"{self.path} is damaged or cut off ({error}); get a complete copy") from error
        return voxels.view(self.dtype).reshape(shape)

    def _fill(self, out: memoryview, first: int) -> None:
        """Copy the voxels' bytes from `first` on; of packed files the whole claim is read and checked."""
        share = self.nbytes // len(self.parts)
        for number, part in enumerate(self.parts):
            low, end = number * share, (number + 1) * share
            at = low - self.skip  # where the part's next byte lies among all voxels
            for chunk in self._chunks(part):
                begin, stop = max(at, first, low), min(at + len(chunk), first + len(out), end)
                if begin < stop:
                    out[begin - first : stop - first] = chunk[begin - at : stop - at]
                at += len(chunk)
                if at > end + _CHECKED_BEYOND_BYTES:
                    break
            if at < end:
                raise EOFError(f"its header asks for {share} bytes of voxels, it has {max(at - low, 0)}")

    def _chunks(self, part: Path) -> Iterator[bytes]:
        """Unpacked content of a part."""
        with part.open("rb") as stream:
            stream.seek(self.start)
            if self.encoding == "deflate":
                yield from _inflated(stream)
            elif self.encoding == "zip":
                with zipfile.ZipFile(stream) as archive, archive.open(archive.infolist()[0]) as unpacked:
                    yield from iter(lambda: unpacked.read(_CHUNK_BYTES), b"")
            else:
                with bz2.BZ2File(stream) as unpacked:
                    yield from iter(lambda: unpacked.read(_CHUNK_BYTES), b"")

    def _copy(self, out: memoryview, first: int) -> None:
        """Copy plain bytes from `first` on, and read nothing else."""
        share = self.nbytes // len(self.parts)
        for number, part in enumerate(self.parts):
            begin = max(first, number * share)
            stop = min(first + len(out), (number + 1) * share)
            if begin >= stop:
                continue
            with part.open("rb") as stream:
                stream.seek(self.start + self.skip + begin - number * share)
                n_read = stream.readinto(out[begin - first : stop - first])
            if n_read < stop - begin:
                raise EOFError(f"{stop - begin} bytes of voxels were expected, {n_read} found")

    def _spelt_out(self) -> NDArray[Any]:
        """Values that stand in the file as text, or as the hexadecimal digits of their bytes."""
        n_values = math.prod(self.shape)
        check_memory(self.path, n_values * _SPELT_BYTES)
        content = b"".join(self._after_start(part) for part in self.parts)
        if self.encoding == "hex":
            plain = bytes.fromhex(content.decode("ascii", "replace"))
            return np.frombuffer(plain, self.dtype, n_values, self.skip).copy()
        words = content[self.skip :].replace(b",", b" ").split(maxsplit=n_values)[:n_values]
        if len(words) < n_values:
            raise EOFError(f"its header asks for {n_values} numbers, and it has {len(words)}")
        return _numbers(words, self.dtype)

    def _after_start(self, part: Path) -> bytes:
        with part.open("rb") as stream:
            stream.seek(self.start)
            return stream.read()


def _numbers(words: list[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Turn words into numbers of a type; ValueError where one is none of it."""
    try:
        if dtype.kind == "f":
            with np.errstate(all="ignore"):
                return np.array([float(word) for word in words], dtype)
        numbers = [int(word) for word in words]
    except ValueError:
        raise ValueError("a word among its voxels is no number") from None
    limits = np.iinfo(dtype)
    if min(numbers) < limits.min or max(numbers) > limits.max:
        raise ValueError(f"a number among its voxels is not of the type {dtype}")
    return np.array(numbers, dtype)


def _inflated(stream: BinaryIO) -> Iterator[bytes]:
    """Unpack zlib, or gzip of any number of members; whatever else follows is left alone."""
    pending = stream.read(_CHUNK_BYTES)
    while True:
        coder = zlib.decompressobj(wbits=47)
        while not coder.eof:
            pending = pending or stream.read(_CHUNK_BYTES)
            chunk = coder.decompress(pending, _CHUNK_BYTES)
            if not chunk and not pending:
                raise EOFError("it ends inside its compressed voxels")
            yield chunk
            pending = coder.unconsumed_tail
        pending = coder.unused_data
        if len(pending) < len(_GZIP):
            pending += stream.read(_CHUNK_BYTES)
        if not pending.startswith(_GZIP):
            return


def is_gzip(path: Path) -> bool:
    """Whether a file starts as gzip does.

    Raises
    ------
    UnreadableFile
        If the system refuses it.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(2) == _GZIP
    except OSError as error:
        raise reading_failed(path, error) from error


def _size(part: Path, path: Path) -> int:
    """Bytes of a file that holds voxels.

    Raises
    ------
    BrokenFile
        If it is missing.
    """
    try:
        if part.is_file():
            return part.stat().st_size
    except (OSError, ValueError):  # a name with a zero in it
        pass
    raise BrokenFile(
        f"{path} keeps its voxels in {part.name!r}, which is not beside it; copy both files together"
    )


def reading_failed(path: Path, error: OSError) -> UnreadableFile | BrokenFile:
    """Say why the system did not read; bzip2 and zip use its error for damage too."""
    if error.errno in (None, errno.EINVAL):
        return BrokenFile(f"{path} is damaged or cut off ({error}); get an undamaged copy")
    return UnreadableFile(f"{path} cannot be read: {error.strerror}; check its permissions")
