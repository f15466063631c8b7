"""AFNI's ``.HEAD`` with its ``.BRIK``: read; the header through nibabel."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from volumes._nifti.place import from_ras
from volumes._stored_images import Opened, StoredImages
from volumes._voxel_files import VoxelFiles, is_gzip, reading_failed
from volumes.errors import BrokenFile, UnsupportedImage
from volumes.geometry import Geometry
from volumes.series import ReadOptions, SeriesInfo, choose_series
from volumes.volume import Provenance, Volume

if TYPE_CHECKING:
    from nibabel.brikhead import AFNIHeader

__all__ = ["AfniReader"]

_ATTRIBUTE = re.compile(rb"\s*type\s*=\s*(string|integer|float)-attribute")
_BRICK_ENDINGS = (".brik.gz", ".brik")
_LARGEST_HEADER_BYTES = 1 << 22


@dataclass(frozen=True)
class AfniReader:
    """AFNI, by either file of a pair; bricks are volumes with the keys ``"t0"``, ``"t1"`` and so on."""

    name: str = "AFNI"

    def claims(self, path: Path, head: bytes) -> bool:
        """Whether the content is a header's, or the name that of voxels, which have no mark of their own."""
        return bool(_ATTRIBUTE.match(head)) or path.name.lower().endswith(_BRICK_ENDINGS)

    def list_series(self, path: Path, head: bytes) -> tuple[SeriesInfo, ...]:
        """List its volumes; reads no voxels."""
        return _opened(path)[0].images.list_series()

    def read(self, path: Path, head: bytes, options: ReadOptions) -> Volume:
        """Read one of its volumes, with its own factor."""
        opened, factors = _opened(path)
        found = opened.images.list_series()
        brick = choose_series(found, options.series, path)
        if brick < len(factors) and factors[brick] not in (0.0, 1.0):
            opened = replace(opened, images=replace(opened.images, scaling=(factors[brick], 0.0)))
        return opened.read(options)


def _opened(path: Path) -> tuple[Opened, tuple[float, ...]]:
    """Read the header, with the factor of each brick (0 for none)."""
    is_header = not path.name.lower().endswith(_BRICK_ENDINGS)
    head_path = path if is_header else _beside(path, (".HEAD", ".head"))
    brick_path = _beside(path, (".BRIK", ".BRIK.gz", ".brik", ".brik.gz")) if is_header else path
    header = _parsed(head_path)
    try:
        columns, rows, planes, *times = (int(length) for length in header.get_data_shape())
        dtype = np.dtype(header.get_data_dtype())
        affine = from_ras(np.asarray(header.get_affine(), dtype=np.float64))
        geometry = Geometry((planes, rows, columns), affine)
        scaling = header.get_data_scaling()
    except Exception as error:  # nibabel raises whatever it met in what the header says
        raise BrokenFile(
            f"{head_path} has no sound size, type or place in it; get an undamaged copy"
        ) from error
    if dtype.kind not in "iuf":
        raise UnsupportedImage(
            f"{path} holds voxels of type {dtype}; save its magnitude, or one value a voxel"
        )
    shape = (times[0] if times else 1, planes, rows, columns)
    encoding = "deflate" if is_gzip(brick_path) else "raw"
    images = StoredImages(VoxelFiles(path, (brick_path,), dtype, shape, encoding), "tPRC")
    factors = () if scaling is None else tuple(float(factor) for factor in np.ravel(scaling))
    if not np.isfinite(factors).all():
        raise BrokenFile(f"{head_path} has a factor that is not finite; mend it")
    return Opened(images, geometry, Provenance("AFNI")), factors


def _parsed(head_path: Path) -> AFNIHeader:
    """Parse the text of a header."""
    from nibabel.brikhead import AFNIHeader, parse_AFNI_header

    try:
        with head_path.open("rb") as stream:
            text = stream.read(_LARGEST_HEADER_BYTES).decode("latin-1")
    except OSError as error:
        raise reading_failed(head_path, error) from error
    try:
        return AFNIHeader(parse_AFNI_header(io.StringIO(text)))
    except Exception as error:  # as above
        raise BrokenFile(f"{head_path} is no sound AFNI header; get an undamaged copy") from error


def _beside(path: Path, endings: tuple[str, ...]) -> Path:
    """Find the other file of the pair.

    Raises
    ------
    BrokenFile
        If it is not there.
    """
    stem = re.sub(r"(?i)\.(brik(\.gz)?|head)$", "", path.name)
    for ending in endings:
        if (candidate := path.with_name(stem + ending)).is_file():
            return candidate
    raise BrokenFile(
        f"{path} is half of an AFNI pair, and {stem}{endings[0]} is not beside it; copy both files together"
    )
