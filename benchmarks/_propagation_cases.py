"""The objects that `benchmarks.propagation` follows: of a labelled folder, or of drawn volumes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks._shown import BoolVolume
from napari_sam.nodes.kinds import is_film, kind_of
from napari_sam.nodes.phantom import PHANTOM_NAMES, make_phantom
from napari_sam.nodes.tasks import read_volume
from napari_sam.nodes.volume_objects import VolumeObject
from volumes import Geometry, Provenance, Volume

N_TUBES, TUBES_SHAPE, TUBES_SPACING_MM = 4, (40, 96, 128), (2.5, 1.0, 1.0)


@dataclass(frozen=True, eq=False)
class Case:
    """One object of one volume.

    Attributes
    ----------
    kind, id : str
        What its figures count for, and its name.
    volume : Volume
        The image.
    labels : NDArray of integers, shape (P, R, C)
        All objects of the volume.
    truth : NDArray[bool], shape (P, R, C)
        This one.
    is_film : bool
        Whether planes are moments, so that there are no mm.
    """

    kind: str
    id: str
    volume: Volume
    labels: NDArray[np.integer]
    truth: BoolVolume
    is_film: bool = False


class Cases(Protocol):
    """Objects to follow, in the order of the tables; another process can be sent them before one is read."""

    @property
    def ids(self) -> tuple[str, ...]:
        """Their names."""

    def size(self, number: int) -> int:
        """Voxels of an object: the larger, the longer it takes."""

    def case(self, number: int) -> Case:
        """Read one; raises what reading raises."""


class DataCases:
    """Objects of a labelled folder, sorted by their image's place.

    Parameters
    ----------
    objects : sequence of VolumeObject
        In any order.
    """

    def __init__(self, objects: Sequence[VolumeObject]) -> None:
        self._objects = tuple(sorted(objects, key=lambda one: str(one.item.image)))
        self._last: tuple[Path, Volume, NDArray[np.int32]] | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """Their names: path and object."""
        return tuple(one.id for one in self._objects)

    def size(self, number: int) -> int:
        """Voxels of an object."""
        return self._objects[number].n_voxels

    def case(self, number: int) -> Case:
        """Read one; several of one volume in a row read it once. Raises what reading raises."""
        one = self._objects[number]
        if self._last is None or self._last[0] != one.item.image:
            self._last = (one.item.image, *read_volume(one.item))
        _, volume, labels = self._last
        return Case(kind_of(one.item), one.id, volume, labels, one.truth(labels), is_film(one.item))


class MadeCases:
    """The first objects of `made_cases`, or all.

    Parameters
    ----------
    limit : int, optional
        How many.
    """

    def __init__(self, limit: int | None = None) -> None:
        self._limit = limit

    @cached_property
    def _cases(self) -> list[Case]:
        return list(itertools.islice(made_cases(), self._limit))

    @property
    def ids(self) -> tuple[str, ...]:
        """Their names: kind and object."""
        return tuple(case.id for case in self._cases)

    def size(self, number: int) -> int:
        """Voxels of an object."""
        return int(np.count_nonzero(self._cases[number].truth))

    def case(self, number: int) -> Case:
        """Draw one."""
        return self._cases[number]

    def __reduce__(self) -> tuple[type[MadeCases], tuple[int | None]]:
        """Go to another process as a number; they are drawn again there."""
        return MadeCases, (self._limit,)


def made_cases() -> Iterator[Case]:
    """Draw the package's phantom of an abdomen, and tubes that wander and touch; the same every time."""
    for kind, (volume, labels) in {"phantom": make_phantom(), "tubes": _tubes()}.items():
        names = PHANTOM_NAMES if kind == "phantom" else {}
        for value in range(1, int(labels.max()) + 1):
            yield Case(kind, f"{kind}:{names.get(value, value)}", volume, labels, np.asarray(labels == value))


def _tubes() -> tuple[Volume, NDArray[np.uint8]]:
    rng = np.random.default_rng(20_261)
    n_planes, height, width = TUBES_SHAPE
    labels = np.zeros(TUBES_SHAPE, np.uint8)
    rows, cols = np.ogrid[:height, :width]
    turn = np.linspace(0.0, 1.0, n_planes)
    for value in range(1, N_TUBES + 1):
        phase, reach = rng.uniform(0, 2 * np.pi), rng.uniform(4, 14)
        row = height * (0.3 + 0.4 * (value % 2)) + reach * np.sin(5 * turn + phase)
        col = width * (value - 0.5) / N_TUBES + reach * np.cos(4 * turn + phase)
        radius = rng.uniform(7, 13) * (1 + 0.4 * np.sin(6 * turn + phase))
        first = int(rng.integers(0, 8))
        for index in range(first, int(n_planes - rng.integers(0, 8))):
            disc = (rows - row[index]) ** 2 + (cols - col[index]) ** 2 <= radius[index] ** 2
            labels[index][disc & (labels[index] == 0)] = value
    tones = np.array([100, 520, 640, 560, 680])
    grey = tones[labels] + rng.normal(0, 25, TUBES_SHAPE)
    geometry = Geometry.from_spacing(TUBES_SHAPE, TUBES_SPACING_MM)
    return Volume(grey.astype(np.int16), geometry, Provenance("made")), labels
