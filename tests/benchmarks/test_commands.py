"""Both benchmarks from end to end, with a stand-in for the model."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import torch
from numpy.typing import NDArray

from benchmarks import auto_masks, dicom_series, planes, propagation, volume
from tests.fakes import FakeSegmenter, ellipsoid_labels


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A CT in which two organs are bright, under the name of the abdomen's."""
    monkeypatch.setattr(os, "environ", dict(os.environ))
    labels = ellipsoid_labels((15, 48, 96), n_objects=2).astype(np.uint8)
    (tmp_path / "ct3d").mkdir()
    _write(tmp_path / volume.ABDOMEN, np.where(labels > 0, 100, -1000).astype(np.int16))
    _write(tmp_path / "ct3d" / "seg.nii.gz", labels)
    heads = ("path", "modality", "mask_path", "classes", "mask_type")
    line = (volume.ABDOMEN, "CT", "ct3d/seg.nii.gz", "1:spleen=9;2:kidney_right=9", "semantic")
    (tmp_path / "INDEX.tsv").write_text("\t".join(heads) + "\n" + "\t".join(line) + "\n")
    return tmp_path


def _write(path: Path, array: NDArray[np.generic]) -> None:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(path))


def test_planes(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("benchmarks._ours.load", lambda *_: FakeSegmenter())
    cache, results = folder / "cache.json", folder / "results.json"
    arguments = ["--data", str(folder), "--markdown", "--classical-cache", str(cache), "--json", str(results)]
    assert planes.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "| kind of image |" in printed
    assert "best of 3" not in printed
    tasks = json.loads(results.read_text())["tasks"]
    assert {"ours, box", "ours, point", "Otsu in box", "watershed"} <= set(tasks[0]["iou"])
    assert all(task["iou"]["ours, point"] > 0.95 for task in tasks)

    monkeypatch.setattr("benchmarks.planes._classical", lambda task, wanted: dict.fromkeys(wanted, 0.0))
    before = cache.read_text()
    assert planes.main(arguments) == 0
    assert cache.read_text() == before  # nothing was computed again


def test_planes_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert planes.main(["--data", str(tmp_path), "--no-ours"]) == 2
    assert "INDEX.tsv" in capsys.readouterr().err


def test_volume(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("napari_sam.nodes.segment_file.load_model", lambda choice: FakeSegmenter())
    results = folder / "results.json"
    assert volume.main(["--data", str(folder), "--only", "ts_ct", "--json", str(results)]) == 0
    assert "Dice by distance" in capsys.readouterr().out
    objects = json.loads(results.read_text())["objects"]
    assert [one["name"] for one in objects][:2] == ["ts_ct_abdomen: spleen", "ts_ct_abdomen: kidney_right"]
    for one in objects:
        assert one["score"]["dice"] > 0.95
        assert one["score"]["too_many"] == [0, 0]


def test_volume_names_the_cases_there_are(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert volume.main(["--data", str(folder), "--only", "pancreas"]) == 2
    assert "ts_ct_abdomen: spleen" in capsys.readouterr().err


def test_automatic_masks_say_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.auto_masks.find_spec", lambda name: None)
    assert auto_masks.main([]) == 2
    assert "segment_anything and torchvision: not installed" in capsys.readouterr().err


def test_discs_hang_on_their_place_alone() -> None:
    """Both sides draw them; they must be the same, in batches of any size."""
    places = torch.rand(6, 2, generator=torch.Generator().manual_seed(0)) * 512
    discs, scores = auto_masks._discs(places, 32, 512)
    again = [auto_masks._discs(place[None].double(), 32, 512) for place in places]
    torch.testing.assert_close(discs, torch.cat([some for some, _ in again]))
    torch.testing.assert_close(scores, torch.cat([some for _, some in again]))
    assert discs.shape == (6, 3, 32, 32)


def test_dicom_series(capsys: pytest.CaptureFixture[str]) -> None:
    """It finds the voxels the same; how long either takes is not tested."""
    dicom_series.main(["--planes", "3", "--repeats", "1"])
    assert "the same voxels" in capsys.readouterr().out


def test_propagation(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a segmenter that knows the objects every rule that looks at planes finds them whole."""
    monkeypatch.setattr("napari_sam.load_segmenter", lambda *_, **__: FakeSegmenter())
    results = folder / "results.json"
    assert propagation.main(["--data", str(folder), "--json", str(results), "--jobs", "0"]) == 0
    printed = capsys.readouterr().out
    assert all(words in printed.lower() for words in propagation.SHOWN.values())
    found = json.loads(results.read_text())["outcomes"]
    assert {one["method"] for one in found} == set(propagation.available())
    dice = {(one["method"], one["shown"]): one["dice"] for one in found}
    assert all(dice["ours", way] > 0.99 for way in propagation.SHOWN)
    assert dice["same prompt in each plane, true ends given", "point"] > 0.9
    assert dice["shapes between anchors", "three"] < dice["ours", "three"]


def test_propagation_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert propagation.main(["--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err
