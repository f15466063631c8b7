from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from tests.volumes.judges import geometry_of
from volumes import Box, Geometry, InvalidBox, InvalidGeometry

finite = st.floats(-200, 200, allow_nan=False)
spacing = st.floats(0.05, 20)


def rotation(quaternion: tuple[float, float, float, float]) -> np.ndarray:
    w, x, y, z = np.asarray(quaternion) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


@st.composite
def images(draw: st.DrawFn) -> sitk.Image:
    image = sitk.Image([draw(st.integers(1, 9)) for _ in range(3)], sitk.sitkUInt8)
    quaternion = draw(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1))
    flips = np.diag(draw(st.tuples(*[st.sampled_from([-1.0, 1.0])] * 3)))
    image.SetDirection((rotation(quaternion) @ flips).ravel().tolist())
    image.SetSpacing(draw(st.tuples(spacing, spacing, spacing)))
    image.SetOrigin(draw(st.tuples(finite, finite, finite)))
    return image


@given(images(), st.tuples(finite, finite, finite))
def test_positions_are_those_of_simpleitk(image: sitk.Image, at_idx: tuple[float, float, float]) -> None:
    expected = image.TransformContinuousIndexToPhysicalPoint(at_idx[::-1])
    np.testing.assert_allclose(geometry_of(image).index_to_mm(at_idx), expected, atol=1e-7)


@given(images(), st.tuples(finite, finite, finite))
def test_there_and_back(image: sitk.Image, at_idx: tuple[float, float, float]) -> None:
    geometry = geometry_of(image)
    np.testing.assert_allclose(geometry.mm_to_index(geometry.index_to_mm(at_idx)), at_idx, atol=1e-6)


@given(images(), st.permutations([0, 1, 2]), st.lists(st.sampled_from([0, 1, 2]), max_size=3))
def test_every_voxel_stays_in_its_place_under_permutation_and_flips(
    image: sitk.Image, axes: list[int], flips: list[int]
) -> None:
    geometry = geometry_of(image)
    places = geometry.index_to_mm(np.moveaxis(np.indices(geometry.shape), 0, -1))
    places, moved = np.transpose(places, [*axes, 3]), geometry.permute(axes)
    for axis in flips:
        places, moved = np.flip(places, axis), moved.flip(axis)
    found = moved.index_to_mm(np.moveaxis(np.indices(moved.shape), 0, -1))
    np.testing.assert_allclose(found, places, atol=1e-6)


def test_crop_keeps_places() -> None:
    geometry = Geometry.from_spacing((5, 6, 7), (3, 2, 1), (10, 20, 30))
    box = Box((1, 2, 3), (4, 5, 6))
    assert geometry.crop(box).shape == (3, 3, 3)
    np.testing.assert_allclose(geometry.crop(box).index_to_mm((1, 1, 1)), geometry.index_to_mm((2, 3, 4)))
    with pytest.raises(InvalidBox, match="clip it"):
        geometry.crop(Box((4, 0, 0), (6, 1, 1)))


def test_from_spacing_runs_along_the_worlds_axes() -> None:
    geometry = Geometry.from_spacing((5, 6, 7), (3, 2, 1), (10, 20, 30))
    np.testing.assert_allclose(geometry.index_to_mm((1, 1, 1)), (11, 22, 33))
    assert geometry.spacing_mm == (3.0, 2.0, 1.0)


def test_is_close_looks_at_the_far_corner() -> None:
    geometry = Geometry.from_spacing((1, 1, 1001))
    longer = Geometry.from_spacing((1, 1, 1001), (1, 1, 1.00001))
    assert geometry.is_close(longer, tolerance_mm=0.011)
    assert not geometry.is_close(longer, tolerance_mm=0.009)
    assert not geometry.is_close(Geometry.from_spacing((1, 1, 1000)))


def test_equality_and_hash() -> None:
    one, same = Geometry.from_spacing((1, 2, 3)), Geometry.from_spacing((1, 2, 3))
    assert one == same
    assert hash(one) == hash(same)
    assert one != Geometry.from_spacing((1, 2, 3), (2, 1, 1))
    assert one != "geometry"


def test_the_affine_is_a_read_only_copy() -> None:
    affine = np.eye(4)
    geometry = Geometry((1, 1, 1), affine)
    affine[0, 0] = 5
    assert geometry.affine[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        geometry.affine[0, 0] = 2


def with_value(row: int, column: int, value: float) -> np.ndarray:
    affine = np.eye(4)
    affine[row, column] = value
    return affine


@pytest.mark.parametrize(
    ("shape", "affine", "words"),
    [
        ((1, 1), np.eye(4), "three lengths"),
        ((1, 0, 1), np.eye(4), "1 or more"),
        ((1, 1, 1), np.eye(3), r"needs \(4, 4\)"),
        ((1, 1, 1), with_value(0, 3, np.nan), "not finite"),
        ((1, 1, 1), with_value(1, 1, 0.0), "flat"),
        ((1, 1, 1), with_value(3, 0, 1.0), "last row"),
    ],
)
def test_what_is_no_geometry_is_refused(shape: tuple, affine: np.ndarray, words: str) -> None:
    with pytest.raises(InvalidGeometry, match=words):
        Geometry(shape, affine)


def test_nanometre_voxels_are_not_flat() -> None:
    assert Geometry.from_spacing((1, 1, 1), (1e-6, 1e-6, 1e-6)).spacing_mm == (1e-6, 1e-6, 1e-6)


@pytest.mark.parametrize("points", [3.0, (1.0, 2.0), np.zeros((3, 2))])
def test_points_need_three_values(points: object) -> None:
    with pytest.raises(InvalidGeometry, match="three values"):
        Geometry.from_spacing((1, 1, 1)).index_to_mm(points)


def test_permute_and_flip_refuse_other_axes() -> None:
    geometry = Geometry.from_spacing((1, 1, 1))
    with pytest.raises(InvalidGeometry, match="permutation"):
        geometry.permute((0, 0, 1))
    with pytest.raises(InvalidGeometry, match="axis 3"):
        geometry.flip(3)
