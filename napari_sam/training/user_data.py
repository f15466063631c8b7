"""A person's labelled images, made ready for training: windowed, checked, and split by subject.

Every image is read once. What the encoder will see of it (uint8, by the one window of the volume) and its
labels are laid down in a throw-away folder and mapped from there, so that any plane is at hand whatever the
memory.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

import volumes
from napari_sam.core.labelled_folder import INSTANCE_PER_SLICE, LabelledItem
from napari_sam.core.window import Window, resolve_window
from napari_sam.errors import InvalidDataset, SettingsError
from volumes import Geometry, Volume

__all__ = ["AXES", "Axes", "LabelledPlanes", "data_digest", "prepare", "split_by_subject"]

_logger = logging.getLogger(__name__)

Axes = Literal["acquisition", "all"]
AXES: tuple[Axes, ...] = ("acquisition", "all")

_COARSER = 1.5
"""An axis is the one of acquisition where its planes lie this much farther apart than those of axis 0."""

_MIN_SIDE = 16
"""Planes across another axis are used from this height and width on, in voxels."""

_MAX_COMPACT = 2**16
"""Labels above this are renumbered."""


@dataclass(frozen=True)
class LabelledPlanes:
    """A volume as the encoder sees it, with its labels.

    Attributes
    ----------
    image : ndarray of uint8, shape (P, R, C) or (P, R, C, 3)
        After the window; mapped from disk.
    labels : ndarray of unsigned int, shape (P, R, C)
        0 is nothing; mapped from disk.
    mask_type : str
        As in `napari_sam.core.labelled_folder`.
    subject : str
        Whom or what it shows.
    labelled : dict of int to ndarray of int
        By axis: indices of the planes that hold a label.
    digest : str
        SHA-256 over image and labels.
    """

    image: NDArray[np.uint8]
    labels: NDArray[Any]
    mask_type: str
    subject: str
    labelled: dict[int, NDArray[np.intp]]
    digest: str


def prepare(
    items: Sequence[LabelledItem],
    folder: Path,
    window: Window | str | None = None,
    axes: Axes = "acquisition",
    tell: Callable[[int], None] = lambda n_done: None,
) -> tuple[LabelledPlanes, ...]:
    """Read and check every image with its labels.

    Parameters
    ----------
    items : sequence of LabelledItem
        What to read.
    folder : Path
        Existing folder for the arrays; to be deleted when training is over.
    window : Window or str, optional
        As in `napari_sam.core.window.resolve_window`, for each volume by itself.
    axes : str
        ``"acquisition"``: planes across the axis of acquisition alone; ``"all"``: across all three.
    tell : callable
        Given the number of images read.

    Returns
    -------
    tuple of LabelledPlanes
        Images whose labels are all 0 are left out, with a warning in the log.

    Raises
    ------
    InvalidDataset
        Labels that do not fit their image, are no labels, or are empty everywhere.
    VolumeError
        A file that cannot be read.
    """
    ready: list[LabelledPlanes] = []
    n_empty = 0
    for number, item in enumerate(items):
        planes = _prepare_one(item, folder / f"{number:06d}", window, axes)
        n_empty += planes is None
        if planes is not None:
            ready.append(planes)
        tell(number + 1)
    if not ready:
        raise InvalidDataset(f"none of the {len(items)} label files holds a label; paint some objects first")
    if n_empty:
        _logger.warning("left out %d of %d images, whose labels are all 0", n_empty, len(items))
    return tuple(ready)


def data_digest(items: Sequence[LabelledPlanes]) -> str:
    """Give one SHA-256 (hex) over the contents of all items, in order."""
    return hashlib.sha256("".join(item.digest for item in items).encode()).hexdigest()


def split_by_subject(
    items: Sequence[LabelledPlanes], held_out: float, seed: int
) -> tuple[tuple[LabelledPlanes, ...], tuple[LabelledPlanes, ...]]:
    """Split into what is trained on and what is held out; a subject's images stay together.

    Parameters
    ----------
    items : sequence of LabelledPlanes
        All images.
    held_out : float
        Part of the subjects that is held out, at least one; 0 holds out none.
    seed : int
        Chooses which.

    Raises
    ------
    SettingsError
        A part that is not from 0 to below 1.
    InvalidDataset
        Fewer than two subjects.
    """
    if not 0 <= held_out < 1:
        raise SettingsError(f"the part held out must be from 0 to below 1, not {held_out:g}; try 0.1")
    subjects = sorted({item.subject for item in items})
    if held_out == 0:
        return tuple(items), ()
    if len(subjects) < 2:
        raise InvalidDataset(
            f"there is labelled data of {len(subjects)} subject only, and none is left to check on; "
            "add another subject, or pass --held-out 0 to train without checks"
        )
    n_held = min(max(1, round(held_out * len(subjects))), len(subjects) - 1)
    order = torch.randperm(len(subjects), generator=torch.Generator().manual_seed(seed)).tolist()
    apart = {subjects[i] for i in order[:n_held]}
    return (
        tuple(item for item in items if item.subject not in apart),
        tuple(item for item in items if item.subject in apart),
    )


def _prepare_one(
    item: LabelledItem, stem: Path, window: Window | str | None, axes: Axes
) -> LabelledPlanes | None:
    volume, labels = volumes.read(item.image), volumes.read(item.labels)
    _check_fit(item, volume, labels)
    numbers = _label_numbers(item, np.asarray(labels.data))
    if not numbers.any():
        return None
    seen = resolve_window(volume, window)
    image = open_memmap(
        stem.with_suffix(".image.npy"), mode="w+", dtype=np.uint8, shape=tuple(volume.data.shape)
    )
    mapped = open_memmap(stem.with_suffix(".labels.npy"), mode="w+", dtype=numbers.dtype, shape=numbers.shape)
    sha = hashlib.sha256(repr((image.shape, mapped.dtype.str, item.mask_type)).encode())
    for index in range(len(image)):
        image[index] = seen.to_uint8(volume.data[index])
        mapped[index] = numbers[index]
        sha.update(image[index].tobytes())
        sha.update(mapped[index].tobytes())
    chosen = _axes(axes, volume.geometry, item.mask_type)
    return LabelledPlanes(
        image, mapped, item.mask_type, item.subject, _labelled_planes(numbers, chosen), sha.hexdigest()
    )


def _check_fit(item: LabelledItem, volume: Volume, labels: Volume) -> None:
    if volume.shape != labels.shape:
        raise InvalidDataset(
            f"{item.labels} has the shape {labels.shape}, its image {volume.shape}; "
            "give labels on the grid of the image"
        )
    if _is_placed(volume.geometry) and _is_placed(labels.geometry):
        tolerance_mm = 0.5 * min(volume.geometry.spacing_mm)
        if not volume.geometry.is_close(labels.geometry, tolerance_mm=tolerance_mm):
            raise InvalidDataset(
                f"{item.labels} lies elsewhere in space than {item.image}, or is turned; "
                "resample the labels to the image's grid"
            )


def _is_placed(geometry: Geometry) -> bool:
    """Tell a geometry that a file holds from the plain one of a picture."""
    return not geometry.is_close(Geometry.from_spacing(geometry.shape))


def _label_numbers(item: LabelledItem, data: NDArray[Any]) -> NDArray[Any]:
    """Give labels ``(P, R, C)`` as the smallest unsigned integers."""
    if data.ndim == 4:
        if not (data == data[..., :1]).all():
            raise InvalidDataset(f"{item.labels} is a picture in colour; give label numbers, 0 for nothing")
        data = data[..., 0]
    if data.dtype.kind == "f" and not (np.isfinite(data).all() and (data == np.rint(data)).all()):
        raise InvalidDataset(f"{item.labels} holds broken numbers; give whole label numbers, 0 for nothing")
    low, high = int(data.min(initial=0)), int(data.max(initial=0))
    if low < 0:
        raise InvalidDataset(f"{item.labels} holds the label {low}; give labels from 0 on")
    if high >= _MAX_COMPACT:
        found, inverse = np.unique(data, return_inverse=True)
        first = 0 if found[0] == 0 else 1
        data, high = inverse.reshape(data.shape) + first, len(found)
    return data.astype(np.min_scalar_type(high), copy=False)


def _axes(axes: Axes, geometry: Geometry, mask_type: str) -> tuple[int, ...]:
    """Choose the axes that planes cut across."""
    n_planes, n_rows, n_columns = geometry.shape
    if n_planes == 1 or mask_type == INSTANCE_PER_SLICE:
        return (0,)
    if axes == "all":
        sides = {0: (n_rows, n_columns), 1: (n_planes, n_columns), 2: (n_planes, n_rows)}
        return tuple(axis for axis, plane_hw in sides.items() if axis == 0 or min(plane_hw) >= _MIN_SIDE)
    spacing = geometry.spacing_mm
    coarsest = max(range(3), key=lambda axis: (spacing[axis], -axis))
    return (coarsest if spacing[coarsest] > _COARSER * spacing[0] else 0,)


def _labelled_planes(labels: NDArray[Any], axes: Sequence[int]) -> dict[int, NDArray[np.intp]]:
    found = {}
    for axis in axes:
        others = tuple(other for other in range(3) if other != axis)
        found[axis] = np.flatnonzero(labels.any(axis=others))
    return found
