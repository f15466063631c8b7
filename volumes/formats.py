"""Which reader takes a file, by its content, and which writer an output, by its suffix."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, Protocol

from numpy.typing import NDArray

from volumes._dicom_series import DicomReader, SeriesInfo, dicom_files, list_dicom_series, read_dicom_folder
from volumes._dtypes import smallest_label_type
from volumes._image2d import PictureReader, PngWriter
from volumes._itk import ItkWriter, MetaImageReader, NiftiReader, NrrdReader
from volumes._picture_folder import read_picture_folder
from volumes._tiff import TiffReader, TiffWriter
from volumes.errors import (
    BrokenFile,
    MissingFile,
    NoDicomFound,
    ShapeMismatch,
    UnknownFormat,
    UnknownSeries,
    UnreadableFile,
)
from volumes.volume import Volume

_HEAD_BYTES = 4096


class Reader(Protocol):
    """Reads files of one format."""

    @property
    def name(self) -> str:
        """Name of the format, for messages."""

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the content is of this format.

        Parameters
        ----------
        path : Path
            The file; its name proves nothing.
        head : bytes
            Its first bytes, decompressed where it is a gzip file.
        """

    def read(self, path: Path, head: bytes) -> Volume:
        """Read a file that it claims; raises a VolumeError where that fails."""


class Writer(Protocol):
    """Writes labels in one or more formats."""

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Lower-case suffixes of the files it writes."""

    def write(self, path: Path, labels: NDArray[Any], like: Volume) -> None:
        """Write labels (P, R, C) of an unsigned type with the geometry of `like`, whole or not at all."""


# The first that claims a file reads it. DICOM first: its preamble may hold a TIFF header.
READERS: tuple[Reader, ...] = (
    DicomReader(),
    NrrdReader(),
    MetaImageReader(),
    TiffReader(),
    PictureReader(),
    NiftiReader(),
)
WRITERS: tuple[Writer, ...] = (ItkWriter(), TiffWriter(), PngWriter())


def read(path: str | Path, *, series: str | None = None) -> Volume:
    """Read an image file, a DICOM series or a folder of numbered pictures.

    Parameters
    ----------
    path : str or Path
        NIfTI-1, NRRD, MetaImage, DICOM, PNG, JPEG, BMP or TIFF file, recognised by content; a folder with
        DICOM files; or a folder of pictures of one size, which become planes in natural order of their names.
    series : str, optional
        Which series of a DICOM folder, a key from `list_series`. May be left out where there is one.

    Returns
    -------
    Volume
        Planes (P, R, C) or (P, R, C, 3); a single picture is one plane.

    Raises
    ------
    VolumeError
        One of its leaves, for whatever is wrong with the path, the content or the geometry.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFile(f"{path} does not exist; check the path")
    if path.is_dir():
        return _read_folder(path, series)
    head = _head(path)
    reader = next((reader for reader in READERS if reader.claims(path, head)), None)
    if reader is None:
        raise UnknownFormat(
            f"{path} starts with {head[:12]!r}, which is no known format whatever its name; "
            f"pass one of {', '.join(reader.name for reader in READERS)}"
        )
    if series is not None:
        if not isinstance(reader, DicomReader):
            raise UnknownSeries(f"{path} is {reader.name} and has no series {series!r}; leave series out")
        return read_dicom_folder(path, series)
    return reader.read(path, head)


def list_series(path: str | Path) -> tuple[SeriesInfo, ...]:
    """Series of a DICOM file or folder, in order of their keys.

    Raises
    ------
    MissingFile
        If nothing is there.
    NoDicomFound
        If there is no DICOM image.
    """
    path = Path(path)
    if not path.exists():
        raise MissingFile(f"{path} does not exist; check the path")
    if path.is_file() and not DicomReader().claims(path, _head(path)):
        raise NoDicomFound(f"{path} is not a DICOM file; pass one, or a folder of them")
    return list_dicom_series(path)


def write(path: str | Path, labels: NDArray[Any], *, like: Volume) -> None:
    """Write labels with exactly the geometry of the image they belong to.

    Parameters
    ----------
    path : str or Path
        Ends in ``.nii.gz``, ``.nii``, ``.nrrd``, ``.mha``, ``.tif``, ``.tiff`` or ``.png`` (one plane). TIFF
        keeps the voxel size only, PNG nothing of the geometry. An older file is replaced at the very end.
    labels : ndarray of shape (P, R, C)
        Integers, 0 for background; stored in the smallest of uint8, uint16 and uint32 that holds them.
    like : Volume
        The image, of the same (P, R, C).

    Raises
    ------
    ShapeMismatch
        If the shapes differ.
    InvalidLabels
        If the labels are no integers, negative, or too large for the format.
    UnknownFormat
        If no writer has the suffix.
    InvalidGeometry, UnsupportedImage
        If the format cannot hold the geometry.
    UnwritableOutput
        If the system refuses the file; nothing is left behind.
    """
    path = Path(path)
    if labels.shape != like.shape:
        raise ShapeMismatch(
            f"the labels have shape {labels.shape}, the image {like.shape}; pass labels of the image's shape"
        )
    name = path.name.lower()
    writer = next((writer for writer in WRITERS if name.endswith(writer.suffixes)), None)
    if writer is None:
        known = ", ".join(suffix for writer in WRITERS for suffix in writer.suffixes)
        raise UnknownFormat(f"cannot write {path}: no format has that suffix; choose one of {known}")
    writer.write(path, smallest_label_type(labels), like)


def _head(path: Path) -> bytes:
    """First bytes of a file, decompressed where it is gzip.

    Raises
    ------
    UnreadableFile
        If the system refuses it.
    BrokenFile
        If it is empty.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}; check its permissions") from error
    if not head:
        raise BrokenFile(f"{path} is empty; get a complete copy")
    if head.startswith(b"\x1f\x8b"):
        try:
            return zlib.decompressobj(wbits=31).decompress(head, _HEAD_BYTES)
        except zlib.error as error:
            raise BrokenFile(f"{path} is damaged gzip ({error}); get an undamaged copy") from error
    return head


def _read_folder(folder: Path, series: str | None) -> Volume:
    """Read a folder: DICOM where it has any, else numbered pictures."""
    pictures = _pictures(folder)
    if dicom_files(folder) or series is not None:
        return read_dicom_folder(folder, series)
    if not pictures:
        raise NoDicomFound(
            f"{folder} holds neither DICOM files nor PNG, JPEG, BMP or TIFF pictures; "
            "pass the folder with the images, or one volume file"
        )
    return read_picture_folder(pictures)


def _pictures(folder: Path) -> list[Path]:
    """Pictures of a folder, by content; hidden files are left out."""
    readers = (TiffReader(), PictureReader())
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or not path.is_file():
            continue
        with path.open("rb") as stream:
            head = stream.read(16)
        if any(reader.claims(path, head) for reader in readers):
            found.append(path)
    return found
