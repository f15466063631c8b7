"""A folder of numbered pictures as the planes of one volume."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._dtypes import compact
from volumes._image2d import NO_SIZE, PictureReader, read_picture
from volumes._tiff import TiffReader
from volumes.errors import ShapeMismatch, UnreadableFile, UnsupportedImage
from volumes.geometry import Geometry
from volumes.series import ReadOptions, SeriesInfo, one_series, refuse_series
from volumes.volume import Provenance, Volume


@dataclass(frozen=True)
class PictureFolderReader:
    """A folder of numbered pictures."""

    name: str = "folder of pictures"

    def claims(self, folder: Path) -> bool:
        """Whether the folder holds a picture."""
        return bool(_pictures(folder))

    def list_series(self, folder: Path) -> tuple[SeriesInfo, ...]:
        """Describe its one volume."""
        return one_series(self.read(folder, ReadOptions()))

    def read(self, folder: Path, options: ReadOptions) -> Volume:
        """Read the pictures as planes."""
        refuse_series(options, folder)
        return read_picture_folder(_pictures(folder))


def _pictures(folder: Path) -> list[Path]:
    """Pictures of a folder, by content; hidden files are left out."""
    readers = (TiffReader(), PictureReader())
    found = []
    try:
        for path in sorted(folder.iterdir()):
            if path.name.startswith(".") or not path.is_file():
                continue
            with path.open("rb") as stream:
                head = stream.read(16)
            if any(reader.claims(path, head) for reader in readers):
                found.append(path)
    except OSError as error:
        raise UnreadableFile(f"{folder} cannot be read: {error.strerror}; check its permissions") from error
    return found


def _natural_key(name: str) -> list[tuple[int, str]]:
    """Sort key under which ``plane2`` comes before ``plane10``."""
    return [
        (int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name.lower()) if part
    ]


def read_picture_folder(files: list[Path]) -> Volume:
    """Read pictures of one size as the planes of a volume, in natural order of their names.

    Parameters
    ----------
    files : list of Path
        PNG, JPEG, BMP or single-page TIFF files.

    Raises
    ------
    ShapeMismatch
        If sizes differ, or grey and colour are mixed.
    UnsupportedImage
        If one of them is a TIFF of several pages.
    """
    tiff = TiffReader()
    planes: list[NDArray[Any]] = []
    notes: dict[str, None] = {}
    ordered = sorted(files, key=lambda path: _natural_key(path.name))
    for path in ordered:
        with path.open("rb") as stream:
            head = stream.read(16)
        if tiff.claims(path, head):
            page = tiff.read(path, head, ReadOptions())
            if page.shape[0] > 1:
                raise UnsupportedImage(
                    f"{path} has {page.shape[0]} pages in a folder of single pictures; pass it alone"
                )
            pixels, found = page.data[0], page.provenance.notes
        else:
            pixels, found = read_picture(path)
        if planes and pixels.shape != planes[0].shape:
            raise ShapeMismatch(
                f"{path.name} has shape {pixels.shape}, {ordered[0].name} has {planes[0].shape}; "
                "keep pictures of one size and colour in the folder, or pass one file"
            )
        planes.append(pixels)
        notes.update(dict.fromkeys(found))
    data = compact(np.stack(planes), str(ordered[0].parent))
    notes.pop(NO_SIZE, None)
    provenance = Provenance(
        "pictures", notes=("the planes were taken as 1 mm apart, with 1 mm a pixel", *notes)
    )
    return Volume(data, Geometry.from_spacing((len(planes), *planes[0].shape[:2])), provenance)
