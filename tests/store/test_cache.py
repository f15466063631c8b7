from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

from napari_sam.errors import StoreError
from napari_sam.store.cache import EmbeddingStore
from napari_sam.store.embeddings import embedding_key

MB = 2**20


def key(number: int) -> str:
    return f"{number:064x}"


def features(number: int, n_bytes: int = 1024) -> dict[str, np.ndarray]:
    return {"image_embedding": np.full((1, 1, n_bytes // 2), number, np.float16)}


def test_what_was_put_is_got_from_ram_then_from_disk(tmp_path: Path) -> None:
    put = {
        "image_embedding": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
        "fine_8": np.ones((1, 2, 2), np.float16),
    }
    store = EmbeddingStore(tmp_path, MB, MB)
    assert store.get(key(1)) is None
    store.put(key(1), put)
    other_process = EmbeddingStore(tmp_path, MB, MB)
    for which in (store, other_process, other_process):
        got = which.get(key(1))
        assert got is not None
        assert set(got) == set(put)
        for name, array in got.items():
            assert array.dtype == np.float16
            assert not array.flags.writeable
            assert np.array_equal(array, put[name])
    assert (store.stats.ram_hits, store.stats.disk_hits, store.stats.misses) == (1, 0, 1)
    assert (other_process.stats.ram_hits, other_process.stats.disk_hits) == (1, 1)


def test_disk_layout_is_one_plain_file_a_key(tmp_path: Path) -> None:
    EmbeddingStore(tmp_path, 0, MB).put("ab" + "0" * 62, features(1))
    files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()]
    assert files == ["embeddings/ab/ab" + "0" * 62 + ".safetensors"]


def test_ram_keeps_what_was_used_last(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path, 3 * 1024, 0)
    for number in (1, 2, 3):
        store.put(key(number), features(number))
    store.get(key(1))
    store.put(key(4), features(4))
    assert [number for number in (1, 2, 3, 4) if key(number) in store] == [1, 3, 4]


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 6)), max_size=30), st.integers(0, 12))
def test_ram_never_exceeds_its_budget(puts: list[tuple[int, int]], budget: int) -> None:
    store = EmbeddingStore(Path("never-written"), budget * 64, 0)
    for number, size in puts:
        store.put(key(number), features(number, size * 64))
        kept = [n for n in range(6) if key(n) in store]
        sizes = [sum(a.nbytes for a in (store.get(key(n)) or {}).values()) for n in kept]
        assert sum(sizes) <= budget * 64
        assert (number in kept) == (size <= budget)


def test_disk_is_pruned_oldest_use_first(tmp_path: Path) -> None:
    size = len(save(features(0)))
    store = EmbeddingStore(tmp_path, 0, 4 * size)
    for number in range(4):
        store.put(key(number), features(number))
        os.utime(store.path(key(number)), (1000 + number, 1000 + number))
    assert store.get(key(0)) is not None  # used now
    store.put(key(9), features(9))
    left = [number for number in (0, 1, 2, 3, 9) if store.path(key(number)).exists()]
    assert left == [0, 3, 9]
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors")) <= 4 * size


def test_pruning_counts_what_lay_there_before(tmp_path: Path) -> None:
    size = len(save(features(0)))
    EmbeddingStore(tmp_path, 0, MB).put(key(1), features(1))
    store = EmbeddingStore(tmp_path, 0, size)
    store.put(key(2), features(2))
    assert key(1) not in store
    assert key(2) in store


