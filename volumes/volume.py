"""An image with its place in space, and where it came from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes.errors import ShapeMismatch
from volumes.geometry import Geometry
from volumes.lazy import LazyArray


@dataclass(frozen=True)
class PlaneSource:
    """The file, and the frame in it (from 0), that a plane was read from.

    ``keeps`` is what the file needs to stay there, such as the temporary folder that an archive was unpacked
    to: it lives as long as this does.
    """

    path: Path
    frame: int = 0
    keeps: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Provenance:
    """Where a volume came from. Never holds data about a patient.

    Parameters
    ----------
    format : str
        Name of the file format, such as ``"NIfTI"``.
    modality : str, optional
        DICOM modality (``"CT"``, ``"MR"`` …), where the file says it.
    series_uid : str, optional
        DICOM SeriesInstanceUID.
    notes : tuple of str
        What was assumed or left out while reading, one sentence each.
    sources : tuple of PlaneSource or None
        For DICOM, where each plane came from, in order; None for a plane that was filled in. Empty elsewhere.
        Needed to write DICOM SEG and RTSTRUCT, which refer to the images; never logged or stored.
    """

    format: str
    modality: str | None = None
    series_uid: str | None = None
    notes: tuple[str, ...] = ()
    sources: tuple[PlaneSource | None, ...] = ()


@dataclass(frozen=True, eq=False)
class Volume:
    """An image on a geometry. A 2-D image is a volume of one plane.

    Parameters
    ----------
    data : ndarray or LazyArray of shape (P, R, C) or (P, R, C, 3)
        Grey values (HU for CT), or RGB; in memory, or read plane by plane when they are looked at.
    geometry : Geometry
        Of shape (P, R, C).
    provenance : Provenance
        Where it came from.
    suggested_window : tuple of float, optional
        Grey values (low, high) that the file suggests to show, in the units of ``data``.

    Raises
    ------
    ShapeMismatch
        If the data's shape is not the geometry's.
    """

    data: NDArray[Any] | LazyArray
    geometry: Geometry
    provenance: Provenance
    suggested_window: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        shape = tuple(self.data.shape)
        if shape[:3] != self.geometry.shape or shape[3:] not in ((), (3,)):
            raise ShapeMismatch(
                f"the data has shape {shape}, the geometry {self.geometry.shape}; "
                "data needs the geometry's (P, R, C), or (P, R, C, 3) for RGB"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of (planes, rows, columns), without the colour axis."""
        return self.geometry.shape

    @property
    def is_rgb(self) -> bool:
        """Whether the data has a colour axis."""
        return self.data.ndim == 4

    @property
    def is_lazy(self) -> bool:
        """Whether the voxels are still in their file, and read when they are looked at."""
        return isinstance(self.data, LazyArray)

    def digest(self) -> str:
        """SHA-256 (hex) over dtype, shape, voxels and affine: the same image at the same place.

        Reads the whole image, plane by plane.
        """
        sha = hashlib.sha256(f"{self.data.dtype.str} {self.data.shape} ".encode())
        for index in range(self.shape[0]):
            plane = np.ascontiguousarray(self.data[index])
            sha.update(plane.reshape(-1).view(np.uint8).data)
        sha.update(self.geometry.affine.tobytes())
        return sha.hexdigest()
