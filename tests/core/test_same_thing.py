"""Objects that meet from plane to plane as one thing would."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_sam.core.labels import object_extents
from napari_sam.core.objects import ObjectState
from napari_sam.core.planes import PlaneRef
from napari_sam.core.same_thing import LEAST_IOU, Meeting, meetings


def found_in(labels: NDArray[np.uint16], axis: int = 0) -> tuple[Meeting, ...]:
    objects = {
        value: ObjectState(value, f"object {value}", extent=box)
        for value, box in object_extents(labels).items()
    }
    return meetings(labels, objects, objects, axis)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_thing_shared_by_two_is_found_where_one_goes_on_as_the_other(axis: int) -> None:
    labels = np.zeros((10, 20, 20), np.uint16)
    labels[1:6, 4:12, 4:12] = 2
    labels[6:9, 4:12, 4:12] = 1
    labels[2:8, 14:18, 14:18] = 3
    labels = np.moveaxis(labels, 0, axis)
    assert found_in(labels, axis) == (Meeting((2, 1), PlaneRef(axis, 5), 1.0),)


def test_neighbours_that_lie_side_by_side_or_apart_are_two_things() -> None:
    labels = np.zeros((10, 20, 20), np.uint16)
    labels[1:9, 4:12, 4:8] = 1
    labels[1:9, 4:12, 8:12] = 2
    labels[0, 4:12, 8:12] = 3  # a small one upon a larger one
    labels[0, 5:12, 8:12] = 0
    assert found_in(labels) == ()
    labels[:] = 0
    labels[1:4, 4:12, 4:12] = 1
    labels[5:8, 4:12, 4:12] = 2  # a plane between them
    assert found_in(labels) == ()


def test_objects_without_a_voxel_and_ids_that_are_gone_are_passed_over() -> None:
    labels = np.zeros((4, 8, 8), np.uint16)
    labels[:, 2:6, 2:6] = 1
    objects = {1: ObjectState(1, "one", extent=object_extents(labels)[1]), 2: ObjectState(2, "two")}
    assert meetings(labels, objects, (1, 2, 9), 0) == ()


@given(st.integers(0, 2**31), st.integers(0, 2))
def test_as_counted_over_whole_planes(seed: int, axis: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 3, (4, 3, 3)).astype(np.uint16)
    planes = np.moveaxis(labels, axis, 0)
    best = 0.0
    for low, high in ((1, 2), (2, 1)):
        for here, there in zip(planes[:-1] == low, planes[1:] == high, strict=True):
            if (here | there).any():
                best = max(best, np.count_nonzero(here & there) / np.count_nonzero(here | there))
    found = found_in(labels, axis)
    assert [one.iou for one in found] == ([best] if best >= LEAST_IOU else [])
