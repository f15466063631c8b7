"""Formats of microscopes that are known by their first bytes and not read."""

from __future__ import annotations

__all__ = ["foreign_format"]

_STARTS = {
    b"ZISRAWFILE": "a CZI file of Zeiss",
    b"\xda\xce\xbe\x0a": "an ND2 file of Nikon",
    b"\x00\x00\x00\x0cjP  \r\n\x87\n": "a JPEG 2000 picture or an older ND2 file of Nikon",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "a compound file (OIB, ZVI or a document)",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file (such as IMS, H5 or MINC-2)",
    b"CDF\x01": "a NetCDF file (such as MINC-1)",
    b"CDF\x02": "a NetCDF file",
    b"%PDF": "a PDF document",
}
_HEIF_BRANDS = (b"heic", b"heix", b"mif1", b"msf1", b"heim", b"heis")


def foreign_format(head: bytes) -> str | None:
    """Name a format that is known and not read; None for others."""
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return "a HEIF picture"
    if head[:4] == b"\x70\x00\x00\x00" and head[8:9] == b"\x2a":
        return "a LIF file of Leica"
    return next((name for start, name in _STARTS.items() if head.startswith(start)), None)
