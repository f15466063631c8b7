"""What all commands share, and the smallest of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import volumes
from napari_sam.cli.arguments import join_negative_values
from napari_sam.cli.main import main
from tests.cli.running import POINT, assert_one_line, run
from tests.fakes import FakeSegmenter


def test_models_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(["models", "list"], capsys)
    assert code == 0
    assert "tiny_sam.v6" in shown
    assert "(default)" in shown
    code, shown, _ = run(["models", "show", "sam_vit_b.meta"], capsys)
    assert code == 0
    assert "Apache-2.0" in shown
    code, _, err = run(["models", "show", "no.such"], capsys)
    assert_one_line(code, err, "'no.such'", "tiny_sam.v6")


def test_embed_names_each_image(
    image: Path, segmenter: FakeSegmenter, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown, err = run(["embed", image, image, "--range", "2:5"], capsys)
    assert (code, err) == (0, "")
    assert shown.count(f"{image}: 3 planes ready") == 2
    assert len(segmenter.prefetched) == 6


def test_negative_numbers_are_no_options() -> None:
    joined = join_negative_values(["--window", "-160,240", "-o", "x", "--", "--point", "-1,2,3"])
    assert joined == ["--window=-160,240", "-o", "x", "--", "--point", "-1,2,3"]


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from napari_sam.cli.main import main; main(['--help']); "
        "heavy = {'torch', 'numpy', 'SimpleITK', 'scipy', 'volumes', 'napari'} & set(sys.modules); "
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "segment" in done.stdout


def test_a_process_ends_with_the_code_and_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text.nii.gz"
    text.write_text("no image")
    done = subprocess.run(
        [sys.executable, "-m", "napari_sam.cli.main", "segment", text, "-o", tmp_path / "o.nii.gz", *POINT],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONWARNINGS": "default"},
    )  # fmt: skip
    assert_one_line(done.returncode, done.stderr, str(text))
    assert done.stdout == ""


def test_a_url_is_not_taken_for_a_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def read(place: object, **_: object) -> volumes.Volume:
        asked.append(place)
        raise volumes.UnknownFormat("no")

    monkeypatch.setattr(volumes, "read", read)
    url = "https://example.org/a.zarr"
    assert run(["info", url], capsys)[0] == 2
    assert run(["segment", url, "-o", tmp_path / "o.nii.gz", *POINT], capsys)[0] == 2
    assert asked == [url, url]


def test_how_a_series_is_read_reaches_the_reader(
    image: Path, tmp_path: Path, segmenter: FakeSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []

    def read(place: object, **options: object) -> volumes.Volume:
        asked.append(options)
        raise volumes.UnknownFormat("no")

    monkeypatch.setattr(volumes, "read", read)
    how = ["--series", "4", "--allow-gaps", "--straighten"]
    out = str(tmp_path / "o.nii.gz")
    for arguments in (
        ["segment", str(image), "-o", out, *POINT],
        ["auto", str(image), "-o", out],
        ["embed", str(image)],
        ["info", str(image)],
    ):
        assert main([*arguments, *how]) == 2
    assert asked == [{"series": "4", "allow_gaps": True, "straighten": True}] * 4
