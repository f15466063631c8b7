"""Which files keep their pixels so plainly that they can be read straight into an array."""

from __future__ import annotations

from dataclasses import dataclass

from volumes._dicom.pixel_layout import PixelElement, PixelLayout

__all__ = ["RawPixels", "find_raw_pixels"]


@dataclass(frozen=True)
class RawPixels:
    """Where a file keeps its first plane, and as which numbers (a numpy type with its byte order)."""

    offset_bytes: int
    dtype: str


def find_raw_pixels(pixels: PixelElement, layout: PixelLayout, *, has_table: bool) -> RawPixels | None:
    """Find the pixels of an uncompressed grey file of 8 or 16 bits without a table; None for all others.

    Parameters
    ----------
    pixels : PixelElement
        Where they are; long enough for the layout.
    layout : PixelLayout
        What they are.
    has_table : bool
        Whether a table gives them their meaning.
    """
    bits = layout.bits_allocated
    is_grey = layout.samples == 1 and layout.photometric.startswith("MONOCHROME")
    is_plain = pixels.offset_bytes is not None and pixels.n_bytes is not None and not pixels.is_compressed
    if has_table or not is_plain or bits not in (8, 16) or not is_grey or pixels.keyword != "PixelData":
        return None
    if layout.high_bit != layout.bits_stored - 1 or (bits == 8 and pixels.is_swapped):
        return None
    order = "|" if bits == 8 else "<" if pixels.is_little else ">"
    return RawPixels(pixels.offset_bytes or 0, f"{order}{'i' if layout.is_signed else 'u'}{bits // 8}")
