"""What an evaluation found: of each method, object by object, and in means by kind of image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from napari_sam.core.scores import auc, clicks_needed, correlation
from napari_sam.nodes.report import ModelRecord
from napari_sam.nodes.simulated_user import Answer
from napari_sam.nodes.volume_runs import VolumeOutcome
from napari_sam.nodes.volume_scores import dice_by_distance

__all__ = [
    "ALL", "COUNTED_CLICKS", "MEAN", "Evaluation", "Figures", "MethodResult", "PlaneOutcome",
    "by_kind", "plane_figures", "volume_figures",
]  # fmt: skip

Figures: TypeAlias = dict[str, float | int | None]

COUNTED_CLICKS = (1, 3, 5, 10)
WANTED_IOU = (0.85, 0.9)
GOOD_IOU = (0.75, 0.9)
ALL, MEAN = "all objects", "mean of kinds"


@dataclass(frozen=True)
class PlaneOutcome:
    """How a method did on one task.

    Attributes
    ----------
    id, image, kind, group : str
        The task, its image's path, its kind and its modality.
    area_px : int
        The object's area.
    box : Answer or None
        After one box; None for a method that takes none.
    clicks : tuple of Answer
        After each click; empty for a method that takes none.
    """

    id: str
    image: str
    kind: str
    group: str
    area_px: int
    box: Answer | None
    clicks: tuple[Answer, ...]

    def best_iou(self, n_clicks: int) -> float:
        """Return the best IoU within so many clicks."""
        return max(answer.iou for answer in self.clicks[:n_clicks])

    def iou_after(self, n_clicks: int) -> float:
        """Return the IoU after so many clicks; that of the last where no further one was needed."""
        return self.clicks[min(n_clicks, len(self.clicks)) - 1].iou


@dataclass(frozen=True)
class MethodResult:
    """All that was measured of one method.

    Attributes
    ----------
    title : str
        Its name for the tables.
    model : ModelRecord
        Name, weights, device.
    predicts_score : bool
        Whether its scores mean something.
    planes : tuple of PlaneOutcome
        In the order of the tasks.
    volumes : tuple of VolumeOutcome
        Empty where none were followed.
    seconds : dict of str to float
        Time by part.
    """

    title: str
    model: ModelRecord
    predicts_score: bool
    planes: tuple[PlaneOutcome, ...]
    volumes: tuple[VolumeOutcome, ...]
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes
    ----------
    settings : dict
        What was asked for, by the options' names.
    max_clicks : int
        Most clicks an object.
    methods : tuple of MethodResult
        The model first.
    seconds : float
        Time of it all.
    """

    settings: dict[str, str | int | float | bool | None]
    max_clicks: int
    methods: tuple[MethodResult, ...]
    seconds: float


def plane_figures(outcomes: Sequence[PlaneOutcome], max_clicks: int, predicts_score: bool) -> Figures:
    """Sum up some outcomes: means over the objects.

    ``iou_box`` and ``boundary_f_box`` are after one box; ``iou_1``, ``iou_3`` … after so many clicks;
    ``clicks_to_0.85`` counts at most `max_clicks`; ``above_0.75`` is the share of objects that get there
    within ten clicks. ``score_correlation`` and ``score_error`` (mean absolute) compare the predicted score
    with the true IoU over all answers. None stands where a method does not take such prompts.
    """
    figures: Figures = {"objects": len(outcomes), "images": len({outcome.image for outcome in outcomes})}
    boxes = [outcome.box for outcome in outcomes if outcome.box is not None]
    clicked = [outcome for outcome in outcomes if outcome.clicks]
    figures["iou_box"] = _mean(answer.iou for answer in boxes)
    figures["boundary_f_box"] = _mean(answer.boundary_f for answer in boxes)
    for n in COUNTED_CLICKS:
        figures[f"iou_{n}"] = _mean(one.iou_after(n) for one in clicked) if n <= max_clicks else None
    for wanted in WANTED_IOU:
        figures[f"clicks_to_{wanted}"] = _mean(
            clicks_needed([answer.iou for answer in one.clicks], wanted, max_clicks) for one in clicked
        )
    for good in GOOD_IOU:
        figures[f"above_{good}"] = _mean(one.best_iou(COUNTED_CLICKS[-1]) > good for one in clicked)
    answers = [*boxes, *(answer for one in clicked for answer in one.clicks)]
    scores, overlaps = [a.score for a in answers], [a.iou for a in answers]
    figures["answers"] = len(answers)
    figures["score_correlation"] = correlation(scores, overlaps) if predicts_score else None
    errors = (abs(score - overlap) for score, overlap in zip(scores, overlaps, strict=True))
    figures["score_error"] = _mean(errors) if predicts_score else None
    return figures


def volume_figures(outcomes: Sequence[VolumeOutcome]) -> Figures:
    """Sum up some objects of volumes: means over the objects; ``presence_auc`` over all planes beside ends.

    ``too_many`` and ``too_few`` count planes at both ends together; ``dice_at`` a band of distances in planes
    from the prompted one is None where no object reaches so far.
    """
    figures: Figures = {"objects": len(outcomes)}
    figures["dice"] = _mean(one.score.dice for one in outcomes)
    figures["dice_on_plane"] = _mean(one.score.anchor_dice for one in outcomes)
    figures["planes"] = _mean(one.score.n_planes for one in outcomes)
    figures["too_many"] = _mean(sum(one.score.too_many) for one in outcomes)
    figures["too_few"] = _mean(sum(one.score.too_few) for one in outcomes)
    holding = [said for one in outcomes for said in one.presence.holding]
    ended = [said for one in outcomes for said in one.presence.ended]
    has_opinion = len({*holding, *ended}) > 1
    figures["presence_auc"] = auc(holding, ended) if has_opinion else None
    figures["planes_beside_ends"] = len(holding) + len(ended)
    bands = dice_by_distance([one.score for one in outcomes])
    return figures | {f"dice_at_{band}": value for band, value in enumerate(bands)}


def by_kind(kinds: Iterable[str], figures_of: dict[str, Figures], overall: Figures) -> dict[str, Figures]:
    """Put figures in the order of a table: the kinds, all objects, and last the mean of the kinds.

    Means of counts are no counts: there the last line has the sum.
    """
    rows = {kind: figures_of[kind] for kind in kinds}
    mean: Figures = {}
    for key, value in overall.items():
        values = [row[key] for row in rows.values() if row[key] is not None]
        numbers = [float(number) for number in values if number is not None]
        mean[key] = value if isinstance(value, int) else (_mean(numbers) if numbers else None)
    return rows | {ALL: overall, MEAN: mean}


def _mean(values: Iterable[float]) -> float | None:
    listed = [float(value) for value in values]
    return float(np.mean(listed)) if listed else None
