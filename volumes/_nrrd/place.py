"""Which axes of a NRRD file are space, what the others are, and where the voxels lie."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from volumes._nrrd.header import NrrdHeader
from volumes.errors import BrokenFile, InvalidGeometry, UnsupportedImage
from volumes.geometry import Geometry

__all__ = ["Axes", "axes_of", "geometry_of"]

_SIGNS = {
    "left-posterior-superior": (1, 1, 1), "lps": (1, 1, 1), "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1), "left-anterior-superior": (1, -1, 1), "las": (1, -1, 1),
}  # fmt: skip
_UNPLACED = ("scanner-xyz", "3d-right-handed", "3d-left-handed")
_MM = {
    "mm": 1.0, "millimeter": 1.0, "millimeters": 1.0, "millimetre": 1.0, "um": 1e-3, "µm": 1e-3, "μm": 1e-3,
    "micron": 1e-3, "microns": 1e-3, "micrometer": 1e-3, "micrometers": 1e-3, "nm": 1e-6, "cm": 10.0,
    "m": 1e3,
}  # fmt: skip
_SPACE_KINDS = ("domain", "space")
_COLOUR_KINDS = ("rgb-color", "rgba-color", "3-color", "4-color", "vector")
_VECTOR = re.compile(r"none|\([^()]*\)")
_QUOTED = re.compile(r'"([^"]*)"')


@dataclass(frozen=True)
class Axes:
    """The axes of a file.

    Parameters
    ----------
    letters : str
        One an axis, slowest first, as in `volumes._stored_images.StoredImages`.
    shape : tuple of int
        Their lengths, slowest first, with those of length 1 that were put in.
    space : tuple of int
        Places, in the file's order, of columns, rows and planes; fewer where the image is flat.
    """

    letters: str
    shape: tuple[int, ...]
    space: tuple[int, ...]


def axes_of(header: NrrdHeader, is_small_unsigned: bool) -> Axes:
    """Tell space from time and components, by the directions, else the kinds, else the order.

    Raises
    ------
    UnsupportedImage
        For complex numbers, and for more axes than three of space with one of time, channel and colour.
    """
    sizes, kinds = header.sizes, header.fields.get("kinds", "").lower().split()
    kinds = kinds if len(kinds) == len(sizes) else [""] * len(sizes)
    if "complex" in kinds:
        raise UnsupportedImage(f"{header.path} holds complex numbers; save their magnitude")
    space = _space_axes(header, kinds)
    letters: list[str] = []
    for axis, (size, kind) in enumerate(zip(sizes, kinds, strict=True)):
        if axis in space:
            letters.append("CRP"[space.index(axis)])
            continue
        is_layer = kind == "list" and "Segment0_LabelValue" in header.keys
        is_colour = kind in _COLOUR_KINDS and is_small_unsigned and size in (3, 4)
        wanted = "r" if is_colour else "t" if kind in ("time", "list", "", *_SPACE_KINDS) else "c"
        wanted = "s" if is_layer else wanted
        free = [letter for letter in (wanted, "c", "t", "s") if letter not in letters]
        if not free:
            raise UnsupportedImage(f"{header.path} has axes of sizes {sizes}; save one of its volumes alone")
        letters.append(free[0])
    lengths = list(sizes)
    for letter in "CRP"[len(space) :]:
        at = letters.index("CRP"["CRP".index(letter) - 1]) + 1 if letter != "C" else 0
        letters.insert(at, letter)
        lengths.insert(at, 1)
    return Axes("".join(letters[::-1]), tuple(lengths[::-1]), tuple(space))


def _space_axes(header: NrrdHeader, kinds: list[str]) -> list[int]:
    """Return which axes are space, in the file's order."""
    n_axes = len(kinds)
    vectors = _directions(header)
    if vectors is not None:
        space = [axis for axis, vector in enumerate(vectors) if vector is not None and vector[:3].any()]
    elif any(kinds):
        space = [axis for axis, kind in enumerate(kinds) if kind in _SPACE_KINDS]
    else:
        space = list(range(n_axes))
    if len(space) > 3 and vectors is None:
        space = space[:3]
    if not 1 <= len(space) <= 3:
        raise UnsupportedImage(
            f"{header.path} has {len(space)} axes of space among sizes {header.sizes}; "
            "save one volume of three"
        )
    return space


def _directions(header: NrrdHeader) -> list[NDArray[np.float64] | None] | None:
    """Vectors of the axes as they stand there, padded to three numbers; None where there are none."""
    text = header.fields.get("spacedirections")
    if text is None:
        return None
    found = [None if word == "none" else _vector(header, word) for word in _VECTOR.findall(text)]
    if len(found) != len(header.sizes):
        raise BrokenFile(
            f"{header.path} has {len(found)} directions for {len(header.sizes)} axes; mend its header"
        )
    return found


def _vector(header: NrrdHeader, text: str) -> NDArray[np.float64]:
    """Numbers of one vector, at least three."""
    try:
        numbers = [float(word) for word in text.strip("() ").split(",")]
    except ValueError as error:
        raise BrokenFile(f"{header.path} has a vector {text[:60]!r} in its header; mend it") from error
    if not all(math.isfinite(number) for number in numbers):
        raise InvalidGeometry(f"{header.path} has a vector that is not finite: {text[:60]!r}; mend it")
    return np.array([*numbers, *[0.0] * (3 - len(numbers))])


