"""FreeSurfer's MGH, ``.mgh`` and ``.mgz``: read; the header through nibabel."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from volumes._nifti.place import from_ras
from volumes._stored_images import Opened, StoredImages
from volumes._voxel_files import VoxelFiles, is_gzip
from volumes.errors import BrokenFile, InvalidGeometry
from volumes.geometry import Geometry
from volumes.series import ReadOptions, SeriesInfo
from volumes.volume import Provenance, Volume

__all__ = ["MghReader"]

_HEADER_BYTES = 284
_VERSION = 1
_PLACED = 1
_NUMBERS = {0: "u1", 1: ">i4", 3: ">f4", 4: ">i2"}


@dataclass(frozen=True)
class MghReader:
    """FreeSurfer's ``.mgh`` and ``.mgz``; frames are volumes with the keys ``"t0"``, ``"t1"`` and so on."""

    name: str = "MGH"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the (uncompressed) first bytes start with 1, sizes and a type that make sense."""
        if len(head) < _HEADER_BYTES:
            return False
        version, *sizes, number = struct.unpack(">6i", head[:24])
        return version == _VERSION and min(sizes) > 0 and number in _NUMBERS

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """List its volumes; reads no voxels."""
        return _opened(path, head).images.list_series()

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read one of its volumes."""
        return _opened(path, head).read(options)


def _opened(path: Path, head: bytes) -> Opened:
    """Read the header."""
    from nibabel.freesurfer.mghformat import MGHHeader

    header = MGHHeader(head[:_HEADER_BYTES], check=False)
    columns, rows, planes, frames = (int(length) for length in header["dims"])
    is_placed = struct.unpack(">h", head[28:30])[0] == _PLACED  # nibabel fills in what is missing
    if is_placed and not np.isfinite(header["delta"]).all():
        raise InvalidGeometry(f"{path} has voxel sizes that are not finite; mend its header")
    number = _NUMBERS.get(int(header["type"]))
    if number is None:
        raise BrokenFile(f"{path} says its voxels are of type {int(header['type'])}; get an undamaged copy")
    with np.errstate(all="ignore"):
        affine = from_ras(np.asarray(header.get_affine(), dtype=np.float64))
    shape = (frames, planes, rows, columns)
    encoding = "deflate" if is_gzip(path) else "raw"
    voxels = VoxelFiles(path, (path,), np.dtype(number), shape, encoding, skip=_HEADER_BYTES)
    notes: tuple[str, ...] = ()
    if not is_placed:
        notes = ("the file holds no orientation; FreeSurfer's own (coronal) was taken",)
    try:
        geometry = Geometry((planes, rows, columns), affine)
    except InvalidGeometry as error:
        raise InvalidGeometry(f"{path}: {error}") from error
    return Opened(StoredImages(voxels, "tPRC"), geometry, Provenance("MGH", notes=notes))
