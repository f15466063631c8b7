"""What is said of files of labels, of irregular series, and of several volumes; never who was imaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import volumes
from napari_sam.nodes.image_input import ImageInput
from napari_sam.nodes.info import describe_file, describe_volume, is_placed
from napari_sam.nodes.inspection import inspect_file
from napari_sam.nodes.label_files import label_kind
from volumes import Geometry, LabelVolume, PlaneSource, Provenance, Segment, SeriesInfo, Volume

UID = "1.2.840.99999.7"


def reads_as(monkeypatch: pytest.MonkeyPatch, labels: LabelVolume | Exception) -> list[Volume | None]:
    """Make every file of labels read as this; a record of the images they were read onto."""
    likes: list[Volume | None] = []

    def read_labels(path: Any, *, like: Volume | None = None, series: str | None = None) -> LabelVolume:
        likes.append(like)
        if isinstance(labels, Exception):
            raise labels
        return labels

    monkeypatch.setattr(volumes, "read_labels", read_labels, raising=False)
    return likes


def structure_set(shared_data: Path) -> Path:
    zoo = shared_data / "dicom_zoo"
    return next(path for path in sorted(zoo.rglob("*.dcm")) if label_kind(path) == "DICOM RTSTRUCT")


def test_segments_are_listed_with_their_voxels(
    truth: NDArray[np.uint16], image: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    geometry = Geometry.from_spacing(truth.shape, (2, 0.5, 1.5))
    segments = (Segment(1, "liver", (1, 2, 3), algorithm="model 1"), Segment(4, "nothing"))
    likes = reads_as(monkeypatch, LabelVolume(truth, geometry, segments, ("a note",)))
    found = inspect_file(ImageInput(image), like=ImageInput(image))
    assert likes[0] is not None
    assert likes[0].shape == truth.shape
    n_liver, n_other = (int(np.count_nonzero(truth == value)) for value in (1, 2))
    text = "\n".join(found.lines)
    assert f"1 liver, {n_liver} voxels, Tissue, model 1" in text
    assert f"2 object 2, {n_other} voxels" in text
    assert "4 nothing, 0 voxels" in text
    assert "2 × 0.5 × 1.5 mm" in text
    assert "a note" in text
    record = json.loads(json.dumps(found.record))
    assert [(one["value"], one["voxels"]) for one in record["segments"]] == [
        (1, n_liver),
        (2, n_other),
        (4, 0),
    ]
    assert record["segments"][0]["colour"] == [1, 2, 3]


def test_contours_without_an_image_have_names_and_no_grid(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = structure_set(shared_data)
    reads_as(monkeypatch, volumes.UnsupportedImage("contours need the image"))
    found = inspect_file(ImageInput(path))
    assert found.lines[0].endswith("DICOM RTSTRUCT")
    assert len(found.record["segments"]) > 0
    assert "--like" in found.lines[-1]
    with pytest.raises(volumes.UnsupportedImage):
        inspect_file(ImageInput(path), like=ImageInput(_image_file(shared_data)))


def _image_file(shared_data: Path) -> Path:
    return shared_data / "dicom_zoo" / "singles" / "pydicom" / "CT_small.dcm"


def test_a_series_with_gaps_is_described_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sources = (PlaneSource(tmp_path / "a.dcm"), None, PlaneSource(tmp_path / "b.dcm"))
    gappy = Volume(
        np.zeros((3, 4, 5), np.int16),
        Geometry.from_spacing((3, 4, 5)),
        Provenance("DICOM", "CT", UID, sources=sources),
    )

    def read(place: Any, *, allow_gaps: bool, **_: object) -> Volume:
        if not allow_gaps:
            raise volumes.MissingSlices("planes 0 and 2 are 2 mm apart; pass allow_gaps=True")
        return gappy

    monkeypatch.setattr(volumes, "read", read)
    info = describe_file(tmp_path)
    assert info.irregular == (
        "planes 0 and 2 are 2 mm apart; pass allow_gaps=True",
        "planes that are in no file and were filled in: 1",
    )
    assert UID not in json.dumps(inspect_file(ImageInput(tmp_path)).record)


def test_a_series_that_no_option_helps_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def read(place: Any, **_: object) -> Volume:
        raise volumes.UnevenSpacing("they overlap")

    monkeypatch.setattr(volumes, "read", read)
    with pytest.raises(volumes.UnevenSpacing):
        describe_file(tmp_path)


def test_a_tilt_and_the_files_own_window_are_told() -> None:
    affine = Geometry.from_spacing((3, 4, 5), (2, 1, 1)).affine.copy()
    affine[1, 0] = 2 * np.tan(np.deg2rad(18))
    volume = Volume(
        np.zeros((3, 4, 5), np.int16), Geometry((3, 4, 5), affine), Provenance("DICOM", "CT"), (-100.0, 200.0)
    )
    info = describe_volume(volume)
    assert "18.0° from a right angle" in info.irregular[0]
    assert info.suggested_window == (-100.0, 200.0)


def test_series_are_listed_without_their_uids(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = (SeriesInfo("4", "CT", "thorax", (60, 512, 512), UID), SeriesInfo("c1", "", "", (1, 4, 5)))

    def read(place: Any, **_: object) -> Volume:
        raise volumes.MixedSeries("2 series")

    monkeypatch.setattr(volumes, "read", read)
    monkeypatch.setattr(volumes, "list_series", lambda place: found)
    plain = inspect_file(ImageInput(tmp_path))
    assert plain.lines == (
        "2 series; choose one with --series KEY",
        "4  CT  60 × 512 × 512  thorax",
        "c1  1 × 4 × 5",
    )
    assert UID not in json.dumps(plain.record)
    asked = inspect_file(ImageInput(tmp_path), with_patient=True)
    assert UID in "\n".join(asked.lines)
    assert asked.record["series"][0]["series_uid"] == UID


def test_a_picture_does_not_say_how_it_lies() -> None:
    geometry = Geometry.from_spacing((1, 4, 5), (1, 0.5, 0.5))
    assert not is_placed("TIFF", geometry)
    assert is_placed("NIfTI", geometry)
    assert is_placed("OME-Zarr", geometry.flip(1))
