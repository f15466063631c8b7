"""Habits kept from one start of the window to the next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from napari_sam.store.window_memory import WindowMemory, memory_file, read_memory, write_memory

__all__ = ["Memory"]


class Memory:
    """What the window remembers; every change is on disk at once.

    Parameters
    ----------
    path : pathlib.Path, optional
        The file; beside the settings when None.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = memory_file() if path is None else path
        self.now: WindowMemory = read_memory(self._path)

    def keep(self, **changes: Any) -> None:
        """Change fields of `WindowMemory`."""
        after = replace(self.now, **changes)
        if after != self.now:
            self.now = after
            write_memory(self._path, after)

    def keep_folded(self, section: str, is_folded: bool) -> None:
        """Remember whether a section is folded away."""
        self.keep(folded={**self.now.folded, section: is_folded})
