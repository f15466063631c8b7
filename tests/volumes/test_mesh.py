"""Meshes are closed, turned outward, and lie where the voxels lie."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from volumes import Geometry, InvalidLabels, Provenance, Segment, Volume, write
from volumes._mesh import surface

SIGNS = list(itertools.product((1, -1), repeat=3))
TILT = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]])


def image(matrix: NDArray[np.float64], shape: tuple[int, int, int] = (14, 22, 30)) -> Volume:
    affine = np.eye(4)
    affine[:3, :3] = matrix * (2.5, 1.5, 1.0)
    affine[:3, 3] = (-100.0, 50.5, 1000.25)
    return Volume(np.zeros(shape, np.uint8), Geometry(shape, affine), Provenance("made"))


def ball(shape: tuple[int, int, int], hollow: bool = False) -> NDArray[np.bool_]:
    at = np.moveaxis(np.indices(shape), 0, -1) - np.array([6.0, 10.0, 13.0])
    away = np.linalg.norm(at / (5.2, 8.3, 12.1), axis=-1)
    return (away < 1) & (away > 0.4 if hollow else True)


def stored(path: Path) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.float64]]:
    """Corners, triangles and normals of a binary STL file."""
    content = path.read_bytes()
    assert not content.startswith(b"solid")
    assert b"LPS" in content[:80]
    n_triangles = int.from_bytes(content[80:84], "little")
    assert len(content) == 84 + 50 * n_triangles
    rows = np.frombuffer(content, np.uint8, offset=84).reshape(n_triangles, 50)[:, :48].copy()
    numbers = rows.view("<f4").reshape(n_triangles, 4, 3).astype(float)
    points, triangles = np.unique(numbers[:, 1:].reshape(-1, 3), axis=0, return_inverse=True)
    return points, triangles.reshape(-1, 3), numbers[:, 0]


def volume_mm3(points: NDArray[np.float64], triangles: NDArray[np.intp]) -> float:
    first, second, third = (points[triangles[:, corner]] - points.mean(axis=0) for corner in range(3))
    return float(np.einsum("ij,ij->", first, np.cross(second, third)) / 6)


def assert_closed(triangles: NDArray[np.intp]) -> None:
    """Each edge belongs to two triangles, which go along it in opposite directions."""
    edges = Counter((int(one[at]), int(one[(at + 1) % 3])) for one in triangles for at in range(3))
    assert set(edges.values()) == {1}
    assert all((stop, start) in edges for start, stop in edges)


@pytest.mark.parametrize("signs", SIGNS)
@pytest.mark.parametrize("matrix", [np.eye(3)[:, [2, 1, 0]], TILT])
def test_a_ball_in_every_handedness(
    matrix: NDArray[np.float64], signs: tuple[int, int, int], tmp_path: Path
) -> None:
    like = image(matrix * signs)
    mask = ball(like.shape)
    write(tmp_path / "a.stl", mask, like=like)
    points, triangles, normals = stored(tmp_path / "a.stl")
    assert_closed(triangles)
    voxels_mm3 = mask.sum() * np.prod(like.geometry.spacing_mm)
    assert volume_mm3(points, triangles) == pytest.approx(voxels_mm3, rel=0.03)
    outward = points[triangles].mean(axis=1) - points.mean(axis=0)
    assert (np.einsum("ij,ij->i", outward, normals) > 0).mean() > 0.99
    inside_mm = like.geometry.index_to_mm(np.argwhere(mask))
    half_mm = max(like.geometry.spacing_mm)
    assert np.abs(points.min(axis=0) - inside_mm.min(axis=0)).max() <= half_mm
    assert np.abs(points.max(axis=0) - inside_mm.max(axis=0)).max() <= half_mm


@pytest.mark.parametrize(
    "mask", [np.ones((3, 4, 5), bool), np.eye(3, dtype=bool)[:, :, None], ball((12, 20, 27), True)]
)
def test_objects_at_the_border_touching_or_hollow_are_closed(mask: NDArray[np.bool_]) -> None:
    _, triangles = surface(mask, Geometry.from_spacing(mask.shape, (2.0, 1.0, 0.5)))
    assert_closed(triangles)


@given(
    mask=hnp.arrays(np.bool_, hnp.array_shapes(min_dims=3, max_dims=3, max_side=5), elements=st.booleans())
)
def test_any_surface_is_closed(mask: NDArray[np.bool_]) -> None:
    """Where parts touch along an edge four triangles may share it, two in each direction."""
    assume(mask.any())
    _, triangles = surface(mask, Geometry.from_spacing(mask.shape))
    edges = Counter((int(one[at]), int(one[(at + 1) % 3])) for one in triangles for at in range(3))
    assert all(edges[stop, start] == n_times for (start, stop), n_times in edges.items())


def test_a_box_reaches_half_a_voxel_beyond_the_centres() -> None:
    points, _ = surface(
        np.ones((3, 4, 5), bool), Geometry.from_spacing((3, 4, 5), (2.0, 1.0, 0.5), (7.0, 8.0, 9.0))
    )
    np.testing.assert_allclose(points.min(axis=0), (6.75, 7.5, 8.0), rtol=0, atol=1e-9)
    np.testing.assert_allclose(points.max(axis=0), (9.25, 11.5, 14.0), rtol=0, atol=1e-9)


def test_several_objects_are_groups_of_one_obj(tmp_path: Path) -> None:
    like = image(TILT)
    labels = np.zeros(like.shape, np.uint8)
    labels[1:4, 2:9, 3:8], labels[6:, 5:, 20:] = 2, 7
    write(tmp_path / "a.obj", labels, like=like, segments=[Segment(7, "left  kidney")])
    lines = (tmp_path / "a.obj").read_text(encoding="utf-8").splitlines()
    assert "LPS" in lines[0]
    points = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    groups: dict[str, list[list[int]]] = {}
    for line in lines:
        if line.startswith("g "):
            groups[line[2:]] = current = []
        elif line.startswith("f "):
            current.append([int(word) - 1 for word in line.split()[1:]])
    assert list(groups) == ["object_2", "left_kidney"]
    for value, triangles in zip((2, 7), groups.values(), strict=True):
        assert_closed(np.array(triangles))
        voxels_mm3 = (labels == value).sum() * np.prod(like.geometry.spacing_mm)
        assert volume_mm3(points, np.array(triangles)) == pytest.approx(voxels_mm3, rel=0.1)


def test_what_a_mesh_cannot_hold(tmp_path: Path) -> None:
    like = image(TILT)
    labels = np.zeros(like.shape, np.uint8)
    with pytest.raises(InvalidLabels, match="empty"):
        write(tmp_path / "a.obj", labels, like=like)
    labels[1:3], labels[6] = 4, 5
    with pytest.raises(InvalidLabels, match=r"one object.*2; write to \.obj, or .*labels == 4"):
        write(tmp_path / "a.stl", labels, like=like)
    assert list(tmp_path.iterdir()) == []
