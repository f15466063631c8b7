"""The menu of the table of objects: what asks the person first, and what goes straight to the steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from napari_sam.plugin._dialogs import ask_classes, ask_colour, ask_name
from napari_sam.plugin._table_steps import TableSteps

__all__ = ["table_actions"]

Action = Callable[[Sequence[int]], None]


def table_actions(table: TableSteps, parent: Any) -> dict[str, Action]:
    """Say what each entry of the menu does with the chosen objects, by `ObjectPanel.action_chosen`.

    Parameters
    ----------
    table : TableSteps
        Does it.
    parent : QWidget
        Owner of the dialogs.
    """

    def colour(ids: Sequence[int]) -> None:
        now = next((row.colour for row in table.rows if row.id in ids), (128, 128, 128))
        chosen = ask_colour(parent, now)
        if chosen is not None:
            table.set_colour(ids, chosen)

    def new_class(ids: Sequence[int]) -> None:
        name = ask_name(parent, "New class", "What is it called?")
        if name:
            table.add_class(name)
            table.set_class(ids, name)

    def load_classes(_: Sequence[int]) -> None:
        path = ask_classes(parent, to_save=False)
        if path is not None:
            table.load_classes(path)

    def save_classes(_: Sequence[int]) -> None:
        path = ask_classes(parent, to_save=True)
        if path is not None:
            table.save_classes(path)

    return {
        "go to": lambda ids: table.go_to(ids[0]),
        "show only": table.show_only,
        "colour": colour,
        "merge": table.merge,
        "split": lambda ids: table.split(ids[0]),
        "delete": table.delete,
        "renumber": lambda _: table.renumber(),
        "new class": new_class,
        "load classes": load_classes,
        "save classes": save_classes,
    }
