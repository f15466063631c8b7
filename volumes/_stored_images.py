"""From an array in a file to volumes: which axes are space, which tell volumes apart, what a value means."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._dtypes import compact
from volumes._overview import sampled
from volumes._voxel_files import VoxelFiles
from volumes.errors import UnsupportedImage
from volumes.geometry import Geometry
from volumes.lazy import LazyArray
from volumes.series import ReadOptions, SeriesInfo, choose_series, refuse_series
from volumes.volume import Provenance, Volume

__all__ = ["ALPHA_NOTE", "Opened", "StoredImages"]

LAZY_BYTES = 1 << 28
"""An uncompressed volume of more bytes than this stays in its file, and is read plane by plane."""

ALPHA_NOTE = "alpha was left out"

_SPACE = "PRC"
_COLOUR = "r"
_KEY_LETTERS = "sct"
_MOST_VOLUMES = 1 << 16


@dataclass(frozen=True)
class StoredImages:
    """One or more volumes in one array.

    Parameters
    ----------
    voxels : VoxelFiles
        The array.
    axes : str
        A letter an axis, slowest first: P, R and C for planes, rows and columns; ``r`` for the values of a
        colour; ``c`` for channels or vector components, ``t`` for times, ``s`` for others.
    scaling : tuple of float, optional
        (slope, intercept) that turn stored values into real ones.
    """

    voxels: VoxelFiles
    axes: str
    scaling: tuple[float, float] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of (planes, rows, columns) of each volume."""
        planes, rows, columns = (self._length(letter) for letter in _SPACE)
        return planes, rows, columns

    @property
    def notes(self) -> tuple[str, ...]:
        """What is left out."""
        return (ALPHA_NOTE,) if _COLOUR in self.axes and self._length(_COLOUR) == 4 else ()

    def list_series(self) -> tuple[SeriesInfo, ...]:
        """List the volumes, by keys such as ``"t3"`` or ``"c1/t3"``; one alone has the key ``"0"``.

        Raises
        ------
        BrokenFile
            If the file cannot hold as much.
        UnsupportedImage
            If there are more than anybody could choose from.
        """
        self.voxels.check()
        choices = self._choices()
        n_volumes = math.prod(map(len, choices))
        if n_volumes > _MOST_VOLUMES:
            raise UnsupportedImage(
                f"{self.voxels.path} holds {n_volumes} volumes of {'x'.join(map(str, self.shape))}; "
                "save the ones you need in a file of their own"
            )
        return tuple(
            SeriesInfo(_key(choice) or "0", "", "", self.shape) for choice in itertools.product(*choices)
        )

    def take(self, options: ReadOptions) -> NDArray[Any] | LazyArray:
        """Read the volume asked for, or the only one.

        Returns
        -------
        ndarray or LazyArray of shape (P, R, C) or (P, R, C, 3)
            In the file while it is uncompressed and larger than `LAZY_BYTES`.

        Raises
        ------
        UnknownSeries, MixedSeries
            If there is no such volume, or several and none was asked for.
        BrokenFile, UnsupportedImage
            As `VoxelFiles.read`, and for values that float32 or 32 bits cannot hold.
        """
        found = self.list_series()
        if len(found) == 1:
            refuse_series(options, self.voxels.path)
        place = choose_series(found, options.series, self.voxels.path)
        at = dict(list(itertools.product(*self._choices()))[place])
        if self.voxels.is_mappable and self._volume_bytes() > LAZY_BYTES:
            return LazyArray(_MappedVolume(self, at))
        index = self._index(at)
        lead = tuple(itertools.takewhile(index.__contains__, self.axes))
        raw = self.voxels.read(tuple(index[letter] for letter in lead))
        volume = self._arranged(raw, self.axes[len(lead) :], at)
        return finished(volume, self.scaling, str(self.voxels.path))

    def _length(self, letter: str) -> int:
        return self.voxels.shape[self.axes.index(letter)]

    def _volume_bytes(self) -> int:
        n_values = int(np.prod(self.shape, dtype=np.int64))
        n_values *= self._length(_COLOUR) if _COLOUR in self.axes else 1
        return n_values * self.voxels.dtype.itemsize

    def _choices(self) -> list[list[tuple[str, int]]]:
        """For each axis that tells volumes apart, its letter with each index."""
        letters = [letter for letter in _KEY_LETTERS if letter in self.axes and self._length(letter) > 1]
        return [[(letter, index) for index in range(self._length(letter))] for letter in letters]

    def _index(self, at: dict[str, int]) -> dict[str, int]:
        """Index of each axis that is neither space nor colour; 0 where it is one long."""
        return {letter: at.get(letter, 0) for letter in self.axes if letter not in _SPACE + _COLOUR}

    def _arranged(self, raw: NDArray[Any], axes: str, at: dict[str, int]) -> NDArray[Any]:
        """Take one volume of an array with these axes, as a view (P, R, C) or (P, R, C, 3)."""
        index = self._index(at)
        view = raw[tuple(index.get(letter, slice(None)) for letter in axes)]
        left = [letter for letter in axes if letter not in index]
        view = view.transpose([left.index(letter) for letter in _SPACE + _COLOUR if letter in left])
        return view[..., :3] if _COLOUR in left else view


