"""Cleaning an object's shape: what each operation does in mm, on grids of any spacing and tilt."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_sam.core.clean_steps import CleanStep, clean_mask, clean_object
from napari_sam.core.cleaning import (
    close_gaps,
    drop_islands,
    fill_holes,
    keep_largest,
    keep_range,
    laid_into,
    limit_to_range,
)
from napari_sam.core.growing import grow, shrink, smooth
from napari_sam.core.masks import BoxedMask
from napari_sam.core.planes import PlaneRef
from napari_sam.core.session import Session
from napari_sam.errors import InvalidEdit, InvalidPrompt
from tests.fakes import labelled_volume
from volumes import Box, Geometry, Volume

SHAPE = (14, 24, 26)
WHOLE = Box((0, 0, 0), SHAPE)
UNEVEN = Geometry.from_spacing(SHAPE, (2.5, 0.7, 1.0))


def tilted(shape: tuple[int, int, int] = SHAPE) -> Geometry:
    """A stack whose planes shift sideways: 25 degrees of gantry tilt, turned in space."""
    affine = Geometry.from_spacing(shape, (2.5, 0.8, 0.8), (5.0, -7.0, 3.0)).affine.copy()
    affine[1, 0] = 2.5 * np.tan(np.radians(25))
    turn, _ = np.linalg.qr(np.array([[1.0, 0.2, -0.1], [0.3, 1.0, 0.4], [0.0, -0.3, 1.0]]))
    affine[:3, :3] = turn @ affine[:3, :3]
    return Geometry(shape, affine)


GEOMETRIES = [Geometry.from_spacing(SHAPE), UNEVEN, tilted()]


def boxed(whole: NDArray[np.bool_]) -> BoxedMask:
    box = Box.of_mask(whole)
    assert box is not None
    return BoxedMask(box, whole[box.slices()].copy())


def blob(geometry: Geometry, radius_mm: float = 5.0) -> NDArray[np.bool_]:
    at = np.moveaxis(np.indices(geometry.shape), 0, -1)
    middle = geometry.index_to_mm([(n - 1) / 2 for n in geometry.shape])
    return np.asarray(np.linalg.norm(geometry.index_to_mm(at) - middle, axis=-1) <= radius_mm)


def by_hand(whole: NDArray[np.bool_], geometry: Geometry, mm: float) -> NDArray[np.bool_]:
    """All voxels whose centre lies within mm of that of a voxel of the mask, as points in space."""
    at_mm = geometry.index_to_mm(np.moveaxis(np.indices(geometry.shape), 0, -1))
    apart_mm, _ = cKDTree(at_mm[whole]).query(at_mm)
    return np.asarray(apart_mm <= mm * (1 + 1e-9))


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("mm", [0.6, 1.0, 2.5, 3.3])
def test_growing_and_shrinking_are_distances_in_mm(geometry: Geometry, mm: float) -> None:
    whole = blob(geometry, 4.0)
    whole[2, 3, 4:9] = True
    assert np.array_equal(laid_into(grow(boxed(whole), geometry, mm), WHOLE), by_hand(whole, geometry, mm))
    expected = ~by_hand(~whole, geometry, mm)
    assert np.array_equal(laid_into(shrink(boxed(whole), geometry, mm), WHOLE), expected)


def test_what_the_border_cuts_off_is_not_eaten_there() -> None:
    whole = np.ones(SHAPE, dtype=bool)
    assert shrink(boxed(whole), UNEVEN, 3.0).bits.all()
    whole[:, :, 13:] = False
    left = laid_into(shrink(boxed(whole), UNEVEN, 2.0), WHOLE)
    assert left[:, :, :11].all()
    assert not left[:, :, 11:].any()
    assert np.array_equal(laid_into(smooth(boxed(whole), UNEVEN, 1.5), WHOLE), whole)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_smoothing_keeps_the_volume_and_rounds_off(geometry: Geometry) -> None:
    whole = blob(geometry, 5.0)
    spiky = whole.copy()
    spiky[7, 12, :] = True
    after = laid_into(smooth(boxed(spiky), geometry, 1.2), WHOLE)
    assert abs(int(after.sum()) - int(spiky.sum())) <= 8
    assert not after[7, 12, :3].any()
    again = laid_into(smooth(boxed(whole), geometry, 1.0), WHOLE)
    assert np.count_nonzero(again ^ whole) <= 0.12 * whole.sum()


def test_the_blur_of_a_tilted_grid_is_that_of_a_straight_one_where_it_is_straight() -> None:
    from napari_sam.core import growing

    bits = blob(UNEVEN, 4.0)
    bits[3, 2:9, 4] = True
    straight, skewed = (one(bits, UNEVEN, 1.3) for one in (growing._blur, growing._blur_skewed))
    assert np.abs(straight - skewed).max() < 0.03


class TestHoles:
    def test_enclosed_ones_are_filled_up_to_a_size(self) -> None:
        whole = np.zeros(SHAPE, dtype=bool)
        whole[2:12, 3:20, 3:20] = True
        solid = whole.copy()
        whole[5, 6, 6] = whole[6, 10:12, 10] = False
        whole[2, 15, 15] = False
        filled = laid_into(fill_holes(boxed(whole), UNEVEN), WHOLE)
        assert np.argwhere(solid & ~filled).tolist() == [[2, 15, 15]]
        small = laid_into(fill_holes(boxed(whole), UNEVEN, 2.5 * 0.7), WHOLE)
        assert np.argwhere(solid & ~small).tolist() == [[2, 15, 15], [6, 10, 10], [6, 11, 10]]

    @pytest.mark.parametrize("axis", [0, 1, 2])
    def test_in_planes_a_tunnel_is_a_hole(self, axis: int) -> None:
        cube = np.zeros((12, 12, 12), dtype=bool)
        cube[2:10, 2:10, 2:10] = True
        solid = cube.copy()
        tunnel: list[int | slice] = [5, 5, 5]
        tunnel[axis] = slice(None)
        cube[tuple(tunnel)] = False
        geometry = Geometry.from_spacing(cube.shape, (2.0, 1.0, 3.0))
        pixel_mm2 = (3.0, 6.0, 2.0)[axis]
        assert np.array_equal(fill_holes(boxed(cube), geometry).bits, boxed(cube).bits)
        filled = fill_holes(boxed(cube), geometry, pixel_mm2, axis=axis)
        assert np.array_equal(filled.bits, boxed(solid).bits)
        kept = fill_holes(boxed(cube), geometry, pixel_mm2 * 0.9, axis=axis)
        assert np.array_equal(kept.bits, boxed(cube).bits)

    def test_frozen_planes_keep_theirs(self) -> None:
        whole = np.ones((5, 5, 5), dtype=bool)
        whole[1:4, 2, 2] = False
        filled = fill_holes(boxed(whole), Geometry.from_spacing((5, 5, 5)), frozen=[PlaneRef(0, 2)])
        assert np.argwhere(~filled.bits).tolist() == [[2, 2, 2]]


class TestPieces:
    @pytest.fixture
    def three(self) -> BoxedMask:
        whole = np.zeros(SHAPE, dtype=bool)
        whole[1, 1, 1] = True
        whole[4:6, 4:6, 4:6] = True
        whole[6, 6, 6] = True  # touches by a corner
        whole[10, 10, 10:13] = True
        return boxed(whole)

    def test_islands_below_a_size_are_dropped(self, three: BoxedMask) -> None:
        voxel = 2.5 * 0.7
        assert [drop_islands(three, UNEVEN, n * voxel).area for n in (1, 2, 3, 4, 9, 10)] == [
            13,
            12,
            12,
            9,
            9,
            0,
        ]

    def test_the_largest_stays(self, three: BoxedMask) -> None:
        assert keep_largest(three).area == 9
        frozen = keep_largest(three, frozen=[PlaneRef(0, 10)])
        assert frozen.area == 12


def test_grey_values_limit_an_object_and_a_stroke() -> None:
    values = np.arange(24.0).reshape(1, 4, 6)
    values[0, 0, 3] = np.nan
    mask = BoxedMask(Box((0, 0, 0), (1, 4, 6)), np.ones((1, 4, 6), dtype=bool))
    assert np.flatnonzero(keep_range(mask, values, 2, 5).bits).tolist() == [2, 4, 5]
    before, after = np.zeros((1, 4, 6), np.uint16), np.full((1, 4, 6), 3, np.uint16)
    limited = limit_to_range(before, after, values, 2, 5)
    assert np.flatnonzero(limited).tolist() == [2, 4, 5]
    assert limited.dtype == np.uint16
    with pytest.raises(InvalidEdit, match="from 5 to 2 holds no value"):
        keep_range(mask, values, 5, 2)
    with pytest.raises(InvalidEdit, match="RGB"):
        keep_range(mask, np.zeros((1, 4, 6, 3)), 0, 1)


def test_gaps_between_planes_are_closed_up_to_a_width() -> None:
    whole = np.zeros(SHAPE, dtype=bool)
    for index in (1, 2, 4, 9):
        whole[index, 5:15, 5:15] = True
    closed = laid_into(close_gaps(boxed(whole), UNEVEN, 5.0), WHOLE)
    assert np.flatnonzero(closed.any(axis=(1, 2))).tolist() == [1, 2, 3, 4, 9]
    assert np.array_equal(closed[3], whole[2])
    every = laid_into(close_gaps(boxed(whole), UNEVEN, frozen=[PlaneRef(0, 6)]), WHOLE)
    assert np.flatnonzero(every.any(axis=(1, 2))).tolist() == [1, 2, 3, 4, 5, 7, 8, 9]


STEPS = [
    CleanStep("fill holes"),
    CleanStep("fill holes", 3.0, axis=1),
    CleanStep("islands", 6.0),
    CleanStep("largest"),
    CleanStep("smooth", 1.5),
    CleanStep("grow", 1.5),
    CleanStep("shrink", 1.0),
    CleanStep("range", low=0.5),
    CleanStep("close gaps"),
]
# Of equal pieces the first in the order of the array is kept, and middles are rounded to one side.
TURNABLE = [step for step in STEPS if step.kind not in ("largest", "close gaps")]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    step=st.sampled_from(TURNABLE),
    axes=st.permutations([0, 1, 2]),
    flipped=st.sampled_from([0, 1, 2]),
)
def test_turning_the_array_changes_nothing(seed: int, step: CleanStep, axes: list[int], flipped: int) -> None:
    axes = [0, 1, 2] if step.axis is not None else axes
    rng = np.random.default_rng(seed)
    whole = rng.random((6, 8, 9)) < 0.6
    geometry = Geometry.from_spacing(whole.shape, (2.5, 0.7, 1.0))
    image = labelled_volume(rng.integers(0, 3, whole.shape).astype(np.uint16))

    def turn(array: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.flip(np.transpose(array, axes), flipped)

    def done(bits: NDArray[np.generic], at: Geometry) -> NDArray[np.generic]:
        mask = boxed(np.asarray(bits, dtype=bool))
        values = np.asarray(image.data)
        where = Volume(values if at is geometry else turn(values), at, image.provenance)
        return laid_into(clean_mask(mask, step, where), Box((0, 0, 0), at.shape))

    turned = done(turn(whole), geometry.permute(axes).flip(flipped))
    assert np.count_nonzero(turned != turn(done(whole, geometry))) <= (2 if step.kind == "smooth" else 0)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_frozen_planes_stay_whatever_is_done(step: CleanStep, axis: int) -> None:
    rng = np.random.default_rng(3)
    whole = np.zeros(SHAPE, dtype=bool)
    whole[3:9, 4:16, 6:19] = rng.random((6, 12, 13)) < 0.7
    image = labelled_volume(rng.integers(0, 3, SHAPE).astype(np.uint16))
    frozen = [PlaneRef(axis, index) for index in (1, 7, 8)]
    after = laid_into(clean_mask(boxed(whole), step, image, frozen), WHOLE)
    for plane in frozen:
        assert np.array_equal(plane.take(after), plane.take(whole))


class TestInASession:
    def session(self) -> Session:
        labels = np.zeros(SHAPE, np.uint16)
        labels[2:8, 4:12, 4:12] = 1
        labels[4, 6, 6] = 0
        labels[6, 6, 6] = 0
        labels[2:8, 4:12, 12:16] = 2
        labels[12, 22, 24] = 1
        session = Session(labelled_volume(labels), labels)
        session.paint(Box((6, 4, 4), (7, 5, 5)), np.ones((1, 1, 1), int), np.ones((1, 1, 1), int) * 0)
        return session

    def test_it_is_one_step_that_leaves_neighbours_and_anchors_alone(self) -> None:
        session = self.session()
        before = session.labels.copy()
        steps = [CleanStep("largest"), CleanStep("fill holes"), CleanStep("grow", 1.0)]
        edit = clean_object(session, 1, steps)
        assert edit is not None
        assert edit.cause == "largest + fill holes + grow"
        labels = session.labels
        assert np.array_equal(labels == 2, before == 2)
        assert np.array_equal(labels[6], before[6])
        assert labels[4, 6, 6] == 1
        assert labels[12, 22, 24] == 0
        assert labels[4, 3, 6] == 1
        session.undo()
        assert np.array_equal(session.labels, before)
        clean_object(session, 1, [CleanStep("fill holes")], keeps_anchors=False)
        assert session.labels[6, 6, 6] == 1

    def test_what_cannot_be_is_refused(self) -> None:
        session = self.session()
        with pytest.raises(InvalidPrompt, match="no object 9"):
            clean_object(session, 9, [CleanStep("largest")])
        session.lock(1)
        with pytest.raises(InvalidPrompt, match="locked"):
            clean_object(session, 1, [CleanStep("largest")])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CleanStep("polish"), "'polish' is no clean-up; choose from fill holes"),
        (lambda: CleanStep("grow"), "'grow' has no size"),
        (lambda: CleanStep("close gaps", axis=3), "axis is 3"),
        (lambda: clean_mask(boxed(blob(UNEVEN)), CleanStep("grow", -1.0), UNEVEN), "is -1; give a number"),
        (lambda: clean_mask(boxed(blob(UNEVEN)), CleanStep("range", low=1), UNEVEN), "without an image"),
        (lambda: clean_mask(boxed(blob(UNEVEN)), CleanStep("smooth", np.inf), UNEVEN), "is inf"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidEdit, match=message):
        make()
