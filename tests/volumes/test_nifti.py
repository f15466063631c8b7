"""NIfTI-1, NIfTI-2 and Analyze: what a header can say, against nibabel and SimpleITK."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from tests.volumes.judges import geometry_of, nibabel_geometry
from volumes import (
    BrokenFile,
    InvalidGeometry,
    MixedSeries,
    UnknownSeries,
    UnsupportedImage,
    Volume,
    _stored_images,
    caveats,
    list_series,
    read,
    write,
    write_image,
)

DATA = np.random.default_rng(0).integers(-900, 3000, (4, 5, 6)).astype(np.int16)
FIRST = np.array([[0.0, -2.0, 0.0, 11.0], [3.0, 0.0, 0.0, 22.0], [0.0, 0.0, 4.0, 33.0], [0.0, 0.0, 0.0, 1.0]])
SECOND = FIRST + np.array([[0, 0, 0, 5.0], [0, 0, 0, -6.0], [0, 0, 0, 7.0], [0, 0, 0, 0]])
SHEARED = FIRST @ np.array([[1, 0.2, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
ENDINGS = ["a.nii", "a.nii.gz"]


def image_of(
    sform: Any = None, codes: tuple[int, int] = (1, 1), qform: Any = None, kind: Any = nibabel.Nifti1Image
) -> Any:
    """An image with the two forms, codes given as (sform, qform)."""
    image = kind(DATA, None)
    image.header.set_zooms((3.0, 2.0, 4.0))
    if qform is not None:
        image.header.set_qform(qform, codes[1])
    if sform is not None:
        image.header.set_sform(sform, codes[0])
    return image


def same_place(one: sitk.Image, other: sitk.Image) -> bool:
    return geometry_of(one).is_close(geometry_of(other))


def one_label(volume: Volume) -> np.ndarray:
    labels = np.zeros(volume.shape, np.uint8)
    labels[1, 2, 3] = 1
    return labels


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("name", ENDINGS)
def test_both_versions_in_both_byte_orders(kind: Any, order: str, name: str, tmp_path: Path) -> None:
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.int16)
    image = kind(DATA, FIRST, header)
    nibabel.save(image, tmp_path / name)
    volume = read(tmp_path / name)
    assert np.array_equal(volume.data, DATA.T)
    assert volume.data.dtype == np.int16
    assert volume.geometry.is_close(nibabel_geometry(tmp_path / name), 1e-6)
    assert volume.provenance.format == ("NIfTI" if kind is nibabel.Nifti1Image else "NIfTI-2")
    assert volume.provenance.notes == ()


@pytest.mark.parametrize("kind", [nibabel.Nifti1Pair, nibabel.Nifti2Pair])
@pytest.mark.parametrize("asked", ["a.hdr", "a.img"])
@pytest.mark.parametrize("gz", ["", ".gz"])
def test_a_pair_by_either_of_its_files(kind: Any, asked: str, gz: str, tmp_path: Path) -> None:
    nibabel.save(kind(DATA, FIRST), tmp_path / f"a.img{gz}")
    volume = read(tmp_path / (asked + gz))
    assert np.array_equal(volume.data, DATA.T)
    assert volume.geometry.is_close(nibabel_geometry(tmp_path / f"a.img{gz}"), 1e-6)


def test_the_content_says_what_is_compressed(tmp_path: Path) -> None:
    plain = nibabel.Nifti1Image(DATA, FIRST).to_bytes()
    (tmp_path / "plain.nii.gz").write_bytes(plain)
    (tmp_path / "packed.nii").write_bytes(gzip.compress(plain))
    (tmp_path / "members").write_bytes(gzip.compress(plain[:500]) + gzip.compress(plain[500:]))
    for path in tmp_path.iterdir():
        assert np.array_equal(read(path).data, DATA.T)


@pytest.mark.parametrize(
    ("sform", "codes", "qform"),
    [
        (FIRST, (1, 1), SECOND),
        (FIRST, (2, 1), SECOND),
        (FIRST, (4, 2), SECOND),
        (SHEARED, (2, 1), FIRST),
        (FIRST, (4, 0), None),
        (None, (0, 2), FIRST),
        (None, (0, 0), None),
        (SHEARED, (1, 0), None),
    ],
)
def test_labels_lie_on_their_image_whichever_form_a_program_takes(
    sform: Any, codes: tuple[int, int], qform: Any, tmp_path: Path
) -> None:
    image = image_of(sform, codes, qform)
    nibabel.save(image, tmp_path / "image.nii")
    volume = read(tmp_path / "image.nii")
    if sform is not None or qform is not None:  # nibabel's choice: the sform first
        assert volume.geometry.is_close(nibabel_geometry(tmp_path / "image.nii"), 1e-6)
    differ = sform is not None and qform is not None
    assert any("gives two places" in note for note in volume.provenance.notes) == differ
    write(tmp_path / "labels.nii.gz", one_label(volume), like=volume)
    labels = nibabel.load(tmp_path / "labels.nii.gz")
    assert np.abs(labels.affine - nibabel.load(tmp_path / "image.nii").affine).max() < 1e-6
    assert int(labels.header["sform_code"]) == codes[0]
    assert int(labels.header["qform_code"]) == codes[1]
    if codes != (1, 0):
        pair = [sitk.ReadImage(str(tmp_path / name)) for name in ("image.nii", "labels.nii.gz")]
        assert same_place(*pair)


def test_forms_that_differ_by_rounding_are_not_noted(tmp_path: Path) -> None:
    close = FIRST.copy()
    close[0, 3] += 1e-3
    nibabel.save(image_of(FIRST, (1, 1), close), tmp_path / "a.nii")
    assert read(tmp_path / "a.nii").provenance.notes == ()


def test_a_form_with_an_impossible_code_is_left_out(tmp_path: Path) -> None:
    raw = bytearray(image_of(FIRST, (1, 1), SECOND).to_bytes())
    struct.pack_into("<h", raw, 254, 258)
    (tmp_path / "a.nii").write_bytes(raw)
    volume = read(tmp_path / "a.nii")
    assert volume.geometry.is_close(nibabel_geometry(tmp_path / "a.nii"), 1e-5)
    assert any("the code 258" in note for note in volume.provenance.notes)
    struct.pack_into("<h", raw, 252, 0)
    (tmp_path / "a.nii").write_bytes(raw)
    with pytest.raises(InvalidGeometry, match=r"codes \[258, 0\]"):
        read(tmp_path / "a.nii")


def test_a_moved_image_gets_forms_of_its_own(tmp_path: Path) -> None:
    nibabel.save(image_of(FIRST, (4, 2), SECOND), tmp_path / "a.nii")
    volume = read(tmp_path / "a.nii")
    moved = Volume(np.asarray(volume.data)[:, ::-1], volume.geometry.flip(1), volume.provenance)
    write(tmp_path / "b.nii", one_label(moved), like=moved)
    assert nibabel_geometry(tmp_path / "b.nii").is_close(moved.geometry)
    assert geometry_of(sitk.ReadImage(str(tmp_path / "b.nii"))).is_close(moved.geometry)
    assert int(nibabel.load(tmp_path / "b.nii").header["sform_code"]) == 1


@pytest.mark.parametrize(
    ("unit", "factor"), [("micron", 1e-3), ("meter", 1e3), ("mm", 1.0), ("unknown", 1.0)]
)
@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (0, 0)])
def test_lengths_are_millimetres_whatever_the_unit(
    unit: str, factor: float, codes: tuple[int, int], tmp_path: Path
) -> None:
    image = image_of(FIRST if codes[0] else None, codes, FIRST if codes[1] else None)
    image.header.set_xyzt_units(unit)
    nibabel.save(image, tmp_path / "a.nii")
    volume = read(tmp_path / "a.nii")
    assert volume.geometry.spacing_mm == pytest.approx((4 * factor, 2 * factor, 3 * factor))
    assert any("converted to millimetres" in note for note in volume.provenance.notes) == (factor != 1.0)
    write(tmp_path / "b.nii", one_label(volume), like=volume)
    assert read(tmp_path / "b.nii").geometry.is_close(volume.geometry, 1e-4 * factor)
    assert nibabel.load(tmp_path / "b.nii").header.get_xyzt_units()[0] == "mm"


@pytest.mark.parametrize(
    ("sizes", "expected", "words"),
    [((-2.0, 3.0, 4.0), (4.0, 3.0, 2.0), "negative"), ((2.0, 3.0, 0.0), (1.0, 3.0, 2.0), "size of 0")],
)
def test_odd_voxel_sizes_are_noted(sizes: tuple, expected: tuple, words: str, tmp_path: Path) -> None:
    raw = bytearray(image_of(None, (0, 1), FIRST).to_bytes())
    struct.pack_into("<3f", raw, 80, *sizes)
    (tmp_path / "a.nii").write_bytes(raw)
    volume = read(tmp_path / "a.nii")
    assert volume.geometry.spacing_mm == pytest.approx(expected)
    assert any(words in note for note in volume.provenance.notes)


def test_qfac_zero_counts_as_one(tmp_path: Path) -> None:
    raw = bytearray(image_of(None, (0, 1), FIRST).to_bytes())
    struct.pack_into("<f", raw, 76, 0.0)
    (tmp_path / "a.nii").write_bytes(raw)
    expected = geometry_of(sitk.ReadImage(str(tmp_path / "a.nii")))
    assert read(tmp_path / "a.nii").geometry.is_close(expected)


def test_left_handed_qforms(tmp_path: Path) -> None:
    nibabel.save(image_of(None, (0, 1), FIRST @ np.diag([1.0, 1.0, -1.0, 1.0])), tmp_path / "a.nii")
    geometry = read(tmp_path / "a.nii").geometry
    assert geometry.is_close(nibabel_geometry(tmp_path / "a.nii"), 1e-5)
    assert geometry.is_close(geometry_of(sitk.ReadImage(str(tmp_path / "a.nii"))), 1e-5)


def test_values_are_scaled_as_nibabel_scales_them(tmp_path: Path) -> None:
    raw = bytearray(nibabel.Nifti1Image(DATA, FIRST).to_bytes())
    struct.pack_into("<2f", raw, 112, 0.25, -7.5)
    (tmp_path / "a.nii").write_bytes(raw)
    volume = read(tmp_path / "a.nii")
    assert volume.data.dtype == np.float32
    assert np.array_equal(volume.data, nibabel.load(tmp_path / "a.nii").get_fdata().T.astype(np.float32))
    struct.pack_into("<2f", raw, 112, 0.0, 9.0)  # no slope, so no intercept either
    (tmp_path / "a.nii").write_bytes(raw)
    assert np.array_equal(read(tmp_path / "a.nii").data, DATA.T)
    struct.pack_into("<2f", raw, 112, float("inf"), 0.0)
    (tmp_path / "a.nii").write_bytes(raw)
    with pytest.raises(BrokenFile, match="scales its values by inf"):
        read(tmp_path / "a.nii")


@pytest.mark.parametrize("name", ENDINGS)
def test_times_and_components_are_volumes_of_their_own(name: str, tmp_path: Path) -> None:
    series = np.random.default_rng(1).normal(size=(4, 5, 6, 3, 2)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(series, FIRST), tmp_path / name)
    keys = [info.key for info in list_series(tmp_path / name)]
    assert keys == ["c0/t0", "c0/t1", "c0/t2", "c1/t0", "c1/t1", "c1/t2"]
    for key in keys:
        component, time = int(key[1]), int(key[4])
        assert np.array_equal(read(tmp_path / name, series=key).data, series[..., time, component].T)
    with pytest.raises(MixedSeries, match="6 series.*c0/t0"):
        read(tmp_path / name)
    with pytest.raises(UnknownSeries, match="t9"):
        read(tmp_path / name, series="t9")


def test_a_series_of_one_time_needs_no_key(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(DATA[..., None], FIRST), tmp_path / "a.nii")
    assert np.array_equal(read(tmp_path / "a.nii").data, DATA.T)
    assert [info.key for info in list_series(tmp_path / "a.nii")] == ["0"]


@pytest.mark.parametrize("letters", ["RGB", "RGBA"])
def test_colours_beside_each_other(letters: str, tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 255, (4, 5, 6, len(letters))).astype(np.uint8)
    structured = pixels.view([(letter, "u1") for letter in letters])[..., 0]
    nibabel.save(nibabel.Nifti1Image(structured, FIRST), tmp_path / "a.nii.gz")
    volume = read(tmp_path / "a.nii.gz")
    assert np.array_equal(volume.data, pixels[..., :3].transpose(2, 1, 0, 3))
    assert volume.provenance.notes == (("alpha was left out",) if letters == "RGBA" else ())


@pytest.mark.parametrize("sform", [True, False])
def test_a_flat_image_is_one_plane(sform: bool, tmp_path: Path) -> None:
    flat = FIRST.copy()
    flat[:3, 2] = 0.0
    image = nibabel.Nifti1Image(DATA[:, :, 0], None)
    if sform:
        image.header.set_sform(flat, 1)
    nibabel.save(image, tmp_path / "a.nii")
    volume = read(tmp_path / "a.nii")
    assert np.array_equal(volume.data, DATA[:, :, :1].T)
    if sform:
        assert volume.geometry.index_to_mm((0, 2, 1)) == pytest.approx(
            (np.diag([-1.0, -1, 1, 1]) @ flat @ (1, 2, 0, 1))[:3]
        )
        assert any("right angles" in note for note in volume.provenance.notes)


def test_a_flat_sform_gives_way_to_the_qform(tmp_path: Path) -> None:
    image = image_of(FIRST, (1, 1), SECOND)
    image.header["srow_z"] = 0.0
    (tmp_path / "a.nii").write_bytes(image.to_bytes())
    volume = read(tmp_path / "a.nii")
    assert any("sform is flat" in note for note in volume.provenance.notes)
    assert volume.geometry.is_close(geometry_of(sitk.ReadImage(str(tmp_path / "a.nii"))), 1e-5)
    image.header["qform_code"] = 0
    (tmp_path / "a.nii").write_bytes(image.to_bytes())
    with pytest.raises(InvalidGeometry, match="flat; mend"):
        read(tmp_path / "a.nii")


def test_what_is_no_image_is_refused(shared_data: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedImage, match="is CIFTI"):
        read(shared_data / "format_zoo" / "volumes" / "row_major.dconn.nii")
    many = np.zeros((2, 2, 2, 1, 1, 3), np.uint8)
    nibabel.save(nibabel.Nifti1Image(many, np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(UnsupportedImage, match="2x2x2x1x1x3, and up to five"):
        read(tmp_path / "a.nii")


def test_analyze_lies_where_nibabel_puts_it(tmp_path: Path) -> None:
    for kind, words in ((nibabel.AnalyzeImage, "in the middle"), (nibabel.Spm99AnalyzeImage, "SPM's origin")):
        image = kind(DATA, np.diag([-2.0, 3.0, 4.0, 1.0]))
        if kind is nibabel.Spm99AnalyzeImage:
            image.header["origin"][:3] = (3, 2, 5)
        nibabel.save(image, tmp_path / "a.img")
        (tmp_path / "a.mat").unlink(missing_ok=True)
        volume = read(tmp_path / "a.hdr")
        assert np.array_equal(volume.data, DATA.T)
        assert volume.geometry.is_close(nibabel_geometry(tmp_path / "a.img"), 1e-6)
        assert any(
            words in note and "Analyze holds no orientation" in note for note in volume.provenance.notes
        )
        write(tmp_path / "labels.nii", one_label(volume), like=volume)
        assert nibabel_geometry(tmp_path / "labels.nii").is_close(volume.geometry)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("scale", [None, (0.5, 3.0)])
def test_a_large_plain_file_is_read_on_demand(
    order: str, scale: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = nibabel.Nifti1Header(endianness=order)
    header.set_data_dtype(np.int16)
    raw = bytearray(nibabel.Nifti1Image(np.stack([DATA, DATA + 1], -1), FIRST, header).to_bytes())
    struct.pack_into(order + "2f", raw, 112, *(scale or (1.0, 0.0)))
    (tmp_path / "a.nii").write_bytes(raw)
    whole = read(tmp_path / "a.nii", series="t1")
    monkeypatch.setattr(_stored_images, "LAZY_BYTES", 10)
    lazy = read(tmp_path / "a.nii", series="t1")
    assert lazy.is_lazy
    assert not whole.is_lazy
    assert lazy.data.dtype == whole.data.dtype
    assert np.array_equal(lazy.data, whole.data)
    assert np.array_equal(lazy.data[1:3, ::-1, 2], whole.data[1:3, ::-1, 2])
    assert lazy.digest() == whole.digest()
    assert lazy.data.overview().shape[1:] == whole.shape[1:]
    (tmp_path / "a.nii").write_bytes(raw[:-900])
    with pytest.raises(BrokenFile, match="shorter than it was"):
        lazy.data[0]


def test_a_header_that_claims_too_much_costs_nothing(tmp_path: Path) -> None:
    raw = bytearray(nibabel.Nifti1Image(DATA, FIRST).to_bytes())
    struct.pack_into("<8h", raw, 40, 5, 32000, 32000, 32000, 32000, 32000, 1, 1)
    for name, content in (("a.nii", bytes(raw)), ("a.nii.gz", gzip.compress(raw))):
        (tmp_path / name).write_bytes(content)
        for ask in (read, list_series):
            with pytest.raises(BrokenFile, match="complete copy"):
                ask(tmp_path / name)


def test_a_sheared_geometry_stands_in_the_sform_alone(tmp_path: Path) -> None:
    nibabel.save(image_of(SHEARED, (1, 0)), tmp_path / "image.nii")
    sheared = read(tmp_path / "image.nii")
    assert sheared.geometry.is_close(nibabel_geometry(tmp_path / "image.nii"), 1e-6)
    plain = Volume(sheared.data, sheared.geometry, read(tmp_path / "image.nii").provenance)
    write(tmp_path / "labels.nii.gz", one_label(plain), like=plain)
    assert nibabel_geometry(tmp_path / "labels.nii.gz").is_close(sheared.geometry)
    assert int(nibabel.load(tmp_path / "labels.nii.gz").header["qform_code"]) == 0
    (said,) = caveats(tmp_path / "labels.nii.gz", sheared)
    assert "tilted gantry" in said
    assert "SimpleITK and ITK-SNAP refuse it" in said
    with pytest.raises(RuntimeError, match="orthonormal"):  # so the sentence is true
        sitk.ReadImage(str(tmp_path / "labels.nii.gz"))
    for name in ("labels.nrrd", "labels.mha"):
        assert caveats(tmp_path / name, sheared) == ()
        write(tmp_path / name, one_label(sheared), like=sheared)
        assert geometry_of(sitk.ReadImage(str(tmp_path / name))).is_close(sheared.geometry)


def test_a_long_axis_needs_nifti_2(image: Volume, tmp_path: Path) -> None:
    from volumes import Geometry

    geometry = Geometry.from_spacing((1, 2, 40_000), (3.0, 2.0, 1.0), (10.0, -20.0, 30.5))
    long = Volume(np.zeros(geometry.shape, np.int16), geometry, image.provenance)
    labels = np.zeros(geometry.shape, np.uint8)
    labels[0, 1, 39_999] = 3
    assert any("NIfTI-2" in said for said in caveats(tmp_path / "a.nii.gz", long))
    assert caveats(tmp_path / "a.nii.gz", image) == ()
    write(tmp_path / "a.nii.gz", labels, like=long)
    assert isinstance(nibabel.load(tmp_path / "a.nii.gz"), nibabel.Nifti2Image)
    assert nibabel_geometry(tmp_path / "a.nii.gz").is_close(geometry)
    assert np.array_equal(read(tmp_path / "a.nii.gz").data, labels)


def test_two_writings_are_one_file(image: Volume, tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        write_image(tmp_path / name, image)
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
