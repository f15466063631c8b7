"""The classes that objects may have, from a small JSON file and into one."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_sam.core.classes import ObjectClass
from napari_sam.errors import InvalidClass, InvalidPrompt
from napari_sam.nodes.names_file import code_from_json, colour_from_json
from napari_sam.nodes.outputs import write_bytes

__all__ = ["read_classes", "write_classes"]

_FORM = '{"classes": [{"name": "liver", "colour": "#c77dff", "type": ["10200004", "SCT", "Liver"]}]}'
_KNOWN = {"name", "colour", "color", "type", "category"}


def read_classes(path: Path) -> tuple[ObjectClass, ...]:
    """Read a list of classes, in its order.

    Parameters
    ----------
    path : Path
        JSON: ``{"classes": [{"name": "liver", "colour": "#c77dff", "type": ["10200004", "SCT", "Liver"],
        "category": ["123037004", "SCT", "Anatomical Structure"]}]}``. Only the name is needed; a colour may
        be three numbers, and a class a text that is its name.

    Raises
    ------
    InvalidClass
        No such file, no JSON, an entry that cannot be used, or a name that comes twice.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidClass(f"cannot read {path}: {error.strerror}; check the path") from error
    except ValueError as error:
        raise InvalidClass(f"{path} is no JSON: {error}; write {_FORM}") from error
    entries = content.get("classes") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise InvalidClass(f"{path} holds no list of classes; write {_FORM}")
    classes = tuple(_class(entry, f"{path}: class {k}") for k, entry in enumerate(entries, start=1))
    names = [one.name for one in classes]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidClass(f"{path} has the class {twice!r} more than once; give each a name of its own")
    return classes


def write_classes(path: Path, classes: Sequence[ObjectClass]) -> None:
    """Write a list of classes, as `read_classes` reads it; raises UnwritableOutput."""
    plain = ObjectClass("plain")
    entries = []
    for one in classes:
        entry: dict[str, Any] = {"name": one.name}
        if one.colour is not None:
            entry["colour"] = f"#{bytes(one.colour).hex()}"
        if one.category != plain.category:
            entry["category"] = [one.category.value, one.category.scheme, one.category.meaning]
        if one.kind != plain.kind:
            entry["type"] = [one.kind.value, one.kind.scheme, one.kind.meaning]
        entries.append(entry)
    text = json.dumps({"classes": entries}, indent=1, ensure_ascii=False) + "\n"
    write_bytes(path, text.encode("utf-8"))


def _class(entry: Any, where: str) -> ObjectClass:
    fields: Mapping[str, Any] = {"name": entry} if isinstance(entry, str) else entry
    if not isinstance(fields, dict) or not isinstance(fields.get("name"), str):
        raise InvalidClass(f"{where} has no name; write {_FORM}")
    unknown = sorted(set(fields) - _KNOWN)
    if unknown:
        raise InvalidClass(f"{where} holds {unknown[0]!r}; give name, colour, type, category")
    codes = {
        ours: fields[theirs]
        for theirs, ours in (("category", "category"), ("type", "kind"))
        if theirs in fields
    }
    try:
        colour = colour_from_json(fields.get("colour", fields.get("color")), where)
        return ObjectClass(
            fields["name"], colour, **{name: code_from_json(code, where) for name, code in codes.items()}
        )
    except InvalidPrompt as error:
        raise InvalidClass(str(error)) from error
