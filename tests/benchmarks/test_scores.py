"""Overlaps, tables, and the judgement of a volume, by hand-made numbers."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks._scores import dice, format_table, iou, kind_table, round_floats
from benchmarks._volume_scores import DISTANCES, choose_anchor, dice_by_distance, score_volume


def test_iou_and_dice() -> None:
    a, b = np.zeros((4, 4), dtype=bool), np.zeros((4, 4), dtype=bool)
    assert iou(a, b) == dice(a, b) == 1.0
    a[0], b[:, 0] = True, True  # 4 and 4 pixels, one in common
    assert iou(a, b) == pytest.approx(1 / 7)
    assert dice(a, b) == pytest.approx(2 / 8)


def test_the_kind_table_counts_each_kind_once_in_the_overall_mean() -> None:
    heads, rows = kind_table(["a", "a", "a", "b"], {"ours": [0.2, 0.4, 0.6, 0.8]})
    assert heads == ["kind of image", "n", "ours"]
    assert rows[0] == ["a", 3, pytest.approx(0.4)]
    assert rows[-1] == ["mean of kinds", 4, pytest.approx(0.6)]


def test_markdown_and_text_tables() -> None:
    assert format_table(["kind", "n"], [["cells", 0.5]], markdown=True).splitlines() == [
        "| kind  |     n |",
        "| ----- | ----: |",
        "| cells | 0.500 |",
    ]
    assert format_table(["kind", "n"], [["cells", None]]).splitlines() == ["kind   n", "-----  -", "cells  -"]


def test_floats_are_rounded_at_any_depth() -> None:
    assert round_floats({"a": [(0.123456, 2)]}) == {"a": [[0.1235, 2]]}


def test_a_volume_is_judged_at_both_ends() -> None:
    truth, found = np.zeros((20, 4, 4), dtype=bool), np.zeros((20, 4, 4), dtype=bool)
    truth[5:15] = True
    found[3:12] = True
    score = score_volume(found, truth, 10)
    assert score.n_planes == 10
    assert (score.too_many, score.too_few) == ((2, 0), (0, 3))
    assert score.dice == pytest.approx(2 * 7 / 19)
    assert score.anchor_dice == 1.0
    by_distance = dice_by_distance([score])
    assert by_distance[0] == 1.0
    assert by_distance[DISTANCES.index((3, 5))] == pytest.approx(
        2 * 3 / 8
    )  # planes 5-7 agree, 13 and 14 do not
    assert by_distance[-1] is None


def test_nothing_found_lacks_every_plane() -> None:
    truth = np.zeros((9, 2, 2), dtype=bool)
    truth[2:7] = True
    score = score_volume(np.zeros_like(truth), truth, 4)
    assert (score.dice, score.too_many, score.too_few) == (0.0, (0, 0), (2, 2))


def test_the_anchor_is_the_middle_plane_or_the_largest() -> None:
    truth = np.zeros((9, 5, 5), dtype=bool)
    truth[1:8, 2, 2] = True
    truth[6] = True
    assert choose_anchor(truth, "middle") == 4
    assert choose_anchor(truth, "largest") == 6
