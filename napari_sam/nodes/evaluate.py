"""Evaluating: simulated boxes and clicks on images with masks, by a model and by classical methods."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from napari_sam.core.classical import classical_segmenters
from napari_sam.core.jobs import Cancel
from napari_sam.core.labelled_folder import LabelledItem, list_labelled
from napari_sam.core.segmenter import Segmenter
from napari_sam.errors import InvalidDataset, SettingsError
from napari_sam.nodes.evaluation import COUNTED_CLICKS, Evaluation, MethodResult, PlaneOutcome
from napari_sam.nodes.evaluation_plot import plot_evaluation
from napari_sam.nodes.evaluation_report import evaluation_json
from napari_sam.nodes.kinds import kind_of, kinds_in_order
from napari_sam.nodes.measured import count_work
from napari_sam.nodes.models import ModelChoice, load_model, model_record
from napari_sam.nodes.outputs import check_outputs, check_suffix, write_bytes
from napari_sam.nodes.progress import Progress, Stopwatch, silent
from napari_sam.nodes.simulated_user import answer_box, answer_clicks
from napari_sam.nodes.tasks import Task, TaskLimits, make_tasks
from napari_sam.nodes.volume_objects import VolumeObject, choose_volume_objects
from napari_sam.nodes.volume_runs import VolumeOutcome, VolumeRule, follow_objects
from napari_sam.settings import Settings

__all__ = ["EvaluateJob", "evaluate_folder", "evaluate_method"]

_ANCHORS = ("middle", "largest")
_RAM_BYTES = 512 * 2**20


@dataclass(frozen=True)
class EvaluateJob:
    """What to measure, and where the results go.

    Parameters
    ----------
    folder : Path
        Images with masks, as `napari_sam.core.labelled_folder.list_labelled` understands them.
    model : ModelChoice
        The model.
    baselines : bool
        Measure the classical methods too.
    limits : TaskLimits
        How many tasks, and how boxes are drawn.
    only : str, optional
        Only kinds of image that have this in their name.
    max_clicks : int
        Most clicks an object, 1 or more.
    volumes : bool
        Follow objects through volumes.
    anchor : str
        ``"middle"`` or ``"largest"``: the plane of an object that gets the box.
    json, plot : Path, optional
        Files for all figures, and for a picture of them.
    """

    folder: Path
    model: ModelChoice = ModelChoice()  # noqa: RUF009 - frozen
    baselines: bool = False
    limits: TaskLimits = TaskLimits()  # noqa: RUF009 - frozen
    only: str | None = None
    max_clicks: int = 20
    volumes: bool = True
    anchor: str = "middle"
    json: Path | None = None
    plot: Path | None = None

    def check(self) -> None:
        """Check what can be checked before anything is read.

        Raises
        ------
        SettingsError
            A limit that leaves nothing to measure, or a jitter or anchor that cannot be used.
        SamError, VolumeError
            A model that cannot be had, or an output that cannot be written.
        """
        for name, value in (
            ("per-kind", self.limits.per_kind),
            ("per-item", self.limits.per_item),
            ("max-clicks", self.max_clicks),
        ):
            if value < 1:
                raise SettingsError(f"--{name} is {value}, which leaves nothing to measure; give 1 or more")
        if not 0 <= self.limits.jitter < 0.5:
            raise SettingsError(
                f"--jitter is {self.limits.jitter:g}; give a share of the box from 0 to below 0.5"
            )
        if self.anchor not in _ANCHORS:
            raise SettingsError(f"--anchor is {self.anchor!r}; give {' or '.join(_ANCHORS)}")
        for path, suffix, what in ((self.json, ".json", "figures"), (self.plot, ".png", "plot")):
            if path is not None:
                check_suffix(path, [suffix], what)
        check_outputs([self.folder], [path for path in (self.json, self.plot) if path is not None])
        self.model.check()


def evaluate_folder(
    job: EvaluateJob, *, progress: Progress = silent, cancel: Cancel | None = None
) -> Evaluation:
    """Measure a model, and the classical methods where wanted, on a folder; writes the job's files.

    Raises
    ------
    InvalidDataset
        A folder without images and masks, without objects, or without the kind that is wanted.
    SamError, VolumeError
        A model, an image or an output that cannot be used; nothing is written then.
    Cancelled
        On request; nothing is written.
    """
    job.check()
    started_s, cancel = time.perf_counter(), cancel or Cancel()
    items = _chosen_items(list_labelled(job.folder), job.only)
    segmenters: list[Segmenter] = [_load(job.model)]
    if job.baselines:
        segmenters += classical_segmenters()
    tasks = make_tasks(job.folder, items, job.limits, progress=_watched(progress, cancel))
    objects = []
    if job.volumes:
        watched = _watched(progress, cancel)
        objects = choose_volume_objects(job.folder, items, job.limits, progress=watched)
    if not tasks:
        raise InvalidDataset(
            f"{job.folder} has no object of 30 pixels or more in a plane; check that the masks are labels"
        )
    methods = tuple(
        evaluate_method(segmenter, tasks, objects, job, progress=progress, cancel=cancel)
        for segmenter in segmenters
    )
    found = Evaluation(_settings(job), job.max_clicks, methods, time.perf_counter() - started_s)
    contents = [(job.json, evaluation_json), (job.plot, plot_evaluation)]
    written = [(path, make(found)) for path, make in contents if path is not None]
    for path, content in written:
        write_bytes(path, content)
    return found


def evaluate_method(
    segmenter: Segmenter,
    tasks: Sequence[Task],
    objects: Sequence[VolumeObject],
    job: EvaluateJob,
    *,
    progress: Progress = silent,
    cancel: Cancel | None = None,
) -> MethodResult:
    """Measure one method: boxes and clicks as far as it takes them, and volumes where it takes a box.

    Parameters
    ----------
    segmenter : Segmenter
        The method.
    tasks : sequence of Task
        Objects in planes.
    objects : sequence of VolumeObject
        Objects to follow through volumes.
    job : EvaluateJob
        How many clicks, which plane gets the box, and how it is drawn.
    progress : Progress
        Told after each object.
    cancel : Cancel, optional
        Looked at before each object.
    """
    cancel, watch, before = cancel or Cancel(), Stopwatch(), count_work(segmenter)
    title = str(getattr(segmenter, "title", segmenter.name))
    planes = []
    with watch.stage("planes"):
        for number, task in enumerate(tasks, start=1):
            cancel.check()
            planes.append(_answered(segmenter, task, job.max_clicks))
            progress(f"boxes and clicks: {title}", number, len(tasks))
    followed: list[VolumeOutcome] = []
    if "box" in segmenter.prompts and objects:
        rule = VolumeRule(job.anchor, job.limits.jitter)
        with watch.stage("volumes"):
            followed = list(follow_objects(segmenter, objects, rule, progress=progress, cancel=cancel))
    order = {one.id: number for number, one in enumerate(objects)}
    followed.sort(key=lambda one: order[one.id])
    work = count_work(segmenter).since(before)
    seconds = watch.stages_s | {"encode": work.encode_s, "decode": work.decode_s, "total": watch.total_s}
    predicts_score = bool(getattr(segmenter, "predicts_score", True))
    return MethodResult(
        title, model_record(segmenter), predicts_score, tuple(planes), tuple(followed), seconds
    )


def _answered(segmenter: Segmenter, task: Task, max_clicks: int) -> PlaneOutcome:
    takes = segmenter.prompts
    box = answer_box(segmenter, task) if "box" in takes else None
    clicks = answer_clicks(segmenter, task, max_clicks, COUNTED_CLICKS[-1]) if "point" in takes else ()
    image, area_px = task.id.rpartition("#")[0], int(task.mask.sum())
    return PlaneOutcome(task.id, image, task.kind, task.group, area_px, box, clicks)


def _chosen_items(items: Sequence[LabelledItem], only: str | None) -> list[LabelledItem]:
    chosen = [item for item in items if only is None or only.lower() in kind_of(item).lower()]
    if not chosen:
        raise InvalidDataset(
            f"no kind of image has {only!r} in its name; there are {', '.join(kinds_in_order(items))}"
        )
    return chosen


def _load(choice: ModelChoice) -> Segmenter:
    """Load the model; what it encodes here is not worth a place in the cache on disk."""
    settings = replace(Settings.resolve(), disk_budget_bytes=0, ram_budget_bytes=_RAM_BYTES)
    return load_model(choice, settings)


def _watched(progress: Progress, cancel: Cancel) -> Progress:
    """Look for a wish to stop each time that progress is told."""

    def tell(stage: str, n_done: int, n_total: int) -> None:
        progress(stage, n_done, n_total)
        cancel.check()

    return tell


def _settings(job: EvaluateJob) -> dict[str, str | int | float | bool | None]:
    return {
        "folder": str(job.folder),
        **asdict(job.limits),
        "only": job.only,
        "max_clicks": job.max_clicks,
        "volumes": job.volumes,
        "anchor": job.anchor,
        "baselines": job.baselines,
    }
