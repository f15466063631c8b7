"""DICOM series: made ones for each rule, real ones against SimpleITK's series reader and the zoo's index."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

import volumes
from tests.volumes.judges import geometry_of
from volumes import list_series, read

Make = Callable[..., Path]
STRAIGHT = [(5.0, -7.0, 2.5 * step) for step in range(6)]
OBLIQUE = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)


def series_by_simpleitk(folder: Path, uid: str = "") -> sitk.Image:
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
    return sitk.ReadImage(names)


def assert_like_simpleitk(volume: volumes.Volume, image: sitk.Image, tolerance_mm: float = 1e-4) -> None:
    assert np.array_equal(volume.data, sitk.GetArrayFromImage(image))
    assert volume.geometry.is_close(geometry_of(image), tolerance_mm)


def test_planes_are_ordered_by_position_and_rescaled(make_series: Make) -> None:
    folder = make_series(STRAIGHT[::-1])
    volume = read(folder)
    assert volume.data.dtype == np.int16
    assert volume.data[:, 0, 0].tolist() == [-19, -20, -21, -22, -23, -24]
    assert volume.geometry.spacing_mm == pytest.approx((2.5, 0.7, 0.8))
    np.testing.assert_allclose(volume.geometry.index_to_mm((1, 1, 1)), (5.8, -6.3, 2.5))
    assert (volume.provenance.format, volume.provenance.modality) == ("DICOM", "CT")
    assert_like_simpleitk(volume, series_by_simpleitk(folder))


def test_an_oblique_series_lies_where_simpleitk_sees_it(make_series: Make) -> None:
    normal = np.cross(OBLIQUE[:3], OBLIQUE[3:])
    folder = make_series(
        [np.array((5, 6, 7)) + 3 * step * normal for step in range(4)], ImageOrientationPatient=list(OBLIQUE)
    )
    assert_like_simpleitk(read(folder), series_by_simpleitk(folder))


@pytest.mark.parametrize(
    ("positions", "error", "words"),
    [
        (
            [(0, 0, z) for z in (0, 2, 4, 8, 10)],
            volumes.MissingSlices,
            "lacks 1 planes: planes 2 and 3 are 4 mm",
        ),
        ([(0, 0, z) for z in (0, 6, 12, 14)], volumes.MissingSlices, "lacks 4 planes"),
        (
            [(0, 0, z) for z in (0, 2, 4, 7, 9)],
            volumes.UnevenSpacing,
            "planes 2 and 3 are 3 mm apart, the others 2",
        ),
        ([(0, 0, z) for z in (0, 0, 2, 4, 4)], volumes.DuplicateSlices, "5 planes at 3 positions"),
        (
            [(0, 0.4 * z * z, 2 * z) for z in range(5)],
            volumes.TiltedGantry,
            "shift sideways unevenly: plane 4",
        ),
    ],
)
def test_what_makes_no_regular_stack_is_refused(
    positions: list, error: type, words: str, make_series: Make
) -> None:
    folder = make_series(positions)
    with pytest.raises(error, match=words) as caught:
        read(folder)
    assert str(folder) in str(caught.value)
    assert ";" in str(caught.value)


def test_rounded_positions_are_taken_for_even(make_series: Make) -> None:
    exact = 0.625 * np.arange(9)
    volume = read(make_series([(0.0, 0.0, z) for z in np.round(exact, 2)]))
    assert volume.geometry.spacing_mm[0] == pytest.approx(0.625)


def test_two_series_need_a_choice(make_series: Make) -> None:
    folder = make_series(STRAIGHT, uid="1.2.3", SeriesDescription="thin", SeriesNumber=12)
    make_series(STRAIGHT[:2], uid="1.2.4", SeriesDescription="thick", SeriesNumber=3)
    with pytest.raises(volumes.MixedSeries, match=r"KEY: 3 \(CT thick 2x5x6\); 12 \(CT thin 6x5x6\)"):
        read(folder)
    assert [(info.key, info.shape) for info in list_series(folder)] == [("3", (2, 5, 6)), ("12", (6, 5, 6))]
    assert read(folder, series="3").shape == read(folder, series="1.2.4").shape == (2, 5, 6)
    with pytest.raises(volumes.UnknownSeries, match=r"no series '4'"):
        read(folder, series="4")


def test_one_uid_with_two_orientations_gets_two_keys(make_series: Make) -> None:
    folder = make_series(STRAIGHT, uid="1.2.3")
    make_series([(0, 0, 0)], folder="scout", uid="1.2.3", ImageOrientationPatient=list(OBLIQUE))
    (next((folder.parent / "scout").iterdir())).rename(folder / "scout")
    assert [info.key for info in list_series(folder)] == ["u1/1", "u1/2"]
    assert read(folder, series="u1/1").shape == (6, 5, 6)
    with pytest.raises(volumes.MixedSeries):
        read(folder, series="1.2.3")


def test_other_files_and_subfolders(make_series: Make) -> None:
    folder = make_series(STRAIGHT)
    (folder / "readme.txt").write_text("no image")
    assert read(folder).shape == (6, 5, 6)
    assert read(folder.parent).shape == (6, 5, 6)
    assert read(sorted(folder.glob("*.dcm"))[0]).shape == (1, 5, 6)


def test_the_window_is_low_and_high(make_series: Make) -> None:
    volume = read(make_series(STRAIGHT, WindowCenter=[40, 500], WindowWidth=[400, 2000]))
    assert volume.suggested_window == (-160.0, 240.0)
    assert read(make_series(STRAIGHT, folder="none")).suggested_window is None


def test_different_windows_become_one(make_series: Make) -> None:
    folder = make_series(STRAIGHT[:3], uid="1.2.3", folder="a")
    for file, centre in zip(sorted(folder.iterdir()), (10, 20, 90), strict=True):
        dataset = pydicom.dcmread(file)
        dataset.WindowCenter, dataset.WindowWidth = centre, 20
        dataset.save_as(file)
    volume = read(folder)
    assert volume.suggested_window == (10.0, 30.0)
    assert any("windows" in note for note in volume.provenance.notes)


def test_monochrome1_is_turned_round_but_for_measured_values(make_series: Make) -> None:
    picture = {
        "PhotometricInterpretation": "MONOCHROME1",
        "Modality": "CR",
        "RescaleIntercept": 0,
        "BitsStored": 12,
    }
    volume = read(make_series(STRAIGHT[:1], WindowCenter=1000, WindowWidth=100, **picture))
    assert volume.data[0, 0, 0] == 4095 - 1000
    assert volume.suggested_window == (3045.0, 3145.0)
    measured = read(make_series(STRAIGHT[:1], folder="ct", PhotometricInterpretation="MONOCHROME1"))
    assert measured.data[0, 0, 0] == 1000 - 1024


def test_monochrome1_in_a_compression_that_gdcm_decodes(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "dicom_zoo" / "singles" / "nema_wg04" / "CT2_JPLL"
    dataset = pydicom.dcmread(source)
    dataset.PhotometricInterpretation = "MONOCHROME1"
    dataset.save_as(tmp_path / "ct.dcm")
    assert np.array_equal(read(tmp_path / "ct.dcm").data, read(source).data)
    dataset.Modality = "CR"
    dataset.save_as(tmp_path / "cr.dcm")
    assert np.array_equal(read(tmp_path / "cr.dcm").data, -1 - read(source).data)


def test_fractional_slopes_give_float32(make_series: Make) -> None:
    volume = read(make_series(STRAIGHT, RescaleSlope=0.5, RescaleIntercept=0.25))
    assert volume.data.dtype == np.float32
    assert volume.data[0, 0, 0] == 500.25


def test_planes_without_position_keep_their_numbers(make_series: Make) -> None:
    folder = make_series([None] * 4, ImageOrientationPatient=None, PixelSpacing=None)
    volume = read(folder)
    assert volume.data[:, 0, 0].tolist() == [-24, -23, -22, -21]
    assert volume.geometry.spacing_mm == (2.5, 1.0, 1.0)
    assert any("no position" in note for note in volume.provenance.notes)


def test_frames_of_an_enhanced_image_have_positions_and_scales_of_their_own(make_series: Make) -> None:
    file = next(make_series(STRAIGHT[:1]).iterdir())
    dataset = pydicom.dcmread(file)
    dataset.NumberOfFrames = 3
    dataset.PixelData = np.arange(90, dtype=np.uint16).tobytes()
    frames = []
    for number, place in enumerate((4.0, 0.0, 2.0)):
        position, scale, frame = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = [0, 0, place]
        scale.RescaleSlope, scale.RescaleIntercept = 1 + number, 0
        frame.PlanePositionSequence, frame.PixelValueTransformationSequence = (
            Sequence([position]),
            Sequence([scale]),
        )
        frames.append(frame)
    dataset.PerFrameFunctionalGroupsSequence = Sequence(frames)
    dataset.save_as(file)
    volume = read(file)
    assert volume.data[:, 0, 0].tolist() == [30 * 2, 60 * 3, 0]
    assert volume.geometry.spacing_mm[0] == 2.0


def test_a_truncated_plane_is_named(make_series: Make) -> None:
    folder = make_series(STRAIGHT)
    broken = sorted(folder.iterdir())[2]
    broken.write_bytes(broken.read_bytes()[:-20])
    with pytest.raises(volumes.BrokenFile, match=broken.name):
        read(folder)


def test_a_senseless_header_is_refused(make_series: Make) -> None:
    folder = make_series(STRAIGHT[:1])
    file = next(folder.iterdir())
    file.write_bytes(file.read_bytes().replace(b"5.0\\-7.0\\0.0", b"5.0\\a7.0\\0.0"))
    with pytest.raises(volumes.BrokenFile, match="makes no sense"):
        read(folder)


PLAIN = [
    "eval/dicom_series/dcmqi_ct_3slice",
    "eval/dicom_series/sunnybrook_SCD0000101_ED",
    "eval/dicom_series/sunnybrook_SCD0000201_ED",
    "eval/dicom_series/sunnybrook_SCD0000201_ES",
    "eval/dicom_series/sunnybrook_SCD0000301_ED",
    "dicom_zoo/series/torchio_ct",
    "dicom_zoo/series/tcia_hcrop",
]


@pytest.mark.parametrize("name", PLAIN)
def test_real_series_are_those_of_simpleitk(name: str, shared_data: Path) -> None:
    assert_like_simpleitk(
        read(shared_data / name), series_by_simpleitk(shared_data / name), tolerance_mm=0.01
    )


REFUSED = {
    "torchio_ct_missing_slices": (volumes.MissingSlices, "lacks 3 planes"),
    "philips_two_tilts_mixed": (volumes.MixedSeries, "2 series"),
    "philips_mixed_study": (volumes.MixedSeries, "9 series.*203 .CT BONE BRAIN 1MM 5x512x512"),
    "tcia_mr_three_series_mixed": (volumes.MixedSeries, "FLAIR_reg 8x320x280"),
    "sunnybrook_cine_phases": (volumes.MixedSeries, "4 series.*300/t1 .MR trigger 206.25 ms 5x256x256"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_false_stacks_are_refused(name: str, shared_data: Path) -> None:
    error, words = REFUSED[name]
    with pytest.raises(error, match=words):
        read(shared_data / "dicom_zoo" / "series" / name)


@pytest.mark.parametrize(
    ("name", "description"),
    [
        ("philips_mixed_study", "STD BRAIN 5MM"),
        ("tcia_mr_three_series_mixed", "T1post"),
        ("dicompyler_rt", ""),
    ],
)
def test_a_chosen_series_is_that_of_simpleitk(name: str, description: str, shared_data: Path) -> None:
    folder = shared_data / "dicom_zoo" / "series" / name
    info = next(info for info in list_series(folder) if info.description == description)
    volume, image = read(folder, series=info.key), series_by_simpleitk(folder, info.series_uid)
    assert np.array_equal(volume.data, sitk.GetArrayFromImage(image))
    if volume.shape[0] > 1:  # of a single plane SimpleITK leaves the thickness out
        assert volume.geometry.is_close(geometry_of(image), 0.01)
