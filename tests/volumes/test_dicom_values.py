"""What the stored values of DICOM files mean: rescaling, bits, tables, padding, SUV, and windows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import FileDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRBigEndian

from tests.volumes.dicom_made import PET, STORAGE, image, item, ramp, saved
from volumes import BrokenFile, read
from volumes._dicom.native import native_frames
from volumes._dicom.pixel_layout import PixelLayout


def notes_of(path: Path) -> str:
    return " | ".join(read(path).provenance.notes)


def test_signs_bits_and_overlays(tmp_path: Path) -> None:
    """Bits beyond BitsStored, such as an overlay's, are not part of the value."""
    twelve = np.array([[-2048, -1, 0, 2047]], np.int16)
    stored = (twelve & 0x0FFF) | np.array([[0, 0x1000, 0x2000, 0x4000]], np.int16)
    dataset = image(stored, BitsStored=12, HighBit=11)
    assert np.array_equal(read(saved(dataset, tmp_path)).data[0], twelve)


def test_values_in_the_upper_bits(tmp_path: Path) -> None:
    values = np.array([[1, 2, 3, 4095]], np.uint16)
    path = saved(image(values << 4, BitsStored=12, HighBit=15), tmp_path)
    assert np.array_equal(read(path).data[0], values)
    assert "HighBit (0028,0102) is 15; the bits below were dropped" in notes_of(path)
    path = saved(image(values, BitsStored=12, HighBit=15), tmp_path)
    assert np.array_equal(read(path).data[0], values)
    assert "HighBit (0028,0102) is 15; 11 was assumed, as the values show" in notes_of(path)


