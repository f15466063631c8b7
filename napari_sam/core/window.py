"""The intensity window: one explicit mapping from a volume's values to the uint8 that the encoder sees."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.errors import InvalidWindow
from volumes import LazyArray, Volume

__all__ = ["HU_PRESETS", "Window", "parse_window", "resolve_window"]

_MAX_SAMPLED = 2**22  # values looked at for a volume's percentiles


@dataclass(frozen=True)
class Window:
    """Values from `low` to `high` become 0 to 255, linearly; what lies outside is clipped.

    Raises
    ------
    InvalidWindow
        A bound that is not finite, or `low` not below `high`.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise InvalidWindow(
                f"the window {self.low:g},{self.high:g} is unusable; give two finite numbers, lower first"
            )

    def to_uint8(self, plane: NDArray[Any]) -> NDArray[np.uint8]:
        """Map a plane.

        Parameters
        ----------
        plane : NDArray, shape (H, W) or (H, W, 3)
            Any real dtype. RGB of uint8 passes unchanged: it is a picture already.

        Returns
        -------
        NDArray[uint8], same shape
            Rounded to nearest; not-a-number becomes 0.
        """
        if plane.ndim == 3 and plane.dtype == np.uint8:
            return plane
        gain = np.float32(255.0 / (self.high - self.low))
        scaled = plane.astype(np.float32)
        scaled -= np.float32(self.low)
        scaled *= gain
        if plane.dtype.kind not in "biu":  # whole numbers have no infinity, and are never not-a-number
            np.nan_to_num(scaled, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
        np.clip(scaled, 0.0, 255.0, out=scaled)
        np.rint(scaled, out=scaled)
        return scaled.astype(np.uint8)


FROM_FILE = "file"
"""The request for the window that the file itself suggests, such as a DICOM VOI window."""

HU_PRESETS: dict[str, Window] = {
    "soft-tissue": Window(-160, 240),
    "abdomen": Window(-150, 250),
    "liver": Window(-45, 105),
    "mediastinum": Window(-125, 225),
    "lung": Window(-1350, 150),
    "bone": Window(-500, 1300),
    "brain": Window(0, 80),
    "subdural": Window(-35, 165),
    "stroke": Window(20, 60),
    "angio": Window(-100, 700),
}
"""Windows in Hounsfield units, by name."""


def parse_window(text: str) -> Window | None:
    """Read a window from text.

    Parameters
    ----------
    text : str
        ``"auto"``, ``"file"``, the name of a preset (``"lung"``), or two numbers ``"LOW,HIGH"``.

    Returns
    -------
    Window or None
        None for ``"auto"`` and ``"file"``: the window is to be chosen from the volume.

    Raises
    ------
    InvalidWindow
        Anything else.
    """
    name = re.sub(r"[\s_]+", "-", text.strip().lower())
    if name in ("auto", FROM_FILE):
        return None
    if name in HU_PRESETS:
        return HU_PRESETS[name]
    parts = text.split(",")
    try:
        low, high = (float(part) for part in parts)
    except ValueError:
        raise InvalidWindow(
            f"the window {text!r} is unknown; give LOW,HIGH, auto, file, or one of {', '.join(HU_PRESETS)}"
        ) from None
    return Window(low, high)


def resolve_window(volume: Volume, request: Window | str | None = None) -> Window:
    """Choose the one window of a volume.

    In this order: the request; 0 to 255 for uint8; the soft-tissue preset for values that are Hounsfield
    units of a volume with air; the 0.5 and 99.5 percentiles of the volume. Never from one plane, and without
    a request from the voxels alone: the same volume in another format gets the same window.

    Parameters
    ----------
    volume : Volume
        Whose window is wanted.
    request : Window, str or None
        An explicit wish, or text as in `parse_window`.

    Raises
    ------
    InvalidWindow
        A text that names no window, or ``"file"`` for a file that suggests none.
    """
    explicit = parse_window(request) if isinstance(request, str) else request
    if explicit is not None:
        return explicit
    if isinstance(request, str) and request.strip().lower() == FROM_FILE:
        if volume.suggested_window is None:
            raise InvalidWindow(
                "the window 'file' is not to be had: this file suggests none; give LOW,HIGH or auto"
            )
        return Window(*volume.suggested_window)
    if volume.data.dtype == np.uint8:
        return Window(0, 255)
    if volume.data.dtype == np.bool_:
        return Window(0, 1)
    values = _sample(volume.data)
    low, middle, high = np.percentile(values, (0.5, 50.0, 99.5)).tolist() if values.size else (0.0, 0.0, 0.0)
    lowest = float(values.min(initial=0.0))
    if not volume.is_rgb and lowest <= -900.0 and -4096.0 <= middle <= 1000.0:  # air, and no other scale
        return HU_PRESETS["soft-tissue"]
    return Window(low, high if high > low else low + 1.0)


def _sample(data: NDArray[Any] | LazyArray) -> NDArray[np.float64]:
    """Return the finite values of evenly spaced voxels, the same ones every time."""
    if isinstance(data, LazyArray):
        data = data.overview()
    step = max(1, math.ceil((data.size / _MAX_SAMPLED) ** (1 / 3)))
    values = np.asarray(data[::step, ::step, ::step], dtype=np.float64).ravel()
    return values[np.isfinite(values)]
