"""NumPy's files, FreeSurfer's MGH and AFNI's pairs."""

from __future__ import annotations

import gzip
import pickle
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from nibabel.testing import data_path

from tests.volumes.judges import RAS_TO_LPS, nibabel_geometry
from volumes import (
    BrokenFile,
    InvalidGeometry,
    MixedSeries,
    UnknownFormat,
    UnsupportedImage,
    _stored_images,
    list_series,
    read,
)

DATA = np.random.default_rng(0).integers(0, 200, (4, 5, 6)).astype(np.int16)
AFNI = Path(data_path)


@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int16, ">i2", np.float32, np.float64, bool, np.int64, np.float16]
)
@pytest.mark.parametrize("ending", [".npy", ".npz"])
def test_arrays_are_volumes_of_one_millimetre(dtype: str, ending: str, tmp_path: Path) -> None:
    array = DATA.astype(dtype)
    path = tmp_path / f"a{ending}"
    if ending == ".npy":
        np.save(path, array)
    else:
        np.savez_compressed(path, volume=array)
    volume = read(path)
    assert np.array_equal(volume.data, array)
    assert volume.data.dtype.isnative
    assert volume.geometry.spacing_mm == (1.0, 1.0, 1.0)
    assert any("1 mm" in note for note in volume.provenance.notes)


def test_fortran_order_planes_colours_and_times(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    np.save(path, np.asfortranarray(DATA))
    assert np.array_equal(read(path).data, DATA)
    np.save(path, DATA[0])
    assert np.array_equal(read(path).data, DATA[:1])
    colours = DATA.astype(np.uint8)[..., None].repeat(4, -1) + np.arange(4, dtype=np.uint8)
    for array in (colours, np.asfortranarray(colours)):
        np.save(path, array)
        assert np.array_equal(read(path).data, colours[..., :3])
    np.save(path, np.stack([DATA, DATA + 1]))
    assert [info.key for info in list_series(path)] == ["t0", "t1"]
    assert np.array_equal(read(path, series="t1").data, DATA + 1)
    with pytest.raises(MixedSeries, match="t0"):
        read(path)


def test_large_arrays_are_read_on_demand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_stored_images, "LAZY_BYTES", 10)
    for array in (DATA, np.asfortranarray(DATA), DATA.astype(np.int64), DATA > 90):
        np.save(tmp_path / "a.npy", array)
        volume = read(tmp_path / "a.npy")
        assert volume.is_lazy
        assert np.array_equal(volume.data[1:3, :, 2], array[1:3, :, 2])
    np.save(tmp_path / "a.npy", DATA.astype(np.int64) << 40)
    with pytest.raises(UnsupportedImage, match="32 bits"):
        read(tmp_path / "a.npy").data[:]


