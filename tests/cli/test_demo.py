"""`demo`: the samples and where they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_sam.cli.demo import SAMPLE_NAMES
from napari_sam.nodes.samples import SAMPLES
from tests.cli.running import assert_one_line, run
from tests.fakes import FakeSegmenter


def test_the_demo_says_where_the_picture_is(
    segmenter: FakeSegmenter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown, err = run(["demo", "--output", tmp_path / "d"], capsys)
    assert (code, err) == (0, "")
    assert f"picture: {tmp_path / 'd' / 'preview.png'}" in shown
    assert "Dice:" in shown


def test_a_demo_that_cannot_write_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    code, _, err = run(["demo", "--output", tmp_path / "file"], capsys)
    assert_one_line(code, err, str(tmp_path / "file"), "--output")


def test_the_demo_can_only_write_a_sample(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, err = run(["demo", "--sample", "film", "--output", tmp_path / "d"], capsys)
    assert (code, err) == (0, "")
    assert shown.splitlines()[1] == f"truth: {tmp_path / 'd' / 'film-truth.nii.gz'} (1 fish)"
    assert {path.name for path in (tmp_path / "d").iterdir()} == {"film.webp", "film-truth.nii.gz"}
    code, _, err = run(["demo", "--sample", "pet", "--output", tmp_path / "d"], capsys)
    assert_one_line(code, err, "pet", "ct", "mr", "cells", "film")


def test_the_demo_offers_the_samples_there_are() -> None:
    assert tuple(SAMPLES) == SAMPLE_NAMES
