"""The judgement of a volume, by hand-made numbers."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.nodes.volume_scores import (
    DISTANCES,
    choose_anchor,
    dice_by_distance,
    distance_names,
    planes_to_correct,
    score_volume,
)


def test_the_bands_of_distance_have_names() -> None:
    assert distance_names() == ["0", "1-2", "3-5", "6-10", "11-20", "21+"]


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


def test_planes_that_a_person_would_correct_are_counted() -> None:
    truth, found = np.zeros((6, 4, 5), dtype=bool), np.zeros((6, 4, 5), dtype=bool)
    truth[1:5] = True
    found[1:5] = True
    assert planes_to_correct(found, truth) == 0
    found[1, 0, 0] = False  # Dice 38 / 39
    found[2, 0] = False  # 30 / 35
    found[3] = False
    found[5, 0, 0] = True  # where there is nothing
    assert planes_to_correct(found, truth) == 3
    assert planes_to_correct(found, truth, 0.99) == 4
