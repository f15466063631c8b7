"""The keys, and what binds them. What they mean is decided here; what follows from it, in the controller."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

__all__ = ["KEYS", "Keys"]

KEYS = {
    "include": "A",
    "exclude": "S",
    "box": "D",
    "lasso": "H",
    "scribble": "J",
    "move": "G",
    "pick": "Shift-S",
    "candidate": "R",
    "take over": "Shift-R",
    "remove": "Delete",
    "clear plane": "U",
    "refine": "K",
    "propagate": "W",
    "next in doubt": "N",
    "previous in doubt": "Shift-N",
    "confirm": "Shift-Q",
    "stretch": "T",
    "accept": "Q",
    "cancel": "Escape",
    "undo": "Control-Z",
    "redo": "Control-Shift-Z",
    "soft tissue": "F5",
    "lung": "F6",
    "bone": "F7",
    "brain": "F8",
    "liver": "F9",
    "axis": "I",
    "help": "?",
}
"""Action to key; free in napari on the layers where they are bound."""


class Keys:
    """Binds keys to actions on a viewer and on layers, and takes them off again."""

    def __init__(self, actions: dict[str, Callable[[], None]]) -> None:
        self._actions = {KEYS[name]: action for name, action in actions.items()}
        self._bound: list[tuple[Any, str]] = []

    def bind(self, target: Any, *, but: str = "") -> None:
        """Bind the keys on a viewer or a layer, but one; a key that the person bound stays theirs."""
        for key, action in self._actions.items():
            if key == KEYS.get(but):
                continue
            with contextlib.suppress(ValueError):
                target.bind_key(key, _ignoring_target(action))
                self._bound.append((target, key))

    def close(self) -> None:
        """Take the keys off."""
        for target, key in self._bound:
            target.bind_key(key, None, overwrite=True)
        self._bound.clear()


def _ignoring_target(action: Callable[[], None]) -> Callable[[Any], None]:
    def pressed(_: Any) -> None:
        action()

    return pressed
