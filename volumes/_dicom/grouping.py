"""Which planes make which volume, and the short keys of the volumes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from volumes._dicom.headers import PlaneHeader
from volumes._dicom.repeats import Part, split_repeats
from volumes._dicom.stack import along_normal_mm
from volumes.errors import InvalidGeometry
from volumes.series import SeriesInfo

__all__ = ["PlaneGroup", "group_planes", "without_copies"]

_SAME_DIRECTION = 0.01
_SAME_SPACING = 0.01
# Pictures by projection: several of one series are views, never planes of one volume.
_PROJECTIONS = frozenset({"CR", "DX", "MG", "IO", "PX", "RG", "XC", "GM", "OP", "ES"})


@dataclass(frozen=True)
class PlaneGroup:
    """Planes that make one volume, if their places allow it, and what was assumed to find them."""

    info: SeriesInfo
    planes: tuple[PlaneHeader, ...]
    notes: tuple[str, ...] = ()


def without_copies(planes: Iterable[PlaneHeader]) -> tuple[tuple[PlaneHeader, ...], int]:
    """Leave out planes that are there twice: of one instance UID, frame, place and number.

    Returns
    -------
    planes : tuple of PlaneHeader
        The first of each, in the order given.
    n_left_out : int
        How many files were left out.
    """
    seen: dict[object, PlaneHeader] = {}
    kept, files = [], set()
    for plane in planes:
        what = (
            plane.tags.instance_uid, plane.frame, plane.series_uid, plane.position_mm, plane.number,
            plane.shape_hw, plane.tags,
        )  # fmt: skip
        if plane.tags.instance_uid and seen.setdefault(what, plane).path != plane.path:
            files.add(plane.path)
        else:
            kept.append(plane)
    return tuple(kept), len(files)


def group_planes(planes: Sequence[PlaneHeader]) -> tuple[PlaneGroup, ...]:
    """Group planes by series, by what one volume must share, and by what tells repeats of a plane apart.

    Parameters
    ----------
    planes : sequence of PlaneHeader
        All planes of a file or folder.

    Returns
    -------
    tuple of PlaneGroup
        In natural order of their keys. A key is the series' number (``"3"``; ``"3-1"``, ``"3-2"`` where
        several series have it; ``"u1"`` where it has none), then ``/1``, ``/2`` where the planes of the
        series differ in size, colour, orientation or pixel size, largest group first, then what tells
        repeats apart (see `repeats`).
    """
    n_of_file = Counter(plane.path for plane in planes)
    films = {path for path, n_frames in n_of_file.items() if n_frames > 1}
    by_uid: dict[str, list[PlaneHeader]] = defaultdict(list)
    for plane in planes:
        by_uid[plane.series_uid].append(plane)
    groups: list[PlaneGroup] = []
    for uid, key in _series_keys(by_uid).items():
        siblings = _alike(by_uid[uid], films)
        for number, sibling in enumerate(siblings, start=1):
            own = key if len(siblings) == 1 else f"{key}/{number}"
            groups += [_group(own, sibling, part) for part in _parts(sibling)]
    return tuple(sorted(_with_own_keys(groups), key=lambda group: _natural(group.info.key)))


def _with_own_keys(groups: Sequence[PlaneGroup]) -> list[PlaneGroup]:
    """Count keys that came out alike, such as those of b-values that differ in the last decimals."""
    counts, used = Counter(group.info.key for group in groups), Counter[str]()
    own = []
    for group in groups:
        key = group.info.key
        used[key] += 1
        info = replace(group.info, key=f"{key}/{used[key]}") if counts[key] > 1 else group.info
        own.append(replace(group, info=info))
    return own


def _series_keys(by_uid: dict[str, list[PlaneHeader]]) -> dict[str, str]:
    """Return a short key for each series, by its number, or by the order of the UIDs where numbers clash."""
    numbers = {uid: planes[0].tags.series_number for uid, planes in by_uid.items()}
    counts, used = Counter(numbers.values()), Counter[int | None]()
    keys = {}
    for uid in sorted(by_uid):
        number = numbers[uid]
        used[number] += 1
        if number is None:
            keys[uid] = f"u{used[number]}"
        else:
            keys[uid] = str(number) if counts[number] == 1 else f"{number}-{used[number]}"
    return keys


def _alike(planes: Sequence[PlaneHeader], films: set[Path]) -> list[list[PlaneHeader]]:
    """Group planes of a series by what one volume must share, largest group first.

    Frames without a position are planes of time; those of two files (`films`) are never one volume.
    """
    groups: list[list[PlaneHeader]] = []
    for plane in planes:
        home = next((group for group in groups if _fits(plane, group[0], films)), None)
        if home is None:
            groups.append([plane])
        else:
            home.append(plane)
    return sorted(groups, key=len, reverse=True)


def _fits(plane: PlaneHeader, other: PlaneHeader, films: set[Path]) -> bool:
    """Whether two planes may lie in one volume: size, colour, orientation, pixel spacing, film."""
    if (plane.shape_hw, plane.is_colour) != (other.shape_hw, other.is_colour):
        return False
    if plane.orientation is None and other.orientation is None and plane.path != other.path:
        is_film = plane.path in films or other.path in films
        if is_film or plane.modality in _PROJECTIONS or _kind(plane) != _kind(other):
            return False
    return _same_direction(plane, other) and _same_spacing(plane, other)


def _kind(plane: PlaneHeader) -> tuple[object, ...]:
    """Return what planes without a position must share, since nothing else can tell repeats apart."""
    tags = plane.tags
    return tags.image_type, tags.echo, tags.echo_ms, tags.b_value, tags.gradient, tags.temporal


def _same_direction(plane: PlaneHeader, other: PlaneHeader) -> bool:
    """Whether rows and columns of two planes run alike, or neither says how."""
    if plane.orientation == other.orientation:
        return True
    if plane.orientation is None or other.orientation is None:
        return False
    return bool(np.abs(np.subtract(plane.orientation, other.orientation)).max() <= _SAME_DIRECTION)


def _same_spacing(plane: PlaneHeader, other: PlaneHeader) -> bool:
    """Whether two planes have one pixel size, or neither says which."""
    if plane.spacing_hw_mm == other.spacing_hw_mm:
        return True
    if plane.spacing_hw_mm is None or other.spacing_hw_mm is None:
        return False
    return bool(np.allclose(plane.spacing_hw_mm, other.spacing_hw_mm, rtol=_SAME_SPACING, atol=0.0))


def _parts(planes: Sequence[PlaneHeader]) -> tuple[Part, ...]:
    """Split planes that are alike where several lie at one position."""
    everything = (Part(tuple(range(len(planes)))),)
    if planes[0].orientation is None or len(planes) == 1:
        return everything
    try:
        return split_repeats(planes, along_normal_mm(planes))
    except InvalidGeometry:  # said when it is read
        return everything


def _group(key: str, planes: Sequence[PlaneHeader], part: Part) -> PlaneGroup:
    """Describe a part of a series."""
    first = planes[part.places[0]]
    info = SeriesInfo(
        "/".join((key, *part.labels)),
        first.modality,
        ", ".join(word for word in (first.description, *part.words) if word),
        (len(part.places), *first.shape_hw),
        first.series_uid,
    )
    return PlaneGroup(info, tuple(planes[place] for place in part.places), part.notes)


def _natural(key: str) -> list[tuple[int, int, str]]:
    """Sort key under which ``3/t2`` comes before ``3/t10``, and ``3`` before ``12``."""
    words = re.findall(r"[0-9]+|[^0-9]+", key)
    return [(0, int(word), "") if word[0] in "0123456789" else (1, 0, word) for word in words]
