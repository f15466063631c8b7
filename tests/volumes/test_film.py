"""Films: every frame, in any order, is the frame that decoding from the start gives."""

from __future__ import annotations

import fractions
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from volumes import BrokenFile, LazyArray, UnsupportedImage, list_series, read
from volumes._film import reader as film_reader

av = pytest.importorskip("av")
N_FRAMES = 40
KINDS = {
    "a.mp4": ("mpeg4", "yuv420p", "MP4"), "a.avi": ("mpeg4", "yuv420p", "AVI"),
    "b.avi": ("mjpeg", "yuvj420p", "AVI"), "a.mov": ("mpeg4", "yuv420p", "MOV"),
    "a.mkv": ("ffv1", "gray", "MKV"), "b.mkv": ("ffv1", "gray16le", "MKV"),
    "c.mkv": ("mpeg2video", "yuv420p", "MKV"), "a.webm": ("libvpx", "yuv420p", "WebM"),
}  # fmt: skip


def make_film(
    path: Path, codec: str, pixel_format: str, *, uneven: bool = False, n_frames: int = N_FRAMES
) -> None:
    """A square that moves; key frames lie 12 apart, with frames between that refer forward."""
    random = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, pixel_format, 12
        if codec == "mpeg2video":
            stream.options = {"bf": "2"}
        time = 0
        for index in range(n_frames):
            pixels = np.full((48, 64, 3), index * 5, np.uint8)
            pixels[10:30, index : index + 15] = (255, 0, 128)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            if uneven:
                frame.pts, frame.time_base = time, fractions.Fraction(1, 1000)
                stream.codec_context.time_base = fractions.Fraction(1, 1000)
                time += int(random.integers(20, 150))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def decoded(path: Path, pixel_format: str) -> NDArray[Any]:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format=pixel_format) for frame in container.decode(video=0)])


@pytest.mark.parametrize("name", KINDS)
def test_any_frame_is_that_of_a_decoding_from_the_start(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec, pixel_format, container = KINDS[name]
    if codec not in av.codecs_available:
        pytest.skip(f"this PyAV cannot write {codec}")
    make_film(tmp_path / name, codec, pixel_format)
    expected = decoded(tmp_path / name, pixel_format if pixel_format.startswith("gray") else "rgb24")
    assert len(expected) == N_FRAMES
    whole = read(tmp_path / name)
    assert whole.provenance.format == container
    assert np.array_equal(whole.data, expected)
    assert list_series(tmp_path / name)[0].shape == whole.shape == (N_FRAMES, 48, 64)
    monkeypatch.setattr(film_reader, "IN_MEMORY_BYTES", 0)
    lazy = read(tmp_path / name).data
    assert isinstance(lazy, LazyArray)
    assert lazy.dtype == expected.dtype
    lazy._source.cache.budget_bytes = 0  # type: ignore[attr-defined]
    for index in np.random.default_rng(1).permutation(N_FRAMES).tolist():
        assert np.array_equal(lazy[index], expected[index])
    assert np.array_equal(lazy[5:9, 20], expected[5:9, 20])


def test_uneven_times_and_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_film(tmp_path / "a.mkv", "mpeg4", "yuv420p", uneven=True)
    expected = decoded(tmp_path / "a.mkv", "rgb24")
    monkeypatch.setattr(film_reader, "IN_MEMORY_BYTES", 0)
    volume = read(tmp_path / "a.mkv")
    assert any("not evenly spaced" in note for note in volume.provenance.notes)
    wrong: list[int] = []

    def look(first: int) -> None:
        wrong.extend(
            at for at in range(first, N_FRAMES, 4) if not np.array_equal(volume.data[at], expected[at])
        )

    threads = [threading.Thread(target=look, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_film_that_is_cut_off_or_no_film(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    make_film(tmp_path / "a.mp4", "mpeg4", "yuv420p")
    content = (tmp_path / "a.mp4").read_bytes()
    for name, part in (("cut.mp4", content[:-300]), ("head.mp4", content[:40])):
        (tmp_path / name).write_bytes(part)
        with pytest.raises(BrokenFile, match="undamaged copy"):
            read(tmp_path / name)
    make_film(tmp_path / "a.avi", "mpeg4", "yuv420p")
    content = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "cut.avi").write_bytes(content[: len(content) // 2])
    with pytest.raises(BrokenFile, match="undamaged copy"):
        read(tmp_path / "cut.avi")
    assert capfd.readouterr() == ("", "")


def test_without_the_library_one_line_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_film(tmp_path / "a.mp4", "mpeg4", "yuv420p")
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UnsupportedImage, match=r'pip install "napari-sam-volumes\[film\]"'):
        read(tmp_path / "a.mp4")


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_animated_pictures_are_planes(suffix: str, tmp_path: Path) -> None:
    frames = [np.full((12, 16, 3), (40 * index, 10, 200), np.uint8) for index in range(5)]
    for index, frame in enumerate(frames):
        frame[index : index + 3, 2:5] = (250, 250, 0)
    options = {"lossless": True} if suffix == "webp" else {}
    pictures = [Image.fromarray(frame) for frame in frames]
    pictures[0].save(
        tmp_path / f"a.{suffix}", save_all=True, append_images=pictures[1:], duration=50, **options
    )
    volume = read(tmp_path / f"a.{suffix}")
    assert np.array_equal(volume.data, np.stack(frames))
    assert any("frames" in note for note in volume.provenance.notes)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"ZISRAWFILE" + bytes(20), "a CZI file of Zeiss"),
        (b"\0\0\0\x18ftypheic" + bytes(20), "a HEIF picture"),
        (b"\x89HDF\r\n\x1a\n" + bytes(20), "an HDF5 file"),
    ],
)
def test_formats_that_are_not_read_are_named(start: bytes, words: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(start)
    with pytest.raises(UnsupportedImage, match=f"{words}.*; save it as OME-TIFF"):
        read(tmp_path / "a.bin")
