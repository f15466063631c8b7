"""What a NIfTI or Analyze header says of its voxels: which numbers, where they start, which axes."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from volumes.errors import BrokenFile, UnsupportedImage

if TYPE_CHECKING:
    from nibabel.analyze import AnalyzeHeader
    from nibabel.nifti1 import Nifti1Header

    AnyHeader: TypeAlias = AnalyzeHeader | Nifti1Header

__all__ = ["Layout", "is_nifti", "layout_of", "parse_header"]

_SIZES = {348: "NIfTI", 540: "NIfTI-2"}
_MAGIC_AT_1, _MAGIC_AT_2 = 344, 4
_SINGLE_1, _PAIR_1, _SINGLE_2, _PAIR_2 = b"n+1\0", b"ni1\0", b"n+2\0", b"ni2\0"
_VOXELS_AT_LEAST = {_SINGLE_1: 348, _SINGLE_2: 540}

_COLOURS = {128: 3, 2304: 4}
_NUMBERS = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip
_REFUSED = {
    0: "of unknown type", 1: "of one bit", 32: "complex", 1536: "floats of 128 bits", 1792: "complex",
    2048: "complex",
}  # fmt: skip
_CIFTI_INTENTS = range(3000, 3100)
_LARGEST_AXES = 5


@dataclass(frozen=True)
class Layout:
    """How the voxels lie in the file.

    Parameters
    ----------
    dtype : dtype
        With the file's byte order.
    shape : tuple of int
        Slowest axis first.
    axes : str
        A letter for each, as in `volumes._stored_images.StoredImages`.
    offset : int
        First byte of the voxels.
    is_pair : bool
        Whether they are in a file of their own.
    scaling : tuple of float, optional
        (slope, intercept), where there is one.
    notes : tuple of str
        What was assumed.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    axes: str
    offset: int
    is_pair: bool
    scaling: tuple[float, float] | None
    notes: tuple[str, ...] = ()


def is_nifti(head: bytes) -> bool:
    """Whether the first bytes (uncompressed) are those of NIfTI-1, NIfTI-2 or Analyze 7.5."""
    if len(head) < 4:
        return False
    return any(struct.unpack(order + "i", head[:4])[0] in _SIZES for order in "<>")


def parse_header(head: bytes, path: Path) -> tuple[AnyHeader, str]:
    """Read the header by nibabel, without its corrections.

    Parameters
    ----------
    head : bytes
        First bytes of the file, uncompressed.
    path : Path
        For messages.

    Returns
    -------
    tuple of header and str
        nibabel's header, and the name of the format.

    Raises
    ------
    BrokenFile
        If it is cut off, or neither NIfTI nor Analyze after all.
    """
    from nibabel.nifti1 import Nifti1Header, Nifti1PairHeader
    from nibabel.nifti2 import Nifti2Header, Nifti2PairHeader
    from nibabel.spm99analyze import Spm99AnalyzeHeader

    order = next(order for order in "<>" if struct.unpack(order + "i", head[:4])[0] in _SIZES)
    size = struct.unpack(order + "i", head[:4])[0]
    if len(head) < size:
        raise BrokenFile(f"{path} ends inside the NIfTI header, after {len(head)} bytes; get a complete copy")
    magic_at = _MAGIC_AT_2 if size == 540 else _MAGIC_AT_1
    magic = head[magic_at : magic_at + 4]
    kinds = {
        _SINGLE_1: Nifti1Header, _PAIR_1: Nifti1PairHeader, _SINGLE_2: Nifti2Header,
        _PAIR_2: Nifti2PairHeader,
    }  # fmt: skip
    kind = kinds.get(magic)
    if kind is None and size == 540:
        raise BrokenFile(f"{path} starts like NIfTI-2 and has no magic number; get an undamaged copy")
    name = _SIZES[size] if kind else "Analyze"
    return (kind or Spm99AnalyzeHeader)(head[:size], order, check=False), name


