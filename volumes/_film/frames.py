"""Frames of a film by number: exactly the one asked for, wherever the key frames are."""

from __future__ import annotations

import bisect
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._block_cache import BlockCache
from volumes._limits import PICTURE_CODEC, check_claim, check_memory
from volumes._overview import sampled
from volumes.errors import BrokenFile, ShapeMismatch, UnreadableFile, UnsupportedImage, VolumeError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

__all__ = ["FilmSource", "Timeline", "decode_all", "film_errors", "open_film", "timeline"]

_GREY = {"gray": np.uint8, "gray8": np.uint8, "gray16le": np.uint16, "gray16be": np.uint16}


@dataclass(frozen=True)
class Timeline:
    """What a film's video stream holds.

    Parameters
    ----------
    times : tuple of int
        Time stamp of each frame, in the stream's own unit, increasing; empty where the film has none.
    size : tuple of int
        (rows, columns) of a frame.
    pixel_format : str
        FFmpeg's name of it.
    rotation : int
        Degrees by which the film asks to be turned.
    rate : float
        Frames a second, on average; 0 where unknown.
    """

    times: tuple[int, ...]
    size: tuple[int, int]
    pixel_format: str
    rotation: int
    rate: float

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return np.dtype(_GREY.get(self.pixel_format, np.uint8))

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of a frame's array: (R, C) or (R, C, 3)."""
        return self.size if self.pixel_format in _GREY else (*self.size, 3)


@contextmanager
def film_errors(path: Path) -> Iterator[None]:
    """Turn what FFmpeg raises into one line."""
    try:
        yield
    except VolumeError:
        raise
    except PermissionError as error:
        if os.access(path, os.R_OK):  # FFmpeg's own word for content that it refuses
            raise BrokenFile(f"{path} cannot be read as a film; get an undamaged copy") from error
        raise UnreadableFile(f"{path} cannot be read; check its permissions") from error
    except MemoryError as error:
        raise UnsupportedImage(f"{path} has frames that do not fit in memory; save it smaller") from error
    except Exception as error:  # FFmpeg's errors derive from many builtins
        reason = str(getattr(error, "strerror", None) or type(error).__name__)
        raise BrokenFile(f"{path} cannot be read as a film ({reason}); get an undamaged copy") from error


@contextmanager
def open_film(path: Path, container_format: str) -> Iterator[InputContainer]:
    """Open a film, which may refer to no other file or address."""
    container = _open(path, container_format)
    try:
        yield container
    finally:
        container.close()


def _open(path: Path, container_format: str) -> InputContainer:
    import av

    return av.open(
        f"file:{path}",
        format=container_format,
        options={"protocol_whitelist": "file"},
        metadata_errors="ignore",
    )


def timeline(path: Path, container_format: str, stream_index: int) -> Timeline:
    """List the frames of a stream, as its packets do, without decoding but the first and the last.

    Raises
    ------
    BrokenFile
        If no frame can be decoded.
    """
    with open_film(path, container_format) as container:
        stream = container.streams[stream_index]
        stamps = [packet.pts for packet in container.demux(stream) if packet.size and not packet.is_discard]
    with open_film(path, container_format) as container:
        first = _first_frame(container, stream_index, path)
        rate = float(container.streams[stream_index].average_rate or 0)
    known = [stamp for stamp in stamps if stamp is not None]
    times = tuple(sorted({stamp for stamp in known if first.pts is not None and stamp >= first.pts}))
    if len(known) < len(stamps):
        times = ()
    rotation = int(getattr(first, "rotation", 0) or 0)
    return Timeline(times, (first.height, first.width), first.format.name, rotation, rate)


def _first_frame(container: InputContainer, stream_index: int, path: Path) -> VideoFrame:
    stream = container.streams[stream_index]
    width, height = stream.codec_context.width, stream.codec_context.height  # type: ignore[attr-defined]
    check_claim(path, (height, width), 3, path.stat().st_size, PICTURE_CODEC)
    check_memory(path, height * width * 6)
    for frame in container.decode(stream):
        return frame  # type: ignore[return-value]
    raise BrokenFile(f"{path} holds no frame that can be decoded; get an undamaged copy")


