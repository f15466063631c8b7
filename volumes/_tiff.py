"""TIFF through tifffile: grey and RGB, pages as planes, sizes of OME and ImageJ; labels as OME-TIFF."""

from __future__ import annotations

import logging
import re
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._dtypes import compact
from volumes._image2d import NO_SIZE
from volumes._replacing import replacing
from volumes.errors import BrokenFile, UnsupportedImage, VolumeError
from volumes.geometry import Geometry
from volumes.segments import Segment
from volumes.series import ReadOptions, SeriesInfo, one_series, refuse_series
from volumes.volume import Provenance, Volume

if TYPE_CHECKING:
    from tifffile import TiffFile

_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MM = {
    "nm": 1e-6, "nanometer": 1e-6, "um": 1e-3, "µm": 1e-3, "μm": 1e-3, "micron": 1e-3, "microns": 1e-3,
    "micrometer": 1e-3, "mm": 1.0, "millimeter": 1.0, "cm": 10.0, "centimeter": 10.0, "inch": 25.4, "m": 1e3,
}  # fmt: skip
_ASSUMED_MM = (1.0, 1.0, 1.0)
_PLANE_AXES = "ZTIQC"
_CHANNELS_NOTE = "the channels were taken as planes"


@dataclass(frozen=True)
class TiffReader:
    """TIFF, BigTIFF, OME-TIFF and ImageJ's TIFF."""

    name: str = "TIFF"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the first bytes are TIFF's."""
        return head.startswith(_SIGNATURES)

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """Describe its one volume."""
        return one_series(self.read(path, head, ReadOptions()))

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read the first series of the file.

        Raises
        ------
        UnsupportedImage
            If it has more than one axis beside rows, columns and colour, or a compression without a decoder.
        BrokenFile
            If it is truncated or damaged.
        """
        refuse_series(options, path)
        import tifffile

        try:
            with _complaints() as complaints, tifffile.TiffFile(path) as tiff:
                data, axes = _series(tiff, path)
                spacing_mm = _spacing_mm(tiff)
        except VolumeError:
            raise
        except Exception as error:  # tifffile raises whatever it met: struct.error, zlib.error, KeyError …
            raise BrokenFile(f"{path} cannot be read as TIFF: {error}; get an undamaged copy") from error
        if complaints:
            raise BrokenFile(f"{path} is damaged or cut off ({complaints[0]}); get a complete copy")
        planes, notes = _as_planes(data, axes, path)
        if spacing_mm is None:
            notes, spacing_mm = (NO_SIZE, *notes), _ASSUMED_MM
        geometry = Geometry.from_spacing((planes.shape[0], planes.shape[1], planes.shape[2]), spacing_mm)
        return Volume(
            compact(np.ascontiguousarray(planes), str(path)), geometry, Provenance(self.name, notes=notes)
        )


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
def _complaints() -> Iterator[list[str]]:
    """Collect what tifffile logs as an error: it reads what it can of a damaged file, without raising."""
    logger = logging.getLogger("tifffile")
    collector = _Collector()
    logger.addHandler(collector)
    try:
        yield collector.messages
    finally:
        logger.removeHandler(collector)


def _series(tiff: TiffFile, path: Path) -> tuple[NDArray[Any], str]:
    """Array and axis letters of the first series; through Pillow where tifffile lacks the decoder."""
    if not tiff.series:
        raise BrokenFile(f"{path} is a TIFF without an image; get an undamaged copy")
    series = tiff.series[0]
    shape, axes = series.shape, series.axes
    try:
        data: NDArray[Any] = series.asarray()
    except (KeyError, ValueError, ImportError) as error:
        if "imagecodecs" not in str(error) and not isinstance(error, ImportError):
            raise
        data = _through_pillow(path, len(series.pages)).reshape(shape)
    return data, axes


def _through_pillow(path: Path, n_pages: int) -> NDArray[Any]:
    """Decode a compression (LZW, PackBits, JPEG …) for which tifffile would need imagecodecs."""
    from PIL import Image, ImageSequence

    try:
        with Image.open(path) as picture:
            pages = [np.array(page) for page in ImageSequence.Iterator(picture)]
    except OSError as error:
        raise UnsupportedImage(
            f"{path} has a compression that cannot be decoded ({error}); save it uncompressed or with deflate"
        ) from error
    return np.stack(pages[:n_pages])


def _as_planes(data: NDArray[Any], axes: str, path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Turn an array with named axes into (P, R, C) or (P, R, C, 3), with notes on what was assumed.

    Raises
    ------
    UnsupportedImage
        If two or more axes beside Y, X and S are longer than one.
    """
    keep = [
        axis
        for axis, (letter, length) in enumerate(zip(axes, data.shape, strict=True))
        if letter in "YX" or length > 1
    ]
    array = data.reshape([data.shape[axis] for axis in keep])
    letters = "".join(axes[axis] for axis in keep)
    notes: list[str] = []
    if "S" in letters:
        array = np.moveaxis(array, letters.index("S"), -1)
        letters = letters.replace("S", "")
        if array.shape[-1] not in (2, 3, 4):
            raise UnsupportedImage(f"{path} has {array.shape[-1]} values a pixel; save grey or RGB")
        if array.shape[-1] in (2, 4):
            notes.append("alpha was left out")
        array = array[..., 0] if array.shape[-1] == 2 else array[..., :3]
    others = [letter for letter in letters if letter not in "YX"]
    if len(others) > 1 or not set(others) <= set(_PLANE_AXES) or "Y" not in letters or "X" not in letters:
        raise UnsupportedImage(
            f"{path} has axes {axes} of lengths {data.shape}, and this version reads one stack of planes; "
            "save one channel and one time point"
        )
    if others == ["C"]:
        notes.append(_CHANNELS_NOTE)
    order = [letters.index(letter) for letter in (*others, "Y", "X")]
    array = np.transpose(array, [*order, *range(len(letters), array.ndim)])
    return (array if others else array[np.newaxis]), tuple(notes)


