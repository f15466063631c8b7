"""TIFF against tifffile and Pillow: codes, widths, axes, sizes, and parts of large files."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from volumes import BrokenFile, LazyArray, MixedSeries, list_series, read
from volumes._stored import StoredSource
from volumes._tiff import reader as tiff_reader
from volumes._tiff.codecs import Strip, decode_strip
from volumes._tiff.pages import MappedArray, PagedArray

GREY = np.random.default_rng(2).integers(0, 255, (31, 45), dtype=np.uint8)
RGB = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)
STACK = np.random.default_rng(3).integers(0, 4000, (5, 70, 90), dtype=np.uint16)


@pytest.fixture
def on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_reader, "IN_MEMORY_BYTES", 0)


@pytest.mark.parametrize("compression", [None, "zlib", "lzma"])
@pytest.mark.parametrize("dtype", ["<u1", "<u2", ">u2", "<i2", "<u4", ">f4", "<f8", "<f2"])
@pytest.mark.parametrize("tile", [None, (32, 48)])
def test_parts_of_pages_as_tifffile_decodes_them(
    compression: str | None, dtype: str, tile: Any, tmp_path: Path, on_demand: None
) -> None:
    data = STACK.astype(dtype)
    options = {"compression": compression, "tile": tile, "rowsperstrip": None if tile else 17}
    predictor = compression in ("zlib", "lzma") and data.dtype.kind in "iu"
    tifffile.imwrite(
        tmp_path / "a.tif", data, byteorder=dtype[0], photometric="minisblack", metadata=None,
        predictor=predictor, **options,
    )  # fmt: skip
    lazy = read(tmp_path / "a.tif").data
    assert isinstance(lazy, LazyArray)
    with np.errstate(over="ignore"):
        expected = data.astype(np.float32) if data.dtype.kind == "f" else data.astype(dtype[1:])
    assert np.array_equal(lazy, expected)
    assert np.array_equal(lazy[1:4, 5:40, 9:77], expected[1:4, 5:40, 9:77])
    assert lazy.overview().ndim == 3


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "jpeg", "tiff_adobe_deflate"])
@pytest.mark.parametrize("colour", [False, True])
def test_codes_of_older_programs_as_pillow_decodes_them(
    compression: str, colour: bool, tmp_path: Path, on_demand: None
) -> None:
    pages = [Image.fromarray(RGB if colour else GREY), Image.fromarray(RGB[::-1] if colour else GREY[::-1])]
    pages[0].save(tmp_path / "a.tif", compression=compression, save_all=True, append_images=pages[1:])
    volume = read(tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as picture:
        for index in (0, 1):
            picture.seek(index)
            assert np.array_equal(volume.data[index], np.array(picture))


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "tiff_lzw"])
def test_one_bit(compression: str, tmp_path: Path) -> None:
    Image.fromarray(GREY > 100).save(tmp_path / "a.tif", compression=compression)
    assert np.array_equal(read(tmp_path / "a.tif").data[0], GREY > 100)


@pytest.mark.parametrize("n_bits", [2, 4, 10, 12, 14])
def test_packed_numbers(n_bits: int, tmp_path: Path) -> None:
    values = np.random.default_rng(n_bits).integers(0, 1 << n_bits, (31, 45))
    bits = (values[..., np.newaxis] >> np.arange(n_bits - 1, -1, -1)) & 1
    packed = np.packbits(bits.reshape(31, -1).astype(np.uint8), axis=1)
    tags = [
        (256, 45), (257, 31), (258, n_bits), (259, 1), (262, 1), (273, 8), (277, 1), (278, 31),
        (279, packed.size),
    ]  # fmt: skip
    directory = struct.pack("<H", len(tags)) + b"".join(
        struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags
    )
    head = b"II*\0" + struct.pack("<I", 8 + packed.size)
    (tmp_path / "a.tif").write_bytes(head + packed.tobytes() + directory + b"\0" * 4)
    assert np.array_equal(read(tmp_path / "a.tif").data[0], values)


def test_real_numbers_by_bytes() -> None:
    """TIFF's floating point predictor: bytes of one significance together, as differences."""
    values = np.random.default_rng(1).normal(size=(4, 6)).astype(">f4")
    planes = values.view(np.uint8).reshape(4, 6, 4).transpose(0, 2, 1).reshape(4, 24)
    stored = np.diff(planes, axis=1, prepend=np.uint8(0)).astype(np.uint8).tobytes()
    from volumes._tiff.layout import Layout, numbers

    strip = Strip(1, 4, 6, 1, 32)
    layout = Layout(4, 6, 1, 32, np.dtype("<f4"), False, False, (4, 6), 3, strip)
    assert np.array_equal(numbers(decode_strip(stored, strip), strip, layout)[0], values)


