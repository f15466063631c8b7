"""Tables as text or Markdown, and numbers for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

__all__ = ["Cell", "format_table", "round_floats"]

Cell: TypeAlias = str | float | int | None


def format_table(heads: Sequence[str], rows: Sequence[Sequence[Cell]], *, markdown: bool = False) -> str:
    """Lay out a table as aligned text or as Markdown; numbers to the right, fractions with three digits."""
    texts = [[_text(cell) for cell in row] for row in rows]
    widths = [
        max(len(heads[i]), *(len(row[i]) for row in texts)) if texts else len(heads[i])
        for i in range(len(heads))
    ]

    def line(cells: Sequence[str]) -> str:
        padded = [cells[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)
        ]
        return "| " + " | ".join(padded) + " |" if markdown else "  ".join(padded).rstrip()

    end = ":" if markdown else "-"
    rule = ["-" * widths[0], *("-" * (width - 1) + end for width in widths[1:])]
    return "\n".join([line(list(heads)), line(rule), *(line(row) for row in texts)])


def round_floats(value: Any, digits: int = 4) -> Any:
    """Round every float in nested dictionaries and lists, for JSON."""
    if isinstance(value, dict):
        return {key: round_floats(inner, digits) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [round_floats(inner, digits) for inner in value]
    return round(value, digits) if isinstance(value, float) else value


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)
