"""Data sets in COCO's form as labels: those of this package, and those of other programs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._dtypes import smallest_label_type
from volumes._limits import PICTURE_CODEC, check_claim, check_memory
from volumes._outlines import fill_outlines
from volumes.errors import (
    BrokenFile,
    ForeignLabels,
    InvalidLabels,
    UnknownSeries,
    UnreadableFile,
    UnsupportedImage,
    VolumeError,
)
from volumes.geometry import Geometry
from volumes.run_lengths import RunLengths
from volumes.segments import LabelVolume, Segment
from volumes.series import SeriesInfo, choose_series
from volumes.volume import Volume

__all__ = ["looks_like_json", "read_coco"]

_BLANK = b"\xef\xbb\xbf \t\r\n"


def looks_like_json(head: bytes) -> bool:
    """Whether the first bytes may be those of a JSON object."""
    return head.lstrip(_BLANK)[:1] == b"{"


@dataclass
class _DataSet:
    """A data set as far as it is needed: images by their ids, in order, and the annotations."""

    images: dict[Any, Mapping[str, Any]]
    annotations: list[Mapping[str, Any]]
    categories: dict[Any, Mapping[str, Any]]
    info: Mapping[str, Any]


def read_coco(path: Path, like: Volume | None, series: str | None) -> LabelVolume:
    """Read a data set in COCO's form.

    Parameters
    ----------
    path : Path
        A JSON file, with masks as run lengths or polygons.
    like : Volume, optional
        The image. Data sets of this package say which planes they describe; of others the pictures are
        taken for its planes, in order of their names, where there are as many.
    series : str, optional
        The ``file_name`` or id of one of several images.

    Returns
    -------
    LabelVolume
        The labels are those that this package writes beside each mask; elsewhere each annotation is an object
        of its own, in their order. Where masks overlap the later one stays.

    Raises
    ------
    BrokenFile
        If it is no such data set, or damaged.
    UnsupportedImage
        If its images differ in size and none was chosen.
    ForeignLabels
        If its images are not the image's planes.
    """
    try:
        return _labels(_parse(path), path, like, series)
    except InvalidLabels as error:
        raise BrokenFile(f"{path} holds a mask that makes no sense: {error}") from error
    except VolumeError:
        raise
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise BrokenFile(
            f"{path} is no data set in COCO's form; pass labels, or an undamaged copy"
        ) from error


def _parse(path: Path) -> _DataSet:
    """Read the file; raises whatever a damaged one makes Python raise."""
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}; check its permissions") from error
    images = {one["id"]: one for one in content["images"]}
    categories = {one["id"]: one for one in content.get("categories", ())}
    for one in images.values():
        _size(one)
    info = content.get("info")
    return _DataSet(images, content["annotations"], categories, info if isinstance(info, dict) else {})


def _size(image: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width of an image."""
    height, width = int(image["height"]), int(image["width"])
    if min(height, width) < 1:
        raise ValueError("an image without pixels")
    return height, width


def _labels(given: _DataSet, path: Path, like: Volume | None, series: str | None) -> LabelVolume:
    """Draw all masks."""
    is_own = bool(given.images) and all("axis" in one for one in given.images.values())
    notes: list[str] = []
    if is_own:
        places, axis, shape = _own_planes(given, path, like, series)
    else:
        places, axis, shape = _pictures(given, path, like, series, notes)
    check_claim(path, shape, 1, path.stat().st_size, PICTURE_CODEC)
    check_memory(path, int(np.prod(shape, dtype=np.int64)) * 4)
    data: NDArray[Any] = np.zeros(shape, dtype=np.uint32)
    planes = np.moveaxis(data, axis, 0)
    values: dict[int, Any] = {}
    overlaps: Counter[str] = Counter()
    for number, one in enumerate(given.annotations, start=1):
        plane = places.get(one["image_id"])
        if plane is None:
            continue
        value = int(one.get("label", number))
        if not 1 <= value <= np.iinfo(np.uint32).max:
            raise ValueError("a label below 1")
        mask = _mask(one["segmentation"], planes.shape[1:])
        overlaps["voxels"] += int((mask & (planes[plane] != 0) & (planes[plane] != value)).sum())
        planes[plane][mask] = value
        values.setdefault(value, one.get("category_id"))
    if overlaps["voxels"]:
        notes.append(f"masks overlap in {overlaps['voxels']} voxels, which were given to the later one")
    segments = [
        _segment(value, given.categories.get(category, {})) for value, category in sorted(values.items())
    ]
    geometry = like.geometry if like is not None else Geometry.from_spacing(shape)
    if like is None:
        notes.append("the file holds no place; 1 mm a pixel and an arbitrary origin were taken")
    return LabelVolume(smallest_label_type(data), geometry, tuple(segments), tuple(notes))


