"""Headers that are wrong in the usual ways: read with a note that names the tag, or refused in one line."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

import volumes
from tests.volumes.dicom_made import AXIAL, CT, STORAGE, image, item, ramp, saved
from volumes import read
from volumes._dicom.elements import Elements
from volumes._dicom.header_warnings import HeaderNotes, SenselessElement, merged_notes, tag_name
from volumes._dicom.not_images import name_of_class, name_without_pixels

PLACED = {
    "ImagePositionPatient": [0.0, 0.0, 5.0],
    "ImageOrientationPatient": AXIAL,
    "PixelSpacing": [2.0, 3.0],
}
SECRET = "Doe^Jane"


def notes_of(path: Path) -> str:
    return " | ".join(read(path).provenance.notes)


def with_raw(path: Path, keyword: str, kind: str, raw: bytes) -> Path:
    """Put raw bytes, of any value representation, in place of an element of a saved file."""
    from pydicom.datadict import tag_for_keyword

    tag = tag_for_keyword(keyword)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    data = path.read_bytes()
    at = data.index(head, 200)
    length = struct.unpack_from("<H", data, at + 6)[0]
    raw += b" " * (len(raw) % 2)
    element = head + kind.encode() + struct.pack("<H", len(raw)) + raw
    path.write_bytes(data[:at] + element + data[at + 8 + length :])
    return path


def test_a_file_of_bare_elements(tmp_path: Path) -> None:
    path = saved(image(ramp(4, 5), syntax=ImplicitVRLittleEndian, **PLACED), tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[whole.index(struct.pack("<HHI", 8, 0x16, len(CT) + len(CT) % 2)) :])
    assert np.array_equal(read(path).data[0], ramp(4, 5))
    assert "the file lacks the DICOM preamble" in notes_of(path)
    assert "TransferSyntaxUID (0002,0010) is missing; Implicit VR Little Endian was assumed" in notes_of(path)


def test_a_deflated_file(tmp_path: Path) -> None:
    path = saved(image(ramp(40, 50), syntax=DeflatedExplicitVRLittleEndian, **PLACED), tmp_path)
    assert np.array_equal(read(path).data[0], ramp(40, 50))
    assert notes_of(path).startswith("the file holds no slice thickness")
    data = path.read_bytes()
    path.write_bytes(data[:-60])
    with pytest.raises(volumes.BrokenFile):
        read(path)


@pytest.mark.parametrize(
    ("keyword", "kind", "raw", "note"),
    [
        (
            "PixelSpacing",
            "LO",
            b"2.0\\3.0",
            "PixelSpacing (0028,0030) has the value representation LO, not DS",
        ),
        ("PixelSpacing", "DS", b"2,0\\3,0", "PixelSpacing (0028,0030) is written with a decimal comma"),
        ("Rows", "IS", b"4", "Rows (0028,0010) has the value representation IS, not US"),
        ("BitsStored", "US", b"\x20\0", "BitsStored (0028,0101) is 32; 16 was assumed"),
        ("HighBit", "US", b"\x40\0", "HighBit (0028,0102) is 64; 15 was assumed"),
        ("InstanceNumber", "IS", b"1A", "InstanceNumber (0020,0013) holds no number; it was left out"),
        ("PhotometricInterpretation", "CS", b"", "(0028,0004) is missing; MONOCHROME2 was assumed"),
        ("PhotometricInterpretation", "CS", b"RGB", "(0028,0004) does not fit 1 samples a pixel"),
        ("SamplesPerPixel", "US", b"", "SamplesPerPixel (0028,0002) is missing; 1 was assumed"),
        ("BitsAllocated", "US", b"", "BitsAllocated (0028,0100) is missing; 16 was assumed"),
        ("NumberOfFrames", "IS", b"0", "NumberOfFrames (0028,0008) is 0; 1 was assumed"),
        (
            "NumberOfFrames",
            "IS",
            b"1A",
            "NumberOfFrames (0028,0008) holds no number; the frames were counted",
        ),
    ],
)
def test_what_is_read_with_a_note(keyword: str, kind: str, raw: bytes, note: str, tmp_path: Path) -> None:
    dataset = image(ramp(4, 5), NumberOfFrames=1, AcquisitionTime="101010", **PLACED)
    path = with_raw(saved(dataset, tmp_path), keyword, kind, raw)
    volume = read(path)
    assert np.array_equal(volume.data[0], ramp(4, 5))
    assert volume.geometry.spacing_mm[1:] == (2.0, 3.0)
    assert note in notes_of(path)


@pytest.mark.parametrize(
    ("keyword", "kind", "raw", "words"),
    [
        ("ImagePositionPatient", "DS", b"0\\0\\nan", "(0020,0032) holds no finite number"),
        ("ImagePositionPatient", "DS", b"0\\0", "(0020,0032) holds 2 numbers in place of 3"),
        ("ImagePositionPatient", "DS", b"0\\0\\" + SECRET.encode(), "(0020,0032) holds no number"),
        ("ImageOrientationPatient", "DS", b"1\\0\\0\\0\\1\\inf", "(0020,0037) holds no finite number"),
        ("RescaleSlope", "DS", b"1A", "RescaleSlope (0028,1053) holds no number"),
        ("Rows", "US", b"\0\0", "Rows (0028,0010)"),
        ("Rows", "US", b"\5\0", "claims 1x5x5 pixels, 50 bytes, and PixelData (7FE0,0010) is 40 bytes long"),
        ("Columns", "US", b"\2\0", "claims 1x4x2 pixels, 16 bytes, and PixelData (7FE0,0010) holds 40 bytes"),
        ("BitsAllocated", "US", b"\x08\0", "whole frames more"),
        ("BitsAllocated", "US", b"\x0b\0", "BitsAllocated (0028,0100) is 11, which is not read"),
        ("NumberOfFrames", "IS", b"1000000000", "claims 1000000000x4x5 pixels"),
    ],
)
def test_what_is_refused(keyword: str, kind: str, raw: bytes, words: str, tmp_path: Path) -> None:
    dataset = image(ramp(4, 5), NumberOfFrames=1, RescaleSlope=1, RescaleIntercept=0, **PLACED)
    path = with_raw(saved(dataset, tmp_path), keyword, kind, raw)
    with pytest.raises(volumes.BrokenFile) as caught:
        read(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert SECRET not in str(caught.value)


def test_nearly_unit_directions_are_made_so(tmp_path: Path) -> None:
    path = saved(
        image(ramp(4, 5), **{**PLACED, "ImageOrientationPatient": [0.995, 0, 0, 0, 1.004, 0]}), tmp_path
    )
    assert read(path).geometry.spacing_mm[1:] == pytest.approx((2.0, 3.0))
    assert "(0020,0037) holds no unit vectors (off by 0.005); they were made so" in notes_of(path)
    path = saved(image(ramp(4, 5), **{**PLACED, "ImageOrientationPatient": [0.9, 0, 0, 0, 1, 0]}), tmp_path)
    with pytest.raises(volumes.InvalidGeometry):
        read(path)


def test_directions_of_zero_are_none(tmp_path: Path) -> None:
    path = saved(image(ramp(4, 5), **{**PLACED, "ImageOrientationPatient": [0.0] * 6}), tmp_path)
    assert "ImageOrientationPatient (0020,0037) is all zero; the position was left out" in notes_of(path)


@pytest.mark.parametrize(
    ("tags", "spacing", "note"),
    [
        (
            {"ImagerPixelSpacing": [0.2, 0.3]},
            (0.2, 0.3),
            "ImagerPixelSpacing (0018,1164), measured at the detector",
        ),
        (
            {"ImagerPixelSpacing": [0.2, 0.3], "EstimatedRadiographicMagnificationFactor": 2},
            (0.1, 0.15),
            "was divided by the magnification of 2",
        ),
        ({"NominalScannedPixelSpacing": [0.4, 0.4]}, (0.4, 0.4), "NominalScannedPixelSpacing (0018,2010)"),
        (
            {"PixelSpacing": [0.0, 0.0]},
            (1.0, 1.0),
            "PixelSpacing (0028,0030) does not hold two positive numbers",
        ),
        ({"PixelSpacing": [0.5, 0.6], "ImagerPixelSpacing": [1, 1]}, (0.5, 0.6), ""),
        ({}, (1.0, 1.0), "no pixel size"),
    ],
)
def test_where_the_pixel_size_comes_from(tags: Any, spacing: Any, note: str, tmp_path: Path) -> None:
    path = saved(image(ramp(4, 5), **tags), tmp_path)
    assert read(path).geometry.spacing_mm[1:] == pytest.approx(spacing)
    assert note in notes_of(path)


def test_the_pixel_size_of_an_ultrasound_region(tmp_path: Path) -> None:
    def region(x_cm: float, y_cm: float) -> Any:
        return item(
            PhysicalUnitsXDirection=3, PhysicalUnitsYDirection=3, PhysicalDeltaX=x_cm, PhysicalDeltaY=y_cm
        )

    one = image(ramp(4, 5), SequenceOfUltrasoundRegions=Sequence([region(0.02, 0.03)]))
    assert read(saved(one, tmp_path)).geometry.spacing_mm[1:] == pytest.approx((0.3, 0.2))
    two = image(ramp(4, 5), SequenceOfUltrasoundRegions=Sequence([region(0.02, 0.03), region(0.1, 0.1)]))
    assert read(saved(two, tmp_path)).geometry.spacing_mm[1:] == (1.0, 1.0)


def test_bytes_behind_the_pixels(tmp_path: Path) -> None:
    dataset = image(ramp(3, 3, dtype=np.uint8))
    assert "longer" not in notes_of(saved(dataset, tmp_path))  # one byte of padding is usual
    dataset.PixelData += b"\0" * 4
    assert "PixelData (7FE0,0010) is 5 bytes longer than its image" in notes_of(saved(dataset, tmp_path))


def test_colours_of_half_the_columns_take_an_even_number(tmp_path: Path) -> None:
    dataset = image(ramp(4, 5, 3, dtype=np.uint8), PhotometricInterpretation="YBR_FULL_422")
    with pytest.raises(volumes.BrokenFile, match=r"Columns \(0028,0011\) is odd"):
        read(saved(dataset, tmp_path))


def test_colours_of_jpeg_2000_in_pixels_that_are_not_compressed(tmp_path: Path) -> None:
    pixels = ramp(4, 4, 3, dtype=np.uint8)
    path = saved(image(pixels, PhotometricInterpretation="YBR_RCT"), tmp_path)
    assert np.array_equal(read(path).data[0], pixels)
    assert "(0028,0004) is YBR_RCT, of JPEG 2000 only; RGB was assumed" in notes_of(path)
    with pytest.raises(volumes.UnsupportedImage, match="in colours that are not read"):
        read(saved(image(pixels, PhotometricInterpretation="YBR_PARTIAL_420"), tmp_path))


def test_colours_that_are_not_read(tmp_path: Path) -> None:
    four = image(ramp(4, 4), SamplesPerPixel=4, PhotometricInterpretation="CMYK", Columns=1)
    odd = image(ramp(4, 4, 3, dtype=np.uint8), PhotometricInterpretation="HSV")
    for dataset, samples in ((four, 4), (odd, 3)):
        with pytest.raises(volumes.UnsupportedImage, match=f"{samples} samples a pixel in colours"):
            read(saved(dataset, tmp_path))


@pytest.mark.parametrize(
    ("sop_class", "words"),
    [
        (f"{STORAGE}88.11", "a structured report"),
        (f"{STORAGE}88.59", "a key object selection"),
        (f"{STORAGE}481.3", "RTSTRUCT"),
        (f"{STORAGE}481.5", "RTPLAN"),
        (f"{STORAGE}66.4", "DICOM SEG"),
        (f"{STORAGE}11.1", "a presentation state"),
        (f"{STORAGE}9.1.1", "a waveform"),
        (f"{STORAGE}104.1", "a PDF document"),
        (f"{STORAGE}66.1", "a spatial registration"),
        (f"{STORAGE}67", "a real-world value map"),
        (f"{STORAGE}66", "raw data"),
        ("1.2.840.10008.1.3.10", "a DICOMDIR"),
        (CT, ""),
        (f"{STORAGE}481.1", ""),
        (f"{STORAGE}481.2", ""),
        ("1.3.46.670589.11.0.0.12.1", ""),
    ],
)
def test_objects_have_names(sop_class: str, words: str) -> None:
    assert words in name_of_class(sop_class)
    assert bool(name_of_class(sop_class)) == bool(words)


def test_objects_without_pixels_have_names() -> None:
    assert (
        name_without_pixels("1.3.46.670589.11.0.0.12.1", "Rows") == "a private object, not an image (no Rows)"
    )
    assert name_without_pixels(CT, "Rows") == "not an image (CT Image, no Rows)"
    assert name_without_pixels("1.2.840.10008.9.9", "Rows") == "not an image (an unknown kind, no Rows)"


def test_nothing_of_a_patient_is_told(tmp_path: Path) -> None:
    """Neither in notes, nor where a header is broken at the very places that hold it."""
    who = {
        "PatientName": SECRET,
        "PatientID": "4711",
        "PatientBirthDate": "19700101",
        "StudyDate": "20200131",
    }
    path = saved(image(ramp(4, 5), **who, RescaleSlope=0), tmp_path)
    told = notes_of(path)
    data = path.read_bytes()
    for at in range(140, len(data) - 40, 7):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        try:
            told += notes_of(path)
        except volumes.VolumeError as error:
            told += str(error).replace(str(path), "")
    assert not any(secret in told for secret in ("Doe", "Jane", "4711", "1970", "20200131", "1.2.3"))


def test_notes_of_many_planes_are_counted_and_kept_short() -> None:
    assert merged_notes([("a", "b"), ("a",)]) == ("a", "b (1 of 2 planes)")
    many = merged_notes([tuple(f"note {number}" for number in range(20))])
    assert len(many) == 13
    assert many[-1] == "and 8 more notes on the headers"


def test_a_tag_has_a_name() -> None:
    assert tag_name("PixelSpacing") == "PixelSpacing (0028,0030)"


def test_damaged_elements_are_left_out_where_they_can_be() -> None:
    class Damaged(dict[Any, Any]):
        def get(self, *_: Any) -> Any:
            raise RecursionError

        def get_item(self, _: Any) -> Any:
            raise NotImplementedError

        def __contains__(self, _: Any) -> bool:
            return True

    header = Elements(Damaged(), HeaderNotes())
    assert header.items("ModalityLUTSequence") == ()
    assert header.get("AcquisitionTime") is None
    assert header.notes.as_tuple() == (
        "ModalityLUTSequence (0028,3000) is damaged; it was left out",
        "AcquisitionTime (0008,0032) is damaged; it was left out",
    )
    with pytest.raises(SenselessElement, match=r"Rows \(0028,0010\) is damaged"):
        header.whole("Rows")
