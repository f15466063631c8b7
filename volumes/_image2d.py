"""Pictures through Pillow: PNG, JPEG and BMP as one plane; labels as PNG."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._dtypes import compact
from volumes._replacing import replacing
from volumes.errors import BrokenFile, InvalidLabels, UnsupportedImage
from volumes.geometry import Geometry
from volumes.segments import Segment
from volumes.series import ReadOptions, SeriesInfo, one_series, refuse_series
from volumes.volume import Provenance, Volume

if TYPE_CHECKING:
    from PIL import Image

_SIGNATURES = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"BM": "BMP"}
_EXIF_ORIENTATION = 0x0112
_GREY_MODES = ("L", "I", "F", "I;16", "I;16L", "I;16B")
NO_SIZE = "the file holds no physical size; 1 mm a pixel was assumed"


def picture_format(head: bytes) -> str | None:
    """Name of the picture format with those first bytes; None for others."""
    return next((name for signature, name in _SIGNATURES.items() if head.startswith(signature)), None)


@dataclass(frozen=True)
class PictureReader:
    """PNG, JPEG and BMP as one plane, grey or RGB.

    Pixels stay where the file stores them: an EXIF orientation is noted, not applied, so that a label written
    beside the picture lies on the same rows and columns in every program.
    """

    name: str = "PNG, JPEG, BMP"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the first bytes are a picture's."""
        return picture_format(head) is not None

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """Describe its one volume."""
        return one_series(self.read(path, head, ReadOptions()))

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read the picture.

        Raises
        ------
        BrokenFile
            If it is truncated or damaged.
        UnsupportedImage
            If it is so large that Pillow takes it for an attack.
        """
        refuse_series(options, path)
        pixels, notes = read_picture(path)
        geometry = Geometry.from_spacing((1, *pixels.shape[:2]))
        provenance = Provenance(picture_format(head) or self.name, notes=(NO_SIZE, *notes))
        return Volume(pixels[np.newaxis], geometry, provenance)


def read_picture(path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Pixels (R, C) or (R, C, 3) of a picture, and notes on what was left out."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                picture.load()
                return _pixels(picture, path)
    except Image.DecompressionBombError as error:
        raise UnsupportedImage(f"{path} is too large for a picture ({error}); save it as TIFF") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise BrokenFile(f"{path} cannot be read as a picture: {error}; get an undamaged copy") from error


def _pixels(picture: Image.Image, path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Grey or RGB pixels of an open picture, and notes."""
    notes = []
    orientation = picture.getexif().get(_EXIF_ORIENTATION, 1)
    if orientation not in (0, 1):
        notes.append(f"the EXIF orientation {orientation} was not applied; pixels are as stored")
    if picture.mode in _GREY_MODES:
        return compact(np.array(picture), str(path)), tuple(notes)
    if picture.mode == "1":
        return np.array(picture.convert("L")), tuple(notes)
    if "A" in picture.getbands() or "transparency" in picture.info:
        notes.append("alpha was left out")
    if picture.mode == "P":
        notes.append("palette colours were turned into RGB")
    if picture.format == "PNG" and _png_bit_depth(path) == 16:
        notes.append("16-bit colour was read with 8 bits")
    target = "L" if picture.mode in ("LA", "La") else "RGB"
    return np.array(picture.convert(target)), tuple(notes)


def _png_bit_depth(path: Path) -> int:
    """Bits of a channel, from the PNG header."""
    with path.open("rb") as stream:
        return stream.read(25)[24]


@dataclass(frozen=True)
class PngWriter:
    """Labels of one plane as a grey PNG of 8 or 16 bits."""

    suffixes: tuple[str, ...] = (".png",)

    def write(self, path: Path, labels: NDArray[Any], like: Volume, segments: Sequence[Segment]) -> None:
        """Write labels (1, R, C).

        Raises
        ------
        UnsupportedImage
            If there is more than one plane.
        InvalidLabels
            If an id does not fit 16 bits.
        """
        from PIL import Image

        if labels.shape[0] != 1:
            raise UnsupportedImage(
                f"{path} can hold one plane, the labels have {labels.shape[0]}; write to .tif or .nii.gz"
            )
        if labels.dtype.itemsize > 2:
            raise InvalidLabels(
                f"{path} can hold ids up to 65535, the labels hold {labels.max()}; write to .tif or .nii.gz"
            )
        with replacing(path, ".png") as temporary:
            Image.fromarray(labels[0]).save(temporary, format="PNG")
