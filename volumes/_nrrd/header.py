"""The text at the top of a NRRD file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from volumes._beside import file_beside, files_of_pattern
from volumes._voxel_files import VoxelFiles, reading_failed
from volumes.errors import BrokenFile, UnsupportedImage

__all__ = ["NrrdHeader", "is_nrrd", "read_header", "stored_array"]

_MAGIC = b"NRRD000"
_LARGEST_HEADER_BYTES = 1 << 22
_MOST_AXES = 16
_NUMBERS = {
    "char": "i1", "short": "i2", "int": "i4", "longlong": "i8", "float": "f4", "double": "f8", "int8": "i1",
    "int16": "i2", "int32": "i4", "int64": "i8", "uint8": "u1", "uint16": "u2", "uint32": "u4",
    "uint64": "u8",
    "uchar": "u1", "ushort": "u2", "uint": "u4", "ulonglong": "u8",
}  # fmt: skip
_ENCODINGS = {
    "raw": "raw", "gzip": "deflate", "gz": "deflate", "bzip2": "bzip2", "bz2": "bzip2", "ascii": "text",
    "text": "text", "txt": "text", "hex": "hex",
}  # fmt: skip
_ENDIANS = {"little": "<", "big": ">"}


@dataclass(frozen=True)
class NrrdHeader:
    """A NRRD header.

    Parameters
    ----------
    path : Path
        The file it stands in.
    fields : dict
        Text of each field; the names in lower case without spaces.
    keys : dict
        The file's own key/value pairs, such as those of Slicer's segments.
    names : tuple of str
        Lines after a field ``data file: LIST``.
    end : int
        First byte after the header.
    """

    path: Path
    fields: dict[str, str]
    keys: dict[str, str]
    names: tuple[str, ...]
    end: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """Lengths of the axes, fastest first.

        Raises
        ------
        BrokenFile
            If they are missing, or not as many as the dimensions.
        """
        try:
            sizes = tuple(int(word) for word in self.fields["sizes"].split())
            n_axes = int(self.fields["dimension"])
        except (KeyError, ValueError) as error:
            raise BrokenFile(f"{self.path} has no sound sizes in its header; mend it") from error
        if len(sizes) != n_axes or not 1 <= n_axes <= _MOST_AXES or min(sizes) < 1:
            raise BrokenFile(
                f"{self.path} has {n_axes} dimensions of sizes {sizes[:_MOST_AXES]}; mend its header"
            )
        return sizes


def is_nrrd(head: bytes) -> bool:
    """Whether the first bytes are NRRD's."""
    return head.startswith(_MAGIC)


def read_header(path: Path) -> NrrdHeader:
    """Read the header of a file.

    Raises
    ------
    BrokenFile
        If it does not end, or a line of it is neither field, key nor remark.
    UnreadableFile
        If the system refuses the file.
    """
    try:
        with path.open("rb") as stream:
            top = stream.read(_LARGEST_HEADER_BYTES)
    except OSError as error:
        raise reading_failed(path, error) from error
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    at = top.find(b"\n") + 1 or len(top)
    while at < len(top):
        end = top.find(b"\n", at)
        end = len(top) if end < 0 else end
        line = top[at:end].decode("utf-8", "replace").rstrip("\r")
        at = end + 1
        if not line:
            return NrrdHeader(path, fields, keys, (), at)
        if line.startswith("#"):
            continue
        _take(line, fields, keys, path)
        if fields.get("datafile", "").startswith("LIST"):
            names = top[at:].decode("utf-8", "replace").split("\n")
            listed = tuple(name.strip() for name in names if name.strip())
            return NrrdHeader(path, fields, keys, listed, len(top))
    if "datafile" not in fields:
        raise BrokenFile(f"{path} ends inside its NRRD header; get a complete copy")
    return NrrdHeader(path, fields, keys, (), len(top))


def _take(line: str, fields: dict[str, str], keys: dict[str, str], path: Path) -> None:
    """File a line of the header under its name."""
    key, is_key, value = line.partition(":=")
    field, is_field, text = line.partition(": ")
    if is_key and (not is_field or len(key) < len(field)):
        keys[key] = value.replace("\\n", "\n").replace("\\\\", "\\")
    elif is_field or line.endswith(":"):
        fields[field.rstrip(":").replace(" ", "").lower()] = text.strip()
    else:
        raise BrokenFile(f"{path} has a line in its NRRD header that is no field: {line[:60]!r}; mend it")


