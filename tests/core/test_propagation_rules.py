from __future__ import annotations

import math

import pytest

from napari_sam.core.planes import PlaneRef
from napari_sam.core.propagation_rules import PropagationLimits, choose_candidate, reason_to_stop
from volumes import Box

LIMITS = PropagationLimits()


@pytest.mark.parametrize(
    ("score", "overlap", "area_before", "area", "reason"),
    [
        (0.9, 0.8, 1000, 1100, ""),
        (0.9, 0.8, 1000, 0, "empty"),
        (0.19, 0.8, 1000, 1100, "score"),
        (0.9, 0.39, 1000, 1100, "overlap"),
        (0.9, 0.6, 1000, 2600, "area"),
        (0.9, 0.6, 1000, 380, "area"),
        (0.5, 0.5, 1000, 2500, ""),
        (0.5, 0.5, 1000, 400, ""),
        (0.1, 0.1, 1000, 0, "empty"),
        (0.1, 0.1, 1000, 5000, "score"),
        (0.9, 0.1, 1000, 5000, "overlap"),
    ],
)
def test_rules_and_their_order(
    score: float, overlap: float, area_before: int, area: int, reason: str
) -> None:
    assert reason_to_stop(LIMITS, score, overlap, area_before, area) == reason


@pytest.mark.parametrize("radius", [1.0, 1.5, 2.0, 3.0, 6.0, 40.0])
def test_one_pixel_of_outline_never_stops(radius: float) -> None:
    """A disc that grows or shrinks by one pixel on all sides, however small it is."""
    area = round(math.pi * radius**2)
    true_radius = math.sqrt(area / math.pi)
    smaller = max(math.ceil(math.pi * max(true_radius - 1, 0) ** 2), 1)
    for other in (math.floor(math.pi * (true_radius + 1) ** 2), smaller):
        overlap = min(area, other) / max(area, other)
        assert reason_to_stop(LIMITS, 0.9, overlap, area, other) == ""


def test_slack_does_not_help_large_objects_or_lost_ones() -> None:
    assert reason_to_stop(LIMITS, 0.9, 0.39, 800, 800) == "overlap"
    assert reason_to_stop(LIMITS, 0.9, 0.0, 4, 4) == "overlap"
    strict = PropagationLimits(slack_px=0)
    assert reason_to_stop(strict, 0.9, 0.39, 12, 12) == "overlap"
    assert reason_to_stop(LIMITS, 0.9, 0.39, 12, 12) == ""


def test_margin_is_never_below_a_pixel_and_stays_in_the_plane() -> None:
    shape = (5, 100, 100)
    small, large, corner = (
        LIMITS.grown_box(PlaneRef(0, 2).box_of(box_hw), PlaneRef(0, 2), shape)
        for box_hw in ((10, 10, 13, 13), (10, 10, 70, 50), (0, 95, 4, 100))
    )
    assert small == Box((2, 9, 9), (3, 14, 14))
    assert large == Box((2, 7, 8), (3, 73, 52))
    assert corner == Box((2, 0, 94), (3, 5, 100))


def test_candidate_is_chosen_by_score_and_overlap_together() -> None:
    scores = [0.95, 0.85, 0.6]
    assert choose_candidate(scores, [0.3, 0.8, 0.9], ["", "", ""]) == 1
    assert choose_candidate(scores, [0.8, 0.8, 0.8], ["", "", ""]) == 0


def test_a_candidate_that_breaks_no_rule_goes_first() -> None:
    assert choose_candidate([0.95, 0.6, 0.4], [0.9, 0.5, 0.9], ["area", "", "score"]) == 1
    assert choose_candidate([0.95, 0.6, 0.4], [0.9, 0.5, 0.9], ["area", "empty", "score"]) == 0


def test_the_preferred_candidate_is_taken_unless_it_breaks_a_rule() -> None:
    assert choose_candidate([0.8, 0.9, 0.7], [0.7, 0.9, 0.7], ["", "", ""], preferred=0) == 0
    assert choose_candidate([0.8, 0.9, 0.7], [0.7, 0.9, 0.7], ["area", "", ""], preferred=0) == 1


def test_a_candidate_that_the_model_does_not_believe_in_is_never_taken() -> None:
    assert choose_candidate([0.9, 0.4, 0.3], [0.1, 0.9, 0.9], ["overlap", "", ""]) == 0


def test_the_best_of_candidates_that_promise_nothing_is_taken() -> None:
    assert choose_candidate([-0.02, -0.01, -0.3], [0.1, 0.1, 0.9], ["", "", ""]) == 1
