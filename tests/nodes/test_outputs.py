from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import volumes
from napari_sam.nodes.outputs import check_label_format, check_label_suffix, check_outputs, write_bytes
from volumes import (
    Geometry,
    PlaneSource,
    Provenance,
    UnknownFormat,
    UnwritableOutput,
    Volume,
    VolumeError,
)


def test_places_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    image = tmp_path / "image.nii.gz"
    image.touch()
    (tmp_path / "folder.nii.gz").mkdir()
    for outputs, message in (
        ([tmp_path / "none" / "out.nii.gz"], "there is no folder"),
        ([tmp_path / "folder.nii.gz"], "it is a folder"),
        ([image], "is the input"),
        ([tmp_path / "a.nii.gz", tmp_path / "x" / ".." / "a.nii.gz"], "named for two outputs"),
        ([image / "out.nii.gz"], "there is no folder"),
        ([Path("/proc/out.nii.gz")], "/proc"),
    ):
        with pytest.raises(UnwritableOutput, match=message):
            check_outputs([image], outputs)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.nii.gz", "image.nii.gz"]


def test_checking_leaves_no_trace(tmp_path: Path) -> None:
    check_outputs([], [tmp_path / "out.nii.gz"])
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_suffix_is_refused_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UnknownFormat, match=r"out\.xyz.*\.nii\.gz"):
        check_label_suffix(tmp_path / "out.xyz")


def test_a_format_that_cannot_hold_the_volume_is_found_out_early(tmp_path: Path) -> None:
    stack = Volume(np.zeros((3, 4, 5), np.uint8), Geometry.from_spacing((3, 4, 5)), Provenance("test"))
    with pytest.raises(VolumeError, match=str(tmp_path / "out.png")):
        check_label_format(tmp_path / "out.png", stack)
    check_label_format(tmp_path / "out.nii.gz", stack)
    check_label_format(tmp_path / "out.stl", stack)
    with pytest.raises(VolumeError, match=r"\.obj"):
        check_label_format(tmp_path / "out.stl", stack, n_objects=2)
    check_label_format(tmp_path / "out.obj", stack, n_objects=2)
    assert list(tmp_path.iterdir()) == []


def test_planes_of_dicom_stay_whole_and_keep_their_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[tuple[NDArray[np.uint8], Volume]] = []
    monkeypatch.setattr(volumes, "write", lambda path, labels, *, like: tried.append((labels, like)))
    sources = tuple(PlaneSource(tmp_path / f"{number}.dcm") for number in range(5))
    geometry = Geometry.from_spacing((5, 40, 60), (2, 1, 1))
    for provenance in (Provenance("DICOM", sources=sources), Provenance("NIfTI")):
        check_label_format(tmp_path / "o.seg.dcm", Volume(np.ones((5, 40, 60)), geometry, provenance))
    (labels, dicom), (_, other) = tried
    assert dicom.shape == (2, 40, 60)
    assert dicom.provenance.sources == sources[:2]
    assert labels.any(axis=(1, 2)).all()  # formats that hold objects alone refuse what is empty
    assert other.shape == (2, 4, 4)
    assert other.geometry.spacing_mm == geometry.spacing_mm


def test_a_zarr_may_be_replaced_and_other_folders_not(tmp_path: Path) -> None:
    (tmp_path / "old.ome.zarr").mkdir()
    with pytest.raises(UnwritableOutput, match="it is a folder"):
        check_outputs([], [tmp_path / "old.ome.zarr"])
    (tmp_path / "old.ome.zarr" / "zarr.json").touch()
    check_outputs([], [tmp_path / "old.ome.zarr"])
    with pytest.raises(UnwritableOutput, match="the input lies in it"):
        check_outputs([tmp_path / "old.ome.zarr" / "labels"], [tmp_path / "old.ome.zarr"])


def test_labels_may_go_into_the_image_that_they_are_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, tried = tmp_path / "image.ome.zarr", []
    inside = image / "labels" / "liver"
    image.mkdir()
    with pytest.raises(UnknownFormat):
        check_label_suffix(inside)
    (image / ".zattrs").touch()
    check_label_suffix(inside)
    check_outputs([image], [inside])
    monkeypatch.setattr(volumes, "write", lambda path, labels, *, like: tried.append(path.name))
    check_label_format(inside, Volume(np.zeros((3, 4, 5)), Geometry.from_spacing((3, 4, 5)), Provenance("t")))
    assert tried == ["liver.ome.zarr"]
    inside.mkdir(parents=True)
    with pytest.raises(UnwritableOutput, match="it is a folder"):
        check_outputs([image], [inside])


def test_bytes_are_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_bytes(path, b"old")
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    (tmp_path / "taken").mkdir()
    with pytest.raises(UnwritableOutput):
        write_bytes(tmp_path / "taken", b"x")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["report.json", "taken"]
