"""dcm2niix, which shares no code with us, puts every voxel where we do."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

import volumes
from benchmarks._fuzz_dicom_planes import plane, saved
from benchmarks._outside import compare
from benchmarks._outside_dicom import by_dcm2niix, by_pydicom, has_dcm2niix, run_dcm2niix

pytestmark = pytest.mark.skipif(not has_dcm2niix(), reason="dcm2niix is not installed (a Debian package)")

# The 24 orientations of a patient whose axes are the scanner's, up to rotation.
ROTATIONS = [
    (order, signs)
    for order in itertools.permutations(range(3))
    for signs in itertools.product((1.0, -1.0), repeat=3)
    if round(np.linalg.det(np.diag(signs)[:, list(order)])) == 1
]
OBLIQUE = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]


def write_phantom(folder: Path, rotation: np.ndarray, n_planes: int = 5) -> Path:
    """Planes whose voxels differ everywhere; columns of the rotation: row and column direction, normal."""
    folder.mkdir()
    rotation = rotation * np.sign(np.linalg.det(rotation))
    voxels = np.random.default_rng(0).integers(0, 2000, (n_planes, 12, 17)).astype(np.uint16)
    names = np.random.default_rng(1).permutation(n_planes)
    for index in range(n_planes):
        position = np.array([11.0, -23.0, 37.5]) + 2.5 * index * rotation[:, 2]
        tags = {
            "ImagePositionPatient": [float(f"{value:.8g}") for value in position],
            "ImageOrientationPatient": [float(f"{value:.9g}") for value in rotation[:, :2].T.ravel()],
        }
        (folder / f"{names[index]}.dcm").write_bytes(saved(plane(index + 1, voxels[index], **tags)))
    return folder


@pytest.mark.parametrize(("order", "signs"), ROTATIONS)
def test_a_phantom_lies_where_dcm2niix_sees_it(
    order: tuple[int, ...], signs: tuple[float, ...], tmp_path: Path
) -> None:
    folder = write_phantom(tmp_path / "phantom", np.diag(signs)[:, list(order)])
    volume = volumes.read(folder)
    assert volume.shape == (5, 12, 17)
    verdict = by_dcm2niix(volume)
    assert str(verdict) == "="


@pytest.mark.parametrize("turned", [OBLIQUE, OBLIQUE.T, -OBLIQUE[:, [1, 0, 2]]])
def test_an_oblique_phantom_lies_where_dcm2niix_sees_it(turned: np.ndarray, tmp_path: Path) -> None:
    volume = volumes.read(write_phantom(tmp_path / "phantom", turned))
    assert str(by_dcm2niix(volume)) == "="
    assert str(by_pydicom(volume)) == "="


def test_a_plane_that_moved_would_be_noticed(tmp_path: Path) -> None:
    volume = volumes.read(write_phantom(tmp_path / "phantom", np.eye(3)))
    (seen,) = run_dcm2niix([one.path for one in volume.provenance.sources if one is not None])
    assert compare(volume, seen).agrees
    affine = volume.geometry.affine.copy()
    affine[0, 3] += 0.5
    shifted = volumes.Volume(volume.data, volumes.Geometry(volume.shape, affine), volume.provenance)
    assert str(compare(shifted, seen)) == "≠ 0.5 mm apart"
    turned = volumes.Volume(volume.data[:, ::-1], volume.geometry, volume.provenance)
    assert not compare(turned, seen).agrees


# What dcm2niix writes of each folder agrees with each of its volumes that we read.
SERIES = ("torchio_ct", "tcia_hcrop", "tcia_mr_three_series_mixed", "dicompyler_rt")


@pytest.mark.parametrize("name", SERIES)
def test_the_zoos_series_lie_where_dcm2niix_sees_them(name: str, shared_data: Path) -> None:
    folder = shared_data / "dicom_zoo" / "series" / name
    for series in volumes.list_series(folder):
        volume = volumes.read(folder, series=series.key)
        assert str(by_dcm2niix(volume)) == "="
        assert str(by_pydicom(volume)) == "="