def layout_of(header: AnyHeader, path: Path) -> Layout:
    """Say how the voxels lie.

    Raises
    ------
    UnsupportedImage
        For CIFTI, complex numbers, odd bits, and more than five dimensions.
    BrokenFile
        If the header contradicts itself.
    """
    fields = header.structarr
    names = fields.dtype.names or ()
    magic = bytes(fields["magic"].tobytes())[:4] if "magic" in names else b""
    intent = int(fields["intent_code"]) if "intent_code" in names else 0
    if intent in _CIFTI_INTENTS:
        raise UnsupportedImage(
            f"{path} is CIFTI (intent {intent}), values on a surface or between regions, and no image; "
            "pass the volume that it was made from"
        )
    dtype, n_colours = _number_type(int(fields["datatype"]), header.endianness, path)
    shape, axes = _axes([int(length) for length in fields["dim"]], dtype, path)
    if n_colours:
        shape, axes = (*shape, n_colours), axes + "r"
    is_pair = magic not in _VOXELS_AT_LEAST
    offset, scaling = _offset(float(fields["vox_offset"]), magic, path), _scaling(fields, path)
    notes = ("values were scaled as SPM does in Analyze",) if scaling and "magic" not in names else ()
    return Layout(dtype, shape, axes, offset, is_pair, scaling, notes)


def _number_type(code: int, order: str, path: Path) -> tuple[np.dtype[Any], int]:
    """Type of the values, and how many colours a voxel has (0 for grey)."""
    if code in _COLOURS:
        return np.dtype(np.uint8), _COLOURS[code]
    if code in _NUMBERS:
        return np.dtype(order + _NUMBERS[code]), 0
    if code in _REFUSED:
        raise UnsupportedImage(
            f"{path} holds voxels that are {_REFUSED[code]} (NIfTI type {code}); "
            "save its magnitude, or another real-valued image"
        )
    raise BrokenFile(f"{path} says its voxels are of type {code}, which there is not; get an undamaged copy")


def _axes(dim: list[int], dtype: np.dtype[Any], path: Path) -> tuple[tuple[int, ...], str]:
    """Lengths of the axes, slowest first, with their letters."""
    n_axes = dim[0]
    if not 1 <= n_axes <= 7 or min(dim[1 : n_axes + 1]) < 1:
        raise BrokenFile(f"{path} says its dimensions are {dim}; get an undamaged copy")
    lengths = [*dim[1 : n_axes + 1], *[1] * (7 - n_axes)]
    if max(lengths[_LARGEST_AXES:]) > 1:
        raise UnsupportedImage(
            f"{path} has {n_axes} dimensions, {'x'.join(map(str, dim[1 : n_axes + 1]))}, and up to five "
            "are read; save one of its volumes as a 3-D file"
        )
    columns, rows, planes, times, components = lengths[:_LARGEST_AXES]
    is_colour = components in (3, 4) and times == 1 and dtype.kind == "u" and dtype.itemsize <= 2
    return (components, times, planes, rows, columns), ("r" if is_colour else "c") + "tPRC"


def _offset(offset: float, magic: bytes, path: Path) -> int:
    """First byte of the voxels."""
    if not math.isfinite(offset) or offset < 0 or offset >= 2**63:
        raise BrokenFile(f"{path} says its voxels start at byte {offset}; get an undamaged copy")
    least = _VOXELS_AT_LEAST.get(magic, 0)
    if least and offset == 0:  # some programs leave it out
        return least + 4
    if offset < least:
        raise BrokenFile(f"{path} says its voxels start at byte {offset:g}, inside its header; mend it")
    return int(offset)


def _scaling(fields: Any, path: Path) -> tuple[float, float] | None:
    """Slope and intercept, where the header has a slope; zero and NaN mean none."""
    slope = float(fields["scl_slope"])
    intercept = float(fields["scl_inter"]) if "scl_inter" in fields.dtype.names else 0.0
    if slope == 0.0 or math.isnan(slope) or (slope, intercept) == (1.0, 0.0):
        return None
    if not math.isfinite(slope) or not math.isfinite(intercept):
        raise BrokenFile(f"{path} scales its values by {slope} and adds {intercept}; mend its header")
    return slope, intercept
