"""``napari-sam train``: from a folder to weights that ``segment`` takes, and one line where it cannot."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from napari_sam.cli.main import main
from napari_sam.training.fitting import Fitter
from napari_sam.zoo.spec import ModelSpec
from tests.cli.running import assert_one_line, run
from tests.training.conftest import folder, tiny_weights, tiny_zoo

__all__ = ["folder", "tiny_weights", "tiny_zoo"]

Shown = pytest.CaptureFixture[str]


@pytest.fixture
def command(folder: Path, tmp_path: Path, tiny_zoo: ModelSpec, tiny_weights: Path) -> list[str]:
    return [
        "train", str(folder), "--out", str(tmp_path / "run"), "--model", tiny_zoo.name,
        "--weights", str(tiny_weights), "--device", "cpu", "--steps", "4", "--pairs", "1",
        "--check-every", "2", "--held-out", "0.25", "--precision", "float32", "--seed", "3",
    ]  # fmt: skip


def test_what_it_prints_at_the_end_segments_an_image(
    command: list[str], folder: Path, tmp_path: Path, capsys: Shown
) -> None:
    code, shown, err = run([*command, "--tune", "adapters", "--rank", "2"], capsys)
    assert code == 0
    assert re.search(r"held out, mean IoU: box 0\.\d{3} -> 0\.\d{3}", shown)
    assert "step 4, loss" in err
    use = re.search(r"use: +napari-sam (.*)", shown)
    assert use is not None
    typed = use[1].split()
    typed[1], typed[3], typed[5] = str(folder / "images" / "ann.nrrd"), str(tmp_path / "o.nrrd"), "4,20,12"
    assert main([*typed, "--device", "cpu", "--plane-only"]) == 0
    assert (tmp_path / "o.nrrd").is_file()


def test_ctrl_c_saves_and_says_how_to_go_on(
    command: list[str], tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_step = Fitter.take_step

    def interrupted(self: Fitter, pairs: Any) -> float:
        if self.step == 1:
            signal.raise_signal(signal.SIGINT)
        return take_step(self, pairs)

    with monkeypatch.context() as patch:
        patch.setattr(Fitter, "take_step", interrupted)
        code, _, err = run(command, capsys)
    assert_one_stop(code, err)
    shown = re.search(r"go on with: napari-sam (.*)", err)
    assert shown is not None
    code, out, err = run(shown[1].split(), capsys)
    assert code == 0
    assert "steps:   4 (all steps done)" in out
    assert "step 0," not in err


def assert_one_stop(code: int, err: str) -> None:
    assert code == 130
    assert err.splitlines()[-1].startswith("napari-sam: stopped after step 2, which is saved")


def test_a_run_goes_on_with_the_command_it_shows(command: list[str], capsys: Shown) -> None:
    assert run(command, capsys)[0] == 0
    code, shown, err = run([*command[:4], "--resume", "--steps", "6"], capsys)
    assert code == 0
    assert "steps:   6" in shown
    assert "step 2," not in err
    assert_one_line(*_code_and_err([*command[:4], "--resume", "--seed", "4"], capsys), "--seed 3, not 4")
    assert_one_line(*_code_and_err(command, capsys), "--resume")


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        (["--tune", "head"], ["--tune", "'head'"]),
        (["--steps", "0"], ["--steps", "0"]),
        (["--steps", "many"], ["--steps", "'many'"]),
        (["--held-out", "1"], ["--held-out", "1"]),
        (["--window", "purple"], ["'purple'", "soft-tissue"]),
        (["--model", "no.such"], ["'no.such'", "choose one of"]),
        (["--weights", "nowhere.pth"], ["nowhere.pth", "--weights"]),
        (["--from-scratch"], ["--from-scratch", "--weights"]),
        (["--side", "100"], ["--side 100", "96"]),
        (["--resume"], ["no run", "--resume"]),
        (["--rate", "nan"], ["--rate"]),
        (["--device", "tpu"], ["--device"]),
    ],
)
def test_bad_arguments_are_one_line_and_write_nothing(
    typed: list[str], parts: list[str], command: list[str], tmp_path: Path, capsys: Shown
) -> None:
    assert_one_line(*_code_and_err([*command, *typed], capsys), *parts)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("spoil", "part"), [("missing", "there is no folder"), ("empty", "holds no image"), ("broken", "dot.png")]
)
def test_bad_folders_are_one_line_and_write_nothing(
    spoil: str, part: str, command: list[str], folder: Path, tmp_path: Path, capsys: Shown
) -> None:
    if spoil == "missing":
        command[1] = str(tmp_path / "nowhere")
    elif spoil == "empty":
        (tmp_path / "bare").mkdir()
        command[1] = str(tmp_path / "bare")
    else:
        (folder / "labels" / "dot.png").write_bytes(b"no picture")
    assert_one_line(*_code_and_err(command, capsys), part)
    assert not (tmp_path / "run").exists()


def _code_and_err(command: list[str], capsys: Shown) -> tuple[int, str]:
    code, _, err = run(command, capsys)
    return code, err
