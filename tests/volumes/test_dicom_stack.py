"""Where the planes of a DICOM volume lie: gaps that are kept, uneven planes, tilted gantries."""

from __future__ import annotations

import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

import volumes
from volumes import Geometry, Volume, read
from volumes._dicom.spacing import PlaneGrid, plane_grid
from volumes._dicom.stack import spread
from volumes._dicom.tilt import shift_per_mm, straightened, tilt_note

Make = Callable[..., Path]
TILT_DEG = 16.7


def notes_of(volume: Volume) -> str:
    return " | ".join(volume.provenance.notes)


def test_missing_planes_are_filled_where_gaps_are_allowed(make_series: Make) -> None:
    folder = make_series([(0, 0, z) for z in (0, 2, 4, 10, 12, 16)])
    with pytest.raises(volumes.MissingSlices, match=r"allow_gaps=True \(--allow-gaps\)"):
        read(folder)
    volume = read(folder, allow_gaps=True)
    assert volume.data[:, 0, 0].tolist() == [-24, -23, -22, -24, -24, -21, -20, -24, -19]
    assert volume.geometry.spacing_mm[0] == 2.0
    assert "3 missing planes were filled with the lowest value: 3-4, 7" in notes_of(volume)
    assert [source is None for source in volume.provenance.sources] == [at in (3, 4, 7) for at in range(9)]
    for place, source in enumerate(volume.provenance.sources):
        if source is not None:
            position = pydicom.dcmread(source.path).ImagePositionPatient
            np.testing.assert_allclose(volume.geometry.index_to_mm((place, 0, 0)), position, atol=1e-9)


def test_uneven_planes_are_put_on_an_even_grid(make_series: Make) -> None:
    folder = make_series([(0, 0, z) for z in (0, 2, 4, 7, 9)])
    with pytest.raises(volumes.UnevenSpacing, match=r"allow_gaps=True \(--allow-gaps\)"):
        read(folder)
    volume = read(folder, allow_gaps=True)
    assert volume.geometry.spacing_mm[0] == pytest.approx(1.0)
    assert volume.data[:, 0, 0].tolist() == [-24, -24, -23, -22, -22, -22, -21, -21, -20, -20]
    assert "a grid of 1 mm; 5 planes between them were interpolated" in notes_of(volume)
    assert [at for at, source in enumerate(volume.provenance.sources) if source] == [0, 2, 4, 7, 9]


def test_a_full_series_is_the_same_with_and_without_gaps_allowed(make_series: Make) -> None:
    folder = make_series([(0, 0, 2 * z) for z in range(5)])
    assert read(folder).digest() == read(folder, allow_gaps=True, straighten=True).digest()


def test_planes_too_far_apart_for_a_grid_are_refused(make_series: Make) -> None:
    for places, error in (
        ((0, 1, 500), volumes.MissingSlices),
        ((0, 5, 999.1, 1801.3), volumes.UnevenSpacing),
    ):
        folder = make_series([(0, 0, z) for z in places], folder=error.__name__)
        with pytest.raises(error, match="too"):
            read(folder, allow_gaps=True)


@given(st.lists(st.floats(0.5, 8), min_size=2, max_size=12))
def test_every_plane_lies_near_its_true_place(gaps_mm: list[float]) -> None:
    along_mm = np.concatenate([[0.0], np.cumsum(gaps_mm)])
    try:
        grid = plane_grid(along_mm, Path("series"), allow_gaps=True)
    except volumes.VolumeError:
        return
    moved_mm = np.abs(np.array(grid.places_idx) * grid.step_mm - along_mm).max()
    usual_mm = float(np.median(gaps_mm))
    n_gaps = len(gaps_mm)
    if grid.is_interpolated:
        assert moved_mm <= max(0.06, 0.02 * usual_mm, min(gaps_mm) / 16) + 1e-9
    else:  # rounding, over the stack
        assert moved_mm <= n_gaps * max(0.06, 0.02 * usual_mm) * max(np.diff(grid.places_idx)) + 1e-9
    assert list(grid.places_idx) == sorted(set(grid.places_idx))