def stored_array(header: NrrdHeader) -> VoxelFiles:
    """Say where the voxels are, as an array with the slowest axis first.

    Raises
    ------
    BrokenFile
        If the header contradicts itself, or names a file outside its folder.
    UnsupportedImage
        For an encoding or number type that is none of NRRD's plain ones.
    """
    path, fields = header.path, header.fields
    encoding = _ENCODINGS.get(fields.get("encoding", "").lower())
    if encoding is None:
        raise UnsupportedImage(
            f"{path} has the encoding {fields.get('encoding', '')[:40]!r}; save it as raw or gzip"
        )
    parts = _parts(header)
    dtype = _number_type(header)
    sizes = header.sizes
    if len(parts) > 1 and int(np.prod([float(size) for size in sizes])) % len(parts):
        raise BrokenFile(f"{path} divides sizes {sizes} among {len(parts)} files; mend its header")
    start = header.end if parts == (path,) and "datafile" not in fields else 0
    start = _after_lines(header, parts[0], start)
    stored = VoxelFiles(path, parts, dtype, sizes[::-1], encoding, start)
    skip = _skip(header, stored)
    return VoxelFiles(path, parts, dtype, sizes[::-1], encoding, start, skip)


def _number_type(header: NrrdHeader) -> np.dtype[Any]:
    """Type of the numbers, from one of its many names."""
    text = header.fields.get("type", "").lower()
    words = [word for word in text.split() if word != "signed"]
    unsigned = "unsigned" in words
    words = [word for word in words if word != "unsigned"]
    joined = "".join(words).removesuffix("_t")
    if joined != "int":
        joined = joined.removesuffix("int") if joined in ("shortint", "longlongint") else joined
    code = _NUMBERS.get(joined)
    if code is None:
        raise UnsupportedImage(f"{header.path} holds voxels of type {text[:40]!r}; save numbers, one a voxel")
    code = code.replace("i", "u") if unsigned else code
    if code[1] == "1" or header.fields.get("encoding", "").lower() in ("ascii", "text", "txt"):
        return np.dtype(code)
    order = _ENDIANS.get(header.fields.get("endian", "").lower())
    if order is None:
        raise BrokenFile(
            f"{header.path} does not say whether its {text[:40]} is little or big endian; mend it"
        )
    return np.dtype(order + code)


def _parts(header: NrrdHeader) -> tuple[Path, ...]:
    """Files with the voxels."""
    where = header.fields.get("datafile")
    if where is None:
        return (header.path,)
    if where.startswith("LIST"):
        if not header.names or len(header.names) > (1 << 16):
            raise BrokenFile(f"{header.path} lists {len(header.names)} files with voxels; mend its header")
        return tuple(file_beside(header.path, name) for name in header.names)
    words = where.split()
    if "%" in where and len(words) >= 4:
        return files_of_pattern(header.path, words[0], words[1:4])
    return (file_beside(header.path, where),)


def _after_lines(header: NrrdHeader, part: Path, start: int) -> int:
    """First byte after the lines that are to be skipped."""
    n_lines = _whole_number(header, "lineskip")
    if not n_lines:
        return start
    if n_lines < 0 or not part.is_file() or part.stat().st_size < n_lines:
        raise BrokenFile(f"{header.path} skips {n_lines} lines before its voxels; mend its header")
    with part.open("rb") as stream:
        stream.seek(start)
        for _ in range(n_lines):
            if not stream.readline():
                raise BrokenFile(f"{header.path} skips {n_lines} lines, more than there are; mend its header")
        return stream.tell()


def _skip(header: NrrdHeader, stored: VoxelFiles) -> int:
    """Bytes to skip before the voxels; -1 stands for all but the last ones."""
    n_bytes = _whole_number(header, "byteskip")
    if n_bytes >= 0:
        return n_bytes
    if n_bytes != -1 or stored.encoding != "raw":
        raise BrokenFile(f"{header.path} skips {n_bytes} bytes before its voxels; mend its header")
    stored.check()
    sizes = {part.stat().st_size for part in stored.parts}
    return min(sizes) - stored.start - stored.nbytes // len(stored.parts)


def _whole_number(header: NrrdHeader, field: str) -> int:
    text = header.fields.get(field, "0")
    try:
        return int(text)
    except ValueError as error:
        raise BrokenFile(f"{header.path} has {text[:40]!r} where a whole number belongs; mend it") from error