@dataclass(frozen=True)
class Opened:
    """A file whose header was read, and nothing else yet."""

    images: StoredImages
    geometry: Geometry
    provenance: Provenance

    def read(self, options: ReadOptions) -> Volume:
        """Read one of its volumes; raises as `StoredImages.take`."""
        return Volume(self.images.take(options), self.geometry, self.provenance)


@dataclass(frozen=True)
class _MappedVolume:
    """A volume in a file that is mapped anew at each reading, so that no file stays open."""

    images: StoredImages
    at: dict[str, int]

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return (*self.images.shape, *((3,) if _COLOUR in self.images.axes else ()))

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels as they are given out."""
        stored = self.images.voxels.dtype
        if self.images.scaling is not None or stored.kind == "f":
            return np.dtype(np.float32)
        return np.dtype(f"{stored.kind}{min(stored.itemsize, 4)}")

    def read_box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> NDArray[Any]:
        """Read the voxels of a half-open box."""
        is_scattered = stop[0] - start[0] > 1 and 2 * (stop[1] - start[1]) < self.shape[1]
        view = self.images._arranged(self.images.voxels.mapped(is_scattered), self.images.axes, self.at)
        box = view[tuple(slice(low, high) for low, high in zip(start, stop, strict=True))]
        where = str(self.images.voxels.path)
        return finished(np.array(box), self.images.scaling, where).astype(self.dtype, copy=False)

    def overview(self) -> NDArray[Any]:
        """Read the middle of some planes at even distances."""
        return sampled(self)


def finished(raw: NDArray[Any], scaling: tuple[float, float] | None, where: str) -> NDArray[Any]:
    """Return values as this package holds them: scaled ones as float32, others as `compact` makes them.

    Raises
    ------
    UnsupportedImage
        If a finite number is beyond float32, or an integer beyond 32 bits.
    """
    if scaling is None and raw.dtype.kind != "f":
        return np.ascontiguousarray(compact(raw, where))
    values = np.empty(raw.shape, np.float32)
    slope, intercept = scaling or (1.0, 0.0)
    with np.errstate(all="ignore"):
        for plane, stored in zip(values, raw, strict=True):
            exact = stored if scaling is None else stored.astype(np.float64) * slope + intercept
            plane[...] = exact
            if exact.dtype.itemsize > 4 and not np.array_equal(np.isinf(exact), np.isinf(plane)):
                raise UnsupportedImage(
                    f"{where} holds numbers beyond 3.4e38, the end of 32-bit floats; rescale its values"
                )
    return values


def _key(choice: tuple[tuple[str, int], ...]) -> str:
    return "/".join(f"{letter}{index}" for letter, index in choice)
