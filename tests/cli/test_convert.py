"""`convert`: what it wrote, and what cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import volumes
from tests.cli.running import assert_one_line, run


class TestConvert:
    def test_it_says_what_it_wrote_and_what_to_know(
        self, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def read_labels(path: Path, **_: object) -> volumes.LabelVolume:
            found = volumes.read(path)
            labels = (np.asarray(found.data) > 400).astype(np.uint8)
            return volumes.LabelVolume(labels, found.geometry, (volumes.Segment(1, "liver"),), ("a note",))

        monkeypatch.setattr(volumes, "read_labels", read_labels, raising=False)
        out = tmp_path / "o.mha"
        code, shown, err = run(["convert", image, out, "--labels"], capsys)
        assert (code, err) == (0, "")
        assert (
            shown
            == f"labels: {out} (15 × 48 × 64 voxels of 2 × 0.5 × 1.5 mm, uint8)\n1 liver\nnote: a note\n"
        )

    @pytest.mark.parametrize(
        ("arguments", "parts"),
        [
            (["o.xyz"], ["o.xyz"]),
            (["image.nii.gz", "--labels"], ["is the input"]),
            (["o.nrrd", "--like-series", "1"], ["--like-series", "--like"]),
            (["o.nrrd", "--image", "--like", "x"], ["--image", "--like"]),
            (["o.nrrd", "--labels", "--names", "nowhere.json"], ["nowhere.json", "No such file"]),
            (["o.nrrd", "--labels", "--image"], ["--image", "--labels"]),
        ],
    )
    def test_what_cannot_be_is_one_line(
        self,
        arguments: list[str],
        parts: list[str],
        image: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        code, shown, err = run(["convert", image, *arguments], capsys)
        assert_one_line(code, err, *parts)
        assert shown == ""
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["image.nii.gz"]
