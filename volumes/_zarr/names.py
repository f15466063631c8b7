"""What the values of an OME-Zarr label image are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from volumes._zarr.store import open_place
from volumes.segments import Segment

__all__ = ["read_names"]

_MOST = 1 << 32
_COLOURS = range(256)


def read_names(folder: Path | str) -> tuple[Segment, ...]:
    """Read names and colours of the attribute ``image-label``; what makes no sense in it is left out.

    Parameters
    ----------
    folder : Path or str
        A label image, or its address.

    Raises
    ------
    VolumeError
        If there is no Zarr.
    """
    label = open_place(folder).attributes.get("image-label")
    if not isinstance(label, dict):
        return ()
    names = {value: _name(entry) for value, entry in _entries(label.get("properties"))}
    colours = {value: _colour(entry) for value, entry in _entries(label.get("colors"))}
    return tuple(
        Segment(value, names.get(value, ""), colours.get(value)) for value in sorted({*names, *colours})
    )


def _entries(listed: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Entries of a list that name a value which a label can have."""
    for entry in listed if isinstance(listed, list) else ():
        value = entry.get("label-value") if isinstance(entry, dict) else None
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < _MOST:
            yield value, entry


def _name(entry: Mapping[str, Any]) -> str:
    """Return the name; programs that write classes call it so."""
    name = next((entry[key] for key in ("name", "class") if isinstance(entry.get(key), str)), "")
    return " ".join(name.split())


def _colour(entry: Mapping[str, Any]) -> tuple[int, int, int] | None:
    """Return the colour without its opacity."""
    rgba = entry.get("rgba")
    if not isinstance(rgba, list) or len(rgba) < 3 or not all(one in _COLOURS for one in rgba[:3]):
        return None
    red, green, blue = (int(one) for one in rgba[:3])
    return red, green, blue
