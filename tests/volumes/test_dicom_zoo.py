"""Every single DICOM file of the zoo, voxel by voxel against pydicom and SimpleITK, its place by dcm2niix.

Each file is read once. Where the outside judges disagree, `DISAGREEMENTS` says who is right, and why.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from pydicom.pixels.processing import apply_color_lut, apply_modality_lut

import volumes
from tests.volumes.judges import geometry_of
from volumes._quiet import quiet_sitk, quiet_stderr

# What our voxels are compared with where one judge is wrong: (pydicom, SimpleITK), "" for "equal".
# "deep": pydicom gives a palette's 16 bits a colour, of which displays show the upper 8.
# "fails": that judge cannot read it.
DISAGREEMENTS = {
    # No decoder of pydicom's own here for JPEG lossless, nor for 12 bits.
    "CT2_JPLL": ("fails", ""),
    "MR4_JPLY": ("fails", ""),
    "JPEG-LL.dcm": ("fails", ""),
    "JPEG-lossy.dcm": ("fails", ""),
    "JPGExtended.dcm": ("fails", ""),
    "SC_rgb_jpeg_gdcm.dcm": ("fails", ""),
    "bad_sequence.dcm": ("fails", ""),
    # pydicom gives up on the empty tables in this file.
    "leadtools-flowers-8-mono2-rle.dcm": ("fails", ""),
    "examples_palette.dcm": ("deep", ""),
    "OBXXXX1A_rle_2frame.dcm": ("deep", ""),
    "OT-PAL-8-face.dcm": ("deep", ""),
    # GDCM mixes up the byte segments of run lengths of 16 bits; the same image is in the zoo uncompressed.
    "SC_rgb_rle_16bit.dcm": ("", "wrong"),
    # GDCM leaves the modality's table out.
    "mlut_18.dcm": ("", "wrong"),
    # GDCM refuses 7 of 8 bits in JPEG-LS, and floating-point pixels.
    "JLSL_08_07_0_1F.dcm": ("", "fails"),
    "parametric_map_float.dcm": ("", "fails"),
    "parametric_map_double_float.dcm": ("", "fails"),
    # Neither scales a dose; the dose in its unit is the stored value times DoseGridScaling.
    "rtdose.dcm": ("dose", "dose"),
    "rtdose_1frame.dcm": ("dose", "fails"),
    # NumberOfFrames is "1A"; there are 15, of which SimpleITK takes the first.
    "badVR.dcm": ("fails", "first"),
    # High is dark here: GDCM turns it round, as we do for a picture, pydicom does not.
    "RG3_J2KI.dcm": ("turned", ""),
    # Neither orders frames by position nor, pydicom, rescales by frame.
    "eCT_Supplemental.dcm": ("reversed", "reversed"),
    # Cut off behind the last frame; both want the delimiter that is missing.
    "emri_small_jpeg_2k_lossless_too_short.dcm": ("fails", "fails"),
}
REFUSED = {
    "damaged": (
        "MR_truncated.dcm",  # 62 bytes short
        "JPEG2000-embedded-sequence-delimiter.dcm",  # a delimiter overwrites the size of its tiles
    ),
    "a segmentation (DICOM SEG)": (
        "segmentations_liver.dcm",
        "segmentations_partial_overlaps.dcm",
        "sr-example_seg.dcm",
        "liver_1frame.dcm",
        "liver_deflate.dcm",
        "liver_j2k.dcm",
        "liver_nonbyte_aligned.dcm",
        "liver_rle.dcm",
    ),
    "a label map (DICOM SEG)": ("segmentations_sparse-labelmap-ppv5.dcm",),
    "a real-world value map": ("sr-example_rwvm.dcm",),
    "a structured report (SR)": (
        "sr-example_sr.dcm",
        "reportsi.dcm",
        "reportsi_with_empty_number_tags.dcm",
        "test-SR.dcm",
    ),
    "a radiotherapy structure set (RTSTRUCT)": ("rtstruct.dcm",),
    "a radiotherapy plan (RTPLAN)": ("rtplan.dcm", "rtplan_truncated.dcm"),
    "a radiotherapy ion plan (RTPLAN)": ("ExplVR_BigEndNoMeta.dcm", "ExplVR_LitEndNoMeta.dcm"),
    "a waveform": ("waveform_ecg.dcm",),
    "not an image (no SOP class, no Rows (0028,0010))": ("dwv-test_no-number-rows.dcm",),
    "not an image (no SOP class, no Rows (0028,0010) and Columns (0028,0011))": (
        "empty_charset_LEI.dcm",
        "meta_missing_tsyntax.dcm",
        "nested_priv_SQ.dcm",
    ),
    "not an image (CT Image, no Rows": ("UN_sequence.dcm",),
    "not an image (MR Image, no Rows": ("priv_SQ.dcm",),
    "not an image (RT Image, no Rows": ("no_meta_group_length.dcm",),
    "no known format": ("no_meta.dcm",),
}

# It shears a single slice by GantryDetectorTilt, which its directions have already; of doses it ignores
# GridFrameOffsetVector. SimpleITK places both where we do.
NOT_PLACED_BY_DCM2NIIX = ("J2K_pixelrep_mismatch.dcm",)


@dataclass(frozen=True)
class Reading:
    """What we make of a file."""

    path: Path
    volume: volumes.Volume | None
    refusal: str


@pytest.fixture(scope="module")
def zoo(shared_data: Path) -> Path:
    return shared_data / "dicom_zoo" / "singles"


@pytest.fixture(scope="module")
def readings(zoo: Path) -> dict[str, Reading]:
    found = {}
    for path in sorted(file for file in zoo.rglob("*") if file.is_file()):
        try:
            found[path.name] = Reading(path, volumes.read(path), "")
        except volumes.VolumeError as error:
            found[path.name] = Reading(path, None, str(error))
    assert len(found) > 110
    return found


def images(readings: dict[str, Reading]) -> Iterator[tuple[str, Path, volumes.Volume]]:
    for name, reading in readings.items():
        if reading.volume is not None:
            yield name, reading.path, reading.volume


def by_pydicom(path: Path) -> np.ndarray | None:
    with quiet_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(path, force=True)
            if "TransferSyntaxUID" not in dataset.file_meta:
                dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
            stored = dataset.pixel_array
            is_palette = dataset.PhotometricInterpretation == "PALETTE COLOR"
            values = apply_color_lut(stored, dataset) if is_palette else apply_modality_lut(stored, dataset)
        except Exception:
            return None
    n_dims = 4 if is_palette or dataset.SamplesPerPixel == 3 else 3
    return values if values.ndim == n_dims else values[None]


def image_of(path: Path) -> sitk.Image | None:
    reader = sitk.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        with quiet_sitk(), quiet_stderr():
            return reader.Execute()
    except RuntimeError:
        return None


def by_simpleitk(path: Path) -> np.ndarray | None:
    image = image_of(path)
    return None if image is None else sitk.GetArrayFromImage(image)


def expected(values: np.ndarray | None, how: str, name: str) -> np.ndarray | None:
    """Make of a judge's voxels what ours should be; None where it is no judge."""
    if how == "fails":
        assert values is None, f"{name} can be read by now"
    if how in ("fails", "wrong"):
        return None
    assert values is not None, name
    turned: dict[str, Any] = {
        "": lambda: values,
        "deep": lambda: values >> 8,
        "dose": lambda: values * 1e-6,
        "first": lambda: None,
        "turned": lambda: 1023 - values.astype(int),
        "reversed": lambda: values[::-1].astype(int) - (1024 if values.dtype.kind == "u" else 0),
    }
    return turned[how]()


