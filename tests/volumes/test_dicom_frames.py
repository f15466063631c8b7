"""Multi-frame DICOM: each kind of image says in its own way where its frames lie."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.sequence import Sequence

import volumes
from tests.volumes.dicom_made import AXIAL, ENHANCED_MR, NM, STORAGE, group, image, item, ramp, saved
from volumes import read
from volumes._dicom.headers import read_headers

OBLIQUE = [0.8, 0.6, 0.0, 0.0, 0.0, -1.0]
NORMAL = np.cross(OBLIQUE[:3], OBLIQUE[3:])


def enhanced(places: Any, own: Any = None, shared: Any = None, **tags: Any) -> Any:
    """Make an enhanced image whose frame i holds i; `own` makes further groups of a frame."""
    pixels = np.stack([np.full((4, 5), number, np.uint16) for number in range(len(places))])
    frames = []
    for number, place in enumerate(places):
        frame = group(PlanePositionSequence={"ImagePositionPatient": [float(f"{x:.6g}") for x in place]})
        frame.update(own(number) if own else {})
        frames.append(frame)
    shared = shared or group(
        PlaneOrientationSequence={"ImageOrientationPatient": OBLIQUE},
        PixelMeasuresSequence={"PixelSpacing": [0.5, 0.25], "SliceThickness": 2, "SpacingBetweenSlices": 3},
    )
    return image(
        pixels,
        ENHANCED_MR,
        Modality="MR",
        SharedFunctionalGroupsSequence=Sequence([shared]),
        PerFrameFunctionalGroupsSequence=Sequence(frames),
        **tags,
    )


def test_frames_lie_where_their_groups_say(tmp_path: Path) -> None:
    places = [np.array((5, 6, 7)) + 3 * step * NORMAL for step in (2, 0, 3, 1)]
    volume = read(saved(enhanced(places), tmp_path))
    assert volume.data[:, 0, 0].tolist() == [1, 3, 0, 2]
    assert volume.geometry.spacing_mm == pytest.approx((3.0, 0.5, 0.25))
    np.testing.assert_allclose(volume.geometry.index_to_mm((0, 0, 0)), (5, 6, 7), atol=1e-4)
    np.testing.assert_allclose(volume.geometry.index_to_mm((2, 0, 4))[2], 7 + 6 * NORMAL[2], atol=1e-4)
    assert not any("SpacingBetweenSlices" in note for note in volume.provenance.notes)


def test_positions_win_over_the_stated_distance(tmp_path: Path) -> None:
    volume = read(saved(enhanced([np.array((5, 6, 7)) + 2 * step * NORMAL for step in range(3)]), tmp_path))
    assert volume.geometry.spacing_mm[0] == pytest.approx(2.0)
    assert "SpacingBetweenSlices (0018,0088) says 3 mm, the positions 2 mm; the positions were taken" in (
        volume.provenance.notes
    )


def test_frames_have_rescaling_and_windows_of_their_own(tmp_path: Path) -> None:
    def own(number: int) -> Any:
        return group(
            PixelValueTransformationSequence={"RescaleSlope": number + 1, "RescaleIntercept": -10},
            FrameVOILUTSequence={"WindowCenter": [number, 50], "WindowWidth": [4, 50]},
        )

    volume = read(saved(enhanced([3.0 * step * NORMAL for step in range(3)], own), tmp_path))
    assert volume.data[:, 0, 0].tolist() == [-10, -8, -4]
    assert volume.suggested_window == (-1.0, 3.0)


def test_what_tells_frames_apart_is_read(tmp_path: Path) -> None:
    def own(number: int) -> Any:
        return group(
            FrameContentSequence={
                "StackID": "2",
                "InStackPositionNumber": number + 1,
                "TemporalPositionIndex": 7,
                "FrameAcquisitionNumber": 3,
                "DimensionIndexValues": [1, number + 1],
            },
            MREchoSequence={"EffectiveEchoTime": 12.5},
            MRDiffusionSequence={"DiffusionBValue": 800.0},
            CardiacSynchronizationSequence={"NominalCardiacTriggerDelayTime": 40.0},
        )

    planes = read_headers(saved(enhanced([3.0 * step * NORMAL for step in range(2)], own), tmp_path)).planes
    tags = planes[1].tags
    assert (tags.stack, tags.temporal, tags.acquisition, tags.dimensions) == ("2", 7, 3, (1, 2))
    assert (tags.echo_ms, tags.b_value, tags.trigger_ms) == (12.5, 800.0, 40.0)


def test_too_few_groups_are_refused(tmp_path: Path) -> None:
    dataset = enhanced([3.0 * step * NORMAL for step in range(3)])
    del dataset.PerFrameFunctionalGroupsSequence[2]
    with pytest.raises(volumes.BrokenFile, match=r"PerFrame.*\(5200,9230\) describes 2 of 3 frames; mend"):
        read(saved(dataset, tmp_path))


def test_an_ultrasound_volume_lies_in_its_own_frame(tmp_path: Path) -> None:
    frames = [
        group(
            PlanePositionVolumeSequence={"ImagePositionVolume": [0.0, 0.0, 1.5 * step]},
            PlaneOrientationVolumeSequence={"ImageOrientationVolume": AXIAL},
        )
        for step in range(3)
    ]
    dataset = image(
        ramp(3, 4, 5, dtype=np.uint8), f"{STORAGE}6.2", Modality="US",
        PerFrameFunctionalGroupsSequence=Sequence(frames),
        SharedFunctionalGroupsSequence=Sequence([group(PixelMeasuresSequence={"PixelSpacing": [0.5, 0.5]})]),
    )  # fmt: skip
    volume = read(saved(dataset, tmp_path))
    assert volume.geometry.spacing_mm == pytest.approx((1.5, 0.5, 0.5))
    assert any("not the patient's" in note for note in volume.provenance.notes)


def dose(**tags: Any) -> Any:
    defaults: dict[str, Any] = {
        "Modality": "RTDOSE",
        "ImagePositionPatient": [1.0, 2.0, 30.0],
        "ImageOrientationPatient": AXIAL,
        "PixelSpacing": [2.0, 2.5],
        "GridFrameOffsetVector": [0.0, 4.0, 8.0],
        "DoseGridScaling": "0.001",
        "DoseUnits": "GY",
    }
    return image(ramp(3, 4, 5, dtype=np.uint32), f"{STORAGE}481.2", **{**defaults, **tags})


@pytest.mark.parametrize("grid", [[0.0, 4.0, 8.0], [30.0, 34.0, 38.0]], ids=["offsets", "places"])
def test_a_dose_is_in_gray_on_its_grid(grid: list, tmp_path: Path) -> None:
    volume = read(saved(dose(GridFrameOffsetVector=grid), tmp_path))
    np.testing.assert_allclose(volume.data, ramp(3, 4, 5) * 0.001, rtol=1e-6)
    assert volume.geometry.spacing_mm == pytest.approx((4.0, 2.0, 2.5))
    np.testing.assert_allclose(volume.geometry.index_to_mm((2, 0, 0)), (1, 2, 38))
    assert any("dose in Gy" in note for note in volume.provenance.notes)


def test_dose_grids_that_run_down_or_make_no_sense(tmp_path: Path) -> None:
    volume = read(saved(dose(GridFrameOffsetVector=[0.0, -4.0, -8.0]), tmp_path))
    np.testing.assert_allclose(volume.geometry.index_to_mm((0, 0, 0)), (1, 2, 22))
    assert volume.data[2, 0, 1] == pytest.approx(0.001)
    for grid in ([5.0, 9.0, 13.0], [0.0, 4.0]):
        with pytest.raises(volumes.BrokenFile, match=r"GridFrameOffsetVector \(3004,000C\)"):
            read(saved(dose(GridFrameOffsetVector=grid), tmp_path))


@pytest.mark.parametrize("step", [3.0, -3.0])
def test_nuclear_medicine_counts_slices_from_the_first(step: float, tmp_path: Path) -> None:
    place = item(ImagePositionPatient=[0.0, 0.0, 100.0], ImageOrientationPatient=AXIAL)
    dataset = image(
        ramp(3, 4, 5), NM, Modality="NM", ImageType=["ORIGINAL", "PRIMARY", "RECON TOMO", "EMISSION"],
        SliceVector=[1, 2, 3], DetectorInformationSequence=Sequence([place]),
        SpacingBetweenSlices=step, PixelSpacing=[2.0, 2.0], SliceThickness=3.0,
    )  # fmt: skip
    volume = read(saved(dataset, tmp_path))
    assert volume.geometry.spacing_mm[0] == pytest.approx(3.0)
    first = 0 if step > 0 else 2
    np.testing.assert_allclose(volume.geometry.index_to_mm((first, 0, 0)), (0, 0, 100))
    assert volume.data[first, 0, 0] == 0


def test_time_slots_of_nuclear_medicine_are_volumes_of_their_own(tmp_path: Path) -> None:
    place = item(ImagePositionPatient=[0.0, 0.0, 100.0], ImageOrientationPatient=AXIAL)
    dataset = image(
        ramp(6, 4, 5), NM, Modality="NM", SliceVector=[1, 2, 3, 1, 2, 3], TimeSlotVector=[1, 1, 1, 2, 2, 2],
        DetectorInformationSequence=Sequence([place]), SpacingBetweenSlices=3.0, PixelSpacing=[2.0, 2.0],
    )  # fmt: skip
    path = saved(dataset, tmp_path)
    infos = volumes.list_series(path)
    assert [info.shape for info in infos] == [(3, 4, 5)] * 2
    assert read(path, series=infos[1].key).data[:, 0, 0].tolist() == [60, 80, 100]


@pytest.mark.parametrize("kind", ["enhanced", "shuffled", "behind", "in front"])
def test_simpleitk_sees_each_voxel_at_the_same_point(kind: str, tmp_path: Path) -> None:
    if kind in ("enhanced", "shuffled"):
        order = range(4) if kind == "enhanced" else (3, 2, 1, 0)
        dataset = enhanced([np.array((5, 6, 7)) + 3 * step * NORMAL for step in order])
        dataset.PixelData = ramp(4, 4, 5).tobytes()
    else:
        place = item(ImagePositionPatient=[1.0, 2.0, 100.0], ImageOrientationPatient=OBLIQUE)
        dataset = image(
            ramp(3, 4, 5), NM, Modality="NM", SliceVector=[1, 2, 3], FrameIncrementPointer=0x00540080,
            NumberOfSlices=3, DetectorInformationSequence=Sequence([place]), PixelSpacing=[2.0, 2.5],
            SpacingBetweenSlices=3.0 if kind == "behind" else -3.0,
        )  # fmt: skip
    path = saved(dataset, tmp_path)
    volume, image_itk = read(path), sitk.ReadImage(path)
    theirs = sitk.GetArrayFromImage(image_itk)
    for value in (0, 7, 33, 59):
        ours_idx = tuple(int(axis[0]) for axis in np.nonzero(np.asarray(volume.data) == value))
        at = [int(axis[0]) for axis in np.nonzero(theirs == value)]
        point = image_itk.TransformIndexToPhysicalPoint(at[::-1])
        np.testing.assert_allclose(volume.geometry.index_to_mm(ours_idx), point, atol=1e-4)


def test_one_position_for_all_frames_is_none(tmp_path: Path) -> None:
    dataset = image(
        ramp(3, 4, 5),
        ImagePositionPatient=[1.0, 2.0, 3.0],
        ImageOrientationPatient=AXIAL,
        PixelSpacing=[1, 1],
    )
    volume = read(saved(dataset, tmp_path))
    assert volume.data[:, 0, 0].tolist() == [0, 20, 40]
    assert any("ImagePositionPatient (0020,0032) is one for all frames" in n for n in volume.provenance.notes)


def test_a_slide_in_tiles_is_refused_and_one_tile_is_read(tmp_path: Path) -> None:
    slide = f"{STORAGE}77.1.6"
    tiled = image(
        ramp(4, 4, 4, 3, dtype=np.uint8), slide, Modality="SM", TotalPixelMatrixRows=8,
        TotalPixelMatrixColumns=8, DimensionOrganizationType="TILED_FULL",
    )  # fmt: skip
    with pytest.raises(volumes.UnsupportedImage, match="a slide of 8 rows and 8 columns in tiles"):
        read(saved(tiled, tmp_path))
    whole = image(
        ramp(4, 4, 3, dtype=np.uint8), slide, Modality="SM", TotalPixelMatrixRows=4,
        TotalPixelMatrixColumns=4, DimensionOrganizationType="TILED_FULL",
    )  # fmt: skip
    assert np.array_equal(read(saved(whole, tmp_path)).data[0], ramp(4, 4, 3, dtype=np.uint8))


@settings(max_examples=25)
@given(st.permutations(range(5)), st.floats(0.5, 9.0), st.sampled_from([AXIAL, OBLIQUE]))
def test_order_of_frames_never_matters(order: list, gap: float, directions: list) -> None:
    gap = round(gap, 2)
    normal = np.cross(directions[:3], directions[3:])
    shared = group(
        PlaneOrientationSequence={"ImageOrientationPatient": directions},
        PixelMeasuresSequence={"PixelSpacing": [0.5, 0.25]},
    )
    with tempfile.TemporaryDirectory() as folder:
        file = saved(enhanced([gap * step * normal for step in order], shared=shared), Path(folder))
        volume = read(file)
    assert [order[value] for value in volume.data[:, 0, 0]] == list(range(5))
    assert volume.geometry.spacing_mm[0] == pytest.approx(gap, rel=1e-4)