def pixels(frame: VideoFrame, wanted: Timeline, path: Path) -> NDArray[Any]:
    """Grey values (R, C) or red, green and blue (R, C, 3) of a frame, as stored, not turned.

    Raises
    ------
    ShapeMismatch
        If the film changes its size.
    """
    if (frame.height, frame.width) != wanted.size:
        raise ShapeMismatch(
            f"{path} changes from {wanted.size[0]}x{wanted.size[1]} to {frame.height}x{frame.width} pixels; "
            "cut it into films of one size"
        )
    if wanted.pixel_format in _GREY:
        name = "gray" if wanted.dtype.itemsize == 1 else "gray16le"
        return np.ascontiguousarray(frame.to_ndarray(format=name))
    return np.ascontiguousarray(frame.to_ndarray(format="rgb24"))


def decode_all(path: Path, container_format: str, stream_index: int, wanted: Timeline) -> NDArray[Any]:
    """Decode a film from its first frame to its last: (P, R, C) or (P, R, C, 3).

    Raises
    ------
    BrokenFile
        If it is damaged on the way.
    UnsupportedImage
        If it does not fit in memory.
    """
    planes = []
    n_bytes = 0
    with open_film(path, container_format) as container:
        for frame in container.decode(container.streams[stream_index]):
            planes.append(pixels(frame, wanted, path))  # type: ignore[arg-type]
            n_bytes += planes[-1].nbytes
            check_memory(path, 2 * n_bytes)
    return np.stack(planes)


@dataclass(frozen=True)
class FilmSource:
    """Boxes of a film for a `LazyArray`; frames just decoded are kept.

    Parameters
    ----------
    path : Path
        The film.
    container_format : str
        FFmpeg's name of the container.
    stream_index : int
        Which of its streams.
    timeline : Timeline
        Its frames, with their times.
    """

    path: Path
    container_format: str
    stream_index: int
    timeline: Timeline
    cache: BlockCache = field(default_factory=BlockCache)
    _decoding: threading.Lock = field(default_factory=threading.Lock)
    _running: list[tuple[InputContainer, Iterator[Any], int]] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of (frames, rows, columns), and 3 for colour."""
        return (len(self.timeline.times), *self.timeline.frame_shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the voxels."""
        return self.timeline.dtype

    def read_box(self, start: tuple[int, ...], stop: tuple[int, ...]) -> NDArray[Any]:
        """Decode the frames of a box.

        Raises
        ------
        BrokenFile
            If a frame is damaged, or is not there although the film lists it.
        UnsupportedImage
            If the box does not fit in memory.
        """
        lengths = [high - low for low, high in zip(start, stop, strict=True)]
        check_memory(self.path, int(np.prod(lengths, dtype=np.float64)) * self.dtype.itemsize)
        box = np.empty(lengths, dtype=self.dtype)
        inner = tuple(slice(low, high) for low, high in zip(start[1:], stop[1:], strict=True))
        for index in range(start[0], stop[0]):
            box[index - start[0]] = self._frame(index)[inner]
        return box

    def overview(self) -> NDArray[Any]:
        """Decode some frames."""
        return sampled(self)

    def _frame(self, index: int) -> NDArray[Any]:
        kept = self.cache.get(index)
        if kept is not None:
            return kept
        with self._decoding, film_errors(self.path):
            kept = self.cache.get(index)
            return self._decoded(index) if kept is None else kept

    def _decoded(self, index: int) -> NDArray[Any]:
        """Decode on from where the decoder is, where that is before the frame, or from a key frame."""
        wanted = self.timeline.times[index]
        for attempt in ("go on", "seek", "start"):
            frames = self._frames_before(index, attempt)
            for frame in frames or ():
                at = bisect.bisect_left(self.timeline.times, frame.pts)
                if (
                    frame.pts is None
                    or at >= len(self.timeline.times)
                    or self.timeline.times[at] != frame.pts
                ):
                    continue
                if at > index:
                    break
                plane = pixels(frame, self.timeline, self.path)
                self.cache.put(at, plane)
                self._running[0] = (*self._running[0][:2], at)
                if at == index:
                    return plane
        self._close()
        raise BrokenFile(
            f"{self.path} lists a frame {index} at {wanted} that cannot be decoded; get an undamaged copy"
        )

    def _frames_before(self, index: int, attempt: str) -> Iterator[Any] | None:
        """Give frames from one before the frame asked for; None where this attempt is none."""
        if attempt == "go on":
            near = self._running and 0 < index - self._running[0][2] <= 64
            return self._running[0][1] if near else None
        self._close()
        container = _open(self.path, self.container_format)
        stream = container.streams[self.stream_index]
        if attempt == "seek":
            container.seek(self.timeline.times[index], stream=stream, backward=True)
        frames = iter(container.decode(stream))
        self._running.append((container, frames, -1))
        return frames

    def _close(self) -> None:
        for container, _, _ in self._running:
            container.close()
        self._running.clear()
