"""An object's grey levels: what counts as familiar, and that propagation stops where nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from napari_sam.core.intensity import GreyRange, grey_levels
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.window import Window
from volumes import Geometry, Provenance, Volume


def volume_of(data: np.ndarray) -> Volume:
    return Volume(data, Geometry.from_spacing(data.shape[:3]), Provenance("test"))


def test_levels_are_those_under_the_mask_in_the_window() -> None:
    data = np.zeros((2, 6, 6), np.float32)
    data[1, 2:4, 2:5] = [[10, 20, 30], [40, 50, 60]]
    inside = np.zeros((6, 6), np.bool_)
    inside[2, 2:5] = True
    plane = PlaneRef(0, 1)
    mask = BoxedMask.of_plane(inside, plane, (2, 6, 6))
    levels = grey_levels(volume_of(data), Window(0, 255), plane, mask)
    assert levels.tolist() == [10, 20, 30]


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_colour_counts_by_the_mean_of_its_channels_on_any_axis(axis: int) -> None:
    data = np.zeros((4, 4, 4, 3), np.uint8)
    data[..., 0], data[..., 1] = 90, 30
    plane = PlaneRef(axis, 2)
    mask = BoxedMask.of_plane(np.ones((4, 4), np.bool_), plane, (4, 4, 4))
    assert grey_levels(volume_of(data), Window(0, 255), plane, mask).tolist() == [40.0] * 16


def test_most_of_an_objects_own_levels_are_familiar_and_another_tissues_are_not() -> None:
    rng = np.random.default_rng(0)
    known = GreyRange.of_levels(rng.normal(120, 8, 500))
    assert known.share_of(rng.normal(124, 8, 500)) > 0.9
    assert known.share_of(rng.normal(60, 8, 500)) < 0.1


def test_an_object_of_two_tones_may_change_their_share() -> None:
    known = GreyRange.of_levels(np.repeat([20.0, 200.0], [30, 70]))
    assert known.share_of(np.repeat([20.0, 200.0], [80, 20])) == 1.0
