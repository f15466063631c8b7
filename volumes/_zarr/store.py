"""Open a Zarr store where it lies: a folder, a zip file or an address."""

from __future__ import annotations

import errno
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from volumes._zarr.blosc import with_checked_blosc
from volumes.errors import BrokenFile, MissingFile, UnreadableFile, UnsupportedImage, VolumeError

if TYPE_CHECKING:
    import zarr
    from zarr.abc.store import Store

__all__ = [
    "MARKERS",
    "Place",
    "is_address",
    "open_place",
    "shown_address",
    "speaking",
    "without_warnings",
    "zip_root",
]

MARKERS = ("zarr.json", ".zgroup", ".zarray", ".zattrs")
"""One of them lies in each folder of a store."""

_LONGEST_REASON = 200
_OF_CONTENT = {errno.EINVAL, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR}
"""What the system says where names and offsets in a store cannot be."""

_SECRET = re.compile(r"(://)[^/@\s']*@|\?[^\s'\"]*")
"""User and password, or query, of an address."""

_CODECS = {
    "blosc", "zlib", "gzip", "zstd", "lz4", "lzma", "bz2", "delta", "shuffle", "fixedscaleoffset", "quantize",
    "bitround", "packbits", "crc32", "crc32c", "adler32", "fletcher32", "jenkins_lookup3", "astype",
    "zfpy", "pcodec", "bytes", "transpose", "sharding_indexed",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A group or an array in a store.

    Parameters
    ----------
    store : zarr.abc.store.Store
        Opened for reading.
    node : zarr.Group or zarr.Array
        What was asked for.
    name : str
        What to call it in messages.
    """

    store: Store
    node: zarr.Group | zarr.Array[Any]
    name: str

    @property
    def is_array(self) -> bool:
        """Whether it is an array."""
        return not hasattr(self.node, "members")

    @property
    def attributes(self) -> dict[str, Any]:
        """Its attributes; those that OME-NGFF 0.5 keeps under ``ome`` as 0.4 has them."""
        with speaking(self.name):
            attributes = dict(self.node.attrs)
        inner = attributes.get("ome")
        return attributes | inner if isinstance(inner, dict) else attributes

    def inner(self, path: str) -> Place:
        """Open a group or array inside this group.

        Raises
        ------
        BrokenFile
            If it is not there or damaged.
        UnsupportedImage
            If an array has a codec that is not trusted.
        """
        with speaking(f"{self.name}/{path}"), without_warnings():
            node: Any = self.node[path]  # type: ignore[index]
            return Place(self.store, node, f"{self.name}/{path}").trusted()

    def trusted(self) -> Place:
        """Return the same place, ready to be decoded.

        Raises
        ------
        BrokenFile
            If its chunks are empty.
        UnsupportedImage
            If that would run a codec that is not known to be harmless.
        """
        if self.is_array:
            array: Any = self.node
            if min(array.chunks, default=1) < 1:
                raise BrokenFile(f"{self.name} has chunks of {array.chunks} values; get a sound copy")
            for codec in _codec_names(self.node.metadata.to_dict()):
                if codec.removeprefix("numcodecs.") not in _CODECS:
                    raise UnsupportedImage(
                        f"{self.name} is compressed with {codec[:40]!r}, which is not decoded; "
                        "save it with blosc, zstd or gzip"
                    )
            return Place(self.store, with_checked_blosc(self.node), self.name)  # type: ignore[arg-type]
        return self


@contextmanager
def without_warnings() -> Iterator[None]:
    """Keep zarr's warnings about a store's metadata to itself. Not for threads: filters are the process's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def speaking(name: str) -> Iterator[None]:
    """Turn whatever the libraries raise for a damaged or unreachable store into one line."""
    try:
        yield
    except VolumeError:
        raise
    except OSError as error:
        if isinstance(error, FileNotFoundError):
            raise BrokenFile(f"{name} lacks a part that it names; get a complete copy") from error
        if error.errno in _OF_CONTENT:
            raise BrokenFile(f"{name} is damaged ({_reason(error)}); get an undamaged copy") from error
        raise UnreadableFile(
            f"{name} cannot be read: {_reason(error)}; check the place, its permissions and the connection"
        ) from error
    except MemoryError as error:
        raise UnsupportedImage(f"{name} does not fit in memory; save it in smaller chunks") from error
    except Exception as error:  # zarr and its codecs raise KeyError, TypeError, RuntimeError …
        raise BrokenFile(f"{name} is damaged ({_reason(error)}); get an undamaged copy") from error


def open_place(location: Path | str) -> Place:
    """Open the group or array at a folder, a zip file or an address.

    Raises
    ------
    MissingFile
        If there is no Zarr at an address.
    UnsupportedImage
        If a library for the address is not installed, or the array has a codec that is not trusted.
    BrokenFile, UnreadableFile
        If it is damaged or refused.
    """
    import zarr

    name = shown_address(location) if isinstance(location, str) else str(location)
    with speaking(name), without_warnings():
        store, inside = _store(location, name)
        try:
            node = zarr.open(store, path=inside, mode="r", use_consolidated=False)
        except FileNotFoundError as error:
            raise MissingFile(f"{name} holds no Zarr array or group; check the path") from error
        return Place(store, node, name).trusted()


def is_address(location: object) -> bool:
    """Whether this is an address such as ``https://…`` or ``s3://…``."""
    return isinstance(location, str) and "://" in location


def shown_address(address: str) -> str:
    """Return an address without what may be secret in it: user, password, query."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


def _store(location: Path | str, name: str) -> tuple[Store, str]:
    """Open a store for reading, and say where in it the image lies."""
    from zarr.storage import FsspecStore, LocalStore, ZipStore

    if isinstance(location, str):
        try:
            return FsspecStore.from_url(location.rstrip("/"), read_only=True), ""
        except ImportError as error:
            raise UnsupportedImage(
                f"{name} needs libraries that are not installed ({_reason(error)}); "
                'pip install "napari-sam-volumes[remote]", for s3:// also s3fs'
            ) from error
        except ValueError as error:  # fsspec knows no such protocol
            raise UnsupportedImage(
                f"{name} is no address that can be read ({_reason(error)}); pass https://… or a folder"
            ) from error
    if location.is_dir():
        return LocalStore(location, read_only=True), ""
    return ZipStore(location, mode="r"), zip_root(location)


def zip_root(path: Path) -> str:
    """Folder of a zip file that a store lies in: none, or the only one at the top."""
    import zipfile

    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(marker in names for marker in MARKERS):
        return ""
    tops = {name.partition("/")[0] for name in names}
    return next((top for top in sorted(tops) if any(f"{top}/{marker}" in names for marker in MARKERS)), "")


def _codec_names(metadata: Mapping[str, Any]) -> list[str]:
    """Names of all codecs that an array's metadata list, nested ones included."""
    waiting: list[Any] = [metadata.get(key) for key in ("compressor", "filters", "codecs")]
    names = []
    while waiting:
        part = waiting.pop()
        if isinstance(part, (list, tuple)):
            waiting += part
        elif hasattr(part, "get_config"):  # of numcodecs
            waiting.append(part.get_config())
        elif hasattr(part, "to_dict"):
            waiting.append(part.to_dict())
        elif isinstance(part, Mapping):
            names.append(str(part.get("id", part.get("name"))))
            inner = part.get("configuration")
            if isinstance(inner, Mapping):
                waiting += [inner.get("codecs"), inner.get("index_codecs")]
        elif part is not None:
            names.append(str(part))
    return names


def _reason(error: BaseException) -> str:
    """Return what a library says, on one short line."""
    text = _SECRET.sub(r"\1", " ".join(str(error).split())) or type(error).__name__
    return text if len(text) <= _LONGEST_REASON else text[:_LONGEST_REASON] + "…"