def test_between_uneven_planes_values_are_linear() -> None:
    data = np.array([0.0, 10.0, 40.0], np.float32).reshape(3, 1, 1)
    full = spread(data, PlaneGrid(1.0, (0, 2, 5), is_interpolated=True))
    np.testing.assert_allclose(full[:, 0, 0], [0, 5, 10, 20, 30, 40])


def test_missing_planes_of_a_real_series(shared_data: Path) -> None:
    """The voxels are those of the whole series; SimpleITK averages the gaps and puts planes elsewhere."""
    zoo = shared_data / "dicom_zoo" / "series"
    whole, holed = read(zoo / "torchio_ct"), read(zoo / "torchio_ct_missing_slices", allow_gaps=True)
    assert holed.geometry == whole.geometry
    filled = [place for place, source in enumerate(holed.provenance.sources) if source is None]
    assert filled == [5, 6, 11]
    kept = [place for place in range(17) if place not in filled]
    assert np.array_equal(np.asarray(holed.data)[kept], np.asarray(whole.data)[kept])
    assert set(np.unique(np.asarray(holed.data)[filled])) == {np.asarray(holed.data).min()}
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(zoo / "torchio_ct_missing_slices"))
    assert sitk.ReadImage(names).GetSpacing()[2] == pytest.approx(2.462, abs=1e-3)


def tilted(n_planes: int = 5, **tags: float) -> dict[str, object]:
    step = 2 * math.tan(math.radians(TILT_DEG))
    return {"positions": [(5.0, -7.0 + step * z, 2.0 * z) for z in range(n_planes)], **tags}


def test_a_tilted_stack_keeps_its_voxels_on_a_sheared_grid(make_series: Make) -> None:
    folder = make_series(**tilted(GantryDetectorTilt=-TILT_DEG))
    volume = read(folder)
    assert volume.data[:, 0, 0].tolist() == [-24, -23, -22, -21, -20]
    assert f"a tilt of {TILT_DEG} degrees" in notes_of(volume)
    assert "GantryDetectorTilt" not in notes_of(volume)
    for place, source in enumerate(volume.provenance.sources):
        assert source is not None
        position = pydicom.dcmread(source.path).ImagePositionPatient
        np.testing.assert_allclose(volume.geometry.index_to_mm((place, 0, 0)), position, atol=1e-6)


def test_a_tag_that_disagrees_with_the_positions_is_told(make_series: Make) -> None:
    shifting = read(make_series(**tilted(GantryDetectorTilt=3.0), folder="a"))
    assert "the tag GantryDetectorTilt says 3, the planes' positions were taken" in notes_of(shifting)
    upright = read(make_series([(0, 0, 2 * z) for z in range(3)], folder="b", GantryDetectorTilt=3.0))
    assert "do not shift sideways; the tag GantryDetectorTilt says 3" in notes_of(upright)
    assert tilt_note(np.zeros(3), 0.0, straighten=False) is None


def test_a_tilted_stack_with_a_missing_plane(make_series: Make) -> None:
    positions = tilted(6)["positions"]
    assert isinstance(positions, list)
    whole = read(make_series(positions, folder="whole"))
    holed = read(make_series([*positions[:2], *positions[3:]], folder="holed"), allow_gaps=True)
    assert holed.geometry.is_close(whole.geometry, 1e-6)
    assert holed.provenance.sources[2] is None


