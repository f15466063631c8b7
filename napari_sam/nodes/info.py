"""What an image is: geometry, orientation, modality, values, and the window it would be seen through."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import volumes
from napari_sam.core.window import Window, resolve_window
from napari_sam.nodes.report import geometry_record
from volumes import Geometry, Volume

__all__ = ["Orientation", "VolumeInfo", "describe_file", "describe_volume", "find_orientation", "info_record"]

_LETTERS = (("R", "L"), ("A", "P"), ("I", "S"))
"""Where LPS x, y, z point to, downwards and upwards."""

_WORDS = {"R": "right", "L": "left", "A": "front", "P": "back", "I": "feet", "S": "head"}


@dataclass(frozen=True)
class Orientation:
    """Which way indices grow.

    Attributes
    ----------
    code : str
        Three letters for rising planes, rows and columns, of R, L, A, P, I, S: ``"SPL"`` for an axial series.
    oblique_deg : float
        The largest angle between an axis and the body's axis that it is named after.
    """

    code: str
    oblique_deg: float

    @property
    def words(self) -> str:
        """The same for people."""
        plane, row, column = (_WORDS[letter] for letter in self.code)
        return f"planes run to the {plane}, rows to the {row}, columns to the {column}"


@dataclass(frozen=True)
class VolumeInfo:
    """What there is to say of a volume.

    Attributes
    ----------
    geometry : Geometry
        Its grid.
    orientation : Orientation
        Which way it lies.
    format, modality, series_uid, notes
        As in `volumes.Provenance`.
    dtype : str
        Of its values.
    is_rgb : bool
        Whether it is a colour image.
    lowest, highest : float
        Range of its finite values.
    window : Window
        The one that is used when none is asked for.
    """

    geometry: Geometry
    orientation: Orientation
    format: str
    modality: str | None
    series_uid: str | None
    notes: tuple[str, ...]
    dtype: str
    is_rgb: bool
    lowest: float
    highest: float
    window: Window


def describe_file(image: Path, *, series: str | None = None) -> VolumeInfo:
    """Read an image and describe it; errors as `volumes.read`."""
    return describe_volume(volumes.read(image, series=series))


def describe_volume(volume: Volume) -> VolumeInfo:
    """Describe a volume."""
    provenance = volume.provenance
    lowest, highest = _value_range(np.asarray(volume.data))
    return VolumeInfo(
        volume.geometry, find_orientation(volume.geometry),
        provenance.format, provenance.modality, provenance.series_uid, provenance.notes,
        str(volume.data.dtype), volume.is_rgb, lowest, highest, resolve_window(volume),
    )  # fmt: skip


def find_orientation(geometry: Geometry) -> Orientation:
    """Name each array axis after the body axis that it lies nearest to, each body axis once."""
    directions = geometry.directions
    order = max(
        itertools.permutations(range(3)),
        key=lambda axes: sum(abs(directions[axes[i], i]) for i in range(3)),
    )
    along = [float(directions[order[i], i]) for i in range(3)]
    code = "".join(_LETTERS[order[i]][along[i] > 0] for i in range(3))
    return Orientation(code, max(math.degrees(math.acos(min(1.0, abs(share)))) for share in along))


def info_record(info: VolumeInfo) -> dict[str, Any]:
    """Turn a description into plain values for JSON."""
    return {
        **geometry_record(info.geometry),
        "orientation": info.orientation.code,
        "oblique_deg": round(info.orientation.oblique_deg, 3),
        "format": info.format,
        "modality": info.modality,
        "series_uid": info.series_uid,
        "notes": list(info.notes),
        "dtype": info.dtype,
        "is_rgb": info.is_rgb,
        "values": [info.lowest, info.highest],
        "window": [info.window.low, info.window.high],
    }


def _value_range(data: NDArray[Any]) -> tuple[float, float]:
    finite = data[np.isfinite(data)] if data.dtype.kind == "f" else data
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
