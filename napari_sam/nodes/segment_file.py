"""The whole job from files to files: read, segment, write labels, preview and report."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import volumes
from napari_sam.core.jobs import Cancel
from napari_sam.core.naming import algorithm_name, object_segments
from napari_sam.core.segmenter import Segmenter
from napari_sam.core.session import Session
from napari_sam.core.window import Window, parse_window, resolve_window
from napari_sam.nodes.image_input import ImageInput, Place, image_input, local_paths
from napari_sam.nodes.models import ModelChoice, load_model, model_record
from napari_sam.nodes.object_prompts import ObjectPrompts, check_objects
from napari_sam.nodes.outputs import (
    check_label_format,
    check_label_suffix,
    check_outputs,
    check_suffix,
    output_caveats,
    write_bytes,
)
from napari_sam.nodes.progress import Progress, Stopwatch, silent
from napari_sam.nodes.report import RunReport, report_to_json
from napari_sam.nodes.segment import SegmentOptions, SegmentResult, segment_volume
from napari_sam.nodes.sessions import adopt_labels, open_session
from napari_sam.store.session_file import ModelReference, SessionFolder
from volumes import Segment, Volume

__all__ = ["SegmentJob", "segment_file"]

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SegmentJob:
    """What to segment, how, and where the results go.

    Parameters
    ----------
    image : ImageInput, Path or str
        The image, and how it is read.
    labels : Path
        Where the label volume goes; its suffix chooses the format.
    objects : tuple of ObjectPrompts
        What to segment; all planes across one axis.
    options : SegmentOptions
        How far the prompts reach.
    window : str, optional
        As in `parse_window`; chosen from the volume when None.
    series : str, optional
        Which of several volumes, where the image is given as a bare path.
    model : ModelChoice
        Which model, which weights, which device.
    session, preview, report : Path, optional
        A session folder, a PNG and a JSON to write.
    labels_in : ImageInput, optional
        Labels to begin with, onto the image's grid: their objects keep their voxels, names and ids, but for
        those that this job segments itself, which start anew.
    """

    image: ImageInput | Place
    labels: Path
    objects: tuple[ObjectPrompts, ...]
    options: SegmentOptions = SegmentOptions()  # noqa: RUF009 - frozen
    window: str | None = None
    series: str | None = None
    model: ModelChoice = ModelChoice()  # noqa: RUF009 - frozen
    session: Path | None = None
    preview: Path | None = None
    report: Path | None = None
    labels_in: ImageInput | None = None

    @property
    def source(self) -> ImageInput:
        """The image, and how it is read."""
        return image_input(self.image, self.series)

    @property
    def axis(self) -> int:
        """The axis that the prompted planes cut across."""
        return self.objects[0].by_plane[0][0].axis


def segment_file(job: SegmentJob, *, progress: Progress = silent, cancel: Cancel | None = None) -> RunReport:
    """Do a whole job: read the image, segment, and write what is wanted.

    Everything that can be checked is checked before the work starts. With a session folder, every change is
    on disk as soon as it is made; a folder that holds a session of the same image is gone on with: its other
    objects are kept, those of this job start anew.

    Returns
    -------
    RunReport
        What ``--report`` writes.

    Raises
    ------
    VolumeError
        The image cannot be read, or an output cannot be written.
    SamError
        A prompt, window, model or session that cannot be used; Cancelled on request.
    """
    cancel = cancel or Cancel()
    watch = Stopwatch()
    _check_before_reading(job)
    progress("reading", 0, 1)
    with watch.stage("read_s"):
        volume = job.source.read()
    cancel.check()
    check_objects(job.objects, volume.shape, job.options.planes)
    check_label_format(job.labels, volume, len(job.objects))
    for caveat in output_caveats(job.labels, volume):
        _logger.warning(caveat)
    window = resolve_window(volume, job.window)
    folder = None if job.session is None else SessionFolder(job.session)
    asked_for = [one.id for one in job.objects]
    session = open_session(volume, window, folder, asked_for)
    known = {} if job.labels_in is None else adopt_labels(session, job.labels_in, asked_for)
    progress("loading the model", 0, 1)
    with watch.stage("load_model_s"):
        segmenter = load_model(job.model)
    cancel.check()
    with _kept(session, folder, segmenter):
        result = segment_volume(
            session, segmenter, job.objects, job.options, progress=progress, cancel=cancel
        )
    segments = object_segments(session.objects.values(), algorithm_name(segmenter.name), known)
    return _write(job, _report(job, session, segmenter, result), (result, segments), watch)


def _check_before_reading(job: SegmentJob) -> None:
    outputs = [path for path in (job.labels, job.preview, job.report) if path is not None]
    check_label_suffix(job.labels)
    if job.preview is not None:
        check_suffix(job.preview, (".png",), "preview")
    if job.report is not None:
        check_suffix(job.report, (".json",), "report")
    check_outputs(local_paths(job.source, job.labels_in), outputs)
    job.model.check()
    if job.window is not None:
        parse_window(job.window)


@contextmanager
def _kept(session: Session, folder: SessionFolder | None, segmenter: Segmenter) -> Iterator[None]:
    """Keep every change in the session folder, whatever ends the work."""
    if folder is None:
        yield
        return
    record = model_record(segmenter)
    model = ModelReference(record.name, record.weights_sha256)
    folder.begin(session, model)
    folder.follow(session)
    try:
        yield
    finally:
        folder.unfollow(session)
        folder.save(session, model)


def _report(job: SegmentJob, session: Session, segmenter: Segmenter, result: SegmentResult) -> RunReport:
    return RunReport(
        model_record(segmenter), session.window, session.volume, job.axis,
        result.times, result.cache, result.objects,
    )  # fmt: skip


def _write(
    job: SegmentJob,
    report: RunReport,
    found: tuple[SegmentResult, tuple[Segment, ...]],
    watch: Stopwatch,
) -> RunReport:
    """Write labels, preview and report, in this order; everything that may fail in making is made before."""
    result, segments = found
    with watch.stage("write_s"):
        picture = None
        if job.preview is not None:
            picture = _picture(job, report.volume, report.window, result)
        volumes.write(job.labels, result.labels, like=report.volume, segments=segments)
        if job.preview is not None and picture is not None:
            write_bytes(job.preview, picture)
    times = replace(
        report.times,
        read_s=watch.stages_s["read_s"],
        load_model_s=watch.stages_s["load_model_s"],
        write_s=watch.stages_s["write_s"],
        total_s=watch.total_s,
    )
    report = replace(report, times=times)
    if job.report is not None:
        write_bytes(job.report, report_to_json(report))
    return report


def _picture(job: SegmentJob, volume: Volume, window: Window, result: SegmentResult) -> bytes:
    from napari_sam.nodes.preview import PreviewScene, render_preview

    return render_preview(PreviewScene(volume, result.labels, window, job.axis, job.objects))
