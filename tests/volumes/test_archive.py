"""Zips of a series or of one file: unpacked for as long as they are needed, and never elsewhere."""

from __future__ import annotations

import gc
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest

import volumes
from volumes import Volume, list_series, read

Make = Callable[..., Path]
STRAIGHT = [(5.0, -7.0, 2.5 * step) for step in range(6)]


def refusal(attempt: Callable[[], object]) -> str:
    """Run what may be refused; its message, empty where it is not."""
    try:
        attempt()
    except volumes.VolumeError as error:
        return str(error)
    return ""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder that takes the temporary folders; empty at the end of the test."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    gc.collect()
    assert list(folder.iterdir()) == []


def zipped(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_zip_of_a_series(make_series: Make, tmp_path: Path, temporary: Path) -> None:
    folder = make_series(STRAIGHT, SeriesNumber=4)
    members = {f"study/{file.name}": file.read_bytes() for file in folder.iterdir()}
    path = zipped(tmp_path / "study.zip", {**members, "__MACOSX/._x": b"junk"})
    assert [info.key for info in list_series(path)] == ["4"]
    assert list(temporary.iterdir()) == []
    volume = read(path)
    assert volume.digest() == read(folder).digest()
    source = volume.provenance.sources[0]
    del volume
    gc.collect()
    assert source is not None
    assert pydicom.dcmread(source.path).SeriesNumber == 4  # there as long as a source of it is
    del source


def test_a_zip_of_one_file(image: Volume, tmp_path: Path, temporary: Path) -> None:
    volumes.write(tmp_path / "labels.nii.gz", np.ones(image.shape, np.uint8), like=image)
    path = zipped(tmp_path / "one.zip", {"x/labels.nii.gz": (tmp_path / "labels.nii.gz").read_bytes()})
    assert read(path).geometry.is_close(image.geometry)
    assert list(temporary.iterdir()) == []
    beside = zipped(
        tmp_path / "two.zip",
        {"a.nii.gz": (tmp_path / "labels.nii.gz").read_bytes(), "readme.txt": b"what it is"},
    )
    assert read(beside).shape == image.shape


@pytest.mark.parametrize(
    ("members", "error", "words"),
    [
        ({"../../evil.dcm": b"x" * 99}, volumes.BrokenFile, "leads out of its folder"),
        ({"/etc/evil.dcm": b"x" * 99}, volumes.BrokenFile, "leads out of its folder"),
        ({"C:\\evil.dcm": b"x" * 99}, volumes.BrokenFile, "leads out of its folder"),
        ({"readme.txt": b"x", "b.txt": b"y"}, volumes.UnknownFormat, "holds 2 files, 0 of them"),
    ],
)
def test_zips_that_are_refused(
    members: dict[str, bytes], error: type, words: str, tmp_path: Path, temporary: Path
) -> None:
    path = zipped(tmp_path / "a.zip", members)
    with pytest.raises(error, match=words):
        read(path)
    assert list(tmp_path.rglob("evil*")) == []


def test_a_zip_that_claims_too_much(tmp_path: Path, temporary: Path, make_series: Make) -> None:
    path = zipped(tmp_path / "bomb.zip", {"a.dcm": b"\0" * (1 << 20)})
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at + 24 : at + 28] = (1 << 31).to_bytes(4, "little")
    path.write_bytes(content)
    with pytest.raises(volumes.BrokenFile, match="says it holds"):
        read(path)


def test_a_truncated_zip_is_said_to_be_damaged(tmp_path: Path, temporary: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.dcm": b"x" * 99})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(volumes.BrokenFile, match=r"a\.zip is a damaged zip"):
        read(path)


def test_a_zip_in_a_zip_is_not_opened(tmp_path: Path, temporary: Path) -> None:
    inner = zipped(tmp_path / "inner.zip", {"a.txt": b"x"})
    with pytest.raises(volumes.UnknownFormat, match="0 of them images"):
        read(zipped(tmp_path / "outer.zip", {"inner.zip": inner.read_bytes()}))


def test_damaged_zips_are_refused_in_one_line(make_series: Make, tmp_path: Path, temporary: Path) -> None:
    folder = make_series(STRAIGHT[:2])
    content = zipped(
        tmp_path / "x.zip", {file.name: file.read_bytes() for file in folder.iterdir()}
    ).read_bytes()
    random = np.random.default_rng(11)
    for _ in range(60):
        damaged = bytearray(content)
        for at in random.integers(4, len(content), 3):
            damaged[at] ^= int(random.integers(1, 256))
        (tmp_path / "x.zip").write_bytes(damaged[: int(random.integers(200, len(content) * 2))])
        said = refusal(lambda: read(tmp_path / "x.zip"))
        assert "\n" not in said
        assert str(temporary) not in said


def test_errors_name_the_archive_and_not_the_temporary_folder(
    make_series: Make, tmp_path: Path, temporary: Path
) -> None:
    folder = make_series([(0, 0, 0), (0, 0, 2), (0, 0, 6)])
    path = zipped(tmp_path / "x.zip", {f"ct/{file.name}": file.read_bytes() for file in folder.iterdir()})
    with pytest.raises(volumes.MissingSlices, match=r"x\.zip/ct lacks 1 planes") as caught:
        read(path)
    assert str(temporary) not in str(caught.value)
