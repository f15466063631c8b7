"""OME-Zarr and Zarr: the right voxels in the right place, and no more chunks than needed."""

from __future__ import annotations

import json
import shutil
import threading
import zipfile
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from volumes import (
    BrokenFile,
    MissingFile,
    MixedSeries,
    UnknownSeries,
    UnsupportedImage,
    list_series,
    read,
)
from volumes._zarr.source import ChunkedArray

DATA = np.random.default_rng(5).integers(0, 255, (6, 40, 50), dtype=np.uint8)


def make_image(
    folder: Path,
    data: NDArray[Any] = DATA,
    axes: str = "zyx",
    version: str = "0.4",
    transforms: Any = None,
    **attributes: Any,
) -> Path:
    """An OME-Zarr of one level with (0.5, 0.2, 0.1) micrometres a voxel."""
    is_old = version != "0.5"
    group = zarr.open_group(folder, mode="w", zarr_format=2 if is_old else 3)
    chunks = tuple(min(length, 16) for length in data.shape)
    group.create_array("0", data=data, chunks=chunks)
    size = {"z": 0.5, "y": 0.2, "x": 0.1}
    scale = [size.get(name, 1.0) for name in axes]
    kinds = {"t": "time", "c": "channel"}
    described = [
        {"name": name, "type": kinds.get(name, "space")} | ({"unit": "micrometer"} if name in size else {})
        for name in axes
    ]
    dataset = {"path": "0", "coordinateTransformations": transforms or [{"type": "scale", "scale": scale}]}
    content = {"multiscales": [{"axes": described, "datasets": [dataset]}], **attributes}
    group.attrs.update(content if is_old else {"ome": {"version": "0.5", **content}})
    return folder


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_voxels_and_size(version: str, tmp_path: Path) -> None:
    volume = read(make_image(tmp_path / "a.ome.zarr", version=version))
    assert volume.is_lazy
    assert np.array_equal(volume.data, DATA)
    assert volume.geometry.spacing_mm == pytest.approx((5e-4, 2e-4, 1e-4))
    assert volume.provenance.format == "OME-Zarr"
    assert volume.provenance.notes == ()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(axes=st.permutations("tczyx"), channel=st.integers(0, 1), time=st.integers(0, 2))
def test_axes_in_any_order(axes: list[str], channel: int, time: int, tmp_path: Path) -> None:
    lengths = {"t": 3, "c": 2, "z": 4, "y": 5, "x": 7}
    data = np.arange(3 * 2 * 4 * 5 * 7, dtype=np.uint16).reshape([lengths[axis] for axis in axes])
    volume = read(make_image(tmp_path / "a.zarr", data, "".join(axes)), series=f"c{channel}/t{time}")
    expected = np.transpose(data, [axes.index(axis) for axis in "tczyx"])[time, channel]
    assert np.array_equal(volume.data, expected)
    assert np.array_equal(volume.data[1:3, 2, ::-2], expected[1:3, 2, ::-2])
    assert volume.geometry.spacing_mm == pytest.approx((5e-4, 2e-4, 1e-4))


def test_channels_have_names_and_windows(tmp_path: Path) -> None:
    omero = {
        "channels": [{"label": "DAPI", "window": {"start": 3, "end": 90}}, {"label": "GFP", "window": "none"}]
    }
    path = make_image(tmp_path / "a.zarr", np.stack([DATA, DATA + 1]), "czyx", omero=omero)
    assert [(one.key, one.description, one.shape) for one in list_series(path)] == [
        ("c0", "DAPI", DATA.shape), ("c1", "GFP", DATA.shape),
    ]  # fmt: skip
    with pytest.raises(MixedSeries, match=r"c0 \(DAPI 6x40x50\); c1 \(GFP"):
        read(path)
    assert read(path, series="c0").suggested_window == (3.0, 90.0)
    assert read(path, series="c1").suggested_window is None
    assert np.array_equal(read(path, series="c1").data, DATA + 1)


def test_scales_and_translations_follow_each_other(tmp_path: Path) -> None:
    transforms = [
        {"type": "scale", "scale": [2, 3, 4]}, {"type": "translation", "translation": [10, 20, 30]},
    ]  # fmt: skip
    path = make_image(tmp_path / "a.zarr", transforms=transforms)
    content = json.loads((path / ".zattrs").read_text())
    content["multiscales"][0]["coordinateTransformations"] = [{"type": "scale", "scale": [1000, 1, 1]}]
    (path / ".zattrs").write_text(json.dumps(content))
    geometry = read(path).geometry
    assert geometry.spacing_mm == pytest.approx((2.0, 0.003, 0.004))
    assert geometry.index_to_mm((0, 0, 0)).tolist() == pytest.approx([0.030, 0.020, 10.0])
    content["multiscales"][0]["coordinateTransformations"] = [{"type": "affine", "path": "x"}]
    (path / ".zattrs").write_text(json.dumps(content))
    with pytest.raises(UnsupportedImage, match="'affine'"):
        read(path)


