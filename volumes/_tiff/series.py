"""The series of a TIFF as arrays with named axes, whatever program wrote them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._axes import AxisPlan, Choice, plan_axes
from volumes._limits import check_claim, check_memory
from volumes._quiet import quiet_stderr
from volumes._stored import StoredArray, StoredSource
from volumes._tiff.codecs import MOST_RATIO
from volumes._tiff.located import paged_array
from volumes._tiff.pages import LoadedArray
from volumes._tiff.sizes import Described, describe
from volumes.errors import BrokenFile, UnsupportedImage

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage, TiffPageSeries

__all__ = ["FoundSeries", "find_series"]

_WHITE_IS_ZERO, _RGB, _PALETTE, _CMYK, _YCBCR = 0, 2, 3, 5, 6
_COLOURED = (_RGB, _YCBCR)
_ALPHA = (1, 2)


@dataclass(frozen=True)
class FoundSeries:
    """A series of a TIFF.

    Parameters
    ----------
    path : Path
        The file.
    series : tifffile.TiffPageSeries
        Usable while the file is open.
    plan : AxisPlan
        Which of its axes are a volume's.
    described : Described
        What the metadata say of it.
    notes : list of str
        What was assumed or left out; complete after `source`.
    """

    path: Path
    series: TiffPageSeries
    plan: AxisPlan
    described: Described
    notes: list[str] = field(default_factory=list)

    def source(self, choice: Choice) -> StoredSource:
        """Make what the voxels of one channel and time are read from. Called while the file is open.

        Raises
        ------
        BrokenFile
            If the file is too small for what it says.
        UnsupportedImage
            If its compression has no decoder.
        """
        page = self.series.keyframe
        if _needs_colours(page):
            array: StoredArray = LoadedArray(self._in_colour(page))
            return StoredSource(array, self._with_colour(), choice, str(self.path))
        located = paged_array(self.series, self.path)
        array = LoadedArray(self._loaded()) if located is None else located
        coarser = self._coarser(choice) if located is not None else ()
        return StoredSource(array, self.plan, choice, str(self.path), lambda: coarser)

    def _coarser(self, choice: Choice) -> Sequence[StoredSource]:
        """Smaller copies of the same series."""
        found = []
        for level in self.series.levels[1:]:
            if level.axes != self.series.axes:
                continue
            array = paged_array(level, self.path)
            if array is not None:
                plan = plan_axes(self.plan.letters, level.shape, str(self.path))
                if plan.volume_axes == self.plan.volume_axes:
                    found.append(StoredSource(array, plan, choice, str(self.path)))
        return found

    def _loaded(self) -> NDArray[Any]:
        """Read all of it through tifffile, or through Pillow where that has no decoder."""
        series = self.series
        dtype = np.dtype(series.dtype)
        check_claim(self.path, series.shape, dtype.itemsize, self.path.stat().st_size, MOST_RATIO)
        check_memory(self.path, math.prod(series.shape) * dtype.itemsize)
        try:
            return np.asarray(series.asarray())
        except (KeyError, ValueError, ImportError, AttributeError, NotImplementedError) as error:
            if "imagecodecs" not in str(error) and isinstance(error, KeyError | ValueError):
                raise
            return _through_pillow(self.path, list(series.pages)).reshape(series.shape)

    def _in_colour(self, page: TiffPage) -> NDArray[Any]:
        """Red, green and blue of a palette or of CMYK or YCbCr, as the last axis."""
        if page.photometric == _PALETTE and page.colormap is not None:
            located = paged_array(self.series, self.path)
            whole = tuple((0, length) for length in self.series.shape)
            indices = self._loaded() if located is None else located.read(whole)
            colours = np.asarray(page.colormap).T
            colours = (colours >> 8 if colours.max() > 255 else colours).astype(np.uint8)
            if indices.size and int(indices.max()) >= len(colours):
                raise BrokenFile(f"{self.path} has pixels beyond its palette; get an undamaged copy")
            return np.asarray(colours[indices])
        dtype = np.dtype(np.uint8)
        check_claim(self.path, self.series.shape, dtype.itemsize, self.path.stat().st_size, MOST_RATIO)
        pixels = _through_pillow(self.path, list(self.series.pages), mode="RGB")
        return pixels.reshape((*self._with_colour().lengths[:-1], 3))

    def _with_colour(self) -> AxisPlan:
        """Plan with the colours as the last axis."""
        letters = self.plan.letters
        lengths = [n for letter, n in zip(letters, self.plan.lengths, strict=True) if letter != "S"]
        return plan_axes(letters.replace("S", "") + "S", [*lengths, 3], str(self.path))


def find_series(tiff: TiffFile, path: Path) -> list[FoundSeries]:
    """List the series of an open file; smaller copies beside full ones are left out.

    Raises
    ------
    BrokenFile
        If there is no image, or the metadata contradict themselves.
    UnsupportedImage
        If a series has axes or colours that are not read.
    """
    len(tiff.pages)  # follows the chain of pages once, which notices where it bites its own tail
    every = [(index, one) for index, one in enumerate(tiff.series) if one.shape]
    full = [(index, one) for index, one in every if not one.keyframe.is_reduced] or every
    if not full:
        raise BrokenFile(f"{path} is a TIFF without an image; get an undamaged copy")
    return [_found(tiff, path, index, one) for index, one in full]


def _found(tiff: TiffFile, path: Path, index: int, series: TiffPageSeries) -> FoundSeries:
    page = series.keyframe
    if getattr(page, "dtype", None) is None:
        raise UnsupportedImage(
            f"{path} has {page.bitspersample} bits a value, which is not read; save 8 or 16"
        )
    letters, notes = _letters(series, path)
    if page.photometric == _PALETTE:
        notes.append(
            "palette colours were turned into RGB" if _needs_colours(page) else "a palette was left out"
        )
    if page.photometric == _WHITE_IS_ZERO:
        notes.append("the file shows zero as white; the values are as stored")
    plan = plan_axes(letters, series.shape, str(path))
    return FoundSeries(path, series, plan, describe(tiff, index), notes)


def _letters(series: TiffPageSeries, path: Path) -> tuple[str, list[str]]:
    """Letters of the axes, where S is colour only, with notes on what is left out."""
    page = series.keyframe
    letters = series.axes.upper()
    at = letters.find("S")
    if at < 0 or series.shape[at] == 1:
        return letters, []
    n_samples = series.shape[at]
    alpha = any(int(kind) in _ALPHA for kind in page.extrasamples or ())
    if page.photometric in _COLOURED and n_samples in (3, 4):
        return letters, ["alpha was left out"] if n_samples == 4 else []
    if page.photometric == _CMYK and n_samples == 4:
        return letters, ["CMYK colours were turned into RGB"]
    if n_samples == 2 and alpha:
        return letters, ["alpha was left out"]
    return letters.replace("S", "C"), []


def _needs_colours(page: TiffPage) -> bool:
    """Whether the values become red, green and blue only by more than reading them."""
    parent: Any = page.parent
    if page.photometric == _PALETTE:
        return page.colormap is not None and not (parent.is_imagej or parent.is_ome)
    return page.photometric == _CMYK or (page.photometric == _YCBCR and page.compression != 7)


def _through_pillow(path: Path, pages: Sequence[Any], mode: str | None = None) -> NDArray[Any]:
    """Decode pages that tifffile cannot, all of one size."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with quiet_stderr(), Image.open(path, formats=["TIFF"]) as picture:
                decoded = []
                for page in pages:
                    picture.seek(page.index)
                    decoded.append(np.array(picture.convert(mode) if mode else picture))
    except (OSError, ValueError, EOFError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnsupportedImage(
            f"{path} has a compression that cannot be decoded ({' '.join(str(error).split())[:200]}); "
            "save it uncompressed or with deflate"
        ) from error
    return np.stack(decoded)
