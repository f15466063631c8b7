"""Cleaning labels up: holes, islands, outlines; object by object, in the order asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import volumes
from napari_sam.core.clean_steps import CleanStep, clean_mask, only_free, own_bits
from napari_sam.core.cleaning import laid_into, voxel_mm3
from napari_sam.core.labels import fit_labels, object_extents
from napari_sam.core.masks import BoxedMask
from napari_sam.errors import InvalidEdit
from napari_sam.nodes.image_input import ImageInput, local_paths
from napari_sam.nodes.label_files import read_labels
from napari_sam.nodes.names_file import named_segments
from napari_sam.nodes.outputs import check_label_suffix, check_outputs, output_caveats
from napari_sam.nodes.progress import Progress, silent
from volumes import Geometry, Provenance, Segment, Volume

__all__ = ["CleanJob", "CleanResult", "CleanedObject", "clean_file", "clean_labels"]


@dataclass(frozen=True)
class CleanJob:
    """Which labels are cleaned, how, and where they go.

    Parameters
    ----------
    labels : ImageInput
        A file of labels.
    output : Path
        Where the cleaned ones go; its suffix chooses the format.
    steps : tuple of CleanStep
        What is done, in this order.
    image : ImageInput, optional
        The image that the labels belong to: a range of grey values needs it, and so do DICOM labels.
    objects : tuple of int, optional
        The values to clean; all where None.
    """

    labels: ImageInput
    output: Path
    steps: tuple[CleanStep, ...]
    image: ImageInput | None = None
    objects: tuple[int, ...] | None = None


@dataclass(frozen=True)
class CleanedObject:
    """What became of one object: voxels before and after, and the volume after, in ml."""

    id: int
    name: str
    voxels_before: int
    voxels_after: int
    volume_ml: float


@dataclass(frozen=True)
class CleanResult:
    """The objects, in order of their ids, and what to know of them, one sentence each."""

    objects: tuple[CleanedObject, ...]
    notes: tuple[str, ...]


def clean_file(job: CleanJob, *, progress: Progress = silent) -> CleanResult:
    """Read labels, clean them up, and write them, whole or not at all.

    Raises
    ------
    VolumeError
        What cannot be read or written; an output that is an input.
    InvalidEdit
        No step, an object that is not in the labels, or as `clean_labels`.
    """
    if not job.steps:
        raise InvalidEdit("no clean-up is asked for; give at least one, such as --fill-holes")
    check_label_suffix(job.output)
    check_outputs(local_paths(job.labels, job.image), [job.output])
    progress("reading", 0, 1)
    image = None if job.image is None else job.image.read()
    found = read_labels(job.labels, image)
    like = Volume(found.data, found.geometry, Provenance("labels")) if image is None else image
    where: Volume | Geometry = found.geometry if image is None else image
    before = object_extents(found.data)
    labels = clean_labels(found.data, where, job.steps, objects=job.objects, progress=progress)
    segments = named_segments(found)
    progress("writing", 0, 1)
    volumes.write(job.output, labels, like=like, segments=_left(segments, labels))
    titles = {one.value: one.title for one in segments}
    counts = _counts(found.data, before), _counts(labels, object_extents(labels))
    ml = voxel_mm3(found.geometry) / 1000.0
    done = tuple(
        CleanedObject(value, titles[value], counts[0][value], n, n * ml)
        for value in before
        for n in (counts[1].get(value, 0),)
    )
    gone = tuple(f"object {one.id} ({one.name}) has no voxel left" for one in done if one.voxels_after == 0)
    notes = () if image is None else image.provenance.notes
    return CleanResult(
        done, tuple(dict.fromkeys((*notes, *found.notes, *gone, *output_caveats(job.output, like))))
    )


def clean_labels(
    labels: NDArray[Any],
    image: Volume | Geometry,
    steps: Sequence[CleanStep],
    *,
    objects: Collection[int] | None = None,
    progress: Progress = silent,
) -> NDArray[Any]:
    """Clean each object up by itself.

    Objects never take voxels from each other: one that grows takes free voxels only, and where two grow into
    one place, the one with the lower id comes first.

    Parameters
    ----------
    labels : NDArray of integers, shape (P, R, C)
        Stays as it is.
    image : Volume or Geometry
        Where the labels lie; a range of grey values needs the volume.
    steps : sequence of CleanStep
        What is done to each object, in this order.
    objects : collection of int, optional
        The values to clean; all where None.
    progress : Progress
        Told of each object.

    Returns
    -------
    NDArray of uint16 or uint32, shape (P, R, C)

    Raises
    ------
    InvalidEdit
        Labels of another shape, an object that is not in them, or as `clean_mask`.
    """
    shape = image.shape
    cleaned = fit_labels(labels, shape)
    cleaned = cleaned.copy() if cleaned is labels else cleaned
    extents = object_extents(cleaned)
    wanted = sorted(extents if objects is None else set(objects))
    missing = [value for value in wanted if value not in extents]
    if missing:
        there = ", ".join(map(str, list(extents)[:20])) or "none"
        raise InvalidEdit(f"no voxel has the value {missing[0]}; the objects are {there}")
    for done, value in enumerate(wanted):
        progress("cleaning", done, len(wanted))
        old = own_bits(cleaned, value, extents[value])
        if old is not None:
            _replace(cleaned, value, old, _cleaned(old, cleaned, value, image, steps))
    return cleaned


def _cleaned(
    mask: BoxedMask, labels: NDArray[Any], value: int, image: Volume | Geometry, steps: Sequence[CleanStep]
) -> BoxedMask:
    for step in steps:
        mask = only_free(clean_mask(mask, step, image), labels, value)
    return mask


def _replace(labels: NDArray[Any], value: int, old: BoxedMask, new: BoxedMask) -> None:
    box = old.box.union(new.box)
    there = labels[box.slices()]
    there[laid_into(old, box)] = 0
    there[laid_into(new, box)] = value


def _counts(labels: NDArray[Any], extents: dict[int, volumes.Box]) -> dict[int, int]:
    return {value: int(np.count_nonzero(labels[box.slices()] == value)) for value, box in extents.items()}


def _left(segments: Sequence[Segment], labels: NDArray[Any]) -> tuple[Segment, ...]:
    """Return what the values stand for that are still there."""
    there = object_extents(labels)
    return tuple(one for one in segments if one.value in there)
