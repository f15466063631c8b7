"""MP4, MOV, AVI, MKV, WebM and their like as planes of time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from volumes._film.frames import FilmSource, Timeline, decode_all, film_errors, open_film, timeline
from volumes._stored import IN_MEMORY_BYTES
from volumes.errors import UnsupportedImage
from volumes.geometry import Geometry
from volumes.lazy import LazyArray
from volumes.series import ReadOptions, SeriesInfo, choose_series
from volumes.volume import Provenance, Volume

__all__ = ["FilmReader", "film_format"]

_PICTURE_BRANDS = (
    b"heic",
    b"heix",
    b"mif1",
    b"msf1",
    b"heim",
    b"heis",
    b"avif",
    b"avis",
    b"crx ",
    b"jp2 ",
    b"jpx ",
)
_MOV_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_STARTS = {
    b"\x1a\x45\xdf\xa3": ("matroska", "MKV"),
    b"\x00\x00\x01\xba": ("mpeg", "MPEG"),
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": ("asf", "WMV"),
    b"FLV\x01": ("flv", "FLV"),
}
_EVEN_SHARE = 0.01


@dataclass(frozen=True)
class FilmReader:
    """Films: frames are planes; nothing is turned or resized."""

    name: str = "film (MP4, MOV, AVI, MKV, WebM)"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the first bytes are a film's container."""
        return film_format(head) is not None

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """List its video streams."""
        return tuple(info for info, _, _ in self._listed(path, head))

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read a video stream.

        Raises
        ------
        UnsupportedImage
            If the library for films is not installed, or there is no video in it.
        BrokenFile
            If it is damaged.
        """
        listed = self._listed(path, head)
        at = choose_series([info for info, _, _ in listed], options.series, path)
        _, stream_index, found = listed[at]
        container_format, name = film_format(head) or ("", "")
        n_frames = len(found.times)
        n_bytes = n_frames * math.prod(found.frame_shape) * found.dtype.itemsize
        with film_errors(path):
            if n_frames and n_bytes > IN_MEMORY_BYTES:
                source = FilmSource(path, container_format, stream_index, found)
                source.read_box(
                    (n_frames - 1, 0, 0, 0)[: len(source.shape)], source.shape
                )  # the last is there
                data: LazyArray | NDArray[Any] = LazyArray(source)
            else:
                data = decode_all(path, container_format, stream_index, found)
        geometry = Geometry.from_spacing((data.shape[0], data.shape[1], data.shape[2]))
        return Volume(data, geometry, Provenance(name, notes=_notes(found)))

    def _listed(self, path: Path, head: bytes) -> list[tuple[SeriesInfo, int, Timeline]]:
        """All video streams that are no cover pictures."""
        _need_library(path)
        container_format, _ = film_format(head) or ("", "")
        with film_errors(path):
            with open_film(path, container_format) as container:
                streams = [stream.index for stream in container.streams.video if not _is_cover(stream)]
            if not streams:
                raise UnsupportedImage(f"{path} holds no video; pass a film or a picture")
            found = [timeline(path, container_format, index) for index in streams]
        listed = []
        for number, (index, one) in enumerate(zip(streams, found, strict=True)):
            key = f"s{number}" if len(streams) > 1 else "0"
            n_frames = len(one.times) or 1
            listed.append((SeriesInfo(key, "", "", (n_frames, *one.size)), index, one))
        return listed


def film_format(head: bytes) -> tuple[str, str] | None:
    """FFmpeg's name and ours of the container that starts so; None for others."""
    if head[4:8] in _MOV_BOXES:
        if head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS:
            return None
        return "mov", "MOV" if head[8:12] in (b"qt  ", b"") or head[4:8] != b"ftyp" else "MP4"
    if head.startswith(b"RIFF") and head[8:12] in (b"AVI ", b"AVIX"):
        return "avi", "AVI"
    found = next((named for start, named in _STARTS.items() if head.startswith(start)), None)
    if found == ("matroska", "MKV") and b"webm" in head[:64]:
        return "matroska", "WebM"
    return found


def _is_cover(stream: object) -> bool:
    disposition = getattr(stream, "disposition", None)
    return "attached_pic" in str(getattr(disposition, "name", disposition)).lower()


def _need_library(path: Path) -> None:
    try:
        import av  # noqa: F401
    except ImportError as error:
        raise UnsupportedImage(
            f"{path} is a film, and the library for films is not installed; "
            'pip install "napari-sam-volumes[film]"'
        ) from error


def _notes(found: Timeline) -> tuple[str, ...]:
    """Say what was assumed and not applied."""
    rate = f", {found.rate:.4g} a second," if found.rate else ""
    notes = [f"the planes are frames{rate} taken as 1 mm apart, with 1 mm a pixel"]
    if found.rotation % 360:
        notes.append(f"the film asks to be turned by {found.rotation} degrees; pixels are as stored")
    steps = [later - time for time, later in zip(found.times, found.times[1:], strict=False)]
    if (
        steps
        and max(steps) - min(steps) > max(1.0, _EVEN_SHARE * max(steps))
        and max(steps) > 1.5 * min(steps)
    ):
        notes.append("the frames are not evenly spaced in time")
    if any(depth in found.pixel_format for depth in ("p10", "p12", "p14", "p16")):
        notes.append("colour of more than 8 bits was read with 8 bits")
    return tuple(notes)