@pytest.mark.parametrize("is_signed", [False, True])
@pytest.mark.parametrize("bits", [1, 8, 12, 16, 32])
def test_packed_and_wide_values_are_those_of_pydicom(bits: int, is_signed: bool, tmp_path: Path) -> None:
    random = np.random.default_rng(bits)
    data = random.integers(0, 256, -(-3 * 5 * 7 * bits // 8), dtype=np.uint8).tobytes()
    if bits == 32:
        data = b"\1\2\3\0" * 105
    dataset = image(
        ramp(3, 5, 7),
        BitsAllocated=bits,
        BitsStored=bits,
        HighBit=bits - 1,
        PixelRepresentation=int(is_signed),
    )
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    values = read(saved(dataset, tmp_path)).data
    if bits == 12:  # which pydicom does not read: two values in three bytes
        whole = int.from_bytes(data, "little")
        expected = np.array([whole >> 12 * at & 0xFFF for at in range(105)]).reshape(3, 5, 7)
        expected = np.where(is_signed & (expected > 2047), expected - 4096, expected)
    else:
        expected = pydicom.dcmread(tmp_path / "image.dcm").pixel_array
    assert np.array_equal(values, expected)


@given(
    st.sampled_from([8, 16, 32]),
    st.booleans(),
    st.booleans(),
    st.data(),
    st.integers(1, 4),
    st.integers(1, 5),
)
def test_what_is_stored_comes_back(
    bits: int, is_signed: bool, is_little: bool, data: Any, n_frames: int, columns: int
) -> None:
    n_stored = data.draw(st.integers(2, bits))
    low, high = (-(1 << n_stored - 1), (1 << n_stored - 1) - 1) if is_signed else (0, (1 << n_stored) - 1)
    values = np.random.default_rng(3).integers(low, high, (n_frames, 2, columns), endpoint=True)
    kind = f"{'<' if is_little else '>'}{'i' if is_signed else 'u'}{bits // 8}"
    layout = PixelLayout(
        2, columns, 1, n_frames, bits, n_stored, n_stored - 1, is_signed, False, "MONOCHROME2"
    )
    wanted = list(range(n_frames))[::-1]
    found = native_frames(values.astype(kind).tobytes(), layout, wanted, is_little=is_little)
    assert np.array_equal(found, values[::-1])


def test_bytes_in_big_endian_words(tmp_path: Path) -> None:
    pixels = ramp(3, 3, 3, dtype=np.uint8)
    dataset = image(pixels, syntax=ExplicitVRBigEndian)
    dataset.PixelData = np.frombuffer(pixels.tobytes() + b"\0", np.uint16).byteswap().tobytes()
    dataset["PixelData"].VR = "OW"
    assert np.array_equal(read(saved(dataset, tmp_path)).data[0], pixels)


@pytest.mark.parametrize(("keyword", "dtype"), [("FloatPixelData", "f4"), ("DoubleFloatPixelData", "f8")])
def test_floating_point_pixels(keyword: str, dtype: str, tmp_path: Path) -> None:
    values = np.linspace(-2, 3, 20).reshape(4, 5).astype(dtype)
    dataset = image(ramp(4, 5), f"{STORAGE}30", PixelData=None, BitsAllocated=8 * values.itemsize)
    for name in ("BitsStored", "HighBit", "PixelRepresentation"):
        delattr(dataset, name)
    setattr(dataset, keyword, values.tobytes())
    volume = read(saved(dataset, tmp_path))
    assert volume.data.dtype == np.float32
    np.testing.assert_array_equal(volume.data[0], values.astype(np.float32))


def test_numbers_beyond_float32_become_infinite(tmp_path: Path) -> None:
    values = np.array([[1e300, -1e300, 1.0]])
    dataset = image(ramp(1, 3), f"{STORAGE}30", PixelData=None, BitsAllocated=64)
    dataset.DoubleFloatPixelData = values.tobytes()
    assert read(saved(dataset, tmp_path)).data.ravel().tolist() == [np.inf, -np.inf, 1.0]


def test_a_slope_of_zero_is_not_believed(tmp_path: Path) -> None:
    path = saved(image(ramp(4, 5), RescaleSlope=0, RescaleIntercept=-5), tmp_path)
    assert read(path).data[0, 0, 1] == -4
    assert "RescaleSlope (0028,1053) is 0; 1 was assumed" in notes_of(path)


@pytest.mark.parametrize("tag", ["RescaleSlope", "RescaleIntercept"])
def test_a_rescaling_beyond_all_measure_is_refused(tag: str, tmp_path: Path) -> None:
    path = saved(image(ramp(4, 5), **{tag: "1e308"}), tmp_path)
    with pytest.raises(BrokenFile, match=rf"{tag} .* is 1e\+308"):
        read(path)


def test_padding_is_kept_and_noted(tmp_path: Path) -> None:
    dataset = image(ramp(4, 5, dtype=np.int16), RescaleSlope=1, RescaleIntercept=-1000)
    dataset.add_new("PixelPaddingValue", "SS", -2000)
    dataset.add_new("PixelPaddingRangeLimit", "SS", -1990)
    path = saved(dataset, tmp_path)
    assert "(0028,0120) marks pixels outside the scan by -3000 to -2990; they were kept" in notes_of(path)


def test_a_real_world_value_map_is_a_note(tmp_path: Path) -> None:
    mapping = item(
        RealWorldValueSlope=0.5,
        RealWorldValueIntercept=1.0,
        MeasurementUnitsCodeSequence=Sequence([item(CodeValue="mm2/s")]),
    )
    path = saved(image(ramp(4, 5), RealWorldValueMappingSequence=Sequence([mapping])), tmp_path)
    assert np.array_equal(read(path).data[0], ramp(4, 5))
    assert "maps stored values times 0.5 plus 1 to mm2/s; it was not applied" in notes_of(path)


def lut(n_entries: int, first: int, keyword: str) -> Any:
    table = item(LUTData=(np.arange(n_entries) * 10).astype("<u2").tobytes())
    table.add_new("LUTDescriptor", "US", [n_entries, first, 16])
    table["LUTData"].VR = "OW"
    return {keyword: Sequence([table])}


def test_the_modality_table_gives_values(tmp_path: Path) -> None:
    path = saved(image(ramp(4, 5, dtype=np.uint8), **lut(12, 2, "ModalityLUTSequence")), tmp_path)
    assert read(path).data.ravel().tolist() == [0, 0, *range(0, 110, 10), *[110] * 7]
    assert "table of ModalityLUTSequence (0028,3000)" in notes_of(path)


def test_dark_and_bright_are_exchanged_behind_the_table(tmp_path: Path) -> None:
    tags = {
        "PhotometricInterpretation": "MONOCHROME1",
        "Modality": "CR",
        "WindowCenter": 100,
        "WindowWidth": 40,
    }
    dataset = image(ramp(4, 5, dtype=np.uint8), **tags, **lut(12, 0, "ModalityLUTSequence"))
    volume = read(saved(dataset, tmp_path))
    assert volume.data.ravel()[:4].tolist() == [110, 100, 90, 80]
    assert volume.suggested_window == (110.0 - 120, 110.0 - 80)


@pytest.mark.parametrize(
    ("tags", "window"),
    [
        ({"WindowCenter": 40, "WindowWidth": 80}, (0.0, 80.0)),
        ({"WindowCenter": [40, 400], "WindowWidth": [80, 900]}, (0.0, 80.0)),
        ({"WindowCenter": 40, "WindowWidth": 80, "VOILUTFunction": "SIGMOID"}, (0.0, 80.0)),
        ({"WindowCenter": 40, "WindowWidth": 80, "VOILUTFunction": "LINEAR_EXACT"}, (0.0, 80.0)),
        (lut(51, 100, "VOILUTSequence"), (100.0, 150.0)),
        ({"WindowCenter": 40, "WindowWidth": 80, **lut(51, 100, "VOILUTSequence")}, (0.0, 80.0)),
        ({"WindowCenter": 40, "WindowWidth": 0}, None),
        ({"WindowCenter": 40, "WindowWidth": -5}, None),
        ({"WindowCenter": 40}, None),
        ({"WindowCenter": 1_000_000, "WindowWidth": 50}, None),
        ({"WindowCenter": -5000, "WindowWidth": 50}, None),
    ],
)
def test_the_window_is_the_first_that_shows_something(tags: Any, window: Any, tmp_path: Path) -> None:
    path = saved(image(ramp(4, 5), **tags), tmp_path)
    assert read(path).suggested_window == window
    has_two = "WindowCenter" in tags and "WindowWidth" in tags
    assert ("the window was left out" in notes_of(path)) == (window is None and has_two)


def pet(**tags: Any) -> FileDataset:
    drug = item(
        RadionuclideTotalDose=370e6, RadionuclideHalfLife=6586.2, RadiopharmaceuticalStartTime="090000.00"
    )
    defaults: dict[str, Any] = {
        "Modality": "PT", "Units": "BQML", "CorrectedImage": ["DECY", "ATTN", "SCAT"],
        "DecayCorrection": "START", "PatientWeight": 70.0, "SeriesDate": "20200131",
        "SeriesTime": "100000", "AcquisitionDate": "20200131",
        "AcquisitionTime": "101500.5", "RescaleSlope": 2.0, "RescaleIntercept": 0, "WindowCenter": 5000,
        "WindowWidth": 10000, "RadiopharmaceuticalInformationSequence": Sequence([drug]),
    }  # fmt: skip
    return image(ramp(4, 5), PET, **{**defaults, **tags})


def drug_of(dataset: FileDataset) -> Any:
    return dataset.RadiopharmaceuticalInformationSequence[0]


def test_pet_is_suv_where_every_tag_is_there(tmp_path: Path) -> None:
    """An hour after 370 MBq of fluorine-18, in a person of 70 kg."""
    factor = 70_000 / (370e6 * 0.5 ** (3600 / 6586.2))
    path = saved(pet(), tmp_path)
    volume = read(path)
    np.testing.assert_allclose(volume.data[0], ramp(4, 5) * 2.0 * factor, rtol=1e-6)
    assert volume.suggested_window == pytest.approx((0.0, 10000 * factor))
    assert f"values are SUVbw (g/ml): those of the file, in Bq/ml, times {factor:.6g}" in notes_of(path)
    assert not any(part in notes_of(path) for part in ("2020", "0131", "0900", "1000", "70"))


def test_suv_of_a_dose_that_is_decay_corrected_to_its_administration(tmp_path: Path) -> None:
    volume = read(saved(pet(DecayCorrection="ADMIN", SeriesTime=None), tmp_path))
    np.testing.assert_allclose(volume.data[0], ramp(4, 5) * 2.0 * 70_000 / 370e6, rtol=1e-6)


def test_suv_with_a_full_time_of_the_injection_and_over_midnight(tmp_path: Path) -> None:
    full = pet()
    del drug_of(full).RadiopharmaceuticalStartTime
    drug_of(full).RadiopharmaceuticalStartDateTime = "20200131090000.000000+0100"
    night = pet(SeriesTime="003000", AcquisitionTime="0045")
    drug_of(night).RadiopharmaceuticalStartTime = "233000"
    expected = read(saved(pet(), tmp_path)).data
    for dataset in (full, night):
        np.testing.assert_allclose(read(saved(dataset, tmp_path)).data, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ({"Units": "CNTS"}, "CNTS: Units (0054,1001) is not BQML"),
        ({"Units": "DOE"}, "unknown unit: Units (0054,1001)"),
        ({"Units": None}, "unknown unit: Units (0054,1001)"),
        ({"PatientWeight": None}, "BQML: PatientWeight (0010,1030) is missing"),
        ({"PatientWeight": 0}, "PatientWeight (0010,1030) is missing"),
        ({"PatientWeight": 70_000}, "PatientWeight (0010,1030) is no weight in kg"),
        ({"CorrectedImage": ["DECY"]}, "CorrectedImage (0028,0051) does not name"),
        ({"DecayCorrection": "NONE"}, "DecayCorrection (0054,1102) is neither"),
        ({"RadiopharmaceuticalInformationSequence": None}, "(0054,0016) does not name one drug"),
        ({"SeriesTime": "235900"}, "SeriesTime (0008,0031) is later than AcquisitionTime"),
        ({"SeriesTime": "10"}, "SeriesTime (0008,0031) holds no time"),
        ({"SeriesDate": "20200201", "AcquisitionDate": "20200201"}, ""),
    ],
)
def test_pet_is_left_as_it_is_where_a_tag_is_missing(tags: Any, words: str, tmp_path: Path) -> None:
    path = saved(pet(**tags), tmp_path)
    if not words:  # the day is the scan's, so the injection's too
        assert "SUVbw" in notes_of(path)
        return
    assert read(path).data[0, 0, 1] == 2
    assert f"values are no SUV but {'' if 'unknown' in words or ':' in words else 'BQML: '}" in notes_of(path)
    assert words.rpartition(": ")[2] in notes_of(path)


@pytest.mark.parametrize(
    "keyword", ["RadionuclideTotalDose", "RadionuclideHalfLife", "RadiopharmaceuticalStartTime"]
)
def test_pet_without_what_the_drug_was(keyword: str, tmp_path: Path) -> None:
    dataset = pet()
    delattr(drug_of(dataset), keyword)
    assert f"BQML: {keyword} (0018,10" in notes_of(saved(dataset, tmp_path))


def test_an_injection_after_the_scan_gives_no_suv(tmp_path: Path) -> None:
    dataset = pet()
    drug_of(dataset).RadiopharmaceuticalStartTime = "110000"  # or 23 hours before, when nothing is left
    assert "the time from injection to scan cannot be so" in notes_of(saved(dataset, tmp_path))


def test_values_that_are_suv_already(tmp_path: Path) -> None:
    path = saved(pet(Units="GML"), tmp_path)
    assert read(path).data[0, 0, 1] == 2
    assert "values are SUV (BW in g/ml), as Units (0054,1001) says" in notes_of(path)


def test_planes_of_one_volume_have_one_unit(tmp_path: Path) -> None:
    for number in range(3):
        place = {"ImagePositionPatient": [0, 0, 2 * number], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
        weight = 70.0 if number else 80.0
        saved(pet(PixelSpacing=[1, 1], PatientWeight=weight, **place), tmp_path, f"{number}.dcm")
    volume = read(tmp_path)
    assert volume.data[:, 0, 1].tolist() == [2, 2, 2]
    assert "the planes would have different SUV factors, so none was applied" in volume.provenance.notes