def test_zstd() -> None:
    from numcodecs.zstd import Zstd

    strip = Strip(50000, 31, 45, 1, 8)
    assert decode_strip(bytes(Zstd().encode(GREY.tobytes())), strip) == GREY.tobytes()


def test_palette_and_cmyk_become_rgb(tmp_path: Path) -> None:
    for name, picture in (
        ("palette", Image.fromarray(RGB).quantize(16)), ("CMYK", Image.fromarray(RGB).convert("CMYK")),
    ):  # fmt: skip
        picture.save(tmp_path / f"{name}.tif")
        volume = read(tmp_path / f"{name}.tif")
        assert np.array_equal(volume.data[0], np.array(picture.convert("RGB")))
        assert any(name in note for note in volume.provenance.notes)


def hyperstack(path: Path, data: NDArray[Any]) -> None:
    metadata = {"axes": "TZCYX", "unit": "\\u00B5m", "spacing": 0.7, "Ranges": (0.0, 9.0, 1.0, 8.0, 0.0, 5.0)}
    tifffile.imwrite(path, data, imagej=True, metadata=metadata, resolution=(4, 2))


def test_imagej_channels_and_times_are_keys(tmp_path: Path) -> None:
    data = np.random.default_rng(7).integers(0, 9, (2, 4, 3, 31, 45)).astype(np.uint16)
    hyperstack(tmp_path / "a.tif", data)
    keys = [f"c{channel}/t{time}" for channel, time in itertools.product(range(3), range(2))]
    assert [one.key for one in list_series(tmp_path / "a.tif")] == keys
    with pytest.raises(MixedSeries, match="6 series"):
        read(tmp_path / "a.tif")
    for key in keys:
        volume = read(tmp_path / "a.tif", series=key)
        assert np.array_equal(volume.data, data[int(key[4]), :, int(key[1])])
        assert volume.geometry.spacing_mm == pytest.approx((7e-4, 5e-4, 2.5e-4))
    assert read(tmp_path / "a.tif", series="c1/t0").suggested_window == (1.0, 8.0)


def test_times_of_single_planes_are_planes(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK, imagej=True, metadata={"axes": "TYX"})
    volume = read(tmp_path / "a.tif")
    assert np.array_equal(volume.data, STACK)
    assert any("planes are times" in note for note in volume.provenance.notes)


