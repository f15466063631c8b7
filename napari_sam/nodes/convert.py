"""From one format to another: images with their geometry, labels with their names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import volumes
from napari_sam.nodes.image_input import ImageInput, local_paths
from napari_sam.nodes.label_files import is_label_output, label_kind, read_labels
from napari_sam.nodes.names_file import named_segments, read_names
from napari_sam.nodes.outputs import check_label_suffix, check_outputs, check_suffix, output_caveats
from napari_sam.nodes.progress import Progress, silent
from volumes import Geometry, LabelVolume, Provenance, Segment, Volume

__all__ = ["ConvertJob", "ConvertResult", "convert_file"]


@dataclass(frozen=True)
class ConvertJob:
    """What is converted, and into what.

    Parameters
    ----------
    source : ImageInput
        An image, or a file of labels.
    output : Path
        Where it goes; its suffix chooses the format.
    like : ImageInput, optional
        The image that the labels belong to: they are put onto its grid, and written beside it.
    as_labels : bool, optional
        Whether it is labels. None decides by the content: a DICOM SEG, an RTSTRUCT and COCO JSON are labels,
        so is whatever has names or an image that it belongs to, and what goes into a format of labels alone;
        all else is an image.
    names : Path, optional
        A JSON of names and colours, as `napari_sam.nodes.names_file.read_names` takes it.
    """

    source: ImageInput
    output: Path
    like: ImageInput | None = None
    as_labels: bool | None = None
    names: Path | None = None

    @property
    def is_labels(self) -> bool:
        """Whether it is labels that are converted."""
        if self.as_labels is not None:
            return self.as_labels
        has_image = self.like is not None or self.names is not None
        return has_image or bool(label_kind(self.source.place)) or is_label_output(self.output)


@dataclass(frozen=True)
class ConvertResult:
    """What was written.

    Attributes
    ----------
    is_labels : bool
        Whether it is labels.
    geometry : Geometry
        Its grid.
    dtype : str
        Of the values that were read.
    segments : tuple of Segment
        The objects, where it is labels.
    notes : tuple of str
        What was assumed, changed or left out, one sentence each.
    """

    is_labels: bool
    geometry: Geometry
    dtype: str
    segments: tuple[Segment, ...]
    notes: tuple[str, ...]


def convert_file(job: ConvertJob, *, progress: Progress = silent) -> ConvertResult:
    """Read an image or labels, and write them in another format, whole or not at all.

    Values stay as they are. An image of whole numbers may go from NIfTI to NRRD without being called labels;
    names, colours and the images that DICOM refers to need that it is.

    Raises
    ------
    VolumeError
        What cannot be read, or not be held by the format; an output that cannot be written, or is an input.
    InvalidPrompt
        A file of names that cannot be used.
    """
    if job.is_labels:
        check_label_suffix(job.output)
    else:
        check_suffix(job.output, volumes.image_suffixes(), "image")
    inputs = [*local_paths(job.source, job.like), *([] if job.names is None else [job.names])]
    check_outputs(inputs, [job.output])
    named = () if job.names is None else read_names(job.names)
    progress("reading", 0, 1)
    return _convert_labels(job, named, progress) if job.is_labels else _convert_image(job, progress)


def _convert_image(job: ConvertJob, progress: Progress) -> ConvertResult:
    volume = job.source.read()
    progress("writing", 0, 1)
    volumes.write_image(job.output, volume)
    notes = (*volume.provenance.notes, *output_caveats(job.output, volume))
    return ConvertResult(False, volume.geometry, str(volume.data.dtype), (), notes)


def _convert_labels(job: ConvertJob, named: Sequence[Segment], progress: Progress) -> ConvertResult:
    like = None if job.like is None else job.like.read()
    labels = read_labels(job.source, like)
    image = _image_of(labels) if like is None else like
    segments = named_segments(labels, named)
    progress("writing", 0, 1)
    volumes.write(job.output, labels.data, like=image, segments=segments)
    notes = labels.notes if like is None else (*like.provenance.notes, *labels.notes)
    notes = tuple(dict.fromkeys((*notes, *_unused(segments, named), *output_caveats(job.output, image))))
    return ConvertResult(True, labels.geometry, str(labels.data.dtype), segments, notes)


def _unused(segments: Sequence[Segment], named: Sequence[Segment]) -> tuple[str, ...]:
    """Say which names had nothing to name."""
    found = {one.value for one in segments}
    unused = [str(one.value) for one in named if one.value not in found]
    return (f"no voxel has the value {', '.join(unused)}, which was named",) if unused else ()


def _image_of(labels: LabelVolume) -> Volume:
    """Stand in for the image that labels belong to where it is not at hand: their grid is known, no more."""
    return Volume(labels.data, labels.geometry, Provenance("labels"))
