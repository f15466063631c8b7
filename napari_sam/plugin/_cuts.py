"""The two other cuts of a volume as pictures: through which voxel, which way up, in which colours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sam.core.planes import PlaneRef
from napari_sam.core.window import Window
from napari_sam.plugin._space import flipped_axes, runs_to_head
from volumes import Geometry

__all__ = ["Cut", "cut_of", "draw_cut"]

ColourOf = Callable[[int], Sequence[float] | None]
"""Label to red, green, blue and opacity, 0 to 1; None or no opacity where it is not shown."""


@dataclass(frozen=True)
class Cut:
    """How one cut is shown.

    Parameters
    ----------
    plane : PlaneRef
        Which plane.
    flips : tuple[bool, bool]
        Whether its rows, and its columns, are shown the other way round.
    shape_hw : tuple[int, int]
        Its rows and columns.
    size_mm : tuple[float, float]
        Height and width.
    """

    plane: PlaneRef
    flips: tuple[bool, bool]
    shape_hw: tuple[int, int]
    size_mm: tuple[float, float]

    def part_of(self, at: Sequence[float]) -> tuple[float, float]:
        """Return where a voxel (plane, row, column) is in the picture, as parts of its height and width."""
        row, col = (
            (x + 0.5) / n if not flip else 1.0 - (x + 0.5) / n
            for x, n, flip in zip(self.plane.rc(at), self.shape_hw, self.flips, strict=True)
        )
        return row, col

    def voxel_at(self, part_hw: tuple[float, float]) -> tuple[float, float, float]:
        """Return the voxel (plane, row, column) of the cut at parts of the picture's height and width."""
        row, col = (
            float(min(max(int((1.0 - part if flip else part) * n), 0), n - 1))
            for part, n, flip in zip(part_hw, self.shape_hw, self.flips, strict=True)
        )
        return self.plane.at(row, col)


def cut_of(
    plane: PlaneRef, shape: Sequence[int], scale_mm: Sequence[float], geometry: Geometry | None
) -> Cut:
    """Say how a plane of a volume is shown: as in the viewer, a patient upright.

    Parameters
    ----------
    plane : PlaneRef
        Which plane.
    shape, scale_mm : sequence
        (P, R, C), and mm from voxel to voxel.
    geometry : Geometry or None
        Where the image's place in a patient is known.
    """
    mirrored = set() if geometry is None else set(flipped_axes(geometry))
    if geometry is not None and runs_to_head(geometry):
        mirrored.add(0)
    rows, cols = (axis for axis in range(3) if axis != plane.axis)
    return Cut(
        plane,
        (rows in mirrored, cols in mirrored),
        (shape[rows], shape[cols]),
        (shape[rows] * float(scale_mm[rows]), shape[cols] * float(scale_mm[cols])),
    )


def draw_cut(
    cut: Cut, image: NDArray[Any], labels: NDArray[Any] | None, window: Window, colour_of: ColourOf
) -> NDArray[np.uint8]:
    """Draw a cut with the objects in their colours.

    Parameters
    ----------
    cut : Cut
        Which, and which way up.
    image : NDArray, shape (P, R, C) or (P, R, C, 3)
        The voxels.
    labels : NDArray of integers, shape (P, R, C), or None
        The objects.
    window : Window
        What is black and what is white.
    colour_of : callable
        An object's colour.

    Returns
    -------
    NDArray[uint8], shape (H, W, 3)
        Of the cut's shape.
    """
    part = np.asarray(cut.plane.take(image))
    grey = part[..., :3] if part.ndim == 3 else window.to_uint8(part)[..., None]
    seen = np.broadcast_to(grey, (*cut.shape_hw, 3)).astype(np.float32)
    if labels is not None:
        inside = np.asarray(cut.plane.take(labels))
        for value in np.unique(inside[inside != 0]).tolist():
            colour = colour_of(value)
            if colour is not None and colour[3] > 0:
                bits = inside == value
                seen[bits] = 0.5 * seen[bits] + 127.5 * np.asarray(colour[:3], np.float32)
    steps = tuple(slice(None, None, -1 if flip else 1) for flip in cut.flips)
    return np.ascontiguousarray(np.clip(seen, 0, 255).astype(np.uint8)[steps])
