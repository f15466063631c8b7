"""What the window remembers from one start to the next: habits, never an image, a place or a person."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

from napari_sam.settings import settings_file

__all__ = ["WindowMemory", "memory_file", "read_memory", "write_memory"]

_MAX_BYTES = 65_536
_WORD = re.compile(r"[\w .:-]{1,80}")


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True)
class WindowMemory:
    """Habits of the person at this computer.

    Parameters
    ----------
    folded : mapping of str to bool
        Section of the dock to whether it is folded away; what is not in it is as the plugin begins.
    tool : str
        What the mouse did last; "" where nothing was chosen.
    model : str
        Name of the model; "" where none was chosen. A file of weights is not remembered.
    finds_in_all, joins : bool
        The options of finding everything.
    """

    folded: Mapping[str, bool] = field(default_factory=_nothing)
    tool: str = ""
    model: str = ""
    finds_in_all: bool = False
    joins: bool = True


def memory_file() -> Path:
    """Return where it is kept: beside the settings file; it need not exist."""
    return settings_file().with_name("window.json")


def read_memory(path: Path) -> WindowMemory:
    """Read what is remembered; each part that is missing or makes no sense is as at the first start."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            return WindowMemory()
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return WindowMemory()
    if not isinstance(content, dict):
        return WindowMemory()
    checks: dict[str, Callable[[object], Any]] = {
        "folded": _switches,
        "tool": _word,
        "model": _word,
        "finds_in_all": _switch,
        "joins": _switch,
    }
    kept: dict[str, Any] = {name: checks[name](content[name]) for name in checks if name in content}
    return WindowMemory(**{name: value for name, value in kept.items() if value is not None})


def write_memory(path: Path, memory: WindowMemory) -> bool:
    """Keep it, whole or not at all; returns whether it could be kept. Not to be able to is no error."""
    temporary: Path | None = None
    content = {one.name: _plain(getattr(memory, one.name)) for one in fields(memory)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=path.name, suffix=".part", delete=False, encoding="utf-8"
        ) as file:
            temporary = Path(file.name)
            json.dump(content, file, indent=1, sort_keys=True)
            file.write("\n")
        temporary.replace(path)
    except OSError:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        return False
    return True


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and (not value or _WORD.fullmatch(value)) else None


def _switch(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _switches(value: object) -> Mapping[str, bool] | None:
    if not isinstance(value, dict):
        return None
    return {name: one for name, one in value.items() if _word(name) and isinstance(one, bool)}
