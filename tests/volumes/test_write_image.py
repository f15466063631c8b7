"""Images written as NIfTI, NRRD and MetaImage are the same images for SimpleITK and nibabel."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from tests.volumes.judges import geometry_of, nibabel_geometry
from volumes import (
    Geometry,
    Provenance,
    UnknownFormat,
    UnsupportedImage,
    Volume,
    _stored_images,
    image_suffixes,
    read,
    write_image,
)

NAMES = ["a.nii.gz", "a.nii", "a.nrrd", "a.mha"]
TURN = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])
AFFINE = np.eye(4)
AFFINE[:3, :3], AFFINE[:3, 3] = TURN * (2.25, 1.5, 0.75), (-101.25, 12.5, 1000.125)
NUMBERS = np.random.default_rng(0).integers(0, 120, (3, 4, 5))


def volume_of(data: np.ndarray, affine: np.ndarray = AFFINE) -> Volume:
    shape = (data.shape[0], data.shape[1], data.shape[2])
    return Volume(data, Geometry(shape, affine), Provenance("made"))


def test_the_suffixes_are_known(tmp_path: Path) -> None:
    assert {".nii.gz", ".nii", ".nrrd", ".mha"} <= set(image_suffixes())
    with pytest.raises(UnknownFormat, match=r"\.nrrd"):
        write_image(tmp_path / "a.xyz", volume_of(NUMBERS.astype(np.uint8)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8", ">i2", "?"])
def test_grey_values_stay_as_they_are(name: str, dtype: str, tmp_path: Path) -> None:
    data = (NUMBERS - (0 if dtype in ("u1", "u2", "u4", "?") else 50)).astype(dtype)
    write_image(tmp_path / name, volume_of(data))
    image = sitk.ReadImage(str(tmp_path / name))
    stored = sitk.GetArrayFromImage(image)
    assert np.array_equal(stored, data)
    assert stored.dtype == ("u1" if dtype == "?" else np.dtype(dtype).newbyteorder("="))
    assert geometry_of(image).is_close(volume_of(data).geometry)
    back = read(tmp_path / name)
    assert np.array_equal(back.data, data)
    assert back.geometry.is_close(volume_of(data).geometry)
    if ".nii" in name:
        assert np.array_equal(np.asanyarray(nibabel.load(tmp_path / name).dataobj), data.T)
        assert nibabel_geometry(tmp_path / name).is_close(volume_of(data).geometry)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_colours_stay_as_they_are(name: str, dtype: str, tmp_path: Path) -> None:
    data = np.random.default_rng(1).integers(0, 250, (3, 4, 5, 3)).astype(dtype)
    write_image(tmp_path / name, volume_of(data))
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / name))), data)
    back = read(tmp_path / name)
    assert np.array_equal(back.data, data)
    assert back.data.dtype == dtype
    assert back.geometry.is_close(volume_of(data).geometry)


@pytest.mark.parametrize("name", NAMES)
def test_a_volume_in_its_file_is_copied_plane_by_plane(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = NUMBERS.astype(np.int16)
    write_image(tmp_path / "source.nii", volume_of(data))
    monkeypatch.setattr(_stored_images, "LAZY_BYTES", 10)
    lazy = read(tmp_path / "source.nii")
    asked = []
    read_box = _stored_images._MappedVolume.read_box

    def noted(source: object, start: tuple, stop: tuple) -> np.ndarray:
        asked.append(stop[0] - start[0])
        return read_box(source, start, stop)  # type: ignore[arg-type]

    monkeypatch.setattr(_stored_images._MappedVolume, "read_box", noted)
    write_image(tmp_path / name, lazy)
    assert asked == [1, 1, 1]
    assert np.array_equal(read(tmp_path / name).data, data)


@pytest.mark.parametrize("name", NAMES)
def test_sheared_and_left_handed_images(name: str, tmp_path: Path) -> None:
    for change in ((0, 1, 0.3), (1, 1, -3.0)):
        affine = AFFINE.copy()
        affine[change[0], change[1]] += change[2]
        volume = volume_of(NUMBERS.astype(np.int16), affine)
        write_image(tmp_path / name, volume)
        assert read(tmp_path / name).geometry.is_close(volume.geometry)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_that_a_format_does_not_have(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImage, match="no numbers of type float16"):
        write_image(tmp_path / name, volume_of(NUMBERS.astype(np.float16)))
    assert list(tmp_path.iterdir()) == []
