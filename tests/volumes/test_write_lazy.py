"""OME-Zarr, OME-TIFF and PNG come back with the voxels, the place, the names and the colours that went in."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr

from volumes import (
    Geometry,
    Provenance,
    Segment,
    UnsupportedImage,
    UnwritableOutput,
    Volume,
    read,
    write,
    write_image,
)

RANDOM = np.random.default_rng(4)
ORIENTATIONS = [
    (axes, flips)
    for axes in itertools.permutations(range(3))
    for flips in itertools.product((0, 1), repeat=3)
]


def volume_of(shape: tuple[int, ...], dtype: Any = np.uint8, spacing: Any = (3.0, 2.0, 0.5)) -> Volume:
    data = RANDOM.integers(0, 200, shape).astype(dtype)
    geometry = Geometry.from_spacing((shape[0], shape[1], shape[2]), spacing, (10.0, -20.0, 5.0))
    return Volume(data, geometry, Provenance("made"))


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.float32])
@pytest.mark.parametrize("name", ["a.ome.zarr", "a.ome.tif"])
def test_images_come_back(name: str, dtype: Any, tmp_path: Path) -> None:
    volume = volume_of((5, 30, 40), dtype)
    write_image(tmp_path / name, volume)
    back = read(tmp_path / name)
    assert np.array_equal(back.data, volume.data)
    assert back.geometry.spacing_mm == volume.geometry.spacing_mm
    assert name.endswith(".tif") or back.geometry == volume.geometry
    write_image(tmp_path / f"again.{name}", back)  # from where it lies
    assert np.array_equal(read(tmp_path / f"again.{name}").data, volume.data)


@pytest.mark.parametrize("name", ["a.zarr", "a.tif"])
def test_colour_comes_back(name: str, tmp_path: Path) -> None:
    volume = volume_of((3, 30, 40, 3))
    write_image(tmp_path / name, volume)
    assert np.array_equal(read(tmp_path / name).data, volume.data)


@pytest.mark.parametrize(("axes", "flips"), ORIENTATIONS)
def test_zarr_keeps_all_orientations(axes: Any, flips: Any, tmp_path: Path) -> None:
    volume = volume_of((3, 4, 5))
    geometry, data = volume.geometry.permute(axes), np.transpose(volume.data, axes)
    for axis in np.flatnonzero(flips):
        geometry, data = geometry.flip(int(axis)), np.flip(data, axis)
    turned = Volume(np.ascontiguousarray(data), geometry, Provenance("made"))
    write(tmp_path / "a.zarr", turned.data, like=turned)
    assert read(tmp_path / "a.zarr").geometry == geometry
    assert np.array_equal(read(tmp_path / "a.zarr").data, data)


def test_a_pyramid_of_means_lies_where_its_pixels_are(tmp_path: Path) -> None:
    volume = volume_of((2, 600, 701), np.uint16)
    write_image(tmp_path / "a.zarr", volume)
    coarse = read(tmp_path / "a.zarr", series="l1")
    assert coarse.shape == (2, 300, 350)
    four = volume.data[:, :, :700].reshape(2, 300, 2, 350, 2).mean(axis=(2, 4))
    assert np.abs(np.asarray(coarse.data) - four).max() <= 0.5
    assert coarse.geometry.index_to_mm((1, 0, 0)).tolist() == [10.25, -19.0, 8.0]


def test_labels_with_names_and_colours_and_a_pyramid_of_whole_ids(tmp_path: Path) -> None:
    like = volume_of((2, 600, 700))
    labels = (like.data > 100).astype(np.uint16) * 300
    labels[:, :9] = 7
    segments = [Segment(300, "nucleus", (255, 0, 9))]
    write(tmp_path / "a.ome.zarr", labels, like=like, segments=segments)
    write(tmp_path / "a.ome.zarr", labels, like=like, segments=segments)  # over the older one
    assert np.array_equal(read(tmp_path / "a.ome.zarr").data, labels)
    assert np.array_equal(read(tmp_path / "a.ome.zarr", series="l1").data, labels[:, ::2, ::2])
    assert read(tmp_path / "a.ome.zarr").geometry == like.geometry
    described = json.loads((tmp_path / "a.ome.zarr" / ".zattrs").read_text())["image-label"]
    assert described["colors"] == [{"label-value": 300, "rgba": [255, 0, 9, 255]}]
    assert described["properties"] == [
        {"label-value": 7, "name": "object 7"}, {"label-value": 300, "name": "nucleus"},
    ]  # fmt: skip
    assert [path.name for path in tmp_path.iterdir()] == ["a.ome.zarr"]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_labels_go_into_an_image_and_change_nothing_else(zarr_format: Any, tmp_path: Path) -> None:
    image = volume_of((3, 30, 40))
    if zarr_format == 2:
        write_image(tmp_path / "a.zarr", image)
    else:
        group = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=3)
        group.create_array("0", data=np.asarray(image.data))
        axes = [{"name": name, "type": "space", "unit": "millimeter"} for name in "zyx"]
        transforms = [
            {"type": "scale", "scale": [3, 2, 0.5]}, {"type": "translation", "translation": [5, -20, 10]},
        ]  # fmt: skip
        dataset = {"path": "0", "coordinateTransformations": transforms}
        group.attrs["ome"] = {"version": "0.5", "multiscales": [{"axes": axes, "datasets": [dataset]}]}
    before = {path: path.read_bytes() for path in (tmp_path / "a.zarr").rglob("*") if path.is_file()}
    for name in ("nuclei", "cells"):
        write(tmp_path / "a.zarr" / "labels" / name, image.data > 100, like=image)
    assert {path: path.read_bytes() for path in before} == before
    back = read(tmp_path / "a.zarr" / "labels" / "cells")
    assert np.array_equal(back.data, image.data > 100)
    assert back.geometry == image.geometry
    attributes = dict(zarr.open_group(tmp_path / "a.zarr" / "labels", mode="r").attrs)
    assert (attributes if zarr_format == 2 else attributes["ome"])["labels"] == ["nuclei", "cells"]
    assert read(tmp_path / "a.zarr").shape == image.shape


def test_nothing_else_is_replaced(tmp_path: Path) -> None:
    image = volume_of((3, 30, 40))
    write_image(tmp_path / "a.zarr", image)
    (tmp_path / "b.zarr").mkdir()
    (tmp_path / "b.zarr" / "notes.txt").touch()
    for name in ("a.zarr", "b.zarr"):
        with pytest.raises(UnwritableOutput, match="no label image"):
            write(tmp_path / name, image.data, like=image)
    write(tmp_path / "a.zarr" / "labels" / "cells", image.data, like=image)
    for name in ("a.zarr", "b.zarr"):
        with pytest.raises(UnwritableOutput, match="no image without labels"):
            write_image(tmp_path / name, image)
    with pytest.raises(UnwritableOutput, match="existing, writable folder"):
        write_image(tmp_path / "none" / "a.zarr", image)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zarr", "b.zarr"]


def test_a_writer_that_fails_leaves_the_older_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = volume_of((3, 30, 40))
    write(tmp_path / "a.zarr", image.data, like=image)

    def fail(*arguments: object, **named: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zarr.Group, "create_array", fail)
    with pytest.raises(UnwritableOutput, match="No space left on device"):
        write(tmp_path / "a.zarr", image.data + 1, like=image)
    assert np.array_equal(read(tmp_path / "a.zarr").data, image.data)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]


def test_png_holds_grey_and_colour(tmp_path: Path) -> None:
    for shape, dtype in (((1, 9, 8), np.uint8), ((1, 9, 8), np.uint16), ((1, 9, 8, 3), np.uint8)):
        volume = volume_of(shape, dtype)
        write_image(tmp_path / "a.png", volume)
        assert np.array_equal(read(tmp_path / "a.png").data, volume.data)
        assert read(tmp_path / "a.png").data.dtype == dtype
    with pytest.raises(UnsupportedImage, match="grey values from 0 to 65535, the image holds int16"):
        write_image(tmp_path / "a.png", volume_of((1, 9, 8), np.int16))
    with pytest.raises(UnsupportedImage, match="one plane, the image has 2"):
        write_image(tmp_path / "a.png", volume_of((2, 9, 8)))


def test_other_programs_find_the_size_in_a_tiff(tmp_path: Path) -> None:
    write_image(tmp_path / "a.ome.tif", volume_of((3, 30, 40)))
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as tiff:
        assert tiff.series[0].axes == "ZYX"
        assert 'PhysicalSizeZ="3.0" PhysicalSizeZUnit="mm"' in (tiff.ome_metadata or "")