@pytest.mark.parametrize(("judge", "at"), [(by_pydicom, 0), (by_simpleitk, 1)], ids=["pydicom", "SimpleITK"])
def test_voxels_are_those_of_the_judge(judge: Any, at: int, readings: dict[str, Reading]) -> None:
    n_compared = 0
    for name, path, volume in images(readings):
        values = expected(judge(path), DISAGREEMENTS.get(name, ("", ""))[at], name)
        if values is None:
            continue
        n_compared += 1
        assert values.shape == volume.data.shape, name
        tolerance = 1e-6 if volume.data.dtype.kind == "f" else 0  # float32 of a rescaled value
        np.testing.assert_allclose(volume.data, values, rtol=tolerance, atol=tolerance, err_msg=name)
    assert n_compared > 70


def test_where_a_judge_is_wrong_another_file_tells(readings: dict[str, Reading]) -> None:
    data = {name: volume.data for name, _, volume in images(readings)}
    assert np.array_equal(data["SC_rgb_rle_16bit.dcm"][0], data["SC_rgb_16bit_2frame.dcm"][0])
    assert np.array_equal(data["emri_small_jpeg_2k_lossless_too_short.dcm"], data["emri_small.dcm"])
    assert np.array_equal(data["badVR.dcm"], data["rtdose.dcm"])
    for other in ("RLE", "big_endian", "jpeg_2k_lossless", "jpeg_ls_lossless"):
        assert np.array_equal(data[f"emri_small_{other}.dcm"], data["emri_small.dcm"]), other