@given(
    tilt=st.tuples(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5)),
    spacing_mm=st.tuples(st.floats(1, 5), st.floats(0.4, 2), st.floats(0.4, 2)),
    turned=st.integers(0, 3),
)
def test_a_straightened_stack_shows_the_same_at_each_place(
    tilt: tuple[float, float], spacing_mm: tuple[float, float, float], turned: int
) -> None:
    """The image is linear in x, y and z, which linear interpolation keeps to rounding."""
    rotation = np.roll(np.eye(3), turned, axis=0)
    plane_mm, row_mm, column_mm = spacing_mm
    normal, down, right = rotation.T
    affine = np.eye(4)
    step = plane_mm * (normal + tilt[0] * down + tilt[1] * right)
    affine[:3] = np.column_stack([step, row_mm * down, column_mm * right, (3.0, -4.0, 5.0)])
    geometry = Geometry((4, 7, 9), affine)
    indices = np.moveaxis(np.indices(geometry.shape), 0, -1).reshape(-1, 3)
    values = geometry.index_to_mm(indices) @ (1.0, 2.0, -3.0) + 500
    data, upright = straightened(values.reshape(geometry.shape).astype(np.float32), geometry)
    axes = upright.affine[:3, :3] / np.linalg.norm(upright.affine[:3, :3], axis=0)
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    inside = data > values.min().astype(np.float32)
    expected = upright.index_to_mm(np.argwhere(inside)) @ (1.0, 2.0, -3.0) + 500
    np.testing.assert_allclose(data[inside], expected, atol=1e-2)
    assert inside.sum() >= 4 * 6 * 8 - 1


def test_straightening_colours_and_integers() -> None:
    affine = np.eye(4)
    affine[1, 0] = 0.5
    data = np.zeros((3, 4, 4, 3), np.uint8)
    data[..., 0], data[:, 2:, :, 1] = 200, 101
    out, geometry = straightened(data, Geometry((3, 4, 4), affine))
    assert out.dtype == np.uint8
    assert geometry.shape == out.shape[:3] == (3, 5, 4)
    assert out[1, :, 0, 1].tolist() == [0, 0, 50, 101, 0]
    assert out[2, :, 0, 0].tolist() == [0, 200, 200, 200, 200]


def test_planes_that_jump_sideways_are_refused() -> None:
    positions = np.array([(0, 0, 0), (0, 1, 2), (0, 0, 4), (0, 1, 6)], float)
    with pytest.raises(volumes.TiltedGantry, match="unevenly"):
        shift_per_mm(positions, np.array((0.0, 0.0, 1.0)), 0.5, Path("series"))


def test_a_real_tilted_series_is_that_of_dcm2niix(shared_data: Path, tmp_path: Path) -> None:
    """Both ways of ours, and the straightened image of dcm2niix, show the same at the same LPS points.

    SimpleITK ignores the tilt: its planes lie up to 7 mm off.
    """
    if shutil.which("dcm2niix") is None:
        pytest.skip("dcm2niix is not installed")
    folder = shared_data / "dicom_zoo" / "series" / "philips_tilt_minus18"
    subprocess.run(
        ["dcm2niix", "-z", "n", "-f", "ct", "-o", tmp_path, folder], check=True, capture_output=True
    )
    judge = nibabel.load(tmp_path / "ct_Tilt_1.nii")
    sheared, upright = read(folder), read(folder, straighten=True)
    assert upright.shape[1] == judge.shape[1]
    places = np.random.default_rng(5).uniform((1, 90, 90), (8, 420, 420), (20_000, 3))
    points_mm = sheared.geometry.index_to_mm(places)
    ras = np.column_stack([points_mm * (-1, -1, 1), np.ones(len(points_mm))])
    judge_idx = (np.linalg.inv(judge.affine) @ ras.T)[:3]
    theirs = map_coordinates(np.asarray(judge.dataobj, dtype=float), judge_idx, order=1)
    ours = map_coordinates(
        np.asarray(upright.data, dtype=float), upright.geometry.mm_to_index(points_mm).T, order=1
    )
    untouched = map_coordinates(np.asarray(sheared.data, dtype=float), places.T, order=1)
    assert np.abs(theirs - ours).max() <= 1.5  # both round to whole HU
    assert np.corrcoef(untouched, ours)[0, 1] > 0.999
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder))
    last = sitk.ReadImage(names).TransformIndexToPhysicalPoint((0, 0, 9))
    assert np.linalg.norm(np.subtract(last, sheared.geometry.index_to_mm((9, 0, 0)))) > 7
