"""Everything in an image, from files to files: labels, a table, and masks in COCO's form."""

from __future__ import annotations

import csv
import io
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import volumes
from napari_sam import zoo
from napari_sam.core.auto_masks import mask_record
from napari_sam.core.auto_plan import MaskForm
from napari_sam.core.jobs import Cancel
from napari_sam.core.naming import algorithm_name, object_colour
from napari_sam.core.window import parse_window
from napari_sam.nodes.auto import AutoOptions, AutoResult, FoundMask, changed_settings, segment_everything
from napari_sam.nodes.image_input import ImageInput, Place, image_input, local_paths
from napari_sam.nodes.models import ModelChoice, describe_model, load_model
from napari_sam.nodes.outputs import (
    check_label_format,
    check_label_suffix,
    check_outputs,
    check_suffix,
    output_caveats,
    write_bytes,
)
from napari_sam.nodes.progress import Progress, silent
from napari_sam.nodes.tables import round_floats
from volumes import Segment

__all__ = ["TABLE_COLUMNS", "AutoJob", "auto_file", "coco_json", "table_csv"]

TABLE_COLUMNS = (
    "id", "plane", "area_px", "label_px", "row0", "col0", "row1", "col1", "predicted_iou", "stability",
    "point_row", "point_col", "crop_row0", "crop_col0", "crop_row1", "crop_col1",
)  # fmt: skip
"""Boxes are half-open, in rows and columns of the plane; ``label_px`` is what the label file shows of it."""

_DIGITS = 4
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AutoJob:
    """What to segment, how, and where the results go.

    Parameters
    ----------
    image : ImageInput, Path or str
        The image, and how it is read.
    labels : Path
        Where the label volume goes; its suffix chooses the format.
    options : AutoOptions
        Which planes, and what is kept.
    series : str, optional
        Which of several volumes, where the image is given as a bare path.
    model : ModelChoice
        Which model, which weights, which device.
    table, rle : Path, optional
        A CSV and a JSON to write.
    """

    image: ImageInput | Place
    labels: Path
    options: AutoOptions = AutoOptions()  # noqa: RUF009 - frozen
    series: str | None = None
    model: ModelChoice = ModelChoice()  # noqa: RUF009 - frozen
    table: Path | None = None
    rle: Path | None = None

    @property
    def source(self) -> ImageInput:
        """The image, and how it is read."""
        return image_input(self.image, self.series)


def auto_file(job: AutoJob, *, progress: Progress = silent, cancel: Cancel | None = None) -> AutoResult:
    """Do a whole job: read the image, find everything, and write what is wanted.

    Everything that can be checked is checked before the work starts.

    Returns
    -------
    AutoResult

    Raises
    ------
    VolumeError
        The image cannot be read, or an output cannot be written.
    SamError
        Settings, a window or a model that cannot be used; Cancelled on request, and nothing is written.
    """
    cancel = cancel or Cancel()
    _check_before_reading(job)
    progress("reading", 0, 1)
    volume = job.source.read()
    cancel.check()
    check_label_format(job.labels, volume)
    for caveat in output_caveats(job.labels, volume):
        _logger.warning(caveat)
    progress("loading the model", 0, 1)
    segmenter = load_model(job.model)
    result = segment_everything(volume, segmenter, job.options, progress=progress, cancel=cancel)
    volumes.write(
        job.labels, result.labels, like=volume, segments=_segments(result, algorithm_name(segmenter.name))
    )
    if job.table is not None:
        write_bytes(job.table, table_csv(result).encode())
    if job.rle is not None:
        write_bytes(job.rle, coco_json(result, job.options.axis).encode())
    return result


def _segments(result: AutoResult, algorithm: str) -> tuple[Segment, ...]:
    """Colour the labels, and say what drew them; nobody has named them."""
    ids = sorted({one.id for one in result.found if one.label_px})
    return tuple(Segment(one, colour=object_colour(one), algorithm=algorithm) for one in ids)


def table_csv(result: AutoResult) -> str:
    """Make a table of all masks, one a row; see `TABLE_COLUMNS`."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(TABLE_COLUMNS)
    for one in result.found:
        mask = one.mask
        cells = (
            one.id, mask.plane.index, mask.area_px, one.label_px, *mask.box_hw, mask.predicted_iou,
            mask.stability, *mask.point_rc, *mask.crop.region,
        )  # fmt: skip
        writer.writerow(round_floats(list(cells), _DIGITS))
    return stream.getvalue()


def coco_json(result: AutoResult, axis: int) -> str:
    """Make a data set in COCO's form: each plane is an image, each mask an annotation.

    Masks are whole, also where the labels show a part of them only.
    """
    shape = result.labels.shape
    planes = {one.mask.plane: one.mask.plane.shape_hw(shape) for one in result.found}
    content = {
        "images": [
            {"id": plane.index, "height": hw[0], "width": hw[1], "axis": axis}
            for plane, hw in sorted(planes.items())
        ],
        "categories": [{"id": 1, "name": "object"}],
        "annotations": [
            _annotation(number, one, planes[one.mask.plane], result)
            for number, one in enumerate(result.found, start=1)
        ],
    }
    return json.dumps(round_floats(content, _DIGITS)) + "\n"


def _annotation(number: int, one: FoundMask, plane_hw: tuple[int, int], result: AutoResult) -> dict[str, Any]:
    # Booleans are not for JSON.
    form: MaskForm = "counts" if result.settings.form == "counts" else "compressed"
    record = mask_record(one.mask, plane_hw, form)
    image_id = one.mask.plane.index
    known = {"id": number, "image_id": image_id, "category_id": 1, "iscrowd": 0, "label": one.id}
    return {**known, **record}


def _check_before_reading(job: AutoJob) -> None:
    outputs = [path for path in (job.labels, job.table, job.rle) if path is not None]
    check_label_suffix(job.labels)
    if job.table is not None:
        check_suffix(job.table, (".csv",), "table")
    if job.rle is not None:
        check_suffix(job.rle, (".json",), "run lengths")
    check_outputs(local_paths(job.source), outputs)
    job.model.check()
    spec = zoo.get(describe_model(job.model.name or "default").name)
    changed_settings(spec.auto_masks, job.options.changes)
    if job.options.window is not None:
        parse_window(job.options.window)
