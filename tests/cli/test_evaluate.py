"""``napari-sam evaluate``: what it prints and writes, and one line for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from napari_sam.cli.main import main
from tests.fakes import FakeSegmenter
from tests.nodes.test_volume_runs import folder

__all__ = ["folder"]


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_sam.engine.loading.load_segmenter", lambda *_: FakeSegmenter())


def test_tables_json_and_plot(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, plot = folder / "out.json", folder / "out.png"
    arguments = [
        "evaluate",
        str(folder),
        "--only",
        "CT",
        "--max-clicks",
        "3",
        "--markdown",
        "--jitter",
        "0.05",
    ]
    assert main([*arguments, "--json", str(out), "--plot", str(plot)]) == 0
    printed = capsys.readouterr().out
    assert "| mean of kinds |" in printed
    assert "Organs" in printed
    assert "spleen" in printed
    assert json.loads(out.read_text())["settings"]["jitter"] == 0.05
    assert plot.read_bytes()[1:4] == b"PNG"


def test_planes_alone_with_baselines(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(folder), "--no-volumes", "--baselines", "--per-kind", "1"]) == 0
    printed = capsys.readouterr().out
    assert "random walker" in printed
    assert "Through volumes" not in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone"], "there is no folder gone"),
        (["--only", "radar"], "there are CT organs, MR organs, 3-D microscopy"),
        (["--per-kind", "0"], "--per-kind is 0"),
        (["--per-item", "-1"], "--per-item is -1"),
        (["--jitter", "2"], "--jitter is 2"),
        (["--json", "out.txt"], "ends in .json"),
        (["--plot", "out.jpg"], "ends in .png"),
        (["--json", "gone/out.json"], "there is no folder gone"),
        (["--weights", "gone.safetensors"], "gone.safetensors"),
        (["--model", "nothing"], "nothing"),
    ],
)
def test_one_line_for_what_is_wrong(
    folder: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))
    given = arguments if arguments == ["gone"] else [str(folder), *arguments]
    assert main(["evaluate", *given]) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.err.count("\n") == 1
    assert printed.out == ""
    assert sorted(folder.rglob("*")) == before


def test_a_broken_image_ends_it_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "ct.nii.gz").write_bytes(b"nothing of the kind")
    assert main(["evaluate", str(folder), "--json", str(folder / "out.json")]) == 2
    assert "ct.nii.gz" in capsys.readouterr().err
    assert not (folder / "out.json").exists()
