"""Measures of shapes whose measures are known, on straight, uneven, oblique and tilted grids."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from napari_sam.core.cleaning import laid_into
from napari_sam.core.diameters import longest_in_plane
from napari_sam.core.masks import BoxedMask
from napari_sam.core.measuring import ObjectMeasures, class_totals, measure_intensities, measure_object
from napari_sam.core.plane_sums import PlaneSum, PlaneSums
from napari_sam.core.planes import PlaneRef
from napari_sam.core.surface_area import surface_area_mm2
from napari_sam.errors import InvalidEdit
from tests.core.test_cleaning import boxed, tilted
from volumes import Box, Geometry


def oblique(shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]) -> Geometry:
    """A grid at right angles, turned in space."""
    affine = Geometry.from_spacing(shape, spacing_mm, (-20.0, 31.5, 7.0)).affine.copy()
    turn, _ = np.linalg.qr(np.array([[1.0, 0.4, -0.2], [0.3, 1.0, 0.4], [0.1, -0.6, 1.0]]))
    affine[:3, :3] = turn @ affine[:3, :3]
    return Geometry(shape, affine)


def ellipsoid(
    geometry: Geometry, radii_mm: tuple[float, float, float], off_idx: tuple[float, float, float] = (0, 0, 0)
) -> BoxedMask:
    """An ellipsoid whose axes run along the grid's, in the middle of it."""
    middle = geometry.index_to_mm((np.array(geometry.shape) - 1) / 2 + off_idx)
    apart = geometry.index_to_mm(np.moveaxis(np.indices(geometry.shape), 0, -1)) - middle
    along = apart @ geometry.directions
    return boxed(np.asarray(((along / radii_mm) ** 2).sum(axis=-1) <= 1.0))


GRIDS = [
    Geometry.from_spacing((60, 60, 60)),
    oblique((26, 84, 84), (2.5, 0.7, 0.7)),
    oblique((60, 110, 36), (1.0, 0.5, 2.0)),
]


@pytest.mark.parametrize("geometry", GRIDS)
@pytest.mark.parametrize("radius_mm", [16.3, 17.5, 24.0])
@pytest.mark.parametrize("off_idx", [(0.0, 0.0, 0.0), (0.3, -0.4, 0.2)])
def test_balls(geometry: Geometry, radius_mm: float, off_idx: tuple[float, float, float]) -> None:
    mask = ellipsoid(geometry, (radius_mm,) * 3, off_idx)
    found = measure_object(mask, geometry)
    widest_mm = max(geometry.spacing_mm)
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * radius_mm**3 / 1000, rel=0.015)
    assert found.surface_mm2 == pytest.approx(4 * np.pi * radius_mm**2, rel=0.02)
    assert found.sphericity == pytest.approx(1.0, abs=0.02)
    assert found.equivalent_diameter_mm == pytest.approx(2 * radius_mm, rel=0.005)
    assert found.longest.mm == pytest.approx(2 * radius_mm, abs=widest_mm)
    assert found.in_plane.longest.mm == pytest.approx(2 * radius_mm, abs=widest_mm)
    assert found.in_plane.perpendicular.mm == pytest.approx(2 * radius_mm, abs=widest_mm)
    assert found.largest_area_mm2 == pytest.approx(np.pi * radius_mm**2, rel=0.02)
    middle = geometry.index_to_mm((np.array(geometry.shape) - 1) / 2 + off_idx)
    assert np.linalg.norm(np.subtract(found.centroid_lps_mm, middle)) < 0.05 * widest_mm


def test_a_small_ball_and_a_tilted_one_have_their_surface() -> None:
    geometry = tilted((40, 120, 120))
    middle = geometry.index_to_mm([19.6, 59.5, 59.2])
    at_mm = geometry.index_to_mm(np.moveaxis(np.indices(geometry.shape), 0, -1))
    ball = np.asarray(np.linalg.norm(at_mm - middle, axis=-1) <= 15.0)
    assert surface_area_mm2(ball, geometry) == pytest.approx(4 * np.pi * 225, rel=0.02)
    small = ellipsoid(Geometry.from_spacing((15, 15, 15)), (5.0,) * 3, (0.1, 0.2, 0.3))
    assert surface_area_mm2(small.bits, Geometry.from_spacing((15, 15, 15))) == pytest.approx(
        4 * np.pi * 25, rel=0.02
    )


