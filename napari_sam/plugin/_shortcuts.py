"""Keys and mouse as a person reads them: what each does, in the order in which it is needed."""

from __future__ import annotations

from html import escape

from napari_sam.plugin._bindings import KEYS

__all__ = [
    "MEANINGS",
    "MOUSE",
    "POINTS_KEYS_TAKEN",
    "key_text",
    "shortcut_rows",
    "shortcuts_html",
]

MOUSE = (
    ("Click", "this belongs to the object"),
    ("Right click, Ctrl + click", "this does not"),
    ("Middle drag, Shift + right drag", "window on the screen: right wider, up brighter"),
)
"""What the mouse does beside the tools."""

MEANINGS = {
    "include": "points in the object",
    "exclude": "points that are not the object",
    "box": "draw a box",
    "lasso": "draw an outline",
    "scribble": "draw a stroke",
    "move": "move the view and paint; no prompts",
    "pick": "turn to the object under the mouse",
    "candidate": "next of the model's candidates",
    "take over": "take voxels that other objects have",
    "remove": "remove the prompt under the mouse",
    "clear plane": "clear the object in this plane",
    "refine": "ask again with the mask as it stands",
    "propagate": "follow the object through the planes",
    "next in doubt": "next plane in doubt",
    "previous in doubt": "plane in doubt before",
    "confirm": "confirm this plane",
    "stretch": "propagate this stretch again",
    "accept": "accept the object, begin the next",
    "cancel": "cancel; what is done stays",
    "undo": "undo",
    "redo": "redo",
    "soft tissue": "soft tissue window on the screen",
    "lung": "lung window on the screen",
    "bone": "bone window on the screen",
    "brain": "brain window on the screen",
    "liver": "liver window on the screen",
    "axis": "axial, coronal, sagittal, through the cursor",
    "help": "this list",
}
"""Action to what it does."""

POINTS_KEYS_TAKEN = frozenset({"A", "S", "Delete"})
"""Keys that napari has for editing points, which our own layer of prompts does not take: it is no layer to
edit by hand. On all other layers they stay napari's."""


def key_text(key: str) -> str:
    """Say a key as it stands on a keyboard: ``"Ctrl+Shift+Z"``."""
    return {"Escape": "Esc"}.get(key, key.replace("Control", "Ctrl").replace("-", "+"))


def shortcut_rows() -> tuple[tuple[str, str], ...]:
    """Return (keys or mouse, what it does) of all there are."""
    keys = ((key_text(key), MEANINGS.get(action, action)) for action, key in KEYS.items())
    return (*MOUSE, *keys)


def shortcuts_html() -> str:
    """Return the list as a table in Qt's rich text."""
    rows = "".join(
        f"<tr><td><b>{escape(key)}</b>&nbsp;&nbsp;</td><td>{escape(what)}</td></tr>"
        for key, what in shortcut_rows()
    )
    return f"<table cellspacing='2'>{rows}</table>"