@pytest.mark.parametrize(
    "array",
    [np.zeros(5), np.zeros((1, 2, 3, 4, 5)), np.zeros((2, 2), complex), np.zeros((0, 3)), np.array(3.0)],
)
def test_arrays_that_are_no_volumes(array: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(UnsupportedImage, match="save"):
        read(tmp_path / "a.npy")


def test_nothing_is_unpickled(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple:
            return (pytest.fail, ("it was unpickled",))

    np.save(tmp_path / "a.npy", np.array([[Trap(), 1]], dtype=object), allow_pickle=True)
    with pytest.raises(UnsupportedImage, match="object"):
        read(tmp_path / "a.npy")
    (tmp_path / "b.npy").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(UnknownFormat):
        read(tmp_path / "b.npy")


def test_damaged_arrays(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", a=DATA, b=DATA)
    with pytest.raises(UnsupportedImage, match="2 arrays .'a.npy, b.npy'"):
        read(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", a=DATA)
    whole = bytearray((tmp_path / "a.npz").read_bytes())
    whole[200] ^= 255
    (tmp_path / "a.npz").write_bytes(whole)
    with pytest.raises(BrokenFile, match="CRC"):
        read(tmp_path / "a.npz")
    np.save(tmp_path / "a.npy", DATA)
    whole = bytearray((tmp_path / "a.npy").read_bytes())
    (tmp_path / "a.npy").write_bytes(whole[:-1])
    with pytest.raises(BrokenFile, match="complete copy"):
        read(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(whole.replace(b"(4, 5, 6)", b"(4, 5, 6("))
    with pytest.raises(BrokenFile, match="no sound NumPy header"):
        read(tmp_path / "a.npy")


@pytest.mark.parametrize("name", ["a.mgz", "a.mgh"])
def test_mgh(name: str, shared_data: Path, tmp_path: Path) -> None:
    packed = shared_data / "format_zoo" / "volumes" / "test.mgz"
    source = nibabel.load(packed)
    content = packed.read_bytes()
    (tmp_path / name).write_bytes(content if name == "a.mgz" else gzip.decompress(content))
    series = np.asanyarray(source.dataobj)
    assert [info.key for info in list_series(tmp_path / name)] == ["t0", "t1"]
    for key in ("t0", "t1"):
        volume = read(tmp_path / name, series=key)
        assert np.array_equal(volume.data, series[..., int(key[1])].T)
        assert volume.geometry.is_close(nibabel_geometry(packed), 1e-6)


def test_mgh_without_orientation(tmp_path: Path) -> None:
    nibabel.save(nibabel.MGHImage(DATA, np.eye(4)), tmp_path / "a.mgz")
    whole = bytearray(gzip.decompress((tmp_path / "a.mgz").read_bytes()))
    whole[28:30] = b"\0\0"
    (tmp_path / "a.mgh").write_bytes(whole)
    assert any("no orientation" in note for note in read(tmp_path / "a.mgh").provenance.notes)
    whole[28:30], whole[30:34] = b"\0\1", b"\0\0\0\0"
    (tmp_path / "a.mgh").write_bytes(whole)
    with pytest.raises(InvalidGeometry, match="flat"):
        read(tmp_path / "a.mgh")
    (tmp_path / "a.mgh").write_bytes(whole[:-100])
    with pytest.raises((BrokenFile, InvalidGeometry)):
        read(tmp_path / "a.mgh")


@pytest.mark.parametrize("stem", ["example4d+orig", "scaled+tlrc"])
def test_afni_by_either_file(stem: str, tmp_path: Path) -> None:
    bricks = list(AFNI.glob(f"{stem}.*"))
    assert len(bricks) == 2
    for brick in bricks:
        shutil.copy(brick, tmp_path)
    source = nibabel.load(tmp_path / f"{stem}.HEAD")
    expected = source.get_fdata(dtype=np.float32)
    expected = expected if expected.ndim == 4 else expected[..., None]
    for path in sorted(tmp_path.glob(f"{stem}.*")):
        keys = [info.key for info in list_series(path)]
        assert len(keys) == expected.shape[3]
        for number, key in enumerate(keys):
            volume = read(path, series=key)
            np.testing.assert_allclose(volume.data, expected[..., number].T, rtol=1e-6)
            affine = (RAS_TO_LPS @ source.affine)[:, [2, 1, 0, 3]]
            np.testing.assert_allclose(volume.geometry.affine, affine, atol=1e-9)


def test_half_of_an_afni_pair_says_so(shared_data: Path, tmp_path: Path) -> None:
    brick = shared_data / "format_zoo" / "volumes" / "scaled+tlrc.BRIK"
    with pytest.raises(BrokenFile, match=r"scaled\+tlrc\.HEAD is not beside it"):
        read(brick)
    for name in ("bad_attribute+orig", "bad_datatype+orig"):
        shutil.copy(AFNI / f"{name}.HEAD", tmp_path)
        (tmp_path / f"{name}.BRIK").write_bytes(b"\0" * 1000)
        with pytest.raises(BrokenFile, match="undamaged copy"):
            read(tmp_path / f"{name}.HEAD")