def test_an_ellipsoid_at_an_angle_to_the_world() -> None:
    geometry = oblique((50, 80, 120), (1.2, 0.8, 0.6))
    found = measure_object(ellipsoid(geometry, (12.0, 20.0, 30.0)), geometry)
    assert found.volume_ml == pytest.approx(4 / 3 * np.pi * 12 * 20 * 30 / 1000, rel=0.01)
    power = 1.6075  # Thomsen's formula for the surface of an ellipsoid, right within 1.1 %
    mean = ((12 * 20) ** power + (12 * 30) ** power + (20 * 30) ** power) / 3
    assert found.surface_mm2 == pytest.approx(4 * np.pi * mean ** (1 / power), rel=0.03)
    assert found.longest.mm == pytest.approx(60, abs=1.2)
    flat = found.in_plane
    assert (flat.axis, flat.longest.mm) == (0, pytest.approx(60, abs=1.2))
    assert flat.perpendicular.mm == pytest.approx(40, abs=1.2)
    along = np.subtract(*flat.longest.ends_lps_mm)
    aside = np.subtract(*flat.perpendicular.ends_lps_mm)
    assert abs(along @ aside) < 1e-6 * flat.product_mm2
    assert abs(along @ geometry.directions[:, 2]) == pytest.approx(flat.longest.mm, rel=0.01)
    for line in (found.longest, flat.longest, flat.perpendicular):
        assert np.allclose(geometry.index_to_mm(line.ends_idx), line.ends_lps_mm)


def test_a_box_of_voxels_is_exact() -> None:
    geometry = Geometry.from_spacing((20, 30, 40), (2.0, 0.5, 1.5), (10.0, 20.0, 30.0))
    whole = np.zeros(geometry.shape, dtype=bool)
    whole[5:9, 10:20, 12:32] = True
    values = np.arange(4 * 10 * 20, dtype=np.float32).reshape(4, 10, 20)
    found = measure_object(boxed(whole), geometry, values)
    assert (found.voxels, found.box) == (800, Box((5, 10, 12), (9, 20, 32)))
    assert found.volume_ml == pytest.approx(800 * 1.5 / 1000)
    assert found.areas_mm2 == {index: pytest.approx(200 * 0.75) for index in range(5, 9)}
    assert (found.largest_plane, found.in_plane.plane) == (5, 5)
    assert found.centroid_lps_mm == pytest.approx((10 + 21.5 * 1.5, 20 + 14.5 * 0.5, 30 + 6.5 * 2.0))
    # Corners are cut by half a voxel: the outline runs through the middle of faces.
    assert found.in_plane.longest.mm == pytest.approx(np.hypot(20 * 1.5, 9 * 0.5))
    grey = found.intensities
    assert grey is not None
    assert (grey.n, grey.low, grey.high, grey.mean, grey.median) == (800, 0, 799, 399.5, 399.5)
    assert grey.spread == pytest.approx(values.std())
    assert grey.percentiles == pytest.approx(np.percentile(values, [5, 25, 50, 75, 95]))


@pytest.mark.parametrize(("at", "axis"), [((0, 0, 0), 0), ((4, 5, 6), 1), ((2, 3, 3), 2)])
def test_one_voxel_wherever_it_is(at: tuple[int, int, int], axis: int) -> None:
    geometry = oblique((5, 6, 7), (2.0, 0.5, 1.5))
    whole = np.zeros(geometry.shape, dtype=bool)
    whole[at] = True
    found = measure_object(boxed(whole), geometry, np.full((1, 1, 1), np.nan), axis)
    assert (found.voxels, found.intensities) == (1, None)
    assert found.centroid_lps_mm == pytest.approx(tuple(geometry.index_to_mm(at)))
    assert found.longest.mm == pytest.approx(2.0)
    sides = sorted(np.delete([2.0, 0.5, 1.5], axis))
    assert found.in_plane.longest.mm == pytest.approx(sides[1])
    assert found.in_plane.perpendicular.mm == pytest.approx(sides[0])
    assert found.largest_area_mm2 == pytest.approx(sides[0] * sides[1])
    assert np.isfinite(found.surface_mm2)


def test_one_plane_at_the_border() -> None:
    geometry = Geometry.from_spacing((1, 40, 50), (3.0, 0.5, 0.5))
    found = measure_object(ellipsoid(geometry, (9.0, 6.0, 11.0)), geometry)
    assert found.in_plane.longest.mm == pytest.approx(22, abs=0.6)
    assert found.in_plane.perpendicular.mm == pytest.approx(12, abs=0.6)
    assert found.longest.mm >= found.in_plane.longest.mm
    full = measure_object(boxed(np.ones((1, 40, 50), dtype=bool)), geometry)
    assert full.volume_ml == pytest.approx(2000 * 0.75 / 1000)


