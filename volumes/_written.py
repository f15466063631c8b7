"""Voxels on their way into a file, and a look at the file before it takes its place."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from volumes._stored_images import Opened
from volumes.errors import UnwritableOutput, VolumeError
from volumes.geometry import Geometry
from volumes.lazy import LazyArray
from volumes.series import ReadOptions

__all__ = ["IMAGE_LEVEL", "LABEL_LEVEL", "check_written", "deflated", "gzipped", "voxel_bytes"]

LABEL_LEVEL = 6
"""How hard zlib tries for labels, which shrink to almost nothing."""

IMAGE_LEVEL = 2
"""The same for images, whose noise does not shrink, but takes several times as long."""


def voxel_bytes(data: NDArray[Any] | LazyArray) -> Iterator[bytes]:
    """Give the voxels plane by plane, little endian, the colours of a voxel beside each other."""
    for index in range(data.shape[0]):
        plane = np.asarray(data[index])
        yield plane.astype(plane.dtype.newbyteorder("<"), copy=False).tobytes()


@contextmanager
def gzipped(stream: BinaryIO, level: int) -> Iterator[BinaryIO]:
    """Pack what is written, with neither a file's name nor a time in it."""
    with gzip.GzipFile("", "wb", level, stream, mtime=0) as packed:
        yield packed  # type: ignore[misc]  # GzipFile is no BinaryIO by name


def deflated(chunks: Iterator[bytes], stream: BinaryIO, level: int) -> int:
    """Write chunks as one zlib stream, and return its length in bytes."""
    coder = zlib.compressobj(level)
    n_bytes = 0
    for chunk in chunks:
        n_bytes += stream.write(coder.compress(chunk))
    return n_bytes + stream.write(coder.flush())


def check_written(
    path: Path, reopen: Callable[[], Opened], geometry: Geometry, labels: NDArray[Any] | None = None
) -> None:
    """Read back what was written, and raise where it is not what was meant.

    Parameters
    ----------
    path : Path
        Where it shall lie, for the message.
    reopen : callable
        Opens the temporary file.
    geometry : Geometry
        Where the voxels shall lie.
    labels : ndarray of shape (P, R, C), optional
        For labels, which are small: read them too, and count.

    Raises
    ------
    UnwritableOutput
        If the geometry or the number of labelled voxels differs, or the file cannot be read.
    """
    try:
        opened = reopen()
        opened.images.voxels.check()
        found = 0 if labels is None else _n_labelled(opened.read(ReadOptions()).data)
    except VolumeError as error:
        raise UnwritableOutput(
            f"cannot write {path}: what was stored cannot be read back "
            f"({type(error).__name__}); free disk space"
        ) from error
    if not opened.geometry.is_close(geometry):
        raise UnwritableOutput(
            f"cannot write {path}: its geometry reads back otherwise, {opened.geometry.affine.tolist()} "
            f"in place of {geometry.affine.tolist()}; write to .nrrd instead"
        )
    if labels is not None and found != _n_labelled(labels):
        raise UnwritableOutput(
            f"cannot write {path}: {found} labelled voxels read back in place of {_n_labelled(labels)}; "
            "check the disk"
        )


def _n_labelled(data: NDArray[Any] | LazyArray) -> int:
    """Count the voxels that are not 0, plane by plane."""
    return sum(int(np.count_nonzero(data[index])) for index in range(data.shape[0]))