_Places = tuple[dict[Any, int], int, tuple[int, int, int]]


def _own_planes(given: _DataSet, path: Path, like: Volume | None, series: str | None) -> _Places:
    """Plane of each image, the axis across the planes and the shape, of a data set of this package."""
    if series not in (None, "0"):
        raise UnknownSeries(f"{path} holds one volume and has no series {series!r}; leave series out")
    first = next(iter(given.images.values()))
    axis, hw = int(first["axis"]), _size(first)
    places = {key: int(key) for key in given.images}
    if axis not in (0, 1, 2) or min(places.values()) < 0:
        raise ValueError("no axis, or no plane")
    n_planes = max(int(given.info.get("planes", 0)) if axis == 0 else 0, max(places.values()) + 1)
    if like is not None:
        n_planes = max(n_planes, like.shape[axis])
    shape = [*hw[:axis], n_planes, *hw[axis:]]
    planes, rows, columns = shape
    if like is not None and like.shape != (planes, rows, columns):
        raise ForeignLabels(
            f"{path} is for an image of shape {(planes, rows, columns)}, this one has {like.shape}; "
            "give the image that it was drawn on"
        )
    if any(_size(one) != hw or int(one["axis"]) != axis for one in given.images.values()):
        raise ValueError("planes of different sizes")
    return places, axis, (planes, rows, columns)


def _pictures(
    given: _DataSet, path: Path, like: Volume | None, series: str | None, notes: list[str]
) -> _Places:
    """Choose of a data set of pictures one, or as many as the image has planes."""
    order = sorted(given.images, key=lambda key: _natural(str(given.images[key].get("file_name", key))))
    if not order:
        raise UnsupportedImage(f"{path} describes no image; pass a data set with images and annotations")
    sizes = {_size(one) for one in given.images.values()}
    chosen = order
    if series is not None or like is None or like.shape[0] != len(order) or len(sizes) > 1:
        found = [
            SeriesInfo(
                str(given.images[key].get("file_name", key)), "", f"id {key}", (1, *_size(given.images[key]))
            )
            for key in order
        ]
        chosen = [order[choose_series(found, series, path)]]
    elif len(order) > 1:
        notes.append("its images were taken for the planes, in order of their names")
    shape = (len(chosen), *_size(given.images[chosen[0]]))
    if like is not None and like.shape != shape:
        raise ForeignLabels(
            f"{path} is for pictures of shape {shape}, the image has {like.shape}; "
            "give the image that it was drawn on"
        )
    return {key: place for place, key in enumerate(chosen)}, 0, shape


def _natural(name: str) -> list[tuple[int, str]]:
    """Sort key that counts numbers in a name as numbers."""
    return [(int(part) if part.isdecimal() else -1, part) for part in re.split(r"(\d+)", name)]


def _mask(given: Any, shape_hw: tuple[int, ...]) -> NDArray[np.bool_]:
    """Draw run lengths, or polygons (x, y, x, y …) as seen from the upper left corner of the picture."""
    n_rows, n_columns = shape_hw
    if isinstance(given, dict):
        lengths = RunLengths.from_coco(given)
        if lengths.size_hw != (n_rows, n_columns):
            raise ValueError("a mask of another size than its image")
        return lengths.to_mask()
    mask = np.zeros((n_rows, n_columns), dtype=np.bool_)
    for polygon in given:
        points_xy = np.array(polygon, dtype=np.float64).reshape(-1, 2)
        if not np.isfinite(points_xy).all():
            raise ValueError("a corner that is not finite")
        mask |= fill_outlines([points_xy[:, ::-1] - 0.5], (n_rows, n_columns))
    return mask


def _segment(value: int, category: Mapping[str, Any]) -> Segment:
    """Segment of a label, named by its category."""
    colour = category.get("color")
    is_colour = isinstance(colour, list) and len(colour) == 3 and all(0 <= int(one) <= 255 for one in colour)
    name = " ".join(str(category.get("name", "")).split())
    if not is_colour or colour is None:
        return Segment(value, name)
    red, green, blue = (int(one) for one in colour)
    return Segment(value, name, (red, green, blue))
