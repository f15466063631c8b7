"""The command line with a real network: its numbers random where only the way through matters."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import volumes
from napari_sam import zoo
from napari_sam.cli.main import main


def segment(image: Path, weights: Path, out: Path) -> dict[str, Any]:
    arguments = [
        "segment", str(image), "-o", str(out), "--box", "7,8,2,40,30", "--point", "7,24,16",
        "--range", "5:10", "--weights", str(weights), "--device", "cpu",
        "--report", str(out.with_suffix(".json")),
    ]  # fmt: skip
    assert main(arguments) == 0
    content: dict[str, Any] = json.loads(out.with_suffix(".json").read_text())
    return content


def test_a_second_run_encodes_nothing_and_gives_the_same(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    weights = tmp_path / "random.safetensors"
    state = zoo.get("default").build().state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, weights)

    first = segment(image, weights, tmp_path / "first.nrrd")
    second = segment(image, weights, tmp_path / "second.nrrd")

    assert first["model"]["weights_sha256"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert first["device"] == "cpu"
    assert first["cache"]["n_encoded"] > 0
    assert first["cache"]["disk_hits"] == 0
    assert second["cache"]["n_encoded"] == 0
    assert second["cache"]["disk_hits"] == first["cache"]["n_encoded"]
    assert first["times"]["encode_s"] > 0 == second["times"]["encode_s"]
    labels = [volumes.read(tmp_path / name).data for name in ("first.nrrd", "second.nrrd")]
    assert np.array_equal(*labels)


def test_embedding_ahead_leaves_nothing_to_encode(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(1)
    weights = tmp_path / "random.safetensors"
    state = zoo.get("default").build().state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, weights)
    assert main(["embed", str(image), "--weights", str(weights), "--device", "cpu", "--range", "5:10"]) == 0
    assert "5 planes ready, 5 of them encoded now" in capsys.readouterr().out
    assert segment(image, weights, tmp_path / "out.nrrd")["cache"]["n_encoded"] == 0


def test_the_demo_finds_the_liver_with_the_model_that_ships(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--output", str(tmp_path), "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    found = float(shown.partition("Dice:")[2].split()[0])
    assert found > 0.5


def test_precision_and_side_reach_the_model(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["segment", str(image), "-o", str(tmp_path / "o.nrrd"), "--point", "7,24,16", "--plane-only"]
    asked += ["--device", "cpu"]
    assert main([*asked, "--side", "512"]) == 2
    assert "leave out the side" in capsys.readouterr().err
    assert main([*asked, "--precision", "float32"]) == 0
    assert main([*asked, "--precision", "half"]) == 2
    assert "--precision" in capsys.readouterr().err
