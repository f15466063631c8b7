"""Means by kind of image, for the benchmarks' tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_sam.nodes.tables import Cell


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
