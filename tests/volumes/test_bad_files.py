"""Every bad input is one leaf of VolumeError with one line, and nothing on stderr."""

from __future__ import annotations

import gzip
import os
import struct
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
import tifffile
from PIL import Image

import volumes
from volumes import read

DATA = np.random.default_rng(0).integers(0, 4000, (6, 20, 20)).astype(np.int16)


def nifti_bytes(**patches: tuple[str, int, float]) -> bytes:
    """An uncompressed NIfTI with fields patched: name=(struct format, offset, value)."""
    image = nibabel.Nifti1Image(DATA, np.diag([1.0, 2.0, 3.0, 1.0]))
    image.set_qform(image.affine, 1)
    raw = bytearray(image.to_bytes())
    for form, offset, value in patches.values():
        struct.pack_into("<" + form, raw, offset, value)
    return bytes(raw)


def with_sitk(path: Path, *, compress: bool = False) -> bytes:
    sitk.WriteImage(sitk.GetImageFromArray(DATA), str(path), compress)
    return path.read_bytes()


def spoiled(content: bytes) -> bytes:
    middle = len(content) // 2
    return (
        content[:middle]
        + bytes(255 - value for value in content[middle : middle + 64])
        + content[middle + 64 :]
    )


def save_tiff(path: Path) -> bytes:
    tifffile.imwrite(path, DATA, compression="zlib")
    return path.read_bytes()


def save_png(path: Path) -> bytes:
    Image.fromarray(DATA[0].astype(np.uint8)).save(path)
    return path.read_bytes()


Made = Callable[[Path], bytes]
NAN_SFORM = nifti_bytes(srow=("f", 280, float("nan")))
CASES: dict[str, tuple[str, Made, type, str]] = {
    "truncated gzip": (
        "a.nii.gz", lambda p: gzip.compress(nifti_bytes())[:-900], volumes.BrokenFile, "damaged or cut off"),
    "truncated nifti in whole gzip": (
        "a.nii.gz", lambda p: gzip.compress(nifti_bytes()[:-900]), volumes.BrokenFile, "cut off"),
    "truncated nifti": (
        "a.nii", lambda p: nifti_bytes()[:-900], volumes.BrokenFile, "4800 bytes, and has 3900 bytes"),
    "header only, half": ("a.nii", lambda p: nifti_bytes()[:200], volumes.BrokenFile, "after 200 bytes"),
    "damaged gzip": (
        "a.nii.gz", lambda p: spoiled(gzip.compress(nifti_bytes())), volumes.BrokenFile, "damaged"),
    "text named nifti": ("a.nii.gz", lambda p: b"hello world\n" * 40, volumes.UnknownFormat, "b'hello world"),
    "text in gzip": ("a.nii.gz", lambda p: gzip.compress(b"hello\n" * 40), volumes.UnknownFormat, "hello"),
    "empty": ("a.nii.gz", lambda p: b"", volumes.BrokenFile, "empty"),
    "4-D": (
        "a.nii", lambda p: nibabel.Nifti1Image(DATA[..., None].repeat(2, 3), np.eye(4)).to_bytes(),
        volumes.MixedSeries, "t0 .20x20x6.*; t1"),
    "complex": (
        "a.nii", lambda p: nibabel.Nifti1Image(DATA.astype(np.complex64), np.eye(4)).to_bytes(),
        volumes.UnsupportedImage, "complex"),
    "NaN in the sform": ("a.nii", lambda p: NAN_SFORM, volumes.InvalidGeometry, "sform.*nan.*mend"),
    "NaN in the qform": (
        "a.nii", lambda p: nifti_bytes(quatern=("f", 256, float("nan"))), volumes.InvalidGeometry, "qform"),
    "negative size": ("a.nii", lambda p: nifti_bytes(dim=("h", 42, -4)), volumes.BrokenFile, "dimensions"),
    "truncated nrrd": (
        "a.nrrd", lambda p: with_sitk(p)[:-900], volumes.BrokenFile, "4800 bytes, and has 3900"),
    "truncated mha": (
        "a.mha", lambda p: with_sitk(p)[:-900], volumes.BrokenFile, "4800 bytes, and has 3900"),
    "truncated compressed mha": (
        "a.mha", lambda p: with_sitk(p, compress=True)[:-900], volumes.BrokenFile, "cut off"),
    "damaged compressed mha": (
        "a.mha", lambda p: spoiled(with_sitk(p, compress=True)), volumes.BrokenFile, "damaged"),
    "mha without its size": (
        "a.mha", lambda p: with_sitk(p).replace(b"DimSize", b"DimSiez"), volumes.BrokenFile, "DimSize"),
    "NaN in mha": (
        "a.mha", lambda p: with_sitk(p).replace(b"Offset = 0", b"Offset = nan"),
        volumes.InvalidGeometry, "not finite.*Offset = nan"),
    "mhd without raw": (
        "a.mhd", lambda p: with_sitk(p.with_suffix(".mha")).partition(b"LOCAL")[0] + b"a.raw\n",
        volumes.BrokenFile, r"'a\.raw', which is not beside it"),
    "truncated tiff": ("a.tif", lambda p: save_tiff(p)[:-900], volumes.BrokenFile, "TIFF"),
    "tiff header only": ("a.tif", lambda p: b"II*\0\x08\0\0\0", volumes.BrokenFile, "TIFF"),
    "truncated png": ("a.png", lambda p: save_png(p)[:-200], volumes.BrokenFile, "picture"),
    "png signature only": ("a.png", lambda p: b"\x89PNG\r\n\x1a\n", volumes.BrokenFile, "picture"),
    "dicom without content": (
        "a.dcm", lambda p: b"\0" * 128 + b"DICM", volumes.UnsupportedImage, "not an image"),
    "zip": ("a.zip", lambda p: b"PK\x03\x04" + b"\0" * 100, volumes.BrokenFile, "damaged zip"),
}  # fmt: skip