def test_entry_larger_than_the_budget_is_not_kept(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path, 100, 100)
    store.put(key(1), features(1))
    assert key(1) not in store
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"not an embedding",
        save(features(1))[:-7],
        save({"image_embedding": np.zeros(4, np.float32)}),
        save({}),
        b"\xff" * 64,
    ],
    ids=["empty", "text", "cut short", "float32", "no arrays", "ones"],
)
def test_broken_entry_is_dropped_and_can_be_put_again(
    tmp_path: Path, payload: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    store = EmbeddingStore(tmp_path, MB, MB)
    path = store.path(key(1))
    path.parent.mkdir(parents=True)
    path.write_bytes(payload)
    with caplog.at_level(logging.WARNING):
        assert store.get(key(1)) is None
    assert "will be computed again" in caplog.text
    assert not path.exists()
    assert store.stats.misses == 1
    store.put(key(1), features(1))
    assert EmbeddingStore(tmp_path, 0, MB).get(key(1)) is not None


def test_disk_that_cannot_be_written_leaves_ram(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "embeddings").write_text("a file where the folder should be")
    store = EmbeddingStore(tmp_path, MB, MB)
    with caplog.at_level(logging.WARNING):
        store.put(key(1), features(1))
        store.put(key(2), features(2))
    assert store.get(key(1)) is not None
    assert store.get(key(2)) is not None
    assert caplog.text.count("RAM only") == 1


def test_failed_write_leaves_neither_entry_nor_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full_disk)
    EmbeddingStore(tmp_path, 0, MB).put(key(1), features(1))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_a_crash_left_is_cleared_away(tmp_path: Path) -> None:
    folder = tmp_path / "embeddings" / "00"
    folder.mkdir(parents=True)
    old, young = folder / "old.part", folder / "young.part"
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (1000, 1000))
    EmbeddingStore(tmp_path, 0, MB).put(key(1), features(1))
    assert not old.exists()
    assert young.exists()


@pytest.mark.parametrize("bad", ["", "../../etc/passwd", "AB" * 32, "a/b" * 16, "abcd"])
def test_key_cannot_name_another_place(tmp_path: Path, bad: str) -> None:
    with pytest.raises(StoreError, match="lower-case hex"):
        EmbeddingStore(tmp_path, MB, MB).get(bad)


def test_negative_budget_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="-1 bytes"):
        EmbeddingStore(tmp_path, 0, -1)


def test_threads_share_a_store(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path, 4 * 1024, 8 * 2048)
    wrong: list[int] = []

    def work(start: int) -> None:
        for step in range(60):
            number = (start + step) % 10
            got = store.get(key(number))
            if got is None:
                store.put(key(number), features(number))
            elif not (got["image_embedding"] == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_embedding_in_ram_is_got_while_another_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EmbeddingStore(tmp_path, MB, MB)
    store.put(key(1), features(1))
    is_writing, release = threading.Event(), threading.Event()

    def write(path: Path, payload: bytes) -> None:
        is_writing.set()
        release.wait(60)

    monkeypatch.setattr("napari_sam.store.cache._write_atomically", write)
    writer = threading.Thread(target=store.put, args=(key(2), features(2)))
    writer.start()
    assert is_writing.wait(60)
    got = []
    reader = threading.Thread(target=lambda: got.extend([store.get(key(1)), store.get(key(2))]))
    reader.start()
    reader.join(60)
    release.set()
    writer.join(60)
    assert [one["image_embedding"].max() for one in got] == [1, 2]


def test_embedding_key_depends_on_all_that_the_encoder_sees() -> None:
    plane = np.arange(12, dtype=np.uint8).reshape(3, 4)
    other = plane.copy()
    other[2, 3] += 1
    keys = [
        embedding_key(plane, "aa", "v1"),
        embedding_key(other, "aa", "v1"),
        embedding_key(plane.reshape(4, 3), "aa", "v1"),
        embedding_key(plane, "ab", "v1"),
        embedding_key(plane, "aa", "v2"),
        embedding_key(np.repeat(plane[..., None], 3, axis=2), "aa", "v1"),
    ]
    assert len(set(keys)) == len(keys)


def test_embedding_key_depends_on_content_not_on_memory() -> None:
    plane = np.arange(24, dtype=np.uint8).reshape(4, 6)
    view = np.asfortranarray(plane)
    strided = np.repeat(plane, 2, axis=1)[:, ::2]
    assert (
        embedding_key(plane, "aa", "v1")
        == embedding_key(view, "aa", "v1")
        == embedding_key(strided, "aa", "v1")
    )


@pytest.mark.parametrize(
    "plane", [np.zeros((3, 4), np.int16), np.zeros((2, 3, 4), np.uint8), np.zeros(5, np.uint8)]
)
def test_embedding_key_refuses_what_is_no_plane(plane: np.ndarray) -> None:
    with pytest.raises(StoreError, match="uint8 plane"):
        embedding_key(plane, "aa", "v1")
