"""Whether a MetaImage file is complete.

SimpleITK reads damaged compressed voxels without an error, and prints about missing ones; so look first.
"""

from __future__ import annotations

import math
import zlib
from pathlib import Path

from volumes.errors import BrokenFile, InvalidGeometry

_LAST_KEY = b"ElementDataFile"
_HEADER_LIMIT_BYTES = 1 << 16
_GEOMETRY_KEYS = {
    b"Offset", b"Position", b"Origin", b"TransformMatrix", b"Rotation", b"Orientation", b"ElementSpacing",
}  # fmt: skip
_ELEMENT_BYTES = {
    b"MET_CHAR": 1, b"MET_UCHAR": 1, b"MET_SHORT": 2, b"MET_USHORT": 2, b"MET_INT": 4, b"MET_UINT": 4,
    b"MET_LONG": 4, b"MET_ULONG": 4, b"MET_LONG_LONG": 8, b"MET_ULONG_LONG": 8, b"MET_FLOAT": 4,
    b"MET_DOUBLE": 8,
}  # fmt: skip


def is_metaimage(head: bytes) -> bool:
    """Whether the first bytes are a MetaImage header's text."""
    start = head[:256].lstrip()
    return start.startswith((b"ObjectType", b"NDims", b"Comment")) and b"NDims" in head


def check_metaimage(path: Path) -> None:
    """Raise BrokenFile where the voxels are missing or, where compressed, damaged."""
    with path.open("rb") as stream:
        top = stream.read(_HEADER_LIMIT_BYTES)
    header, found, rest = top.partition(_LAST_KEY)
    value, newline, _ = rest.partition(b"\n")
    if not found or not newline:
        raise BrokenFile(f"{path} has no line ElementDataFile in its header; get a complete copy")
    pairs = (line.partition(b"=") for line in header.splitlines())
    fields = {key.strip(): text.strip() for key, _, text in pairs}
    _check_numbers(path, fields)
    source = value.partition(b"=")[2].strip().decode("utf-8", "replace")
    if source != "LOCAL":
        _check_outside(path, source)
    elif fields.get(b"CompressedData", b"").lower() == b"true":
        _check_compressed(path, len(top) - len(rest) + len(value) + 1)
    else:
        _check_length(path, len(top) - len(rest) + len(value) + 1, fields)


def _check_numbers(path: Path, fields: dict[bytes, bytes]) -> None:
    """Raise InvalidGeometry where a number of the geometry is none; SimpleITK would take zero for it."""
    for key in _GEOMETRY_KEYS & fields.keys():
        try:
            is_sound = all(math.isfinite(float(number)) for number in fields[key].split())
        except ValueError:
            is_sound = False
        if not is_sound:
            line = f"{key.decode()} = {fields[key].decode('utf-8', 'replace')}"
            raise InvalidGeometry(f"{path} has a value that is not finite in its header: {line}; mend it")


def _check_outside(path: Path, source: str) -> None:
    """Raise BrokenFile where a single file with the voxels is not there (lists are left to SimpleITK)."""
    is_pattern = source.startswith("LIST") or "%" in source
    if not is_pattern and not (path.parent / source).is_file():
        raise BrokenFile(
            f"{path} keeps its voxels in {source}, which is not beside it; copy both files together"
        )


def _check_compressed(path: Path, start: int) -> None:
    """Raise BrokenFile unless the zlib stream after the header is whole."""
    decompressor = zlib.decompressobj()
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            while not decompressor.eof and (chunk := stream.read(1 << 20)):
                decompressor.decompress(chunk)
    except zlib.error as error:
        raise BrokenFile(f"{path} has damaged voxels ({error}); get an undamaged copy") from error
    if not decompressor.eof:
        raise BrokenFile(f"{path} is cut off inside its compressed voxels; get a complete copy")


def _check_length(path: Path, start: int, fields: dict[bytes, bytes]) -> None:
    """Raise BrokenFile unless the plain voxels after the header are all there."""
    try:
        n_voxels = math.prod(int(length) for length in fields[b"DimSize"].split())
        n_channels = int(fields.get(b"ElementNumberOfChannels", b"1"))
        needed = n_voxels * n_channels * _ELEMENT_BYTES[fields[b"ElementType"]]
    except (KeyError, ValueError) as error:
        raise BrokenFile(
            f"{path} has no sound DimSize and ElementType in its header ({error}); mend it"
        ) from error
    found = path.stat().st_size - start
    if found < needed:
        raise BrokenFile(
            f"{path} is cut off: its voxels need {needed} bytes, it has {found}; get a complete copy"
        )
