"""``napari-sam auto``: what is typed, what is said, how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import volumes
from napari_sam.cli.main import main
from napari_sam.core.auto_plan import AutoMaskSettings
from napari_sam.core.window import Window
from napari_sam.errors import Cancelled
from napari_sam.nodes.auto import AutoResult


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect what the command asks for, in place of doing it."""
    seen: list[Any] = []

    def take(job: Any, **_: Any) -> AutoResult:
        seen.append(job)
        return AutoResult(np.zeros((1, 2, 2), np.uint16), (), Window(0, 1), AutoMaskSettings())

    monkeypatch.setattr("napari_sam.nodes.auto_file.auto_file", take)
    return seen


def test_everything_typed_arrives(
    jobs: list[Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    grids = tmp_path / "grids.json"
    grids.write_text("[[[0.5, 0.25]]]")
    settings = {
        "points-per-side": 5, "points-per-batch": 6, "pred-iou-threshold": 0.1, "box-nms-threshold": 0.2,
        "stability-score-threshold": 0.3, "stability-score-offset": 0.4, "presence-threshold": 0.5,
        "crop-n-layers": 1, "crop-nms-threshold": 0.6, "crop-overlap-ratio": 0.7,
        "crop-n-points-downscale-factor": 2, "min-mask-region-area": 8,
    }  # fmt: skip
    typed = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
    typed += ["--point-grids", str(grids), "--rle-form", "counts", "--on-top", "smaller", "--link"]
    typed += ["--min-visible-share", "0.9", "--min-area-px", "4", "--max-area-share", "0.8"]
    typed += ["--plane", "3", "--axis", "1", "--window", "0,9", "--table", "t.csv", "--rle", "m.json"]
    assert main(["auto", "in.nrrd", "-o", "out.nrrd", *typed]) == 0
    assert "0 masks, 0 labels" in capsys.readouterr().out
    options = jobs[0].options
    expected = {name.replace("-", "_"): value for name, value in settings.items()}
    assert options.changes == {**expected, "form": "counts", "point_grids": [[[0.5, 0.25]]]}
    assert (options.axis, options.planes, options.window, options.link) == (1, (3, 4), "0,9", True)
    assert (options.rules.on_top, options.rules.min_visible_share) == ("smaller", 0.9)
    assert (options.rules.min_area_px, options.rules.max_area_share) == (4, 0.8)
    assert (jobs[0].table, jobs[0].rle) == (Path("t.csv"), Path("m.json"))


def test_what_is_not_typed_is_left_to_the_model(jobs: list[Any]) -> None:
    assert main(["auto", "in.nrrd", "-o", "out.nrrd", "--planes", "2:5"]) == 0
    assert jobs[0].options.changes == {}
    assert jobs[0].options.planes == (2, 5)


@pytest.mark.parametrize(("typed", "asked"), [("--seeds", True), ("--no-seeds", False)])
def test_seeds_can_be_asked_for_and_left_out(jobs: list[Any], typed: str, asked: bool) -> None:
    assert main(["auto", "ct.nii", "-o", "o.nii", typed]) == 0
    assert jobs[0].options.changes == {"seeds": asked}


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        (["--plane", "1", "--range", "0:2"], "--plane and --range are both given"),
        (["--plane", "-1"], "--plane is -1"),
        (["--points-per-side", "many"], "points-per-side"),
        (["--point-grids", "nowhere.json"], "cannot read nowhere.json"),
        (["--max-area-share", "3"], "max_area_share is 3"),
    ],
)
def test_what_cannot_be_used_is_one_line(
    typed: list[str], part: str, jobs: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["auto", "in.nrrd", "-o", "out.nrrd", *typed]) == 2
    said = capsys.readouterr().err
    assert part in said
    assert said.count("\n") == 1
    assert jobs == []


def test_a_file_that_is_no_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grids = tmp_path / "grids.json"
    grids.write_text("0.5 0.5")
    assert main(["auto", "in.nrrd", "-o", "out.nrrd", "--point-grids", str(grids)]) == 2
    assert "is no JSON" in capsys.readouterr().err


def test_an_image_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["auto", str(tmp_path / "no.png"), "-o", str(tmp_path / "out.png")]) == 2
    assert "no.png" in capsys.readouterr().err


def test_cancelling_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise Cancelled("stopped")

    monkeypatch.setattr("napari_sam.nodes.auto_file.auto_file", stop)
    assert main(["auto", "in.nrrd", "-o", "out.nrrd"]) == 130
    assert "nothing was written" in capsys.readouterr().err


def test_the_model_that_ships_finds_bright_discs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a picture to labels and a table, with nothing but the defaults (and a coarser grid, for time)."""
    from PIL import Image

    rows, cols = np.indices((96, 96))
    picture = np.full((96, 96), 30, np.uint8)
    middles = [(24, 24), (24, 70), (68, 40)]
    for row, col in middles:
        picture[(rows - row) ** 2 + (cols - col) ** 2 < 12**2] = 180
    Image.fromarray(picture).save(tmp_path / "discs.png")
    typed = ["--points-per-side", "6", "--device", "cpu", "--rle", str(tmp_path / "masks.json")]
    out = tmp_path / "labels.png"
    assert main(["auto", str(tmp_path / "discs.png"), "-o", str(out), *typed]) == 0
    labels = volumes.read(out).data[0]
    ids = [int(labels[middle]) for middle in middles]
    assert len(set(ids) - {0}) == 3
    for found in ids:
        assert 0.6 < np.count_nonzero(labels == found) / (np.pi * 12**2) < 1.4
    annotations = json.loads((tmp_path / "masks.json").read_text())["annotations"]
    assert set(ids) <= {annotation["label"] for annotation in annotations}
