"""Images and volumes with geometry: read them, and write labels that lie in the same place.

Index order is (plane, row, column) everywhere; the world is LPS millimetres, as in DICOM and ITK.
"""

from __future__ import annotations

from volumes._dicom_series import SeriesInfo
from volumes.box import Box
from volumes.errors import (
    BrokenFile,
    DuplicateSlices,
    InvalidBox,
    InvalidGeometry,
    InvalidLabels,
    MissingFile,
    MissingSlices,
    MixedSeries,
    NoDicomFound,
    ShapeMismatch,
    TiltedGantry,
    UnevenSpacing,
    UnknownFormat,
    UnknownSeries,
    UnreadableFile,
    UnsupportedImage,
    UnwritableOutput,
    VolumeError,
)
from volumes.formats import list_series, read, write
from volumes.geometry import Geometry
from volumes.volume import Provenance, Volume

__all__ = [
    "Box",
    "BrokenFile",
    "DuplicateSlices",
    "Geometry",
    "InvalidBox",
    "InvalidGeometry",
    "InvalidLabels",
    "MissingFile",
    "MissingSlices",
    "MixedSeries",
    "NoDicomFound",
    "Provenance",
    "SeriesInfo",
    "ShapeMismatch",
    "TiltedGantry",
    "UnevenSpacing",
    "UnknownFormat",
    "UnknownSeries",
    "UnreadableFile",
    "UnsupportedImage",
    "UnwritableOutput",
    "Volume",
    "VolumeError",
    "list_series",
    "read",
    "write",
]
