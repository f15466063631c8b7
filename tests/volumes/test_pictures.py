"""PNG, JPEG, BMP, TIFF, and folders of them."""

from __future__ import annotations

import shutil
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from volumes import BrokenFile, ShapeMismatch, UnsupportedImage, _picture_folder, read

GREY = np.arange(60, dtype=np.uint8).reshape(6, 10) * 4
RGB = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)


def test_grey_and_rgb_are_one_plane(tmp_path: Path) -> None:
    for suffix in ("png", "bmp"):
        Image.fromarray(GREY).save(tmp_path / f"grey.{suffix}")
        Image.fromarray(RGB).save(tmp_path / f"rgb.{suffix}")
        assert np.array_equal(read(tmp_path / f"grey.{suffix}").data, GREY[np.newaxis])
        volume = read(tmp_path / f"rgb.{suffix}")
        assert np.array_equal(volume.data, RGB[np.newaxis])
        assert volume.is_rgb
        assert volume.shape == (1, 6, 10)
        assert volume.geometry.spacing_mm == (1.0, 1.0, 1.0)
        assert volume.provenance.format == suffix.upper()
        assert "no physical size" in volume.provenance.notes[0]


def test_alpha_and_palettes_are_noted(tmp_path: Path) -> None:
    rgba = np.dstack([RGB, np.full_like(GREY, 9)])
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    volume = read(tmp_path / "rgba.png")
    assert np.array_equal(volume.data[0], RGB)
    assert "alpha was left out" in volume.provenance.notes
    Image.fromarray(np.dstack([GREY, GREY])).save(tmp_path / "la.png")
    assert np.array_equal(read(tmp_path / "la.png").data[0], GREY)
    Image.fromarray(RGB).quantize(4).save(tmp_path / "palette.png")
    volume = read(tmp_path / "palette.png")
    assert volume.is_rgb
    assert any("palette" in note for note in volume.provenance.notes)


def test_sixteen_bit_and_one_bit_grey(tmp_path: Path) -> None:
    wide = GREY.astype(np.uint16) * 250
    Image.fromarray(wide).save(tmp_path / "wide.png")
    assert read(tmp_path / "wide.png").data.dtype == np.uint16
    assert np.array_equal(read(tmp_path / "wide.png").data[0], wide)
    Image.fromarray(GREY > 100).save(tmp_path / "bits.png")
    assert np.array_equal(read(tmp_path / "bits.png").data[0], np.where(GREY > 100, 255, 0))


def test_exif_orientation_is_noted_and_pixels_stay_as_stored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(GREY).save(tmp_path / "turned.jpg", quality=100, exif=exif)
    volume = read(tmp_path / "turned.jpg")
    assert volume.shape == (1, 6, 10)
    assert any("EXIF orientation 6" in note for note in volume.provenance.notes)


def test_a_folder_is_planes_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 1, 2):
        Image.fromarray(np.full((3, 4), number, np.uint8)).save(tmp_path / f"plane{number}.png")
    tifffile.imwrite(tmp_path / "plane11.tif", np.full((3, 4), 11, np.uint8))
    (tmp_path / "Thumbs.db").write_text("not a picture")
    volume = read(tmp_path)
    assert volume.data[:, 0, 0].tolist() == [1, 2, 9, 10, 11]
    assert volume.provenance.format == "pictures"


def test_a_folder_of_different_pictures_is_refused(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    Image.fromarray(GREY[:-1]).save(tmp_path / "b.png")
    with pytest.raises(ShapeMismatch, match=r"b\.png has shape \(5, 10\), a\.png has \(6, 10\)"):
        read(tmp_path)
    Image.fromarray(RGB).save(tmp_path / "b.png")
    with pytest.raises(ShapeMismatch, match="colour"):
        read(tmp_path)


def test_a_stack_among_single_pictures_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.stack([GREY] * 4), photometric="minisblack")
    Image.fromarray(GREY).save(tmp_path / "b.png")
    with pytest.raises(UnsupportedImage, match="4 pages"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("shape", "options", "expected"),
    [
        ((6, 10), {"photometric": "minisblack"}, (1, 6, 10)),
        ((5, 6, 10), {"photometric": "minisblack"}, (5, 6, 10)),
        ((6, 10, 3), {"photometric": "rgb"}, (1, 6, 10, 3)),
        ((5, 6, 10, 3), {"photometric": "rgb"}, (5, 6, 10, 3)),
        ((6, 10, 4), {"photometric": "rgb", "extrasamples": ["unassalpha"]}, (1, 6, 10, 3)),
        ((3, 6, 10), {"photometric": "rgb", "planarconfig": "separate"}, (1, 6, 10, 3)),
        ((5, 6, 10), {"photometric": "minisblack", "metadata": None}, (5, 6, 10)),
        ((5, 6, 10), {"imagej": True, "metadata": {"axes": "TYX"}}, (5, 6, 10)),
        ((1, 5, 6, 10), {"ome": True, "metadata": {"axes": "CZYX"}}, (5, 6, 10)),
    ],
)
def test_tiff_axes(shape: tuple, options: dict, expected: tuple, tmp_path: Path) -> None:
    data = np.arange(np.prod(shape)).astype(np.uint8).reshape(shape)
    tifffile.imwrite(tmp_path / "a.tif", data, **options)
    volume = read(tmp_path / "a.tif")
    assert volume.data.shape == expected
    if "planarconfig" in options:
        data = np.moveaxis(data, 0, -1)
    assert np.array_equal(
        volume.data.reshape(-1, *volume.data.shape[3:]), data[..., :3].reshape(-1, *expected[3:])
    ) or (np.array_equal(volume.data.ravel(), data.ravel()))


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_compressions_of_older_programs(compression: str, tmp_path: Path) -> None:
    pages = [Image.fromarray(GREY.astype(np.uint16) * number) for number in (1, 2, 3)]
    pages[0].save(tmp_path / "a.tif", compression=compression, save_all=True, append_images=pages[1:])
    assert np.array_equal(read(tmp_path / "a.tif").data, np.stack([np.array(page) for page in pages]))


