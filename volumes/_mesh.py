"""The surfaces of labels as triangles: STL for one object, OBJ for several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from volumes._label_boxes import label_boxes
from volumes._replacing import replacing
from volumes.box import Box
from volumes.errors import InvalidLabels
from volumes.geometry import Geometry
from volumes.segments import Segment
from volumes.volume import Volume

__all__ = ["MeshWriter", "surface"]

_HEADER = b"binary STL, LPS millimetres"
_HEADER_BYTES = 80
_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attributes", "<u2")])
_ROWS_AT_ONCE = 65536


def surface(mask: NDArray[np.bool_], geometry: Geometry) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Draw the closed surface of a mask, half way between voxels inside and outside.

    By marching cubes (Lewiner et al., "Efficient implementation of marching cubes' cases with topological
    guarantees", 2003), as scikit-image has it.

    Parameters
    ----------
    mask : NDArray[bool], shape (P, R, C)
        With a voxel inside. Beyond its border is outside, so the surface is closed there too.
    geometry : Geometry
        Its grid.

    Returns
    -------
    points_mm : NDArray[float64], shape (N, 3)
        Corners (x, y, z), LPS mm.
    triangles : NDArray[intp], shape (M, 3)
        Corners of each triangle, anticlockwise as seen from outside, whatever the handedness of the grid.
    """
    from skimage.measure import marching_cubes

    corners_idx, triangles, _, _ = marching_cubes(np.pad(mask, 1).astype(np.uint8), 0.5)
    points_mm = geometry.index_to_mm(corners_idx.astype(np.float64) - 1)
    triangles = triangles.astype(np.intp)
    first, second, third = (points_mm[triangles[:, corner]] - points_mm[0] for corner in range(3))
    if np.einsum("ij,ij->", first, np.cross(second, third)) < 0:
        triangles = triangles[:, ::-1]
    return points_mm, triangles


@dataclass(frozen=True)
class MeshWriter:
    """Surfaces as binary ``.stl`` (one object) or ``.obj`` (a group for each object), in LPS millimetres."""

    suffixes: tuple[str, ...] = (".stl", ".obj")

    def write(self, path: Path, labels: NDArray[Any], like: Volume, segments: Sequence[Segment]) -> None:
        """Write the surfaces of labels (P, R, C).

        Raises
        ------
        InvalidLabels
            If there is no label, or more than one for STL, which has no names.
        """
        is_stl = path.name.lower().endswith(".stl")
        if not segments:
            raise InvalidLabels(f"cannot write {path}: the labels are empty, and a mesh needs an object")
        if is_stl and len(segments) > 1:
            raise InvalidLabels(
                f"cannot write {path}: STL holds one object, the labels have {len(segments)}; "
                f"write to .obj, or write one object alone (labels == {segments[0].value})"
            )
        surfaces = _surfaces(labels, like.geometry)
        with replacing(path, path.suffix) as temporary:
            if is_stl:
                _write_stl(temporary, *next(surfaces))
            else:
                _write_obj(temporary, segments, surfaces)


def _surfaces(
    labels: NDArray[Any], geometry: Geometry
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.intp]]]:
    """Surfaces of all labels, in their order."""
    for value, sides in label_boxes(labels).items():
        start, stop = zip(*((side.start, side.stop) for side in sides), strict=True)
        yield surface(labels[sides] == value, geometry.crop(Box(start, stop)))


def _write_stl(path: Path, points_mm: NDArray[np.float64], triangles: NDArray[np.intp]) -> None:
    """Write one surface as binary STL."""
    corners = points_mm[triangles]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    records = np.zeros(len(triangles), dtype=_TRIANGLE)
    records["normal"] = normals / np.where(lengths > 0, lengths, 1)
    records["corners"] = corners
    with path.open("wb") as stream:
        stream.write(_HEADER.ljust(_HEADER_BYTES))
        stream.write(len(triangles).to_bytes(4, "little"))
        stream.write(records.tobytes())


def _write_obj(
    path: Path,
    segments: Sequence[Segment],
    surfaces: Iterator[tuple[NDArray[np.float64], NDArray[np.intp]]],
) -> None:
    """Write surfaces as Wavefront OBJ, a group for each object."""
    n_before = 0
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("# LPS millimetres: x to the left, y to the back, z to the head\n")
        for segment, (points_mm, triangles) in zip(segments, surfaces, strict=True):
            stream.write(f"g {_group(segment)}\n")
            for start in range(0, len(points_mm), _ROWS_AT_ONCE):
                rows = points_mm[start : start + _ROWS_AT_ONCE].tolist()
                stream.writelines(f"v {x:.9g} {y:.9g} {z:.9g}\n" for x, y, z in rows)
            for start in range(0, len(triangles), _ROWS_AT_ONCE):
                numbers = (triangles[start : start + _ROWS_AT_ONCE] + n_before + 1).tolist()
                stream.writelines(f"f {a} {b} {c}\n" for a, b, c in numbers)
            n_before += len(points_mm)


def _group(segment: Segment) -> str:
    """Name of a group: one word, since a blank would begin another group."""
    return "_".join(segment.title.split()) or f"object_{segment.value}"
