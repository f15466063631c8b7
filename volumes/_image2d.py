"""Pictures through Pillow: PNG, JPEG, BMP, WebP, GIF; animated ones as planes; labels as PNG."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._dtypes import compact
from volumes._limits import PICTURE_CODEC, check_claim, check_memory
from volumes._png import png_header, read_wide_png
from volumes._replacing import replacing
from volumes.errors import BrokenFile, InvalidLabels, UnsupportedImage, UnwritableOutput, VolumeError
from volumes.geometry import Geometry
from volumes.segments import Segment
from volumes.series import ReadOptions, SeriesInfo, one_series, refuse_series
from volumes.volume import Provenance, Volume

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["NO_SIZE", "PictureReader", "PngWriter", "picture_format", "picture_shape", "read_picture"]

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"BM": "BMP", b"GIF87a": "GIF", b"GIF89a": "GIF",
}  # fmt: skip
_PILLOW_FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF")
_MOVING = ("GIF", "PNG", "WEBP")
_EXIF_ORIENTATION = 0x0112
_GREY_MODES = ("L", "I", "F", "I;16", "I;16L", "I;16B")
NO_SIZE = "the file holds no physical size; 1 mm a pixel was assumed"
_FRAMES = "the planes are frames, taken as 1 mm apart"


def picture_format(head: bytes) -> str | None:
    """Name of the picture format with those first bytes; None for others."""
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "WebP"
    return next((name for signature, name in _SIGNATURES.items() if head.startswith(signature)), None)


@dataclass(frozen=True)
class PictureReader:
    """PNG, JPEG, BMP, WebP and GIF as one plane, or a plane a frame, grey or RGB.

    Pixels stay where the file stores them: an EXIF orientation is noted, not applied, so that a label written
    beside the picture lies on the same rows and columns in every program.
    """

    name: str = "PNG, JPEG, BMP, WebP, GIF"

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
            If it does not fit in memory, or is so large that Pillow takes it for an attack.
        """
        refuse_series(options, path)
        frames = _moving_frames(path)
        pixels, notes = read_picture(path) if frames is None else frames
        planes = pixels[np.newaxis] if frames is None else pixels
        geometry = Geometry.from_spacing((planes.shape[0], planes.shape[1], planes.shape[2]))
        provenance = Provenance(picture_format(head) or self.name, notes=(NO_SIZE, *notes))
        return Volume(planes, geometry, provenance)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture that can be as large as it says, and turn what Pillow raises into one line."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_PILLOW_FORMATS) as picture:
                shape = (picture.height, picture.width, len(picture.getbands()))
                check_claim(path, shape, 1, path.stat().st_size, PICTURE_CODEC)
                yield picture
    except VolumeError:
        raise
    except Image.DecompressionBombError as error:
        raise UnsupportedImage(f"{path} is too large for a picture ({error}); save it as TIFF") from error
    except MemoryError as error:
        raise UnsupportedImage(f"{path} does not fit in memory; save it as a tiled TIFF") from error
    except Exception as error:  # Pillow raises OSError, SyntaxError, ValueError, struct.error, KeyError …
        reason = " ".join(str(error).split())[:200]
        raise BrokenFile(f"{path} cannot be read as a picture: {reason}; get an undamaged copy") from error


def picture_shape(path: Path) -> tuple[int, int]:
    """(rows, columns) of a picture, from its header; errors as `read_picture`."""
    with _opened(path) as picture:
        return picture.height, picture.width


def read_picture(path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Pixels (R, C) or (R, C, 3) of a picture, or of its first frame, and notes on what was left out."""
    with _opened(path) as picture:
        picture.load()
        return _pixels(picture, path)


def _moving_frames(path: Path) -> tuple[NDArray[Any], tuple[str, ...]] | None:
    """All frames (P, R, C) or (P, R, C, 3) of an animation; None where there is one picture."""
    with _opened(path) as picture:
        n_frames = getattr(picture, "n_frames", 1)
        if picture.format not in _MOVING or n_frames < 2:
            return None
        shape = (n_frames, picture.height, picture.width, 3)
        check_claim(path, shape, 1, path.stat().st_size, PICTURE_CODEC)
        check_memory(path, 2 * int(np.prod(shape, dtype=np.float64)))
        is_grey = picture.mode in ("L", "LA") and picture.format != "GIF"
        frames = []
        for index in range(n_frames):
            picture.seek(index)
            frames.append(np.array(picture.convert("L" if is_grey else "RGB")))
        return np.stack(frames), (_FRAMES,)


def _pixels(picture: Image.Image, path: Path) -> tuple[NDArray[Any], tuple[str, ...]]:
    """Grey or RGB pixels of an open picture, and notes."""
    notes = []
    orientation = picture.getexif().get(_EXIF_ORIENTATION, 1)
    if orientation not in (0, 1):
        notes.append(f"the EXIF orientation {str(orientation)[:10]} was not applied; pixels are as stored")
    if picture.mode in _GREY_MODES:
        return compact(np.array(picture), str(path)), tuple(notes)
    if picture.mode == "1":
        return np.array(picture.convert("L")), tuple(notes)
    if "A" in picture.getbands() or "transparency" in picture.info:
        notes.append("alpha was left out")
    if picture.mode == "P":
        notes.append("palette colours were turned into RGB")
    if picture.mode == "CMYK":
        notes.append("CMYK colours were turned into RGB")
    if picture.format == "PNG" and png_header(path).bits == 16:
        return read_wide_png(path), tuple(notes)
    target = "L" if picture.mode in ("LA", "La") else "RGB"
    return np.array(picture.convert(target)), tuple(notes)


@dataclass(frozen=True)
class PngWriter:
    """One plane as PNG: labels as grey of 8 or 16 bits, images as grey of 8 or 16 or colour of 8 bits."""

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
        _one_plane(path, labels.shape[0], "labels have")
        if labels.dtype.itemsize > 2:
            raise InvalidLabels(
                f"{path} can hold ids up to 65535, the labels hold {labels.max()}; write to .tif or .nii.gz"
            )
        _save(path, labels[0])

    def write_image(self, path: Path, volume: Volume) -> None:
        """Write an image of one plane.

        Raises
        ------
        UnsupportedImage
            If there is more than one plane, or its values do not fit.
        """
        _one_plane(path, volume.shape[0], "image has")
        if volume.data.dtype not in ((np.uint8,) if volume.is_rgb else (np.uint8, np.uint16)):
            kind = "colour of 8 bits" if volume.is_rgb else "grey values from 0 to 65535"
            raise UnsupportedImage(
                f"{path} can hold {kind}, the image holds {volume.data.dtype}; write to .tif or .nii.gz"
            )
        _save(path, np.asarray(volume.data[0]))


def _one_plane(path: Path, n_planes: int, what: str) -> None:
    if n_planes != 1:
        raise UnsupportedImage(f"{path} can hold one plane, the {what} {n_planes}; write to .tif or .nii.gz")


def _save(path: Path, pixels: NDArray[Any]) -> None:
    """Write a picture, and read it again before it takes its place."""
    from PIL import Image

    with replacing(path, ".png") as temporary:
        Image.fromarray(pixels).save(temporary, format="PNG")
        if not np.array_equal(read_picture(temporary)[0], pixels):
            raise UnwritableOutput(f"cannot write {path}: it came back changed; check the disk")
