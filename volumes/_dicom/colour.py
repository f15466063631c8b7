"""Colours of DICOM frames: luminance and chrominance, and palettes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from volumes._dicom.header_warnings import SenselessElement
from volumes._dicom.pixel_layout import PixelLayout

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset


def to_rgb(frames: NDArray[Any]) -> NDArray[Any]:
    """Return frames (…, 3) of YBR_FULL, uint8, as RGB.

    Raises
    ------
    SenselessElement
        If they are not of 8 bits, for which alone YBR_FULL is defined.
    """
    from pydicom.pixels.processing import convert_color_space

    if frames.dtype != np.uint8:
        raise SenselessElement("YBR_FULL colours are not of 8 bits")
    return np.asarray(convert_color_space(frames, "YBR_FULL", "RGB", per_frame=True))


def through_palette(frames: NDArray[Any], layout: PixelLayout, tables: FileDataset) -> NDArray[Any]:
    """Return indices (…) as the colours (…, 3) of a file's palette, plain or segmented.

    Colours have the depth of the indices: entries of 16 bits under pixels of 8 lose their lower half, as on
    a display.

    Raises
    ------
    SenselessElement
        If the palette makes no sense.
    """
    from pydicom.pixels.processing import apply_color_lut

    try:
        colours = np.asarray(apply_color_lut(frames, tables))
    except Exception:  # pydicom raises whatever it meets in the palette
        raise SenselessElement("the colour palette cannot be read") from None
    if colours.dtype.itemsize == 1:
        return colours
    if layout.bits_allocated > 8:
        return colours.astype(np.uint16)
    return (colours >> 8).astype(np.uint8) if colours.max(initial=0) > 255 else colours.astype(np.uint8)
