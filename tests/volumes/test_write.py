"""Written labels lie exactly where their image lies, for SimpleITK and for nibabel."""

from __future__ import annotations

import itertools
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from PIL import Image

from volumes import (
    Geometry,
    InvalidLabels,
    LazyArray,
    Provenance,
    ShapeMismatch,
    UnknownFormat,
    UnsupportedImage,
    UnwritableOutput,
    Volume,
    _metaimage,
    _written,
    read,
    write,
    write_image,
)
from volumes._nifti import writer as nifti_writer
from volumes._nrrd import writer as nrrd_writer

ORIENTATIONS = [
    (axes, signs)
    for axes in itertools.permutations(range(3))
    for signs in itertools.product((1, -1), repeat=3)
]
TILT = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])


def image_of(direction: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    image.SetDirection(direction.ravel().tolist())
    image.SetSpacing((0.75, 1.5, 2.25))
    image.SetOrigin((-101.25, 12.5, 1000.125))
    return image


def labels_for(volume: Volume) -> np.ndarray:
    labels = np.zeros(volume.shape, np.uint16)
    labels[0, 1, 2] = 5
    return labels


def assert_same_place(source: Path, written: Path, tolerance: float = 0.0) -> None:
    """Size, spacing, origin and direction agree for SimpleITK; shape and all affines for nibabel."""
    one, other = sitk.ReadImage(str(source)), sitk.ReadImage(str(written))
    assert other.GetSize() == one.GetSize()
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        np.testing.assert_allclose(getattr(other, name)(), getattr(one, name)(), rtol=0, atol=tolerance)
    if ".nii" not in source.name or ".nii" not in written.name:
        return
    first, second = nibabel.load(source), nibabel.load(written)
    assert second.shape == first.shape
    np.testing.assert_allclose(second.affine, first.affine, rtol=0, atol=tolerance)
    assert second.header.get_zooms() == pytest.approx(first.header.get_zooms(), abs=tolerance)
    for field in ("qform_code", "sform_code"):
        assert int(second.header[field]) == int(first.header[field])


@pytest.mark.parametrize(("axes", "signs"), ORIENTATIONS)
def test_all_48_orientations_come_back_exactly(axes: tuple, signs: tuple, tmp_path: Path) -> None:
    direction = np.eye(3)[:, axes] * signs
    sitk.WriteImage(image_of(direction), str(tmp_path / "image.nii"))
    volume = read(tmp_path / "image.nii")
    labels = labels_for(volume)
    for name in ("labels.nii.gz", "labels.nrrd", "labels.mha"):
        write(tmp_path / name, labels, like=volume)
        back = read(tmp_path / name)
        assert_same_place(tmp_path / "image.nii", tmp_path / name)
        assert np.array_equal(back.data, labels)
        assert back.geometry == volume.geometry


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (1, 1, -1), (-1, -1, -1)])
@pytest.mark.parametrize("name", ["labels.nii.gz", "labels.nii", "labels.nrrd", "labels.mha"])
def test_oblique_images_come_back(signs: tuple, name: str, tmp_path: Path) -> None:
    sitk.WriteImage(image_of(TILT * signs), str(tmp_path / "image.nii"))
    volume = read(tmp_path / "image.nii")
    write(tmp_path / name, labels_for(volume), like=volume)
    assert_same_place(tmp_path / "image.nii", tmp_path / name, tolerance=2e-6)
    assert read(tmp_path / name).geometry.is_close(volume.geometry, tolerance_mm=1e-5)


@pytest.mark.parametrize(
    ("highest", "dtype"),
    [(1, np.uint8), (255, np.uint8), (256, np.uint16), (65535, np.uint16), (65536, np.uint32)],
)
@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha", "a.tif"])
def test_ids_take_the_smallest_type(
    name: str, highest: int, dtype: type, image: Volume, tmp_path: Path
) -> None:
    labels = np.zeros(image.shape, np.int64)
    labels[1, 2, 3] = highest
    write(tmp_path / name, labels, like=image)
    stored = (
        tifffile.imread(tmp_path / name)
        if name == "a.tif"
        else sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / name)))
    )
    assert stored.dtype == dtype
    assert np.array_equal(stored, labels)


def test_booleans_are_labels_too(image: Volume, tmp_path: Path) -> None:
    write(tmp_path / "a.nii.gz", image.data > 60, like=image)
    assert np.array_equal(read(tmp_path / "a.nii.gz").data, (image.data > 60).astype(np.uint8))


def test_tiff_keeps_voxel_size_and_planes(image: Volume, tmp_path: Path) -> None:
    write(tmp_path / "a.ome.tif", labels_for(image), like=image)
    back = read(tmp_path / "a.ome.tif")
    assert back.geometry.spacing_mm == image.geometry.spacing_mm
    assert np.array_equal(back.data, labels_for(image))


@pytest.mark.parametrize("n_planes", [1, 3])
def test_tiff_claims_no_size_that_was_assumed(n_planes: int, tmp_path: Path) -> None:
    shape = (n_planes, 4, 5)
    like = Volume(np.zeros(shape, np.uint8), Geometry.from_spacing(shape), Provenance("PNG"))
    write(tmp_path / "a.tif", np.ones(shape, np.uint8), like=like)
    assert read(tmp_path / "a.tif").shape == shape
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        assert "PhysicalSize" not in (tiff.ome_metadata or "")


