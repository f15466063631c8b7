"""Which reader takes a file or a folder, by its content."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Protocol

from volumes._afni import AfniReader
from volumes._archive import ArchiveReader
from volumes._dicom.series import DicomFolderReader, DicomReader
from volumes._film.reader import FilmReader
from volumes._foreign import foreign_format
from volumes._image2d import PictureReader
from volumes._metaimage import MetaImageReader
from volumes._mgh import MghReader
from volumes._nifti.reader import NiftiReader
from volumes._nrrd.reader import NrrdReader
from volumes._numpy import NumpyReader
from volumes._picture_folder import PictureFolderReader
from volumes._tiff import TiffReader
from volumes._zarr.reader import ZarrFolderReader, ZarrZipReader, list_address, read_address
from volumes._zarr.store import is_address
from volumes.errors import (
    BrokenFile,
    MissingFile,
    NoDicomFound,
    UnknownFormat,
    UnreadableFile,
    UnsupportedImage,
    VolumeError,
)
from volumes.series import ReadOptions, SeriesInfo
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

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """List the volumes of a file that it claims; raises a VolumeError where that fails."""

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read a file that it claims; raises a VolumeError where that fails."""


class FolderReader(Protocol):
    """Reads folders of one kind."""

    @property
    def name(self) -> str:
        """Name of the kind, for messages."""

    def claims(self, folder: Path) -> bool:
        """Whether the folder's content is of this kind."""

    def list_series(self, folder: Path) -> tuple[SeriesInfo, ...]:
        """List the volumes of a folder that it claims; raises a VolumeError where that fails."""

    def read(self, folder: Path, options: ReadOptions) -> Volume:
        """Read a folder that it claims; raises a VolumeError where that fails."""


# The first that claims a file reads it. DICOM first: its preamble may hold a TIFF header.
READERS: tuple[Reader, ...] = (
    DicomReader(),
    NrrdReader(),
    MetaImageReader(),
    TiffReader(),
    PictureReader(),
    NumpyReader(),
    NiftiReader(),
    MghReader(),
    AfniReader(),
    ZarrZipReader(),
    FilmReader(),
)
# The first that claims a folder reads it.
FOLDER_READERS: tuple[FolderReader, ...] = (ZarrFolderReader(), DicomFolderReader(), PictureFolderReader())


def read(
    path: str | Path, *, series: str | None = None, allow_gaps: bool = False, straighten: bool = False
) -> Volume:
    """Read an image file, a DICOM series or a folder of numbered pictures.

    Parameters
    ----------
    path : str or Path
        NIfTI, Analyze, NRRD, MetaImage, MGH, AFNI, NumPy, DICOM, TIFF, film, PNG, JPEG, BMP, WebP or GIF,
        recognised by content; a zip with one of them; a folder with DICOM files; an OME-Zarr, as folder, zip
        or address (``https://…``); or a folder of pictures of one size, which become planes in natural order
        of their names.
    series : str, optional
        Which of several volumes, a key from `list_series`. May be left out where there is one.
    allow_gaps : bool
        Take a DICOM series with missing or unevenly spaced planes, and keep its gaps true.
    straighten : bool
        Resample a stack whose planes shift sideways (gantry tilt) onto axes at right angles.

    Returns
    -------
    Volume
        Planes (P, R, C) or (P, R, C, 3); a single picture is one plane.

    Raises
    ------
    VolumeError
        One of its leaves, for whatever is wrong with the path, the content or the geometry.
    """
    options = ReadOptions(series, allow_gaps, straighten)
    if is_address(path):
        return read_address(str(path), options)
    path = _existing(path)
    if path.is_dir():
        return folder_reader_for(path).read(path, options)
    head = _head(path)
    return _reader(path, head).read(path, head, options)


def list_series(path: str | Path) -> tuple[SeriesInfo, ...]:
    """List the volumes that a file or folder holds, in order of their keys; often there is one.

    Raises
    ------
    VolumeError
        As `read`.
    """
    if is_address(path):
        return list_address(str(path))
    path = _existing(path)
    if path.is_dir():
        return folder_reader_for(path).list_series(path)
    head = _head(path)
    return _reader(path, head).list_series(path, head)


def reader_for(path: Path) -> tuple[Reader | None, bytes]:
    """Return the reader that claims a file, None where none does, and the file's first bytes.

    Raises
    ------
    UnreadableFile, BrokenFile
        If the system refuses the file, or it is empty.
    """
    head = _head(_existing(path))
    return next((reader for reader in READERS if reader.claims(path, head)), None), head


def _existing(path: str | Path) -> Path:
    path = Path(path)
    if not path.exists():
        looks_remote = re.match(r"[a-z][a-z0-9]+:/[^/]", path.as_posix())
        remedy = "pass an address as text, not as Path" if looks_remote else "check the path"
        raise MissingFile(f"{path} does not exist; {remedy}")
    if not path.is_file() and not path.is_dir():
        raise UnreadableFile(f"{path} is neither a file nor a folder (a device, a pipe …); pass a file")
    return path


def _reader(path: Path, head: bytes) -> Reader:
    """Return the reader of a file."""
    reader = next((reader for reader in READERS if reader.claims(path, head)), None)
    if reader is None:
        foreign = foreign_format(head)
        if foreign is not None:
            raise UnsupportedImage(
                f"{path} is {foreign}, which is not read; save it as OME-TIFF, OME-Zarr or NIfTI"
            )
        raise UnknownFormat(
            f"{path} starts with {head[:12]!r}, which is no known format whatever its name; "
            f"pass one of {', '.join(reader.name for reader in READERS)}"
        )
    return reader


def folder_reader_for(folder: Path) -> FolderReader:
    """Return the reader of a folder.

    Raises
    ------
    NoDicomFound
        If none claims it.
    """
    reader = next((reader for reader in FOLDER_READERS if reader.claims(folder)), None)
    if reader is None:
        raise NoDicomFound(
            f"{folder} holds neither DICOM files nor PNG, JPEG, BMP or TIFF pictures; "
            "pass the folder with the images, or one volume file"
        )
    return reader


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


def _read_unpacked(path: Path, options: ReadOptions) -> Volume:
    """Read what was in an archive."""
    return read(path, series=options.series, allow_gaps=options.allow_gaps, straighten=options.straighten)


def _is_readable(path: Path) -> bool:
    """Whether a reader claims what was in an archive; an archive in an archive is not opened."""
    if path.is_dir():
        return any(reader.claims(path) for reader in FOLDER_READERS)
    try:
        head = _head(path)
    except VolumeError:
        return False
    return any(reader.claims(path, head) for reader in READERS if not isinstance(reader, ArchiveReader))


# Last, since other formats are zip files too.
READERS = (*READERS, ArchiveReader(_read_unpacked, list_series, _is_readable))
