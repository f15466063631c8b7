"""Overlap of masks, means by kind, and the tables that the benchmarks print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Cell = str | float | int | None


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union of two masks of one shape; 1 where both are empty."""
    either = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / either if either else 1.0


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Dice coefficient of two masks of one shape; 1 where both are empty."""
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2 * int(np.count_nonzero(a & b)) / total if total else 1.0


def means_by_kind(kinds: Sequence[str], values: Sequence[float]) -> dict[str, float]:
    """Mean of the values of each kind, kinds in the order of their first appearance."""
    sums: dict[str, list[float]] = {}
    for kind, value in zip(kinds, values, strict=True):
        sums.setdefault(kind, []).append(value)
    return {kind: float(np.mean(some)) for kind, some in sums.items()}


def kind_table(
    kinds: Sequence[str], columns: dict[str, Sequence[float]]
) -> tuple[list[str], list[list[Cell]]]:
    """Give heads and rows: a row a kind, its count, each method's mean; last the mean of the kinds."""
    means = {name: means_by_kind(kinds, values) for name, values in columns.items()}
    names = list(dict.fromkeys(kinds))
    rows: list[list[Cell]] = [
        [kind, list(kinds).count(kind), *(means[column][kind] for column in columns)] for kind in names
    ]
    overall: list[Cell] = [float(np.mean(list(means[column].values()))) for column in columns]
    return ["kind of image", "n", *columns], [*rows, ["mean of kinds", len(kinds), *overall]]


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
