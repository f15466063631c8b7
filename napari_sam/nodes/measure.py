"""Measuring all objects of labels: in memory, or from files into a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.clean_steps import own_bits
from napari_sam.core.labels import fit_labels, object_extents
from napari_sam.core.measuring import class_totals, measure_object
from napari_sam.errors import InvalidEdit
from napari_sam.nodes.amounts import units_of
from napari_sam.nodes.image_input import ImageInput, local_paths
from napari_sam.nodes.label_files import read_labels
from napari_sam.nodes.measurement_table import Measured, Measurements, measurements_csv, measurements_json
from napari_sam.nodes.outputs import check_outputs, check_suffix, write_bytes
from napari_sam.nodes.progress import Progress, silent
from volumes import Segment, Volume

__all__ = ["MeasureJob", "measure_file", "measure_labels"]


@dataclass(frozen=True)
class MeasureJob:
    """What is measured, and where the table goes.

    Parameters
    ----------
    image, labels : ImageInput
        The image, and a file of labels that belongs to it.
    csv, json : Path, optional
        Files to write.
    axis : int
        The array axis that planes cut across.
    """

    image: ImageInput
    labels: ImageInput
    csv: Path | None = None
    json: Path | None = None
    axis: int = 0


def measure_file(job: MeasureJob, *, progress: Progress = silent) -> Measurements:
    """Read an image and its labels, measure all objects, and write the tables that are asked for.

    Raises
    ------
    VolumeError
        What cannot be read or written; labels of another place than the image.
    InvalidEdit
        An axis that is none.
    """
    outputs = [path for path in (job.csv, job.json) if path is not None]
    for path, suffix in ((job.csv, ".csv"), (job.json, ".json")):
        if path is not None:
            check_suffix(path, (suffix,), "table")
    check_outputs(local_paths(job.image, job.labels), outputs)
    progress("reading", 0, 1)
    image = job.image.read()
    labels = read_labels(job.labels, image)
    segments = {one.value: one for one in labels.segments}
    notes = tuple(dict.fromkeys((*image.provenance.notes, *labels.notes)))
    found = measure_labels(
        labels.data, image, segments=segments, axis=job.axis, notes=notes, progress=progress
    )
    progress("writing", 0, 1)
    if job.csv is not None:
        write_bytes(job.csv, measurements_csv(found).encode())
    if job.json is not None:
        write_bytes(job.json, measurements_json(found).encode())
    return found


def measure_labels(
    labels: NDArray[Any],
    image: Volume,
    *,
    segments: Mapping[int, Segment] | None = None,
    axis: int = 0,
    notes: tuple[str, ...] = (),
    progress: Progress = silent,
) -> Measurements:
    """Measure all objects.

    Parameters
    ----------
    labels : NDArray of integers, shape (P, R, C)
        The objects, 0 for background.
    image : Volume
        Where they lie, and their grey values; of a lazy one only their boxes are read.
    segments : mapping of int to Segment, optional
        What the values stand for. An object's class is its coded kind, or its name where the kind is only
        "Tissue".
    axis : int
        The array axis that planes cut across.
    notes : tuple of str
        Go into the result.
    progress : Progress
        Told of each object.

    Raises
    ------
    InvalidEdit
        Labels of another shape, or an axis that is none.
    """
    if axis not in (0, 1, 2):
        raise InvalidEdit(f"the axis is {axis}; give 0, 1 or 2")
    labels = fit_labels(labels, image.shape)
    extents = object_extents(labels)
    objects = []
    for done, (value, box) in enumerate(sorted(extents.items())):
        progress("measuring", done, len(extents))
        mask = own_bits(labels, value, box)
        if mask is not None:
            values = None if image.is_rgb else np.asarray(image.data[box.slices()])
            segment = (segments or {}).get(value, Segment(value))
            measures = measure_object(mask, image.geometry, values, axis)
            objects.append(Measured(value, segment.title, _class_of(segment), measures))
    unit = "HU" if image.provenance.modality == "CT" else ""
    by_id = {one.id: one.measures for one in objects}
    classes = class_totals(by_id, {one.id: one.class_name for one in objects})
    return Measurements(tuple(objects), classes, unit, notes, units_of(image))


def _class_of(segment: Segment) -> str:
    is_coded = segment.kind != Segment(1).kind
    return segment.kind.meaning if is_coded else segment.title
