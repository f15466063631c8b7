"""What the files that SimpleITK writes hold beside grey volumes: colour, planes, vectors, pairs of files."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from volumes import BrokenFile, MixedSeries, read

RGBA = np.random.default_rng(0).integers(0, 255, (2, 3, 4, 4)).astype(np.uint8)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha"])
@pytest.mark.parametrize("n_values", [3, 4])
def test_colour(name: str, n_values: int, tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(RGBA[..., :n_values], isVector=True), str(tmp_path / name))
    volume = read(tmp_path / name)
    assert volume.is_rgb
    assert np.array_equal(volume.data, RGBA[..., :3])
    assert volume.provenance.notes == (("alpha was left out",) if n_values == 4 else ())


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha"])
def test_vectors_are_read_one_component_at_a_time(name: str, tmp_path: Path) -> None:
    vectors = np.random.default_rng(1).normal(size=(2, 3, 4, 2))
    sitk.WriteImage(sitk.GetImageFromArray(vectors, isVector=True), str(tmp_path / name))
    with pytest.raises(MixedSeries, match="c0.*c1"):
        read(tmp_path / name)
    assert np.array_equal(read(tmp_path / name, series="c1").data, vectors[..., 1].astype(np.float32))


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.mha"])
def test_a_two_dimensional_image_is_one_plane(name: str, tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(RGBA[0, :, :, 0])
    image.SetSpacing((0.5, 0.25))
    sitk.WriteImage(image, str(tmp_path / name))
    volume = read(tmp_path / name)
    assert np.array_equal(volume.data, RGBA[:1, :, :, 0])
    assert volume.geometry.spacing_mm == (1.0, 0.25, 0.5)


@pytest.mark.parametrize("name", ["a.nii", "a.nrrd", "a.mha"])
def test_four_dimensions_are_a_series_but_for_one_long(name: str, tmp_path: Path) -> None:
    data = RGBA[..., 0].astype(np.int32)
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(data)] * 2), str(tmp_path / name))
    with pytest.raises(MixedSeries, match="t0 .2x3x4.; t1"):
        read(tmp_path / name)
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(data)]), str(tmp_path / name))
    volume = read(tmp_path / name)
    assert np.array_equal(volume.data, data)
    assert volume.data.dtype == np.int16


def test_a_pair_of_header_and_voxels(tmp_path: Path) -> None:
    data = RGBA[..., 0].astype(np.int16)
    nibabel.save(nibabel.Nifti1Pair(data, np.diag([1.0, 2.0, 3.0, 1.0])), tmp_path / "a.img")
    volume = read(tmp_path / "a.hdr")
    assert np.array_equal(volume.data, data.T)
    voxels = (tmp_path / "a.img").read_bytes()
    (tmp_path / "a.img").write_bytes(voxels[:-2])
    with pytest.raises(BrokenFile, match="complete copy"):
        read(tmp_path / "a.hdr")
    (tmp_path / "a.img").unlink()
    with pytest.raises(BrokenFile, match="not beside it"):
        read(tmp_path / "a.hdr")


def test_no_orientation_is_noted(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(RGBA[..., 0], None), tmp_path / "a.nii")
    assert any("no orientation" in note for note in read(tmp_path / "a.nii").provenance.notes)
