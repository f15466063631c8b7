"""A zip of a folder with images, or of one image file."""

from __future__ import annotations

import shutil
import tempfile
import weakref
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from volumes._limits import DEFLATE, PICTURE_CODEC, check_claim, check_memory
from volumes.errors import BrokenFile, UnknownFormat, UnreadableFile, UnsupportedImage, VolumeError
from volumes.lazy import LazyArray
from volumes.series import ReadOptions, SeriesInfo
from volumes.volume import PlaneSource, Volume

__all__ = ["ArchiveReader"]

_RATIOS = {zipfile.ZIP_STORED: 1.0, zipfile.ZIP_DEFLATED: DEFLATE}
_IS_ENCRYPTED = 1
_ZIP = b"PK\x03\x04"
# What systems put beside the files that a person meant.
_CLUTTER = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")
_SHARE_OF_DISK = 0.5
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class ArchiveReader:
    """Unpacks a zip into a temporary folder, and reads what is in it as if it had been given.

    The folder is removed when the volume, or what remains of its sources, is done with. Members are checked
    before anything is written: their sizes against what they take in the archive, this machine's memory and
    its disk, their names against leading out of the folder.

    Parameters
    ----------
    read : callable
        Reads a path with options.
    list_series : callable
        Lists the volumes of a path.
    is_readable : callable
        Whether a reader claims a path.
    """

    read_path: Callable[[Path, ReadOptions], Volume]
    list_path: Callable[[Path], tuple[SeriesInfo, ...]]
    is_readable: Callable[[Path], bool]
    name: str = "zip"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the first bytes are a zip's, and not only once they are decompressed."""
        if not head.startswith(_ZIP):
            return False
        with path.open("rb") as stream:
            return stream.read(len(_ZIP)) == _ZIP

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """List the volumes of what is in the archive."""
        unpacked = _Unpacked()
        try:
            with _named_after(path, unpacked.folder):
                return self.list_path(self._content(path, unpacked.folder))
        finally:
            unpacked.remove()

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read what is in the archive.

        Raises
        ------
        BrokenFile
            If the archive is damaged, or a member claims more than it can hold or leads out of its folder.
        UnsupportedImage
            If it is locked with a password, or too large.
        UnknownFormat
            If it holds nothing to read, or several files that are no series.
        """
        unpacked = _Unpacked()
        try:
            with _named_after(path, unpacked.folder):
                volume = self.read_path(self._content(path, unpacked.folder), options)
        except BaseException:
            unpacked.remove()
            raise
        return _keeping(volume, unpacked, path)

    def _content(self, path: Path, folder: Path) -> Path:
        """Unpack, and return the one file or the folder to read."""
        _unpack(path, folder)
        files = [file for file in sorted(folder.rglob("*")) if file.is_file()]
        while len(entries := list(folder.iterdir())) == 1 and entries[0].is_dir():
            folder = entries[0]
        if files and self.is_readable(folder):
            return folder
        readable = [file for file in files if self.is_readable(file)]
        if len(readable) == 1:
            return readable[0]
        raise UnknownFormat(
            f"{path} holds {len(files)} files, {len(readable)} of them images that are no series; "
            "unpack it and pass one of them"
        )


class _Unpacked:
    """A temporary folder that lives as long as something refers to it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="volumes-"))
        self.remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)


def _keeping(volume: Volume, unpacked: _Unpacked, path: Path) -> Volume:
    """Tie the folder to what still needs it: the sources of planes and voxels that are read on demand."""
    provenance = volume.provenance
    notes = tuple(note.replace(str(unpacked.folder), str(path)) for note in provenance.notes)
    sources = tuple(
        source and PlaneSource(source.path, source.frame, keeps=unpacked) for source in provenance.sources
    )
    if isinstance(volume.data, LazyArray):
        weakref.finalize(volume.data, unpacked.remove)
    elif not sources:
        unpacked.remove()
    return replace(volume, provenance=replace(provenance, notes=notes, sources=sources))


@contextmanager
def _named_after(path: Path, folder: Path) -> Iterator[None]:
    """Let errors name the archive in place of the temporary folder."""
    try:
        yield
    except VolumeError as error:
        raise type(error)(str(error).replace(str(folder), str(path))) from error


def _unpack(path: Path, folder: Path) -> None:
    """Write the members of an archive into a folder."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            members = [member for member in members if not _is_clutter(member.filename)]
            _check(path, members, folder)
            for member in members:
                target = _target(path, member, folder)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("xb") as written:
                    _copy(source, written)
    except VolumeError:
        raise
    except OSError as error:
        raise UnreadableFile(
            f"{path} cannot be unpacked: {error.strerror or 'it is damaged'}; unpack it by hand"
        ) from error
    except Exception as error:  # zipfile raises what its decompressors met, and RuntimeError, ValueError …
        raise BrokenFile(f"{path} is a damaged zip; get an undamaged copy") from error


def _is_clutter(name: str) -> bool:
    """Whether a member is what a system adds of itself."""
    parts = name.replace("\\", "/").split("/")
    return any(part in _CLUTTER for part in parts) or parts[-1].startswith("._")


def _check(path: Path, members: list[zipfile.ZipInfo], folder: Path) -> None:
    """Refuse members that are locked, or claim more than they can hold or this machine has room for."""
    for member in members:
        if member.flag_bits & _IS_ENCRYPTED:
            raise UnsupportedImage(f"{path} is locked with a password; unpack it first")
        ratio = _RATIOS.get(member.compress_type, PICTURE_CODEC)
        check_claim(path, (member.file_size,), 1, member.compress_size, ratio)
    total = sum(member.file_size for member in members)
    check_memory(path, total)
    if total > shutil.disk_usage(folder).free * _SHARE_OF_DISK:
        raise UnsupportedImage(
            f"{path} takes {total / 2**30:.3g} GiB unpacked, more than the temporary folder has room for; "
            "unpack it elsewhere and pass the folder"
        )


def _target(path: Path, member: zipfile.ZipInfo, folder: Path) -> Path:
    """Return where a member goes; raises BrokenFile where its name leads elsewhere."""
    parts = [part for part in member.filename.replace("\\", "/").split("/") if part != "."]
    if not all(parts) or ".." in parts or ":" in parts[0]:
        raise BrokenFile(f"{path} holds a file whose name leads out of its folder; unpack it by hand")
    target = folder.joinpath(*parts)
    for number in range(1, 1000):
        if not target.exists():
            break
        target = folder.joinpath(*parts[:-1], f"{number}-{parts[-1]}")
    return target


def _copy(source: IO[bytes], target: IO[bytes]) -> None:
    """Copy a member piece by piece; it never yields more than its stated size."""
    while piece := source.read(_PIECE_BYTES):
        target.write(piece)
