from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
import xxhash

from napari_sam.errors import StoreError
from napari_sam.store import digests
from napari_sam.store.digests import DigestCache, file_digest

LATER_NS = 10 * 10**9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "w.pth"
    path.write_bytes(b"numbers" * 1000)
    return path


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every file that is really read."""
    read: list[Path] = []

    def counting(path: Path, algorithm: digests.Algorithm = "sha256") -> str:
        read.append(path)
        return file_digest(path, algorithm)

    monkeypatch.setattr(digests, "file_digest", counting)
    return read


def cache_of(path: Path, age_ns: int = LATER_NS) -> DigestCache:
    """Make a cache that believes to run so long after the file changed."""
    return DigestCache(path.parent / "cache", lambda: path.stat().st_ctime_ns + age_ns)


def test_digests_are_those_of_the_libraries(path: Path) -> None:
    told: list[tuple[int, int]] = []
    content = path.read_bytes()
    assert file_digest(path, "sha256", lambda *n: told.append(n)) == hashlib.sha256(content).hexdigest()
    assert file_digest(path, "xxh128") == xxhash.xxh128_hexdigest(content)
    assert told[-1] == (7000, 7000)


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot read"):
        file_digest(tmp_path / "none")
    with pytest.raises(StoreError, match="cannot read"):
        DigestCache(tmp_path).get(tmp_path / "none")


def test_an_unchanged_file_is_read_once(path: Path, counted: list[Path]) -> None:
    first = cache_of(path).get(path)
    assert cache_of(path).get(path) == first == file_digest(path)
    assert counted == [path]
    cache_of(path).get(path, "xxh128")
    assert cache_of(path).get(path, "xxh128") == file_digest(path, "xxh128")
    assert counted == [path, path]


def test_a_changed_file_is_read_again_even_with_its_old_time(path: Path, counted: list[Path]) -> None:
    before = path.stat()
    cache_of(path).get(path)
    path.write_bytes(b"changed" * 1000)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert cache_of(path).get(path) == file_digest(path)
    assert len(counted) == 2


def test_a_file_in_the_place_of_another_is_read(path: Path, counted: list[Path]) -> None:
    cache_of(path).get(path)
    other = path.with_name("other")
    other.write_bytes(b"another" * 1000)
    other.replace(path)
    assert cache_of(path).get(path) == file_digest(path)
    assert len(counted) == 2


def test_a_file_that_just_changed_is_not_remembered(path: Path, counted: list[Path]) -> None:
    for _ in range(2):
        cache_of(path, age_ns=10**9).get(path)
    assert len(counted) == 2


@pytest.mark.parametrize("damage", ["", "abc", "z" * 64, "é" * 64])
def test_a_damaged_memory_is_computed_again(path: Path, counted: list[Path], damage: str) -> None:
    cache_of(path).get(path)
    (entry,) = (path.parent / "cache" / "digests").iterdir()
    assert "w.pth" not in entry.name
    entry.write_text(damage, encoding="utf-8")
    assert cache_of(path).get(path) == file_digest(path)
    assert cache_of(path).get(path) == file_digest(path)
    assert len(counted) == 2


def test_a_cache_that_cannot_be_written_to_still_answers(path: Path) -> None:
    (path.parent / "cache").touch()
    assert cache_of(path).get(path) == file_digest(path)
