"""MetaImage: geometry, encodings and files beside it, against SimpleITK."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from tests.volumes.judges import geometry_of
from volumes import (
    BrokenFile,
    InvalidGeometry,
    MixedSeries,
    UnsupportedImage,
    _stored_images,
    list_series,
    read,
)

DATA = np.arange(24, dtype=np.int16).reshape(2, 3, 4)


def text(more: str = "", where: str = "LOCAL", *, sizes: str = "4 3 2", kind: str = "MET_SHORT") -> bytes:
    n_axes = len(sizes.split())
    return (
        f"ObjectType = Image\nNDims = {n_axes}\n{more}\nDimSize = {sizes}\nElementType = {kind}\n"
        f"ElementDataFile = {where}\n"
    ).encode()


@pytest.mark.parametrize(
    "more",
    [
        "TransformMatrix = 0 1 0 0 0 1 1 0 0\nOffset = 1 2 3\nElementSpacing = 1 2 3",
        "TransformMatrix = 1 0 0 0.5 1 0 0 0 1\nPosition = 1 2 3\nElementSpacing = 1 2 3",
        "Rotation = 0 1 0 1 0 0 0 0 1\nOrigin = 1 2 3\nElementSpacing = 1 2 3",
        "Offset = 1 2 3\nElementSize = 1 2 3",
        "Offset = 1 2 3\nElementSize = 1 2 3\nElementSpacing = 4 5 6",
        "Offset = 1 2 3\nCenterOfRotation = 1 1 1\nElementSpacing = 4 5 6\nAnatomicalOrientation = LPS",
        "Offset = 1 2 3\nElementSpacing = -4 5 6",
        "BinaryDataByteOrderMSB = True\nElementSpacing = 1 1 1",
        "ElementByteOrderMSB = True\nElementSpacing = 1 1 1",
    ],
)
def test_place_and_voxels_are_simpleitks(more: str, tmp_path: Path) -> None:
    path = tmp_path / "a.mha"
    path.write_bytes(text(more) + DATA.tobytes())
    volume, image = read(path), sitk.ReadImage(str(path))
    assert np.array_equal(volume.data, sitk.GetArrayFromImage(image))
    assert volume.geometry.is_close(geometry_of(image), 1e-9)
    assert volume.provenance.notes == ()


def test_what_was_assumed_is_noted(tmp_path: Path) -> None:
    (tmp_path / "a.mha").write_bytes(text() + DATA.tobytes())
    assert any("1 mm was taken" in note for note in read(tmp_path / "a.mha").provenance.notes)
    (tmp_path / "a.mha").write_bytes(text("ElementSpacing = 4 5 6\nDistanceUnits = um") + DATA.tobytes())
    volume = read(tmp_path / "a.mha")
    assert volume.geometry.spacing_mm == pytest.approx((6e-3, 5e-3, 4e-3))
    assert any("converted to millimetres" in note for note in volume.provenance.notes)


@pytest.mark.parametrize("where", ["sub/a.raw", "LIST\np1.raw\np0.raw", "p%02d.raw 0 1 1", "p%d.raw 0 1"])
def test_files_beside_it(where: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.raw").write_bytes(DATA.tobytes())
    expected = DATA[::-1] if "LIST" in where else DATA
    for number, plane in enumerate(DATA):
        (tmp_path / f"p{number}.raw").write_bytes(plane.tobytes())
        (tmp_path / f"p{number:02}.raw").write_bytes(plane.tobytes())
    (tmp_path / "a.mhd").write_bytes(text("ElementSpacing = 1 1 1", where))
    assert np.array_equal(read(tmp_path / "a.mhd").data, expected)


@pytest.mark.parametrize("where", ["../a.raw", "/etc/hostname", "LIST\n../a.raw", "../a%d.raw 0 1 1"])
def test_a_header_reads_nothing_outside_its_folder(where: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "a.raw").write_bytes(DATA.tobytes())
    (tmp_path / "in" / "a.mhd").write_bytes(text("ElementSpacing = 1 1 1", where))
    with pytest.raises(BrokenFile, match="outside its folder"):
        read(tmp_path / "in" / "a.mhd")


@pytest.mark.parametrize("skip", ["-1", "5"])
def test_bytes_before_the_voxels(skip: str, tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(b"12345" + DATA.tobytes())
    (tmp_path / "a.mhd").write_bytes(text(f"HeaderSize = {skip}", "a.raw"))
    assert np.array_equal(read(tmp_path / "a.mhd").data, DATA)


def test_numbers_as_text_and_packed_ones(tmp_path: Path) -> None:
    words = " ".join(map(str, DATA.ravel())).encode()
    (tmp_path / "a.mha").write_bytes(text("BinaryData = False") + words)
    (tmp_path / "b.mha").write_bytes(text("CompressedData = True") + zlib.compress(DATA.tobytes()))
    for name in ("a.mha", "b.mha"):
        assert np.array_equal(read(tmp_path / name).data, DATA)


def test_vectors_and_times_are_volumes_of_their_own(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(2, 3, 4, 2))
    sitk.WriteImage(sitk.GetImageFromArray(vectors, isVector=True), str(tmp_path / "v.mha"))
    assert [info.key for info in list_series(tmp_path / "v.mha")] == ["c0", "c1"]
    assert np.array_equal(read(tmp_path / "v.mha", series="c1").data, vectors[..., 1].astype(np.float32))
    sitk.WriteImage(
        sitk.JoinSeries([sitk.GetImageFromArray(DATA + n) for n in (0, 9)]), str(tmp_path / "t.mha")
    )
    assert np.array_equal(read(tmp_path / "t.mha", series="t1").data, DATA + 9)
    with pytest.raises(MixedSeries, match="t0 .*t1"):
        read(tmp_path / "t.mha")


@pytest.mark.parametrize(
    ("content", "error", "words"),
    [
        (text(sizes="40000 40000 40000"), BrokenFile, "complete copy"),
        (text("CompressedData = True", sizes="40000 40000 40000"), BrokenFile, "complete copy"),
        (text(sizes="4 3 0"), BrokenFile, "mend its header"),
        (text(kind="MET_STRING"), UnsupportedImage, "'MET_STRING'"),
        (text("ElementNumberOfChannels = 0"), BrokenFile, "ElementNumberOfChannels"),
        (text("ElementSpacing = 1 1"), InvalidGeometry, "2 sizes"),
        (text("ElementSpacing = 1 0 1"), InvalidGeometry, "a.mha: .*flat"),
        (text("ElementSpacing = 1 one 1"), InvalidGeometry, "not finite"),
        (text("Offset 1 2 3"), BrokenFile, "no field: 'Offset 1 2 3'"),
        (text("HeaderSize = x", "a.raw"), BrokenFile, "HeaderSize"),
        (text(f"CompressedData = True\nHeaderSize = {'9' * 30}", "a.mha"), BrokenFile, "after its end"),
        (text("BinaryData = False"), BrokenFile, "copy"),
        (text("BinaryData = False") + b"1 2 x " * 8, BrokenFile, "no number"),
        (text("", "LIST"), BrokenFile, "outside its folder"),
        (text(sizes="2 2 2 1 3"), UnsupportedImage, "5 dimensions, 2x2x2x1x3"),
    ],
)  # fmt: skip
def test_unsound_headers(content: bytes, error: type, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.mha").write_bytes(content + DATA.tobytes())
    with pytest.raises(error, match=words) as caught:
        read(tmp_path / "a.mha")
    assert ";" in str(caught.value)


def test_a_large_plain_file_is_read_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mha").write_bytes(text("BinaryDataByteOrderMSB = True") + DATA.astype(">i2").tobytes())
    monkeypatch.setattr(_stored_images, "LAZY_BYTES", 10)
    volume = read(tmp_path / "a.mha")
    assert volume.is_lazy
    assert volume.data.dtype == np.int16
    assert np.array_equal(volume.data[:, 1], DATA[:, 1])