def test_ome_scenes_channels_and_units(tmp_path: Path) -> None:
    sizes = {"PhysicalSizeX": 500, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.25, "PhysicalSizeZ": 2}
    channels = {"Channel": {"Name": ["DAPI", "GFP"]}}
    data = np.random.default_rng(7).integers(0, 9, (3, 2, 9, 8), dtype=np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.ome.tif") as writer:
        writer.write(
            data, metadata={"axes": "ZCYX", "Name": "one", **sizes, **channels}, photometric="minisblack"
        )
        writer.write(STACK, metadata={"axes": "ZYX", "Name": "two"}, photometric="minisblack")
    assert [(one.key, one.description) for one in list_series(tmp_path / "a.ome.tif")] == [
        ("s0/c0", "one DAPI"), ("s0/c1", "one GFP"), ("s1", "two"),
    ]  # fmt: skip
    volume = read(tmp_path / "a.ome.tif", series="s0/c1")
    assert np.array_equal(volume.data, data[:, 1])
    assert volume.geometry.spacing_mm == pytest.approx((2e-3, 2.5e-4, 5e-4))
    assert np.array_equal(read(tmp_path / "a.ome.tif", series="s1").data, STACK)


def test_an_ome_set_of_files_needs_all_of_them(tmp_path: Path) -> None:
    xml = """<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0">
    <Pixels ID="P:0" DimensionOrder="XYZCT" Type="uint16" SizeX="90" SizeY="70" SizeZ="2" SizeC="1" SizeT="1">
    <Channel ID="C:0" SamplesPerPixel="1"/>{0}</Pixels></Image></OME>"""
    data = "".join(
        f'<TiffData FirstZ="{at}" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{at}.ome.tif">urn:uuid:{at}</UUID></TiffData>'
        for at in range(2)
    )
    for at in range(2):
        tifffile.imwrite(tmp_path / f"{at}.ome.tif", STACK[at], description=xml.format(data), metadata=None)
    volume = read(tmp_path / "0.ome.tif")
    assert np.array_equal(volume.data, STACK[:2])
    (tmp_path / "1.ome.tif").unlink()
    with pytest.raises(BrokenFile, match="complete copy"):
        read(tmp_path / "0.ome.tif")


def test_a_pyramid_gives_its_finest_level_and_a_cheap_overview(tmp_path: Path, on_demand: None) -> None:
    fine = np.add.outer(np.arange(1024), np.arange(1536)).astype(np.uint16)
    options: dict[str, Any] = {"tile": (256, 256), "compression": "zlib", "photometric": "minisblack"}
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", bigtiff=True) as writer:
        writer.write(fine, subifds=1, metadata={"axes": "YX", "PhysicalSizeX": 0.5}, **options)
        writer.write(fine[::2, ::2], subfiletype=1, **options)
    assert len(list_series(tmp_path / "a.ome.tif")) == 1
    volume = read(tmp_path / "a.ome.tif")
    assert np.array_equal(volume.data[0, 300:310, 500:], fine[300:310, 500:])
    assert np.array_equal(volume.data.overview()[0], fine[::2, ::2])


@pytest.mark.parametrize("bigtiff", [False, True])
def test_an_uncompressed_stack_is_mapped_and_a_part_reads_a_part(
    bigtiff: bool, tmp_path: Path, on_demand: None
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK, bigtiff=bigtiff, photometric="minisblack")
    data = read(tmp_path / "a.tif").data
    assert isinstance(data, LazyArray)
    source = data._source
    assert isinstance(source, StoredSource)
    assert isinstance(source.array, MappedArray)
    assert np.array_equal(data[3, 10:20], STACK[3, 10:20])
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:1000])
    with pytest.raises(BrokenFile, match="complete copy"):
        data[3]


def test_a_damaged_tile_is_an_error_only_where_it_is(
    tmp_path: Path, on_demand: None, capfd: pytest.CaptureFixture[str]
) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK, compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        offset = tiff.pages[2].dataoffsets[0]
    content = bytearray((tmp_path / "a.tif").read_bytes())
    content[offset + 2 : offset + 40] = b"\xff" * 38
    (tmp_path / "a.tif").write_bytes(content)
    data = read(tmp_path / "a.tif").data
    assert isinstance(data, LazyArray)
    assert isinstance(data._source.array, PagedArray)  # type: ignore[attr-defined]
    assert np.array_equal(data[1], STACK[1])
    with pytest.raises(BrokenFile, match=r"a page is damaged .*undamaged copy"):
        data[2]
    assert capfd.readouterr() == ("", "")


def test_a_chain_of_pages_that_bites_its_tail(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", STACK[:2], compression="zlib", metadata=None)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        _first, second = (page.offset for page in tiff.pages)
    content = bytearray((tmp_path / "a.tif").read_bytes())
    (n_tags,) = struct.unpack_from("<H", content, second)
    struct.pack_into("<I", content, second + 2 + 12 * n_tags, second)
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(BrokenFile, match="circular"):
        read(tmp_path / "a.tif")


def test_pages_of_different_sizes_are_no_stack(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY, metadata=None)
    tifffile.imwrite(tmp_path / "a.tif", GREY[:20], metadata=None, append=True)
    with pytest.raises(MixedSeries, match=r"s0 \(1x31x45\); s1 \(1x20x45\)"):
        read(tmp_path / "a.tif")
    assert np.array_equal(read(tmp_path / "a.tif", series="s1").data[0], GREY[:20])


@pytest.mark.parametrize(("dpi", "expected"), [(72, 1.0), (300, 1.0), (25400, 0.001)])
def test_resolution_tags_are_believed_where_they_are_no_default(
    dpi: int, expected: float, tmp_path: Path
) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.tif", dpi=(dpi, dpi))
    volume = read(tmp_path / "a.tif")
    assert volume.geometry.spacing_mm == pytest.approx((expected,) * 3)
    assert any(("resolution tags" in note) == (expected != 1.0) for note in volume.provenance.notes)