@pytest.mark.parametrize(("highest", "mode"), [(200, "L"), (300, "I;16")])
def test_png_holds_one_plane(highest: int, mode: str, tmp_path: Path) -> None:
    like = Volume(np.zeros((1, 4, 5, 3), np.uint8), Geometry.from_spacing((1, 4, 5)), Provenance("PNG"))
    labels = np.zeros((1, 4, 5), np.uint32)
    labels[0, 2, 3] = highest
    write(tmp_path / "a.PNG", labels, like=like)
    with Image.open(tmp_path / "a.PNG") as picture:
        assert picture.mode == mode
    assert np.array_equal(read(tmp_path / "a.PNG").data, labels)


def test_an_older_file_is_replaced(image: Volume, tmp_path: Path) -> None:
    (tmp_path / "a.nii.gz").write_text("older")
    write(tmp_path / "a.nii.gz", labels_for(image), like=image)
    assert read(tmp_path / "a.nii.gz").shape == image.shape
    assert [path.name for path in tmp_path.iterdir()] == ["a.nii.gz"]


@pytest.mark.parametrize(
    ("labels", "name", "error", "words"),
    [
        (np.zeros((4, 5, 5), np.uint8), "a.nii.gz", ShapeMismatch, r"\(4, 5, 5\).*\(4, 5, 6\)"),
        (np.zeros((4, 5, 6)), "a.nii.gz", InvalidLabels, "integers"),
        (np.full((4, 5, 6), -1), "a.nii.gz", InvalidLabels, "-1"),
        (np.full((4, 5, 6), 2**32), "a.nii.gz", InvalidLabels, "4294967296"),
        (np.zeros((4, 5, 6), np.uint8), "a.png", UnsupportedImage, "one plane"),
        (np.zeros((4, 5, 6), np.uint8), "a.jpg", UnknownFormat, r"\.nii\.gz"),
        (np.zeros((4, 5, 6), np.uint8), "a.nhdr", UnknownFormat, r"\.nrrd"),
        (np.zeros((4, 5, 6), np.uint8), "a", UnknownFormat, r"\.nii\.gz"),
        (
            np.zeros((4, 5, 6), np.uint8),
            "no/such/folder/a.nii.gz",
            UnwritableOutput,
            "existing, writable folder",
        ),
    ],
)
def test_what_cannot_be_written_leaves_nothing(
    labels: np.ndarray, name: str, error: type, words: str, image: Volume, tmp_path: Path
) -> None:
    with pytest.raises(error, match=words):
        write(tmp_path / name, labels, like=image)
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.mha", "a.tif"])
def test_a_folder_in_the_way_or_a_file_as_folder(name: str, image: Volume, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(UnwritableOutput, match="it is a folder"):
        write(tmp_path / name, labels_for(image), like=image)
    (tmp_path / "file").touch()
    with pytest.raises(UnwritableOutput, match="cannot write"):
        write(tmp_path / "file" / name, labels_for(image), like=image)
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted([name, "file"])


class HalfLazy:
    """Voxels of which the last plane cannot be read."""

    shape, dtype = (4, 5, 6), np.dtype(np.int16)

    def read_box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> np.ndarray:
        if stop[0] == 4:
            raise OSError(28, "No space left on device")
        return np.zeros([high - low for low, high in zip(start, stop, strict=True)], self.dtype)

    def overview(self) -> np.ndarray:
        return np.zeros((1, 5, 6), self.dtype)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.mha"])
def test_a_writer_that_fails_half_way_leaves_the_older_file(name: str, image: Volume, tmp_path: Path) -> None:
    (tmp_path / name).write_text("older")
    with pytest.raises(UnwritableOutput, match="cannot write"):
        write_image(tmp_path / name, Volume(LazyArray(HalfLazy()), image.geometry, image.provenance))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["older"]


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.mha"])
def test_what_does_not_read_back_is_not_kept(
    name: str, image: Volume, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that loses the end, a geometry that is stored otherwise, labels that are stored otherwise."""
    labels = labels_for(image)
    chunks = _written.voxel_bytes
    for module in (nifti_writer, nrrd_writer, _metaimage):
        monkeypatch.setattr(module, "voxel_bytes", lambda data: list(chunks(data))[:-1])
    with pytest.raises(UnwritableOutput, match="cannot be read back.*free disk space"):
        write(tmp_path / name, labels, like=image)
    for module in (nifti_writer, nrrd_writer, _metaimage):
        monkeypatch.setattr(module, "voxel_bytes", lambda data: chunks(np.zeros_like(data)))
    with pytest.raises(UnwritableOutput, match="0 labelled voxels read back in place of 1"):
        write(tmp_path / name, labels, like=image)
    monkeypatch.undo()
    monkeypatch.setattr(Geometry, "is_close", lambda *_: False)
    with pytest.raises(UnwritableOutput, match="reads back otherwise"):
        write(tmp_path / name, labels, like=image)
    assert list(tmp_path.iterdir()) == []


def test_every_eval_nifti_and_nrrd_keeps_its_place(shared_data: Path, tmp_path: Path) -> None:
    sources = [
        path
        for folder in ("ct3d", "mr3d")
        for path in sorted((shared_data / "eval" / folder).rglob("*.n*"))
        if "_seg" not in path.name and path.parent.name != "labels" and path.is_file()
    ]
    assert len(sources) > 20
    for source in sources:
        volume = read(source)
        assert np.array_equal(
            volume.data, sitk.GetArrayFromImage(sitk.ReadImage(str(source))).astype(volume.data.dtype)
        )
        write(tmp_path / "labels.nii", labels_for(volume), like=volume)
        assert_same_place(source, tmp_path / "labels.nii", tolerance=1e-5)
        assert read(tmp_path / "labels.nii").geometry.is_close(volume.geometry, tolerance_mm=1e-4)