def test_what_is_no_image_is_refused_by_name(readings: dict[str, Reading]) -> None:
    names = {name: words for words, found in REFUSED.items() for name in found}
    assert {name for name, reading in readings.items() if reading.volume is None} == set(names)
    for name, words in names.items():
        refusal = readings[name].refusal
        assert words in refusal or (words == "damaged" and "; " in refusal), refusal
        assert "\n" not in refusal
        assert name in refusal


def test_odd_headers_are_noted(readings: dict[str, Reading]) -> None:
    notes = {name: " ".join(volume.provenance.notes) for name, _, volume in images(readings)}
    assert "PixelRepresentation (0028,0103) says signed" in notes["J2K_pixelrep_mismatch.dcm"]
    assert "TransferSyntaxUID (0002,0010) is missing" in notes["OT-PAL-8-face.dcm"]
    assert "NumberOfFrames (0028,0008) holds no number" in notes["badVR.dcm"]
    assert "PixelData (7FE0,0010) is 128 bytes longer" in notes["MR_small_padded.dcm"]
    assert "PixelSpacing (0028,0030) does not hold two" in notes["gdcm-CT-MONO2-8-abdo.dcm"]
    assert "marks pixels outside the scan by -3024" in notes["693_J2KR.dcm"]
    assert "ModalityLUTSequence" in notes["mlut_18.dcm"]
    assert notes["MR_small.dcm"] == ""


def test_reading_the_zoo_prints_nothing(zoo: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name in (
        "JPEG2000-embedded-sequence-delimiter.dcm",
        "JPEG-lossy.dcm",
        "bad_sequence.dcm",
        "badVR.dcm",
    ):
        path = next(zoo.rglob(name))
        with contextlib.suppress(volumes.BrokenFile):
            volumes.read(path)
    assert capfd.readouterr() == ("", "")


def test_places_of_single_planes_are_those_of_simpleitk(readings: dict[str, Reading]) -> None:
    n_compared = 0
    for name, path, volume in images(readings):
        if volume.shape[0] > 1 or any("no position" in note for note in volume.provenance.notes):
            continue
        image = image_of(path)
        if image is None or volume.provenance.modality == "OT":  # of parametric maps it knows no place
            continue
        n_compared += 1
        theirs = geometry_of(image).affine
        np.testing.assert_allclose(volume.geometry.affine[:3, 1:], theirs[:3, 1:], atol=1e-4, err_msg=name)
    assert n_compared > 20


def test_places_are_those_of_dcm2niix(readings: dict[str, Reading], tmp_path: Path) -> None:
    """A voxel that we place at a point is the voxel that dcm2niix places there."""
    program = shutil.which("dcm2niix")
    if program is None:
        pytest.skip("dcm2niix is not installed")
    random = np.random.default_rng(5)
    compared = set()
    for name, path, volume in images(readings):
        if volume.is_rgb or name in NOT_PLACED_BY_DCM2NIIX or volume.provenance.modality == "RTDOSE":
            continue
        if any("no position" in note for note in volume.provenance.notes):
            continue
        folder = tmp_path / name
        folder.mkdir()
        subprocess.run(
            [program, "-b", "n", "-z", "n", "-s", "y", "-f", "out", "-o", folder, path],
            capture_output=True,
            check=False,
        )
        files = list(folder.glob("out*.nii"))
        image = nibabel.load(files[0]) if len(files) == 1 else None
        if image is None or image.header["sform_code"] == 0:  # a compression that it does not know
            continue
        compared.add(name)
        theirs = np.asarray(image.dataobj)
        at = np.stack([random.integers(0, size, 40) for size in volume.shape], axis=1)
        lps = at @ volume.geometry.affine[:3, :3].T + volume.geometry.affine[:3, 3]
        indices = (lps * (-1, -1, 1) - image.affine[:3, 3]) @ np.linalg.inv(image.affine[:3, :3]).T
        assert np.abs(indices - np.round(indices)).max() < 0.02, name
        found = theirs[tuple(np.round(indices).astype(int).T)]
        np.testing.assert_allclose(found, volume.data[tuple(at.T)], rtol=1e-3, atol=0.5, err_msg=name)
    assert len(compared) >= 20, compared