def _spacing_mm(tiff: TiffFile) -> tuple[float, float, float] | None:
    """Distance of (planes, rows, columns) in mm, where OME or ImageJ says it; None otherwise."""
    found = _ome_spacing_mm(tiff.ome_metadata) if tiff.is_ome else None
    if found is None and tiff.is_imagej:
        found = _imagej_spacing_mm(tiff)
    if found is None or not all(np.isfinite(value) and value > 0 for value in found):
        return None
    return found


def _ome_spacing_mm(text: str | None) -> tuple[float, float, float] | None:
    """Physical size in the first Pixels element of OME-XML."""
    try:
        root = ET.fromstring(text or "")
    except ET.ParseError:
        return None
    pixels = next((element for element in root.iter() if element.tag.endswith("}Pixels")), None)
    if pixels is None or "PhysicalSizeX" not in pixels.attrib:
        return None

    def size(letter: str, otherwise: float) -> float:
        value = pixels.get(f"PhysicalSize{letter}")
        factor = _MM.get(pixels.get(f"PhysicalSize{letter}Unit", "µm"))
        return otherwise if value is None or factor is None else float(value) * factor

    column = size("X", float("nan"))
    row = size("Y", column)
    return size("Z", max(row, column)), row, column


def _imagej_spacing_mm(tiff: TiffFile) -> tuple[float, float, float] | None:
    """Physical size that ImageJ keeps: pixels a unit in the resolution tags, plane distance in its text."""
    metadata = tiff.imagej_metadata or {}
    unit = re.sub(r"\\u00[bB]5", "µ", str(metadata.get("unit", "")))
    factor = _MM.get(unit)
    tags = tiff.pages[0].tags if hasattr(tiff.pages[0], "tags") else {}
    if factor is None or "XResolution" not in tags or "YResolution" not in tags:
        return None
    per_unit = [tags[name].value for name in ("YResolution", "XResolution")]
    if any(top == 0 or bottom == 0 for top, bottom in per_unit):
        return None
    row, column = (bottom / top * factor for top, bottom in per_unit)
    plane = metadata.get("spacing")
    return (float(plane) * factor if plane else max(row, column)), row, column


@dataclass(frozen=True)
class TiffWriter:
    """Labels as OME-TIFF, planes as pages, deflated, with the voxel size where it is known."""

    suffixes: tuple[str, ...] = (".tif", ".tiff")

    def write(self, path: Path, labels: NDArray[Any], like: Volume, segments: Sequence[Segment]) -> None:
        """Write labels (P, R, C); position and direction have no place in TIFF and are left out."""
        import tifffile

        metadata: dict[str, Any] = {"axes": "ZYX"}
        if like.geometry.spacing_mm != _ASSUMED_MM:
            for letter, size_mm in zip("ZYX", like.geometry.spacing_mm, strict=True):
                metadata[f"PhysicalSize{letter}"] = size_mm
                metadata[f"PhysicalSize{letter}Unit"] = "mm"
        with replacing(path, ".ome.tif") as temporary:
            tifffile.imwrite(
                temporary, labels, ome=True, metadata=metadata, compression="zlib", photometric="minisblack"
            )
