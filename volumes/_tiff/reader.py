"""TIFF, BigTIFF, OME-TIFF, ImageJ, STK and LSM: series, channels and times as volumes."""

from __future__ import annotations

import logging
import math
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from volumes._axes import TIMES_AS_PLANES, Choice
from volumes._dtypes import compact
from volumes._image2d import NO_SIZE
from volumes._limits import check_memory
from volumes._stored import IN_MEMORY_BYTES
from volumes._tiff.pages import LoadedArray
from volumes._tiff.series import FoundSeries, find_series
from volumes.errors import BrokenFile, UnreadableFile, UnsupportedImage, VolumeError
from volumes.geometry import Geometry
from volumes.lazy import LazyArray
from volumes.series import ReadOptions, SeriesInfo, choose_series
from volumes.volume import Provenance, Volume

if TYPE_CHECKING:
    from tifffile import TiffFile

__all__ = ["TiffReader"]

_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True)
class TiffReader:
    """TIFF and its relatives. Large files are read on demand, page by page or tile by tile."""

    name: str = "TIFF"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the first bytes are TIFF's."""
        return head.startswith(_SIGNATURES)

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """List series, channels and times."""
        with _opened(path) as tiff:
            return tuple(info for info, _, _ in _listed(find_series(tiff, path), path))

    def spacing_mm(self, path: Path) -> tuple[float, float, float]:
        """Distance of (planes, rows, columns) in mm of a file's first series."""
        with _opened(path) as tiff:
            found = find_series(tiff, path)[0]
            return _spacing_mm(found)[0]

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read one of them.

        Raises
        ------
        MixedSeries, UnknownSeries
            If there are several and none, or another, was asked for.
        UnsupportedImage
            If it has axes that are not read, or a compression without a decoder.
        BrokenFile
            If it is truncated or damaged.
        """
        with _opened(path) as tiff:
            listed = _listed(find_series(tiff, path), path)
            at = choose_series([info for info, _, _ in listed], options.series, path)
            _, found, choice = listed[at]
            source = found.source(choice)
            n_bytes = math.prod(source.shape) * source.array.dtype.itemsize
            is_large = n_bytes > IN_MEMORY_BYTES and not isinstance(source.array, LoadedArray)
            if not is_large:
                check_memory(path, n_bytes)
            data = LazyArray(source) if is_large else compact(source.read_stored(), str(path))
        spacing_mm, notes = _spacing_mm(found)
        windows, names = found.described.windows, (*notes, *found.notes)
        window = windows[choice.channel] if choice.channel < len(windows) and data.ndim == 3 else None
        geometry = Geometry.from_spacing(source.plan.shape, spacing_mm)
        return Volume(data, geometry, Provenance(self.name, notes=names), window)


def _listed(found: list[FoundSeries], path: Path) -> list[tuple[SeriesInfo, FoundSeries, Choice]]:
    """All volumes of all series, with what is needed to read them."""
    listed = []
    for scene, series in enumerate(found):
        for choice in series.plan.choices(str(path)):
            key = "/".join(part for part in (f"s{scene}" if len(found) > 1 else "", choice.key) if part)
            words = [series.described.name] if len(found) > 1 else []
            if choice.channel < len(series.described.channels):
                words.append(series.described.channels[choice.channel])
            text = " ".join(word for word in words if word)
            listed.append((SeriesInfo(key or "0", "", text, series.plan.shape), series, choice))
    return listed


def _spacing_mm(found: FoundSeries) -> tuple[tuple[float, float, float], tuple[str, ...]]:
    """Distance of (planes, rows, columns) in mm, with notes on what was assumed."""
    described, plan = found.described, found.plan
    row, column = described.row_mm, described.column_mm
    if row is None or column is None:
        return (1.0, 1.0, 1.0), (NO_SIZE, *((TIMES_AS_PLANES,) if plan.planes_are_times else ()))
    notes = list(described.notes)
    plane = None if plan.planes_are_times else described.plane_mm
    if plan.planes_are_times:
        notes.append(TIMES_AS_PLANES)
    elif plane is None and plan.shape[0] > 1:
        notes.append("the file holds no distance of planes; they were taken as far apart as pixels are")
    return (plane or max(row, column), row, column), tuple(notes)


class _Collector(logging.Handler):
    """Keeps what one thread logs as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.thread_id = threading.get_ident()
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread_id:
            self.messages.append(" ".join(record.getMessage().split()))


@contextmanager
def _opened(path: Path) -> Iterator[TiffFile]:
    """Open a file, and turn whatever tifffile raises, or logs while it reads what it can, into one line."""
    import tifffile

    logger = logging.getLogger("tifffile")
    collector = _Collector()
    logger.addHandler(collector)
    try:
        with np.errstate(all="ignore"), tifffile.TiffFile(path) as tiff:
            yield tiff
    except VolumeError as error:
        if collector.messages and not isinstance(error, BrokenFile | UnreadableFile):
            raise _cut_off(path, collector.messages[0]) from error
        raise
    except MemoryError as error:
        raise UnsupportedImage(f"{path} does not fit in memory; save a part of it") from error
    except Exception as error:  # tifffile raises whatever it met: struct.error, zlib.error, KeyError …
        reason = " ".join(re.sub(r"<[^<>]*>", "", str(error)).split())[:200]
        raise BrokenFile(f"{path} cannot be read as TIFF: {reason}; get an undamaged copy") from error
    finally:
        logger.removeHandler(collector)
    if collector.messages:
        raise _cut_off(path, collector.messages[0])


def _cut_off(path: Path, message: str) -> BrokenFile:
    return BrokenFile(f"{path} is a TIFF that is damaged or cut off ({message[:200]}); get a complete copy")