def test_the_perpendicular_line_stays_inside() -> None:
    geometry = Geometry.from_spacing((1, 30, 60))
    whole = np.zeros((1, 30, 60), dtype=bool)
    whole[0, 5:8, 2:58] = True
    whole[0, 8:12, 30:33] = True
    whole[0, 15:29, 30:33] = True  # further on across a gap
    found = measure_object(boxed(whole), geometry)
    assert found.in_plane.perpendicular.mm == pytest.approx(14.0, abs=0.8)
    whole[0, 15:29] = False
    assert measure_object(boxed(whole), geometry).in_plane.perpendicular.mm == pytest.approx(7.0, abs=0.8)


def numbers(found: ObjectMeasures) -> list[float]:
    """What no turning of the array may change."""
    grey = found.intensities
    assert grey is not None
    scalars = [found.voxels, found.volume_ml, found.surface_mm2, found.longest.mm]
    return [*scalars, *found.centroid_lps_mm, grey.mean, grey.spread, *grey.percentiles]


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    axes=st.permutations([0, 1, 2]),
    flipped=st.integers(0, 2),
    moved=st.tuples(*[st.integers(0, 3)] * 3),
)
def test_the_order_of_axes_and_the_place_in_the_array_do_not_matter(
    seed: int, axes: list[int], flipped: int, moved: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(seed)
    geometry = tilted((8, 9, 10))
    whole = np.zeros(geometry.shape, dtype=bool)
    whole[2:5, 3:6, 1:7] = rng.random((3, 3, 6)) < 0.5
    whole[3, 4, 4] = True
    values = rng.normal(100, 30, geometry.shape)

    def measured(
        bits: NDArray[np.bool_], grey: NDArray[np.float64], at: Geometry, axis: int
    ) -> ObjectMeasures:
        mask = boxed(bits)
        return measure_object(mask, at, grey[mask.box.slices()], axis)

    found = measured(whole, values, geometry, 0)
    turn = [np.flip(np.transpose(one, axes), flipped) for one in (whole, values)]
    turned = measured(turn[0], turn[1], geometry.permute(axes).flip(flipped), axes.index(0))
    assert numbers(turned) == pytest.approx(numbers(found))
    assert turned.in_plane.longest.mm == pytest.approx(found.in_plane.longest.mm)
    assert sorted(turned.areas_mm2.values()) == pytest.approx(sorted(found.areas_mm2.values()))
    shifted = measured(np.roll(whole, moved, (0, 1, 2)), np.roll(values, moved, (0, 1, 2)), geometry, 0)
    step_mm = geometry.index_to_mm(moved) - geometry.index_to_mm((0, 0, 0))
    expected = np.array(numbers(found))
    expected[4:7] += step_mm
    assert numbers(shifted) == pytest.approx(expected.tolist())


@pytest.mark.parametrize("geometry", [GRIDS[1], GRIDS[2]])
def test_an_outside_judge_agrees(geometry: Geometry) -> None:
    mask = ellipsoid(geometry, (10.0, 14.0, 17.0), (0.2, 0.3, -0.4))
    whole = laid_into(mask, Box((0, 0, 0), geometry.shape)).copy()
    whole[3:6, 20:30, 8:12] = True
    mask = boxed(whole)
    values = np.random.default_rng(1).normal(40.0, 20.0, geometry.shape)
    found = measure_object(mask, geometry, values[mask.box.slices()])
    label, grey = (SimpleITK.GetImageFromArray(one) for one in (whole.astype(np.uint8), values))
    for one in (label, grey):
        one.SetSpacing(geometry.spacing_mm[::-1])
        one.SetOrigin(geometry.affine[:3, 3].tolist())
        one.SetDirection(geometry.directions[:, ::-1].ravel().tolist())
    shape = SimpleITK.LabelShapeStatisticsImageFilter()
    shape.ComputeFeretDiameterOn()
    shape.Execute(label)
    assert found.voxels == shape.GetNumberOfPixels(1)
    assert found.volume_ml * 1000 == pytest.approx(shape.GetPhysicalSize(1))
    assert found.centroid_lps_mm == pytest.approx(shape.GetCentroid(1))
    assert found.equivalent_diameter_mm == pytest.approx(2 * shape.GetEquivalentSphericalRadius(1))
    # ITK's Feret diameter goes from the centre of a voxel to the centre of another.
    feret_mm = shape.GetFeretDiameter(1)
    assert feret_mm < found.longest.mm <= feret_mm + np.linalg.norm(geometry.spacing_mm)
    assert found.surface_mm2 == pytest.approx(shape.GetPerimeter(1), rel=0.1)
    intensity = SimpleITK.LabelIntensityStatisticsImageFilter()
    intensity.Execute(label, grey)
    inside = found.intensities
    assert inside is not None
    assert inside.mean == pytest.approx(intensity.GetMean(1))
    assert (inside.low, inside.high) == (intensity.GetMinimum(1), intensity.GetMaximum(1))
    assert inside.spread == pytest.approx(intensity.GetStandardDeviation(1), rel=1e-3)  # ITK's is of a sample


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), axis=st.integers(0, 2))
def test_the_longest_line_of_a_plane_is_the_longest_of_all_pairs(seed: int, axis: int) -> None:
    rng = np.random.default_rng(seed)
    geometry = tilted((5, 6, 7))
    whole = rng.random(geometry.shape) < 0.3
    whole[2, 2, 2] = True
    mask = boxed(whole)
    places = np.argwhere(whole)
    halves = np.delete(np.eye(3) * 0.5, axis, axis=0)
    for index in range(geometry.shape[axis]):
        own = places[places[:, axis] == index]
        line = longest_in_plane(mask, geometry, axis, index)
        assert (line is None) == (len(own) == 0)
        if line is not None:
            ends = np.concatenate([own + sign * half for half in halves for sign in (-1, 1)])
            assert line.mm == pytest.approx(pdist(geometry.index_to_mm(ends)).max())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), axis=st.integers(0, 2), index=st.integers(0, 4))
