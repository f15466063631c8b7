"""Where the values of a TIFF's series are, so that they can be read later without tifffile."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from volumes._limits import check_claim
from volumes._tiff.codecs import MOST_RATIO
from volumes._tiff.layout import Page, describe_page
from volumes._tiff.pages import MappedArray, PagedArray
from volumes.errors import BrokenFile

if TYPE_CHECKING:
    from tifffile import TiffPage, TiffPageSeries

__all__ = ["paged_array"]


def paged_array(series: TiffPageSeries, where: Path) -> PagedArray | MappedArray | None:
    """Describe where the values of a series are, to read them later without tifffile.

    Returns
    -------
    PagedArray or MappedArray or None
        None where the pages are stored in a way that is not read here.

    Raises
    ------
    BrokenFile
        If the file is too small for what it says, or a page of the series is missing.
    """
    page: TiffPage = series.keyframe
    bits = page.bitspersample
    if series.dataoffset is not None and series.dtype is not None and bits == series.dtype.itemsize * 8:
        dtype = series.dtype.newbyteorder(page.parent.byteorder)
        path = Path(str(page.parent.filehandle.path))
        stored_bytes = path.stat().st_size - series.dataoffset
        check_claim(where, series.shape, dtype.itemsize, stored_bytes)
        return MappedArray(path, series.dataoffset, tuple(series.shape), dtype)
    layout = describe_page(page)
    n_inner = len(page.shape)
    leading = series.shape[: len(series.shape) - n_inner]
    if layout is None or tuple(series.shape[len(leading) :]) != tuple(page.shape):
        return None
    pages = list(series.pages)
    if any(one is None for one in pages) or len(pages) != math.prod(leading):
        raise BrokenFile(f"{where} lacks pages that it names, or files of its set; get a complete copy")
    n_segments = layout.grid[0] * layout.grid[1] * (layout.samples if layout.plane_wise else 1)
    places = [_place(one) for one in pages]
    if any(len(one.offsets) < n_segments or len(one.counts) < n_segments for one in places):
        raise BrokenFile(f"{where} lists fewer strips than its pages have; get an undamaged copy")
    stored_bytes = sum({one.path: one.path.stat().st_size for one in places}.values())
    ratio = 1.0 if layout.strip.compression == 1 else MOST_RATIO
    if all(all(one.counts[:n_segments]) for one in places):  # those that leave out tiles may be small
        check_claim(where, series.shape, math.ceil(layout.bits / 8), stored_bytes * 8, ratio)
    return PagedArray(tuple(series.shape), np.dtype(series.dtype), layout, tuple(places))


def _place(page: Any) -> Page:
    path = Path(str(page.parent.filehandle.path))
    return Page(path, tuple(page.dataoffsets), tuple(page.databytecounts))