@np.errstate(all="ignore")  # a damaged header holds any number
def geometry_of(header: NrrdHeader, axes: Axes) -> tuple[Geometry, tuple[str, ...]]:
    """Say where the voxels lie, with notes on what was assumed.

    Raises
    ------
    InvalidGeometry
        If the header's geometry is not finite, or flat.
    BrokenFile
        If it is no NRRD geometry.
    """
    notes: list[str] = []
    vectors = _directions(header)
    if vectors is not None:
        columns, origin = _in_space(header, [vectors[axis] for axis in axes.space], notes)
    else:
        columns, origin = _along_axes(header, axes, notes)
    affine = np.eye(4)
    affine[:3, :3] = _filled_up(columns)[:, ::-1]
    affine[:3, 3] = origin
    shape = tuple(axes.shape[axes.letters.index(letter)] for letter in "PRC")
    try:
        return Geometry((shape[0], shape[1], shape[2]), affine), tuple(notes)
    except InvalidGeometry as error:
        raise InvalidGeometry(f"{header.path}: {error}") from error


def _in_space(
    header: NrrdHeader, vectors: list[NDArray[np.float64] | None], notes: list[str]
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Directions and origin in LPS mm, of a file that gives vectors."""
    space = header.fields.get("space", "").lower().removesuffix("-time")
    space = space[:3] if space in ("rast", "last", "lpst") else space
    signs = _SIGNS.get(space)
    if signs is None:
        if space and space not in _UNPLACED:
            raise BrokenFile(
                f"{header.path} lies in the space {space[:40]!r}, which NRRD does not have; mend it"
            )
        notes.append(f"the space {space or 'is not named and'} was taken as left-posterior-superior")
        signs = (1, 1, 1)
    factors = _factors(header, "spaceunits", 3, notes) * np.array(signs)
    origin = np.zeros(3)
    if "spaceorigin" in header.fields:
        origin = _vector(header, header.fields["spaceorigin"])
        if any(vector is not None and vector[3:].any() for vector in vectors):
            raise UnsupportedImage(f"{header.path} has planes that move in time; save one time point")
    else:
        notes.append("the file holds no origin; its first voxel was put at 0, 0, 0")
    return [vector[:3] * factors for vector in vectors if vector is not None], origin[:3] * factors


def _along_axes(
    header: NrrdHeader, axes: Axes, notes: list[str]
) -> tuple[list[NDArray[np.float64]], NDArray[np.float64]]:
    """Directions and origin of a file that gives spacings at most: along the world's axes."""
    spacings, lows, highs = (_numbers(header, name) for name in ("spacings", "axismins", "axismaxs"))
    centres = (header.fields.get("centers") or header.fields.get("centerings") or "").lower().split()
    factors = _factors(header, "units", len(header.sizes), notes)
    columns, origin = [], np.zeros(3)
    for place, axis in enumerate(axes.space):
        is_node = len(centres) > axis and centres[axis] == "node"
        spacing = spacings[axis]
        if math.isnan(spacing) and not math.isnan(lows[axis] + highs[axis]):
            spacing = (highs[axis] - lows[axis]) / max(header.sizes[axis] - is_node, 1)
        if math.isnan(spacing):
            notes.append("no voxel size; 1 mm was taken along an axis")
            spacing = 1.0
        if not math.isnan(lows[axis]):
            origin[place] = (lows[axis] + (0.0 if is_node else spacing / 2)) * factors[axis]
        columns.append(np.eye(3)[place] * spacing * factors[axis])
    if "spacings" in header.fields or "axismins" in header.fields:
        notes.append("the file holds no orientation; its axes were taken as LPS")
    return columns, origin


def _numbers(header: NrrdHeader, field: str) -> list[float]:
    """Return a number an axis; NaN where the header says nothing."""
    n_axes = len(header.sizes)
    try:
        numbers = [float(word) for word in header.fields.get(field, "nan " * n_axes).split()]
    except ValueError as error:
        raise BrokenFile(f"{header.path} has no numbers as its {field}; mend its header") from error
    if len(numbers) != n_axes or any(math.isinf(number) for number in numbers):
        raise BrokenFile(f"{header.path} has {len(numbers)} {field} for {n_axes} axes; mend its header")
    return numbers


def _factors(header: NrrdHeader, field: str, n_units: int, notes: list[str]) -> NDArray[np.float64]:
    """Millimetres that each unit stands for; one where the header says nothing."""
    units = _QUOTED.findall(header.fields.get(field, ""))[:n_units]
    known = [_MM.get(unit.strip().lower()) for unit in units]
    if any(factor not in (None, 1.0) for factor in known):
        notes.append("lengths in other units were converted to millimetres")
    if any(factor is None and unit.strip() for factor, unit in zip(known, units, strict=True)):
        notes.append("a unit that is no length was taken as millimetres")
    found = [1.0 if factor is None else factor for factor in known]
    return np.array([*found, *[1.0] * (n_units - len(found))])


def _filled_up(columns: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return a (3, 3) matrix of directions: missing ones are put at right angles, 1 mm long."""
    given = list(columns)
    if len(given) == 1:
        weakest = np.eye(3)[int(np.argmin(np.abs(given[0])))]
        across = np.cross(given[0], weakest)
        length = np.linalg.norm(across)
        given.append(across / length if length else weakest)
    if len(given) == 2:
        normal = np.cross(given[0], given[1])
        length = np.linalg.norm(normal)
        given.append(normal / length if length else normal)
    return np.column_stack(given)
