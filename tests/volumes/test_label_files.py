"""Labels of any format, read back onto the image they belong to."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image

from tests.dicom_phantoms import SEGMENTS, phantom_geometry, phantom_labels, write_phantom
from volumes import (
    ForeignLabels,
    Geometry,
    InvalidLabels,
    LabelVolume,
    MissingFile,
    Provenance,
    Segment,
    ShapeMismatch,
    Volume,
    formats,
    read,
    read_labels,
    write,
)
from volumes.series import ReadOptions

OBLIQUE = np.array([(0.36, 0.48, -0.8), (-0.8, 0.6, 0.0), (0.48, 0.64, 0.6)]) @ np.eye(3)[:, [2, 1, 0]]


@pytest.fixture
def image(tmp_path: Path) -> Volume:
    return write_phantom(tmp_path / "series", phantom_geometry(OBLIQUE))


def on(image: Volume, shape: tuple[int, int, int], affine: NDArray[Any]) -> Volume:
    """Give an image on another grid in the same frame of reference."""
    geometry = replace(image.geometry, shape=shape, affine=affine)
    return Volume(np.zeros(shape, np.uint8), geometry, Provenance("made"))


@pytest.mark.parametrize(
    "name", ["a.nii.gz", "a.nrrd", "a.mha", "a.tif", "a.json", "a.seg.dcm", "a.rtstruct.dcm"]
)
def test_each_format_comes_back_onto_its_image(name: str, image: Volume, tmp_path: Path) -> None:
    labels = phantom_labels(image.shape)
    write(tmp_path / name, labels, like=image, segments=SEGMENTS)
    back = read_labels(tmp_path / name, like=image)
    assert isinstance(back, LabelVolume)
    assert np.array_equal(back.data, labels)
    assert back.data.dtype == np.uint8
    assert back.geometry == image.geometry
    assert any("does not say where" in note for note in back.notes) == (name == "a.tif")


@pytest.mark.parametrize("name", ["a.seg.nrrd", "a.ome.zarr", "a.seg.dcm"])
def test_names_and_colours_come_back(name: str, image: Volume, tmp_path: Path) -> None:
    labels = phantom_labels(image.shape)
    segments = [Segment(value, f"part {value}", (10 * value, 20, 30)) for value in np.unique(labels) if value]
    write(tmp_path / name, labels, like=image, segments=segments)
    back = read_labels(tmp_path / name, like=image)
    assert np.array_equal(back.data, labels)
    assert [(one.value, one.name) for one in back.segments] == [(one.value, one.name) for one in segments]
    colours = [one.colour for one in back.segments]
    rounded = 2 if name.endswith(".dcm") else 0  # CIELab with 16 bits
    np.testing.assert_allclose(colours, [one.colour for one in segments], atol=rounded)


@pytest.mark.parametrize(
    "label",
    [
        "no dictionary",
        {"properties": 3, "colors": {}},
        {"properties": [1, {"label-value": "2"}, {"label-value": -1, "name": "x"}, {"label-value": True}]},
        {"colors": [{"label-value": 1, "rgba": [1, 2]}, {"label-value": 1, "rgba": [1.5, 300, "x", 4]}]},
    ],
)
def test_names_of_a_label_image_that_make_no_sense_are_left_out(
    label: object, image: Volume, tmp_path: Path
) -> None:
    write(tmp_path / "a.zarr", phantom_labels(image.shape), like=image)
    attributes = json.loads((tmp_path / "a.zarr/.zattrs").read_text())
    (tmp_path / "a.zarr/.zattrs").write_text(json.dumps(attributes | {"image-label": label}))
    back = read_labels(tmp_path / "a.zarr", like=image)
    assert all(one.name == "" and one.colour is None for one in back.segments)


def test_a_picture_of_labels(tmp_path: Path) -> None:
    labels = np.array([[0, 1], [2, 700], [0, 0]], np.uint16)
    Image.fromarray(labels).save(tmp_path / "a.png")
    assert np.array_equal(read_labels(tmp_path / "a.png").data[0], labels)
    like = Volume(np.zeros((1, 3, 2), np.uint8), Geometry.from_spacing((1, 3, 2), (5, 4, 3)), Provenance("x"))
    assert read_labels(tmp_path / "a.png", like=like).geometry == like.geometry
    other = Volume(np.zeros((1, 2, 2), np.uint8), Geometry.from_spacing((1, 2, 2)), Provenance("x"))
    with pytest.raises(ForeignLabels, match="give the image"):
        read_labels(tmp_path / "a.png", like=other)


@pytest.mark.parametrize(
    ("step", "shape"),
    [
        ((1, 2, 3), (4, 3, 3)),
        ((0.5, 0.5, 0.5), (8, 12, 18)),
        ((-1, 1, -1), (4, 6, 9)),
        ((1, 1.3, 0.71), (5, 5, 12)),
    ],
)
@pytest.mark.parametrize("name", ["a.nrrd", "a.seg.dcm"])
def test_another_grid_takes_the_nearest_voxel(
    name: str, step: tuple[float, ...], shape: tuple[int, int, int], image: Volume, tmp_path: Path
) -> None:
    labels = phantom_labels(image.shape)
    write(tmp_path / name, labels, like=image)
    affine = image.geometry.affine.copy()
    affine[:3, :3] *= step
    affine[:3, 3] = image.geometry.index_to_mm((0.1 if step[0] > 0 else 3, -0.2, 0.3 if step[2] > 0 else 8))
    like = on(image, shape, affine)
    back = read_labels(tmp_path / name, like=like)
    at_mm = like.geometry.index_to_mm(np.moveaxis(np.indices(shape), 0, -1))
    at_idx = np.floor(image.geometry.mm_to_index(at_mm) + 0.5).astype(int)
    inside = ((at_idx >= 0) & (at_idx < image.shape)).all(axis=-1)
    nearest = labels[tuple(np.moveaxis(np.where(inside[..., None], at_idx, 0), -1, 0))]
    expected = np.where(inside, nearest, 0)
    assert np.array_equal(back.data, expected)
    assert back.geometry == like.geometry
    assert any("nearest neighbour" in note for note in back.notes)


def test_what_does_not_fit_on_the_image_is_noted(image: Volume, tmp_path: Path) -> None:
    labels = phantom_labels(image.shape)
    write(tmp_path / "a.nrrd", labels, like=image)
    half = on(image, (2, 6, 4), image.geometry.affine)
    back = read_labels(tmp_path / "a.nrrd", like=half)
    assert np.array_equal(back.data, labels[:2, :, :4])
    n_labelled, n_left = np.count_nonzero(labels), np.count_nonzero(labels[:2, :, :4])
    outside = f"{n_labelled - n_left} of {n_labelled} labelled voxels lie outside the image and were left out"
    assert outside in back.notes
    assert "no voxel of the image's grid is nearest to one of 3; they are lost" in back.notes
    affine = image.geometry.affine.copy()
    affine[:3, 3] += 1000
    with pytest.raises(ForeignLabels, match="outside the image"):
        read_labels(tmp_path / "a.nrrd", like=on(image, image.shape, affine))


def test_whole_numbers_stored_as_real_ones(tmp_path: Path) -> None:
    data = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    sitk.WriteImage(sitk.GetImageFromArray(data), str(tmp_path / "a.nii"))
    labels = read_labels(tmp_path / "a.nii")
    assert labels.data.dtype == np.uint8
    assert np.array_equal(labels.data, data)
    assert "whole numbers stored as real ones were taken for labels" in labels.notes


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.full((2, 3, 4), 0.5, np.float32), "fractions"),
        (np.full((2, 3, 4), np.nan, np.float32), "fractions"),
        (np.full((2, 3, 4), 1e12, np.float32), "labels go up to"),
        (np.full((2, 3, 4), -3, np.int16), "holds -3"),
        (np.zeros((2, 3, 4, 3), np.uint8), "colours"),
    ],
)
def test_what_are_no_labels(data: NDArray[Any], words: str, tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(data, isVector=data.ndim == 4), str(tmp_path / "a.mha"))
    with pytest.raises(InvalidLabels, match=words):
        read_labels(tmp_path / "a.mha")


def test_a_folder_a_series_and_nothing(image: Volume, tmp_path: Path) -> None:
    folder = tmp_path / "planes"
    folder.mkdir()
    for index, plane in enumerate(phantom_labels(image.shape)):
        Image.fromarray(plane).save(folder / f"{index}.png")
    assert np.array_equal(read_labels(folder, like=image).data, phantom_labels(image.shape))
    with pytest.raises(MissingFile):
        read_labels(tmp_path / "nothing.nii", like=image)
    with pytest.raises(InvalidLabels, match="labels start at 1"):
        read_labels(write_and_name(tmp_path))


def write_and_name(folder: Path) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(np.full((1, 2, 2), -1, np.int16)), str(folder / "n.nrrd"))
    return folder / "n.nrrd"


def test_a_reader_that_knows_names_is_asked_for_them(
    image: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass(frozen=True)
    class Named:
        name: str = "named"

        def claims(self, path: Path, head: bytes) -> bool:
            return head.startswith(b"NAMED")

        def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
            data = np.array([[[SEGMENTS[0].value, 0]]], np.uint8)
            return Volume(data, Geometry.from_spacing(data.shape), Provenance(self.name))

        def read_segments(self, path: Path, head: bytes) -> tuple[Segment, ...]:
            return SEGMENTS

    monkeypatch.setattr(formats, "READERS", (Named(), *formats.READERS))
    (tmp_path / "a.xyz").write_bytes(b"NAMED")
    assert read_labels(tmp_path / "a.xyz").segments == SEGMENTS[:1]  # what it says of values that are there


def test_labels_on_a_real_series(shared_data: Path) -> None:
    image = read(shared_data / "eval/dicom_series/dcmqi_ct_3slice")
    labels = read_labels(shared_data / "eval/dicom_series/dcmqi_ct_3slice_seg.nii.gz", like=image)
    assert labels.geometry == image.geometry
    assert np.count_nonzero(labels.data) == 119_537
    with pytest.raises(ForeignLabels, match="all 345988 labelled voxels outside"):
        read_labels(shared_data / "eval/ct3d/ts_ct_abdomen_seg.nii.gz", like=image)


@pytest.mark.parametrize("name", ["a.seg.dcm", "a.rtstruct.dcm", "a.json", "a.obj", "a.labelmap.dcm"])
def test_an_older_file_stays_when_writing_fails(
    name: str, image: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_text("old")
    with pytest.raises(ShapeMismatch):
        write(tmp_path / name, phantom_labels((4, 6, 8)), like=image)

    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    patched: list[tuple[str, Callable[..., None]]] = [
        ("pydicom.dataset.Dataset.save_as", full),
        ("pathlib.Path.write_text", full),
        ("volumes._mesh._write_obj", full),
    ]
    for target, replacement in patched:
        monkeypatch.setattr(target, replacement)
    with pytest.raises(OSError, match="No space left"):
        write(tmp_path / name, phantom_labels(image.shape), like=image, segments=[Segment(1)])
    assert (tmp_path / name).read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "series"])