def test_counting_one_plane_again_is_counting_all_again(seed: int, axis: int, index: int) -> None:
    rng = np.random.default_rng(seed)
    geometry = tilted((5, 6, 7))
    whole = rng.random(geometry.shape) < 0.4
    whole[1, 1, 1] = True
    values = rng.normal(1e6, 1.0, geometry.shape)
    values[0, 0, 0] = np.nan
    box = Box((0, 0, 0), geometry.shape)
    sums = PlaneSums.of(BoxedMask(box, whole), geometry, values, axis)
    plane = PlaneRef(axis, index)
    changed = whole.copy()
    changed[plane.box(whole.shape).slices()] = rng.random() < 0.5
    again = sums.with_plane(index, PlaneSum.of(plane.take(changed), (0, 0), plane.take(values)))
    assert again == PlaneSums.of(BoxedMask(box, changed), geometry, values, axis)
    if changed.any():
        full = measure_object(BoxedMask(box, changed), geometry, values, axis)
        assert (again.voxels, again.areas_mm2) == (full.voxels, full.areas_mm2)
        assert again.volume_ml == pytest.approx(full.volume_ml)
        assert again.centroid_lps_mm == pytest.approx(full.centroid_lps_mm)
        grey = full.intensities
        assert (again.mean is None) == (grey is None)
        if grey is not None:
            assert again.mean == pytest.approx(grey.mean)
            assert again.spread == pytest.approx(grey.spread, abs=1e-6)


def test_nothing_has_no_measures() -> None:
    geometry = Geometry.from_spacing((2, 2, 2))
    nothing = BoxedMask(Box((0, 0, 0), (2, 2, 2)), np.zeros((2, 2, 2), dtype=bool))
    with pytest.raises(InvalidEdit, match="without a voxel"):
        measure_object(nothing, geometry)
    sums = PlaneSums.of(nothing, geometry)
    assert (sums.voxels, sums.mean, sums.spread, sums.centroid_lps_mm) == (0, None, None, None)
    assert measure_intensities(nothing.bits, np.zeros((2, 2, 2, 3))) is None


def test_classes_are_counted() -> None:
    geometry = Geometry.from_spacing((3, 3, 3))
    one = measure_object(boxed(np.ones((3, 3, 3), dtype=bool)), geometry)
    measures = {1: one, 2: one, 5: replace(one, voxels=3, volume_ml=0.003)}
    totals = class_totals(measures, {1: "vessel", 5: "vessel"}, ["bone"])
    assert [(each.name, each.n_objects, each.voxels) for each in totals] == [
        ("", 1, 27),
        ("bone", 0, 0),
        ("vessel", 2, 30),
    ]
    assert totals[2].volume_ml == pytest.approx(0.030)
