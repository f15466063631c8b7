"""What an image is: geometry, orientation, modality, values, and the window it would be seen through."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.window import Window, resolve_window
from napari_sam.nodes.image_input import ImageInput, Place, image_input
from napari_sam.nodes.report import geometry_record
from volumes import Geometry, LazyArray, MissingSlices, TiltedGantry, UnevenSpacing, Volume

__all__ = [
    "Orientation",
    "VolumeInfo",
    "describe_file",
    "describe_volume",
    "find_orientation",
    "info_record",
    "is_placed",
    "read_for_info",
]

_PLACED = ("DICOM", "NIfTI", "Analyze", "NRRD", "MetaImage", "MGH", "AFNI", "phantom")
"""Beginnings of the names of formats that say how the image lies in a patient."""

_N_NAMED = 8
_SHOWN_DEG = 0.05

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
    is_lazy : bool
        Whether its voxels stay in the file until they are looked at. The range of values and the window are
        then those of an overview.
    lowest, highest : float
        Range of its finite values.
    window : Window
        The one that is used when none is asked for.
    suggested_window : tuple of float, optional
        The one that the file suggests.
    irregular : tuple of str
        What is wrong with the distances of its planes, one sentence each: why it is read only if asked to,
        which planes were filled in, and axes that are not at right angles.
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
    is_lazy: bool = False
    suggested_window: tuple[float, float] | None = None
    irregular: tuple[str, ...] = ()


def read_for_info(source: ImageInput) -> tuple[Volume, tuple[str, ...]]:
    """Read an image to describe it, with what is irregular about its planes.

    A series whose planes are missing, uneven or shifted is read as if that had been allowed, and what is
    wrong is among the sentences; errors otherwise as `volumes.read`.
    """
    try:
        return source.read(), ()
    except (MissingSlices, UnevenSpacing, TiltedGantry) as error:
        is_tilted = isinstance(error, TiltedGantry)
        lenient = replace(
            source,
            allow_gaps=source.allow_gaps or not is_tilted,
            straighten=source.straighten or is_tilted,
        )
        try:
            volume = lenient.read()
        except (MissingSlices, UnevenSpacing, TiltedGantry):
            raise error from None
        return volume, (" ".join(str(error).split()),)


def describe_file(image: ImageInput | Place, *, series: str | None = None) -> VolumeInfo:
    """Read an image and describe it; errors as `read_for_info`."""
    volume, irregular = read_for_info(image_input(image, series))
    return describe_volume(volume, irregular)


def describe_volume(volume: Volume, irregular: Sequence[str] = ()) -> VolumeInfo:
    """Describe a volume; of a lazy one no more than its overview is read."""
    provenance, data = volume.provenance, volume.data
    lowest, highest = _value_range(data.overview() if isinstance(data, LazyArray) else data)
    return VolumeInfo(
        volume.geometry, find_orientation(volume.geometry),
        provenance.format, provenance.modality, provenance.series_uid, provenance.notes,
        str(data.dtype), volume.is_rgb, lowest, highest, resolve_window(volume),
        volume.is_lazy, volume.suggested_window, (*irregular, *_irregularities(volume)),
    )  # fmt: skip


def _irregularities(volume: Volume) -> Iterator[str]:
    """Say what the grid itself shows."""
    filled = [str(at) for at, source in enumerate(volume.provenance.sources) if source is None]
    if filled:
        shown = ", ".join(filled[:_N_NAMED]) + (" …" if len(filled) > _N_NAMED else "")
        yield f"planes that are in no file and were filled in: {shown}"
    axes = volume.geometry.directions
    cosines = np.abs(axes.T @ axes - np.eye(3)).max()
    slant_deg = math.degrees(math.asin(min(1.0, float(cosines))))
    if slant_deg >= _SHOWN_DEG:
        yield f"two axes are {slant_deg:.1f}° from a right angle (a tilted gantry); the affine keeps it"


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


def is_placed(volume_format: str, geometry: Geometry) -> bool:
    """Return whether a file of a format says how its image lies in a patient, beyond the size of a voxel.

    A format that need not say so does where the grid is turned, or does not begin at the origin.
    """
    plain = Geometry.from_spacing(geometry.shape, geometry.spacing_mm)
    return volume_format.startswith(_PLACED) or not geometry.is_close(plain)


def info_record(info: VolumeInfo) -> dict[str, Any]:
    """Turn a description into plain values for JSON; nothing in it names a patient or a study."""
    return {
        **geometry_record(info.geometry),
        "orientation": info.orientation.code,
        "orientation_words": info.orientation.words,
        "oblique_deg": round(info.orientation.oblique_deg, 3),
        "is_placed": is_placed(info.format, info.geometry),
        "format": info.format,
        "modality": info.modality,
        "notes": list(info.notes),
        "dtype": info.dtype,
        "is_rgb": info.is_rgb,
        "is_lazy": info.is_lazy,
        "values": [info.lowest, info.highest],
        "values_of": "overview" if info.is_lazy else "all voxels",
        "window": [info.window.low, info.window.high],
        "suggested_window": None if info.suggested_window is None else list(info.suggested_window),
        "irregular": list(info.irregular),
    }


def _value_range(data: NDArray[Any]) -> tuple[float, float]:
    finite = data[np.isfinite(data)] if data.dtype.kind == "f" else data
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
