"""What a TIFF says of the size of its voxels and of its channels: OME, ImageJ, STK, LSM, resolution tags."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from volumes._units import unit_mm

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

__all__ = ["Described", "describe"]

_RESOLUTION_UNIT_MM = {2: 25.4, 3: 10.0}
_DPI_OF_PROGRAMS = {1, 72, 75, 90, 96, 100, 120, 144, 150, 200, 300, 400, 600, 1200}
"""Resolutions that programs write for want of a true one."""

_SANE_MM = (1e-5, 10.0)
_FROM_TAGS = "the pixel size was taken from the TIFF's resolution tags"
_Malformed = (KeyError, TypeError, ValueError, AttributeError, IndexError, ZeroDivisionError, OverflowError)


@dataclass(frozen=True)
class Described:
    """What the metadata say of one series.

    Parameters
    ----------
    plane_mm, row_mm, column_mm : float or None
        Distances in mm; None where nothing is said.
    name : str
        Of the image.
    channels : tuple of str
        Names of the channels.
    windows : tuple of (float, float)
        A range of grey values to show, for each channel.
    notes : tuple of str
        What was assumed.
    """

    plane_mm: float | None = None
    row_mm: float | None = None
    column_mm: float | None = None
    name: str = ""
    channels: tuple[str, ...] = ()
    windows: tuple[tuple[float, float], ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_sized(self) -> bool:
        """Whether the size of a pixel is known."""
        return self.row_mm is not None and self.column_mm is not None


def describe(tiff: TiffFile, index: int) -> Described:
    """Collect what is said of a series; what is malformed says nothing.

    Parameters
    ----------
    tiff : tifffile.TiffFile
        Open.
    index : int
        Which of its series.
    """
    for applies, read in (
        (tiff.is_ome, _ome), (tiff.is_imagej, _imagej), (tiff.is_lsm, _lsm), (tiff.is_stk, _stk),
    ):  # fmt: skip
        if applies:
            try:
                return _sound(read(tiff, index))
            except _Malformed:
                return Described()
    page = tiff.series[index].keyframe
    try:
        return _sound(_resolution_tags(page))
    except _Malformed:
        return Described()


def _sound(found: Described) -> Described:
    """Drop sizes that cannot be."""
    sizes = (found.plane_mm, found.row_mm, found.column_mm)
    if all(size is None or (math.isfinite(size) and size > 0) for size in sizes):
        return found
    return Described(name=found.name, channels=found.channels, windows=found.windows)


def _ome(tiff: TiffFile, index: int) -> Described:
    """OME-XML: the Image element with the number of the series."""
    try:
        root = ET.fromstring(tiff.ome_metadata or "")
    except ET.ParseError:
        return Described()
    images = [element for element in root.iter() if element.tag.rpartition("}")[2] == "Image"]
    image = images[index if len(images) > index else 0]
    pixels = next(element for element in image.iter() if element.tag.rpartition("}")[2] == "Pixels")
    names = [
        " ".join(element.get("Name", "").split())
        for element in pixels.iter()
        if element.tag.rpartition("}")[2] == "Channel"
    ]

    def size(letter: str) -> float | None:
        value, factor = (
            pixels.get(f"PhysicalSize{letter}"),
            unit_mm(pixels.get(f"PhysicalSize{letter}Unit", "µm")),
        )
        return None if value is None or factor is None else float(value) * factor

    column = size("X")
    row = size("Y")
    return Described(
        size("Z"),
        column if row is None else row,
        column,
        " ".join(image.get("Name", "").split())[:80],
        tuple(names),
    )


def _imagej(tiff: TiffFile, index: int) -> Described:
    """ImageJ: pixels a unit in the resolution tags, the rest in its text."""
    metadata = tiff.imagej_metadata or {}
    windows = _imagej_windows(metadata)
    factor = unit_mm(metadata.get("unit", ""))
    page = tiff.series[index].keyframe
    if factor is None or "XResolution" not in page.tags or "YResolution" not in page.tags:
        return Described(windows=windows)
    row, column = (
        bottom / top * factor
        for top, bottom in (page.tags[name].value for name in ("YResolution", "XResolution"))
    )
    spacing = metadata.get("spacing")
    plane = abs(float(spacing)) * factor if spacing else None
    return Described(plane, row, column, windows=windows)


def _imagej_windows(metadata: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    """Display ranges, one a channel, where ImageJ wrote them."""
    ranges = metadata.get("Ranges")
    values: Sequence[Any] = ranges if isinstance(ranges, (list, tuple)) else ()
    if not values and "min" in metadata and "max" in metadata:
        values = (metadata["min"], metadata["max"])
    pairs = [(float(low), float(high)) for low, high in zip(values[::2], values[1::2], strict=False)]
    sound = all(math.isfinite(low) and math.isfinite(high) and low < high for low, high in pairs)
    return tuple(pairs) if sound else ()


def _lsm(tiff: TiffFile, index: int) -> Described:
    """Zeiss LSM: sizes in metres."""
    metadata = tiff.lsm_metadata or {}
    plane, row, column = (float(metadata[f"VoxelSize{letter}"]) * 1e3 for letter in "ZYX")
    names = metadata.get("ChannelColors", {}).get("ColorNames", [])
    return Described(plane or None, row, column, channels=tuple(str(name) for name in names))


def _stk(tiff: TiffFile, index: int) -> Described:
    """MetaMorph STK: calibrations, and the distance of planes in micrometres."""
    metadata = tiff.stk_metadata or {}
    if not metadata.get("SpatialCalibration"):
        return Described()
    factor = unit_mm(metadata.get("CalibrationUnits"))
    if factor is None:
        return Described()
    row, column = (float(metadata[f"{letter}Calibration"]) * factor for letter in "YX")
    distances = metadata.get("ZDistance")
    plane = float(distances[0]) * factor if distances is not None and len(distances) else None
    return Described(plane or None, row, column)


def _resolution_tags(page: TiffPage) -> Described:
    """Pixels an inch or centimetre, where they are not what programs write for want of better."""
    factor = _RESOLUTION_UNIT_MM.get(int(getattr(page, "resolutionunit", 1) or 1))
    if factor is None or "XResolution" not in page.tags or "YResolution" not in page.tags:
        return Described()
    per_unit = [
        top / bottom for top, bottom in (page.tags[name].value for name in ("YResolution", "XResolution"))
    ]
    row, column = (factor / value for value in per_unit)
    is_default = all(round(25.4 / size, 1) in _DPI_OF_PROGRAMS or value == 1 for size, value in
                     zip((row, column), per_unit, strict=True))  # fmt: skip
    if is_default or not all(_SANE_MM[0] <= size <= _SANE_MM[1] for size in (row, column)):
        return Described()
    return Described(None, row, column, notes=(_FROM_TAGS,))
