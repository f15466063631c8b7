"""`segment`: what reaches the model, and what is written."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

import volumes
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.store.session_file import SessionFolder
from tests.cli.running import POINT, assert_one_line, run
from tests.fakes import FakeSegmenter, ellipsoid_labels


class TestSegment:
    def test_it_writes_what_it_says(
        self, image: Path, segmenter: FakeSegmenter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out, picture, report = tmp_path / "out.nrrd", tmp_path / "p.png", tmp_path / "r.json"
        code, shown, err = run(
            ["segment", image, "-o", out, *POINT, "--preview", picture, "--report", report], capsys
        )
        assert (code, err) == (0, "")
        labels = volumes.read(out).data
        n_voxels = int(np.count_nonzero(labels == 1))
        assert f"1 object 1: {n_voxels} voxels" in shown
        assert f"labels: {out}" in shown
        assert json.loads(report.read_text())["objects"][0]["voxels"] == n_voxels
        assert picture.exists()

    def test_points_boxes_and_window_reach_the_model(
        self, image: Path, segmenter: FakeSegmenter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, _, _ = run(
            [
                "segment", image, "-o", tmp_path / "o.nii.gz", *POINT, "--negative", "7,2,2",
                "--box", "7,4,2,44,30", "--window", "-160,900", "--plane-only",
            ],
            capsys,
        )  # fmt: skip
        assert code == 0
        (request,) = segmenter.requests
        assert (request.window.low, request.window.high) == (-160, 900)
        assert [type(prompt).__name__ for prompt in request.prompts] == [
            "PointPrompt",
            "PointPrompt",
            "BoxPrompt",
        ]
        assert [getattr(prompt, "positive", None) for prompt in request.prompts] == [True, False, None]

    def test_all_axes_and_the_last_pass(
        self, image: Path, segmenter: FakeSegmenter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        out = tmp_path / "o.nii.gz"
        more = ["--axis", "all", "--no-repair", "--clean", "5", "--smooth", "0.5"]
        code, shown, _ = run(["segment", image, "-o", out, *POINT, *more], capsys)
        assert code == 0
        assert "1 object 1:" in shown
        assert {request.plane.axis for request in segmenter.requests} == {0, 1, 2}
        truth = ellipsoid_labels(n_objects=2) == 1
        found = volumes.read(out).data == 1
        assert (truth & found).sum() / (truth | found).sum() > 0.9

    def test_several_objects_from_a_file(
        self, image: Path, segmenter: FakeSegmenter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        prompts = tmp_path / "prompts.json"
        entries = [
            {"id": 5, "name": "left", "prompts": [{"type": "point", "at": [7, 24, 16]}]},
            {"id": 300, "name": "right", "prompts": [{"type": "box", "plane": 7, "box": [4, 34, 44, 62]}]},
        ]
        prompts.write_text(json.dumps({"objects": entries}))
        out = tmp_path / "o.nii.gz"
        code, shown, _ = run(["segment", image, "-o", out, "--prompts", prompts], capsys)
        assert code == 0
        assert sorted(np.unique(volumes.read(out).data)) == [0, 5, 300]
        assert "5 left:" in shown
        assert "300 right:" in shown

    def test_ctrl_c_ends_with_130_and_keeps_the_session(
        self, image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Interrupted(FakeSegmenter):
            def segment(self, request: SegmentRequest) -> MaskPrediction:
                if len(self.requests) == 4:  # the click, its anchor once more, two planes
                    signal.raise_signal(signal.SIGINT)
                return super().segment(request)

        fake = Interrupted()
        monkeypatch.setattr("napari_sam.nodes.segment_file.load_model", lambda choice: fake)
        before = signal.getsignal(signal.SIGINT)
        out, session = tmp_path / "o.nii.gz", tmp_path / "s"
        code, _, err = run(["segment", image, "-o", out, *POINT, "--session", session], capsys)
        assert_one_line(code, err, "cancelled", str(session), expected=130)
        assert not out.exists()
        kept = SessionFolder(session).load()
        assert np.count_nonzero((kept.labels == 1).any(axis=(1, 2))) == 4
        assert signal.getsignal(signal.SIGINT) is before
        code, _, err = run(["segment", image, "-o", out, *POINT], capsys)
        assert code == 0


class TestCandidates:
    def test_the_one_asked_for_is_taken(
        self, image: Path, segmenter: FakeSegmenter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        n_voxels, prompts = [], tmp_path / "p.json"
        for candidate in (0, 2):
            out = tmp_path / f"{candidate}.nii.gz"
            arguments = ["segment", image, "-o", out, *POINT, "--plane-only", "--candidate", str(candidate)]
            assert run(arguments, capsys)[0] == 0
            n_voxels.append(np.count_nonzero(volumes.read(out).data))
        assert n_voxels[0] < n_voxels[1]  # the fake's first is eroded, its last dilated
        one = {"id": 1, "candidate": 2, "prompts": [{"type": "point", "at": [7, 24, 16]}]}
        prompts.write_text(json.dumps({"objects": [one]}))
        out = tmp_path / "p.nii.gz"
        assert run(["segment", image, "-o", out, "--prompts", prompts, "--plane-only"], capsys)[0] == 0
        assert np.count_nonzero(volumes.read(out).data) == n_voxels[1]

    @pytest.mark.parametrize(
        ("arguments", "parts"),
        [
            ([*POINT, "--candidate", "3"], ["--candidate", "3"]),
            (["--candidate", "1"], ["no prompt is given"]),
            (["--candidate", "1", "--prompts", "p.json"], ["--prompts", "--candidate"]),
        ],
    )
    def test_what_makes_no_sense_is_one_line(
        self, arguments: list[str], parts: list[str], image: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, _, err = run(["segment", image, "-o", "o.nii.gz", *arguments], capsys)
        assert_one_line(code, err, *parts)


def test_a_picture_is_a_volume_of_one_plane(
    segmenter: FakeSegmenter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = np.zeros((40, 50), np.uint8)
    pixels[10:30, 15:35] = 200
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(pixels), str(tmp_path / "photo.png"))
    out = tmp_path / "labels.png"
    code, _, err = run(["segment", tmp_path / "photo.png", "-o", out, "--point", "0,20,20"], capsys)
    assert (code, err) == (0, "")
    labels = volumes.read(out).data
    assert np.count_nonzero(labels == 1) == np.count_nonzero(pixels)


def test_what_the_format_will_lack_is_said(
    image: Path,
    tmp_path: Path,
    segmenter: FakeSegmenter,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(volumes, "caveats", lambda path, like: (f"{path.name} lacks much",), raising=False)
    code, _, err = run(["segment", image, "-o", tmp_path / "o.nrrd", *POINT], capsys)
    assert (code, err) == (0, "napari-sam: note: o.nrrd lacks much\n")
