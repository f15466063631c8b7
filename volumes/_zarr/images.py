"""Which images a Zarr group or array holds: levels of one, scenes, labels, plain arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from volumes._axes import AxisPlan, plan_axes
from volumes._zarr.ome import Channel, Multiscale, parse_channels, parse_multiscale
from volumes._zarr.store import MARKERS, Place, open_place, speaking, without_warnings
from volumes.errors import BrokenFile, UnknownSeries, UnsupportedImage, VolumeError

__all__ = ["ZarrImage", "find_images", "found_around"]

_MOST_MEMBERS = 10_000
_MOST_PARENTS = 4
_COLOURS = ("red", "green", "blue")
_PLAIN_LETTERS = {2: "YX", 3: "ZYX"}


@dataclass(frozen=True)
class ZarrImage:
    """One image: an array, or several of fewer and fewer voxels.

    Parameters
    ----------
    place : Place
        The group, or the array where there is no metadata about it.
    multiscale : Multiscale or None
        What OME says of it.
    channels : tuple of Channel
        What OME says of its channels.
    description : str
        What the store calls it.
    level : int
        Which array to read.
    """

    place: Place
    multiscale: Multiscale | None = None
    channels: tuple[Channel, ...] = ()
    description: str = ""
    level: int = 0

    def at_level(self, level: int) -> ZarrImage:
        """Return the same image with another array to read.

        Raises
        ------
        UnknownSeries
            If there is no such level.
        """
        n_levels = 1 if self.multiscale is None else len(self.multiscale.paths)
        if not 0 <= level < n_levels:
            raise UnknownSeries(f"{self.place.name} has no level l{level}; it has l0 to l{n_levels - 1}")
        return ZarrImage(self.place, self.multiscale, self.channels, self.description, level)

    def open_array(self) -> tuple[Place, AxisPlan]:
        """Open the array, and say which of its axes are the volume's.

        Raises
        ------
        BrokenFile, UnsupportedImage
            If it is missing or damaged, or has axes that are not read.
        """
        place = self.place if self.multiscale is None else self.place.inner(self.multiscale.paths[self.level])
        if not place.is_array:
            raise BrokenFile(f"{place.name} is a group where an array should be; get a sound copy")
        array: Any = place.node
        letters = self._letters(place)
        is_colour = self._is_colour(letters, array)
        return place, plan_axes(letters, array.shape, place.name, colour="C" if is_colour else "S")

    def _letters(self, place: Place) -> str:
        array: Any = place.node
        if self.multiscale is not None:
            return self.multiscale.letters or "TCZYX"[-array.ndim :]
        names = getattr(array.metadata, "dimension_names", None) or place.attributes.get("_ARRAY_DIMENSIONS")
        letters = "".join(str(name).upper()[:2] for name in names or ())
        if len(letters) == array.ndim and set(letters) <= set("TCZYX"):
            return letters
        return _plain_letters(array.shape, str(array.dtype), place.name)

    def _is_colour(self, letters: str, array: Any) -> bool:
        names = tuple(channel.name.lower() for channel in self.channels)
        at = letters.find("C")
        return names == _COLOURS and array.dtype == "uint8" and at >= 0 and array.shape[at] == len(_COLOURS)


def find_images(place: Place) -> list[ZarrImage]:
    """List the images of a group, or the one that an array is.

    Raises
    ------
    UnsupportedImage
        If it is a plate of wells, or holds no image.
    BrokenFile
        If its metadata contradict themselves.
    """
    if place.is_array:
        return [ZarrImage(place)]
    attributes = place.attributes
    for kind in ("plate", "well"):
        if kind in attributes:
            raise UnsupportedImage(
                f"{place.name} is a {kind} of many fields of view; pass one of its images, such as "
                f"{'A/1/0' if kind == 'plate' else '0'} inside it"
            )
    multiscales = attributes.get("multiscales")
    if isinstance(multiscales, list) and multiscales:
        channels = parse_channels(attributes)
        return [
            ZarrImage(place, parse_multiscale(one, place.name), channels, _words(one)) for one in multiscales
        ]
    images = [image for path in _members(place, attributes) for image in _member_images(place, path)]
    if not images:
        raise UnsupportedImage(f"{place.name} is a Zarr group without an image; pass the image inside it")
    return images


def found_around(location: Path | str, place: Place) -> ZarrImage:
    """Return an array as the level of the image around it, if there is one that names it.

    Its size and place are then those that the image's metadata give it.
    """
    parts: list[str] = []
    at = location
    for _ in range(_MOST_PARENTS):
        parent, name = _parent(at)
        parts.insert(0, name)
        if parent is None:
            break
        image = _level_of(parent, "/".join(parts))
        if image is not None:
            return image
        at = parent
    return ZarrImage(place)


def _parent(location: Path | str) -> tuple[Path | str | None, str]:
    """Return the folder around a location, and its name in there; None where the store ends."""
    if isinstance(location, str):
        parent, _, name = location.rstrip("/").rpartition("/")
        return (None if parent.endswith(("/", ":")) else parent), name
    location = location.absolute()
    folder = location.parent
    return (folder if any((folder / marker).is_file() for marker in MARKERS) else None), location.name


def _level_of(parent: Path | str, path: str) -> ZarrImage | None:
    try:
        around = open_place(parent)
        images = [] if around.is_array else find_images(around)
    except VolumeError:
        return None
    for image in images:
        if image.multiscale is not None and image.place is around and path in image.multiscale.paths:
            return image.at_level(image.multiscale.paths.index(path))
    return None


def _members(place: Place, attributes: dict[str, Any]) -> list[str]:
    """Paths of what a group may hold as images, in order."""
    if isinstance(attributes.get("labels"), list):
        return [str(name) for name in attributes["labels"][:_MOST_MEMBERS]]
    if "bioformats2raw.layout" in attributes:
        listed = _listed_series(place)
        if listed:
            return listed
    with speaking(place.name), without_warnings():
        node: Any = place.node
        names = [name for _, (name, _) in zip(range(_MOST_MEMBERS), node.members(), strict=False)]
    return sorted(names, key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0, name))


def _listed_series(place: Place) -> list[str]:
    """Paths that the OME group beside the series names."""
    try:
        listed = place.inner("OME").attributes.get("series")
    except VolumeError:
        return []
    return [str(path) for path in listed[:_MOST_MEMBERS]] if isinstance(listed, list) else []


def _member_images(place: Place, path: str) -> Sequence[ZarrImage]:
    """Images of a member: an array, or a group with metadata of its own."""
    inner = place.inner(path)
    if not inner.is_array and not isinstance(inner.attributes.get("multiscales"), list):
        return []
    described = [(image, image.description or path) for image in find_images(inner)]
    return [ZarrImage(image.place, image.multiscale, image.channels, words) for image, words in described]


def _words(multiscale: Any) -> str:
    name = multiscale.get("name") if isinstance(multiscale, dict) else None
    return " ".join(name.split())[:80] if isinstance(name, str) else ""


def _plain_letters(shape: Sequence[int], dtype: str, name: str) -> str:
    """Letters for an array that names no axes: planes, rows, columns, and colour where it must be that."""
    is_colour = len(shape) >= 3 and shape[-1] == 3 and min(shape[-3:-1]) > 3 and dtype == "uint8"
    n_axes = len(shape) - is_colour
    n_single = 0
    while n_axes - n_single > 3 and shape[n_single] == 1:
        n_single += 1
    letters = _PLAIN_LETTERS.get(n_axes - n_single)
    if letters is None:
        raise UnsupportedImage(
            f"{name} is an array of {len(shape)} axes that does not say what they are; save it as OME-Zarr"
        )
    return "TC"[-n_single:] * (n_single > 0) + letters + "S" * is_colour
