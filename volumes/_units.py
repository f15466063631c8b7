"""Millimetres in the units that microscopes' files name."""

from __future__ import annotations

import re

__all__ = ["unit_mm"]

_MM = {
    "angstrom": 1e-7, "å": 1e-7, "picometer": 1e-9, "pm": 1e-9,
    "nanometer": 1e-6, "nm": 1e-6,
    "micrometer": 1e-3, "micron": 1e-3, "microns": 1e-3, "um": 1e-3, "µm": 1e-3, "μm": 1e-3,
    "millimeter": 1.0, "mm": 1.0,
    "centimeter": 10.0, "cm": 10.0, "decimeter": 100.0, "dm": 100.0,
    "meter": 1e3, "m": 1e3, "kilometer": 1e6, "km": 1e6,
    "inch": 25.4, "in": 25.4, "foot": 304.8, "ft": 304.8, "yard": 914.4, "yd": 914.4,
}  # fmt: skip


def unit_mm(name: object) -> float | None:
    r"""Millimetres in one of a unit; None for a name that is no known length.

    Parameters
    ----------
    name : object
        As UDUNITS, OME or ImageJ write it: ``"micrometer"``, ``"µm"``, ``"micrometres"``, ``"\\\\u00B5m"`` …
    """
    text = re.sub(r"\\u00[bB]5", "µ", str(name)).strip()
    if text in _MM:
        return _MM[text]
    text = text.lower().replace("metre", "meter")
    return _MM.get(text, _MM.get(text.removesuffix("s")))
