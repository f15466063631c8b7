from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

import volumes
from napari_sam.cli.arguments import join_negative_values
from napari_sam.cli.demo import SAMPLE_NAMES
from napari_sam.cli.main import main
from napari_sam.core.segmenter import MaskPrediction, SegmentRequest
from napari_sam.nodes.samples import SAMPLES
from napari_sam.store.session_file import SessionFolder
from tests.fakes import FakeSegmenter, ellipsoid_labels

POINT = ["--point", "7,24,16"]


def run(arguments: Sequence[str | Path], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    shown = capsys.readouterr()
    return code, shown.out, shown.err


def assert_one_line(code: int, err: str, *parts: str, expected: int = 2) -> None:
    assert code == expected
    assert err.startswith("napari-sam: ")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert "Traceback" not in err
    for part in parts:
        assert part in err


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
                if len(self.requests) == 3:
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


class TestBadInput:
    """One line with what, value and remedy; exit code 2; nothing written."""

    @pytest.mark.parametrize(
        ("arguments", "parts"),
        [
            (["--point", "7,24"], ["--point", "'7,24'", "Z,Y,X"]),
            (["--point", "7,x,3"], ["'x'", "Z,Y,X"]),
            (["--point", "-1,24,16"], ["-1,24,16", "outside the volume"]),
            (["--point", "nan,24,16"], ["nan,24,16", "outside the volume"]),
            (["--point", "15,24,16"], ["plane 15", "0 to 14"]),
            (["--point", "7,24,64"], ["(7, 24, 64)", "outside the volume"]),
            (["--negative", "7,2,2"], ["only negative points", "add a point"]),
            (["--box", "7,1,1,5"], ["'7,1,1,5'", "4 numbers", "Z,Y0,X0,Y1,X1"]),
            (["--box", "7,1.5,1,5,5"], ["'1.5'", "whole number"]),
            (["--box", "7,10,10,5,20"], ["10,10,5,20", "inverted", "5,10,10,20"]),
            (["--box", "7,0,0,49,10"], ["not inside the volume", "(15, 48, 64)"]),
            (["--box", "99,0,0,9,10"], ["plane 99", "0 to 14"]),
            (["--box", "-2,0,0,9,10"], ["plane -2", "outside the volume"]),
            (["--box", "7,0,0,9,10", "--box", "7,1,1,9,10"], ["2 boxes"]),
            ([], ["no prompt", "--point"]),
            ([*POINT, "--window", "purple"], ["'purple'", "soft-tissue"]),
            ([*POINT, "--window", "240,-160"], ["240,-160", "lower first"]),
            ([*POINT, "--model", "sam_vit_x.meta"], ["'sam_vit_x.meta'", "choose one of"]),
            ([*POINT, "--weights", "nowhere.pth"], ["nowhere.pth", "--weights"]),
            ([*POINT, "--range", "3"], ["'3'", "A:B"]),
            ([*POINT, "--range", "-4:9"], ["'-4:9'", "A:B"]),
            ([*POINT, "--range", "9:3"], ["'9:3'", "A:B"]),
            ([*POINT, "--range", "0:99"], ["0:99", "15 planes"]),
            ([*POINT, "--range", "9:12"], ["plane 7", "9:12"]),
            ([*POINT, "--axis", "3"], ["--axis", "3"]),
            ([*POINT, "--axis", "each"], ["--axis", "each"]),
            ([*POINT, "--clean", "0"], ["--clean", "'0'", "above 0"]),
            ([*POINT, "--device", "tpu"], ["--device", "tpu"]),
            ([*POINT, "--prompts", "p.json"], ["--prompts", "--point"]),
            (["--prompts", "nowhere.json"], ["nowhere.json", "No such file"]),
            ([*POINT, "--series", "1.2.3"], ["1.2.3"]),
            ([*POINT, "--preview", "p.jpg"], ["p.jpg", ".png"]),
            ([*POINT, "--report", "r.txt"], ["r.txt", ".json"]),
            ([*POINT, "--preview", "none/p.png"], ["none/p.png", "no folder"]),
            ([*POINT, "--poin", "1,2,3"], ["--poin"]),
            ([*POINT, "extra"], ["extra"]),
        ],
    )
    def test_of_arguments(
        self,
        arguments: list[str],
        parts: list[str],
        image: Path,
        segmenter: FakeSegmenter,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        code, shown, err = run(["segment", image, "-o", "out.nii.gz", *arguments], capsys)
        assert_one_line(code, err, *parts)
        assert shown == ""
        assert segmenter.requests == []
        assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["image.nii.gz"]

    @pytest.mark.parametrize("command", ["segment", "embed", "info"])
    @pytest.mark.parametrize(
        "kind", ["missing", "empty folder", "truncated", "text", "empty", "folder of text"]
    )
    def test_of_images(
        self,
        command: str,
        kind: str,
        image: Path,
        segmenter: FakeSegmenter,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        bad = tmp_path / "bad.nii.gz"
        if kind == "truncated":
            bad.write_bytes(image.read_bytes()[:-2000])
        elif kind == "text":
            bad.write_text("this is no image, whatever its name\n" * 20)
        elif kind == "empty":
            bad.touch()
        elif "folder" in kind:
            bad.mkdir()
            if kind == "folder of text":
                (bad / "notes.txt").write_text("nothing to see")
        options: list[str | Path] = ["-o", tmp_path / "out.nii.gz", *POINT] if command == "segment" else []
        code, shown, err = run([command, bad, *options], capsys)
        assert_one_line(code, err, str(bad))
        assert shown == ""
        assert not (tmp_path / "out.nii.gz").exists()

    @pytest.mark.parametrize(
        ("out", "parts"),
        [
            ("out.xyz", [".nii.gz"]),
            ("out", [".nii.gz"]),
            ("none/out.nii.gz", ["no folder", "none"]),
            ("image.nii.gz", ["is the input"]),
            ("/proc/out.nii.gz", ["/proc"]),
            ("out.png", ["out.png"]),
        ],
    )
    def test_of_outputs(
        self,
        out: str,
        parts: list[str],
        image: Path,
        segmenter: FakeSegmenter,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        before = image.read_bytes()
        code, _, err = run(["segment", image, "-o", tmp_path / out, *POINT], capsys)
        assert_one_line(code, err, *parts)
        assert segmenter.requests == []
        assert image.read_bytes() == before

    def test_a_broken_entry_of_the_prompts_is_named(
        self, image: Path, segmenter: FakeSegmenter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        prompts = tmp_path / "p.json"
        good = {"type": "point", "at": [7, 24, 16]}
        prompts.write_text(
            json.dumps({"objects": [{"id": 1, "prompts": [good, {"type": "point", "at": [7]}]}]})
        )
        code, _, err = run(["segment", image, "-o", tmp_path / "o.nii.gz", "--prompts", prompts], capsys)
        assert_one_line(code, err, "objects[0].prompts[1].at", "[7]", "[z, y, x]")

    @pytest.mark.parametrize(
        "arguments", [[], ["auto", "x"], ["models"], ["models", "download"], ["--nonsense"]]
    )
    def test_of_commands(self, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        code, _, err = run(arguments, capsys)
        assert_one_line(code, err, "--help")

    def test_what_nobody_expected_is_one_line_too(
        self,
        image: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def explode(choice: object) -> None:
            raise RuntimeError("first line\nsecond line")

        monkeypatch.setattr("napari_sam.nodes.segment_file.load_model", explode)
        arguments: list[str | Path] = ["segment", image, "-o", tmp_path / "o.nii.gz", *POINT]
        code, _, err = run(arguments, capsys)
        assert_one_line(code, err, "RuntimeError", "first line second line", "--debug")
        code, _, err = run([*arguments, "--debug"], capsys)
        assert code == 2
        assert "Traceback" in err
        monkeypatch.setenv("NAPARI_SAM_DEBUG", "1")
        assert "Traceback" in run(arguments, capsys)[2]


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


class TestInfo:
    def test_it_shows_the_geometry(self, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code, shown, err = run(["info", image], capsys)
        assert (code, err) == (0, "")
        assert "15 × 48 × 64" in shown
        assert "2 × 0.5 × 1.5 mm" in shown
        assert "SPL" in shown

    def test_it_is_json_on_request(self, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code, shown, _ = run(["info", image, "--json"], capsys)
        assert code == 0
        assert json.loads(shown)["spacing_mm"] == pytest.approx([2.0, 0.5, 1.5])

    def test_series_are_listed_where_there_are_several(
        self, shared_data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = shared_data / "dicom_zoo" / "series" / "tcia_mr_three_series_mixed"
        code, shown, err = run(["info", folder], capsys)
        assert (code, err) == (0, "")
        assert shown.startswith("3 series")
        code, shown, _ = run(["info", folder, "--json"], capsys)
        key = json.loads(shown)["series"][0]["key"]
        code, shown, _ = run(["info", folder, "--series", key, "--json"], capsys)
        assert code == 0
        assert json.loads(shown)["modality"] == "MR"


def test_models_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    code, shown, _ = run(["models", "list"], capsys)
    assert code == 0
    assert "tiny_sam.v5" in shown
    assert "(default)" in shown
    code, shown, _ = run(["models", "show", "sam_vit_b.meta"], capsys)
    assert code == 0
    assert "Apache-2.0" in shown
    code, _, err = run(["models", "show", "no.such"], capsys)
    assert_one_line(code, err, "'no.such'", "tiny_sam.v5")


def test_embed_names_each_image(
    image: Path, segmenter: FakeSegmenter, capsys: pytest.CaptureFixture[str]
) -> None:
    code, shown, err = run(["embed", image, image, "--range", "2:5"], capsys)
    assert (code, err) == (0, "")
    assert shown.count(f"{image}: 3 planes ready") == 2
    assert len(segmenter.prefetched) == 6


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


class TestPrivacy:
    PATIENT = ("CompressedSamples", "1CT1", "20040119", "1.3.6.1.4.1.5962")

    def test_nothing_names_a_patient_unless_asked(
        self, shared_data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ct = shared_data / "dicom_zoo" / "singles" / "pydicom" / "CT_small.dcm"
        for options in ([], ["--json"]):
            code, shown, err = run(["info", ct, *options], capsys)
            assert (code, err) == (0, "")
            assert not any(value in shown for value in self.PATIENT)

    def test_it_is_shown_to_those_who_ask(
        self, shared_data: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ct = shared_data / "dicom_zoo" / "singles" / "pydicom" / "CT_small.dcm"
        code, shown, _ = run(["info", ct, "--patient"], capsys)
        assert code == 0
        assert all(value in shown for value in self.PATIENT)
        assert "because it was asked for" in shown
        record = json.loads(run(["info", ct, "--patient", "--json"], capsys)[1])
        assert record["patient"]["PatientID"] == "1CT1"

    def test_a_file_without_a_patient_says_so(self, image: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert "names none" in run(["info", image, "--patient"], capsys)[1]


def test_info_of_several_files_goes_on_after_a_bad_one(
    image: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.nii.gz"
    code, shown, err = run(["info", missing, image], capsys)
    assert_one_line(code, err, str(missing))
    assert "15 × 48 × 64" in shown
    code, shown, _ = run(["info", missing, image, "--json"], capsys)
    assert code == 2
    first, second = json.loads(shown)
    assert (first["input"], "error" in first) == (str(missing), True)
    assert second["shape"] == [15, 48, 64]


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
