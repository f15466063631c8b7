from __future__ import annotations

import math

import pytest

from napari_sam.core.propagation_reach import reach_of


def ball_px(index: int, centre: int = 20, radius: int = 10) -> int:
    return round(math.pi * (radius**2 - (index - centre) ** 2))


def test_a_ball_ends_a_little_beyond_its_radius() -> None:
    first, last = reach_of({index: ball_px(index) for index in (14, 20, 26)})
    assert (first, last) == (pytest.approx(20 - 14.5, abs=0.1), pytest.approx(20 + 14.5, abs=0.1))


@pytest.mark.parametrize(
    "areas",
    [{}, {3: 50}, {3: 50, 9: 80}, {3: 50, 9: 50, 15: 50}, {3: 50, 9: 20, 15: 50}, {3: 10, 9: 20, 15: 30}],
)
def test_fewer_anchors_and_tubes_say_nothing(areas: dict[int, int]) -> None:
    first, last = reach_of(areas)
    assert first < -100
    assert last > 100
