"""The fields of a NIfTI-1 header that decide whether a file is sound.

SimpleITK fills what a truncated or damaged file lacks with zeros, without an error; so look first.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from volumes.errors import BrokenFile, InvalidGeometry, UnsupportedImage

HEADER_BYTES = 348
VOXELS_AT = 352
_NIFTI2_HEADER_BYTES = 540
_MILLIMETRES = (0, 2)  # xyzt_units: unknown, or mm
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class NiftiHeader:
    """What is needed of a NIfTI-1 header.

    ``sform`` is the (4, 4) matrix from (column, row, plane, 1) to RAS mm, as in the file; None where unset.
    """

    shape: tuple[int, ...]
    needed_bytes: int
    is_pair: bool
    has_qform: bool
    sform: NDArray[np.float64] | None
    in_millimetres: bool


def is_nifti(head: bytes) -> bool:
    """Whether the first bytes (uncompressed) are those of NIfTI-1, NIfTI-2 or Analyze 7.5."""
    return len(head) >= 4 and any(
        struct.unpack(order + "i", head[:4])[0] in (HEADER_BYTES, _NIFTI2_HEADER_BYTES) for order in "<>"
    )


def parse_nifti_header(head: bytes, path: Path) -> NiftiHeader:
    """Read the header's fields.

    Parameters
    ----------
    head : bytes
        First bytes of the file, uncompressed.
    path : Path
        For messages.

    Raises
    ------
    UnsupportedImage
        For NIfTI-2, Analyze 7.5, and images of four dimensions and more.
    BrokenFile
        If the header is cut off or contradicts itself.
    InvalidGeometry
        If the orientation holds values that are not finite.
    """
    order = "<" if struct.unpack("<i", head[:4])[0] in (HEADER_BYTES, _NIFTI2_HEADER_BYTES) else ">"
    if struct.unpack(order + "i", head[:4])[0] == _NIFTI2_HEADER_BYTES:
        raise UnsupportedImage(
            f"{path} is NIfTI-2, which this version does not read; save it as NIfTI-1 or NRRD"
        )
    if len(head) < HEADER_BYTES:
        raise BrokenFile(f"{path} ends inside the NIfTI header, after {len(head)} bytes; get a complete copy")
    magic = head[344:348]
    if magic not in (b"n+1\0", b"ni1\0"):
        raise UnsupportedImage(
            f"{path} is Analyze 7.5, which holds no orientation; convert it to NIfTI-1 first"
        )

    def field(form: str, start: int) -> tuple[float, ...]:
        return struct.unpack_from(order + form, head, start)

    shape = _shape([int(length) for length in field("8h", 40)], path)
    offset, bits = field("f", 108)[0], int(field("h", 72)[0])
    if not math.isfinite(offset) or offset < 0 or bits <= 0:
        raise BrokenFile(f"{path} says its {bits}-bit voxels start at byte {offset}; get an undamaged copy")
    qform_code, sform_code = field("2h", 252)
    sform = np.eye(4)
    sform[:3] = np.reshape(field("12f", 280), (3, 4))
    if sform_code > 0 and not np.isfinite(sform).all():
        raise InvalidGeometry(
            f"{path} has an sform with values that are not finite: {sform[:3].tolist()}; mend its header"
        )
    if qform_code > 0 and not np.isfinite(field("4f", 76) + field("6f", 256)).all():
        raise InvalidGeometry(
            f"{path} has a qform with values that are not finite: {field('6f', 256)}; mend its header"
        )
    return NiftiHeader(
        shape=shape,
        needed_bytes=int(offset) + math.prod(shape) * bits // 8,
        is_pair=magic == b"ni1\0",
        has_qform=qform_code > 0,
        sform=sform if sform_code > 0 else None,
        in_millimetres=head[123] & 7 in _MILLIMETRES,
    )


def _shape(dim: list[int], path: Path) -> tuple[int, ...]:
    """Return the lengths (x, y, z, …) without trailing ones, or refuse what is not one volume."""
    if not 1 <= dim[0] <= 7 or min(dim[1 : dim[0] + 1]) < 1:
        raise BrokenFile(f"{path} says its dimensions are {dim}; get an undamaged copy")
    shape = dim[1 : dim[0] + 1]
    while len(shape) > 3 and shape[-1] == 1:
        shape.pop()
    holds_vectors = len(shape) == 5 and shape[3] == 1  # one volume with several values a voxel, such as RGB
    if len(shape) > 3 and not holds_vectors:
        raise UnsupportedImage(
            f"{path} has {len(shape)} dimensions, {'x'.join(map(str, shape))}, and this version reads three; "
            "save one of its volumes as a 3-D file (fslroi, or nibabel.funcs.four_to_three)"
        )
    return tuple(shape)


def check_complete(path: Path, needed_bytes: int) -> None:
    """Raise BrokenFile unless the file holds that many bytes (decompressed, with a sound checksum)."""
    try:
        with path.open("rb") as plain:
            is_gzip = plain.read(2) == b"\x1f\x8b"
        found = _gunzipped_bytes(path) if is_gzip else path.stat().st_size
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BrokenFile(f"{path} is damaged or cut off ({error}); get a complete copy") from error
    if found < needed_bytes:
        raise BrokenFile(
            f"{path} is cut off: its header asks for {needed_bytes} bytes, it has {found}; "
            "get a complete copy"
        )


def _gunzipped_bytes(path: Path) -> int:
    """Length of the whole content, read to the end so that gzip checks its checksum."""
    with gzip.open(path, "rb") as stream:
        return sum(len(chunk) for chunk in iter(lambda: stream.read(_CHUNK_BYTES), b""))
