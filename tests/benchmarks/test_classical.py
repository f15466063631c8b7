"""The peers are no straw men: each finds a plain object, and the box bounds the answer."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks._classical import BOX_METHODS
from benchmarks._from_point import POINT_METHODS
from benchmarks._scores import iou
from benchmarks._tasks import innermost, tight_box

SHAPE = (96, 120)


def _disc(*, bright: bool, rgb: bool) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    mask = (rows - 50) ** 2 / 22**2 + (columns - 60) ** 2 / 30**2 <= 1
    grey = np.where(mask == bright, 170.0, 80.0) + np.random.default_rng(0).normal(0, 12, SHAPE)
    image = np.clip(grey, 0, 255).astype(np.uint8)
    if rgb:
        image = np.stack([image, np.full_like(image, 90), 255 - image], axis=-1)
    return image, mask


@pytest.mark.parametrize("rgb", [False, True])
@pytest.mark.parametrize("bright", [False, True])
@pytest.mark.parametrize("name", [name for name in BOX_METHODS if name != "whole box"])
def test_a_disc_is_found_from_its_box(name: str, bright: bool, rgb: bool) -> None:
    image, mask = _disc(bright=bright, rgb=rgb)
    assert iou(BOX_METHODS[name](image, tight_box(mask)), mask) > 0.9


@pytest.mark.parametrize("bright", [False, True])
@pytest.mark.parametrize("name", POINT_METHODS)
def test_a_disc_is_found_from_its_point(name: str, bright: bool) -> None:
    image, mask = _disc(bright=bright, rgb=False)
    assert iou(POINT_METHODS[name](image, innermost(mask)), mask) > 0.85


@pytest.mark.parametrize("name", BOX_METHODS)
@pytest.mark.parametrize("box", [(0, 0, 5, 6), (10, 10, 90, 118), (90, 115, 96, 120), (3, 3, 5, 5)])
def test_nothing_lies_outside_the_box(name: str, box: tuple[int, int, int, int]) -> None:
    image, _ = _disc(bright=True, rgb=False)
    found = BOX_METHODS[name](image, box)
    assert found.shape == SHAPE
    found[box[0] : box[2], box[1] : box[3]] = False
    assert not found.any()


@pytest.mark.parametrize("name", [*BOX_METHODS, *POINT_METHODS])
def test_a_plane_of_one_grey_is_no_trouble(name: str) -> None:
    image = np.full(SHAPE, 7, np.uint8)
    if name in BOX_METHODS:
        assert BOX_METHODS[name](image, (10, 10, 40, 40)).any()
    else:
        assert POINT_METHODS[name](image, (50, 60))[50, 60]
