"""What OME-NGFF metadata say: axes, units, levels, scales, channels. Versions 0.1 to 0.5."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._units import unit_mm
from volumes.errors import BrokenFile, UnsupportedImage, VolumeError

__all__ = ["Channel", "Multiscale", "parse_channels", "parse_multiscale"]

_OLD_AXES = "TCZYX"
_ASSUMED_UNIT_MM = 1e-3
_Malformed = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


@dataclass(frozen=True)
class Channel:
    """Name and window of a channel."""

    name: str
    window: tuple[float, float] | None


@dataclass(frozen=True)
class Multiscale:
    """One image of several levels.

    Parameters
    ----------
    letters : str
        T, C, Z, Y, X in the array's order; empty where the metadata name none and the array's rank decides.
    units_mm : tuple of (float or None)
        Millimetres in a unit of each axis; None where it is no length or names none.
    paths : tuple of str
        Arrays, finest first.
    scales, shifts : tuple of ndarray or None
        Size of a voxel and position of the first one, in units, one value an axis, for each level.
    """

    letters: str
    units_mm: tuple[float | None, ...]
    paths: tuple[str, ...]
    scales: tuple[NDArray[np.float64] | None, ...]
    shifts: tuple[NDArray[np.float64] | None, ...]

    def place_mm(
        self, level: int, letters: str
    ) -> tuple[tuple[float, float, float], tuple[float, float, float], list[str]]:
        """Spacing (plane, row, column) and origin (x, y, z) in mm, with notes on what was assumed.

        Parameters
        ----------
        level : int
            Which array.
        letters : str
            The letters of its axes.
        """
        scale, shift = self.scales[level], self.shifts[level]
        if scale is None:
            return (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), []
        notes: list[str] = []
        spacing, origin = {}, {}
        for letter in "ZYX":
            axis = letters.find(letter)
            if axis < 0:
                spacing[letter], origin[letter] = 0.0, 0.0
                continue
            factor = self.units_mm[axis] if axis < len(self.units_mm) else None
            if factor is None:
                factor = _ASSUMED_UNIT_MM
                notes = ["the axes have no unit of length; micrometres were assumed"]
            spacing[letter] = float(scale[axis]) * factor
            origin[letter] = 0.0 if shift is None else float(shift[axis]) * factor
        if not spacing["Z"]:
            spacing["Z"] = max(spacing["Y"], spacing["X"])
        return (
            (spacing["Z"], spacing["Y"], spacing["X"]),
            (origin["X"], origin["Y"], origin["Z"]),
            notes,
        )

    def into_finest(self, level: int) -> NDArray[np.float64]:
        """Return the (4, 4) matrix from a level's (plane, row, column, 1) to those of the finest level.

        For images with three axes of space, with a size.
        """
        matrix = np.eye(4)
        finest, scale = self.scales[0], self.scales[level]
        if finest is None or scale is None:
            return matrix
        zero = np.zeros_like(finest)
        first, shift = (zero if one is None else one for one in (self.shifts[0], self.shifts[level]))
        for axis, letter in enumerate("ZYX"):
            at = self.letters.index(letter)
            matrix[axis, axis] = scale[at] / finest[at]
            matrix[axis, 3] = (shift[at] - first[at]) / finest[at]
        return matrix

    @property
    def has_size(self) -> bool:
        """Whether the metadata say how large a voxel is; ones without a unit say nothing."""
        if self.scales[0] is None:
            return False
        letters = self.letters or _OLD_AXES[-len(self.scales[0]) :]
        lengths = [at for at, letter in enumerate(letters) if letter in "ZYX"]
        has_unit = any(self.units_mm[at] is not None for at in lengths if at < len(self.units_mm))
        return has_unit or any(self.scales[0][at] != 1.0 for at in lengths)


def parse_multiscale(content: Any, name: str) -> Multiscale:
    """Read one entry of ``multiscales``.

    Raises
    ------
    BrokenFile
        If it is not as the specification says.
    UnsupportedImage
        If it has a transformation other than scale and translation.
    """
    try:
        letters, units_mm = _axes(content.get("axes"))
        datasets = content["datasets"]
        paths = tuple(str(dataset["path"]).strip("/") for dataset in datasets)
        outer = content.get("coordinateTransformations") or []
        places = [
            _combined([*(dataset.get("coordinateTransformations") or []), *outer], name)
            for dataset in datasets
        ]
        if not paths:
            raise ValueError("no datasets")
    except VolumeError:
        raise
    except _Malformed as error:
        raise BrokenFile(
            f"{name} has multiscales metadata that are not as OME-NGFF says; get a sound copy"
        ) from error
    wrong = [
        one
        for scale, shift in places
        for one in (scale, shift)
        if one is not None and letters and len(one) != len(letters)
    ]
    if wrong:
        raise BrokenFile(
            f"{name} scales or shifts {len(wrong[0])} axes and names {len(letters)}; get a sound copy"
        )
    return Multiscale(
        letters, units_mm, paths, tuple(scale for scale, _ in places), tuple(shift for _, shift in places)
    )


def parse_channels(attributes: Mapping[str, Any]) -> tuple[Channel, ...]:
    """Names and windows of channels, as far as ``omero`` says them soundly."""
    omero = attributes.get("omero")
    listed = omero.get("channels") if isinstance(omero, dict) else None
    return tuple(_channel(one) for one in listed) if isinstance(listed, list) else ()


def _channel(content: Any) -> Channel:
    if not isinstance(content, dict):
        return Channel("", None)
    window = content.get("window")
    label = content.get("label")
    name = " ".join(str(label).split()) if isinstance(label, (str, int)) else ""
    try:
        low, high = (float(window["start"]), float(window["end"]))  # type: ignore[index]
    except _Malformed:
        return Channel(name, None)
    sound = math.isfinite(low) and math.isfinite(high) and low < high
    return Channel(name, (low, high) if sound else None)


def _axes(content: Any) -> tuple[str, tuple[float | None, ...]]:
    """Letters and units; none before version 0.3."""
    if not content:
        return "", ()
    letters, units = "", []
    for axis in content:
        described = {"name": axis} if isinstance(axis, str) else axis
        name = str(described["name"])
        by_type = {"time": "T", "channel": "C"}.get(str(described.get("type")))
        letters += by_type or (name.upper() if len(name) == 1 else "?")
        units.append(unit_mm(described["unit"]) if described.get("unit") else None)
    return letters, tuple(units)


def _combined(
    transforms: Sequence[Any], name: str
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64] | None]:
    """Scale and shift of transformations that are applied one after the other."""
    scale: NDArray[np.float64] | None = None
    shift: NDArray[np.float64] | None = None
    for transform in transforms:
        kind = transform["type"]
        if kind == "identity":
            continue
        if kind not in ("scale", "translation") or kind not in transform:
            raise UnsupportedImage(
                f"{name} has the transformation {str(kind)[:40]!r} in a form that is not read; "
                "save it with scale and translation"
            )
        values = np.asarray(transform[kind], dtype=np.float64)
        if values.ndim != 1 or not np.isfinite(values).all():
            raise ValueError("no list of finite numbers")
        if kind == "scale":
            scale = values if scale is None else scale * values
            shift = None if shift is None else shift * values
        else:
            shift = values if shift is None else shift + values
    if shift is not None and scale is None:
        scale = np.ones_like(shift)
    return scale, shift
