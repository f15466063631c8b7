"""Read OME-Zarr and plain Zarr as volumes whose voxels stay in the store until they are looked at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from volumes._axes import TIMES_AS_PLANES, Choice
from volumes._image2d import NO_SIZE
from volumes._stored import StoredSource
from volumes._zarr.images import ZarrImage, find_images, found_around
from volumes._zarr.metadata import AFFINE_KEY
from volumes._zarr.names import read_names
from volumes._zarr.source import ChunkedArray
from volumes._zarr.store import MARKERS, open_place, speaking, zip_root
from volumes.errors import InvalidGeometry
from volumes.geometry import Geometry
from volumes.lazy import LazyArray
from volumes.segments import Segment
from volumes.series import ReadOptions, SeriesInfo, choose_series
from volumes.volume import Provenance, Volume

__all__ = ["ZarrFolderReader", "ZarrZipReader", "list_address", "read_address"]

_LEVEL = re.compile(r"(?:(.*)/)?l(\d{1,3})")


@dataclass(frozen=True)
class ZarrFolderReader:
    """A folder that is a Zarr group or array, or lies inside one."""

    name: str = "OME-Zarr"

    def claims(self, folder: Path) -> bool:
        """Whether the folder holds a file of Zarr's metadata."""
        return any((folder / marker).is_file() for marker in MARKERS)

    def list_series(self, folder: Path) -> tuple[SeriesInfo, ...]:
        """List scenes, channels and times."""
        return _list(folder)

    def read(self, folder: Path, options: ReadOptions) -> Volume:
        """Open one of them."""
        return _read(folder, options)

    def read_segments(self, path: Path, head: bytes) -> tuple[Segment, ...]:
        """Describe the values of a label image; empty for other images."""
        return read_names(path)


@dataclass(frozen=True)
class ZarrZipReader:
    """A zip file with a Zarr store in it."""

    name: str = "zipped OME-Zarr"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether it is a zip file that lists Zarr's metadata."""
        if not head.startswith(b"PK\x03\x04"):
            return False
        import zipfile

        try:
            with zipfile.ZipFile(path) as archive:
                names = set(archive.namelist())
            return bool(zip_root(path)) or any(marker in names for marker in MARKERS)
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
            return False

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """List scenes, channels and times."""
        return _list(path)

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Open one of them."""
        return _read(path, options)


def read_address(address: str, options: ReadOptions) -> Volume:
    """Open an OME-Zarr at an address (``https://…``, ``s3://…``); chunks are fetched as they are looked at.

    Raises
    ------
    VolumeError
        One of its leaves: nothing there, no connection, a library is missing, damaged.
    """
    return _read(address, options)


def list_address(address: str) -> tuple[SeriesInfo, ...]:
    """List the volumes at an address; errors as `read_address`."""
    return _list(address)


def _images(location: Path | str) -> list[ZarrImage]:
    place = open_place(location)
    with speaking(place.name):
        return [found_around(location, place)] if place.is_array else find_images(place)


def _list(location: Path | str) -> tuple[SeriesInfo, ...]:
    return tuple(info for info, _, _ in _listed(_images(location)))


def _listed(images: Sequence[ZarrImage]) -> list[tuple[SeriesInfo, ZarrImage, Choice]]:
    """All volumes of all images, with what is needed to open them."""
    found = []
    for scene, image in enumerate(images):
        place, plan = image.open_array()
        for choice in plan.choices(place.name):
            key = "/".join(part for part in (f"s{scene}" if len(images) > 1 else "", choice.key) if part)
            words = [image.description] if len(images) > 1 else []
            if choice.channel < len(image.channels):
                words.append(image.channels[choice.channel].name)
            info = SeriesInfo(key or "0", "", " ".join(word for word in words if word), plan.shape)
            found.append((info, image, choice))
    return found


def _read(location: Path | str, options: ReadOptions) -> Volume:
    images = _images(location)
    series, level = options.series, None
    match = _LEVEL.fullmatch(series or "")
    if match:
        series, level = match[1] or None, int(match[2])
    listed = _listed(images)
    shown = Path(images[0].place.name) if isinstance(location, str) else location
    at = choose_series([info for info, _, _ in listed], series, shown)
    _, image, choice = listed[at]
    if level is not None:
        image = image.at_level(level)
    return _opened(image, choice)


def _opened(image: ZarrImage, choice: Choice) -> Volume:
    """Make a volume whose voxels are not read yet."""
    source = _source(image, choice)
    source.dtype  # noqa: B018  complex numbers are refused now, not at the first look
    spacing_mm, origin_mm = (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)
    notes = [NO_SIZE]
    if image.multiscale is not None and image.multiscale.has_size:
        spacing_mm, origin_mm, notes = image.multiscale.place_mm(image.level, source.plan.letters)
    if image.level:
        notes.append(f"level l{image.level} was read, not the one with most voxels")
    if source.plan.planes_are_times:
        spacing_mm = (max(spacing_mm[1:]), *spacing_mm[1:])
        notes.append(TIMES_AS_PLANES)
    geometry = _exact(image) or Geometry.from_spacing(source.plan.shape, spacing_mm, origin_mm)
    window = image.channels[choice.channel].window if choice.channel < len(image.channels) else None
    name = "Zarr" if image.multiscale is None else "OME-Zarr"
    window = None if source.plan.colour is not None else window
    return Volume(LazyArray(source), geometry, Provenance(name, notes=tuple(notes)), window)


def _exact(image: ZarrImage) -> Geometry | None:
    """Return the place that this package wrote where OME-NGFF's own metadata could not hold it."""
    content = image.place.attributes.get(AFFINE_KEY)
    if content is None or image.multiscale is None:
        return None
    _, plan = image.open_array()
    try:
        finest = np.asarray(content, dtype=np.float64)
        return Geometry(plan.shape, finest @ image.multiscale.into_finest(image.level))
    except (TypeError, ValueError) as error:
        raise InvalidGeometry(
            f"{image.place.name} has an attribute {AFFINE_KEY} that is no place; remove it"
        ) from error


def _source(image: ZarrImage, choice: Choice) -> StoredSource:
    place, plan = image.open_array()

    def coarser() -> Sequence[StoredSource]:
        if image.multiscale is None:
            return ()
        levels = range(image.level + 1, len(image.multiscale.paths))
        return [one for one in (_source(image.at_level(level), choice) for level in levels) if _like(one)]

    def _like(one: StoredSource) -> bool:
        return one.plan.letters == plan.letters and one.plan.volume_axes == plan.volume_axes

    array = ChunkedArray(place.node, place.name, choice.fixed)  # type: ignore[arg-type]
    return StoredSource(array, plan, choice, place.name, coarser)
