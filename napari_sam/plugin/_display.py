"""How the image looks on the screen: windows by key and by drag, and the three ways to cut a volume.

Nothing here changes what the model sees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_sam.core.window import HU_PRESETS, Window
from volumes import Geometry

__all__ = ["PRESET_ACTIONS", "cut_name", "dragged_window", "next_order", "preset_window", "window_text"]

PRESET_ACTIONS = {
    "soft tissue": "soft-tissue",
    "lung": "lung",
    "bone": "bone",
    "brain": "brain",
    "liver": "liver",
}
"""Action of a key to the name of its window in `HU_PRESETS`."""

_PX_TO_DOUBLE = 150.0
"""A drag of so many screen pixels to the right doubles the width of the window."""

_PX_OF_WIDTH = 300.0
"""A drag of so many screen pixels upwards moves the level by the width of the window."""

_MAX_DOUBLINGS = 20.0

_CUTS = ("sagittal", "coronal", "axial")


def dragged_window(start: Window, right_px: float, down_px: float) -> Window:
    """Change a window as a drag of the mouse does: to the right wider, upwards brighter.

    The width is multiplied and the level moved in parts of the width, so that the same drag does the same
    for Hounsfield units, counts of a microscope and values from 0 to 1.

    Parameters
    ----------
    start : Window
        As it was when the mouse was pressed.
    right_px, down_px : float
        Screen pixels since then.

    Returns
    -------
    Window
    """
    width, level = start.high - start.low, (start.low + start.high) / 2
    doublings = min(max(right_px / _PX_TO_DOUBLE, -_MAX_DOUBLINGS), _MAX_DOUBLINGS)
    level += down_px / _PX_OF_WIDTH * width
    width = max(width * 2.0**doublings, math.ulp(level) * 4)
    return Window(level - width / 2, level + width / 2)


def preset_window(action: str, modality: str | None) -> Window | None:
    """Return the window of a key; None where the image is known not to hold Hounsfield units.

    Parameters
    ----------
    action : str
        One of `PRESET_ACTIONS`.
    modality : str or None
        As DICOM has it; None where the file does not say.
    """
    return HU_PRESETS[PRESET_ACTIONS[action]] if modality in (None, "CT") else None


def window_text(window: Window) -> str:
    """Say a window as level and width, as radiologists do, with its ends."""
    level, width = (window.low + window.high) / 2, window.high - window.low
    return f"L {level:.4g} W {width:.4g} ({window.low:.4g} to {window.high:.4g})"


def next_order(order: Sequence[int]) -> tuple[int, ...]:
    """Return the order of a viewer's axes with the next one of the last three cut across.

    Planes, rows, columns, and planes again. The other two stay in the order of the array, and axes before
    the last three (time, channels) stay where they are.

    Parameters
    ----------
    order : sequence of int
        Of a viewer that shows two axes.
    """
    n = len(order)
    volume = [n - 3, n - 2, n - 1]
    cut = order[-3] if order[-3] in volume else volume[-1]
    cut = volume[(volume.index(cut) + 1) % 3]
    return (*(axis for axis in range(n) if axis not in volume), cut, *(a for a in volume if a != cut))


def cut_name(axis: int, geometry: Geometry | None) -> str:
    """Name the planes across an axis of the array: as in a patient where it is known how they lie.

    Parameters
    ----------
    axis : int
        0 planes, 1 rows, 2 columns.
    geometry : Geometry or None
        Of an image whose place in a patient is known. What is tilted gets the name that fits best.
    """
    if geometry is None:
        return ("along the planes", "along the rows", "along the columns")[axis]
    others = [geometry.affine[:3, a] for a in range(3) if a != axis]
    normal = np.abs(np.cross(others[0], others[1]))
    return _CUTS[int(np.argmax(normal))]
