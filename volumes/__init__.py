"""Images and volumes with geometry: read them, and write labels that lie in the same place.

Index order is (plane, row, column) everywhere; the world is LPS millimetres, as in DICOM and ITK.
"""

from __future__ import annotations

from volumes.box import Box
from volumes.errors import (
    BrokenFile,
    DuplicateSlices,
    ForeignLabels,
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
from volumes.formats import list_series, read
from volumes.geometry import Geometry
from volumes.label_files import read_labels
from volumes.lazy import LazyArray
from volumes.outputs import caveats, image_suffixes, label_suffixes, write, write_image
from volumes.segments import Code, LabelVolume, Segment
from volumes.series import SeriesInfo
from volumes.volume import PlaneSource, Provenance, Volume

__all__ = [
    "Box",
    "BrokenFile",
    "Code",
    "DuplicateSlices",
    "ForeignLabels",
    "Geometry",
    "InvalidBox",
    "InvalidGeometry",
    "InvalidLabels",
    "LabelVolume",
    "LazyArray",
    "MissingFile",
    "MissingSlices",
    "MixedSeries",
    "NoDicomFound",
    "PlaneSource",
    "Provenance",
    "Segment",
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
    "caveats",
    "image_suffixes",
    "label_suffixes",
    "list_series",
    "read",
    "read_labels",
    "write",
    "write_image",
]
