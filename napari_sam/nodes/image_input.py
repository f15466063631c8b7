"""The image that an operation works on: which file, which of its volumes, and how strictly it is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import volumes
from volumes import MissingFile, SeriesInfo, Volume

__all__ = ["ImageInput", "Place", "image_input", "is_url", "local_paths"]

Place: TypeAlias = Path | str
"""A file or folder; text for one that lies on a web server or in an object store."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


@dataclass(frozen=True)
class ImageInput:
    """An image, and how it is to be read.

    Parameters
    ----------
    place : Path or str
        A file, a DICOM folder, a folder of numbered pictures, or the URL of an OME-Zarr.
    series : str, optional
        Which of several volumes, a key from `volumes.list_series`.
    allow_gaps : bool
        Take a DICOM series with missing or unevenly spaced planes, and keep its gaps true.
    straighten : bool
        Resample a stack whose planes shift sideways (gantry tilt) onto axes at right angles.
    """

    place: Place
    series: str | None = None
    allow_gaps: bool = False
    straighten: bool = False

    def read(self) -> Volume:
        """Read it; errors as `volumes.read`."""
        return volumes.read(
            self.place, series=self.series, allow_gaps=self.allow_gaps, straighten=self.straighten
        )

    def list_series(self) -> tuple[SeriesInfo, ...]:
        """List the volumes that it holds; errors as `volumes.list_series`."""
        return volumes.list_series(self.place)

    def check_exists(self) -> None:
        """Raise MissingFile where nothing lies at the path; a URL is not looked at."""
        if not is_url(self.place) and not Path(self.place).exists():
            raise MissingFile(f"{self.place} does not exist; check the path")


def image_input(image: ImageInput | Place, series: str | None = None) -> ImageInput:
    """Return an image with how it is read; a bare path is read strictly, the series given or the only one."""
    return image if isinstance(image, ImageInput) else ImageInput(image, series)


def is_url(place: Place) -> bool:
    """Return whether a place is a URL; a Windows drive is none."""
    return isinstance(place, str) and _URL.match(place) is not None


def local_paths(*images: ImageInput | None) -> list[Path]:
    """Return the paths of those images that lie on this machine."""
    return [Path(image.place) for image in images if image is not None and not is_url(image.place)]
