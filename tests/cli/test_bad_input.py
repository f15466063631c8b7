"""Mistakes in arguments, images, outputs and prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import POINT, assert_one_line, run
from tests.fakes import FakeSegmenter


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