def test_levels_are_keys_but_no_choice(tmp_path: Path) -> None:
    path = make_image(tmp_path / "a.zarr")
    zarr.open_group(path).create_array("1", data=DATA[:, ::2, ::2])
    content = json.loads((path / ".zattrs").read_text())
    second = {"path": "1", "coordinateTransformations": [{"type": "scale", "scale": [0.5, 0.4, 0.2]}]}
    content["multiscales"][0]["datasets"].append(second)
    (path / ".zattrs").write_text(json.dumps(content))
    assert len(list_series(path)) == 1
    assert read(path).shape == DATA.shape
    coarse = read(path, series="l1")
    assert coarse.shape == (6, 20, 25)
    assert coarse.geometry.spacing_mm == pytest.approx((5e-4, 4e-4, 2e-4))
    assert "level l1" in coarse.provenance.notes[0]
    assert read(path / "1").geometry == coarse.geometry
    with pytest.raises(UnknownSeries, match="no level l2; it has l0 to l1"):
        read(path, series="l2")


def test_a_plane_reads_its_chunks_once(tmp_path: Path) -> None:
    data = np.arange(64 * 64 * 64, dtype=np.uint16).reshape(64, 64, 64)
    array = zarr.create_array(tmp_path / "a.zarr", data=data, chunks=(16, 32, 16))
    asked: list[str] = []
    get = array.store.get

    async def counted(key: str, *arguments: Any, **named: Any) -> Any:
        asked.append(key)
        return await get(key, *arguments, **named)

    array.store.get = counted  # type: ignore[method-assign]
    chunked = ChunkedArray(array, "a.zarr")
    plane = chunked.read(((20, 21), (0, 64), (0, 64)))
    assert np.array_equal(plane[0], data[20])
    assert sorted(asked) == sorted(f"c/1/{row}/{column}" for row in range(2) for column in range(4))
    threads = [
        threading.Thread(target=chunked.read, args=(((at, at + 1), (0, 64), (0, 64)),))
        for at in range(16, 40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(asked) == len(set(asked)) == 16
    assert np.array_equal(chunked.read(((30, 41), (5, 60), (15, 33))), data[30:41, 5:60, 15:33])


def test_more_chunks_than_the_cache_holds(tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", data=DATA, chunks=(3, 16, 16))
    chunked = ChunkedArray(array, "a.zarr")
    chunked.cache.budget_bytes = 1000
    assert np.array_equal(chunked.read(((1, 4), (3, 33), (0, 50))), DATA[1:4, 3:33])


@pytest.mark.parametrize("kind", ["blosc", "zstd", "gzip", "plain", "blosc 3", "blosc in shards"])
def test_a_chunk_that_is_cut_off_is_an_error(kind: str, tmp_path: Path) -> None:
    old = {"blosc": numcodecs.Blosc(), "zstd": numcodecs.Zstd(), "gzip": numcodecs.GZip(), "plain": None}
    options: dict[str, Any] = {"compressors": zarr.codecs.BloscCodec(), "zarr_format": 3}
    if kind in old:
        options = {"compressors": old[kind], "zarr_format": 2}
    if kind == "blosc in shards":
        options["shards"] = (6, 40, 50)
    zarr.create_array(tmp_path / "a.zarr", data=DATA, chunks=(6, 20, 25), **options)
    assert np.array_equal(read(tmp_path / "a.zarr").data, DATA)
    chunk = max(
        (file for file in (tmp_path / "a.zarr").rglob("*") if file.is_file()),
        key=lambda file: file.stat().st_size,
    )
    content = chunk.read_bytes()
    kept = content[:1000] + content[1100:] if kind == "blosc in shards" else content[:1000]
    chunk.write_bytes(kept)
    with pytest.raises(BrokenFile, match="is damaged"):
        np.asarray(read(tmp_path / "a.zarr").data)


def test_a_missing_chunk_is_the_fill_value_and_a_damaged_one_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = make_image(tmp_path / "a.zarr")
    chunks = sorted(file for file in (path / "0").iterdir() if file.name != ".zarray" and file.name[0] != ".")
    chunks[0].unlink()
    expected = DATA.copy()
    expected[:, :16, :16] = 0
    assert np.array_equal(read(path).data, expected)
    content = chunks[1].read_bytes()
    chunks[1].write_bytes(content[: len(content) // 2])
    volume = read(path)
    with pytest.raises(BrokenFile, match=r"a\.zarr/0 is damaged .*undamaged copy"):
        np.asarray(volume.data)
    assert np.array_equal(volume.data[:, 20:], DATA[:, 20:])
    assert capfd.readouterr() == ("", "")


def test_a_lying_shape_allocates_nothing(tmp_path: Path) -> None:
    path = make_image(tmp_path / "a.zarr")
    content = json.loads((path / "0" / ".zarray").read_text())
    content["shape"] = [10**5, 10**7, 10**7]
    (path / "0" / ".zarray").write_text(json.dumps(content))
    volume = read(path)
    assert volume.data[5, 0, :50].tolist() == DATA[5, 0].tolist()
    with pytest.raises(UnsupportedImage, match="GiB in memory"):
        volume.data[0]
    content["chunks"] = [10**5, 10**7, 10**7]
    (path / "0" / ".zarray").write_text(json.dumps(content))
    with pytest.raises(UnsupportedImage, match="GiB in memory"):
        read(path).data[0, 0, :5]


def test_no_codec_that_could_run_code(tmp_path: Path) -> None:
    zarr.create_array(
        tmp_path / "a.zarr", data=DATA, zarr_format=2, filters=[numcodecs.Delta("u1")], compressors=None
    )
    assert np.array_equal(read(tmp_path / "a.zarr").data, DATA)
    content = json.loads((tmp_path / "a.zarr" / ".zarray").read_text())
    content["compressor"] = {"id": "pickle", "protocol": 4}
    (tmp_path / "a.zarr" / ".zarray").write_text(json.dumps(content))
    with pytest.raises((BrokenFile, UnsupportedImage), match="pickle"):
        read(tmp_path / "a.zarr")


def test_plain_arrays(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "a.zarr", data=DATA)
    volume = read(tmp_path / "a.zarr")
    assert np.array_equal(volume.data, DATA)
    assert volume.geometry.spacing_mm == (1.0, 1.0, 1.0)
    assert volume.provenance.format == "Zarr"
    assert "no physical size" in volume.provenance.notes[0]
    zarr.create_array(tmp_path / "b.zarr", data=DATA[None], dimension_names=["c", "z", "y", "x"])
    assert np.array_equal(read(tmp_path / "b.zarr").data, DATA)
    zarr.create_array(tmp_path / "c.zarr", data=np.zeros((2, 2, 6, 4, 5), np.uint8))
    with pytest.raises(UnsupportedImage, match="5 axes"):
        read(tmp_path / "c.zarr")
    zarr.create_array(tmp_path / "d.zarr", data=np.zeros((6, 7), np.complex64))
    with pytest.raises(UnsupportedImage, match="complex64"):
        read(tmp_path / "d.zarr")
    zarr.create_array(tmp_path / "e.zarr", data=np.zeros((6, 7, 3), np.uint8))
    assert read(tmp_path / "e.zarr").is_rgb


def test_wide_numbers_keep_their_value_or_are_refused(tmp_path: Path) -> None:
    wide = DATA.astype(np.int64) - 7
    zarr.create_array(tmp_path / "a.zarr", data=wide)
    assert read(tmp_path / "a.zarr").data.dtype == np.int32
    assert np.array_equal(read(tmp_path / "a.zarr").data, wide)
    zarr.create_array(tmp_path / "b.zarr", data=wide + 2**40)
    with pytest.raises(UnsupportedImage, match="32 bits or fewer"):
        read(tmp_path / "b.zarr").data[0]


def test_scenes_labels_and_plates(tmp_path: Path) -> None:
    root = zarr.open_group(tmp_path / "a.zarr", mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    for name in ("0", "1"):
        make_image(tmp_path / "a.zarr" / name, DATA[: 3 + int(name)])
    root.create_group("OME").attrs["series"] = ["1", "0"]
    assert [(one.key, one.description, one.shape[0]) for one in list_series(tmp_path / "a.zarr")] == [
        ("s0", "1", 4), ("s1", "0", 3),
    ]  # fmt: skip
    assert read(tmp_path / "a.zarr", series="s1").shape[0] == 3
    assert read(tmp_path / "a.zarr" / "1").shape[0] == 4
    for kind, inside in (("plate", "A/1/0"), ("well", "0 inside")):
        zarr.open_group(tmp_path / f"{kind}.zarr", mode="w", zarr_format=2).attrs[kind] = {}
        with pytest.raises(UnsupportedImage, match=f"is a {kind} .*{inside}"):
            read(tmp_path / f"{kind}.zarr")


def test_old_versions_name_no_axes_or_no_units(tmp_path: Path) -> None:
    path = make_image(tmp_path / "a.zarr", DATA[None, None], "tczyx")
    content = json.loads((path / ".zattrs").read_text())
    multiscale = content["multiscales"][0]
    for axes in (None, ["t", "c", "z", "y", "x"]):
        multiscale["axes"] = axes
        multiscale["datasets"] = [{"path": "0"}]
        (path / ".zattrs").write_text(json.dumps(content))
        volume = read(path)
        assert np.array_equal(volume.data, DATA)
        assert "no physical size" in volume.provenance.notes[0]
    scale = {"type": "scale", "scale": [1, 1, 2.0, 0.5, 0.5]}
    multiscale["datasets"] = [{"path": "0", "coordinateTransformations": [scale]}]
    (path / ".zattrs").write_text(json.dumps(content))
    assert read(path).geometry.spacing_mm == pytest.approx((0.002, 0.0005, 0.0005))
    assert "micrometres were assumed" in read(path).provenance.notes[0]


@pytest.mark.parametrize("top", ["", "a.zarr/"])
def test_a_zipped_store(top: str, tmp_path: Path) -> None:
    folder = make_image(tmp_path / "a.zarr")
    with zipfile.ZipFile(tmp_path / "a.ozx", "w") as archive:
        for file in folder.rglob("*"):
            if file.is_file():
                archive.write(file, top + file.relative_to(folder).as_posix())
    shutil.rmtree(folder)
    volume = read(tmp_path / "a.ozx")
    assert np.array_equal(volume.data, DATA)
    assert volume.geometry.spacing_mm == pytest.approx((5e-4, 2e-4, 1e-4))


def test_an_address_is_read_through_fsspec(tmp_path: Path) -> None:
    """fsspec's memory stands for a web server."""
    fsspec = pytest.importorskip("fsspec")
    folder = make_image(tmp_path / "a.zarr")
    memory = fsspec.filesystem("memory")
    memory.put(str(folder), "/web/a.zarr", recursive=True)
    try:
        volume = read("memory://web/a.zarr")
        assert np.array_equal(volume.data, DATA)
        assert volume.geometry.spacing_mm == pytest.approx((5e-4, 2e-4, 1e-4))
        assert read("memory://web/a.zarr/0").geometry == volume.geometry
        assert list_series("memory://web/a.zarr")[0].shape == DATA.shape
        with pytest.raises(MissingFile, match="memory://web/none"):
            read("memory://web/none")
    finally:
        memory.rm("/web", recursive=True)


def test_an_address_without_its_library_names_the_extra() -> None:
    with pytest.raises(UnsupportedImage, match=r"napari-sam-volumes\[remote\]") as caught:
        read("abfs://user:secret@bucket/a.zarr?token=secret")
    assert "secret" not in str(caught.value)
    with pytest.raises(UnsupportedImage, match="no address that can be read") as caught:
        read("nonsense://user:secret@a/b?token=secret")
    assert "secret" not in str(caught.value)
    with pytest.raises(MissingFile, match="as text, not as Path"):
        read(Path("https://example.org/a.zarr"))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (".zattrs", '{"multiscales": [{"datasets": [{}]}]}'),
        (".zattrs", '{"multiscales": [3]}'),
        (".zattrs", '{"multiscales": [{"axes": ["z"], "datasets": [{"path": "0"}]}]}'),
        (".zattrs", '{"multiscales": [{"datasets": [{"path": "../../b"}]}]}'),
        (".zattrs", "{"),
        ("0/.zarray", '{"zarr_format": 2}'),
        ("0/.zarray", "[]"),
        (
            "0/.zarray",
            (
                '{"zarr_format": 2, "shape": [4, 4], "chunks": [0, 4], "dtype": "|u1", "order": "C",'
                ' "compressor": null, "filters": null, "fill_value": 0}'
            ),
        ),
        (".zgroup", '{"zarr_format": 9}'),
    ],
)
def test_metadata_that_make_no_sense(file: str, content: str, tmp_path: Path) -> None:
    path = make_image(tmp_path / "a.zarr")
    (path / file).write_text(content)
    with pytest.raises((BrokenFile, UnsupportedImage)) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value)


def test_the_zoo(shared_data: Path) -> None:
    zoo = shared_data / "format_zoo" / "ome_zarr"
    image = read(zoo / "plant_nuclei_1135.ome.zarr")
    assert np.array_equal(image.data, zarr.open_array(zoo / "plant_nuclei_1135.ome.zarr/0", mode="r")[:])
    assert image.geometry.spacing_mm == pytest.approx((2.8371836e-4, 1.2678642e-4, 1.2678642e-4))
    nuclei = read(zoo / "plant_nuclei_1135.ome.zarr" / "labels" / "nuclei")
    assert nuclei.geometry == image.geometry
    plain = read(zoo / "plant_nuclei_1135_plain_v3.zarr")
    assert np.array_equal(plain.data, image.data)
    assert plain.geometry.spacing_mm == (1.0, 1.0, 1.0)
