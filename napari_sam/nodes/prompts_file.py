"""Prompts for several objects from a JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_sam.core.prompts import BoxPrompt, PointPrompt
from napari_sam.errors import InvalidPrompt
from napari_sam.nodes.object_prompts import ObjectPrompts, box_in_plane, group_prompts

__all__ = ["read_prompts"]

_CANDIDATES = range(3)
_EXAMPLE = '{"objects": [{"id": 1, "prompts": [{"type": "box", "plane": 12, "box": [y0, x0, y1, x1]}]}]}'


def read_prompts(path: str | Path, axis: int = 0) -> tuple[ObjectPrompts, ...]:
    """Read a file of prompts.

    ``{"objects": [{"id": 1, "name": "liver", "prompts": [
    {"type": "point", "at": [z, y, x], "positive": true},
    {"type": "box", "plane": z, "box": [y0, x0, y1, x1]}]}]}``; ``name`` and ``positive`` may be left out.
    An object may have a ``candidate``, 0, 1 or 2: which of the model's masks to take at its prompts.

    Parameters
    ----------
    path : str or Path
        The file.
    axis : int
        The axis that the planes cut across. Points are (plane, row, column) of the volume for any axis; a box
        is the plane's index along the axis, and half-open rows and columns of that plane.

    Returns
    -------
    tuple of ObjectPrompts
        In the file's order.

    Raises
    ------
    InvalidPrompt
        The file cannot be read, is not JSON, or an entry cannot be used; the message names the entry.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise InvalidPrompt(f"the prompts {path} cannot be read: {reason}; check the path") from error
    except ValueError as error:  # not JSON, or not even text
        raise InvalidPrompt(f"the prompts {path} are not JSON ({error}); write {_EXAMPLE}") from error
    listed = content.get("objects") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise InvalidPrompt(f"the prompts {path} have no list of objects; write {_EXAMPLE}")
    return tuple(_object(entry, f"{path}: objects[{number}]", axis) for number, entry in enumerate(listed))


def _object(entry: Any, where: str, axis: int) -> ObjectPrompts:
    _check_keys(entry, where, required={"id", "prompts"}, known={"id", "name", "prompts", "candidate"})
    object_id, name, listed = entry["id"], entry.get("name", ""), entry["prompts"]
    candidate = entry.get("candidate")
    if not _is_whole(object_id) or object_id < 1:
        raise InvalidPrompt(f"{where}.id is {object_id!r}; give a whole number from 1")
    if not isinstance(name, str):
        raise InvalidPrompt(f"{where}.name is {name!r}; give a text")
    if candidate is not None and not (_is_whole(candidate) and candidate in _CANDIDATES):
        raise InvalidPrompt(f"{where}.candidate is {candidate!r}; give 0, 1 or 2, or leave it out")
    if not isinstance(listed, list) or not listed:
        raise InvalidPrompt(f"{where}.prompts is {_short(listed)}; give a list of points and boxes")
    prompts = [_prompt(one, f"{where}.prompts[{number}]", axis) for number, one in enumerate(listed)]
    with _named(where):
        return replace(group_prompts(object_id, name, prompts, axis), candidate=candidate)


def _prompt(entry: Any, where: str, axis: int) -> PointPrompt | BoxPrompt:
    kind = entry.get("type") if isinstance(entry, dict) else None
    if kind == "point":
        _check_keys(entry, where, required={"type", "at"}, known={"type", "at", "positive"})
        plane, row, column = _numbers(entry["at"], f"{where}.at", "[z, y, x]", 3, whole=False)
        positive = entry.get("positive", True)
        if not isinstance(positive, bool):
            raise InvalidPrompt(f"{where}.positive is {positive!r}; give true or false")
        return PointPrompt((plane, row, column), positive)
    if kind == "box":
        _check_keys(entry, where, required={"type", "plane", "box"}, known={"type", "plane", "box"})
        (plane_index,) = _numbers([entry["plane"]], f"{where}.plane", "one whole number", 1, whole=True)
        box_hw = _numbers(entry["box"], f"{where}.box", "[y0, x0, y1, x1] in whole numbers", 4, whole=True)
        with _named(where):
            return box_in_plane(axis, plane_index, box_hw)
    raise InvalidPrompt(f'{where} is {_short(entry)}; give {{"type": "point", …}} or {{"type": "box", …}}')


@contextmanager
def _named(where: str) -> Iterator[None]:
    """Put the entry's name before what the body complains of."""
    try:
        yield
    except InvalidPrompt as error:
        raise InvalidPrompt(f"{where}: {error}") from error


def _check_keys(entry: Any, where: str, *, required: set[str], known: set[str]) -> None:
    if not isinstance(entry, dict):
        raise InvalidPrompt(f"{where} is {_short(entry)}; give an object with {', '.join(sorted(required))}")
    missing, unknown = sorted(required - set(entry)), sorted(set(entry) - known)
    if missing:
        raise InvalidPrompt(f"{where} has no {missing[0]!r}; it needs {', '.join(sorted(required))}")
    if unknown:
        raise InvalidPrompt(f"{where} has an unknown {unknown[0]!r}; known are {', '.join(sorted(known))}")


def _numbers(values: Any, where: str, wanted: str, n: int, *, whole: bool) -> Sequence[Any]:
    suits = _is_whole if whole else _is_number
    if not isinstance(values, list) or len(values) != n or not all(suits(value) for value in values):
        raise InvalidPrompt(f"{where} is {_short(values)}; give {wanted}")
    return values


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "…"