def test_ome_and_imagej_sizes_become_millimetres(tmp_path: Path) -> None:
    data = np.zeros((3, 6, 10), np.uint16)
    size = {"PhysicalSizeX": 0.1, "PhysicalSizeY": 0.2, "PhysicalSizeZ": 1.5}
    tifffile.imwrite(tmp_path / "a.ome.tif", data, metadata={"axes": "ZYX", **size})
    assert read(tmp_path / "a.ome.tif").geometry.spacing_mm == pytest.approx((0.0015, 0.0002, 0.0001))
    options = {
        "imagej": True,
        "resolution": (4, 2),
        "metadata": {"axes": "ZYX", "unit": "um", "spacing": 3.0},
    }
    tifffile.imwrite(tmp_path / "b.tif", data, **options)
    assert read(tmp_path / "b.tif").geometry.spacing_mm == pytest.approx((0.003, 0.0005, 0.00025))


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        (np.float64, 0.5, np.float32), (np.float16, 0.5, np.float32), (np.int32, -5, np.int16),
        (np.int32, 70000, np.int32), (np.uint32, 7, np.uint16), (">u2", 7, np.uint16), (np.int8, -3, np.int8),
    ],
)  # fmt: skip
def test_numbers_keep_their_value_in_the_smallest_type(
    dtype: object, value: float, expected: type, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((4, 5), value, dtype))
    data = read(tmp_path / "a.tif").data
    assert data.dtype == expected
    assert (data == value).all()


def test_a_tiff_cut_inside_its_pages_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((9, 50, 50), np.uint8), photometric="minisblack", metadata=None
    )
    whole = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BrokenFile, match="copy"):
        read(tmp_path / "a.tif")


def test_the_format_zoo_reads(shared_data: Path) -> None:
    zoo = shared_data / "format_zoo"
    shapes = {
        "microscopy/xyz_8bit__chromosomes.tif": ((40, 152, 126), (1.5e-4, 3.38541e-5, 3.38541e-5)),
        "microscopy/xyz_8bit_calibrated_anisotropic__mri_head.tif": ((27, 226, 186), (7.0, 0.5, 0.5)),
        "microscopy/xy_8bit__em_mitochondria_er.tif": ((1, 517, 497), (8e-6, 8e-6, 8e-6)),
        "png_tif_variants/sub-png_sample-16gray_SEM.png": ((1, 256, 256), (1, 1, 1)),
        "png_tif_variants/sub-png_sample-8rgba_SEM.png": ((1, 256, 256), (1, 1, 1)),
    }
    for name, (shape, spacing_mm) in shapes.items():
        volume = read(zoo / name)
        assert volume.shape == shape
        assert volume.geometry.spacing_mm == pytest.approx(spacing_mm, rel=1e-5)


def test_frames_of_a_film_are_planes(shared_data: Path, tmp_path: Path) -> None:
    frames = sorted((shared_data / "eval" / "video" / "camel" / "frames").iterdir())[:3]
    for frame in frames:
        shutil.copy(frame, tmp_path)
    volume = read(tmp_path)
    assert volume.data.shape == (3, 480, 854, 3)
    with Image.open(frames[1]) as picture:
        assert np.array_equal(volume.data[1], np.array(picture))


@pytest.mark.parametrize("n_values", [2, 3, 4])
def test_sixteen_bit_colour_keeps_its_bits(n_values: int, tmp_path: Path) -> None:
    """Pillow writes no such PNG, so it is put together here, a filter type of its own on each row."""
    pixels = np.random.default_rng(n_values).integers(0, 65536, (6, 10, n_values)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    colour = {2: 4, 3: 2, 4: 6}[n_values]

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    header = struct.pack(">IIBBBBB", 10, 6, 16, colour, 0, 0, 0)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    volume = read(tmp_path / "a.png")
    assert volume.data.dtype == np.uint16
    assert np.array_equal(volume.data[0], pixels[..., 0] if n_values == 2 else pixels[..., :3])


def test_webp_and_cmyk(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.webp", lossless=True)
    assert np.array_equal(read(tmp_path / "a.webp").data[0], RGB)
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "a.jpg")
    volume = read(tmp_path / "a.jpg")
    assert volume.is_rgb
    assert any("CMYK" in note for note in volume.provenance.notes)


def test_a_large_folder_is_read_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_picture_folder, "IN_MEMORY_BYTES", 0)
    for number in range(5):
        Image.fromarray(GREY + number).save(tmp_path / f"{number}.png")
    volume = read(tmp_path)
    assert volume.is_lazy
    assert np.array_equal(volume.data, np.stack([GREY + number for number in range(5)]))
    Image.fromarray(RGB).save(tmp_path / "3.png")
    assert np.array_equal(read(tmp_path).data[2], GREY + 2)
    with pytest.raises(ShapeMismatch, match=r"3\.png has shape \(6, 10, 3\)"):
        read(tmp_path).data[3]
    Image.fromarray(GREY[1:]).save(tmp_path / "3.png")
    with pytest.raises(ShapeMismatch, match=r"3\.png has shape \(5, 10\)"):
        read(tmp_path)
