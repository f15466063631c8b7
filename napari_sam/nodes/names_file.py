"""What the values of a label file are called, from a JSON that a person wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from napari_sam.core.naming import object_colour
from napari_sam.errors import InvalidPrompt
from volumes import Code, InvalidLabels, LabelVolume, Segment

__all__ = ["code_from_json", "colour_from_json", "named_segments", "read_names"]

_FORM = '{"1": "liver", "2": {"name": "spleen", "colour": "#c77dff"}}'
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


def read_names(path: Path) -> tuple[Segment, ...]:
    """Read names, colours and codes.

    Parameters
    ----------
    path : Path
        JSON: ``{"1": "liver", "2": {"name": "spleen", "colour": "#c77dff", "type": ["78961009", "SCT",
        "Spleen"], "category": […]}}``; a colour may be three numbers too. A prompts file does as well: of its
        ``"objects"``, ids and names count.

    Returns
    -------
    tuple of Segment
        In order of their values.

    Raises
    ------
    InvalidPrompt
        No such file, no JSON, or an entry that cannot be used, named by its value.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidPrompt(f"cannot read {path}: {error.strerror}; check the path") from error
    except ValueError as error:
        raise InvalidPrompt(f"{path} is no JSON: {error}; write {_FORM}") from error
    if isinstance(content, dict) and isinstance(content.get("objects"), list):
        objects = [one if isinstance(one, dict) else {} for one in content["objects"]]
        content = {str(one.get("id")): {"name": one.get("name", "")} for one in objects}
    if not isinstance(content, dict):
        raise InvalidPrompt(f"{path} holds a {type(content).__name__}; write {_FORM}")
    segments = [_segment(path, value, entry) for value, entry in content.items()]
    return tuple(sorted(segments, key=lambda one: one.value))


def named_segments(labels: LabelVolume, named: Sequence[Segment] = ()) -> tuple[Segment, ...]:
    """Say of each value that labels hold what it is: as a person names it, else as the file does.

    A value without a colour gets the one that the window shows it in.
    """
    known = {one.value: one for one in (*labels.segments, *named)}
    found = sorted({value for plane in labels.data for value in np.unique(plane).tolist() if value})
    segments = (known.get(value, Segment(value)) for value in found)
    return tuple(
        one if one.colour is not None else replace(one, colour=object_colour(one.value)) for one in segments
    )


def _segment(path: Path, value: str, entry: Any) -> Segment:
    where = f"{path}: the entry {value!r}"
    fields: Mapping[str, Any] = {"name": entry} if isinstance(entry, str) else entry
    if not value.isdecimal() or not isinstance(fields, dict):
        raise InvalidPrompt(f"{where} is no name of a value; write {_FORM}")
    known = {"name", "colour", "color", "type", "category"}
    unknown = sorted(set(fields) - known)
    if unknown or not isinstance(fields.get("name", ""), str):
        raise InvalidPrompt(f"{where} holds {unknown or fields['name']!r}; give name, colour, type, category")
    colour = colour_from_json(fields.get("colour", fields.get("color")), where)
    try:
        segment = Segment(int(value), fields.get("name", ""), colour)
    except InvalidLabels as error:
        raise InvalidPrompt(f"{where}: {error}") from error
    if "category" in fields:
        segment = replace(segment, category=code_from_json(fields["category"], where))
    return replace(segment, kind=code_from_json(fields["type"], where)) if "type" in fields else segment


def colour_from_json(given: Any, where: str) -> tuple[int, int, int] | None:
    """Read a colour, ``"#c77dff"`` or three numbers; raises InvalidPrompt that says where it stands."""
    if given is None:
        return None
    if isinstance(given, str) and _HEX.fullmatch(given):
        given = list(bytes.fromhex(given[1:]))
    if not isinstance(given, list) or len(given) != 3 or any(type(part) is not int for part in given):
        raise InvalidPrompt(f'{where} has the colour {given!r}; give "#c77dff" or three numbers, 0 to 255')
    red, green, blue = given
    return red, green, blue


def code_from_json(given: Any, where: str) -> Code:
    """Read a code, ``["78961009", "SCT", "Spleen"]``; raises InvalidPrompt that says where it stands."""
    if not isinstance(given, list) or len(given) != 3 or any(not isinstance(part, str) for part in given):
        raise InvalidPrompt(f'{where} has the code {given!r}; give ["78961009", "SCT", "Spleen"]')
    return Code(*given)
