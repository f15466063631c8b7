"""Figures known by hand, of methods that are perfect, empty, filling the box or off by a pixel."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from napari_sam.core.classical import BoxSegmenter, PointSegmenter
from napari_sam.core.classical_box import whole_box
from napari_sam.core.jobs import Cancel
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.core.window import Window
from napari_sam.errors import Cancelled, SamError
from napari_sam.nodes.evaluate import EvaluateJob, evaluate_folder, evaluate_method
from napari_sam.nodes.evaluation import (
    ALL,
    MEAN,
    Evaluation,
    MethodResult,
    PlaneOutcome,
    by_kind,
    plane_figures,
    volume_figures,
)
from napari_sam.nodes.evaluation_plot import plot_evaluation
from napari_sam.nodes.evaluation_report import evaluation_json, evaluation_text, planes_by_kind
from napari_sam.nodes.report import ModelRecord
from napari_sam.nodes.simulated_user import Answer
from napari_sam.nodes.tasks import Task, TaskLimits
from napari_sam.nodes.volume_runs import Presence, VolumeOutcome
from napari_sam.nodes.volume_scores import score_volume
from tests.nodes.test_simulated_user import square, task_of
from tests.nodes.test_volume_runs import folder
from volumes import Box, Volume

__all__ = ["folder"]


class KnowingSegmenter:
    """Answers with the object at 200 of 255, changed in a known way."""

    name = "knowing.test"
    prompts = frozenset({"point", "box", "mask"})

    def __init__(self, way: str, score: float = 0.8) -> None:
        self.way, self.score = way, score

    def segment(self, request: SegmentRequest) -> MaskPrediction:
        mask = request.plane.take(request.volume.data) == 200
        if self.way == "empty":
            mask = np.zeros_like(mask)
        elif self.way == "off by a pixel":
            mask = ndimage.binary_dilation(mask, np.ones((3, 3)))
        boxed = BoxedMask.of_plane(mask, request.plane, request.volume.shape)
        scores = np.full(3, self.score, np.float32)
        return MaskPrediction(request.plane, (boxed,) * 3, scores, np.zeros((3, 4, 4), np.float16))

    def prefetch(
        self,
        volume: Volume,
        planes: Sequence[PlaneRef],
        window: Window,
        cancel: Cancel | None = None,
        around: Box | None = None,
    ) -> None: ...


def diamond() -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:40, :50]
    return np.abs(rows - 20) + np.abs(columns - 25) <= 10


TASKS = (task_of(square()), task_of(diamond()))
JOB = EvaluateJob(Path("nowhere"))


def figures_of(way: str) -> dict[str, float | int | None]:
    method = evaluate_method(KnowingSegmenter(way), TASKS, (), JOB)
    return plane_figures(method.planes, 20, method.predicts_score)


def test_a_perfect_method() -> None:
    figures = figures_of("perfect")
    assert figures["objects"] == 2
    assert figures["images"] == 1
    assert figures["answers"] == 4
    for key in ("iou_box", "boundary_f_box", "iou_1", "iou_10", "above_0.75", "above_0.9", "clicks_to_0.9"):
        assert figures[key] == 1.0
    assert figures["score_correlation"] is None  # every answer is alike
    assert figures["score_error"] == pytest.approx(0.2)


def test_an_empty_method() -> None:
    figures = figures_of("empty")
    assert figures["answers"] == 42
    for key in ("iou_box", "boundary_f_box", "iou_1", "iou_10", "above_0.75", "above_0.9"):
        assert figures[key] == 0.0
    assert figures["clicks_to_0.85"] == figures["clicks_to_0.9"] == 20.0


def test_a_method_off_by_a_pixel() -> None:
    figures = figures_of("off by a pixel")
    grown = ndimage.binary_dilation(diamond(), np.ones((3, 3)))
    overlaps = (20**2 / 22**2, diamond().sum() / grown.sum())
    assert figures["iou_box"] == figures["iou_5"] == pytest.approx(np.mean(overlaps))
    assert figures["boundary_f_box"] == 1.0
    assert figures["above_0.75"] == 0.5  # 0.826 and 0.680
    assert figures["clicks_to_0.85"] == 20.0


def test_a_method_that_fills_the_box() -> None:
    method = evaluate_method(BoxSegmenter("whole box", whole_box), TASKS, (), JOB)
    figures = plane_figures(method.planes, 20, method.predicts_score)
    assert figures["iou_box"] == pytest.approx(np.mean([1.0, diamond().sum() / 21**2]))
    assert figures["iou_1"] is None
    assert figures["clicks_to_0.9"] is None
    assert figures["score_error"] is None  # it says nothing of its own quality
    assert method.title == "whole box"


def test_a_method_that_takes_points_gets_no_box() -> None:
    segmenter = PointSegmenter("bright", lambda image, point: image == 200)
    method = evaluate_method(segmenter, TASKS, (), JOB)
    figures = plane_figures(method.planes, 20, method.predicts_score)
    assert figures["iou_box"] is None
    assert figures["iou_3"] == 1.0


def outcome(
    kind: str, clicks: Sequence[float], box: float = 0.5, scores: Sequence[float] | None = None
) -> PlaneOutcome:
    said = [0.5] * len(clicks) if scores is None else scores
    answers = tuple(Answer(iou, score) for iou, score in zip(clicks, said, strict=True))
    return PlaneOutcome(f"{kind}#0", f"{kind}.png", kind, kind, 99, Answer(box, 0.5, 0.25), answers)


def test_clicks_are_counted_and_capped() -> None:
    climbing = [0.1, 0.2, 0.76, 0.86, 0.91]
    figures = plane_figures([outcome("a", climbing), outcome("b", [0.3] * 20)], 20, True)
    assert figures["iou_1"] == pytest.approx(0.2)
    assert figures["iou_3"] == pytest.approx(0.53)
    assert figures["iou_10"] == pytest.approx((0.91 + 0.3) / 2)  # no further click was needed
    assert figures["clicks_to_0.85"] == (4 + 20) / 2
    assert figures["clicks_to_0.9"] == (5 + 20) / 2
    assert figures["above_0.9"] == 0.5
    assert plane_figures([outcome("a", climbing[:3])], 3, True)["iou_5"] is None
    assert plane_figures([outcome("a", climbing[:3])], 3, True)["clicks_to_0.9"] == 3


def test_what_comes_after_ten_clicks_is_too_late() -> None:
    figures = plane_figures([outcome("a", [0.5] * 10 + [0.95])], 20, True)
    assert (figures["above_0.9"], figures["clicks_to_0.9"], figures["iou_10"]) == (0.0, 11.0, 0.5)


def test_score_against_truth_over_all_answers() -> None:
    one = outcome("a", [0.2, 0.4], box=0.6, scores=[0.3, 0.4])
    figures = plane_figures([one], 20, True)
    expected = np.corrcoef([0.5, 0.3, 0.4], [0.6, 0.2, 0.4])[0, 1]
    assert figures["score_correlation"] == pytest.approx(expected)
    assert figures["score_error"] == pytest.approx((0.1 + 0.1 + 0.0) / 3)


def test_each_kind_counts_once_in_the_last_line() -> None:
    outcomes = [outcome("a", [0.2]), outcome("a", [0.4]), outcome("b", [0.9])]
    rows = {kind: plane_figures([o for o in outcomes if o.kind == kind], 20, True) for kind in "ab"}
    table = by_kind("ab", rows, plane_figures(outcomes, 20, True))
    assert list(table) == ["a", "b", ALL, MEAN]
    assert table[ALL]["iou_1"] == pytest.approx(0.5)
    assert table[MEAN]["iou_1"] == pytest.approx(0.6)
    assert table[MEAN]["objects"] == 3


def volume_outcome(found: slice, presence: Presence) -> VolumeOutcome:
    truth, mask = np.zeros((20, 4, 4), bool), np.zeros((20, 4, 4), bool)
    truth[5:15], mask[found] = True, True
    score = score_volume(mask, truth, 10)
    return VolumeOutcome("v:liver", "CT organs", "CT", "liver", "liver", 160, 10, score, presence)


def test_volumes_are_summed_up() -> None:
    outcomes = [
        volume_outcome(slice(5, 15), Presence((0.9, 0.8), (0.1,))),
        volume_outcome(slice(3, 12), Presence((0.3,), (0.5, 0.2))),
    ]
    figures = volume_figures(outcomes)
    assert figures["dice"] == pytest.approx((1 + 14 / 19) / 2)
    assert (figures["too_many"], figures["too_few"]) == (1.0, 1.5)
    assert figures["presence_auc"] == pytest.approx((3 + 3 + 2) / 9)
    assert figures["planes_beside_ends"] == 6
    assert figures["dice_at_0"] == 1.0
    assert figures["dice_at_5"] is None
    silent = volume_figures([volume_outcome(slice(5, 15), Presence((1.0,), (1.0,)))])
    assert silent["presence_auc"] is None


def evaluation() -> Evaluation:
    box = (outcome("a", [0.2, 0.7]), outcome("b", [0.9]))
    volumes = (volume_outcome(slice(5, 15), Presence((0.9,), (0.1,))),)
    model = MethodResult("m", ModelRecord("m.v1", "abc", "cpu"), True, box, volumes, {"total": 1.0})
    peer_planes = tuple(PlaneOutcome(o.id, o.image, o.kind, o.group, o.area_px, o.box, ()) for o in box)
    peer = MethodResult("whole box", ModelRecord("classical.whole_box", "", ""), False, peer_planes, ())
    return Evaluation({"anchor": "middle", "max_clicks": 20}, 20, (model, peer), 2.0)


def test_the_text_has_every_table() -> None:
    text = evaluation_text(evaluation(), markdown=True)
    for line in ("| liver ", "| mean of kinds ", "Mean IoU after one box", "presence AUC", "| 21+", "1-2"):
        assert line in text
    assert "Mean IoU after one click" in text
    assert text.splitlines()[0].startswith("m: 2 objects in 2 images and 1 through volumes, 5 answers")


def test_the_json_holds_everything_and_times_apart() -> None:
    content = json.loads(evaluation_json(evaluation()))
    model, peer = content["methods"]
    assert model["planes"][MEAN]["iou_box"] == 0.5
    assert model["objects"][0]["clicks"] == {"iou": [0.2, 0.7], "score": [0.5, 0.5]}
    assert model["volumes"][ALL]["dice"] == 1.0
    assert model["structures"]["liver"]["objects"] == 1
    assert peer["planes"][ALL]["iou_1"] is None
    assert peer["volumes"] == {}
    assert content["boundary_tolerance_px"] == 2.0
    assert "seconds" not in json.dumps(content["methods"])


@pytest.mark.parametrize("n_methods", [1, 2])
def test_the_plot_is_a_picture(n_methods: int, tmp_path: Path) -> None:
    found = evaluation()
    found = Evaluation(found.settings, 20, found.methods[:n_methods], 2.0)
    (tmp_path / "plot.png").write_bytes(plot_evaluation(found))
    with Image.open(tmp_path / "plot.png") as picture:
        assert min(picture.size) > 800
        assert len(picture.convert("RGB").getcolors(10**6)) > 50


def _job(folder: Path, **changes: object) -> EvaluateJob:
    return EvaluateJob(folder, limits=TaskLimits(6, 2), max_clicks=3, **changes)  # type: ignore[arg-type]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.fakes import FakeSegmenter

    monkeypatch.setattr("napari_sam.engine.loading.load_segmenter", lambda *_: FakeSegmenter())


@pytest.mark.usefixtures("model")
def test_a_folder_gives_the_same_json_twice(folder: Path) -> None:
    contents = []
    for name in ("one.json", "two.json"):
        evaluate_folder(_job(folder, baselines=True, json=folder / name))
        contents.append(json.loads((folder / name).read_text()))
        assert contents[-1].pop("seconds")
    assert contents[0] == contents[1]
    methods = {method["title"]: method for method in contents[0]["methods"]}
    assert len(methods) == 7
    assert methods["fake.test"]["planes"]["CT organs"]["iou_box"] > 0.95
    assert methods["fake.test"]["volumes"]["CT organs"]["dice"] > 0.95
    assert methods["whole box"]["volumes"]["CT organs"]["dice"] > 0.3
    assert methods["watershed"]["volumes"] == {}


@pytest.mark.usefixtures("model")
def test_one_kind_alone_gives_the_figures_it_had_among_others(folder: Path) -> None:
    every = evaluate_folder(_job(folder))
    alone = evaluate_folder(_job(folder, only="ct ORG", volumes=False))
    assert {one.kind for one in alone.methods[0].planes} == {"CT organs"}
    rows = [planes_by_kind(found.methods[0], 3)["CT organs"] for found in (every, alone)]
    assert rows[0] == rows[1]
    assert alone.methods[0].volumes == ()


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"only": "radar"}, "'radar'.*CT organs"),
        ({"max_clicks": 0}, "max-clicks is 0"),
        ({"limits": TaskLimits(per_kind=0)}, "per-kind is 0"),
        ({"limits": TaskLimits(jitter=0.5)}, "jitter is 0.5"),
        ({"anchor": "first"}, "'first'; give middle or largest"),
        ({"folder": Path("gone")}, "gone"),
    ],
)
def test_what_cannot_be_measured_is_named(folder: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(SamError, match=message):
        evaluate_folder(EvaluateJob(**({"folder": folder} | changes)))  # type: ignore[arg-type]


@pytest.mark.usefixtures("model")
def test_a_cancelled_run_writes_nothing(folder: Path) -> None:
    cancel = Cancel()

    def stop_at_the_volumes(stage: str, n_done: int, n_total: int) -> None:
        if stage.startswith("boxes"):
            cancel.cancel()

    job = _job(folder, json=folder / "out.json")
    with pytest.raises(Cancelled):
        evaluate_folder(job, progress=stop_at_the_volumes, cancel=cancel)
    assert not list(folder.glob("*out*"))


def test_the_real_folder(shared_data: Path) -> None:
    from napari_sam.nodes.models import ModelChoice

    limits = TaskLimits(per_kind=2, per_item=1)
    job = EvaluateJob(shared_data / "eval", ModelChoice(device="cpu"), limits=limits, only="fundus")
    found = evaluate_folder(job)
    (method,) = found.methods
    assert len(method.planes) == 2
    assert all(1 <= len(one.clicks) <= 20 for one in method.planes)
    tasks: list[Task] = []
    assert evaluate_method(KnowingSegmenter("perfect"), tasks, (), job).planes == ()
