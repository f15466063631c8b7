"""Every volume of every real series against pydicom, plane by plane, and against dcm2niix, point by point."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

from volumes import Volume, list_series, read

FOLDERS = [
    "dicom_zoo/series/dicompyler_rt",
    "dicom_zoo/series/philips_mixed_study",
    "dicom_zoo/series/philips_tilt_minus18",
    "dicom_zoo/series/philips_two_tilts_mixed",
    "dicom_zoo/series/sunnybrook_cine_phases",
    "dicom_zoo/series/tcia_hcrop",
    "dicom_zoo/series/tcia_mr_three_series_mixed",
    "dicom_zoo/series/torchio_ct",
    "dicom_zoo/series/torchio_ct_missing_slices",
    "eval/dicom_series/dcmqi_ct_3slice",
    "eval/dicom_series/sunnybrook_SCD0000101_ED",
    "eval/dicom_series/sunnybrook_SCD0000201_ED",
    "eval/dicom_series/sunnybrook_SCD0000201_ES",
    "eval/dicom_series/sunnybrook_SCD0000301_ED",
]


def assert_plane_is_its_file(volume: Volume, index: int) -> None:
    """Its voxels are the file's, rescaled, and it lies where the file says."""
    source = volume.provenance.sources[index]
    if source is None:
        return
    dataset = pydicom.dcmread(source.path)
    slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
    expected = dataset.pixel_array * slope + intercept
    np.testing.assert_allclose(volume.data[index], expected, rtol=1e-6)
    if "ImagePositionPatient" not in dataset:
        return
    row_mm, column_mm = map(float, dataset.PixelSpacing)
    right, down = np.reshape(np.array(dataset.ImageOrientationPatient, float), (2, 3))
    at = np.array([(0, 0), (dataset.Rows - 1, 0), (dataset.Rows - 1, dataset.Columns - 1)])
    places_mm = np.array(dataset.ImagePositionPatient, float) + at @ np.array(
        [row_mm * down, column_mm * right]
    )
    indices = np.column_stack([np.full(3, index), at])
    # Headers round positions and directions: to a thousandth, and to a few thousandths at the far corner.
    np.testing.assert_allclose(volume.geometry.index_to_mm(indices), places_mm, atol=0.01)


@pytest.mark.parametrize("name", FOLDERS)
def test_every_plane_is_its_file(name: str, shared_data: Path) -> None:
    folder = shared_data / name
    used: list[tuple[Path, int]] = []
    for info in list_series(folder):
        volume = read(folder, series=info.key, allow_gaps=True)
        for index in range(volume.shape[0]):
            if not volume.is_rgb:
                assert_plane_is_its_file(volume, index)
        used += [(source.path, source.frame) for source in volume.provenance.sources if source]
    assert len(used) == len(set(used))
    images = [path for path in folder.iterdir() if "PixelData" in pydicom.dcmread(path, force=True)]
    assert {path for path, _ in used} == set(images)


# dcm2niix numbers its files by series; the cine's phases and the tilted series are compared elsewhere.
JUDGED = [
    ("dicom_zoo/series/torchio_ct", "123456"),
    ("dicom_zoo/series/tcia_mr_three_series_mixed", "11"),
    ("dicom_zoo/series/tcia_mr_three_series_mixed", "36468"),
    ("dicom_zoo/series/tcia_mr_three_series_mixed", "37870"),
    ("dicom_zoo/series/philips_mixed_study", "201"),
    ("dicom_zoo/series/philips_mixed_study", "203"),
    ("eval/dicom_series/dcmqi_ct_3slice", "2"),
    ("eval/dicom_series/sunnybrook_SCD0000101_ED", "300"),
    ("eval/dicom_series/sunnybrook_SCD0000301_ED", "5"),
]


@pytest.mark.parametrize(("name", "key"), JUDGED)
def test_every_voxel_lies_where_dcm2niix_puts_it(
    name: str, key: str, shared_data: Path, tmp_path: Path
) -> None:
    if shutil.which("dcm2niix") is None:
        pytest.skip("dcm2niix is not installed")
    command = ["dcm2niix", "-z", "n", "-b", "n", "-f", "%s", "-o", tmp_path, shared_data / name]
    subprocess.run(command, check=True, capture_output=True)
    judge = nibabel.load(tmp_path / f"{key}.nii")
    volume = read(shared_data / name, series=key)
    assert sorted(judge.shape) == sorted(volume.shape)
    corners = np.array(np.meshgrid(*[(0, length - 1) for length in volume.shape])).reshape(3, -1).T
    places = np.vstack([corners, np.random.default_rng(2).integers(0, volume.shape, (5000, 3))])
    ras = np.column_stack([volume.geometry.index_to_mm(places) * (-1, -1, 1), np.ones(len(places))])
    found = (np.linalg.inv(judge.affine) @ ras.T)[:3].T
    assert np.abs(found - np.round(found)).max() < 0.02  # voxel centres meet
    theirs = np.asarray(judge.dataobj)[tuple(np.round(found).astype(int).T)]
    np.testing.assert_allclose(np.asarray(volume.data)[tuple(places.T)], theirs, rtol=1e-5)


def test_real_heart_phases_are_volumes_where_simpleitk_makes_one_false_stack(shared_data: Path) -> None:
    folder = shared_data / "dicom_zoo" / "series" / "sunnybrook_cine_phases"
    keys = [info.key for info in list_series(folder)]
    assert keys == ["300/t0", "300/t1", "300/t2", "300/t3"]
    for at, key in enumerate(keys):
        volume = read(folder, series=key)
        assert volume.shape == (5, 256, 256)
        assert volume.geometry.spacing_mm[0] == pytest.approx(10.0, abs=1e-3)
        for index, source in enumerate(volume.provenance.sources):
            assert source is not None
            dataset = pydicom.dcmread(source.path)
            assert (dataset.InstanceNumber - 81) // 5 % 4 == at
            assert np.array_equal(volume.data[index], dataset.pixel_array)
            place = volume.geometry.index_to_mm((index, 0, 0))
            np.testing.assert_allclose(place, dataset.ImagePositionPatient, atol=2e-3)
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    assert sitk.ReadImage(names).GetSize()[2] == 20
