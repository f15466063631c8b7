"""Means by kind of image, by hand-made numbers."""

from __future__ import annotations

import pytest

from benchmarks._scores import kind_table


def test_the_kind_table_counts_each_kind_once_in_the_overall_mean() -> None:
    heads, rows = kind_table(["a", "a", "a", "b"], {"ours": [0.2, 0.4, 0.6, 0.8]})
    assert heads == ["kind of image", "n", "ours"]
    assert rows[0] == ["a", 3, pytest.approx(0.4)]
    assert rows[-1] == ["mean of kinds", 4, pytest.approx(0.6)]