@pytest.mark.parametrize(("name", "make", "error", "words"), CASES.values(), ids=CASES)
def test_bad_file(
    name: str, make: Made, error: type, words: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / name).write_bytes(make(tmp_path / "made" / name))
    with pytest.raises(error, match=words) as caught:
        read(tmp_path / name)
    message = str(caught.value)
    assert name in message
    assert "\n" not in message
    assert ";" in message  # the remedy
    assert len(message) < 600
    assert capfd.readouterr() == ("", "")


def test_missing_path(tmp_path: Path) -> None:
    with pytest.raises(volumes.MissingFile, match="does not exist") as caught:
        read(tmp_path / "none.nii.gz")
    assert isinstance(caught.value, FileNotFoundError)


def test_folder_without_images(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(volumes.NoDicomFound, match="neither DICOM"):
        read(tmp_path)
    with pytest.raises(volumes.NoDicomFound, match="neither DICOM"):
        volumes.list_series(tmp_path)
    with pytest.raises(volumes.UnknownFormat, match="no known format"):
        volumes.list_series(tmp_path / "notes.txt")
    with pytest.raises(volumes.MissingFile, match="does not exist"):
        volumes.list_series(tmp_path / "none")


def test_a_series_can_only_be_chosen_from_dicom(tmp_path: Path) -> None:
    (tmp_path / "a.nii").write_bytes(nifti_bytes())
    with pytest.raises(volumes.UnknownSeries, match="leave series out"):
        read(tmp_path / "a.nii", series="1.2.3")


def test_a_sheared_sform_with_a_qform_is_read_with_a_note(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.nii").write_bytes(nifti_bytes(srow=("f", 284, 0.7)))
    volume = read(tmp_path / "a.nii")
    assert any("its sform was taken" in note for note in volume.provenance.notes)
    assert volume.geometry.spacing_mm == pytest.approx((3.0, np.hypot(2.0, 0.7), 1.0))
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.nii")
    for read_it in (read, volumes.list_series, volumes.read_labels):
        with pytest.raises(volumes.UnreadableFile, match="neither a file nor a folder"):
            read_it(tmp_path / "a.nii")


def test_a_message_is_one_line_whatever_the_file_is_called(tmp_path: Path) -> None:
    with pytest.raises(volumes.MissingFile) as caught:
        read(tmp_path / "two\nlines.nii")
    assert "\n" not in str(caught.value)
